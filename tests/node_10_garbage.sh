#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A flood of garbage tickets, each under the name of a live key, costs a node at
# most 1.2 times the CPU of as many full handshakes without: the eight of a hello
# that are tried against a plain hello, and as many as 18 KiB hold against a hello
# padded to that length. Clients with good tickets go on to resume. The kinds
# take turns.
. "$(dirname "$0")/lib.sh"
need python3 jq

host=www.example.test
rounds=25 hellos=200

cpu_ns()
{
	cat /proc/"$(pid_of node-1)"/task/*/schedstat |
		awk '{ n += $1 } END { printf "%.0f\n", n }'
}

# flood KIND: the hellos of a kind, each answered by a whole server flight; sets
# `ns`, the node's CPU for each.
flood()
{
	local before

	before=$(cpu_ns)
	python3 "$work/flood.py" "$1" $hellos "${tls_port[1]}" "$host" \
		"$work/ticket" || fall_short "the flood of $1 hellos"
	ns=$((($(cpu_ns) - before) / hellos))
}

# The identities are random but for the key's name; "many" is as many as a hello
# of 18 KiB holds, and "padded" has its length (RFC 7685).
write_flood()
{
	cat >"$work/flood.py" <<-'EOT'
	import os, socket, sys

	kind, n, port, host = (sys.argv[1], int(sys.argv[2]), int(sys.argv[3]),
	                       sys.argv[4].encode())
	ticket = open(sys.argv[5], "rb").read()
	# A share that is a point: P-256's own generator (SP 800-186 3.2.1.3).
	point = bytes.fromhex(
	    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
	    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")

	def vector(width, body):
	    return len(body).to_bytes(width, "big") + body

	def extension(kind, body):
	    return kind.to_bytes(2, "big") + vector(2, body)

	def hello():
	    common = b"".join((
	        extension(0, vector(2, b"\0" + vector(2, host))),
	        extension(10, vector(2, b"\0\x17")),
	        extension(13, vector(2, b"\x04\x03\x08\x04")),
	        extension(43, vector(1, b"\x03\x04")),
	        extension(45, vector(1, b"\x01")),
	        extension(51, vector(2, b"\0\x17" + vector(2, point)))))
	    fill = {"few": 8, "many": 17000 // (len(ticket) + 39)}.get(kind, 0)
	    if kind == "padded":
	        common += extension(21, bytes(17000))
	    if fill:
	        ids = b"".join(
	            vector(2, ticket[:16] + os.urandom(len(ticket) - 16)) +
	            os.urandom(4) for _ in range(fill))
	        binders = b"".join(vector(1, os.urandom(32))
	                           for _ in range(fill))
	        common += extension(41, vector(2, ids) + vector(2, binders))
	    body = (b"\x03\x03" + os.urandom(32) + vector(1, os.urandom(32)) +
	            vector(2, b"\x13\x01\x13\x02\x13\x03") + b"\x01\0" +
	            vector(2, common))
	    message = b"\x01" + vector(3, body)
	    return b"".join(b"\x16\x03\x01" + vector(2, message[at:at + 16384])
	                    for at in range(0, len(message), 16384))

	def exactly(conn, n):
	    got = b""
	    while len(got) < n:
	        piece = conn.recv(n - len(got))
	        if not piece:
	            sys.exit("closed after %d bytes" % len(got))
	        got += piece
	    return got

	for _ in range(n):
	    conn = socket.create_connection(("127.0.0.1", port), 60)
	    conn.sendall(hello())
	    seen = set()
	    # ServerHello in the clear, then the encrypted flight with Finished.
	    while 23 not in seen:
	        head = exactly(conn, 5)
	        record = exactly(conn, int.from_bytes(head[3:5], "big"))
	        if head[0] == 21:
	            sys.exit("alert %d" % record[1])
	        seen.add(head[0])
	    conn.close()
	EOT
}

# A real ticket, for its length and the name of its key.
get_ticket()
{
	printf 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n' |
		openssl s_client -connect "127.0.0.1:${tls_port[1]}" \
			-servername "$host" -tls1_3 -ign_eof \
			-sess_out "$work/session" >/dev/null 2>>"$work/log/s_client"
	openssl sess_id -in "$work/session" -noout -text |
		sed -n 's/^ *[0-9a-f]\{4\} - \([0-9a-f -]\{48\}\).*/\1/p' |
		python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read().replace("-", " ")))' >"$work/ticket"
	[ "$(wc -c <"$work/ticket")" -ge 100 ] || fall_short "no ticket was seen"
}

make_ca
make_certificate "$host"
make_farm_key
write_flood
start_node 1
get_ticket
kinds="plain few padded many"
for kind in $kinds; do flood "$kind"; done

# The medians over all rounds so far: "few many length", within the bound or not.
ratios()
{
	python3 - "$work/rounds" <<-'EOT'
	import statistics, sys
	rows = [[int(n) for n in line.split()] for line in open(sys.argv[1])]
	def ratio(a, b):
	    return statistics.median(row[a] / row[b] for row in rows)
	few, many, length = ratio(1, 0), ratio(3, 2), ratio(2, 0)
	print("%.3f %.3f %.2f" % (few, many, length))
	sys.exit(few > 1.2 or many > 1.2)
	EOT
}

# What else the machine does makes single rounds dearer, not the median of many.
for turn in 1 2 3 4; do
	for ((round = 1; round <= rounds; round++)); do
		line=""
		for kind in $kinds; do
			flood "$kind"
			line+="$ns "
		done
		echo "$line" >>"$work/rounds"
		echo "round $turn.$round, ns of CPU for $kinds: $line"
	done
	! ratios >"$work/ratios" || break
done
probe load --connect "127.0.0.1:${tls_port[1]}" --sni "$host" \
	--ca "$work/ca.pem" --connections 500 --expect 100 >/dev/null ||
	fall_short "good tickets do not resume"
read -r few many length <"$work/ratios"
ratios >/dev/null || fall_short "garbage costs $few and $many times as much"
echo "the length alone: $length times"
echo "node-10: 8 garbage tickets cost $few times a plain full handshake, 18 KiB" \
	"of them $many times one of that length (bound 1.2), over $(wc -l \
	<"$work/rounds") rounds of $rounds to $((4 * rounds))"

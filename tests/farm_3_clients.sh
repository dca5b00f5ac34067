#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# openssl s_client, gnutls-cli, Python's ssl and NSS resume at another node than
# the one that issued, in both versions. Two nodes; clients that can connect
# twice to one address only get there through HAProxy, which sends each
# connection to the other node. The proof is what the second node says about the
# session: resumed, and whose ticket it was.
. "$(dirname "$0")/lib.sh"

host=www.example.test
request="GET / HTTP/1.1\r\nHost: $host\r\nAccept: application/json\r\n"
request+="Connection: close\r\n\r\n"
proofs=0

# The built-in page within a client's output.
page_of() { grep -ao '{"node":.*}' "$1" | tail -n 1; }

# proved CLIENT VERSION FILE [REQUIRED]: the page in FILE says that it resumed,
# in that version, a ticket of the other node. REQUIRED: what the client itself
# must have said.
proved()
{
	if [ $# -gt 3 ]; then
		grep -aq "$4" "$3" || {
			cat "$3" >&2
			fall_short "$1 in $2 did not say: $4"
		}
	fi
	page_of "$3" | jq -e --arg version "$2" --argjson ids "$node_ids" '
		.resumed and .tls_version == $version and
		$ids[.ticket.issuer_id] != null and
		$ids[.ticket.issuer_id] != .node' \
		>/dev/null || {
		cat "$3" >&2
		fall_short "$1 in $2 did not resume at the other node"
	}
	page_of "$3" | jq -r --arg client "$1" --argjson ids "$node_ids" \
		'"\($client), \(.tls_version): issued by " +
		"\($ids[.ticket.issuer_id]), resumed at \(.node)"'
	proofs=$((proofs + 1))
}

start_front()
{
	free_port
	front=$port
	cat >"$work/haproxy.cfg" <<-EOT
	global
	  nbthread 1
	defaults
	  mode tcp
	  timeout connect 5s
	  timeout client 30s
	  timeout server 30s
	listen front
	  bind 127.0.0.1:$front
	  balance roundrobin
	  server node-1 127.0.0.1:${tls_port[1]}
	  server node-2 127.0.0.1:${tls_port[2]}
	EOT
	run haproxy haproxy -db -f "$work/haproxy.cfg"
	# A connection would turn the round robin.
	await_of haproxy 10 haproxy listens "$front"
}

# ---- the clients: each takes the version's name and does it twice ----------------

s_client()
{
	local node=$1

	shift
	printf '%b' "$request" | timeout 60 openssl s_client \
		-connect "127.0.0.1:${tls_port[node]}" -servername "$host" \
		-CAfile "$work/ca.pem" -verify_return_error -ign_eof "$@" \
		>"$work/out" 2>>"$work/log/s_client"
}

by_openssl()
{
	local flag=-tls1_${1#TLSv1.}

	s_client 1 "$flag" -sess_out "$work/session" ||
		fall_short "openssl s_client, first connection"
	s_client 2 "$flag" -sess_in "$work/session" ||
		fall_short "openssl s_client, second connection"
	proved openssl "$1" "$work/out" "^Reused, $1"
}

by_gnutls()
{
	printf '%b' "$request" | timeout 60 gnutls-cli --resume \
		--waitresumption --x509cafile "$work/ca.pem" \
		--sni-hostname "$host" --verify-hostname "$host" \
		--priority "NORMAL:-VERS-ALL:+VERS-TLS${1#TLSv}" \
		-p "$front" 127.0.0.1 >"$work/out" 2>>"$work/log/gnutls" ||
		{ cat "$work/out" >&2; fall_short "gnutls-cli"; }
	proved gnutls-cli "$1" "$work/out" "This is a resumed session"
}

by_python()
{
	timeout 60 python3 - "$1" "$host" "$work/ca.pem" "${tls_port[1]}" \
		"${tls_port[2]}" >"$work/out" 2>>"$work/log/python" <<-'EOT' ||
	import socket, ssl, sys

	version, host, ca, first, second = sys.argv[1:]
	context = ssl.create_default_context(cafile=ca)
	context.minimum_version = context.maximum_version = {
	    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
	    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
	}[version]

	def get(port, session):
	    plain = socket.create_connection(("127.0.0.1", int(port)), 10)
	    with context.wrap_socket(plain, server_hostname=host,
	                             session=session) as tls:
	        tls.sendall(b"GET / HTTP/1.1\r\nHost: " + host.encode() +
	                    b"\r\nAccept: application/json\r\n"
	                    b"Connection: close\r\n\r\n")
	        while data := tls.recv(4096):
	            last = data
	        return tls.session, tls.session_reused, last

	session, reused, _ = get(first, None)
	assert not reused
	_, reused, page = get(second, session)
	print("session reused:", reused)
	print(page.decode())
	EOT
		{ cat "$work/out" >&2; fall_short "Python's ssl"; }
	proved "Python's ssl" "$1" "$work/out" "session reused: True"
}

nss_database()
{
	mkdir "$work/nss"
	certutil -N -d "sql:$work/nss" --empty-password
	certutil -A -d "sql:$work/nss" -n ca -t C,, -i "$work/ca.pem"
	printf '%b' "$request" >"$work/request"
}

by_tstclnt()
{
	timeout 60 tstclnt -h 127.0.0.1 -a "$host" -p "$front" \
		-d "sql:$work/nss" -u -V "${1/TLSv/tls}:${1/TLSv/tls}" \
		-A "$work/request" -L 2 >"$work/out" 2>>"$work/log/tstclnt" ||
		{ cat "$work/out" >&2; fall_short "tstclnt"; }
	proved tstclnt "$1" "$work/out"
}

# Resumptions of each other's tickets that both nodes have counted.
foreign()
{
	local n

	for n in 1 2; do
		ctl "$n" stats --json | jq --arg own "node-$n" \
			--argjson ids "$node_ids" '[.node.issuers[] |
			select($ids[.id] != $own) | .resumed] | add // 0'
	done | jq -s add
}

# strsclnt shows no page: the nodes' own counts prove it. In TLS 1.2 it keeps
# the first ticket, so that every second connection comes to its issuer.
by_strsclnt()
{
	local before after all=40 wanted=15

	before=$(foreign)
	timeout 60 strsclnt -a "$host" -p "$front" -d "sql:$work/nss" -u -q \
		-V "${1/TLSv/tls}:${1/TLSv/tls}" -c $all -t 1 \
		127.0.0.1 >"$work/out" 2>&1 ||
		{ cat "$work/out" >&2; fall_short "strsclnt"; }
	after=$(foreign)
	if [ $((after - before)) -lt "$wanted" ]; then
		cat "$work/out" >&2
		fall_short "strsclnt in $1: $((after - before)) at the other node"
	fi
	echo "strsclnt, $1: $((after - before)) of $all resumed at" \
		"the other node"
	proofs=$((proofs + 1))
}

need haproxy gnutls-cli python3 certutil tstclnt strsclnt jq
make_ca
make_certificate "$host"
start_redis
make_farm_key
start_node 1
start_node 2
# By id: a page names the issuer only once its node has heard of the other.
node_ids=$(for n in 1 2; do
	ctl "$n" status --json
done | jq -s 'map({(.node_id): .node}) | add')
start_front
nss_database
for version in TLSv1.2 TLSv1.3; do
	for client in openssl gnutls python tstclnt strsclnt; do
		"by_$client" "$version"
	done
done
echo "farm-3: $proofs of 10: five clients in two versions resumed at the node" \
	"that had not issued"

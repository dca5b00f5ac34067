#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Under ulimit -n 64 more clients come than there are descriptors: the node does
# not spin, its admin endpoint and its metrics answer, those who are connected
# are served, and when they leave it serves everybody again.
. "$(dirname "$0")/lib.sh"
need python3 prlimit

host=www.example.test
clients=200

cpu_ns()
{
	cat /proc/"$(pid_of node-1)"/task/*/schedstat |
		awk '{ n += $1 } END { printf "%.0f\n", n }'
}

# metric NAME: its value now.
metric()
{
	curl -sf --max-time 30 "http://127.0.0.1:${metrics_port[1]}/metrics" |
		awk -v name="$1" '$1 == name { print $2 }'
}

refused() { metric 'stekd_handshake_failures_total{reason="descriptors"}'; }
some_are_refused() { [ "$(refused)" -gt "${1:-0}" ]; }

# Connections that say nothing, more than there is room for. It prints how many
# the kernel has taken, answers each line of input by a handshake and a request
# over the first of them, and ends them all with its input.
write_crowd()
{
	cat >"$work/crowd.py" <<-'EOT'
	import socket, ssl, sys
	port, host, ca, n = (int(sys.argv[1]), sys.argv[2], sys.argv[3],
	                     int(sys.argv[4]))
	context = ssl.create_default_context(cafile=ca)
	crowd = [socket.create_connection(("127.0.0.1", port), 10)
	         for _ in range(n)]
	print("there", flush=True)
	for line in sys.stdin:
	    plain = crowd.pop(0)
	    with context.wrap_socket(plain, server_hostname=host) as tls:
	        tls.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n"
	                    b"Connection: close\r\n\r\n")
	        print(tls.recv(4096).split(b"\r\n")[0].decode(), flush=True)
	EOT
}

# measure WHAT: the node's share of a processor over 100 turns of pause(), some
# five seconds; the greatest is kept in `most`.
most=0
measure()
{
	local before began turn share

	before=$(cpu_ns) began=$(now_ms)
	for ((turn = 0; turn < 100; turn++)); do pause; done
	# In thousandths.
	share=$((($(cpu_ns) - before) / 1000 / ($(now_ms) - began)))
	echo "$1: $((share / 10)).$((share % 10)) % of a processor"
	[ $share -lt 50 ] || fall_short "it spins: $share thousandths"
	[ $share -lt $most ] || most=$share
}

is_served()
{
	curl -sf --max-time 20 --resolve "$host:${tls_port[1]}:127.0.0.1" \
		--cacert "$work/ca.pem" "https://$host:${tls_port[1]}/"
}

make_ca
make_certificate "$host"
make_farm_key
write_crowd
more_yaml="limits: { handshake_timeout_ms: 600000 }"
write_config 1 "$host"
run node-1 prlimit --nofile=64:64 "$STEKD_BUILD/stekd" -c "$work/node-1.yaml"
await_of node-1 20 "node-1 to be ready" is_ready 1
is_served >/dev/null || fall_short "nobody is served at first"

mkfifo "$work/say"
# shellcheck disable=SC2016 # its own $@ and $0
run crowd bash -c 'exec "$@" <"$0"' "$work/say" python3 "$work/crowd.py" \
	"${tls_port[1]}" "$host" "$work/ca.pem" $clients
exec 3>"$work/say"
await_of crowd 20 "the crowd" grep -q there "$work/log/crowd"
await 20 "a refusal" some_are_refused

open=$(metric stekd_connections)
[ "$open" -ge 10 ] || fall_short "only $open connections are open"
measure "$open connections open, $(refused) refused"
ctl 1 status >/dev/null || fall_short "the admin socket does not answer"
ctl 1 rotate --force >/dev/null || fall_short "no key is made"
echo >&3
await 20 "an answer to one of the crowd" grep -q "200 OK" "$work/log/crowd"

# Connections to the metrics, too, take no more than their share.
for ((i = 0; i < 40; i++)); do
	exec {held}<>"/dev/tcp/127.0.0.1/${metrics_port[1]}"
done
measure "40 connections to the metrics besides"
exec {held}>&-
exec 3>&-
await 20 "the node to serve again" is_served
[ "$(ctl 1 status --json | grep -c '"node"')" -ge 1 ] ||
	fall_short "the admin socket does not answer"
echo "node-8: with 64 descriptors and $clients clients" \
	"$((most / 10)).$((most % 10)) % of a processor (bound 5), the admin endpoint answers, and all are served again"

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# check_systemd.sh - stekd as systemd's service: sockets that it is given, by
# name or address, and keeps for its successor; readiness, reloads, watchdog and
# end as systemd is told of them. By systemd-socket-activate and by a stand-in.
: "${top_builddir:?run by make check}"
STEKD_BUILD=$top_builddir
. "$(dirname "$0")/lib.sh"
need python3 systemd-socket-activate setpriv

fake() { run "$1" python3 "$repo/tests/systemd_fake.py" "$work/$1.told" "${@:2}"; }
told() { grep -q -e "$2" "$work/$1.told"; }
said() { grep -q -e "$2" "$work/log/$1"; }
address_of() { sed -n "s/^address $2 //p" "$work/$1.told"; }
page()
{
	printf 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n' |
		openssl s_client -quiet -connect "$1" -CAfile "$work/ca.pem" \
			-verify_return_error -servername www.example.test \
			>"$work/page" 2>>"$work/log/openssl" || return
	grep -q '^HTTP/1.1 200' "$work/page"
}
# refuses NAME PATTERN ARGUMENT...: the node does not start, and says why.
refuses()
{
	local name=$1 pattern=$2

	shift 2
	fake "$name" 0 "$@" -- "$STEKD_BUILD/stekd" -c "$work/node-1.yaml"
	await 20 "$name to end" told "$name" '^ended 1$'
	said "$name" "$pattern" || fall_short "$name: $(cat "$work/log/$name")"
	if told "$name" READY=1; then fall_short "$name was ready"; fi
}

make_ca
make_certificate www.example.test
make_farm_key
write_config 1
sed -i 's/^  - address: .*/&\n    name: https/' "$work/node-1.yaml"

# By systemd's own tool: the first client starts it, and is served.
free_port
run activate systemd-socket-activate -l "127.0.0.1:$port" \
	-l "$work/node-1.sock" --fdname=https:admin \
	"$STEKD_BUILD/stekd" -c "$work/node-1.yaml"
await_of activate 20 "the activated node" page "127.0.0.1:$port"
said activate "address=127.0.0.1:$port role=tls" || fall_short "another port"
await_of activate 20 "a ticket key" ctl 1 status
probe load --connect "127.0.0.1:$port" --sni www.example.test \
	--ca "$work/ca.pem" --tls both --resume 50 --connections 300 \
	--concurrency 8 >"$work/log/load" || fall_short "load on shared sockets"
end activate
[ -S "$work/node-1.sock" ] || fall_short "systemd's socket was removed"
rm "$work/node-1.sock"

# By the stand-in: ready once it serves, and told of all that follows.
fake one 900 "https=127.0.0.1:0" "admin=$work/node-1.sock" \
	"metrics=127.0.0.1:0" -- "$STEKD_BUILD/stekd" -c "$work/node-1.yaml"
await_of one 20 "READY=1" told one '^READY=1|STATUS=serving, configuration 1$'
https=$(address_of one https)
page "$https" || fall_short "it was not ready when it said so"
curl -sf "http://$(address_of one metrics)/healthz" >/dev/null ||
	fall_short "no metrics on systemd's socket"
await_of one 20 "a ticket key" ctl 1 status
pings() { [ "$(grep -c '^WATCHDOG=1$' "$work/one.told")" -ge "$1" ]; }
await_of one 10 "the watchdog to be fed" pings 4
ctl 1 reload >"$work/log/reload" || fall_short "reload"
await_of one 10 "RELOADING=1" told one '^RELOADING=1|MONOTONIC_USEC=[0-9]*|'
await_of one 10 "READY=1 again" told one '^READY=1|STATUS=.*configuration 2$'
echo "bogus: 1" >>"$work/node-1.yaml"
if ctl 1 reload 2>"$work/log/reload"; then fall_short "a faulty reload"; fi
await_of one 10 "the refusal" told one '^READY=1|.*configuration 2; the last'
sed -i '/^bogus/d' "$work/node-1.yaml"

# A client that comes while it restarts waits, and is served by the next one.
kill -USR1 "$(pid_of one)"
page "$https" || fall_short "a client was turned away during the restart"
await_of one 20 "STOPPING=1" told one '^STOPPING=1|'
await_of one 20 "a second start" told one '^started '
end one
told one '^ended 0$' || fall_short "it did not end by itself"
[ -S "$work/node-1.sock" ] || fall_short "the admin socket was removed"
rm "$work/node-1.sock"

# By address where no name is given; and another process's sockets are left. Of
# the first it is told that pin_workers does nothing for them.
sed -i '/^    name: https/d; s/^workers: .*//' "$work/node-1.yaml"
echo "pin_workers: true" >>"$work/node-1.yaml"
fake two 0 "x=127.0.0.1:${tls_port[1]}" -- \
	"$STEKD_BUILD/stekd" -c "$work/node-1.yaml"
await_of two 20 "READY=1" told two '^READY=1'
page "127.0.0.1:${tls_port[1]}" || fall_short "no page by address"
said two "pin_workers without its use.* address=127.0.0.1:${tls_port[1]}" ||
	fall_short "no word of pin_workers"
if told two WATCHDOG; then fall_short "a watchdog that nobody asked for"; fi
end two
fake three 0 "x=127.0.0.1:0" "y=pid:1" -- \
	"$STEKD_BUILD/stekd" -c "$work/node-1.yaml"
await_of three 20 "READY=1" told three '^READY=1'
page "127.0.0.1:${tls_port[1]}" || fall_short "it took another's sockets"
if said three "pin_workers"; then fall_short "pin_workers on its own socket"; fi
end three

# What is passed and fits nothing is refused, by name and address.
refuses unknown "the socket 'stray' on 127.0.0.1:[0-9]*, which no listener" \
	"stray=127.0.0.1:0"
refuses file "descriptor 3 ('f'), which is no listening stream socket" \
	"f=file:$work/ca.pem"
refuses unix "systemd's socket 'admin' is on 127.0.0.1" "admin=127.0.0.1:0"
refuses local "systemd's socket 'metrics' is on unix:" "metrics=$work/m.sock"
say "activation, readiness, reload, watchdog, restart: as systemd wants them"

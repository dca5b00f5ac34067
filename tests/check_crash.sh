#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# check_crash.sh - a node that was killed (-9) comes back with its ring: from
# its state file when the store is away, from the store when it kept no file.
# Tickets of before the crash resume; what the crash left is in nobody's way.
: "${top_builddir:?run by make check}"
STEKD_BUILD=$top_builddir
. "$(dirname "$0")/lib.sh"
need timeout

# session VERSION IN OUT: one connection with the ticket IN ("": none), the
# new one goes to OUT; prints New or Reused.
session()
{
	printf 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n' |
		timeout 60 openssl s_client "$1" -ign_eof \
			-connect "127.0.0.1:${tls_port[1]}" \
			-servername www.example.test ${2:+-sess_in "$2"} \
			-sess_out "$3" 2>>"$work/log/openssl" |
		sed -n 's/^\(New\|Reused\), TLS.*/\1/p' | head -1
}
resumes()
{
	local version got

	for version in -tls1_2 -tls1_3; do
		got=$(session $version "$work/before$version" "$work/x")
		[ "$got" = Reused ] || fall_short "$1, $version: '$got'"
	done
}
# crash: and take tickets before.
crash()
{
	local version got

	for version in -tls1_2 -tls1_3; do
		got=$(session $version "" "$work/before$version")
		[ "$got" = New ] || fall_short "a full handshake, $version: '$got'"
	done
	stop_node 1 KILL
	[ -S "${admin_socket[1]}" ] || fall_short "it ended in good order"
}
again()
{
	run node-1 "$STEKD_BUILD/stekd" -c "$work/node-1.yaml"
	await_of node-1 20 "the node to come back" grep -q 'ready to serve' \
		"$work/log/node-1"
}

make_ca
make_certificate www.example.test
make_farm_key
start_node 1

crash
mv "$work/store" "$work/away"
: >"$work/log/node-1"
again
resumes "from the state file"
grep -q 'msg="new key made"' "$work/log/node-1" &&
	fall_short "it made keys of its own"
mv "$work/away" "$work/store"
await_of node-1 20 "the store" is_ready 1

crash
rm -rf "$work/state-1"
mkdir "$work/state-1"
: >"$work/log/node-1"
again
await_of node-1 20 "the ring of the store" is_ready 1
resumes "from the store"

# Neither the file nor the store: then full handshakes go on, and only they.
crash
rm -rf "$work/state-1" "$work/store"
mkdir "$work/state-1" "$work/store"
again
await_of node-1 20 "a new ring" is_ready 1
for version in -tls1_2 -tls1_3; do
	got=$(session $version "$work/before$version" "$work/x")
	[ "$got" = New ] || fall_short "a ticket of nobody's key, $version: $got"
done
say "back from the state file and from the store"

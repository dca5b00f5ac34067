#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The example server, built against the installed library alone, resumes the
# tickets of stekd, and stekd its tickets, in TLS 1.2 and 1.3, also after a
# rotation; of another group both refuse them, and after a revocation too.
. "$(dirname "$0")/lib.sh"
need jq pkg-config gcc redis-server

host=www.example.test
proofs=0

# ---- the library installed, and nothing else of the tree --------------------------

make -C "$STEKD_BUILD" install DESTDIR="$work/root" >"$work/log/install" 2>&1 ||
	fall_short "make install"
at=$work/root$(sed -n 's/^prefix = //p' "$STEKD_BUILD/Makefile")
mkdir "$work/own"
cp "$repo/deploy/examples/https.c" "$work/own/"
lines=$(wc -l <"$work/own/https.c")
[ "$lines" -lt 150 ] || fall_short "the example has $lines lines"
cd "$work/own"
# shellcheck disable=SC2046 # pkg-config gives words
gcc -Wall -Wextra -Werror -o https https.c \
	$(PKG_CONFIG_SYSROOT_DIR='' PKG_CONFIG_PATH=$at/lib/pkgconfig pkg-config \
		--define-variable=prefix="$at" --cflags --libs stek) ||
	fall_short "the example does not build"

# Not the port that is left of one modulo 65536, and none that nobody chose.
for bad in 0 65979 https; do
	code=0
	LD_LIBRARY_PATH=$at/lib "$work/own/https" "$bad" - - - - - - - \
		2>>"$work/log/usage" || code=$?
	[ $code = 2 ] || fall_short "the example takes '$bad' for a port"
done

# start_example NAME GROUP: sets `port`.
start_example()
{
	free_port
	LD_LIBRARY_PATH=$at/lib run "$1" "$work/own/https" "$port" \
		"$work/$host.pem" "$work/$host.key" "$farm" "$1" \
		"$work/farm.key" "$store_url" "$2"
	await_of "$1" 20 "$1 to seal" seals "$port"
}

# ---- clients -----------------------------------------------------------------------

fetch()
{
	printf 'GET / HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\nConnection: close\r\n\r\n' |
		timeout 60 openssl s_client -quiet -connect "127.0.0.1:$1" \
			-CAfile "$work/ca.pem" -verify_return_error \
			-servername "$host" "${@:2}" 2>>"$work/log/s_client"
}

# The outcome that the server's page tells.
outcome() { fetch "$@" | grep -o '"outcome": *"[a-z_]*"' | cut -d'"' -f4; }

ticket() { fetch "$1" "-$2" -sess_out "$work/ticket" >/dev/null; }

# A ticket of its own resumes there.
seals() { ticket "$1" tls1_3 && [ "$(outcome "$1" -tls1_3 -sess_in "$work/ticket")" = resumed_active ]; }

# expect WHAT FROM TO: a ticket of the server on port FROM ends so on port TO.
expect()
{
	local version got

	for version in tls1_2 tls1_3; do
		ticket "$2" $version
		got=$(outcome "$3" -$version -sess_in "$work/ticket")
		[ "$got" = "$1" ] || fall_short \
			"$version from $2 at $3: ${got:-nothing}, expected $1"
		proofs=$((proofs + 1))
	done
}

make_ca
make_certificate "$host"
make_farm_key
start_redis
# All must have a new key after half of that.
keys_yaml="  rotate_delay_ms: 8000"
start_node 1
node=${tls_port[1]}
start_example example "$host"
own=$port
expect resumed_active "$node" "$own"
expect resumed_active "$own" "$node"

start_example other-group other.example.test
expect refused_policy "$node" "$port"
expect refused_policy "$port" "$node"
listed() { ctl 1 --json nodes | jq -e '[.nodes[] | select(.live)] | length == 3'; }
await 10 "stekctl nodes to list the examples" listed

say "a rotation"
for version in tls1_2 tls1_3; do
	fetch "$node" -$version -sess_out "$work/node.$version" >/dev/null
	fetch "$own" -$version -sess_out "$work/own.$version" >/dev/null
done
ctl 1 --json rotate >"$work/rotate" || fall_short "$(cat "$work/rotate")"
key=$(jq -r .key "$work/rotate")
turned() { ctl 1 --json keys | jq -e --arg id "$key" 'any(.keys[]; .id == $id and .state == "active")'; }
await 30 "the new key to seal" turned
# Its clock and the node's may differ by a little.
turned_too()
{
	[ "$(outcome "$own" -tls1_3 -sess_in "$work/node.tls1_3")" = \
		resumed_retired ]
}
await 10 "the new key to seal at the example" turned_too
for version in tls1_2 tls1_3; do
	[ "$(outcome "$own" -$version -sess_in "$work/node.$version")" = \
		resumed_retired ] || fall_short "$version: stekd's old ticket"
	[ "$(outcome "$node" -$version -sess_in "$work/own.$version")" = \
		resumed_retired ] || fall_short "$version: an old ticket at stekd"
	proofs=$((proofs + 2))
done
expect resumed_active "$own" "$node"
expect resumed_active "$node" "$own"

say "a revocation"
fetch "$node" -tls1_3 -sess_out "$work/node.tls1_3" >/dev/null
ctl 1 revoke --all >"$work/revoke" 2>&1 || fall_short "$(cat "$work/revoke")"
[ "$(outcome "$own" -tls1_3 -sess_in "$work/node.tls1_3")" = refused_revoked ] ||
	fall_short "the example takes a revoked ticket"
proofs=$((proofs + 1))
end example
[ "$(tail -c 200 "$work/log/example")" = "" ] ||
	fall_short "the example: $(cat "$work/log/example")"
echo "deploy-4: a server of $lines lines and stekd, $proofs tickets of each" \
	"other resumed or refused as is due, in two versions"

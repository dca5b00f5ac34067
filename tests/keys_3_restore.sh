#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Old copies restored into the Redis of a running farm, one of 24 hours ago and
# one from before a revocation: no expired and no revoked key is accepted by any
# node, what is live goes on, and the ring is whole again within one poll. The
# old farm really ran, with its clocks 24 hours behind, on a file store, since
# Redis's allocator and libfaketime do not go together.
. "$(dirname "$0")/lib.sh"
need faketime jq redis-server redis-cli

beat_ms=1000 bound_ms=1200 restores=0
fake=$(find /usr/lib -name libfaketimeMT.so.1 2>/dev/null | head -n 1)
[ -n "$fake" ] || skip "libfaketimeMT.so.1 is missing; deploy/deps.sh installs it"

# ago HOURS COMMAND...: with the wall clock so far behind.
ago()
{
	local hours=$1

	shift
	LD_PRELOAD=$fake FAKETIME=-${hours}h FAKETIME_DONT_FAKE_MONOTONIC=1 "$@"
}

# fetch N OPTION...: one connection of openssl s_client to node N.
fetch()
{
	printf 'GET / HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\nConnection: close\r\n\r\n' |
		timeout 60 openssl s_client -quiet \
			-connect "127.0.0.1:${tls_port[$1]}" \
			-CAfile "$work/ca.pem" -servername www.example.test \
			"${@:2}" 2>/dev/null
}

# tickets NAME N...: of each node, in both versions.
tickets()
{
	local name=$1 n v

	shift
	for n in "$@"; do
		for v in tls1_2 tls1_3; do
			fetch "$n" -$v -sess_out "$work/$name.$v.$n" >/dev/null
			[ -s "$work/$name.$v.$n" ] ||
				fall_short "no $v ticket of node $n"
		done
	done
}

# offer NAME N...: every ticket NAME at each node; counts `accepted`, `refused`.
accepted=0 refused=0
offer()
{
	local name=$1 n v ticket page

	shift
	for n in "$@"; do
		for ticket in "$work/$name".tls*; do
			v=${ticket#"$work/$name."}
			page=$(fetch "$n" "-${v%.*}" -sess_in "$ticket") ||
				fall_short "a handshake failed at node $n"
			case $page in
			*'"resumed":true'* | *'"resumed": true'*)
				accepted=$((accepted + 1)) ;;
			*'"outcome":"refused_'* | *'"outcome": "refused_'*)
				refused=$((refused + 1)) ;;
			*) fall_short "no ticket of $ticket was seen: $page" ;;
			esac
		done
	done
}

ring="stek:{$farm}:ring"
# Yesterday's document into Redis, under the version that its file begins with:
# a format byte, the epoch, the digest.
move_ring()
{
	local file epoch

	file=$(find "$work/store" -name "*ring*" -type f | head -n 1)
	epoch=$(od -An -tu8 --endian=big -j1 -N8 "$file" | tr -d ' ')
	redis hset "$ring" epoch "$epoch" >/dev/null
	dd if="$file" bs=1 skip=9 count=32 status=none | redis -x hset "$ring" digest >/dev/null
	tail -c +42 "$file" | redis -x hset "$ring" doc >/dev/null
}
copy_ring() { redis dump "$ring" | head -c -1 >"$1"; }
restore() { redis -X COPY restore "$ring" 0 COPY replace <"$1" >"$work/restored"; }
epoch_there() { redis hget "$ring" epoch | tr -d '"'; }
epoch_of() { ctl "$1" --json keys | jq .epoch; }
# shellcheck disable=SC2317 # by await
all_at()
{
	local n

	for n in 1 2 3; do
		[ "$(epoch_of $n)" = "$(epoch_there)" ] || return 1
	done
}

# set_back COPY NAME: restores the copy, offers the tickets NAME while the farm
# heals and after it; sets `healed_ms`. That this machine stood still for a moment
# says nothing of the farm: a time over the bound is measured again, four times at
# most. What is offered must be refused each time.
set_back()
{
	local before began tries epoch turn

	# Beside the ring, where no node puts it right.
	redis -X COPY restore "$ring.copy" 0 COPY <"$work/$1" >"$work/restored"
	epoch=$(redis hget "$ring.copy" epoch | tr -d '"')
	redis del "$ring.copy" >/dev/null
	[ "$epoch" -lt "$(epoch_of 1)" ] ||
		fall_short "the copy $1 is not an old one"
	for turn in 1 2 3 4 5; do
		before=$(epoch_of 1) tries=0
		began=$(now_ms)
		restore "$work/$1"
		grep -q '^OK' "$work/restored" ||
			fall_short "the copy was not restored"
		until [ "$(epoch_there)" -gt "$before" ]; do
			[ $((tries += 1)) -lt 4000 ] ||
				fall_short "the ring never came back"
			read -rt 0.01 <> <(:) || :
		done
		healed_ms=$(($(now_ms) - began))
		offer "$2" 1 2 3
		await 10 "all nodes to hold one ring" all_at
		offer "$2" 1 2 3
		restores=$((restores + 1))
		[ $healed_ms -gt $bound_ms ] || break
		say "turn $turn: healed after $healed_ms ms"
	done
}

config()
{
	write_config "$1"
	sed -i "s/beat_ms: .*/beat_ms: $beat_ms/" "$work/node-$1.yaml"
}

say "24 hours ago"
ago 72 make_ca
ago 48 make_certificate www.example.test
make_farm_key
config 1
ago 24 start_node 1
ago 24 tickets yesterday 1
offered=$(ago 24 fetch 1 -tls1_3 -sess_in "$work/yesterday.tls1_3.1")
[[ $offered == *'"resumed":'*true* ]] ||
	fall_short "yesterday's ticket did not resume yesterday: $offered"
ago 24 tickets yesterday 1
stop_node 1 KILL

say "today, from yesterday's ring"
start_redis
move_ring
copy_ring "$work/yesterday.copy"
for n in 1 2 3; do
	config $n
	start_node $n
done
await 10 "all nodes to hold one ring" all_at
tickets live 1 2 3
offer live 1 2 3
[ "$accepted $refused" = "18 0" ] ||
	fall_short "$accepted of 18 tickets resumed before"
copy_ring "$work/before_revoke.copy"
ctl 1 revoke --all >"$work/log/revoke" 2>&1 || fall_short "stekctl revoke --all"
for n in 1 2 3; do
	await 20 "node $n to seal again" is_ready $n
done
for old in "$work"/live.tls*; do
	mv "$old" "${old/live./revoked.}"
done
tickets live 1 2 3
accepted=0 refused=0

say "yesterday's copy"
# The client, too, must be a day behind, or it would not offer such a ticket.
fetch_now=$(declare -f fetch)
eval "${fetch_now/fetch/really_fetch}"
fetch() { ago 24 really_fetch "$@"; }
set_back yesterday.copy yesterday
first_ms=$healed_ms
fetch() { really_fetch "$@"; }
say "the copy from before the revocation"
set_back before_revoke.copy revoked
second_ms=$healed_ms

say "all nodes down, and the old copy in Redis when they start"
for n in 1 2 3; do stop_node $n KILL; done
restore "$work/before_revoke.copy"
for n in 1 2 3; do
	start_node $n
	offer revoked $n
done
[ $accepted = 0 ] || fall_short "$accepted tickets under dead keys accepted"
dead=$refused
accepted=0 refused=0
offer live 1 2 3
[ $accepted = 18 ] || fall_short "$accepted of 18 live tickets resumed after"
slowest=$((first_ms > second_ms ? first_ms : second_ms))
[ $slowest -le $bound_ms ] ||
	fall_short "the farm healed after $first_ms and $second_ms ms"
echo "keys-3: $dead tickets under expired or revoked keys offered, 0 accepted;" \
	"18 of 18 live ones resumed; healed after $first_ms and $second_ms ms of $beat_ms" \
	"(bound $bound_ms; $restores restores of 2 to 10)"

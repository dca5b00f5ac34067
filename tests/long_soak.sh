#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Three nodes under load for ten minutes, full and resumed, in both versions,
# with a rotation, a reload, a revocation, the loss of Redis or of a node every
# few seconds: no handshake fails, and memory and descriptors do not grow.
#
#	tests/long_soak.sh [SECONDS=600]
#
# Memory (VmRSS) and descriptors are those of nodes 1 and 2, which live through
# all of it, read every second: the median of the last fifth is held against that
# of the second one, when every table and cache has had its first fill. It may be
# 5 % higher, which is what the allocator's own slack is in such a run, and five
# descriptors, since connections are in the air whenever one looks. Node 3 is the
# one that is killed; while it is away, no client goes there.
. "$(dirname "$0")/lib.sh"
length=${1:-600}
slot_ms=4000
need jq redis-server redis-cli
[[ $length =~ ^[1-9][0-9]+$ ]] || { echo "usage: $0 [SECONDS]" >&2; exit 2; }

# ---- what is looked at ---------------------------------------------------------

descriptors() { find "/proc/$1/fd" -mindepth 1 -maxdepth 1 | wc -l; }
rss_kib() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }

next_look=0
look()
{
	local n now

	now=$(now_ms)
	[ "$now" -ge $next_look ] || return 0
	next_look=$((now + 1000))
	for n in 1 2; do
		alive "node-$n" || fall_short "node-$n has died"
		echo "$((now - zero)) $n $(rss_kib "$(pid_of "node-$n")")" \
			"$(descriptors "$(pid_of "node-$n")")" >>"$work/looks"
	done
}

# median NODE COLUMN FIFTH: of the looks in that fifth of the time.
median()
{
	awk -v node="$1" -v column="$2" -v fifth="$3" -v ms=$((length * 1000)) \
		'$2 == node && $1 >= (fifth - 1) * ms / 5 &&
			$1 < fifth * ms / 5 { print $column }' "$work/looks" |
		sort -n | awk '{ all[NR] = $1 }
			END { if (!NR) exit 1; print all[int((NR + 1) / 2)] }'
}

# ---- what is done --------------------------------------------------------------

uses=0
use()
{
	echo "$*" >&"$flow_in"
	uses=$((uses + 1))
	await_of flow 60 "the flow to turn" flow_turned
}
flow_turned() { [ "$(grep -c '^using' "$work/log/flow")" = $uses ]; }

ring_of() { ctl "$1" --json status | jq -er '"\(.ring.epoch) \(.ring.digest)"'; }

# One ring at all nodes, which is the store's.
in_sync()
{
	local ring n one

	ring=$(ring_of 1) || return
	for n in 2 3; do
		one=$(ring_of "$n") || return
		[ "$one" = "$ring" ] || return
	done
	[ "$(redis HGET "stek:{$farm}:ring" epoch)" = "${ring% *}" ]
}

metric()
{
	curl -s "http://127.0.0.1:${metrics_port[$1]}/metrics" |
		awk -v name="$2" '$1 == name { print $2 }'
}
reloaded() { [ "$(metric "$1" 'stekd_reloads_total{result="ok"}')" = "$2" ]; }

# Where a node was late it is asked for again: how quick they are is not the
# question here.
do_rotate() { await 120 "a rotation" rotate_at $((done_n % 3 + 1)); }
rotate_at() { ctl "$1" rotate >>"$work/log/actions" 2>&1; }

# By SIGHUP and by HTTP in turn, with another time-out each time.
do_reload()
{
	local n

	reloads=$((reloads + 1))
	for n in 1 2; do
		sed -i "s/idle_timeout_ms: [0-9]*/idle_timeout_ms: $((60000 +
			reloads))/" "$work/node-$n.yaml"
	done
	kill -HUP "$(pid_of node-1)"
	ctl 2 reload >>"$work/log/actions" 2>&1
	await_of node-1 60 "reload $reloads of node 1" reloaded 1 $reloads
	await_of node-2 60 "reload $reloads of node 2" reloaded 2 $reloads
}

# The oldest key that still opens; every third time all of them.
do_revoke()
{
	revokes=$((revokes + 1))
	await 120 "a revocation" revoke_some
}
revoke_some()
{
	local key

	if [ $((revokes % 3)) = 0 ]; then
		ctl 1 revoke --all >>"$work/log/actions" 2>&1
		return
	fi
	key=$(ctl 2 --json keys | jq -r '[.keys[] |
		select(.state == "retired" or .state == "active")] |
		min_by(.activate_at_ms).id') || return
	ctl 2 revoke "$key" >>"$work/log/actions" 2>&1
}

# It comes back empty, and gets the ring from the nodes.
do_redis()
{
	end redis KILL
	start_redis "$redis_port"
}

do_kill()
{
	use 1 1 0
	end node-3 KILL
	start_node 3
	await_of node-3 60 "node 3 to follow" in_sync
	use 1 1 1
}

one_action()
{
	local kind=${kinds[done_n % ${#kinds[@]}]} began

	began=$(now_ms)
	"do_$kind" || fall_short "$kind, action $done_n"
	await 60 "all nodes in sync after $kind" in_sync
	done_n=$((done_n + 1))
	until [ "$(now_ms)" -ge $((began + slot_ms)) ]; do
		look
		pause
	done
	look
}

# ---- the test ------------------------------------------------------------------

make_ca
make_certificate www.example.test
make_farm_key
start_redis
# Tickets that live for a minute, under a key of half of one.
keys_yaml="  period_s: 30
  lifetime_s: 60
  rotate_delay_ms: 10000
  revoke_delay_ms: 1000
  rotate_interval_s: 1"
more_yaml="limits: { idle_timeout_ms: 60000 }"
for n in 1 2 3; do start_node $n; done
await 60 "all nodes in sync" in_sync

mkfifo "$work/flow.in"
exec {flow_in}<>"$work/flow.in"
# shellcheck disable=SC2016 # for the inner shell
run flow sh -c 'exec "$@" <"$0"' "$work/flow.in" \
	"$STEKD_BUILD/tests/helper_flow" "$work/ca.pem" www.example.test \
	127.0.0.1:"${tls_port[1]}" 127.0.0.1:"${tls_port[2]}" \
	127.0.0.1:"${tls_port[3]}"
use 1 1 1
probe load --connect "127.0.0.1:${tls_port[1]},127.0.0.1:${tls_port[2]}" \
	--sni www.example.test --ca "$work/ca.pem" --tls both --resume 50 \
	--concurrency 8 --rate 100 --duration "$length" --json \
	>"$work/load.json" 2>"$work/log/load" &
load_pid=$!
zero=$(now_ms)
kinds=(rotate reload redis rotate revoke kill)
done_n=0 reloads=0 revokes=0
while [ "$(now_ms)" -lt $((zero + length * 1000)) ]; do one_action; done
wait $load_pid || fall_short "stekprobe load: $(cat "$work/load.json")"
echo end >&"$flow_in"
flow_ended() { ! alive flow; }
await 60 "the flow to end" flow_ended
tail -n 1 "$work/log/flow" >"$work/flow.json"
jq -e '.failed == 0 and .connections > 0 and .resumed > 0 and
	(.by_node | min) > 0' "$work/flow.json" >/dev/null ||
	{ cat "$work/flow.json"; fall_short "the flow's figures"; }
jq -e '.failed == 0 and .resumed > 0' "$work/load.json" >/dev/null ||
	{ cat "$work/load.json"; fall_short "the load's figures"; }
text=''
for n in 1 2; do
	rss_2=$(median $n 3 2) rss_5=$(median $n 3 5)
	fds_2=$(median $n 4 2) fds_5=$(median $n 4 5)
	say "node $n: $rss_2 KiB, then $rss_5; $fds_2 descriptors, then $fds_5"
	[ "$rss_5" -le $((rss_2 + rss_2 / 20)) ] ||
		fall_short "the memory of node $n grew from $rss_2 to $rss_5 KiB"
	[ "$fds_5" -le $((fds_2 + 5)) ] ||
		fall_short "descriptors of node $n: $fds_2, then $fds_5"
	text+=", node $n $rss_2 then $rss_5 KiB and $fds_2 then $fds_5 descriptors"
done
jq -rs --arg s "$length" --arg actions "$done_n" --arg text "$text" \
	'"long-soak: \($s) s, \($actions) actions, " +
	"\(map(.connections) | add) connections, \(map(.resumed) | add) " +
	"resumed, 0 failed\($text)"' "$work/flow.json" "$work/load.json"

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# From the write of a new key to the acknowledgement of all of 32 processes less
# than 250 ms pass (median), an idle node sends Redis at most one command a
# second, and commands and bytes per node stay flat from 4 to 256 members.
#
#	tests/keys_4_scale.sh [ROTATIONS=11]
#
# The processes are stekd without a TLS listener. The members of the last part
# are nodes of helper_many, in one process, with the default heartbeat of 1 s,
# and all figures are those of the Redis server: commands that came over a
# connection (what the heartbeat's script runs inside the server is shown
# beside them) and bytes in and out.
. "$(dirname "$0")/lib.sh"
rotations=${1:-11}
need jq redis-server redis-cli
processes=32
idle_s=10
. "$(dirname "$0")/redis_load.sh"

# ---- 32 processes --------------------------------------------------------------

start_keeper()
{
	admin_socket[$1]=$work/node-$1.sock
	cat >"$work/node-$1.yaml" <<-EOT
	farm: $farm
	node: node-$1
	farm_key: $work/farm.key
	store:
	  url: $store_url
	keys:
	  rotate_interval_s: 1
	workers: 1
	admin:
	  socket: ${admin_socket[$1]}
	EOT
	run "node-$1" "$STEKD_BUILD/stekd" -c "$work/node-$1.yaml"
}

keeper_ready() { ctl "$1" status; }

all_live()
{
	ctl 1 --json nodes | jq -e --argjson n $processes \
		'[.nodes[] | select(.live and .in_sync)] | length == $n'
}

# The slowest node's acknowledgement, in milliseconds after the write.
rotate_once()
{
	ctl $((RANDOM % processes + 1)) --json rotate --force >"$work/rotate" ||
		{ cat "$work/rotate" >&2; fall_short "a rotation"; }
	jq -e --argjson n $processes '(.nodes | length) == $n and
		all(.nodes[]; .acknowledged)' "$work/rotate" >/dev/null ||
		{ cat "$work/rotate" >&2; fall_short "not all acknowledged"; }
	jq '[.nodes[].after_ms] | max' "$work/rotate"
}

make_farm_key
start_redis
for ((n = 1; n <= processes; n++)); do start_keeper $n; done
for ((n = 1; n <= processes; n++)); do
	await_of node-$n 60 "node-$n to be ready" keeper_ready $n
done
await 30 "all to be live and in sync" all_live
for ((i = 0; i < rotations; i++)); do
	rotate_once >>"$work/after"
	wait_ms 300
done
median=$(sort -n "$work/after" | sed -n "$(((rotations + 1) / 2))p")
say "$processes processes acknowledged $rotations rotations after" \
	"$(sort -n "$work/after" | tr '\n' ' ')ms; median $median ms"
# A machine that stands still has nodes try again: the quietest time counts.
for turn in 1 2 3 4; do
	wait_ms 1000
	snapshot idle.1
	wait_ms $((idle_s * 1000))
	snapshot idle.2
	read -r idle inside bytes < <(per_node idle.1 idle.2 $processes)
	say "idle in turn $turn: $idle commands"
	! awk -v c="$idle" 'BEGIN { exit !(c <= 1) }' || break
done
idle_turns=$turn
say "commands in $idle_s s:" "$(sort "$work/calls.idle.1" |
	join - <(sort "$work/calls.idle.2") |
	awk '$3 > $2 { printf "%s %d  ", $1, $3 - $2 }')"
say "idle, per node and second: $idle commands, $inside inside their script," \
	"$bytes bytes"
for ((n = 1; n <= processes; n++)); do
	kill "$(pid_of node-$n)"
done
for ((n = 1; n <= processes; n++)); do end node-$n; done

# ---- 4 to 256 members ----------------------------------------------------------

# measure N: idle, then with one rotation; lines in $work/flat.
measure()
{
	local n=$1 idle busy

	begin_many "$n"
	wait_ms 2000
	snapshot many.1
	wait_ms 6000
	snapshot many.2
	idle=$(per_node many.1 many.2 "$n")
	echo rotate >&"$many_in"
	await_of many 10 "the rotation" said rotated 1
	wait_ms 5000
	snapshot many.3
	busy=$(per_node many.2 many.3 "$n")
	end_many
	echo "$n $idle $busy $(awk '/^rotated/ { print $3 }' "$work/log/many")" |
		tee -a "$work/flat"
}

# Nobody pays more than a quarter over the smallest farm's share.
is_flat()
{
	awk 'NR == 1 { c = $2; b = $4; C = $5; B = $7 }
	$2 > 1.25 * c || $4 > 1.25 * b || $5 > 1.25 * C || $7 > 1.25 * B {
		print "members: " $1; bad = 1 }
	END { exit bad }' "$work/flat" >&2
}

say "members; idle per node and second: commands, inside, bytes; the same" \
	"while a key is rotated; ms until the last acknowledgement"
# What grows with the farm does so each time; a moment of the machine's does not.
for turn in 1 2 3; do
	: >"$work/flat"
	for n in 4 16 64 256; do measure $n; done
	! is_flat || break
	say "not flat in turn $turn"
done

# ---- the verdict ---------------------------------------------------------------

[ "$median" -lt 250 ] || fall_short "the median is $median ms, not under 250"
awk -v c="$idle" 'BEGIN { exit !(c <= 1) }' ||
	fall_short "an idle node sends $idle commands a second"
is_flat || fall_short "load per node grows with the farm"
echo "keys-4: $processes processes acknowledge in $median ms (median of" \
	"$rotations), $idle commands/s and $bytes bytes/s per idle node," \
	"$(awk '{ printf "%s%s/%s at %s", (NR > 1 ? ", " : ""), $2, $4, $1 }' \
		"$work/flat") members;" \
	"measured $idle_turns times of 4 and $turn of 3"

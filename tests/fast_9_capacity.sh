#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Farms of 256 to 2000 nodes on one Redis: each idle node costs it at most 1.1
# commands a second and as many bytes as in the smallest farm, all acknowledge a
# rotation within 5 s, and while the farm key is rolled over Redis has half a core
# left.
#
#	tests/fast_9_capacity.sh [NODES...]
#
# The nodes are libstek's, those of helper_many, with the default heartbeat of
# 1 s and a payload as large as stekd's; the figures are those of the Redis
# server. Nodes and server share this machine, so what takes time here takes less
# where each node has its own; 4000 of them want more than two cores.
# deploy/GUIDE.md shows a run.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/redis_load.sh"
need jq redis-server redis-cli
[ $# -gt 0 ] || set -- 256 1000 2000
payload=600
idle_s=20

# Of the server's CPU, in microseconds.
cpu_us()
{
	redis INFO cpu | tr -d '\r' | awk -F: '
	/^used_cpu_(user|sys):/ { us += 1e6 * $2 } END { printf "%d\n", us }'
}

# over NAME MS: snapshots NAME.1 and NAME.2 so far apart; sets `busy`, the
# hundredths of a core that the server used.
over()
{
	local us

	us=$(cpu_us)
	snapshot "$1.1"
	wait_ms "$2"
	snapshot "$1.2"
	busy=$(awk -v a="$us" -v b="$(cpu_us)" -v ms="$2" \
		'BEGIN { printf "%.1f", (b - a) / ms / 10 }')
}

# length KEY FIELD: bytes of what stands there.
length() { redis HSTRLEN "stek:{$farm}:$1" "$2"; }

measure()
{
	local n=$1 idle bytes idle_busy rotated rolled turn

	cp "$work/farm.key.one" "$work/farm.key"
	begin_many "$n" $payload
	wait_ms 5000
	over idle $((idle_s * 1000))
	read -r idle _ bytes < <(per_node idle.1 idle.2 "$n")
	idle_busy=$busy
	for turn in 1 2 3; do
		echo rotate >&"$many_in"
		await_of many 60 "rotation $turn" said "rotated $n" $turn
		wait_ms 3000
	done
	rotated=$(awk '/^rotated/ { print $3 }' "$work/log/many" | sort -n |
		sed -n 2p)
	"$STEKD_BUILD/stekctl" keygen --append "$work/farm.key" \
		>"$work/log/keygen" 2>&1
	echo most >&"$many_in"
	await_of many 600 "the farm keys" said read 1
	over roll $((idle_s * 1000))
	rolled=$(per_node roll.1 roll.2 "$n" | cut -d' ' -f3)
	echo last >&"$many_in"
	await_of many 600 "the other farm key" said sealed 1
	echo "$n $idle $bytes $idle_busy $rotated $rolled $busy" \
		"$(awk '/^sealed/ { print $3 }' "$work/log/many")" \
		"$(length ring doc) $(length nodes sim-0)" \
		"$(redis INFO memory | tr -d '\r' |
			sed -n 's/^used_memory://p')" | tee -a "$work/figures"
	end_many
}

make_farm_key
mv "$work/farm.key" "$work/farm.key.one"
ulimit -n "$(ulimit -Hn)"
start_redis
redis CONFIG SET maxclients 19000 >/dev/null
say "nodes; idle: commands/s and bytes/s per node, percent of a core of Redis;" \
	"ms until all acknowledged a rotation; farm key: bytes/s per node," \
	"percent of a core, ms from the last node's to all; bytes of ring," \
	"heartbeat, Redis"
for n; do measure "$n"; done
awk 'NR == 1 { b = $3 }
$2 > 1.1 { print "idle commands at " $1; bad = 1 }
$3 > 1.25 * b { print "idle bytes at " $1; bad = 1 }
$5 > 5000 { print "a rotation at " $1; bad = 1 }
$7 > 50 { print "the roll-over at " $1; bad = 1 }
END { exit bad }' "$work/figures" >&2 || fall_short "see above"
echo "fast-9: $(awk '{ printf("%s%s nodes: %s commands/s and %s bytes/s each, " \
	"%s %% of a core, %s ms", (NR > 1 ? "; " : ""), $1, $2, $3, $4, $5) }' \
	"$work/figures")"

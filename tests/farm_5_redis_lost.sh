#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Redis is killed (-9) and started empty: no resumption is lost, the nodes put
# the ring back, and rotation goes on.
. "$(dirname "$0")/farm_common.sh"

farm_up
redis()
{
	REDISCLI_AUTH=$(cat "$farm_dir/redis.password") redis-cli \
		-p "${redis##*:}" --user stekd --no-auth-warning "$@"
}
redis=$(farm_fact .redis)
before=$("$ctl" --socket "${admins[0]}" --json keys | jq -c '[.keys[].id]')

load --connect "$front" --duration 12 --concurrency 8 --tls both \
	--resume 100 --progress >"$work/load.json" 2>"$work/progress" &
pid=$!
await 20 "the load to begin" test -s "$work/progress"
kill -9 "$(farm_pid redis)"
store_is() { "$ctl" --socket "$1" --json status | jq -e --arg s "$2" '.store.state == $s'; }
for admin in "${admins[@]}"; do
	await 10 "a node to notice" store_is "$admin" unavailable
done
redis-server "$farm_dir/redis.conf" >"$farm_dir/log/redis-2.log" 2>&1 &
again=$!
echo "$again $(birth $again)" >"$farm_dir/pid/redis"
began=$(now_ms)
ring_is_back() { redis hget 'stek:{quickstart}:ring' epoch | grep -q '^[0-9]'; }
await 15 "the ring to be back in Redis" ring_is_back
back=$(($(now_ms) - began))
for admin in "${admins[@]}"; do
	await 10 "a node to rejoin" store_is "$admin" ok
done
"$ctl" --socket "${admins[1]}" rotate >"$work/rotate" ||
	{ cat "$work/rotate"; fall_short "rotation after the loss"; }
after=$("$ctl" --socket "${admins[2]}" --json keys | jq -c '[.keys[].id]')
jq -en --argjson b "$before" --argjson a "$after" '($b - $a) == []' \
	>/dev/null || fall_short "keys were lost: $before, then $after"
wait $pid || { cat "$work/load.json"; fall_short "stekprobe load"; }
jq -e '.failed == 0 and .resumed == .offered' "$work/load.json" >/dev/null ||
	{ cat "$work/load.json"; fall_short "resumptions were lost"; }
jq -r --arg back "$back" '"farm-5: \(.resumed) of \(.offered) resumed, " +
	"\(.failed) failed, the ring back in Redis after \($back) ms, " +
	"then a rotation"' "$work/load.json"

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# 20,000 resumed connections through HAProxy, half of them TLS 1.2, with five
# rotations over HTTP among them: all resumed, none failed, and the client saw
# tickets under at least six keys.
. "$(dirname "$0")/farm_common.sh"
connections=${1:-20000}
rotations=5

# All nodes must have a key after half of that.
export STEKD_ROTATE_DELAY_MS=3000
farm_up
load --connect "$front" --connections "$connections" --concurrency 16 \
	--tls both --resume 100 --rate 800 --progress \
	>"$work/load.json" 2>"$work/progress" &
pid=$!
await 20 "the load to begin" test -s "$work/progress"
for ((i = 0; i < rotations; i++)); do
	curl -sS --fail-with-body --unix-socket "${admins[i % ${#admins[@]}]}" \
		-X POST "http://localhost/v1/rotate" >"$work/rotate.$i" ||
		{ cat "$work/rotate.$i"; fall_short "rotation $i"; }
	at=$(jq .activate_at_ms "$work/rotate.$i")
	until [ "$(now_ms)" -ge $((at + 300)) ]; do
		pause
	done
done
kill -0 $pid 2>/dev/null ||
	fall_short "the load ended before the last rotation's key was active"
wait $pid || { cat "$work/load.json"; fall_short "stekprobe load"; }
jq -e --argjson n "$connections" --argjson keys $((rotations + 1)) '
	.failed == 0 and .offered >= $n and .resumed == .offered and
	.ticket_keys >= $keys and
	(.versions["TLSv1.2"].resumed * 2 - .resumed | fabs) <= 2' \
	"$work/load.json" >/dev/null ||
	{ cat "$work/load.json"; fall_short "the load's figures"; }
jq -r '"farm-2: \(.resumed) of \(.offered) resumed, " +
	"\(.versions["TLSv1.2"].resumed) in TLS 1.2, \(.failed) failed, " +
	"tickets under \(.ticket_keys) keys, \(.handshakes_per_s | floor)/s"' \
	"$work/load.json"

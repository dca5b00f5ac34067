#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# In headless Chromium the dashboard shows a rotation under load, made by its
# button, before, during and after. No resumption is lost, all three nodes are
# seen to acknowledge, the keyboard does as well, revoke by the button ends every
# older ticket; no console error, no other host asked, no sideways scrolling, and
# axe-core finds nothing serious at 360 and 1600 px, light and dark. The pictures
# stay beside the programs, in dashboard/.
. "$(dirname "$0")/farm_common.sh"
need node npm chromium

here=$repo/tests/dashboard
browser=$STEKD_BUILD/browser
DASHBOARD_SHOTS=$STEKD_BUILD/dashboard
export DASHBOARD_SHOTS

# What the lock names, once for each lock, and our files beside it.
install_modules()
{
	if ! cmp -s "$here/package-lock.json" "$browser/installed"; then
		rm -rf "$browser"
		mkdir -p "$browser"
		cp "$here/package.json" "$here/package-lock.json" "$browser"
		(cd "$browser" && npm ci --ignore-scripts --no-audit \
			--no-fund --fetch-retries 6) || fall_short "npm ci"
		cp "$here/package-lock.json" "$browser/installed"
	fi
	rm -rf "$browser/dashboard" "$browser"/*.js
	cp -r "$repo/src/dashboard" "$browser/dashboard"
	cp "$here"/*.js "$browser"
}

# begin_load NAME: until end_load; all clients offer a ticket.
begin_load()
{
	"$probe" load --sni "$sni" --ca "$ca" --json --connect "$front" \
		--duration 600 --concurrency 8 --rate 120 --tls both \
		--resume 100 --progress \
		>"$work/$1.json" 2>"$work/$1.progress" </dev/null &
	echo "$! $(birth $!)" >"$work/pid/load"
	disown
	await_of load 20 "the load to begin" test -s "$work/$1.progress"
}

# end_load NAME CONDITION: what must hold of its figures.
end_load()
{
	alive load || fall_short "the load ended before its time ($1)"
	end load
	jq -es "length == 1 and (.[0] | $2)" "$work/$1.json" >/dev/null ||
		{ cat "$work/$1.json"; fall_short "the load's figures ($1)"; }
}

# drive SCRIPT: its line of figures goes to $work/SCRIPT.
drive()
{
	timeout 600 node "$browser/$1.js" >"$work/$1" 2>"$work/log/$1" ||
		{ cat "$work/log/$1"; fall_short "$1.js"; }
}

install_modules
(cd "$browser" && TZ=Asia/Tokyo node --test) >"$work/log/unit" ||
	fall_short "the dashboard's unit tests"
units=$(sed -n 's/^# pass //p' "$work/log/unit")
rm -rf "$DASHBOARD_SHOTS"
mkdir -p "$DASHBOARD_SHOTS"

# Time enough to see the new key pending on every page, however slow they are.
export STEKD_ROTATE_DELAY_MS=25000
farm_up
DASHBOARD_URL=http://$(farm_fact '.admin_tcp[0]')/
DASHBOARD_TOKEN_FILE=$farm_dir/${names[0]}/admin.token
DASHBOARD_NODE_PID=$(farm_pid "${names[0]}")
DASHBOARD_FARM=$(curl -sS --unix-socket "${admins[0]}" \
	http://localhost/v1/status | jq -r .farm)
export DASHBOARD_URL DASHBOARD_TOKEN_FILE DASHBOARD_NODE_PID DASHBOARD_FARM

begin_load rotated
drive rotate
end_load rotated '.failed == 0 and .offered > 500 and .resumed == .offered and
	.ticket_keys >= 2 and .ended_early'
epoch=$(curl -sS --unix-socket "${admins[1]}" http://localhost/v1/keys |
	jq .epoch)
[ "$epoch" = "$(jq '.before + 3' "$work/rotate")" ] ||
	fall_short "three rotations by the page, and the epoch is $epoch"

# Without load: a frozen node keeps its connections waiting.
drive lost
await 30 "the load balancer to take the node back" load --connect "$front" \
	--connections 30 --tls both --resume 100 --expect 100

begin_load revoked
drive revoke
end_load revoked '.failed == 0 and .resumed > 0 and .resumed < .offered'
curl -sS --unix-socket "${admins[2]}" http://localhost/v1/keys >"$work/keys"
jq -e --slurpfile told "$work/revoke" '[.keys[] | select(.state == "revoked") |
	.id] as $gone | all($told[0].ids[]; IN($gone[]))' "$work/keys" \
	>/dev/null || { cat "$work/keys"; fall_short "keys left by the revocation"; }

shots=$(find "$DASHBOARD_SHOTS" -name '*.png' | wc -l)
jq -rs --argjson shots "$shots" --arg units "$units" \
	--slurpfile load "$work/rotated.json" '
	"measure-4: \($load[0].resumed) of \($load[0].offered) resumed over three " +
	"rotations by the page, 3 of 3 nodes seen to acknowledge each; " +
	"\(.[2].ids | length) keys revoked by it; \($shots) pictures, " +
	"\(map(.audits) | add) audits without a serious finding, " +
	"\(map(.requests) | add) requests, none elsewhere; \($units) unit tests"
	' "$work/rotate" "$work/lost" "$work/revoke"

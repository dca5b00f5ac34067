#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A page on another origin, or another Host header, can neither read nor rotate,
# at a node's TCP endpoint and at stekctl dashboard, with a stolen token neither.
# Chromium runs a page of two other origins that tries it by fetch, XHR, forms,
# frames, scripts, sockets and beacons, without an origin too; curl says what a
# rebound name would, and all else that headers can. The same page succeeds at a
# server that guards nothing, and the same requests do from the right origin. No
# token is in a process's sight, in a log, in an answer or in the browser's
# history.
. "$(dirname "$0")/lib.sh"
need chromium curl jq python3 openssl

sent=0 page_tries=0

# ---- a node, a dashboard, another site ---------------------------------------

start_parts()
{
	make_ca
	make_certificate www.example.test
	make_farm_key
	free_port && tcp=$port
	openssl rand -hex 32 >"$work/token"
	write_config 1
	sed -i "s|^  socket: .*|&\n  listen: 127.0.0.1:$tcp\n  token_file: $work/token|" \
		"$work/node-1.yaml"
	start_node 1
	node=http://127.0.0.1:$tcp
	start_dashboard dashboard
	dash=$base dash_once=$once
	open_session
	auth_file node "$(cat "$work/token")"
	auth_file dash "$session"
}

# start_dashboard NAME: sets file, base, once.
start_dashboard()
{
	: >"$work/log/$1"
	run "$1" "$STEKD_BUILD/stekctl" --socket "${admin_socket[1]}" --json \
		dashboard --no-open
	await_of "$1" 20 "$1 to listen" grep -q '^{.*}$' "$work/log/$1"
	file=$(head -n 1 "$work/log/$1" | jq -r .file)
	base=$(head -n 1 "$work/log/$1" | jq -r '.url | rtrimstr("/")')
	once=$(sed -n 's/.*name="once" value="\([0-9a-f]*\)".*/\1/p' "$file")
}

# As a browser does with that file; no token ever is an argument here.
open_session()
{
	printf 'once=%s' "$once" >"$work/form"
	curl -s --max-time 30 --data "@$work/form" "$dash/" >"$work/page"
	session=$(sed -n 's/.*name="stekd-session" content="\([0-9a-f]*\)".*/\1/p' \
		"$work/page")
	[ ${#session} = 64 ] || fall_short "the dashboard gave no session"
}

auth_file() { echo "Authorization: Bearer $2" >"$work/auth-$1"; }

# As the node itself says, at its socket.
epoch() { ctl 1 --json keys | jq .epoch; }

unchanged()
{
	[ "$(epoch)" = "$epoch" ] || fall_short "$*: the ring has changed"
}

# refused REASON...: how many requests the node has turned away.
refused()
{
	local reason sum=0 n

	for reason in "$@"; do
		n=$(curl -s "http://127.0.0.1:${metrics_port[1]}/metrics" |
			sed -n "s/^stekd_admin_refused_total{reason=\"$reason\"} //p")
		sum=$((sum + n))
	done
	echo $sum
}

# ---- by curl -------------------------------------------------------------------

# send DOOR PATH [curl options]: the status; the body is added to $work/bodies.
send()
{
	local door=$1 path=$2 url

	shift 2
	url=${!door}$path
	curl -s --max-time 30 -o "$work/body" -w '%{http_code}' "$@" "$url" ||
		fall_short "no answer: $* $url"
	cat "$work/body" >>"$work/bodies"
}

# try_door DOOR WHAT [curl options]: neither reads nor rotates, with the token or
# without.
try_door()
{
	local door=$1 what=$2 status with

	shift 2
	for with in without with; do
		local token=()

		[ "$with" = without ] || token=(-H "@$work/auth-$door")
		for path in /v1/status /v1/keys /; do
			status=$(send "$door" "$path" "${token[@]}" "$@")
			[ "$status" = 403 ] || fall_short "$what at $door" \
				"($with a token): $path: $status"
			! grep -q '"node-1"\|<html' "$work/body" ||
				fall_short "$what at $door read $path"
			sent=$((sent + 1))
		done
		for type in application/json text/plain; do
			status=$(send "$door" /v1/rotate "${token[@]}" "$@" \
				-H "Content-Type: $type" -d '{"force":true}')
			[ "$status" = 403 ] || fall_short "$what at $door" \
				"($with a token): a rotation: $status"
			sent=$((sent + 1))
		done
	done
	unchanged "$what at $door"
}

by_curl()
{
	local door=$1 at=$2
	local wrong=(-H 'Host: evil.test')

	try_door "$door" "another host" "${wrong[@]}"
	try_door "$door" "another host, and port" -H "Host: evil.test:$at"
	try_door "$door" "a host without its port" -H 'Host: 127.0.0.1'
	try_door "$door" "a longer host" -H "Host: 127.0.0.1.evil.test:$at"
	try_door "$door" "a rebound name" -H "Host: rebind.test:$at" \
		-H "Origin: http://rebind.test:$at" \
		-H 'Sec-Fetch-Site: same-origin'
	try_door "$door" "no origin" -H 'Origin: null'
	try_door "$door" "another origin" -H 'Origin: http://evil.test'
	try_door "$door" "https" -H "Origin: https://127.0.0.1:$at"
	try_door "$door" "another port" -H 'Origin: http://127.0.0.1:1'
	try_door "$door" "another name of ours" -H "Origin: http://localhost:$at"
	try_door "$door" "a cross-site request" -H 'Sec-Fetch-Site: cross-site'
	try_door "$door" "a same-site request" -H 'Sec-Fetch-Site: same-site'
	try_door "$door" "a frame" -H 'Sec-Fetch-Site: cross-site' \
		-H 'Sec-Fetch-Mode: navigate' -H 'Sec-Fetch-Dest: iframe'
}

# The name really leads here, as after a rebinding; and a target of its own.
by_rebound_name()
{
	local door=$1 at=$2 what status

	for what in "http://rebind.test:$at/v1/status" "http://rebind.test:$at/"; do
		status=$(curl -s -o "$work/body" -w '%{http_code}' --max-time 30 \
			--resolve "rebind.test:$at:127.0.0.1" \
			-H "@$work/auth-$door" "$what")
		[ "$status" = 403 ] || fall_short "$what: $status"
		sent=$((sent + 1))
	done
	status=$(send "$door" /v1/status -H "@$work/auth-$door" \
		-H 'Host: evil.test' --request-target "${!door}/v1/status")
	[ "$status" != 200 ] || fall_short "an absolute target at $door"
}

# What is refused for these headers is not refused without them.
right_origin()
{
	local door=$1 at=$2 before=$epoch
	local own=(-H "@$work/auth-$door" -H "Origin: http://127.0.0.1:$at"
		-H 'Sec-Fetch-Site: same-origin')

	[ "$(send "$door" / "${own[@]}")" = 200 ] ||
		fall_short "$door does not serve its page"
	[ "$(send "$door" /v1/status "${own[@]}")" = 200 ] ||
		fall_short "$door cannot be asked from its own page"
	[ "$(jq -r .node "$work/body")" = node-1 ] ||
		fall_short "$door cannot be read from its own page"
	[ "$(send "$door" /v1/rotate "${own[@]}" -d '{"force":true}' \
		-H 'Content-Type: application/json')" = 200 ] ||
		fall_short "$door cannot rotate from its own page"
	epoch=$(epoch)
	[ "$epoch" -gt "$before" ] || fall_short "the rotation did nothing"
}

# ---- by Chromium -----------------------------------------------------------------

# browse NAME URL [options]: in the background.
browse()
{
	HOME=$work/home run "$1" chromium --headless --no-sandbox --disable-gpu \
		--disable-dev-shm-usage --no-first-run --enable-logging=stderr \
		--disable-background-networking --disable-component-update \
		--user-data-dir="$work/profile-$1" \
		--host-resolver-rules="MAP *.test 127.0.0.1" \
		"${@:3}" --remote-debugging-port=0 "$2"
}

# attack PAGE HOST: the page of that host, until it has reported.
attack()
{
	local page=$1 host=$2 report=$work/site/report-$1.json

	browse "$page" "http://$host:$site_port/page-$page"
	await_of "$page" 90 "the report of $page" test -s "$report"
	# A console names each frame that was not shown.
	for door in node dash; do
		await_of "$page" 20 "word that ${!door} was not framed" grep -q \
			"${!door}/.*frame-ancestors\|frame.*${!door}/" \
			"$work/log/$page"
	done
	end "$page"
	for door in node dash; do
		jq -e --arg door "$door" \
			'[.[] | select(.target == $door)] |
			length >= 12 and all(.[]; .got == "")' \
			"$report" >/dev/null || fall_short "$page got at $door:" \
			"$(jq -c '.[] | select(.got != "")' "$report")"
		page_tries=$((page_tries + 12 + $(jq --arg door "$door" \
			'[.[] | select(.target == $door)] | length' "$report")))
	done
	unchanged "$page"
	# At the server that guards nothing all of that succeeded.
	jq -e '[.[] | select(.target == "unguarded") | select(.got != "")] |
		length >= 13' "$report" >/dev/null ||
		fall_short "the page's attempts prove nothing:" \
			"$(jq -c '.[] | select(.target == "unguarded" and
				.got == "")' "$report")"
	jq -e '[.[] | select(.[0] == "POST" and .[1] == "/v1/rotate")] |
		length >= 8 and any(.[]; .[3] == "null") and
		any(.[]; .[4] == "application/x-www-form-urlencoded") and
		any(.[]; .[4] | startswith("text/plain"))' \
		"$work/site/unguarded.json" >/dev/null ||
		fall_short "the page's forms prove nothing:" \
			"$(cat "$work/site/unguarded.json")"
}

start_site()
{
	mkdir "$work/site"
	jq -n --arg node "$node" --arg dash "$dash" \
		--rawfile token "$work/token" --rawfile session "$work/auth-dash" \
		'[{name: "node", base: $node, token: ($token | rtrimstr("\n"))},
		{name: "dash", base: $dash,
		token: ($session | rtrimstr("\n") | ltrimstr("Authorization: Bearer "))}]' \
		>"$work/site/plan.json"
	run site python3 "$repo/tests/measure_5_site.py" "$work/site"
	await_of site 20 "the other site" test -s "$work/site/ports"
	read -r site_port _ <"$work/site/ports"
}

# A stream of the node is open.
is_watched()
{
	[ "$(curl -s "http://127.0.0.1:${metrics_port[1]}/metrics" |
		sed -n 's/^stekd_streams //p')" = 1 ]
}

# The file opens the dashboard in a browser, which then shows the node.
by_the_file()
{
	start_dashboard opened
	browse the-file "file://$file"
	await_of the-file 60 "the browser to use the file" \
		test ! -e "${file%/*}"
	await_of the-file 60 "the page to read the node" is_watched
	printf '%s\n' "$once" >>"$work/secrets"
	no_token_in_sight
	end the-file
	alive opened || fall_short "the dashboard ended under its browser"
	end opened INT
	! grep -q refused "$work/log/opened" ||
		fall_short "the page itself was refused something"
	if grep -rqaF "$once" "$work/profile-the-file/Default/History"*; then
		fall_short "the one-time token is in the history"
	fi
}

# ---- the tokens --------------------------------------------------------------------

no_token_in_sight()
{
	local file

	for file in /proc/[0-9]*/cmdline /proc/[0-9]*/environ; do
		# No pipe: who finds it early would end the writer in error.
		if grep -qaF -f "$work/secrets" "$file"; then
			fall_short "a token is in $file"
		fi
	done 2>/dev/null
	if grep -rqaF -f "$work/secrets" "$work/log"; then
		fall_short "a token is in a log"
	fi
	if grep -qaF -f "$work/secrets" "$work/bodies"; then
		fall_short "a token is in an answer"
	fi
}

say "a node with a TCP endpoint, and stekctl dashboard at its socket"
start_parts
epoch=$(epoch)
printf '%s\n' "$(cat "$work/token")" "$session" "$dash_once" >"$work/secrets"
: >"$work/bodies"

say "by curl"
before=$(refused host origin token)
for door in node dash; do
	by_curl "$door" "${!door##*:}"
	by_rebound_name "$door" "${!door##*:}"
done
counted=$(($(refused host origin token) - before))
[ "$counted" -ge $((sent / 2)) ] ||
	fall_short "the node counted $counted of $((sent / 2)) refusals"
grep -q 'msg="request refused" reason=host .*found=evil.test' "$work/log/node-1" ||
	fall_short "the node's log does not tell of it"

say "by Chromium"
start_site
attack evil evil.test
attack near 127.0.0.1
unchanged "all of that"

say "from the right origin"
right_origin node "$tcp"
right_origin dash "${dash##*:}"
by_the_file

end dashboard INT
told=$(sed -n 's/.*refused: \([0-9]*\) for another host, \([0-9]*\) of other.*/\1 \2/p' \
	"$work/log/dashboard")
# shellcheck disable=SC2086 # two numbers
set -- $told
if [ "${1:-0}" -lt 50 ] || [ "${2:-0}" -lt 80 ]; then
	fall_short "the dashboard does not tell what it refused: $told"
fi
no_token_in_sight
echo "measure-5: $sent requests by curl with another Host, Origin or" \
	"Sec-Fetch-Site and $page_tries attempts of two other origins' pages in" \
	"Chromium read nothing and rotated nothing, half of them with a stolen" \
	"token; from the right origin both doors were read and rotated"

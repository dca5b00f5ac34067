#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# stekctl dashboard before a node: the one-time token opens one session, which
# reads, rotates and streams with the rights of this user at the node's socket,
# or by its token at the TCP listener; a second use ends it; the file for the
# browser goes when it was used; the token is in no process's sight.
STEKD_BUILD=${top_builddir:?}
. "$(dirname "$0")/lib.sh"
need jq curl python3

# dashboard NAME [OPTION...]: sets file, base, once.
dashboard()
{
	local name=$1

	shift
	: >"$work/log/$name"
	run "$name" "$STEKD_BUILD/stekctl" "$@" --json dashboard --no-open
	await_of "$name" 20 "$name to listen" grep -q '^{.*}$' "$work/log/$name"
	file=$(grep '^{' "$work/log/$name" | jq -r .file)
	base=$(grep '^{' "$work/log/$name" | jq -r .url)
	base=${base%/}
	once=$(sed -n 's/.*name="once" value="\([0-9a-f]*\)".*/\1/p' "$file")
	[ ${#once} = 64 ] || fall_short "no one-time token in $file"
}

# ask PATH [curl options]: the status; the body is in $work/body.
ask()
{
	local path=$1

	shift
	curl -s --max-time 60 -o "$work/body" -w '%{http_code}' "$@" \
		"$base$path" || :
}

# expect STATUS PATH [curl options]
expect()
{
	local wanted=$1 got

	shift
	got=$(ask "$@")
	[ "$got" = "$wanted" ] || fall_short "$*: $got, not $wanted:" \
		"$(head -c 300 "$work/body")"
}

# open_session: as the browser does with the file; sets auth.
open_session()
{
	local token

	expect 200 / --data "once=$once" -H 'Origin: null'
	token=$(sed -n 's/.*name="stekd-session" content="\([0-9a-f]*\)".*/\1/p' \
		"$work/body")
	[ ${#token} = 64 ] || fall_short "no session in the page"
	auth="Authorization: Bearer $token"
}

ended() { ! alive "$1"; }

# said NAME TEXT: it ended by itself, and says why.
said()
{
	await 20 "$1 to end" ended "$1"
	grep -q "$2" "$work/log/$1" || fall_short "$1 does not say: $2"
	rm -f "$work/pid/$1"
}

epoch() { ctl 1 --json keys | jq .epoch; }

say "a node, by its socket and by TCP"
make_ca
make_certificate www.example.test
make_farm_key
free_port && tcp=$port
openssl rand -hex 32 >"$work/token"

write_config 1
sed -i "s|^  socket: .*|&\n  listen: 127.0.0.1:$tcp\n  token_file: $work/token|" \
	"$work/node-1.yaml"
start_node 1

say "one session by the socket"
dashboard by-socket --socket "${admin_socket[1]}"
expect 200 /index.html
expect 200 /
grep -q 'name="stekd-session" content="ask"' "$work/body" ||
	fall_short "the page is not told to ask for the token"
expect 200 / -I
expect 200 /dashboard.js
expect 401 /v1/status
expect 401 /metrics
expect 401 /v1/status -H "Authorization: Bearer $once"
expect 401 /v1/status -H "Authorization: Bearer $(cat "$work/token")"
expect 403 / --data "once=${once%?}x" -H 'Origin: null'
expect 403 / --data "once=" -H 'Origin: null'
expect 403 / --data "$once" -H 'Origin: null'
open_session
await 10 "the file to go" test ! -e "${file%/*}"
expect 200 /v1/status -H "$auth"
[ "$(jq -r .node "$work/body")" = node-1 ] || fall_short "that is not the node"
expect 200 '/v1/audit?limit=1' -H "$auth"
[ "$(jq '.entries | length' "$work/body")" -le 1 ] ||
	fall_short "the query did not come through"
expect 200 /v1/keys -I -H "$auth"
expect 404 /v1/nothing -H "$auth"
expect 404 //v1/status -H "$auth"
expect 405 /v1/status -X PUT -H "$auth"
expect 415 /v1/rotate -H "$auth" --data-binary '{}' -H 'Content-Type: text/plain'
head -c 16385 /dev/zero >"$work/big"
expect 413 /v1/rotate -H "$auth" --data-binary "@$work/big"
expect 413 /v1/rotate -H "$auth" -H 'Transfer-Encoding: chunked' \
	--data-binary "@$work/big"
before=$(epoch)
expect 200 /v1/rotate -H "$auth" -H 'Content-Type: application/json' -d '{}'
[ "$(epoch)" -gt "$before" ] || fall_short "the rotation did nothing"
try=(-H "$auth" -H 'Content-Type: application/json'
	-d '{"all":true,"dry_run":true}')
expect 200 /v1/revoke "${try[@]}"
expect 412 /v1/revoke "${try[@]}" -H 'If-Match: "0"'
# A condition that does not come through must not be left out.
expect 400 /v1/revoke "${try[@]}" -H 'If-Match;'
expect 400 /v1/revoke "${try[@]}" -H 'Idempotency-Key;'
expect 431 /v1/revoke "${try[@]}" -H "If-Match: \"$(printf '1%.0s' {1..500})\""
ctl 1 --json audit --limit 1 | jq -e '.entries[-1].entry.who == "uid:'"$(id -u)"'"' \
	>/dev/null || fall_short "the audit does not name this user"

say "what was asked for again is known"
etag=$(curl -s -D - -o /dev/null "$base/dashboard.js" | tr -d '\r' |
	sed -n 's/^[Ee][Tt]ag: //p')
expect 304 /dashboard.js -H "If-None-Match: $etag"
curl -s --compressed "$base/d3.min.js" >"$work/d3"
curl -s "$base/d3.min.js" | cmp - "$work/d3" || fall_short "d3 came garbled"

say "nobody sees the token"
dash_pid=$(pid_of by-socket)
for text in "$once" "${auth##* }"; do
	if grep -qaF "$text" "/proc/$dash_pid/cmdline" \
		"/proc/$dash_pid/environ" ||
		grep -rqF "$text" "$work/log"; then
		fall_short "a token is in the arguments, environment or a log"
	fi
done

say "a second use ends it"
expect 403 / --data "once=$once" -H 'Origin: null'
said by-socket "came a second time"
grep -q "refused: .* 8 without the token" "$work/log/by-socket" ||
	fall_short "the refusals were not counted: $(tail -1 "$work/log/by-socket")"

say "by TCP, typed in"
dashboard by-tcp --url "http://127.0.0.1:$tcp" --token-file "$work/token"
expect 403 /session -X POST -H "Authorization: Bearer x"
expect 403 /session -X POST
expect 200 /session -X POST -H "Authorization: Bearer $once" -H "Origin: $base"
auth="Authorization: Bearer $(jq -r .token "$work/body")"
expect 200 /v1/status -H "$auth"
expect 403 /v1/status -H "$auth" -H "Origin: http://localhost:${base##*:}"
if grep -qF "$(cat "$work/token")" "$work/body"; then
	fall_short "the node's token came out"
fi
end by-tcp INT
[ ! -e "${file%/*}" ] || fall_short "the file is left"

say "told to end while the one-time token is on its way"
: >"$work/log/halfway"
"$STEKD_BUILD/stekctl" --socket "${admin_socket[1]}" --json dashboard \
	--no-open >>"$work/log/halfway" 2>&1 </dev/null &
halfway=$!
echo "$halfway $(birth "$halfway")" >"$work/pid/halfway"
await_of halfway 20 "its port" grep -q '^{.*}$' "$work/log/halfway"
port=$(jq -r .port "$work/log/halfway")
exec {half}<>"/dev/tcp/127.0.0.1/$port"
printf '%s\r\n' "POST /session HTTP/1.1" "Host: 127.0.0.1:$port" \
	"Content-Length: 5" "Expect: 100-continue" "" >&"$half"
read -r -t 20 line <&"$half" || :
[[ $line == *" 100 "* ]] || fall_short "no leave to send the body: $line"
kill -TERM "$halfway"
got=0
wait "$halfway" || got=$?
[ $got = 0 ] || fall_short "it ended with $got"
exec {half}>&-
rm -f "$work/pid/halfway"

# refused STATUS [stekctl options]: it does not even start.
refused()
{
	local wanted=$1 got=0

	shift
	"$STEKD_BUILD/stekctl" "$@" >"$work/out" 2>&1 || got=$?
	[ "$got" = "$wanted" ] ||
		fall_short "$*: ended with $got: $(cat "$work/out")"
}

say "what cannot be"
refused 3 --socket "$work/none" dashboard --no-open
openssl rand -hex 32 >"$work/wrong"
refused 1 --url "http://127.0.0.1:$tcp" --token-file "$work/wrong" dashboard
refused 1 --socket "${admin_socket[1]}" dashboard --no-open --port "$tcp"
refused 2 --socket "${admin_socket[1]}" dashboard --port 65536
refused 2 --socket "${admin_socket[1]}" status --no-open

say "a token that the node takes no more"
dashboard stale --url "http://127.0.0.1:$tcp" --token-file "$work/token"
open_session
expect 200 /v1/status -H "$auth"
cp "$work/wrong" "$work/token"
ctl 1 reload >/dev/null
expect 502 /v1/status -H "$auth"
end stale

say "streams pass as they come, and end with their reader"
mkdir "$work/up"
run upstream python3 "$(dirname "$0")/dash_upstream.py" "$work/up"
await_of upstream 20 "the upstream" test -s "$work/up/port"
echo x >"$work/any"
dashboard streams --url "http://127.0.0.1:$(cat "$work/up/port")" \
	--token-file "$work/any"
open_session
echo "$auth" >"$work/auth"
for i in 1 2 3 4; do
	: >"$work/log/stream-$i"
	run "stream-$i" curl -sN -H "@$work/auth" "$base/v1/stream"
	await_of "stream-$i" 20 "the first line" grep -q first "$work/log/stream-$i"
	! grep -q second "$work/log/stream-$i" || fall_short "a line before its time"
done
expect 503 /v1/stream -H "$auth"
touch "$work/up/go"
for i in 1 2 3 4; do
	await_of "stream-$i" 20 "the second line" grep -q second "$work/log/stream-$i"
done
end stream-1
await 20 "the upstream to be left" grep -qx 1 "$work/up/gone"
run stream-5 curl -sN -H "@$work/auth" "$base/v1/stream"
await_of stream-5 20 "the place of who has left" grep -q second "$work/log/stream-5"
curl -s -D "$work/headers" -o /dev/null -H "$auth" "$base/v1/cookie"
grep -qi '^retry-after: 7' "$work/headers" || fall_short "a header is missing"
! grep -qi '^set-cookie\|^access-control\|^server' "$work/headers" ||
	fall_short "a header passed: $(cat "$work/headers")"

say "a session that ends takes its streams along"
expect 403 / --data "once=$once" -H 'Origin: null'
said streams "came a second time"
for i in 2 3 4 5; do
	await 20 "stream $i to end" ended "stream-$i"
	rm -f "$work/pid/stream-$i"
done
say "the dashboard of a node goes to one browser"

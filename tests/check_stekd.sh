#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# check_stekd.sh - the daemon as its user meets it: options, --check, exit
# codes, readiness, signals. Waits on log lines through a pipe, never for a time.
set -u
: "${top_builddir:?run by make check}"
stekd=$top_builddir/stekd
failed=0
pid=
for tool in openssl curl; do
	command -v "$tool" >/dev/null && continue
	echo "skipped: $tool is missing; deploy/deps.sh installs it"
	exit 77
done
work=$(mktemp -d "${TMPDIR:-/tmp}/check_stekd.XXXXXX")

# shellcheck disable=SC2317 # called by the trap
end() {
	[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null
	rm -rf "$work"
}
trap end EXIT
trap 'exit 1' INT TERM
cd "$work" || exit 1

fail() {
	echo "FAIL: $*"
	failed=1
}

# expect CODE PATTERN COMMAND...: its exit code, and what it says.
expect() {
	code=$1 pattern=$2
	shift 2
	"$@" >said 2>&1
	got=$?
	[ "$got" = "$code" ] || fail "$* ended with $got, not $code: $(cat said)"
	grep -q -e "$pattern" said || fail "$* did not say '$pattern': $(cat said)"
}

# config EXTRA...: a good configuration, and more lines.
config() {
	printf '%s\n' "farm: test" "node: node-1" "farm_key: farm.key" \
		"store:" "  url: file:$work/store" \
		"limits: { drain_timeout_ms: 600000 }" \
		"workers: 1" "listen:" "  - address: 127.0.0.1:0" "hosts:" \
		"  - names: [a.test]" "    default: true" \
		"    certificate: a.pem" "    key: a.key" \
		"admin: { socket: admin.sock }" "$@" >stekd.yaml
}

# await PATTERN: reads the log on descriptor 3 up to a line with it.
await() {
	while read -r line <&3; do
		echo "$line" >>log
		case $line in *"$1"*) return 0 ;; esac
	done
	fail "the log ended without '$1': $(cat log)"
	return 1
}

start() {
	: >log
	rm -f pipe
	mkfifo pipe
	"$stekd" -c stekd.yaml 2>pipe &
	pid=$!
	exec 3<pipe
	await "ready to serve"
}

# stopped CODE: it has ended so.
stopped() {
	wait "$pid"
	got=$?
	pid=
	exec 3<&-
	[ "$got" = "$1" ] || fail "stekd ended with $got, not $1: $(cat log)"
}

mkdir store
"$top_builddir/stekctl" keygen farm.key >/dev/null || fail "no farm key"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
	-keyout a.key -out a.pem -days 2 -subj /CN=a.test 2>/dev/null ||
	fail "no certificate"

# Options.
expect 0 '^stekd [0-9]' "$stekd" --version
expect 0 '^usage: stekd' "$stekd" --help
expect 2 'usage: stekd' "$stekd" --no-such-option
expect 2 'unexpected argument' "$stekd" stekd.yaml
expect 2 'none.yaml:1: found no file' "$stekd" -c none.yaml

# --check tells what is wrong, binds nothing and leaves nothing.
config
expect 0 'stekd.yaml: good' "$stekd" --check --config stekd.yaml
[ ! -e admin.sock ] || fail "--check left a socket"
config "bogus: 1"
expect 2 'stekd.yaml:16: found unknown key' "$stekd" --check -c stekd.yaml
expect 2 'stekd.yaml:16: found unknown key' "$stekd" -c stekd.yaml
config "tls: { ciphers: NO_SUCH_CIPHER }"
expect 2 'stekd.yaml: ' "$stekd" --check -c stekd.yaml
mv farm.key good.key
(umask 077 && echo "no key" >farm.key)
config
expect 2 'stekd.yaml: .*farm.key' "$stekd" --check -c stekd.yaml
mv good.key farm.key

# It says where it listens, then that it is ready, and SIGTERM ends it.
config "metrics: { listen: \"127.0.0.1:0\" }"
start
address=$(sed -n 's/.*msg="listening" address=\([^ ]*\) role=tls.*/\1/p' log)
metrics=$(sed -n 's/.*msg="listening" address=\([^ ]*\) role=metrics.*/\1/p' log)
case $address in
127.0.0.1:0 | "") fail "no address in the log: $(cat log)" ;;
esac
curl -s --noproxy '*' "http://$metrics/healthz" | grep -qx ok ||
	fail "no health at $metrics"
[ "$(stat -c %a admin.sock)" = 600 ] || fail "the socket's mode is not 600"
grep -q '^Max core file size *0 *0 ' "/proc/$pid/limits" ||
	fail "it may write a core"

# A second daemon is refused the socket, and does not take it away.
sed 's/node-1/node-2/' stekd.yaml >second.yaml
expect 1 'another process listens' "$stekd" -c second.yaml
[ -S admin.sock ] || fail "the second daemon removed the first one's socket"
sed "s/127.0.0.1:0/$address/; s/admin.sock/second.sock/" second.yaml >third.yaml
expect 1 "$address" "$stekd" -c third.yaml

# SIGHUP reads the configuration and the farm keys again.
kill -HUP "$pid"
await "configuration reloaded"
kill -TERM "$pid"
await 'msg="stopping"'
await 'msg="stopped"'
stopped 0
[ ! -e admin.sock ] || fail "the socket is left"

# A client that stays holds the drain up; a second signal does not wait.
config
start
address=$(sed -n 's/.*msg="listening" address=\([^ ]*\) role=tls.*/\1/p' log)
mkfifo hold out
openssl s_client -connect "$address" -servername a.test <hold >out 2>/dev/null &
client=$!
exec 4>hold 5<out
while read -r line <&5; do
	case $line in *"Verify return code"*) break ;; esac
done
kill -INT "$pid"
await 'msg="stopping"'
kill -0 "$pid" || fail "it did not wait for its client"
kill -TERM "$pid"
stopped 143
exec 4>&- 5<&-
wait "$client"

# With a delay it still accepts, and only says that it goes.
config "metrics: { listen: \"127.0.0.1:0\" }"
sed -i 's/drain_timeout_ms: 600000/&, drain_delay_ms: 600000/' stekd.yaml
start
address=$(sed -n 's/.*msg="listening" address=\([^ ]*\) role=tls.*/\1/p' log)
metrics=$(sed -n 's/.*msg="listening" address=\([^ ]*\) role=metrics.*/\1/p' log)
kill -TERM "$pid"
await 'msg="stopping"'
turns=0
until curl -s --noproxy '*' "http://$metrics/readyz" | grep -qx draining; do
	[ $((turns += 1)) -lt 5000 ] || { fail "it does not drain"; break; }
done
openssl s_client -connect "$address" -servername a.test </dev/null 2>&1 |
	grep -q 'Verify return code' || fail "it accepts no more"
kill -TERM "$pid"
stopped 143
config

# What was left behind by that end is in nobody's way. systemd is told.
if command -v socat >/dev/null; then
	mkfifo told
	socat -u "UNIX-RECV:$work/notify" STDOUT >told &
	socat=$!
	exec 6<told
	while [ ! -S notify ]; do kill -0 "$socat" || break; done
	NOTIFY_SOCKET=$work/notify
	export NOTIFY_SOCKET
	start
	[ "$(dd bs=7 count=1 <&6 2>/dev/null)" = READY=1 ] ||
		fail "systemd was not told"
	kill "$socat"
	wait "$socat" 2>/dev/null
	exec 6<&-
	unset NOTIFY_SOCKET
else
	start
fi
kill -TERM "$pid"
await 'msg="stopped"'
stopped 0

exit "$failed"

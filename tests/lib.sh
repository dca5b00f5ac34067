# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What integration scripts share: a temporary directory that goes with the
# script, processes that end with it, ports, waiting with a deadline,
# certificates, a throw-away Redis, and stekd nodes that use it. Source it
# first. Scripts run on loopback, need no root, and never wait for a fixed time.
#
#	. "$(dirname "$0")/lib.sh"
#	make_ca; make_certificate www.example.test
#	start_redis; make_farm_key
#	start_node 1; start_node 2
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
: "${STEKD_BUILD:=$repo/build}"
export STEKD_BUILD
umask 077
work=$(mktemp -d "${TMPDIR:-/tmp}/stekd-test.XXXXXX")
mkdir "$work/log" "$work/pid"
farm="test"

# ---- ends ----------------------------------------------------------------------

say() { echo "== $*"; }

# fall_short WHAT...: the test failed.
fall_short()
{
	echo "falls short: $*" >&2
	exit 1
}

# skip WHY...: it could not run. tests/run.sh counts that as failed.
skip()
{
	echo "skipped: $*" >&2
	exit 77
}

# need COMMAND...: what deploy/deps.sh installs.
need()
{
	local command

	for command in "$@"; do
		command -v "$command" >/dev/null ||
			skip "$command is missing; deploy/deps.sh installs it"
	done
}

# shellcheck disable=SC2317 # called by the EXIT trap
lib_end()
{
	local code=$1 file tries

	if [ "$code" != 0 ] && [ "$code" != 77 ]; then
		for file in "$work"/log/*; do
			[ -s "$file" ] || continue
			echo "---- the end of ${file##*/}" >&2
			tail -n 40 "$file" >&2
		done
	fi
	for file in "$work"/pid/*; do
		[ -f "$file" ] && end "${file##*/}"
	done
	[ ! -f "$work/leases" ] || xargs rm -f <"$work/leases"
	# A browser's children may write for a moment after it has ended.
	tries=0
	until rm -rf "$work" 2>/dev/null || [ $((tries += 1)) -ge 200 ]; do
		pause
	done
	exit "$code"
}
trap 'lib_end $?' EXIT
trap 'exit 130' INT TERM HUP

# ---- processes -----------------------------------------------------------------

# When a process started: with its pid it names the process for good. Nothing of
# one that has ended: whether somebody collects an orphan is for process 1 to say.
# One whose first thread has ended before the others still holds its ports.
birth()
{
	sed 's/.*) //' "/proc/$1/stat" 2>/dev/null |
		awk '$1 !~ /[ZX]/ || $18 > 1 { print $20 }'
}

# run NAME COMMAND...: in the background, output in $work/log/NAME.
run()
{
	local name=$1 pid

	shift
	"$@" >>"$work/log/$name" 2>&1 </dev/null &
	pid=$!
	disown "$pid"
	echo "$pid $(birth "$pid")" >"$work/pid/$name"
}

pid_of() { cut -d' ' -f1 "$work/pid/$1"; }

alive()
{
	local pid born

	read -r pid born 2>/dev/null <"$work/pid/$1" || return 1
	[ -n "$born" ] && [ "$(birth "$pid")" = "$born" ]
}

# end NAME [SIGNAL]: and wait until it is gone, at most 60 s.
end()
{
	local pid tries=0

	if alive "$1"; then
		pid=$(pid_of "$1")
		kill "-${2:-TERM}" "$pid" 2>/dev/null || :
		while alive "$1" && [ $((tries += 1)) -lt 1200 ]; do
			pause
		done
		if alive "$1"; then kill -KILL "$pid" 2>/dev/null || :; fi
	fi
	rm -f "$work/pid/$1"
}

# ---- waiting -------------------------------------------------------------------

# One turn of a poll: 50 ms.
pause() { read -rt 0.05 <> <(:) || :; }

# What must happen has this long at least: a machine that stands still for some
# seconds is no fault of what is tested. Bounds are measured, not awaited.
least_s=60
await_until() { echo $((SECONDS + ($1 > least_s ? $1 : least_s))); }

# await SECONDS WHAT CONDITION...: polls until the condition holds.
await()
{
	local what=$2 until

	until=$(await_until "$1")
	shift 2
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt "$until" ] || fall_short "waited in vain for $what"
		pause
	done
}

# await_of NAME SECONDS WHAT CONDITION...: fails at once if NAME has died.
await_of()
{
	local name=$1 what=$3 until

	until=$(await_until "$2")
	shift 3
	until "$@" >/dev/null 2>&1; do
		alive "$name" || fall_short "$name has died"
		[ $SECONDS -lt "$until" ] || fall_short "waited in vain for $what"
		pause
	done
}

now_ms() { date +%s%3N; }

# A loopback port on which nobody listens, not given out before, to a test that
# runs beside this one neither: sets `port`. It lies below the range from which
# the kernel takes ports itself. The lease names its owner, who may have died.
leases=${TMPDIR:-/tmp}/stekd-test-ports.$(id -u)
free_port()
{
	local owner

	mkdir -p "$leases"
	while :; do
		port=$((10000 + RANDOM % 20000))
		if ! ln -s "$$" "$leases/$port" 2>/dev/null; then
			owner=$(readlink "$leases/$port") || continue
			[ -d "/proc/$owner" ] || rm -f "$leases/$port"
			continue
		fi
		echo "$leases/$port" >>"$work/leases"
		listens "$port" || break
	done
}

# Without a connection, which somebody might count.
listens()
{
	grep -qE ":$(printf %04X "$1") 0+:0000 0A " /proc/net/tcp \
		/proc/net/tcp6 2>/dev/null
}

# ---- certificates --------------------------------------------------------------

# make_ca [NAME]: $work/NAME.pem and NAME.key, P-256; the default is ca.
make_ca()
{
	local name=${1:-ca}

	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$work/$name.key" -out "$work/$name.pem" -days 30 \
		-subj "/CN=stekd test $name" 2>>"$work/log/openssl"
}

# make_certificate HOST [CA]: $work/HOST.pem (with the CA's) and HOST.key.
make_certificate()
{
	local host=$1 ca=${2:-ca}

	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$work/$host.key" -out "$work/$host.csr" \
		-subj "/CN=$host" 2>>"$work/log/openssl"
	printf 'subjectAltName=DNS:%s,DNS:localhost,IP:127.0.0.1\n%s\n' \
		"$host" basicConstraints=CA:false >"$work/$host.ext"
	openssl x509 -req -in "$work/$host.csr" -CA "$work/$ca.pem" \
		-CAkey "$work/$ca.key" -CAcreateserial -days 30 \
		-extfile "$work/$host.ext" -out "$work/$host.pem" \
		2>>"$work/log/openssl"
	cat "$work/$ca.pem" >>"$work/$host.pem"
	chmod 600 "$work/$host.key"
}

# ---- the store -----------------------------------------------------------------

# start_redis [PORT]: nothing on disk; sets `redis_port` and `store_url`.
start_redis()
{
	need redis-server redis-cli
	if [ $# -gt 0 ]; then port=$1; else free_port; fi
	redis_port=$port
	store_url=redis://127.0.0.1:$port/0
	: >"$work/log/redis"
	run redis redis-server --port "$port" --bind 127.0.0.1 --save '' \
		--appendonly no --dir "$work" --maxmemory-policy noeviction
	await_of redis 10 "redis-server" redis PING
}

redis() { redis-cli -h 127.0.0.1 -p "$redis_port" "$@"; }

# ---- nodes ---------------------------------------------------------------------

# Sets `period_s`: no key changes on schedule in the next 20 minutes. Of periods
# that are six hours long each ends at six o'clock.
quiet_period()
{
	for period_s in 21600 20000 18500; do
		[ $((period_s - $(date +%s) % period_s)) -lt 1200 ] || break
	done
}
quiet_period

# make_farm_key [FILE]: by stekctl, as an operator does.
make_farm_key()
{
	"$STEKD_BUILD/stekctl" keygen "${1:-$work/farm.key}" \
		>>"$work/log/keygen" 2>&1 || fall_short "stekctl keygen"
}

# A node counts as live for three of its beats.
beat_ms=500

# write_config N [HOST]: $work/node-N.yaml, for a node that terminates TLS for
# HOST and answers with the built-in page. `store_yaml` and `keys_yaml` may hold
# further lines of these sections, `more_yaml` further sections. No key changes
# on schedule while the test runs, unless `keys_yaml` names a period.
write_config()
{
	local n=$1 host=${2:-www.example.test} period="  period_s: $period_s"

	[[ ${keys_yaml:-} != *period_s* ]] || period=
	free_port
	tls_port[n]=$port
	free_port
	metrics_port[n]=$port
	admin_socket[n]=$work/node-$n.sock
	mkdir -p "$work/state-$n" "$work/store"
	cat >"$work/node-$n.yaml" <<-EOT
	farm: $farm
	node: node-$n
	farm_key: ${farm_key:-$work/farm.key}
	state_dir: $work/state-$n
	store:
	  url: ${store_url:-file:$work/store}
	${store_yaml:-}
	keys:
	  beat_ms: $beat_ms
	$period
	${keys_yaml:-}
	workers: 2
	log: { level: info, format: logfmt }
	listen:
	  - address: "127.0.0.1:${tls_port[n]}"
	hosts:
	  - names: [$host]
	    default: true
	    certificate: $work/$host.pem
	    key: $work/$host.key
	    backend: builtin
	admin:
	  socket: ${admin_socket[n]}
	metrics:
	  listen: 127.0.0.1:${metrics_port[n]}
	${more_yaml:-}
	EOT
}

# start_node N [HOST]: writes the configuration unless it is there, starts the
# node and waits until it may seal tickets. Sets tls_port[N], metrics_port[N]
# and admin_socket[N].
start_node()
{
	local n=$1

	[ -f "$work/node-$n.yaml" ] || write_config "$@"
	run "node-$n" "$STEKD_BUILD/stekd" -c "$work/node-$n.yaml"
	await_of "node-$n" 20 "node-$n to be ready" is_ready "$n"
}

# Ready and not degraded: its ring is there and a key may seal.
is_ready()
{
	[ "$(curl -sf "http://127.0.0.1:${metrics_port[$1]}/readyz")" = ready ]
}

stop_node() { end "node-$1" "${2:-TERM}"; }

# ctl N COMMAND...: stekctl at node N.
ctl()
{
	local n=$1

	shift
	"$STEKD_BUILD/stekctl" --socket "${admin_socket[n]}" "$@"
}

probe() { "$STEKD_BUILD/stekprobe" "$@"; }

tls_port=() metrics_port=() admin_socket=()
need openssl curl

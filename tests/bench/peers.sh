#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What a connection costs: the CPU time of stekd's worker and of its peers' (one
# worker each, same certificate, same backend), driven in turn by stekprobe load,
# which fails the run when a connection differs in group, suite, tickets or
# resumption. Prints medians, spread and ratios to the best peer. README.md tells
# the rest.
set -euo pipefail

usage()
{
	cat <<-'EOT'
	usage: peers.sh [OPTION...] [PART...]
	       peers.sh --compare A.json B.json

	  endpoint     P-256 certificate, X25519, the smallest answer
	  rsa          the same with an RSA-2048 certificate
	  p256         the same as endpoint with group P-256
	  terminator   P-256 certificate, X25519, before a plain TCP backend
	  bulk         CPU time per gigabyte through a terminator, AES-128-GCM
	  idle         resident memory of an idle connection of TLS 1.3
	  workers      two workers of stekd against two servers with one each
	  rotation     stekd with a ring change every 100 ms, made by another node,
	               against none
	  making       the same with the changes made by the node itself
	  floor        the same sockets without TLS, and the bare operations

	All of them by default. Options:
	  --rounds N       of each measurement (9)
	  --connections N  in each (600)
	  --quick          endpoint and terminator unless told, 3 rounds of 100:
	                   under a minute
	  --json FILE      keep all figures in FILE
	  --idle N         idle connections (5000)
	  --bound KIND=N   exit 1 if the ratio of PART/KIND is above N
	  --most KIND=N    exit 1 if stekd's own figure is above N
	  --compare A B    what has changed between two kept runs

	The programs are those in STEKD_BUILD (build/).
	EOT
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
rounds=9 connections=600 idle=5000 json='' quick=false bounds=() parts=()
while [ $# -gt 0 ]; do
	case $1 in
	--rounds) rounds=$2 && shift ;;
	--connections) connections=$2 && shift ;;
	--idle) idle=$2 && shift ;;
	--quick) rounds=3 connections=100 idle=1000 quick=true ;;
	--json) json=$(realpath -m "$2") && shift ;;
	--bound | --most) bounds+=("$1" "$2") && shift ;;
	--compare) exec python3 "$here/peers.py" --compare "$2" "$3" ;;
	-h | --help) usage && exit 0 ;;
	endpoint | rsa | p256 | terminator | bulk | idle | workers | rotation | \
		making | floor)
		parts+=("$1")
		;;
	*) usage >&2 && exit 2 ;;
	esac
	shift
done
if [ ${#parts[@]} = 0 ]; then
	parts=(endpoint terminator)
	$quick || parts+=(rsa p256 bulk idle workers rotation making floor)
fi

. "$here/../lib.sh"
. "$here/servers.sh"
need jq python3
raw=$work/raw.jsonl
: >"$raw"
declare -A pid_at load_of

# record PART KIND SERVER ROUND VALUE UNIT
record()
{
	printf '{"kind":"%s/%s","server":"%s","round":%d,"value":%s,"unit":"%s"}\n' \
		"$@" >>"$raw"
}

# ---- servers of a part -----------------------------------------------------------

# up SERVER ARG...: starts it, or says that it is left out.
up()
{
	local server=$1

	shift
	if [ -z "$(peer_command "$server")" ]; then
		echo "left out: $server is not installed (deploy/deps.sh bench)"
		return
	fi
	"start_$server" "$@"
	pid_at[$server]=$server_pid
	servers+=("$server")
}

down()
{
	local server

	for server in "${servers[@]}"; do end "$server"; done
	servers=()
}

# ---- connections -----------------------------------------------------------------

# drive KIND SERVER FILE [COMMAND...]: connections, and what the client says of them
# in FILE. KIND is tls13-full, ...-resumed, tls12-...; `group` is the group to demand
# and `offer` what the client offers. `load_of` has what a server gets instead of
# `connections`, eight at a time. COMMAND runs the client.
drive()
{
	local server=$2 version=1.3 suite=TLS_AES_128_GCM_SHA256
	local resume=100 tickets sni=resumed.example.test want=$group
	local load more=()

	case $1 in tls12-*) version=1.2 suite=$suite12 ;; esac
	case $1 in
	*-full) resume=0 sni=full.example.test ;;
	tls12-resumed) want=none ;;
	esac
	# One to each resumption of TLS 1.3; h2o gives none, so its tickets are
	# used again. OpenSSL's servers do not renew in TLS 1.2.
	case $1-$server in
	tls13-full-*) tickets=2 ;;
	tls12-full-*) tickets=1 ;;
	tls13-resumed-h2o) tickets=0 more=(--reuse) ;;
	tls13-resumed-*) tickets=1 ;;
	*) tickets=0 ;;
	esac
	read -ra load <<<"${load_of[$server]:---connections $connections --concurrency 8}"
	"${@:4}" "$STEKD_BUILD/stekprobe" load \
		--connect "127.0.0.1:${port_of[$server]}" --sni "$sni" \
		--ca "$work/ca.pem" --tls "$version" --resume "$resume" \
		--expect 100 --groups "$offer" --suites "$suite" \
		--demand-group "$want" --demand-suite "$suite" \
		--demand-tickets "$tickets" "${load[@]}" "${more[@]}" \
		--server-pid "${pid_at[$server]}" --json >"$3" || {
		jq -c '[.failures, .warmup.failures, .versions]' "$3" >&2
		fall_short "$1 at $server: a connection was not as demanded"
	}
}

# cost PART KIND SERVER ROUND: one measurement.
cost()
{
	local us

	drive "$2" "$3" "$work/load.json"
	us=$(jq .server_cpu.us_per_connection "$work/load.json")
	record "$1" "$2" "$3" "$4" "$us" us
}

kinds=(tls13-full tls13-resumed tls12-full tls12-resumed)

# in_turn PART: all kinds at all servers, each round beginning with another.
in_turn()
{
	local part=$1 round kind i

	for kind in "${kinds[@]}"; do
		for server in "${servers[@]}"; do
			connections=50 cost warm "$kind" "$server" 0
		done
	done
	for ((round = 0; round < rounds; round++)); do
		for kind in "${kinds[@]}"; do
			for ((i = 0; i < ${#servers[@]}; i++)); do
				cost "$part" "$kind" \
					"${servers[(i + round) % ${#servers[@]}]}" \
					"$round"
			done
		done
	done
}

endpoints()
{
	local server

	for server in stekd nginx haproxy h2o; do up "$server"; done
	in_turn "$1"
	down
}

part_endpoint()
{
	cert=$work/p256 suite12=ECDHE-ECDSA-AES128-GCM-SHA256
	group=x25519 offer=X25519:P-256
	endpoints endpoint
}

part_rsa()
{
	cert=$work/rsa suite12=ECDHE-RSA-AES128-GCM-SHA256
	group=x25519 offer=X25519:P-256
	endpoints rsa
}

part_p256()
{
	cert=$work/p256 suite12=ECDHE-ECDSA-AES128-GCM-SHA256
	group=secp256r1 offer=P-256
	endpoints p256
}

part_terminator()
{
	local server

	cert=$work/p256 suite12=ECDHE-ECDSA-AES128-GCM-SHA256
	group=x25519 offer=X25519:P-256 backend_bytes=''
	start_backend
	up stekd "tcp:$backend"
	for server in hitch haproxy; do up "$server" "$backend"; done
	in_turn terminator
	down
	end backend
}

# ---- bulk ------------------------------------------------------------------------

bulk_mib=16 bulk_answers=8

# bulk_cost SERVER ROUND: milliseconds of CPU for 10^9 bytes.
bulk_cost()
{
	probe load --connect "127.0.0.1:${port_of[$1]}" --sni full.example.test \
		--ca "$work/ca.pem" --tls 1.3 --resume 0 --concurrency 1 \
		--suites TLS_AES_128_GCM_SHA256 --groups X25519 \
		--demand-suite TLS_AES_128_GCM_SHA256 --demand-group x25519 \
		--demand-bytes $((bulk_mib * 1048576)) \
		--connections $bulk_answers --server-pid "${pid_at[$1]}" \
		--json >"$work/load.json" || {
		jq -c '[.failures, .versions]' "$work/load.json" >&2
		fall_short "bulk at $1: an answer was not whole"
	}
	record bulk aes128gcm "$1" "$2" \
		"$(jq ".server_cpu.us_per_connection / ($bulk_mib * 1.048576)" \
			"$work/load.json")" ms/GB
}

part_bulk()
{
	local server round i

	cert=$work/p256 backend_bytes=$((bulk_mib * 1048576))
	start_backend
	up stekd "tcp:$backend"
	for server in hitch haproxy; do up "$server" "$backend"; done
	for ((round = 0; round < rounds; round++)); do
		for ((i = 0; i < ${#servers[@]}; i++)); do
			bulk_cost "${servers[(i + round) % ${#servers[@]}]}" \
				"$round"
		done
	done
	down
	end backend
}

# ---- idle connections ------------------------------------------------------------

# Each round has fresh servers, for what one has allocated it may keep.
part_idle()
{
	local server round

	cert=$work/p256 backend_bytes=''
	start_backend
	for ((round = 0; round < rounds && round < 3; round++)); do
		for server in stekd nginx haproxy h2o hitch; do
			case $server in
			hitch) up hitch "$backend" ;;
			*) up "$server" ;;
			esac
			[ ${#servers[@]} -gt 0 ] || continue
			record idle tls13 "$server" "$round" "$(python3 \
				"$here/idle.py" "${port_of[$server]}" \
				full.example.test "$idle" \
				"${pid_at[$server]}")" KiB
			down
		done
	done
	end backend
}

# ---- stekd against itself ---------------------------------------------------------

# another_stekd NAME: as the variables of start_stekd say.
another_stekd()
{
	stekd_name=$1
	start_stekd
	pid_at[$1]=$server_pid
	servers+=("$1")
	stekd_name='' stekd_workers=''
}

# cpu_of SERVER...: nanoseconds that the threads of these have run.
cpu_of()
{
	local server

	for server; do cat "/proc/${pid_at[$server]}/task"/*/schedstat; done |
		awk '{ sum += $1 } END { printf("%.0f\n", sum) }'
}

# side_by_side KIND NAME ROUND SERVER SERVER...: as many servers as processors, the
# clients of each one on its processor, all at once; NAME is what they are together.
side_by_side()
{
	local kind=$1 name=$2 round=$3 before after i distinct pids=() files=()

	shift 3
	mapfile -t distinct < <(printf '%s\n' "$@" | sort -u)
	before=$(cpu_of "${distinct[@]}")
	for ((i = 1; i <= $#; i++)); do
		files+=("$work/load.$i.json")
		drive "$kind" "${!i}" "$work/load.$i.json" \
			taskset -c "${processors[i - 1]}" &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i" || exit; done
	after=$(cpu_of "${distinct[@]}")
	record workers "$kind" "$name" "$round" "$(jq -s \
		"($after - $before) / 1000 / (map(.connections + .warmup.connections) | add)" \
		"${files[@]}")" us
}

# Two workers of one server against two servers with a worker each, every worker with
# clients on its processor. Placed otherwise, a client costs its server up to twice
# as much (TRIED.md); so what differs here is that workers share a process.
part_workers()
{
	local processors round kind i

	cert=$work/p256 suite12=ECDHE-ECDSA-AES128-GCM-SHA256
	group=x25519 offer=X25519:P-256
	mapfile -t processors < <(python3 -c \
		'import os; print(*sorted(os.sched_getaffinity(0))[:2], sep="\n")')
	[ ${#processors[@]} = 2 ] || fall_short "two processors are needed"
	stekd_pin=true stekd_workers=2 another_stekd stekd
	for i in 0 1; do
		stekd_pin=true stekd_cpu=${processors[i]} another_stekd "one$i"
	done
	for i in "${servers[@]}"; do
		load_of[$i]='--duration 1 --concurrency 32'
	done
	for ((round = 0; round < rounds; round++)); do
		for kind in "${kinds[@]}"; do
			for ((i = 0; i < 2; i++)); do
				if (((i + round) % 2)); then
					side_by_side "$kind" one "$round" one0 one1
				else
					side_by_side "$kind" stekd "$round" stekd stekd
				fi
			done
		done
	done
	load_of=()
	down
}

# rotations PART MAKER: a ring holds 64 keys, so each measurement has a fresh farm
# of two nodes and lasts two seconds: twenty changes, which the node MAKER makes, or
# none. As many clients as there are processors keep the measured node busy.
rotations()
{
	local round kind server servers_of=(stekd steady) i

	cert=$work/p256 suite12=ECDHE-ECDSA-AES128-GCM-SHA256
	group=x25519 offer=X25519:P-256
	start_redis
	stekd_store=$store_url stekd_keys='  rotate_delay_ms: 100'
	load_of[stekd]="--duration 2 --concurrency 32 --threads $(nproc)"
	load_of[steady]=${load_of[stekd]}
	: >"$work/changes"
	for ((round = 0; round < rounds; round++)); do
		for kind in tls13-full tls13-resumed; do
			for i in 0 1; do
				server=${servers_of[(i + round) % 2]}
				redis FLUSHALL >/dev/null
				another_stekd elsewhere
				another_stekd "$server"
				changing "$2" "$1" "$kind" "$server" "$round"
				down
			done
		done
	done
	load_of=() stekd_store='' stekd_keys=''
	end redis
	echo "$1, ring changes a second: $(sort -n "$work/changes" | paste -sd' ')"
}

part_rotation() { rotations rotation elsewhere; }
part_making() { rotations making stekd; }

# changing MAKER PART KIND SERVER ROUND: the cost at SERVER, while MAKER makes keys
# unless it is the steady one's.
changing()
{
	local maker=$1 in out line

	shift
	if [ "$3" = steady ]; then
		cost "$@"
		return
	fi
	coproc changes { exec python3 "$here/changes.py" "$work/$maker.sock" 2>&1; }
	in=${changes[1]} out=${changes[0]}
	read -r line <&"$out"
	[ "$line" = begun ] || fall_short "changes.py: $line"
	cost "$@"
	echo end >&"$in"
	read -r line <&"$out"
	# shellcheck disable=SC2154 # coproc sets it
	wait "$changes_PID" || fall_short "a ring change was refused"
	echo "$line" >>"$work/changes"
}

# ---- the floor -------------------------------------------------------------------

# What openssl speed does in a second (signatures, or derivations), as
# microseconds for one.
bare()
{
	openssl speed -seconds 1 -mr "$@" 2>/dev/null | awk -F: '
		/^\+F/ { printf "%.2f\n", 1e6 / $4; exit }'
}

part_floor()
{
	local round kind

	cc -O2 -o "$work/floor" "$here/floor.c"
	for ((round = 0; round < rounds; round++)); do
		for kind in full resumed; do
			record floor "sockets-$kind" bare "$round" \
				"$("$work/floor" $kind "$connections")" us
		done
	done
	for ((round = 0; round < rounds && round < 3; round++)); do
		record floor sign-p256 openssl "$round" "$(bare ecdsap256)" us
		record floor derive-x25519 openssl "$round" \
			"$(bare ecdhx25519)" us
		record floor derive-p256 openssl "$round" "$(bare ecdhp256)" us
		record floor sign-rsa2048 openssl "$round" "$(bare rsa2048)" us
	done
}

# ---- all parts -------------------------------------------------------------------

# make_pair NAME KEYTYPE...: a certificate for both names.
make_pair()
{
	local name=$1

	shift
	openssl req -new -nodes -newkey "$@" -keyout "$work/$name.key" \
		-subj /CN=full.example.test -out "$work/$name.csr" \
		2>>"$work/log/openssl"
	openssl x509 -req -in "$work/$name.csr" -CA "$work/ca.pem" \
		-CAkey "$work/ca.key" -CAcreateserial -days 30 \
		-extfile <(echo "subjectAltName=DNS:full.example.test,DNS:resumed.example.test") \
		-out "$work/$name.pem" 2>>"$work/log/openssl"
}

quiet_period
make_ca
make_pair p256 ec -pkeyopt ec_paramgen_curve:P-256
make_pair rsa rsa:2048
make_farm_key
servers=()
echo "stekd at $(git -C "$repo" describe --always --dirty 2>/dev/null || echo "?")," \
	"$rounds rounds of $connections connections, $(nproc) processors," \
	"load $(cut -d' ' -f1 /proc/loadavg)"
for part in "${parts[@]}"; do "part_$part"; done
rm -f "$work"/log/*
python3 "$here/peers.py" ${json:+--json "$json"} "${bounds[@]}" "$raw"

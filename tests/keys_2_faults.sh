#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Five nodes at three sites with a Redis primary, a replica and three Sentinels,
# a fault every 5 s, and load throughout: connected nodes lose no resumption and
# fail no handshake, and after the last fault all rings become equal within 5 s.
#
#	tests/keys_2_faults.sh [SECONDS=${STEKD_FAULTS_S:-180}] [SEED]
#
# Each site is a network namespace: at 1 the nodes 1 and 2 and a Redis, at 2 the
# nodes 3 and 4 and a Redis, at 3 the node 5; a Sentinel at each. The clients are
# at the hub between them. The faults in turn: kill -9 of the primary, which
# comes back empty 2 s later; SIGSTOP of a node for 2 s; a site cut off for 2 s,
# without a word to either side; all keys of the primary deleted. While a fault
# holds a node, and 2 s longer, no client goes there; that time is counted and
# printed. A rotation is asked for after every fault.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/net.sh"
length=${1:-${STEKD_FAULTS_S:-180}}
seed=${2:-$RANDOM}
hold_ms=2000 rejoin_ms=2000 slot_ms=5000
site_of=(0 1 1 2 2 3)
stopped=''
need jq

# ---- the network ---------------------------------------------------------------

# shellcheck disable=SC2317 # called by the EXIT trap
faults_end()
{
	local code=$1

	[ -z "$stopped" ] || kill -CONT "$(pid_of "node-$stopped")" || :
	net_end "$code"
}
trap 'faults_end $?' EXIT

make_network()
{
	local site

	net_hub hub 10.77.0.1
	for site in 1 2 3; do net_host $site "10.77.0.1$site" hub; done
}

# ---- Redis ---------------------------------------------------------------------

# The site whose Redis most Sentinels call the primary.
primary()
{
	local site

	for site in 1 2 3; do
		sentinel_at "$site" SENTINEL GET-MASTER-ADDR-BY-NAME stek |
			sed -n 's/^10\.77\.0\.1//p'
	done | sort | uniq -c | sort -rn | awk 'NR == 1 { print $2 }'
}

# ---- nodes ---------------------------------------------------------------------

start_node_at_its_site()
{
	local n=$1 site=${site_of[$1]}

	admin_socket[n]=$work/node-$n.sock
	targets[n]=${address[$site]}:844$n
	mkdir -p "$work/state-$n"
	cat >"$work/node-$n.yaml" <<-EOT
	farm: $farm
	node: node-$n
	farm_key: $work/farm.key
	state_dir: $work/state-$n
	store:
	  url: $store_url
	keys:
	  period_s: 10
	  lifetime_s: 90
	  rotate_interval_s: 1
	  beat_ms: 200
	workers: 1
	listen:
	  - address: "${targets[n]}"
	hosts:
	  - names: [www.example.test]
	    default: true
	    certificate: $work/www.example.test.pem
	    key: $work/www.example.test.key
	    backend: builtin
	admin:
	  socket: ${admin_socket[n]}
	EOT
	run_at "$site" "node-$n" "$STEKD_BUILD/stekd" -c "$work/node-$n.yaml"
}

node_ready() { ctl "$1" status; }

ring_of() { ctl "$1" --json status | jq -er '"\(.ring.epoch) \(.ring.digest)"'; }

# One ring at all nodes, in sync with the store: sets `ring`.
rings_equal()
{
	local n one

	ring=$(ring_of 1) || return
	for n in 2 3 4 5; do
		one=$(ring_of "$n") || return
		[ "$one" = "$ring" ] || return
	done
	[ "$(redis_at "$(primary)" HGET "stek:{$farm}:ring" epoch)" = "${ring% *}" ]
}

# ---- load ----------------------------------------------------------------------

left_out_since=() left_out_ms=(0 0 0 0 0 0)
uses=0

# Tells the flow which nodes are connected, and waits until it goes to no other.
use()
{
	local n list=''

	for n in 1 2 3 4 5; do
		if [ -n "${left_out_since[n]-}" ]; then
			list+="0 "
		else
			list+="1 "
		fi
	done
	echo "${list% }" >&"$flow_in"
	uses=$((uses + 1))
	await_of flow 15 "the flow to turn" flow_turned
}

flow_turned() { [ "$(grep -c '^using' "$work/log/flow")" = "$uses" ]; }

leave_out()
{
	local n

	for n in "$@"; do
		left_out_since[n]=$(now_ms)
	done
	use
}

take_in()
{
	local n now

	now=$(now_ms)
	for n in "$@"; do
		left_out_ms[n]=$((left_out_ms[n] + now - left_out_since[n]))
		left_out_since[n]=''
	done
	use
}

wait_until() { while [ "$(now_ms)" -lt "$1" ]; do pause; done; }

# ---- faults --------------------------------------------------------------------

# Each has two functions: do_KIND, which sets `held`, the nodes that it holds,
# and undo_KIND.
do_kill()
{
	held=()
	victim=$(primary)
	end "redis-$victim" KILL
}
undo_kill() { start_redis_at "$victim"; }

do_stop()
{
	held=($((RANDOM % 5 + 1)))
	leave_out "${held[@]}"
	kill -STOP "$(pid_of "node-${held[0]}")"
	victim=${held[0]} stopped=${held[0]}
}
undo_stop()
{
	kill -CONT "$(pid_of "node-$stopped")"
	stopped=''
}

do_cut()
{
	local n

	victim=$((RANDOM % 3 + 1)) held=()
	for n in 1 2 3 4 5; do
		[ "${site_of[n]}" != "$victim" ] || held+=("$n")
	done
	leave_out "${held[@]}"
	isolate "$victim"
}
undo_cut() { reunite "$victim"; }

do_wipe()
{
	held=()
	victim=$(primary)
	redis_at "$victim" FLUSHALL >/dev/null
}
undo_wipe() { :; }

# At a node that no fault holds: $1 says which slot it is. By run(), for what bash
# keeps as its job until the end it may take for a later process of the same number,
# and wait for ever.
ask_rotation()
{
	local n=$((RANDOM % 5 + 1))

	while [ -n "${left_out_since[n]-}" ]; do n=$((n % 5 + 1)); done
	run "rotate.$1" ctl "$n" --json rotate
	rotations+=("rotate.$1")
}

one_fault()
{
	local kind=$1 began

	began=$(now_ms)
	"do_$kind"
	say "$(($(now_ms) - zero)) ms: $kind $victim"
	wait_until $(($(now_ms) + hold_ms))
	"undo_$kind"
	lifted=$(now_ms)
	ask_rotation "$faults"
	if [ ${#held[@]} -gt 0 ]; then
		wait_until $((lifted + rejoin_ms))
		take_in "${held[@]}"
	fi
	[ "$faults" -ge "$planned" ] || wait_until $((began + slot_ms))
}

# ---- the test ------------------------------------------------------------------

RANDOM=$seed
say "seed $seed, $length s"
make_network
make_ca
make_certificate www.example.test
make_farm_key
start_redis_at 1
await_of redis-1 10 "Redis" redis_answers 1
start_redis_at 2 --replicaof "${address[1]}" 6379
for site in 1 2 3; do start_sentinel_at $site 1; done
for site in 1 2 3; do
	await_of sentinel-$site 40 "Sentinel $site" sentinel_knows $site 2
done
store_url=${STEKD_STORE_URL-}
if [ -z "$store_url" ]; then
	for site in 1 2 3; do
		store_url+=,${address[$site]}:26379
	done
	store_url=sentinel://${store_url#,}/stek
fi
targets=() rotations=()
for n in 1 2 3 4 5; do start_node_at_its_site $n; done
for n in 1 2 3 4 5; do
	await_of node-$n 20 "node-$n to be ready" node_ready $n
done
await 20 "equal rings" rings_equal

mkfifo "$work/flow.in"
exec {flow_in}<>"$work/flow.in"
# shellcheck disable=SC2016 # for the inner shell
run flow sh -c 'exec "$@" <"$0"' "$work/flow.in" \
	nsenter --net="/run/netns/$net-hub" "$STEKD_BUILD/tests/helper_flow" \
	"$work/ca.pem" www.example.test "${targets[@]}"
use
zero=$(now_ms)
wait_until $((zero + 2000))
faults=0 planned=$((length * 1000 / slot_ms))
kinds=(kill stop cut wipe)
while [ "$faults" -lt "$planned" ]; do
	faults=$((faults + 1))
	one_fault "${kinds[(faults - 1) % 4]}"
done
# If the machine stood still after the last one, one more is the last.
for turn in 1 2 3; do
	until rings_equal; do
		[ $(($(now_ms) - lifted)) -lt 60000 ] ||
			fall_short "the rings differ"
		pause
	done
	equal_ms=$(($(now_ms) - lifted))
	if [ "$equal_ms" -le 5000 ] || [ "$turn" = 3 ]; then break; fi
	say "the rings were equal after $equal_ms ms: one fault more"
	faults=$((faults + 1))
	one_fault "${kinds[(faults - 1) % 4]}"
done
wait_until $((lifted + 3000))
echo end >&"$flow_in"
flow_ended() { ! alive flow; }
await 20 "the flow to end" flow_ended
rotations_ended()
{
	local name

	for name in "${rotations[@]}"; do
		if alive "$name"; then return 1; fi
	done
}
await 60 "the rotations to end" rotations_ended
rotated=$(cat "$work"/log/rotate.* | grep -c '"activate_at_ms"' || :)
tail -n 1 "$work/log/flow" >"$work/flow.json"
failovers=$(cat "$work"/log/sentinel-* | grep -c '+switch-master' || :)
say "$faults faults, of which $((failovers / 3)) were answered by a fail-over;" \
	"$rotated rotations confirmed"
for n in 1 2 3 4 5; do
	say "left out: node-$n for ${left_out_ms[n]} ms"
done
jq -e '.failed == 0 and .resumed == .offered and .offered > 0 and
	(.by_node | min) > 0' "$work/flow.json" >/dev/null ||
	{ cat "$work/flow.json"; fall_short "resumptions or handshakes were lost"; }
[ "$equal_ms" -le 5000 ] ||
	fall_short "the rings were equal only $equal_ms ms after the last fault"
jq -r --arg faults "$faults" --arg equal "$equal_ms" \
	'"keys-2: \($faults) faults, \(.resumed) of \(.offered) resumed " +
	"(\(.elsewhere) at another node, tickets up to \(.oldest_s | floor) s " +
	"old), \(.failed) of \(.connections) handshakes failed, rings equal " +
	"\($equal) ms after the last fault"' "$work/flow.json"

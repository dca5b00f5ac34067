# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# For the tests whose hosts have addresses of their own: each is a network
# namespace on a bridge, and goes with the script. Source it after lib.sh.
need ip bridge nsenter redis-server redis-cli
[ "$(id -u)" = 0 ] || skip "namespaces need root"
net=stekd$$
declare -A address=() hub_of=()

# shellcheck disable=SC2317 # called by the EXIT trap
net_end()
{
	local code=$1 place

	for place in "${!address[@]}"; do
		ip netns del "$net-$place" 2>/dev/null || :
	done
	lib_end "$code"
}
trap 'net_end $?' EXIT

# at HOST COMMAND...: what it does there.
at() { local place=$1; shift; nsenter --net="/run/netns/$net-$place" "$@"; }

# run_at HOST NAME COMMAND...: `run`, there.
run_at()
{
	local place=$1 name=$2

	shift 2
	run "$name" nsenter --net="/run/netns/$net-$place" "$@"
}

net_add()
{
	address[$1]=$2
	ip netns add "$net-$1" 2>"$work/log/ip" ||
		skip "no namespace can be made: $(cat "$work/log/ip")"
	at "$1" ip link set dev lo up
}

# net_hub HOST ADDRESS: a host, and the bridge that others join.
net_hub()
{
	net_add "$1" "$2"
	at "$1" ip link add hub type bridge
	at "$1" ip address add "$2/24" dev hub
	at "$1" ip link set dev hub up
}

# net_host HOST ADDRESS HUB: a host at a bridge.
net_host()
{
	net_add "$1" "$2"
	hub_of[$1]=$3
	at "$3" ip link add "to-$1" type veth peer name eth0 netns "$net-$1"
	at "$3" ip link set dev "to-$1" master hub up
	at "$1" ip address add "$2/24" dev eth0
	at "$1" ip link set dev eth0 up
}

# net_line HUB HUB: joins two bridges to one network.
net_line()
{
	hub_of[$2]=$1
	at "$1" ip link add "to-$2" type veth peer name line netns "$net-$2"
	at "$1" ip link set dev "to-$2" master hub up
	at "$2" ip link set dev line master hub up
}

# A port of the bridge that forwards nothing: both sides wait in vain.
isolate() { at "${hub_of[$1]}" bridge link set dev "to-$1" state 0; }
reunite() { at "${hub_of[$1]}" bridge link set dev "to-$1" state 3; }

# ---- Redis ---------------------------------------------------------------------

# start_redis_at HOST [OPTION...]
start_redis_at()
{
	local host=$1

	shift
	run_at "$host" "redis-$host" redis-server --port 6379 \
		--bind "${address[$host]}" --protected-mode no \
		--save '' --appendonly no --dir "$work" \
		--maxmemory-policy noeviction --repl-diskless-sync-delay 0 \
		--repl-timeout 5 --repl-ping-replica-period 1 "$@"
}

# start_sentinel_at HOST PRIMARY
start_sentinel_at()
{
	cat >"$work/sentinel-$1.conf" <<-EOT
	port 26379
	bind ${address[$1]}
	protected-mode no
	dir $work
	sentinel monitor stek ${address[$2]} 6379 2
	sentinel down-after-milliseconds stek ${down_after_ms:-800}
	sentinel failover-timeout stek 2000
	sentinel parallel-syncs stek 1
	EOT
	run_at "$1" "sentinel-$1" redis-server "$work/sentinel-$1.conf" --sentinel
}

redis_at()
{
	local host=$1

	shift
	at "$host" timeout 10 redis-cli -h "${address[$host]}" -p 6379 "$@"
}

sentinel_at()
{
	local host=$1

	shift
	at "$host" timeout 10 redis-cli -h "${address[$host]}" -p 26379 "$@"
}

redis_answers() { [ "$(redis_at "$1" PING)" = PONG ]; }

# sentinel_knows HOST REPLICA: and two other Sentinels.
sentinel_knows()
{
	sentinel_at "$1" SENTINEL CKQUORUM stek | grep -q '^OK 3' &&
		sentinel_at "$1" SENTINEL REPLICAS stek |
		grep -q "${address[$2]}"
}

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A farm on thirteen hosts at two sites loses no resumption and fails no
# handshake while it is upgraded node by node from the release before, while a
# Sentinel promotes a replica, and once sites that rotated apart have been joined
# again.
#
# Each host is a network namespace. Site a: HAProxy, three nodes, and a Redis
# with a replica and three Sentinels. Site b: HAProxy, two nodes, a Redis. Every
# node lists both stores. At each site a client spends tickets at both balancers,
# minutes after it got them, wherever they came from.
. "$(dirname "$0")/lib.sh"
need jq curl haproxy git
. "$(dirname "$0")/net.sh"
nodes=(a1 a2 a3 b1 b2)
sentinels=(ra rb rc)
down_after_ms=3000

# ---- the release before --------------------------------------------------------

# The checkout may belong to another user.
here() { git -c safe.directory='*' -C "$repo" "$@"; }

# Sets `old`, a directory with its programs: built once from the commit that
# tests/previous_release names. A tree without history upgrades to itself.
build_previous()
{
	local commit wolfssl

	commit=$(sed 's/#.*//; /^ *$/d' "$repo/tests/previous_release")
	old=$STEKD_BUILD skew="none, for there is no history here"
	here cat-file -e "$commit^{commit}" 2>/dev/null || return 0
	skew=$(here rev-list --count "$commit..HEAD")
	skew="$skew commits after ${commit:0:7}"
	old=${STEKD_CI_BUILDS:-$repo/build-ci}/previous-${commit:0:12}
	[ ! -x "$old/done" ] || return 0
	say "building the release before, ${commit:0:7}"
	wolfssl=$("$repo/deploy/deps.sh" --print-prefix)
	rm -rf "$old"
	mkdir -p "$old"
	here archive "$commit" | tar -x -C "$old"
	(cd "$old" && autoreconf -fi &&
		./configure --with-wolfssl="$wolfssl" --disable-shared &&
		make -j"$(nproc)" stekd stekctl) >"$work/log/previous" 2>&1 ||
		fall_short "the release before does not build"
	install -m 755 /dev/null "$old/done"
}

# ---- the hosts -----------------------------------------------------------------

make_hosts()
{
	net_hub a 10.77.0.1
	net_hub b 10.77.0.2
	net_line a b
	net_host lba 10.77.0.10 a
	net_host a1 10.77.0.11 a
	net_host a2 10.77.0.12 a
	net_host a3 10.77.0.13 a
	net_host ra 10.77.0.14 a
	net_host rb 10.77.0.15 a
	net_host rc 10.77.0.16 a
	net_host lbb 10.77.0.20 b
	net_host b1 10.77.0.21 b
	net_host b2 10.77.0.22 b
	net_host rd 10.77.0.24 b
}

start_stores()
{
	local host

	start_redis_at ra
	await_of redis-ra 20 "Redis at ra" redis_answers ra
	start_redis_at rb --replicaof "${address[ra]}" 6379
	start_redis_at rd
	await_of redis-rb 20 "Redis at rb" redis_answers rb
	await_of redis-rd 20 "Redis at rd" redis_answers rd
	for host in "${sentinels[@]}"; do start_sentinel_at "$host" ra; done
	for host in "${sentinels[@]}"; do
		await_of "sentinel-$host" 40 "Sentinel at $host" \
			sentinel_knows "$host" rb
	done
}

# configure NODE BALANCER
configure()
{
	local host=$1 sentinel

	sentinel=${address[ra]}:26379,${address[rb]}:26379,${address[rc]}:26379
	mkdir -p "$work/state-$host"
	cat >"$work/$host.yaml" <<-EOT
	farm: $farm
	node: $host
	farm_key: $work/farm.key
	state_dir: $work/state-$host
	stores:
	  - url: sentinel://$sentinel/stek
	  - url: redis://${address[rd]}:6379
	keys:
	  lifetime_s: 600
	  rotate_interval_s: 1
	  beat_ms: 200
	workers: 1
	limits:
	  drain_delay_ms: 4000
	listen:
	  - address: "${address[$host]}:8443"
	    proxy_protocol: true
	    proxy_from: ["${address[$2]}"]
	hosts:
	  - names: [www.example.test]
	    default: true
	    certificate: $work/www.example.test.pem
	    key: $work/www.example.test.key
	    backend: builtin
	admin:
	  socket: $work/$host.sock
	metrics:
	  listen: "${address[$host]}:9105"
	EOT
}

# start NODE PROGRAMS: until it may seal.
start()
{
	run_at "$1" "$1" "$2/stekd" -c "$work/$1.yaml"
	await_of "$1" 30 "$1 to be ready" ready "$1"
}

ready()
{
	[ "$(at "$1" curl -sf "http://${address[$1]}:9105/readyz")" = ready ]
}

# ask NODE COMMAND...: by the programs in `new`.
ask()
{
	local host=$1

	shift
	"$STEKD_BUILD/stekctl" --socket "$work/$host.sock" "$@"
}

# balance HOST NODE...: notices within half a second that a node drains, and waits
# for an answer as long as a machine may stand still; else as deploy/haproxy.
balance()
{
	local host=$1 node

	shift
	{
		cat <<-EOT
		global
			nbthread 1
		defaults
			mode tcp
			timeout connect 5s
			timeout check 20s
			retries 3
			option redispatch 1
			timeout client 60s
			timeout server 60s
		listen tls
			bind ${address[$host]}:443
			option httpchk GET /readyz
			default-server inter 250ms fall 2 rise 1 send-proxy-v2 check port 9105
		EOT
		for node in "$@"; do
			printf '\tserver %s %s:8443\n' "$node" "${address[$node]}"
		done
		cat <<-EOT
		listen stats
			mode http
			bind ${address[$host]}:8404
			stats enable
			stats uri /
		EOT
	} >"$work/$host.cfg"
	run_at "$host" "$host" haproxy -db -f "$work/$host.cfg"
	for node in "$@"; do
		await_of "$host" 20 "HAProxy to use $node" balanced "$host" "$node"
	done
}

# balanced BALANCER NODE: it sends clients there.
balanced()
{
	at "$1" curl -sf "http://${address[$1]}:8404/;csv" |
		grep -q "^tls,$2,.*,UP,"
}

# ---- what is asked of them -----------------------------------------------------

ring_of() { ask "$1" --json status | jq -er '"\(.ring.epoch) \(.ring.digest)"'; }
active_of() { ask "$1" --json keys | jq -er '.keys[] | select(.state == "active").id'; }

# rings_equal NODE...
rings_equal()
{
	local host one ring

	ring=$(ring_of "$1") || return
	for host in "$@"; do
		one=$(ring_of "$host") || return
		[ "$one" = "$ring" ] || return
	done
}

# rotate NODE: confirmed by all who are there, in force.
rotate()
{
	ask "$1" rotate --force >>"$work/log/rotate" 2>&1 ||
		fall_short "a rotation at $1"
	rotations=$((rotations + 1))
}

# store_is NODE STORE STATE
store_is() { ask "$1" --json status | jq -e ".stores[$2].state == \"$3\""; }

# ---- the clients ---------------------------------------------------------------

declare -A flow_in=() uses=()

begin_flow()
{
	local site=$1 fd

	mkfifo "$work/flow-$site.in"
	exec {fd}<>"$work/flow-$site.in"
	flow_in[$site]=$fd
	uses[$site]=0
	# shellcheck disable=SC2016 # for the inner shell
	run "flow-$site" sh -c 'exec "$@" <"$0"' "$work/flow-$site.in" \
		nsenter --net="/run/netns/$net-$site" \
		"$STEKD_BUILD/tests/helper_flow" "$work/ca.pem" \
		www.example.test "${address[lba]}:443" "${address[lbb]}:443"
}

# use SITE LIST: its client goes to these balancers, and to no other any more.
use()
{
	echo "$2" >&"${flow_in[$1]}"
	uses[$1]=$((uses[$1] + 1))
	await_of "flow-$1" 30 "the flow to turn" flow_turned "$1"
}

flow_turned()
{
	[ "$(grep -c '^using' "$work/log/flow-$1")" = "${uses[$1]}" ]
}

flow_ended() { ! alive "$1"; }

end_flow()
{
	echo end >&"${flow_in[$1]}"
	await 30 "the flow to end" flow_ended "flow-$1"
	tail -n 1 "$work/log/flow-$1" >"$work/flow-$1.json"
	jq -e '.failed == 0 and .resumed == .offered and .elsewhere > 100 and
		(.by_node | min) > 100' "$work/flow-$1.json" >/dev/null || {
		cat "$work/log/flow-$1"
		fall_short "resumptions or handshakes were lost at site $1"
	}
}

# For so many milliseconds the clients go on.
go_on()
{
	local until=$(($(now_ms) + $1))

	while [ "$(now_ms)" -lt $until ]; do pause; done
}

# ---- the test ------------------------------------------------------------------

balancer_of() { if [[ $1 = a* ]]; then echo lba; else echo lbb; fi; }

# replace NODE PROGRAMS: as an operator does, then a rotation there.
replace()
{
	local balancer

	balancer=$(balancer_of "$1")
	end "$1"
	start "$1" "$2"
	await_of "$balancer" 30 "HAProxy to use $1 again" \
		balanced "$balancer" "$1"
	rotate "$1"
	replaced=$((replaced + 1))
}

build_previous
make_hosts
make_ca
make_certificate www.example.test
make_farm_key
start_stores
for host in "${nodes[@]}"; do configure "$host" "$(balancer_of "$host")"; done
for host in "${nodes[@]}"; do start "$host" "$old"; done
await 30 "one ring" rings_equal "${nodes[@]}"
balance lba a1 a2 a3
balance lbb b1 b2
begin_flow a
begin_flow b
use a "1 1"
use b "1 1"
rotations=0 replaced=0
go_on 1000

say "upgrade, one node at a time; the last one goes back once, and on again"
for host in "${nodes[@]}"; do replace "$host" "$STEKD_BUILD"; done
replace b2 "$old"
replace b2 "$STEKD_BUILD"

say "the primary of site a is killed, its replica promoted"
end redis-ra KILL
promoted() { redis_at rb ROLE | grep -q '^master'; }
await 30 "the replica to be promoted" promoted
for host in "${nodes[@]}"; do
	await 30 "$host to follow" store_is "$host" 0 ok
done
rotate a1

say "the sites are cut apart; each rotates, and heals"
use a "1 0"
use b "0 1"
isolate b
await 30 "a1 to miss the store of b" store_is a1 1 unavailable
await 30 "b1 to miss the store of a" store_is b1 0 unavailable
for host in a1 b1; do
	# Not confirmed by the nodes that are beyond the line; in force here.
	ask "$host" rotate --force >>"$work/log/rotate" 2>&1 || :
done
parted() { [ "$(active_of a1)" != "$(active_of b1)" ]; }
one_key() { [ "$(active_of a1)" = "$(active_of b1)" ]; }
await 60 "the sites to seal under keys of their own" parted
go_on 3000
# While the joined ring reaches one node after the other, each seals under the key
# of its own site still, so the clients go on there all the while; once all have
# it, anywhere.
reunite b
await 60 "one ring again" rings_equal "${nodes[@]}"
use a "1 1"
use b "1 1"
await 60 "both sites to seal under one key" one_key
rotate b1
go_on 5000
end_flow a
end_flow b
# Each has found heartbeats of its own in stores that it came back to.
for host in "${nodes[@]}"; do
	! grep "node name used twice" "$work/log/$host" ||
		fall_short "$host takes itself for another"
done
# Nobody is there for whom they would have to drain.
for host in "${nodes[@]}"; do end "$host" KILL; done
jq -rs --arg nodes "$replaced" --arg rotations "$rotations" --arg skew "$skew" \
	'"deploy-3: \($nodes) nodes replaced, \($rotations) rotations, a " +
	"failover, two sites apart: \(map(.resumed) | add) of " +
	"\(map(.offered) | add) resumed, \(map(.elsewhere) | add) at the other " +
	"site, \(map(.failed) | add) of \(map(.connections) | add) handshakes " +
	"failed; version skew: \($skew)"' "$work"/flow-[ab].json

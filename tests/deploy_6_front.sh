#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What deploy/ gives for the machines around the nodes works as it stands there:
# HAProxy's file loses no connection and no resumption while nodes are taken out
# in three ways, Redis' keeps nothing on disk, nftables' lets in who it names.
# The nodes run by the YAML of deploy/haproxy/README.md.
. "$(dirname "$0")/lib.sh"
need haproxy redis-server redis-cli jq socat nft ip unshare nsenter python3

sni=www.example.test

# ---- Redis: redis.conf and users.acl, the others are in keys-5 ---------------------

# Each file of deploy/redis is started by a test.
for file in "$repo"/deploy/redis/*; do
	grep -q "/${file##*/}\"\|[ =]${file##*/}\( \|\$\)" \
		"$0" "$repo/tests/keys_5_redis.sh" ||
		fall_short "no test starts deploy/redis/${file##*/}"
done

start_own_redis()
{
	local conf=$repo/deploy/redis hash

	mkdir "$work/redis"
	openssl rand -hex 16 >"$work/stekd.password"
	openssl rand -hex 16 >"$work/admin.password"
	hash=$(tr -d '\n' <"$work/stekd.password" | sha256sum | cut -d' ' -f1)
	sed -e "s/@FARM@/$farm/g" -e "s/@PASSWORD_SHA256@/$hash/" \
		"$conf/users.acl" >"$work/redis/redis.acl"
	hash=$(tr -d '\n' <"$work/admin.password" | sha256sum | cut -d' ' -f1)
	echo "user admin on #$hash ~* &* +@all" >>"$work/redis/redis.acl"
	free_port
	redis_port=$port
	sed -e "s,@DIR@,$work/redis,g" -e "s,@PORT@,$port," \
		"$conf/redis.conf" >"$work/redis/redis.conf"
	run redis redis-server "$work/redis/redis.conf"
	await_of redis 20 "redis-server" admin PING
	store_url=redis://127.0.0.1:$redis_port/0
	store_yaml="  user: stekd
  password_file: $work/stekd.password"
}

admin()
{
	REDISCLI_AUTH=$(cat "$work/admin.password") redis-cli --user admin \
		--no-auth-warning -p "$redis_port" "$@"
}

# ---- nodes: 127.0.0.21 and .22, by the manual's YAML -------------------------------

yaml()
{
	awk '/^```/ { inside = $0 == "```yaml"; next } inside' \
		"$repo/deploy/haproxy/README.md"
}

configure_node()
{
	local n=$1

	write_config "$n" "$sni"
	sed -i -e '/^listen:/,/^  - address/d' -e '/^metrics:/,/^  listen/d' \
		"$work/node-$n.yaml"
	# A delay as long as the test needs; a second signal ends it.
	yaml | sed -e "s/192\.0\.2\.21:443/127.0.0.2$n:$tls/" \
		-e "s/192\.0\.2\.21:9105/127.0.0.2$n:$checks/" \
		-e "s/192\.0\.2\.10/127.0.0.1/" \
		-e "s/\(drain_delay_ms:\) 5000/\1 600000/" >>"$work/node-$n.yaml"
	[ "$(grep -c "127\.0\.0\.1\]\|127\.0\.0\.2$n:\|600000" \
		"$work/node-$n.yaml")" = 4 ] ||
		fall_short "the YAML of README.md is not what is expected"
	"$STEKD_BUILD/stekd" --check -c "$work/node-$n.yaml" >"$work/log/check" 2>&1 ||
		fall_short "stekd --check"
}

ready() { [ "$(curl -sf "http://127.0.0.2$1:$checks/readyz")" = ready ]; }

node_up()
{
	run "node-$1" "$STEKD_BUILD/stekd" -c "$work/node-$1.yaml"
	await_of "node-$1" 30 "node-$1 to be ready" ready "$1"
}

# ---- the balancer ------------------------------------------------------------------

start_front()
{
	local file=$repo/deploy/haproxy/haproxy.cfg

	haproxy -c -dW -f "$file" >"$work/log/haproxy-c" 2>&1 ||
		fall_short "haproxy -c $file"
	free_port
	front=$port
	sed -e "s/192\.0\.2\.\(2[0-9]\):443/127.0.0.\1:$tls/" \
		-e "s/port 9105/port $checks/" \
		-e "s/bind :::443 v4v6/bind 127.0.0.1:$front/" \
		-e "s,/run/haproxy/,$work/," \
		-e "s/maxconn 40000/maxconn 400/" "$file" >"$work/haproxy.cfg"
	run haproxy haproxy -db -dW -f "$work/haproxy.cfg"
	await_of haproxy 20 "the nodes to be up" all_up
}

balancer() { echo "$*" | socat -t 20 - "$work/admin.sock"; }

# stat N FIELD: of HAProxy's table, by the name in its first line.
stat()
{
	balancer show stat | awk -F, -v node="node-$1" -v field="$2" '
		NR == 1 { sub(/^# /, ""); for (i = 1; i <= NF; i++) at[$i] = i }
		$1 == "nodes" && $2 == node { print $at[field] }'
}

has() { [[ $(stat "$1" status) = "$2"* ]]; }
all_up() { has 1 UP && has 2 UP; }
sessions() { stat "$1" stot; }
more_than() { [ "$(sessions "$1")" -gt "$2" ]; }

# Node 1 takes some fifty connections more, and node 2 meanwhile none. What was
# on its way when the balancer turned away from node 2 may still arrive there.
left_alone()
{
	local before

	before=$(sessions 2)
	await 30 "node-1 to be asked" more_than 1 $(($(sessions 1) + 50))
	[ "$(sessions 2)" = "$before" ]
}

# load ARGUMENT...: through the balancer, every connection with a ticket.
load()
{
	probe load --connect "127.0.0.1:$front" --sni "$sni" \
		--ca "$work/ca.pem" --tls both --resume 100 --json "$@"
}

lossless()
{
	jq -e '.failed == 0 and .resumed == .offered and .offered > 0' \
		"$work/load.json" >/dev/null || {
		cat "$work/load.json" >&2
		fall_short "$1: connections or resumptions were lost"
	}
	total=$((total + $(jq .resumed "$work/load.json")))
}

page()
{
	curl -sf -o "$work/page" --max-time 30 --noproxy '*' \
		--cacert "$work/ca.pem" \
		--connect-to "::127.0.0.1:$front" "https://$sni/"
}

gone() { ! alive "$1"; }

total=0
make_ca
make_certificate "$sni"
make_farm_key
start_own_redis
free_port
tls=$port
free_port
checks=$port
for n in 1 2; do
	configure_node $n
	node_up $n
done
start_front

say "both nodes"
load --connections 200 >"$work/load.json" || :
lossless "both nodes"
for n in 1 2; do
	[ "$(sessions $n)" -gt 0 ] || fall_short "node-$n was never asked"
done
# In a header the client's own address, on to the node's log.
curl -s -o /dev/null --max-time 30 --noproxy '*' --interface 127.0.0.9 \
	"http://127.0.0.1:$front/" || :
named() { grep -q 'peer="*127\.0\.0\.9' "$work/log/node-1" "$work/log/node-2"; }
await 20 "a node to log the client's address" named

say "node-2 drained at the balancer"
run load "$STEKD_BUILD/stekprobe" load --connect "127.0.0.1:$front" \
	--sni "$sni" --ca "$work/ca.pem" --tls both --resume 100 --json \
	--rate 200 --concurrency 4 --duration 600
await_of load 30 "the load" more_than 2 $(($(sessions 2) + 20))
balancer set server nodes/node-2 state drain >>"$work/log/balancer"
await 20 "the balancer to drain node-2" has 2 DRAIN
await 60 "no connection more at node-2" left_alone
balancer set server nodes/node-2 state ready >>"$work/log/balancer"
await 20 "node-2 to be back" more_than 2 $(($(sessions 2) + 20))

say "node-2 stopped"
began=$(now_ms)
kill -TERM "$(pid_of node-2)"
await_of node-2 30 "the balancer to notice" has 2 DOWN
noticed_ms=$(($(now_ms) - began))
await_of node-2 60 "no connection more at node-2" left_alone
alive node-2 || fall_short "node-2 did not wait for the balancer"
kill -TERM "$(pid_of node-2)"
await 30 "node-2 to end" gone node-2
node_up 2
await 20 "node-2 to be up again" has 2 UP
await_of load 30 "node-2 to be asked again" more_than 2 $(($(sessions 2) + 20))
kill -TERM "$(pid_of load)"
await 30 "the load to end" gone load
mv "$work/log/load" "$work/load.json"
lossless "two drains"

say "node-2 killed"
kill -KILL "$(pid_of node-2)"
await 20 "node-2 to be dead" gone node-2
for ((i = 0; i < 20; i++)); do
	page || fall_short "a client met the dead node"
	grep -q '^node: node-1$' "$work/page" || fall_short "$(cat "$work/page")"
done
await 20 "the balancer to notice" has 2 DOWN
rm -f "$work/pid/node-2"
node_up 2
await 20 "node-2 to be up again" has 2 UP
load --connections 200 >"$work/load.json" || :
lossless "after a loss"

[ "$(admin CONFIG GET save | sed -n 2p)" = "" ] || fall_short "redis.conf saves"
[ "$(admin CONFIG GET appendonly | sed -n 2p)" = no ] ||
	fall_short "redis.conf writes a log of changes"
[ "$(admin EXISTS "stek:{$farm}:ring")" = 1 ] || fall_short "the store is empty"
# By a signal they would drain for ten minutes.
for n in 1 2; do end node-$n KILL; done
end redis
is=$(cd "$work/redis" && echo *)
[ "$is" = "redis.acl redis.conf" ] || fall_short "Redis left behind: $is"

# ---- nftables ----------------------------------------------------------------------

rules=$repo/deploy/nftables/stekd.nft

# The machine with the rules, and the world: each in a namespace of its own, which
# ends with the process that holds it.
run machine unshare --net sleep infinity
run world unshare --net sleep infinity
in_ns() { nsenter --target "$(pid_of "$1")" --net "${@:2}"; }
apart()
{
	[ "$(readlink "/proc/$(pid_of "$1")/ns/net")" != \
		"$(readlink /proc/self/ns/net)" ]
}
await_of machine 20 "a namespace" apart machine
await_of world 20 "a namespace" apart world
in_ns machine nft -c -f "$rules" >"$work/log/nft" 2>&1 || fall_short "nft -c"
[ "$(in_ns machine nft list ruleset)" = "" ] || fall_short "nft -c loads"
in_ns machine ip link add stekd0 type veth peer name stekd1 \
	netns "$(pid_of world)"
for name in machine world; do
	link=stekd0 addresses=(192.0.2.21/24 2001:db8::21/64)
	[ $name = machine ] || {
		link=stekd1
		addresses=(192.0.2.{5,10,17,99}/24 2001:db8::{5,10,22,99}/64)
	}
	for address in "${addresses[@]}"; do
		nodad=()
		[[ $address != *:* ]] || nodad=(nodad)
		in_ns $name ip address add "$address" dev $link "${nodad[@]}"
	done
	in_ns $name ip link set $link up
	in_ns $name ip link set lo up
done
# Twice: loading it again replaces it.
for n in 1 2; do
	in_ns machine nft -f "$rules" >"$work/log/nft" 2>&1 || fall_short "nft -f"
done
run ports nsenter --target "$(pid_of machine)" --net \
	python3 "$repo/tests/deploy_6_ports.py" serve "$work/listening"
await_of ports 20 "the ports" test -e "$work/listening"
in_ns world python3 "$repo/tests/deploy_6_ports.py" ask >"$work/ports" ||
	fall_short "the ports: $(cat "$work/ports")"
in_ns machine nft list table inet stekd >"$work/table"
grep -q 'counter packets [1-9].* drop' "$work/table" ||
	fall_short "nothing was dropped by the rule that is to drop"

echo "deploy-6: $total resumptions through HAProxy, none lost in two drains" \
	"(noticed after $noticed_ms ms of 5000) and a kill;" \
	"nftables: $(tail -n 1 "$work/ports"); Redis left nothing on disk"

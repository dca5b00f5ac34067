#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Redis as operators run it: TLS with client certificates and what it refuses,
# a Sentinel failover under resumed load, a Cluster that points elsewhere, and
# the latter two by TLS as well.
# Against real servers, with the files of deploy/redis.
. "$(dirname "$0")/lib.sh"
need jq redis-server redis-cli

conf=$repo/deploy/redis
sni=www.example.test
figures=()

# fill FILE NAME=VALUE...: the file with its @NAME@s filled in.
fill()
{
	local file=$1 pair args=()

	shift
	for pair in "$@"; do
		args+=(-e "s|@${pair%%=*}@|${pair#*=}|g")
	done
	sed "${args[@]}" "$file"
}

# secret NAME: a random password in $work/NAME.password.
secret() { openssl rand -hex 16 >"$work/$1.password"; }
word() { cat "$work/$1.password"; }
sha_of() { printf %s "$(word "$1")" | sha256sum | cut -d' ' -f1; }

# cli SERVER WORD...: redis-cli at a server, as its administrator.
cli()
{
	local server=$1

	shift
	REDISCLI_AUTH=$(word admin) redis-cli --user admin --no-auth-warning \
		"${cli_tls[@]}" -p "${at[$server]}" "$@"
}

declare -A at	# ports of servers by name

# Set while a part speaks TLS: what redis-cli needs, what a node's store needs,
# the scheme's last letter, and what the names of servers begin with.
cli_tls=() store_tls=() s='' p=''

speak_tls()
{
	cli_tls=(--tls --cacert "$work/ca.pem"
		--cert "$work/node.example.test.pem"
		--key "$work/node.example.test.key")
	store_tls=("ca=$work/ca.pem"
		"certificate=$work/node.example.test.pem"
		"key=$work/node.example.test.key")
	s=s p=tls-
}
speak_plain() { cli_tls=() store_tls=() s='' p=''; }

users()
{
	fill "$conf/users.acl" "FARM=$farm" "PASSWORD_SHA256=$(sha_of stekd)"
	fill "$conf/users-replica.acl" "REPLICA_SHA256=$(sha_of replica)" \
		"SENTINEL_SHA256=$(sha_of sentinel)"
	echo "user admin on #$(sha_of admin) ~* &* +@all"
}

certify()
{
	cp "$work/ca.pem" "$1/ca.pem"
	cp "$work/redis.example.test.pem" "$1/redis.pem"
	cp "$work/redis.example.test.key" "$1/redis.key"
}

# server NAME CONF [LINE...]: by a file of deploy/redis and further lines.
server()
{
	local name=$1 file=$2 dir=$work/$1

	shift 2
	free_port
	at[$name]=$port
	mkdir "$dir"
	certify "$dir"
	users >"$dir/redis.acl"
	{
		fill "$conf/$file" "PORT=$port" "DIR=$dir"
		printf '%s\n' "$@"
	} >"$dir/redis.conf"
	run "$name" redis-server "$dir/redis.conf"
}

store() { ctl "$1" --json status | jq -r ".stores[0].$2"; }
store_is() { [ "$(store "$1" state)" = "$2" ]; }
store_says() { store "$1" detail | grep -q "$2"; }
epoch() { ctl "$1" --json status | jq .ring.epoch; }
same_epoch() { [ "$(epoch "$1")" = "$(epoch "$2")" ]; }
counter() { ctl "$1" --json status | jq ".counters.$2"; }

# nothing_refused CLI...: the farm's user was refused no command.
nothing_refused()
{
	"$@" ACL LOG >"$work/log/acl"
	if grep -A1 '^username$' "$work/log/acl" | grep -q '^stekd$'; then
		fall_short "the ACL lacks a command"
	fi
}

start_lame()
{
	write_config "$1" "$sni"
	run "node-$1" "$STEKD_BUILD/stekd" -c "$work/node-$1.yaml"
	await_of "node-$1" 20 "node-$1 to answer" store "$1" state
}

# refused NODE WHAT: it gets no ring from the store, and says why.
refused()
{
	start_lame "$1"
	await_of "node-$1" 20 "node-$1 to tell of $2" store_says "$1" "$2"
	store_is "$1" ok && fall_short "node-$1 was served in spite of $2"
	[ "$(epoch "$1")" = 0 ] || fall_short "node-$1 has a ring"
	echo "node-$1: $(store "$1" detail)" >>"$work/log/refused"
	stop_node "$1"
}

make_ca; make_ca other
make_certificate "$sni"
make_certificate redis.example.test
make_certificate node.example.test
make_certificate stranger.example.test other
make_farm_key
for name in stekd replica sentinel own admin; do secret $name; done

# options NAME=VALUE...: lines of the store section, beside the farm's login.
options()
{
	local pair

	for pair in user=stekd "password_file=$work/stekd.password" \
		"${store_tls[@]}" "$@"; do
		echo "  ${pair%%=*}: ${pair#*=}"
	done
}

# ---- TLS -------------------------------------------------------------------------

part_tls()
{
	local ca="ca=$work/ca.pem" name=server_name=redis.example.test own n
	local stranger=$work/stranger.example.test

	own=("certificate=$work/node.example.test.pem"
		"key=$work/node.example.test.key")
	server tls redis-tls.conf
	store_url=rediss://127.0.0.1:${at[tls]}/0
	await_of tls 10 "redis-server" cli tls PING
	store_yaml=$(options "$ca" "${own[@]}" $name)
	start_node 1 "$sni"
	# By address, which the certificate has as well.
	store_yaml=$(options "$ca" "${own[@]}")
	start_node 2 "$sni"
	store_url=rediss://localhost:${at[tls]}/0
	start_node 3 "$sni"
	ctl 1 rotate >>"$work/log/rotate" || fall_short "rotation over TLS"
	await_of node-3 10 "the nodes to agree" same_epoch 1 3

	store_url=rediss://127.0.0.1:${at[tls]}/0
	store_yaml=$(options "ca=$work/other.pem" "${own[@]}" $name)
	refused 4 'TLS: '
	store_yaml=$(options "$ca" "${own[@]}" server_name=elsewhere.test)
	refused 5 'TLS: '
	store_yaml=$(options "$ca" "${own[@]}" server_name=127.0.0.2)
	refused 6 'not for 127.0.0.2'
	store_yaml=$(options "$ca" $name)
	refused 7 .
	store_yaml=$(options "$ca" "certificate=$stranger.pem" \
		"key=$stranger.key" $name)
	refused 8 .
	store_yaml=$(options)
	store_url=redis://127.0.0.1:${at[tls]}
	refused 9 .
	store_is 1 ok || fall_short "the good node has lost the store"
	nothing_refused cli tls
	for n in 1 2 3; do stop_node $n; done
	end tls
	figures+=("TLS: 3 nodes joined, 6 of 6 bad ones refused")
}

# ---- Sentinel --------------------------------------------------------------------

sentinel()
{
	local n=$1

	free_port
	at[sentinel-$n]=$port
	mkdir "$work/sentinel-$n"
	certify "$work/sentinel-$n"
	fill "$conf/sentinel.conf" "PORT=$port" "DIR=$work/sentinel-$n" \
		"SENTINEL_OWN_PASSWORD=$(word own)" PRIMARY_HOST=127.0.0.1 \
		"PRIMARY_PORT=${at[${p}one]}" \
		"SENTINEL_PASSWORD=$(word sentinel)" |
		sed -e 's/\(down-after.* \)3000/\11000/' \
			-e 's/\(failover-timeout.* \)15000/\15000/' \
			>"$work/sentinel-$n/sentinel.conf"
	[ -z "$s" ] || fill "$conf/sentinel-tls.conf" "PORT=$port" \
		"DIR=$work/sentinel-$n" >>"$work/sentinel-$n/sentinel.conf"
	run "sentinel-$n" redis-server "$work/sentinel-$n/sentinel.conf" \
		--sentinel
}

ask_sentinel()
{
	local n=$1

	shift
	REDISCLI_AUTH=$(word own) redis-cli --no-auth-warning \
		"${cli_tls[@]}" -p "${at[sentinel-$n]}" SENTINEL "$@"
}

# Each Sentinel knows the replica and the two others.
sentinel_knows()
{
	ask_sentinel "$1" master stekd | paste - - |
		awk '$1 == "num-slaves" { s = $2 } $1 == "flags" { f = $2 }
			$1 == "num-other-sentinels" { o = $2 }
			END { exit !(s == 1 && o == 2 && f == "master") }'
}

is_primary() { [ "$(cli "$1" ROLE | head -n 1)" = master ]; }
beats_at() { [ "$(cli "$1" HEXISTS "stek:{$farm}:nodes" "node-$2")" = 1 ]; }
replicates() { cli "${p}two" INFO replication | grep -q '^master_link_status:up'; }
ring_at() { [ "$(cli "$1" HGET "stek:{$farm}:ring" epoch)" = "$(epoch "$2")" ]; }

# part_sentinel NODE NODE SENTINEL...: by their numbers.
part_sentinel()
{
	local replication n dead pid began healed epoch_before try unconfirmed
	local first=$1 last=$2 one=${p}one two=${p}two file=redis.conf
	local sentinels=("${@:3}")

	replication=$(fill "$conf/replica.conf" \
		"REPLICA_PASSWORD=$(word replica)")
	[ -z "$s" ] || file=redis-tls.conf
	server "$one" $file "$replication"
	await_of "$one" 10 "the primary" cli "$one" PING
	server "$two" $file "$replication" \
		"replicaof 127.0.0.1 ${at[$one]}"
	await_of "$two" 20 "the replica" replicates
	for n in "${sentinels[@]}"; do sentinel "$n"; done
	for n in "${sentinels[@]}"; do
		await_of "sentinel-$n" 30 "Sentinel $n" sentinel_knows "$n"
	done
	# Nobody answers at the first of the Sentinels.
	free_port
	dead=$port
	store_url=sentinel$s://127.0.0.1:$dead
	for n in "${sentinels[@]}"; do
		store_url+=,127.0.0.1:${at[sentinel-$n]}
	done
	store_url+=/stekd
	store_yaml=$(options "sentinel_password_file=$work/own.password" \
		wait_replicas=1 wait_ms=800)
	start_node "$first" "$sni"
	start_node "$last" "$sni"
	# It has not long for that: where all stood still, once more.
	for try in 1 2 3 4 5; do
		unconfirmed=$(counter "$first" unconfirmed)
		ctl "$first" rotate --force >>"$work/log/rotate" ||
			fall_short "rotation by Sentinel"
		[ "$(counter "$first" replicas_confirmed)" != 1 ] || break
		[ "$(counter "$first" unconfirmed)" -gt "$unconfirmed" ] ||
			fall_short "an unconfirmed ring was not counted"
		[ "$try" != 5 ] ||
			fall_short "the replica did not confirm the ring"
	done
	[ "$(counter "$first" unconfirmed)" = "$unconfirmed" ] ||
		fall_short "a confirmed ring is counted"
	epoch_before=$(epoch "$first")

	"$STEKD_BUILD/stekprobe" load --connect "127.0.0.1:${tls_port[first]},127.0.0.1:${tls_port[last]}" \
		--sni "$sni" --ca "$work/ca.pem" --json --duration 600 \
		--concurrency 4 --rate 200 --tls both --resume 100 --progress \
		>"$work/load.json" 2>"$work/progress" &
	pid=$!
	echo "$pid $(birth $pid)" >"$work/pid/load"
	await 20 "the load to begin" test -s "$work/progress"
	began=$(now_ms)
	kill -9 "$(pid_of "$one")"
	await_of "$two" 30 "the failover" is_primary "$two"
	for n in "$first" "$last"; do
		await_of "node-$n" 20 "node-$n to follow" store_is "$n" ok
		await_of "node-$n" 20 \
			"node-$n's heartbeat at the new primary" \
			beats_at "$two" "$n"
	done
	await_of "$two" 10 "the ring at the new primary" ring_at "$two" "$last"
	healed=$(($(now_ms) - began))
	[ "$(epoch "$last")" -ge "$epoch_before" ] || fall_short "the epoch fell"
	ctl "$last" rotate --force >>"$work/log/rotate" ||
		fall_short "rotation after the failover"
	# No replica is left to confirm it.
	[ "$(counter "$last" unconfirmed)" -ge 1 ] ||
		fall_short "an unconfirmed ring was not counted"
	grep -q unconfirmed "$work/log/node-$last" ||
		fall_short "an unconfirmed ring was not told"
	await_of "node-$first" 10 "both nodes to agree" \
		same_epoch "$first" "$last"
	kill -TERM $pid
	wait $pid || { cat "$work/load.json" >&2; fall_short "the load"; }
	jq -e '.failed == 0 and .resumed == .offered' "$work/load.json" \
		>/dev/null || {
		cat "$work/load.json" >&2
		fall_short "resumptions were lost"
	}
	nothing_refused cli "$two"
	for n in "node-$first" "node-$last" "${sentinels[@]/#/sentinel-}" "$two"; do
		end "$n"
	done
	figures+=("$(jq -r --arg ms "$healed" --arg tls "${s:+ by TLS}" \
		'"Sentinel\($tls): followed \($ms) ms " +
		"after kill -9, \(.resumed) of \(.offered) resumed"' \
		"$work/load.json")")
}

# ---- Cluster ---------------------------------------------------------------------

settled()
{
	cli "$1" CLUSTER INFO | grep -q '^cluster_state:ok' &&
		[ "$(cli "$1" CLUSTER NODES | grep -c ' connected')" = 3 ]
}

asked() { cli "$1" INFO commandstats | grep -q '^cmdstat_asking'; }

# part_cluster NODE NODE: by their numbers.
part_cluster()
{
	local name slot owner='' wrong='' key="stek:{$farm}:ring" id_owner id_wrong
	local first=$1 last=$2 a=${p}a b=${p}b c=${p}c file=redis.conf
	local lines=("cluster-enabled yes" "cluster-node-timeout 15000")

	if [ -n "$s" ]; then
		file=redis-tls.conf
		lines+=("tls-cluster yes")
	fi
	for name in $a $b $c; do server "$name" $file "${lines[@]}"; done
	for name in $a $b $c; do
		await_of "$name" 10 "server $name" cli "$name" PING
	done
	cli $a --cluster create "127.0.0.1:${at[$a]}" "127.0.0.1:${at[$b]}" \
		"127.0.0.1:${at[$c]}" --cluster-yes >>"$work/log/cluster" 2>&1 ||
		fall_short "redis-cli --cluster create"
	for name in $a $b $c; do
		await_of "$name" 30 "the cluster" settled "$name"
	done
	slot=$(cli $a CLUSTER KEYSLOT "$key")
	for name in $a $b $c; do
		if cli "$name" EXISTS "$key" | grep -q MOVED; then
			wrong=$name
		else
			owner=$name
		fi
	done
	store_url=redis$s://127.0.0.1:${at[$wrong]}
	store_yaml=$(options)
	start_node "$first" "$sni"
	start_node "$last" "$sni"
	await_of "$owner" 10 "the ring at the slot's owner" ring_at "$owner" "$first"

	# The slot moves to the server that the nodes were told of.
	id_owner=$(cli "$owner" CLUSTER MYID)
	id_wrong=$(cli "$wrong" CLUSTER MYID)
	cli "$wrong" CLUSTER SETSLOT "$slot" IMPORTING "$id_owner"
	cli "$owner" CLUSTER SETSLOT "$slot" MIGRATING "$id_wrong"
	until [ -z "$(cli "$owner" CLUSTER GETKEYSINSLOT "$slot" 10)" ]; do
		# shellcheck disable=SC2046 # its words are the keys
		cli "$owner" MIGRATE 127.0.0.1 "${at[$wrong]}" '' 0 1000 REPLACE \
			AUTH2 admin "$(word admin)" KEYS \
			$(cli "$owner" CLUSTER GETKEYSINSLOT "$slot" 10)
	done >>"$work/log/cluster"
	await_of "$wrong" 20 "a node to ask where the slot goes" asked "$wrong"
	for name in "$first" "$last"; do
		await_of "node-$name" 20 "node-$name to follow" \
			store_is "$name" ok
	done
	for name in $wrong $owner; do
		cli "$name" CLUSTER SETSLOT "$slot" NODE "$id_wrong"
	done >>"$work/log/cluster"
	await_of "$wrong" 20 "the ring at its new owner" ring_at "$wrong" "$last"
	ctl "$last" rotate >>"$work/log/rotate" || fall_short "rotation in a cluster"
	await_of "node-$first" 10 "both nodes to agree" \
		same_epoch "$first" "$last"
	for name in $a $b $c; do nothing_refused cli "$name"; done
	for name in "node-$first" "node-$last" $a $b $c; do end "$name"; done
	figures+=("Cluster${s:+ by TLS}: MOVED and ASK followed")
}

cli_tls=(--tls --cacert "$work/ca.pem" --cert "$work/node.example.test.pem"
	--key "$work/node.example.test.key")
part_tls
speak_plain
part_sentinel 11 12 1 2 3
part_cluster 21 22
speak_tls
part_sentinel 31 32 4 5 6
part_cluster 41 42
figure=$(printf '%s; ' "${figures[@]}")
echo "keys-5: ${figure%; }"

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# With two Redis servers every entry of the audit is in both, the one that was
# away gets what it missed, stekctl shows the union and checks each chain, and
# an entry edited or cut out in one of them is found there.
. "$(dirname "$0")/lib.sh"
need jq redis-server redis-cli
stream="stek:{$farm}:audit"

at() { local n=$1; shift; redis-cli -h 127.0.0.1 -p "${redis_ports[n]}" "$@"; }
start_server()
{
	run "redis-$1" redis-server --port "${redis_ports[$1]}" \
		--bind 127.0.0.1 --save '' --appendonly no --dir "$work" \
		--maxmemory-policy noeviction
	await_of "redis-$1" 10 "redis-server $1" at "$1" PING
}

store_is() { ctl "$1" --json status | jq -e ".stores[$2].state == \"$3\""; }

# audit N FILTER: of the whole audit as node N sees it.
audit() { { ctl "$1" --json audit --verify --limit 1000 || :; } | jq -e "$2"; }

# both N: node N sees N entries, all in both stores, in two good chains.
both()
{
	audit "$1" ".good and (.entries | length) == $2 and
		all(.entries[]; .stores == [1, 2]) and
		([.stores[] | select(.answered and .good and
			.checked == $2 and .lacking == 0)] | length) == 2"
}

rotate() { ctl "$1" rotate --force >>"$work/log/rotate" 2>&1; }

redis_ports=()
for n in 1 2; do
	free_port
	redis_ports[n]=$port
	start_server $n
done
make_ca
make_certificate www.example.test
make_farm_key
for n in 1 2 3; do
	write_config $n
	# Nodes need not list the stores in one order; the second does not.
	order=(1 2)
	[ $n != 2 ] || order=(2 1)
	awk -v a="${redis_ports[${order[0]}]}" -v b="${redis_ports[${order[1]}]}" '
		/^store:/ { print "stores:"
			print "  - url: redis://127.0.0.1:" a
			print "  - url: redis://127.0.0.1:" b
			getline; next }
		{ print }' "$work/node-$n.yaml" >"$work/node-$n.new"
	mv "$work/node-$n.new" "$work/node-$n.yaml"
	start_node $n
done

# Each is entered twice: that it was asked for, and how it ended.
rotate 1 || fall_short "the first rotation"
rotate 2 || fall_short "the second rotation"
for n in 1 2 3; do await 10 "four entries in both" both $n 4; done
[ "$(at 1 XLEN "$stream")" = 4 ] || fall_short "four entries in the first"

# The nodes tell each other by their heartbeats where each chain ends; what is
# said below of the gap is known to who has heard of it.
knows() { ctl "$1" --json nodes >/dev/null && [ "$(grep -o ' 4 ' \
	"$work/state-$1"/audit.* | wc -l)" = 2 ]; }
for n in 2 3; do await_of node-$n 20 "node $n to know the heads" knows $n; done

# The second goes away; the node that makes the entries is then ended too.
end redis-2 KILL
await_of node-1 20 "node 1 to notice" store_is 1 1 unavailable
for n in 1 2 3; do rotate 1 || fall_short "a rotation with one store"; done
audit 1 '.good and (.entries | length) == 10 and
	.stores[0].answered and (.stores[1].answered | not)' >/dev/null ||
	fall_short "the union with one store away"
ctl 1 audit --verify >"$work/one-away"
grep -q '^store 2: NOT CHECKED' "$work/one-away" ||
	fall_short "stekctl does not say what it did not check"
stop_node 1
began=$(now_ms)
start_server 2
handed() { [ "$(at 2 XLEN "$stream")" -ge 10 ]; }
await_of node-3 30 "the entries to be handed on" handed
healed=$(($(now_ms) - began))
# Whoever handed them on: each node comes back to the store in its own time.
await_of node-3 20 "node 3 to come back" store_is 3 1 ok
await_of node-2 20 "node 2 to come back" store_is 2 0 ok
# The server came back empty: what it had before is handed on as well, and the
# four entries that its chain once had are missed there for ever.
audit 3 '(.good | not) and .stores[0].good and (.stores[1].good | not) and
	(.broken.store == 2) and (.broken.fault | test("1 to 4 are missing")) and
	(.entries | length) == 10 and all(.entries[]; .stores == [1, 2])' \
	>/dev/null || { ctl 3 audit --verify; fall_short "the healed union"; }
[ "$(at 2 XLEN "$stream")" = 10 ] || fall_short "an entry was handed on twice"

# An edited entry is found in the store where it stands.
id=$(at 1 --raw XREVRANGE "$stream" + - COUNT 2 | grep -E '^[0-9]+-[0-9]+$' |
	tail -n 1)
line=$(at 1 --raw XRANGE "$stream" "$id" "$id" | tail -n 1)
at 1 XDEL "$stream" "$id" >/dev/null
audit 2 '.stores[1].broken.fault | test("entry 9 is missing")' >/dev/null ||
	{ ctl 2 audit --verify; fall_short "a cut in the first store"; }
ctl 2 audit --verify >"$work/audit" && fall_short "a broken audit ended well"
grep -q '^store 2: BROKEN at entry 10' "$work/audit" ||
	{ cat "$work/audit"; fall_short "stekctl does not name the cut"; }
[ -n "$line" ] || fall_short "no line was cut"
# Node 2 lists it as its second, and hands the entry on to it again.
again() { audit 2 'all(.entries[]; .stores == [1, 2])'; }
await_of node-2 10 "the cut entry to be handed on" again
echo "keys-10: 2 stores, 10 entries in each of them, 6 missed ones handed on" \
	"$healed ms after the start of the server, a cut found in its store"

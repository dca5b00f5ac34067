#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# check_stats.sh - any node answers for the farm: after traffic, a restart and
# the loss of a node, /v1/stats of each says the same about all of them, and the
# event stream of each the same as that.
: "${top_builddir:?run by make check}"
STEKD_BUILD=$top_builddir
. "$(dirname "$0")/lib.sh"
need jq redis-server curl

stats() { ctl "$1" --json stats >"$work/stats-$1"; }

# fact N FILTER WHAT: of the last answer of node N.
fact()
{
	jq -e "$2" "$work/stats-$1" >/dev/null ||
		{ cat "$work/stats-$1"; fall_short "node $1: $3"; }
}

# until_stats N FILTER WHAT: heartbeats come once a second.
until_stats()
{
	local i

	for ((i = 0; i < 600; i++)); do
		stats "$1" && jq -e "$2" "$work/stats-$1" >/dev/null && return
		pause
	done
	fact "$@"
}

# What both must say alike: everything that was counted, but no times. The order
# of issuers and keys is that in which each node met them.
farm_of()
{
	jq -S 'def counted: del(.rates, .age_ms) |
		.issuers |= sort_by(.id) | .tickets_by_key |= sort_by(.key);
		{farm: (.farm | counted), nodes: [.nodes[] | counted], late,
		missing}' "$work/stats-$1"
}

# What else the last connections counted, their alerts, may come with the next
# heartbeat.
same_farm()
{
	local i n

	for ((i = 0; i < 600; i++)); do
		for n in 1 2; do stats $n && farm_of $n >"$work/farm-$n"; done
		cmp -s "$work/farm-1" "$work/farm-2" && return
		pause
	done
	diff "$work/farm-1" "$work/farm-2"
	fall_short "the nodes differ about the farm: $1"
}

# own N: handshakes that node N says it has served itself.
own() { ctl "$1" --json stats | jq '.node.full + .node.resumed'; }

# agree: both know of all that the nodes that run have served, $total.
agree()
{
	local n

	total=$(($(own 1) + $(own 2)))
	for n in 1 2; do
		stats $n
		jq -e ".farm.full + .farm.resumed == $total" \
			"$work/stats-$n" >/dev/null || return 1
	done
}

# load CONNECTIONS: as many, and those before that get the tickets. The last may
# be counted a moment after the client has seen its end.
load()
{
	local i

	probe load --connect "$both" --sni www.example.test \
		--ca "$work/ca.pem" --connections "$1" --json >"$work/load" ||
		{ cat "$work/load"; fall_short "the load"; }
	for ((i = 0; i < 600; i++)); do
		agree && return
		pause
	done
	fall_short "the farm does not have $total handshakes"
}

make_ca
make_certificate www.example.test
start_redis
make_farm_key
for n in 1 2; do write_config $n; done
start_node 1
start_node 2
both=127.0.0.1:${tls_port[1]},127.0.0.1:${tls_port[2]}

load 400
[ "$total" -ge 400 ] || fall_short "only $total connections"
for n in 1 2; do
	until_stats $n '[.nodes[] | .full + .resumed > 0 and .state == "live"] |
		length == 2 and all' "both nodes have a share"
	fact $n '.farm.resumed == ([.farm.issuers[].resumed] | add)' "issuers"
	until_stats $n '.late == [] and .missing == []' "nobody is silent"
done
same_farm "after the load"

# A rate is of what was counted here: the node that is asked saw it all begin.
for n in 1 2; do
	fact $n '.node.rates["60m"] | .over_s > 0 and .handshakes_per_s > 0 and
		.connections_per_s >= .handshakes_per_s' "its own rate"
	fact $n '(.node.rates["60m"] | .over_s * .handshakes_per_s + 0.5 |
		floor) == .node.full + .node.resumed' "a rate is not its count"
	fact $n '.farm.rates["60m"].handshakes_per_s > 0' "the farm's rate"
done

# The stream's first line agrees with it, and tells of the other node.
# It has no end, so the reader makes one, of which curl complains.
stream_agrees()
{
	{ curl -sN --unix-socket "${admin_socket[2]}" \
		http://stekd/v1/stream || :; } | head -n 1 >"$work/line"
	jq -e --slurpfile stats "$work/stats-2" '.type == "snapshot" and
		.totals.handshakes == $stats[0].farm.handshakes and
		([.nodes[] | .state == "live" and .ready and .version != null] |
		length == 2 and all) and
		([.heat.cells[][2]] | add) == .totals.resumed and
		([.ages.counts[]] | add) == .totals.resumed' "$work/line"
}
# Should a heartbeat be late, a node is for a moment not live.
for ((i = 0; i < 200; i++)); do
	! stream_agrees >/dev/null || break
	pause
done
[ $i -lt 200 ] || { cat "$work/line"; fall_short "the stream's snapshot"; }

# A restart: what the farm counts falls, its rates do not.
stop_node 1
until_stats 2 '.missing == ["node-1"] or .late == ["node-1"]' "node-1 is gone"
fact 2 '[.nodes[] | select(.name == "node-1")][0] | .full + .resumed > 0' \
	"the last known figures"
start_node 1
until_stats 2 '.late == [] and .missing == []' "node-1 is back"
load 100
same_farm "after a restart"
for n in 1 2; do
	fact $n '[.nodes[].rates[], .farm.rates[] | .handshakes_per_s >= 0 and
		.handshakes_per_s * .over_s < 1000] | all' "a rate jumped"
done
echo "check_stats: two nodes agree about $total handshakes"

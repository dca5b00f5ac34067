#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# With Redis frozen (SIGSTOP) the 99th percentile of resumed handshakes is what
# it is with Redis running: the 95 % confidence interval of the ratio, over
# pairs of rounds side by side, ends below 1.5.
#
#	tests/keys_11_frozen.sh [PAIRS=15]
#
# Each pair is one round of either kind in random order, so that what else the
# machine does meets both. Of a pair only the ratio of its two p99 counts; the
# interval of the ratios' median comes from their ranks alone (the binomial of
# the sign test), so that no noise needs to be normal and one bad round moves
# nothing. If it is too wide to end below the bound, as many pairs again are
# measured, four times at most. Were Redis in the way of handshakes, they would wait
# for its time-out of a second: a ratio of a thousand. The control does far less:
# pauses of 30 ms in the node, four a second, must be found by the same rule.
. "$(dirname "$0")/lib.sh"
pairs=${1:-15}
bound=1.5
sni=www.example.test
need jq redis-server redis-cli python3

store_is() { ctl 1 --json status | jq -e --arg is "$1" '.store.state == $is'; }

# The p99 of resumed handshakes of one round, in ms: sets `p99`.
measure()
{
	probe load --connect "127.0.0.1:${tls_port[1]}" --sni $sni \
		--ca "$work/ca.pem" --json --connections 500 --concurrency 2 \
		--rate 500 --tls both --resume 100 >"$work/round.json" || {
		cat "$work/round.json" >&2
		fall_short "handshakes failed in a round with Redis $1"
	}
	jq -e '.resumed == .offered and .offered >= 500' "$work/round.json" \
		>/dev/null || {
		cat "$work/round.json" >&2
		fall_short "resumptions were lost with Redis $1"
	}
	p99=$(jq .latency_ms.resumed.p99 "$work/round.json")
	handshakes=$((handshakes + $(jq .offered "$work/round.json")))
}

running()
{
	await_of node-1 20 "node-1 to reach Redis" store_is ok
	measure running
}

# From the moment on at which the node is in the middle of its talk with it.
frozen()
{
	kill -STOP "$(pid_of redis)"
	measure frozen
	await_of node-1 20 "node-1 to miss Redis" store_is unavailable
	kill -CONT "$(pid_of redis)"
	await_of node-1 20 "node-1 to reach Redis" store_is ok
}

# A node that stands still for 30 ms, four times a second.
paused()
{
	local node

	node=$(pid_of node-1)
	(while :; do
		read -rt 0.22 <> <(:) || :
		kill -STOP "$node"
		read -rt 0.03 <> <(:) || :
		kill -CONT "$node"
	done) &
	pauser=$!
	measure running
	kill $pauser
	wait $pauser 2>/dev/null || :
	kill -CONT "$node"
}

# pair KIND: appends "RUNNING KIND", the p99 of both, to $work/KIND.
pair()
{
	local first

	if [ $((RANDOM % 2)) = 0 ]; then
		running && first=$p99
		"$1" && echo "$first $p99" >>"$work/$1"
	else
		"$1" && first=$p99
		running && echo "$p99 $first" >>"$work/$1"
	fi
}

# median LOW HIGH of the ratios in $work/$1, LOW to HIGH the 95 % interval.
ratios()
{
	python3 - "$work/$1" <<-'EOT'
	import math, sys
	rows = [tuple(map(float, l.split())) for l in open(sys.argv[1])]
	r = sorted(b / a for a, b in rows)
	n = len(r)
	# The k smallest and k largest are left out, as many as leave 95 %.
	k = tail = 0
	while True:
	    tail += math.comb(n, k) / 2 ** n
	    if tail > 0.025:
	        break
	    k += 1
	assert k > 0, "six pairs are the least"
	mid = (r[(n - 1) // 2] + r[n // 2]) / 2
	a = sorted(x[0] for x in rows)[n // 2]
	b = sorted(x[1] for x in rows)[n // 2]
	print("%.3f %.3f %.3f %.2f %.2f" % (mid, r[k - 1], r[n - k], a, b))
	EOT
}

less() { python3 -c "import sys; sys.exit(not $1 < $2)"; }

# shellcheck disable=SC2317 # called by the EXIT trap
frozen_end()
{
	[ -z "${pauser-}" ] || kill "$pauser" 2>/dev/null || :
	for name in redis node-1; do
		! alive $name || kill -CONT "$(pid_of $name)" || :
	done
	lib_end "$1"
}
trap 'frozen_end $?' EXIT

make_ca
make_certificate $sni
start_redis
make_farm_key
start_node 1 $sni
handshakes=0

running	# caches and tables of the machine become warm
for turn in 1 2 3 4 5 6; do
	for ((i = 0; i < 6; i++)); do pair paused; done
	read -r median low _ <<<"$(ratios paused)"
	! less $bound "$low" || break
done
say "the control: ratio $median, at least $low"
less $bound "$low" ||
	fall_short "the rule does not find pauses of 30 ms: $low to be above $bound"
control=$median
for turn in 1 2 3 4 5; do
	for ((i = 0; i < pairs; i++)); do pair frozen; done
	read -r median low high a b <<<"$(ratios frozen)"
	say "turn $turn: ratio $median, $low to $high"
	! less "$high" $bound || break
done
less "$high" $bound || fall_short "ratio $median, 95 % interval $low to $high"
echo "keys-11: p99 of resumed handshakes $b ms with Redis frozen, $a ms running:" \
	"ratio $median, 95 % interval $low to $high (bound $bound) over" \
	"$(wc -l <"$work/frozen") pairs, $handshakes handshakes, none failed;" \
	"control $control"

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Redis away for real, with keys that live seconds: they go on rotating from
# the pending ones for two periods at least, then nobody seals, the last ticket
# resumes until its key expires, full handshakes always go on, and when Redis is
# back the nodes seal again, without a restart.
#
#	tests/keys_12_outage.sh [PERIOD_S=10]
. "$(dirname "$0")/lib.sh"
period=${1:-10}
sni=www.example.test
need jq redis-server redis-cli

active() { ctl "$1" --json keys | jq -er '[.keys[] | select(.state == "active")][0].id // "none"'; }
seals() { [ "$(active "$1")" != none ]; }
seals_not() { [ "$(active "$1")" = none ]; }
store_is() { ctl "$1" --json status | jq -e --arg is "$2" '.store.state == $is'; }

fetch()
{
	printf 'GET / HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\nConnection: close\r\n\r\n' |
		timeout 60 openssl s_client -quiet -connect \
			"127.0.0.1:${tls_port[$1]}" -CAfile "$work/ca.pem" \
			-servername $sni "${@:2}" 2>/dev/null
}

# A ticket of node 1 at node 2: "true" or "false", or the handshake failed.
resumes()
{
	fetch 2 -"$1" -sess_in "$work/$1.last" |
		grep -o '"resumed": *[a-z]*' | sed 's/.* *://; s/ //'
}

make_ca
make_certificate $sni
start_redis
make_farm_key
keys_yaml="  period_s: $period
  lifetime_s: $((3 * period))"
for n in 1 2; do start_node $n $sni; done
# A key of a whole slot is active: what follows is the schedule's own pace.
first=$(active 1)
turned() { seals 1 && [ "$(active 1)" != "$first" ]; }
await $((2 * period + 5)) "the second key" turned

"$STEKD_BUILD/stekprobe" load --connect \
	"127.0.0.1:${tls_port[1]},127.0.0.1:${tls_port[2]}" --sni $sni \
	--ca "$work/ca.pem" --json --duration 600 --concurrency 2 --rate 50 \
	--tls both --resume 0 --progress >"$work/load.json" 2>"$work/progress" &
load=$!
await 20 "the load to begin" test -s "$work/progress"

end redis KILL
left=$(now_ms)
seen=("$(active 1)")
while seals 1; do
	now=$(active 1)
	[ "$now" = none ] || [ "$now" = "${seen[-1]}" ] || seen+=("$now")
	if seals 1; then
		for v in tls1_2 tls1_3; do
			fetch 1 -$v -sess_out "$work/$v.new" >/dev/null ||
				fall_short "no handshake without Redis"
			[ ! -s "$work/$v.new" ] || mv "$work/$v.new" "$work/$v.last"
			rm -f "$work/$v.new"
		done
		sealed=$(now_ms)
	fi
	[ $((sealed - left)) -lt $((6 * period * 1000)) ] ||
		fall_short "sealing never ends without Redis"
	pause
done
sealed_s=$(((sealed - left) / 1000))
[ ${#seen[@]} -ge 3 ] ||
	fall_short "only ${#seen[@]} keys sealed: none came from the pending ones"
[ "$sealed_s" -ge $((2 * period - 1)) ] ||
	fall_short "no key seals $sealed_s s after Redis went"
await 5 "node-2 to seal no more" seals_not 2

# Nobody seals, the last tickets resume as before, and in the end they do not.
for v in tls1_2 tls1_3; do
	[ "$(resumes $v)" = true ] ||
		fall_short "$v: the last ticket does not resume while its key lives"
	fetch 1 -$v -sess_out "$work/$v.none" >/dev/null ||
		fall_short "no full handshake without a key"
	[ ! -s "$work/$v.none" ] ||
		[ "$(fetch 2 -$v -sess_in "$work/$v.none" |
			grep -c '"resumed": *true')" = 0 ] ||
		fall_short "a ticket of no key resumes"
done
ctl 1 --json status | jq -e '.degraded | any(. == "no key may seal")' \
	>/dev/null || fall_short "the status does not say that no key may seal"
expired() { [ "$(resumes tls1_2)" = false ] && [ "$(resumes tls1_3)" = false ]; }
await $((5 * period)) "the last tickets to end" expired
opened_s=$((($(now_ms) - sealed) / 1000))
[ "$opened_s" -ge $((2 * period)) ] ||
	fall_short "the last ticket opened for $opened_s s only"

start_redis "$redis_port"
back=$(now_ms)
for n in 1 2; do
	await_of node-$n 20 "node-$n to reach Redis" store_is $n ok
	await_of node-$n 20 "node-$n to seal again" seals $n
done
healed=$(($(now_ms) - back))
probe farm --expect 100 --sni $sni --ca "$work/ca.pem" \
	"127.0.0.1:${tls_port[1]}" "127.0.0.1:${tls_port[2]}" >"$work/log/farm" ||
	fall_short "tickets do not resume after the outage"
kill -TERM $load
wait $load || { cat "$work/load.json" >&2; fall_short "the load"; }
jq -e '.failed == 0 and .full > 0' "$work/load.json" >/dev/null || {
	cat "$work/load.json" >&2
	fall_short "full handshakes failed"
}
away=$(((back - left) / 1000))
echo "keys-12: Redis away for $away s, $((away / period)) periods:" \
	"${#seen[@]} keys sealed in turn for $sealed_s s, the last ticket opened" \
	"$opened_s s longer, sealing again $healed ms after its return;" \
	"$(jq -r '"\(.connections) full handshakes, \(.failed) failed"' "$work/load.json")"

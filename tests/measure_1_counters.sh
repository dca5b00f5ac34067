#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the nodes count and what a client counts by itself agree exactly, over
# 10,000 mixed connections to four nodes: handshakes by version and outcome,
# each reason to refuse a ticket among them, failures by reason, tickets by
# version and by key, alerts each way, bytes, who resumed whose tickets. And
# promtool finds nothing in the nodes' metrics.
. "$(dirname "$0")/lib.sh"
need redis-server jq promtool faketime
fake=$(find /usr/lib -name libfaketimeMT.so.1 2>/dev/null | head -n 1)
[ -n "$fake" ] || skip "libfaketimeMT.so.1 is missing; deploy/deps.sh installs it"

# Nodes 1 and 2 are like any. Tickets live for short_s only at node 3, and the
# clock of node 4 is further ahead than a node corrects: by 4 s in the end.
short_s=20
ahead_s=14
keys_yaml="  rotate_delay_ms: 10000
  rotate_interval_s: 1
  revoke_delay_ms: 500"
host=www.example.test

# make_client NAME CA: $work/NAME.pem and .key.
make_client()
{
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$work/$1.key" -out "$work/$1.csr" -subj "/CN=$1" \
		2>>"$work/log/openssl"
	openssl x509 -req -in "$work/$1.csr" -CA "$work/$2.pem" \
		-CAkey "$work/$2.key" -CAcreateserial -days 30 \
		-extfile <(printf '%s\n' basicConstraints=CA:false \
			extendedKeyUsage=clientAuth) \
		-out "$work/$1.pem" 2>>"$work/log/openssl"
}

# one_host NAME CLIENT_AUTH [LINE]
one_host()
{
	cat <<-EOT
	  - names: [$1.example.test]
	    alpn: [http/1.1]
	    certificate: $work/$host.pem
	    key: $work/$host.key
	    client_auth: $2
	EOT
	[ "$2" = none ] || printf '    %s\n' "client_ca: $work/clients.pem"
}

write_node()
{
	: >"$work/deny.$1"
	more_yaml="client_deny: $work/deny.$1" write_config "$1"
	{
		sed '/^hosts:/,$d' "$work/node-$1.yaml"
		echo "hosts:"
		one_host www none
		one_host other none
		one_host optional optional
		one_host required required
		sed -n '/^admin:/,$p' "$work/node-$1.yaml"
	} >"$work/node-$1.new"
	mv "$work/node-$1.new" "$work/node-$1.yaml"
}

metric()
{
	curl -sf "http://127.0.0.1:${metrics_port[$1]}/metrics" |
		awk -v name="$2" '$1 == name { print $2 }'
}
# shellcheck disable=SC2317 # by await
can_seal() { [ "$(metric "$1" stekd_can_seal)" = 1 ]; }

# ---- the two counts ------------------------------------------------------------

counted='^stekd_(handshakes|handshake_failures|tickets_issued|tickets_blank'
counted+='|key_tickets_issued|alerts|connections_accepted|received_bytes'
counted+='|sent_bytes|resumptions|backend_errors|connection_timeouts)_total'
counted+='|^stekd_(ticket_age|handshake_duration)_seconds_count'

# What all nodes say: "NODE SERIES VALUE".
scrape()
{
	local n

	for n in 1 2 3 4; do
		curl -sf "http://127.0.0.1:${metrics_port[n]}/metrics" \
			>"$work/metrics.$n" || fall_short "no metrics of node $n"
		sed -n 's/issuer_id="[^"]*",//; /^stekd/p' "$work/metrics.$n" |
			awk -v n=$n -v counted="$counted" \
				'$1 ~ counted { print n, $1, $2 }'
	done
}

# agree WHAT: the nodes have counted since the last time what the client has.
# Adds to `connections`.
connections=0
: >"$work/base"
agree()
{
	local tries=0

	client tally >"$work/tally"
	until is_agreed "$1"; do
		[ $((tries += 1)) -lt 200 ] ||
			fall_short "$(head -20 "$work/log/disagree")"
		pause
	done
	: >"$work/log/disagree"
	connections=$((connections + $(awk '
		/ stekd_connections_accepted_total / { sum += $3 }
		END { print sum }' "$work/tally")))
	cat "$work/tally" >>"$work/tallies"
	cp "$work/now" "$work/base"
	say "$1: $connections connections so far"
}

# A count may come a moment after the answer. One too many does not go away.
is_agreed()
{
	scrape >"$work/now"
	awk -v what="$1" '
		FILENAME ~ /base$/ { base[$1 " " $2] = $3; next }
		FILENAME ~ /now$/ { node[$1 " " $2] = $3 - base[$1 " " $2] }
		FILENAME ~ /tally$/ {
			seen[$1 " " $2] = $3
			if (!(($1 " " $2) in node)) {
				print what ": no node has " $0
				wrong++
			}
		}
		END {
			for (series in node) {
				if (node[series] == seen[series] + 0)
					continue
				printf "%s: %s: the node counted %d, the " \
					"client %d\n", what, series, \
					node[series], seen[series]
				wrong++
			}
			exit wrong > 0
		}' "$work/base" "$work/now" "$work/tally" >"$work/log/disagree"
}

# client COMMAND...: one command of tests/helper_count, and its answer.
client()
{
	local line

	echo "$*" >&"${counter[1]}" || fall_short "the client has ended"
	while read -r line <&"${counter[0]}"; do
		[ "$line" != . ] || return 0
		echo "$line"
	done
	fall_short "the client has ended: $(tail -n 3 "$work/log/client")"
}

# ---- the farm ------------------------------------------------------------------

make_ca && make_ca clients && make_ca strangers
make_certificate "$host"
make_client alice clients && make_client stranger strangers
start_redis && make_farm_key
for n in 1 2 3 4; do write_node $n; done
sed -i "s/^keys:/&\n  lifetime_s: $short_s\n  chain_s: $short_s/" \
	"$work/node-3.yaml"
start_node 1
start_node 2
start_node 3
LD_PRELOAD=$fake FAKETIME=+${ahead_s}s FAKETIME_DONT_FAKE_MONOTONIC=1 \
	run node-4 "$STEKD_BUILD/stekd" -c "$work/node-4.yaml"
await_of node-4 20 "node 4 to seal" can_seal 4
coproc counter {
	exec "$STEKD_BUILD/tests/helper_count" "$work/ca.pem" \
		"${tls_port[@]}" 2>"$work/log/client"
}

# ---- what lasts ----------------------------------------------------------------

client hang 20 1234
for v in 12 13; do client full old$v $v 40 12 $host; done
short_until=$(($(now_ms) + short_s * 1000 + 1000))
for v in 12 13; do client full www$v $v 600 12 $host; done
for v in 12 13; do
	client offer www$v $v 1850 12 $host resumed_active
	client offer www$v $v 200 21 $host refused_unknown other-key
	client offer www$v $v 200 21 $host refused_forged other-seal
	client offer www$v $v 200 21 $host refused_format shorter
	client offer www$v $v 200 21 other.example.test refused_policy
done
client offer www13 13 200 12 $host resumed_active retried
client offer www13 13 100 12 $host refused_forged forged-retried
client psk 100 1 2 $host
for v in 12 13; do
	client full alice$v $v 50 1 optional.example.test alice
	for reason in closed not_tls plain_http malformed; do
		client fail $reason $v 30 123 $host
	done
	for reason in unknown_host alpn group suite signature_scheme version \
		alert no_certificate unknown_ca; do
		client fail $reason $v 30 12 $host
	done
done
client fail fallback 12 30 12 $host
client fail master_secret 12 30 12 $host
client collect
agree "what lasts"

say "an identity that is denied"
for n in 1 2; do
	ctl $n deny add "$(openssl x509 -in "$work/alice.pem" -noout \
		-fingerprint -sha256 | sed 's/.*=//')" >>"$work/log/deny"
done
for v in 12 13; do
	# Who does not show the certificate again is let in as nobody.
	client offer alice$v $v 60 12 optional.example.test refused_identity
	client fail certificate_denied $v 30 12 $host
done
agree "identities"

# ---- what comes and goes -------------------------------------------------------

state_of()
{
	ctl "$1" --json keys |
		jq -r --arg id "$2" '.keys[] | select(.id == $id) | .state'
}
# shellcheck disable=SC2317 # by await
is_active() { [ "$(state_of "$1" "$2")" = active ]; }

# The others have 4 s more until the key is theirs. Should this machine stand
# still for as long, nobody knows what the nodes had to count: then once more.
say "a key that is active at node 4 and pending elsewhere"
for try in 1 2 3; do
	ctl 1 --json rotate >"$work/rotated" || fall_short "stekctl rotate"
	key=$(jq -r .key "$work/rotated")
	await 30 "node 4 to be ahead" is_active 4 "$key"
	for v in 12 13; do
		client full ahead$v$try $v 20 4 $host
		client offer ahead$v$try $v 40 12 $host resumed_pending
	done
	[ "$(state_of 1 "$key") $(state_of 2 "$key")" != "pending pending" ] ||
		break
	[ $try != 3 ] || fall_short "never was a key pending for long enough"
	scrape >"$work/base"
	client tally >/dev/null
done
agree "a pending key"
for n in 1 2 3; do
	await 30 "node $n to take the new key" is_active $n "$key"
done
for v in 12 13; do
	client offer www$v $v 500 12 $host resumed_retired
done
agree "a retired key"

say "tickets that are too old for node 3"
# shellcheck disable=SC2317 # by await
is_short_over() { [ "$(now_ms)" -gt "$short_until" ]; }
await 60 "the time to pass" is_short_over
for v in 12 13; do
	client offer old$v $v 80 3 $host refused_expired
	# Fresh tickets of sessions that began long ago.
	for batch in 1 2 3 4 5 6 7 8; do
		client offer old$v $v 10 12 $host resumed_retired as-is \
			chain$v$batch
		client offer chain$v$batch $v 10 3 $host refused_chain
	done
done
agree "old tickets"

say "a revocation"
ctl 1 revoke --all >"$work/log/revoke" 2>&1 || fall_short "stekctl revoke --all"
for n in 1 2 3 4; do
	await_of "node-$n" 30 "node $n to seal again" can_seal $n
done
for v in 12 13; do
	client offer www$v $v 250 12 $host refused_revoked
	client full new$v $v 50 124 $host
	client offer new$v $v 50 12 $host resumed_active
done
agree "a revocation"

# ---- the whole -----------------------------------------------------------------

# What the client was told to bring about has all come about. No library offers
# nine tickets at once, as refused_limit asks.
sed -n 's/^\(stekd_handshakes_total[^ ]*\) .*/\1/p' "$work/metrics.1" |
	grep -v -e '"refused_limit"' -e 'TLSv1.2.*"refused_psk_ke"' \
		>"$work/outcomes"
while read -r series; do
	grep -qF " $series " "$work/tallies" || fall_short "no try of $series"
done <"$work/outcomes"

# What a node says of the others is what they say themselves.
# shellcheck disable=SC2317 # by await
farm_agrees()
{
	ctl 1 --json stats | jq -r '.nodes[] | .name as $name |
		(.handshakes | to_entries[] | .key as $version |
		 .value | to_entries[] | [$name, $version, .key, .value]),
		(.failures | to_entries[] | [$name, "failed", .key, .value]),
		(.alerts | to_entries[] | .key as $direction | .value |
		 to_entries[] | [$name, $direction, .key, .value]),
		(.tickets_issued | to_entries[] | [$name, "tickets", .key, .value])
		| select(.[3] > 0) | map(tostring) | join(" ")' |
		sort >"$work/stats"
	for n in 1 2 3 4; do
		sed -n -e 's/^stekd_handshakes_total{version="\(.*\)",outcome="\(.*\)"} /\1 \2 /p' \
			-e 's/^stekd_handshake_failures_total{reason="\(.*\)"} /failed \1 /p' \
			-e 's/^stekd_alerts_total{direction="\(.*\)",alert="\(.*\)"} /\1 \2 /p' \
			-e 's/^stekd_tickets_issued_total{version="\(.*\)"} /tickets \1 /p' \
			"$work/metrics.$n" | sed -n "s/^/node-$n /; / 0\$/!p"
	done | sort >"$work/theirs"
	cmp -s "$work/stats" "$work/theirs"
}
await 20 "node 1 to know what the others have counted" farm_agrees

for n in 1 2 3 4; do
	promtool check metrics <"$work/metrics.$n" >"$work/log/promtool" 2>&1 ||
		fall_short "$(cat "$work/log/promtool")"
	[ ! -s "$work/log/promtool" ] || fall_short "$(cat "$work/log/promtool")"
done
if grep -v '^# HELP stekd_alerts_total' "$work/metrics.1" |
	promtool check metrics >"$work/log/promtool" 2>&1; then
	fall_short "promtool does not see that a metric lacks its help"
fi
[ "$connections" -ge 10000 ] || fall_short "$connections connections"
echo "measure-1: $connections connections, counted alike by four nodes and" \
	"their client: $(wc -l <"$work/outcomes") outcomes," \
	"$(grep -c . <(cut -d' ' -f2- "$work/tallies" | sed 's/ [0-9]*$//' |
		sort -u)) figures; promtool finds nothing"

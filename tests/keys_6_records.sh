#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What is not the farm's own ring, written into the Redis of a running farm
# (fields of two documents swapped, another farm's name or key, flipped bits,
# cut, lengthened, empty, nameless), is refused by every node and counted; the
# good ring stays, tickets go on to resume, and once the bad document is gone
# the farm puts its own back.
. "$(dirname "$0")/lib.sh"
need jq python3 redis-server redis-cli

n_nodes=2
ring="stek:{$farm}:ring"

page()
{
	printf 'GET / HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\nConnection: close\r\n\r\n' |
		timeout 60 openssl s_client -quiet \
			-connect "127.0.0.1:${tls_port[$1]}" \
			-CAfile "$work/ca.pem" -servername www.example.test \
			"${@:2}" 2>/dev/null
}

# resumes: the ticket of node 1 at every node, in both versions.
resumed=0
resumes()
{
	local n v text

	for n in $(seq $n_nodes); do
		for v in tls1_2 tls1_3; do
			text=$(page "$n" -$v -sess_in "$work/ticket.$v") ||
				fall_short "a handshake failed at node $n"
			[[ $text == *'"resumed":'*true* ]] ||
				fall_short "no resumption with $1 at node $n: $text"
			resumed=$((resumed + 1))
		done
	done
}

refused_by()
{
	curl -sf "http://127.0.0.1:${metrics_port[$1]}/metrics" |
		awk '/^stekd_ring_records_refused_total/ { print $NF }'
}
# shellcheck disable=SC2317 # by await
counted() { [ "$(refused_by "$1")" -gt "$2" ]; }
# shellcheck disable=SC2317 # by await
is_good() { [ "$(redis hexists "$ring" doc)" = 1 ] && [ "$(field epoch)" -gt "$epoch" ]; }

field() { redis --raw hget "${2:-$ring}" "$1" | head -c -1; }
keys_of() { ctl "$1" --json keys | jq -c '[.keys[].id]'; }

# A second farm and a second farm key, each with a ring of its own here.
make_ca
make_certificate www.example.test
make_farm_key
start_redis
farm_key=$work/other.key
make_farm_key "$farm_key"
start_node 8
field doc >"$work/other_key"
stop_node 8
redis del "$ring" "stek:{$farm}:nodes" >/dev/null
farm_key=$work/farm.key
farm=other
start_node 9
field doc "stek:{other}:ring" >"$work/other_farm"
stop_node 9
farm="test"

for n in $(seq $n_nodes); do start_node "$n"; done
field doc >"$work/earlier"
ctl 1 rotate >"$work/log/rotate" 2>&1 || fall_short "stekctl rotate"
for v in tls1_2 tls1_3; do
	page 1 -$v -sess_out "$work/ticket.$v" >/dev/null
	[ -s "$work/ticket.$v" ] || fall_short "no $v ticket"
done
resumes "the good ring"

# mangle HOW: a bad document to stdout. Bytes: format 0, kind 1, farm-key id 2-9,
# epoch 10-17, nonce 18-41, ciphertext, tag of 16.
mangle()
{
	python3 - "$1" "$work/good" "$work/earlier" "$work/other_farm" \
		"$work/other_key" <<-'EOT'
	import sys
	how = sys.argv[1]
	good, earlier, farm, key = (open(f, "rb").read() for f in sys.argv[2:6])
	def splice(start, end, other):
	    return good[:start] + other[start:end] + good[end:]
	def flip(at):
	    at %= len(good)
	    return good[:at] + bytes([good[at] ^ 1]) + good[at + 1:]
	made = {
	    "epoch_swapped": lambda: splice(10, 18, earlier),
	    "nonce_swapped": lambda: splice(18, 42, earlier),
	    "tag_swapped": lambda: good[:-16] + earlier[-16:],
	    "body_swapped": lambda: good[:42] + earlier[42:],
	    "key_id_swapped": lambda: splice(2, 10, key),
	    "kind_swapped": lambda: good[:1] + b"\2" + good[2:],
	    "other_farm": lambda: farm,
	    "other_farm_key": lambda: key,
	    "cut_by_one": lambda: good[:-1],
	    "cut_to_header": lambda: good[:42],
	    "cut_to_half": lambda: good[:len(good) // 2],
	    "empty": lambda: b"",
	    "one_more": lambda: good + b"\0",
	    "too_long": lambda: good + bytes(70000),
	    "zeros": lambda: bytes(len(good)),
	}
	if how.startswith("flip_"):
	    out = flip(int(how[5:]))
	else:
	    out = made[how]()
	assert out != good
	sys.stdout.buffer.write(out)
	EOT
}

kinds="epoch_swapped nonce_swapped tag_swapped body_swapped key_id_swapped
kind_swapped other_farm other_farm_key cut_by_one cut_to_header cut_to_half
empty one_more too_long zeros flip_0 flip_1 flip_5 flip_13 flip_17 flip_30
flip_42 flip_77 flip_200 flip_-17 flip_-1 nameless"
tried=0 healed=0
for kind in $kinds; do
	epoch=$(field epoch)
	before=$(keys_of 1)
	field doc >"$work/good"
	for n in $(seq $n_nodes); do count[n]=$(refused_by "$n"); done
	# Another version, or nobody would look; all of it at once, as a writer would.
	if [ "$kind" = nameless ]; then
		redis hdel "$ring" epoch digest >/dev/null
	else
		mangle "$kind" >"$work/bad" || fall_short "no $kind"
		# shellcheck disable=SC2016 # the protocol has dollars
		{
			printf '*6\r\n$4\r\nHSET\r\n$%d\r\n%s\r\n$6\r\ndigest\r\n' \
				${#ring} "$ring"
			printf '$32\r\n%032d\r\n$3\r\ndoc\r\n$%d\r\n' \
				$((tried + 1)) "$(stat -c %s "$work/bad")"
			cat "$work/bad"
			printf '\r\n'
		} | redis --pipe >"$work/log/pipe" 2>&1 ||
			fall_short "$kind was not written"
	fi
	for n in $(seq $n_nodes); do
		await 10 "node $n to count $kind as refused" \
			counted "$n" "${count[n]}"
	done
	for n in $(seq $n_nodes); do
		[ "$(keys_of "$n")" = "$before" ] ||
			fall_short "node $n lost its good ring to $kind"
	done
	resumes "$kind in Redis"
	tried=$((tried + 1))
	redis del "$ring" >/dev/null
	await 10 "the farm to put its ring back after $kind" is_good
	[ "$(keys_of 1)" = "$before" ] || fall_short "keys changed by $kind"
	healed=$((healed + 1))
done
ctl 2 rotate --force >"$work/log/rotate" 2>&1 ||
	fall_short "no rotation after all that: $(cat "$work/log/rotate")"
resumes "the farm after all that"
echo "keys-6: $tried bad documents, each refused and counted by $n_nodes of" \
	"$n_nodes nodes; $resumed of $resumed resumed; the ring put back $healed times"

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The farm key rolled over under load: no resumption is lost, the old line goes,
# the audit verifies, and an entry edited in Redis is found and named. A request
# sent twice, also to another node, rotates once.
. "$(dirname "$0")/lib.sh"
need jq redis-server redis-cli

nodes=3
make_ca
make_certificate www.example.test
make_farm_key
cp -p "$work/farm.key" "$work/first.key"
start_redis
for n in $(seq $nodes); do
	farm_key=$work/farm-$n.key
	cp -p "$work/first.key" "$farm_key"
	start_node "$n"
done

load()
{
	local connect=() n

	for n in $(seq $nodes); do
		connect+=(--connect "127.0.0.1:${tls_port[n]}")
	done
	probe load "${connect[@]}" --sni www.example.test --ca "$work/ca.pem" \
		--json "$@"
}

fact() { ctl 1 --json farm-key status | jq -r "$1"; }
# next_is PATTERN: what to do next, as soon as the nodes have told each other.
next_says() { fact .next | grep -q "$1"; }
next_is() { await 20 "the next step to be: $1" next_says "$1"; }
ring_under() { [ "$(fact .ring)" = "$1" ]; }
all_under()
{
	ctl 1 --json farm-key status | jq -e --arg id "$1" \
		'.ring == $id and all(.nodes[]; .seals == $id)'
}

load --duration 12 --concurrency 4 --tls both --resume 100 --progress \
	>"$work/load.json" 2>"$work/progress" &
pid=$!
await 20 "the load to begin" test -s "$work/progress"

# A dry run changes nothing; a name makes two requests one, at any node.
before=$(ctl 1 --json keys | jq .epoch)
ctl 1 --json rotate --dry-run | jq -e '.dry_run and (.nodes | length) == 3' \
	>/dev/null || fall_short "the dry run"
[ "$(ctl 1 --json keys | jq .epoch)" = "$before" ] ||
	fall_short "the dry run changed the ring"
first=$(ctl 1 --json rotate --idempotency-key once | jq -r .key)
again=$(ctl 2 --json rotate --idempotency-key once) ||
	fall_short "the repeated request: $again"
if [ "$(jq -r .key <<<"$again")" != "$first" ] ||
	[ "$(jq .replayed <<<"$again")" != true ]; then
	fall_short "node 2 rotated again: $again"
fi
ctl 3 --json rotate --force --idempotency-key once >"$work/reused" 2>/dev/null &&
	fall_short "a name was taken for another request"
[ "$(jq .status "$work/reused")" = 422 ] || fall_short "$(cat "$work/reused")"

# The new key as the second line of every node, one after the other.
old=$(fact .target)
new=$("$STEKD_BUILD/stekctl" --json keygen --append "$work/farm-1.key" |
	jq -r .id)
grep "$new" "$work/farm-1.key" >"$work/new.line"
ctl 1 farm-key reload >/dev/null || fall_short "reload at node 1"
cat "$work/new.line" >>"$work/farm-2.key"
ctl 2 farm-key reload >/dev/null || fall_short "reload at node 2"
next_is node-3
ring_under "$old" || fall_short "sealed anew before every node had the key"
# A broken file is refused with file and line, and the old keys stay.
cp "$work/farm-3.key" "$work/good"
echo "stek-farm-key-1 nonsense" >>"$work/farm-3.key"
ctl 3 farm-key reload >/dev/null 2>"$work/refused" &&
	fall_short "a broken key file was taken"
grep -q "farm-3.key:[0-9]" "$work/refused" || fall_short "$(cat "$work/refused")"
cat "$work/good" "$work/new.line" >"$work/farm-3.key"
kill -HUP "$(cut -d' ' -f1 "$work/pid/node-3")"
await 20 "the ring under the new key on every node" all_under "$new"
next_is "remove the line of farm key $old"
for n in $(seq $nodes); do
	grep -v "$old" "$work/farm-$n.key" >"$work/cut"
	cat "$work/cut" >"$work/farm-$n.key"
	ctl "$n" farm-key reload >/dev/null || fall_short "reload at node $n"
done
next_is "^nothing"
wait $pid || { cat "$work/load.json"; fall_short "stekprobe load"; }
jq -e '.failed == 0 and .resumed == .wanted' "$work/load.json" >/dev/null ||
	{ cat "$work/load.json"; fall_short "a resumption was lost"; }
# The old key alone: refused, shown, and the ring in Redis is left alone.
stop_node 3
cp -p "$work/first.key" "$work/farm-3.key"
rm -rf "$work/state-3"/*
held=$(redis HGET "stek:{$farm}:ring" epoch)
run node-3 "$STEKD_BUILD/stekd" -c "$work/node-3.yaml"
lacking() { ctl 3 --json farm-key status | jq -e .lacking; }
await_of node-3 20 "node-3 to say what it lacks" lacking
is_refused() { ctl 3 --json status | jq -e '.store.state == "refused"'; }
await_of node-3 20 "node-3 to say that it is refused" is_refused
if [ "$(redis HGET "stek:{$farm}:ring" epoch)" -lt "$held" ] ||
	! ring_under "$new"; then
	fall_short "node-3 overwrote the ring"
fi

ctl 1 audit --verify >"$work/audit" || fall_short "$(cat "$work/audit")"
entries=$(ctl 1 --json audit --verify | jq .checked)
# Someone with Redis access edits the third entry: the rest is put back as it is.
stream="stek:{$farm}:audit"
redis --json XRANGE "$stream" - + >"$work/stream.json"
redis DEL "$stream" >/dev/null
i=0
while IFS= read -r line; do
	i=$((i + 1))
	[ $i != 3 ] || line=${line/\"who\":\"/\"who\":\"not }
	[ $i != 3 ] || line=${line/\"action\":\"/\"action\":\"no }
	redis XADD "$stream" '*' line "$line" >/dev/null
done < <(jq -r '.[][1][1]' "$work/stream.json")
ctl 1 --json audit --verify >"$work/broken" 2>/dev/null &&
	fall_short "an edited entry was not found"
[ "$(jq .broken.seq "$work/broken")" = 3 ] || fall_short "$(cat "$work/broken")"
echo "keys-7: rolled over under load," \
	"$(jq -r '"\(.connections) connections, \(.failed) failed, \(.wanted - .resumed) of \(.wanted) resumptions lost"' "$work/load.json");" \
	"$entries audit entries verified, the edited one found"

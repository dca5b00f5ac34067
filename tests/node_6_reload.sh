#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# 100 reloads, by SIGHUP and by HTTP in turn, change certificates, hosts and
# backends of a node under load: no connection is dropped, no handshake fails,
# every fifth configuration is faulty, refused, and changes nothing. Resumed and
# full handshakes of both versions run all the while, and long-lived connections
# exchange lines with a backend. What is no longer used leaves the memory.
. "$(dirname "$0")/lib.sh"
need python3 jq

reloads=${RELOADS:-100}
holders=24
make_ca
make_certificate www.example.test
for which in one two; do
	mkdir "$work/$which"
	make_certificate www.example.test
	mv "$work"/www.example.test.{pem,key} "$work/$which/"
done
make_farm_key
start_redis
free_port
echo_a=$port
free_port
echo_b=$port

# variant NAME [LINES]: a configuration of the node.
variant()
{
	local which=$1 backend=$2 extra=$3 more=$4

	more_yaml="$more"
	cat >"$work/$which.variant" <<-EOT
	hosts:
	  - names: [www.example.test]
	    default: true
	    group: www
	    certificate: $work/$which/www.example.test.pem
	    key: $work/$which/www.example.test.key
	  - names: [localhost]
	    certificate: $work/$which/www.example.test.pem
	    key: $work/$which/www.example.test.key
	    backend: tcp:127.0.0.1:$backend
	$extra
	$more
	EOT
}

cp "$work/one/"* "$work/"
write_config 1
# The part that no reload changes.
sed '/^hosts:/,/^    backend/d' "$work/node-1.yaml" >"$work/fixed"
variant one "$echo_a" "" "limits: { idle_timeout_ms: 60000 }"
variant two "$echo_b" "  - names: [new.example.test]
    certificate: $work/two/www.example.test.pem
    key: $work/two/www.example.test.key
    alpn: [http/1.1]" "limits: { idle_timeout_ms: 70000 }"
configure() { cat "$work/fixed" "$work/$1.variant" >"$work/node-1.yaml"; }

# break_config N: the present one with a fault, another for each N.
break_config()
{
	case $(($1 % 5)) in
	0) echo "bogus: 1" >>"$work/node-1.yaml" ;;
	1) sed -i 's,www.example.test.key$,none.key,' "$work/node-1.yaml" ;;
	2) sed -i 's/^farm: .*/farm: other/' "$work/node-1.yaml" ;;
	3) echo "tls: { ciphers: NO_SUCH }" >>"$work/node-1.yaml" ;;
	4) sed -i "s/127.0.0.1:${tls_port[1]}/127.0.0.1:1/" \
		"$work/node-1.yaml" ;;
	esac
}

metric()
{
	curl -s "http://127.0.0.1:${metrics_port[1]}/metrics" |
		awk -v name="$1" '$1 == name { print $2 }'
}
is_counted() { [ "$(metric "stekd_reloads_total{result=\"$1\"}")" = "$2" ]; }
no_old_one() { [ "$(metric stekd_configurations_held)" = 1 ]; }
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$(pid_of node-1)/status"; }
serial_of() { openssl x509 -noout -serial -in "$1"; }
served()
{
	openssl s_client -connect "127.0.0.1:${tls_port[1]}" \
		-servername www.example.test </dev/null 2>/dev/null |
		openssl x509 -noout -serial
}

# reload N RESULT COUNT: by SIGHUP or by stekctl.
reload()
{
	if [ $(($1 % 2)) = 1 ]; then
		kill -HUP "$(pid_of node-1)"
		await_of node-1 20 "reload $1 to be $2" is_counted "$2" "$3"
		return
	fi
	if ctl 1 reload >"$work/log/reload" 2>&1; then
		[ "$2" = ok ] || fall_short "reload $1 was taken"
	elif [ "$2" = ok ]; then
		fall_short "reload $1: $(cat "$work/log/reload")"
	else
		grep -q "node-1.yaml:[0-9]*: found\|node-1.yaml: tls" \
			"$work/log/reload" || fall_short "reload $1 does not" \
			"say why: $(cat "$work/log/reload")"
	fi
	is_counted "$2" "$3" || fall_short "reload $1 is not counted as $2"
}

configure one
start_node 1
run echo python3 "$repo/tests/node_6_echo.py" serve "$echo_a" "$echo_b"
await_of echo 10 "the backend" grep -q ready "$work/log/echo"
run hold python3 "$repo/tests/node_6_echo.py" hold "${tls_port[1]}" localhost \
	"$work/ca.pem" $holders
await_of hold 20 "the long-lived connections" grep -q ready "$work/log/hold"
"$STEKD_BUILD/stekprobe" load --connect "127.0.0.1:${tls_port[1]}" --sni www.example.test \
	--ca "$work/ca.pem" --tls both --resume 50 --concurrency 6 \
	--duration 600 --json --progress >"$work/load.json" \
	2>"$work/log/load" &
load=$!
await 20 "the load to begin" test -s "$work/log/load"

good=0 refused=0 present=one
for ((i = 1; i <= reloads; i++)); do
	if [ $((i % 5)) = 0 ]; then
		break_config $((refused++))
		reload "$i" refused $refused
	else
		[ $present = one ] && present=two || present=one
		configure $present
		reload "$i" ok $((++good))
	fi
	[ "$(served)" = "$(serial_of "$work/$present/www.example.test.pem")" ] ||
		fall_short "after reload $i another certificate is served"
	rss >>"$work/rss"
done
# Medians: a moment's load moves a single figure.
median() { sort -n | sed -n "$((reloads / 10))p"; }
before=$(sed -n "$((reloads / 5 + 1)),$((reloads * 2 / 5))p" "$work/rss" | median)
after=$(tail -n $((reloads / 5)) "$work/rss" | median)

kill -TERM $load
wait $load || { cat "$work/load.json"; fall_short "the load has failed"; }
jq -e '.failed == 0 and .resumed == .offered and .resumed > 0 and
	.full > 0' "$work/load.json" >/dev/null ||
	{ cat "$work/load.json"; fall_short "handshakes were lost"; }
alive hold || fall_short "a connection was dropped: $(tail -1 "$work/log/hold")"
end hold
lines=$(tail -1 "$work/log/hold")
[ "$lines" -gt 0 ] 2>/dev/null || fall_short "a connection was dropped: $lines"
await_of node-1 20 "the old configurations to be freed" no_old_one
if ! is_counted ok $good || ! is_counted refused $refused; then
	fall_short "the reloads are not counted"
fi
[ $((after - before)) -lt $((before / 10 + 1024)) ] ||
	fall_short "memory grew from $before to $after kB"
ctl 1 --json audit --limit 1000 --verify | jq -e --argjson n "$reloads" \
	'.good and ([.entries[] | select(.entry.action == "reload")] |
	length) == $n' >/dev/null || fall_short "the audit lacks reloads"
configure $present
took=$(ctl 1 --json reload | jq .took_ms)
jq -r --arg good "$good" --arg refused "$refused" --arg lines "$lines" \
	--arg before "$before" --arg after "$after" --arg held "$holders" \
	--arg took "$took" '"node-6: \($good) reloads and \($refused) " +
	"refused (\($took) ms each) under \(.resumed) resumed and \(.full) " +
	"full handshakes, \(.failed) failed; \($held) connections held " +
	"through all, \($lines) lines echoed, none dropped; " +
	"RSS \($before) kB in the second fifth, \($after) kB in the last"' \
	"$work/load.json"

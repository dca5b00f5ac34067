#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What deploy/ holds for Prometheus and Grafana works with a real farm. Each
# alert fires when it should and at no healthy farm, a real Prometheus scrapes
# two nodes by the shipped configuration, every metric that a rule or a panel
# names is in the scrape, and every panel's query answers.
. "$(dirname "$0")/lib.sh"
need promtool prometheus jq redis-server

host=www.example.test
rules=$repo/deploy/prometheus
board=$repo/deploy/grafana/stekd.json

# query EXPRESSION: prints the answer of Prometheus, which must be one.
query()
{
	curl -sS "http://127.0.0.1:$prometheus_port/api/v1/query" \
		--data-urlencode "query=$1" >"$work/answer"
	[ "$(jq -r .status "$work/answer")" = success ] ||
		fall_short "$1: $(cat "$work/answer")"
	cat "$work/answer"
}

# at_least N EXPRESSION: it has that many series.
at_least() { [ "$(query "$2" | jq '.data.result | length')" -ge "$1" ]; }

value() { query "$1" | jq -r '.data.result[0].value[1] // "none"'; }

# A panel's query as Grafana would send it.
panel_query()
{
	# shellcheck disable=SC2016 # Grafana's variables
	sed -e 's/\$__rate_interval/1m/g; s/\$__range/1h/g; s/\$__interval/1m/g' \
		-e 's/\$job/stekd-www/g; s/\$instance/.*/g' <<<"$1"
}

# ---- the rules alone -----------------------------------------------------------

promtool check config "$rules/prometheus.yml"
promtool test rules "$rules/alerts_test.yml"
sed -n 's/^ *- alert: //p' "$rules/alerts.yml" >"$work/alerts"
while read -r alert; do
	grep -q "alertname=\"$alert\"" "$rules/alerts_test.yml" ||
		fall_short "no test of the alert $alert"
done <"$work/alerts"
alerts=$(wc -l <"$work/alerts")

# ---- a farm, and Prometheus ----------------------------------------------------

make_ca
make_certificate "$host"
make_farm_key
start_redis
start_node 1
start_node 2
free_port
prometheus_port=$port
cp "$rules/rules.yml" "$rules/alerts.yml" "$work/"
sed -e 's/15s$/1s/' \
	-e "s/node1.example.com:9105/127.0.0.1:${metrics_port[1]}/" \
	-e "s/node2.example.com:9105/127.0.0.1:${metrics_port[2]}/" \
	-e '/node3.example.com/d' "$rules/prometheus.yml" >"$work/prometheus.yml"
run prometheus prometheus --config.file="$work/prometheus.yml" \
	--storage.tsdb.path="$work/tsdb" \
	--web.listen-address="127.0.0.1:$prometheus_port"
await_of prometheus 30 "Prometheus" \
	curl -sf "http://127.0.0.1:$prometheus_port/-/ready"
await_of prometheus 30 "both nodes to be scraped" \
	at_least 2 'up{job="stekd-www"} == 1'
# A counter that begins at its first value has not grown yet: so twice.
for round in 1 2; do
	for n in 1 2; do
		probe load --connect "127.0.0.1:${tls_port[n]}" --sni "$host" \
			--ca "$work/ca.pem" --connections 200 --expect 100 \
			--json >"$work/load" || fall_short "$(cat "$work/load")"
	done
	await_of prometheus 30 "the load to be scraped" \
		at_least 1 "sum(stekd_handshakes_total) >= 400 * $round"
done
await_of prometheus 30 "the rules to be computed" \
	at_least 1 'job:stekd_resumed:ratio_rate5m > 0'

# ---- every name, every query ---------------------------------------------------

query 'count by (__name__) ({__name__=~"stekd_.*"})' |
	jq -r '.data.result[].metric.__name__' | sort -u >"$work/scraped"
names=$(cat "$rules/rules.yml" "$rules/alerts.yml" "$board" |
	sed 's/[a-z_]*:stekd_[a-z_0-9:]*//g' |
	grep -o '\bstekd_[a-z_0-9]*' | sort -u)
for name in $names; do
	grep -qx "$name" "$work/scraped" ||
		fall_short "no node has the metric $name"
done

# The panels are about the last minute, and asking takes its time.
run busy "$STEKD_BUILD/stekprobe" load --sni "$host" --ca "$work/ca.pem" \
	--connect "127.0.0.1:${tls_port[1]},127.0.0.1:${tls_port[2]}" \
	--rate 20 --concurrency 2 --resume 100 --duration 3600
queries=0 empty=0
while IFS= read -r expr; do
	query "$(panel_query "$expr")" >"$work/panel"
	queries=$((queries + 1))
	case $expr in
	# What a farm in good health has none of.
	*refused_* | *handshake_failures* | *changes\(*) continue ;;
	esac
	if [ "$(jq '.data.result | length' "$work/panel")" = 0 ]; then
		echo "empty: $expr"
		empty=$((empty + 1))
	fi
done < <(jq -r '(.panels[].targets[]?.expr), .annotations.list[].expr' "$board")
[ "$queries" -ge 30 ] || fall_short "the dashboard has $queries queries"
[ $empty = 0 ] || fall_short "$empty queries show nothing of a busy farm"

# Everybody resumed who could: the first panel has to say so.
share=$(value "$(panel_query \
	"$(jq -r '[.panels[] | select(.type == "stat")][0].targets[0].expr' \
		"$board")")")
# Sums of floating point may end a bit beside it.
awk -v s="$share" 'BEGIN { exit !(s > 0.999999999 && s < 1.000000001) }' ||
	fall_short "all resumed, and the dashboard says $share"
firing=$(query 'ALERTS{alertstate="firing"}' |
	jq -r '[.data.result[].metric.alertname] | join(" ")')
[ -z "$firing" ] || fall_short "at a healthy farm: $firing"
echo "measure-6: $alerts alerts tested, $(wc -w <<<"$names") metrics named and" \
	"scraped, $queries queries of the dashboard answered by Prometheus," \
	"which says that $share of the clients resume"

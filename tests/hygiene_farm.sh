# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154,SC2034 # lib.sh and measure_2_hygiene.sh
#
# The half of measure_2_hygiene.sh about stekprobe farm: five nodes of which one
# is made a stray, one way after the other. hygiene_farm sets `farm_figure`.
stray=4
hygiene_host=www.example.test

# A layer-4 balancer without health checks: every node gets every fifth.
balancer_up()
{
	local n

	free_port
	balancer=127.0.0.1:$port
	{
		cat <<-EOT
		global
		  nbthread 1
		defaults
		  mode tcp
		  timeout connect 5s
		  timeout client 30s
		  timeout server 30s
		listen tls
		  bind $balancer
		  balance roundrobin
		EOT
		for n in 1 2 3 4 5; do
			echo "  server node-$n 127.0.0.1:${tls_port[n]}"
		done
	} >"$work/haproxy.cfg"
	run haproxy haproxy -db -f "$work/haproxy.cfg"
	await_of haproxy 10 haproxy answers "$balancer"
}

answers() { (exec 3<>"/dev/tcp/${1%:*}/${1#*:}") 2>/dev/null; }

# become WHAT: the stray's configuration is that of a good node, but for WHAT;
# ready when it answers: with another farm key it cannot read the ring.
become()
{
	local conf=$work/node-$stray.yaml

	stop_node $stray
	rm -rf "$work/state-$stray" "$work/own-store"
	mkdir -p "$work/state-$stray" "$work/own-store"
	case $1 in
	good) cp "$work/good.yaml" "$conf" ;;
	key) sed "s|^farm_key: .*|farm_key: $work/other.key|" \
		"$work/good.yaml" >"$conf" ;;
	key-and-store) sed -e "s|^farm_key: .*|farm_key: $work/other.key|" \
		-e "s|^  url: .*|  url: file:$work/own-store|" \
		"$work/good.yaml" >"$conf" ;;
	name) sed "s|^farm: .*|farm: elsewhere|" "$work/good.yaml" >"$conf" ;;
	store) sed "s|^  url: .*|  url: file:$work/own-store|" \
		"$work/good.yaml" >"$conf" ;;
	esac
	run node-$stray "$STEKD_BUILD/stekd" -c "$conf"
	if [ "$1" = key ]; then
		await_of node-$stray 20 "the stray to answer" \
			answers "127.0.0.1:${tls_port[stray]}"
	else
		await_of node-$stray 20 "the stray to be ready" is_ready $stray
	fi
}

# farm_asked CASE WAY: sets `named` to what is found, "STATUS NODE:STATE ...".
farm_asked()
{
	local report=$work/log/farm-$1-$2.json status=0 addresses=() n

	if [ "$2" = direct ]; then
		for n in 1 2 3 4 5; do
			addresses+=("127.0.0.1:${tls_port[n]}")
		done
	else
		addresses=(--balanced "$balancer")
	fi
	probe farm --sni $hygiene_host --ca "$work/ca.pem" --json \
		"${addresses[@]}" >"$report" 2>>"$work/log/stekprobe" ||
		status=$?
	named="$status $(jq -r '[(.strays | join(",")),
		(.findings[] | .node)] | unique | join(" ")' "$report")"
	states=$(jq -r '[.findings[].name] | unique | join(" ")' "$report")
	[ "$(jq '.nodes | length' "$report")" = 5 ] || named+=" (not 5 nodes)"
	farm_connections=$(jq '[.nodes[].answered] | add' "$report")
}

hygiene_farm()
{
	local what due way state good=0 named_well=0 n

	make_ca
	make_certificate $hygiene_host
	make_farm_key
	make_farm_key "$work/other.key"
	start_redis
	for n in 1 2 3 4 5; do start_node $n; done
	cp "$work/node-$stray.yaml" "$work/good.yaml"
	balancer_up
	for what in good key key-and-store name store; do
		[ $what = good ] || become $what
		for way in direct balanced; do
			due="1 node-$stray" state=stray
			[ $what != good ] || due="0 " state=
			farm_asked $what $way
			say "$what, $way: $named $states" \
				"($farm_connections connections)"
			# With no ring of its own it has no key to be a stray by.
			[ $what != key ] || state=$states
			[ "$named $states" = "$due $state" ] || {
				cat "$work/log/farm-$what-$way.json" >&2
				fall_short "$what, $way: $named $states"
			}
			if [ $what = good ]; then
				good=$((good + 1))
			else
				named_well=$((named_well + 1))
			fi
		done
	done
	farm_figure="the stray of five named in $named_well of 8 cases (another"
	farm_figure+=" farm key, name, store; direct and by HAProxy), nothing"
	farm_figure+=" found in $good of 2 with five good nodes"
}

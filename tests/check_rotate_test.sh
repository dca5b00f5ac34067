#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# check_rotate_test.sh - stekprobe rotate-test against a small farm: rotations
# lose nothing, a revocation ends what was given before it and nothing else, a
# node that dies takes no ticket with it, and a farm that does lose is told.
: "${top_builddir:?run by make check}"
STEKD_BUILD=$top_builddir
. "$(dirname "$0")/lib.sh"
need jq redis-server

fact() { jq -e "$1" "$work/report" >/dev/null ||
	{ cat "$work/report" "$work/told"; fall_short "$2"; }; }
# rotate_test STATUS OPTION...: which it ends with; the report is in $work/report.
rotate_test()
{
	local expected=$1 code=0

	shift
	probe rotate-test --sni www.example.test --ca "$work/ca.pem" \
		--concurrency 4 --rate 200 --lead 1 --settle 1 "$@" \
		>"$work/report" 2>"$work/told" || code=$?
	[ $code = "$expected" ] || { cat "$work/report" "$work/told"
		fall_short "rotate-test $* ended with $code"; }
}

make_ca
make_certificate www.example.test
start_redis
make_farm_key
# All nodes must have a new key after half of the first.
keys_yaml="  rotate_delay_ms: 4000
  revoke_delay_ms: 1000
  rotate_interval_s: 12"
openssl rand -hex 32 >"$work/token"
for n in 1 2; do write_config $n; done
free_port
sed -i "s,^  socket: .*,&\n  listen: 127.0.0.1:$port\n  token_file: $work/token," \
	"$work/node-1.yaml"
url=http://127.0.0.1:$port
start_node 1
start_node 2
both=127.0.0.1:${tls_port[1]},127.0.0.1:${tls_port[2]}

# Two rotations, the second of which the farm's rate limit puts off.
rotate_test 0 --connect "$both" --rotations 2 --socket "${admin_socket[1]}" \
	--json
fact '.lost == 0 and .failed == 0 and .load.ticket_keys == 3 and
	.load.resumed == .load.connections' "something was lost by rotating"
fact '[.events[] | .done and .nodes == 2 and .late == 0 and
	.active_s > .done_s and .resumed_by_old > 0 and .whole_after_s == 0] |
	length == 2 and all' "the rotations"
fact '.before.connections + ([.events[].connections] | add) ==
	.load.connections and ([.load.course[].connections] | add) ==
	.load.connections' "connections are counted under no event"
# Without the limit it would have been asked for after some five seconds.
fact '.events[1].asked_s - .events[0].asked_s >= 11' "the rate limit was hit"
grep -q "rate limit" "$work/told" || fall_short "the rate limit was not told"

# A revocation, over TCP with the token: old tickets open nothing once it is
# answered, and new ones do when the replacement is active. What was given in the
# second between opens nothing either, and the last of it may be offered late.
rotate_test 0 --connect "$both" --revoke --settle 4 --url "$url" \
	--token-file "$work/token" --json
fact '.failed == 0 and .lost > 0 and .before.lost == 0 and
	(.events | length) == 1' "the revocation"
fact '.events[0] | .done and .nodes == 2 and .resumed_by_old == 0 and
	.resumed > 0 and .whole_after_s > 0 and .resumed_by_fresh > 0 and
	.fresh_lost == 0' "resumption came back"
chmod 640 "$work/token"
rotate_test 2 --connect "$both" --revoke --url "$url" --token-file "$work/token"
grep -q "mode 0640" "$work/told" || fall_short "a token that others may read"
chmod 600 "$work/token"
echo another >"$work/other" && chmod 600 "$work/other"
rotate_test 1 --connect "$both" --url "$url" --token-file "$work/other" --json
fact '.events | length == 1 and (.[0].done | not)' "a wrong token"

# Nobody's farm is changed unless the load reaches it.
keys() { ctl 1 --json keys | jq -c '[.keys[].id]'; }
before=$(keys)
free_port
rotate_test 3 --connect "127.0.0.1:$port" --socket "${admin_socket[1]}" --force
[ "$(keys)" = "$before" ] || fall_short "rotated, and nobody was there to see"

# A farm of its own beside ours: what it is offered is lost, and that is told.
farm=stranger start_node 3
rotate_test 1 --connect "127.0.0.1:${tls_port[1]},127.0.0.1:${tls_port[3]}" \
	--rotations 1 --force --socket "${admin_socket[1]}" --json
fact '.lost > 0 and .before.lost > 0 and .failed == 0' "the stranger"

# A node dies: its tickets open at the other, and only who asked it fails.
rotate_test 0 --connect "$both" --kill-node "$(pid_of node-2)" --csv
if alive node-2; then fall_short "node-2 lives"; fi
awk -F, 'NR > 1 { failed += $3; resumed += $5; lost += $6 }
	/loss 1 asked/ { marked = 1 }
	END { exit !(failed > 0 && resumed > 0 && lost == 0 && marked) }' \
	"$work/report" || { cat "$work/report"; fall_short "the loss of a node"; }
start_node 2
rotate_test 1 --connect "$both" --max-failed 0 --json \
	--kill-command "kill -KILL $(pid_of node-2)"
fact '.lost == 0 and .failed > 0 and .events[0].done' "a node lost by command"

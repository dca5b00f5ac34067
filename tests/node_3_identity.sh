#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A client certificate that one node saw is the identity that the other node
# tells its backend at each of 1,000 resumptions: the PROXY header names the same
# fingerprint, verified, every time, in TLS 1.2 and 1.3. Once the certificate is
# denied, tickets and certificate are refused at the next connection, at both
# nodes; another client's are not.
. "$(dirname "$0")/lib.sh"
need python3 jq redis-server

host=www.example.test
client=$repo/tests/identity_client.py
resumptions=500			# of each version

# make_client NAME: $work/NAME.pem and NAME.key, for clients.
make_client()
{
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$work/$1.key" -out "$work/$1.csr" -subj "/CN=$1" \
		2>>"$work/log/openssl"
	openssl x509 -req -in "$work/$1.csr" -CA "$work/clients.pem" \
		-CAkey "$work/clients.key" -CAcreateserial -days 30 \
		-extfile <(printf '%s\n' basicConstraints=CA:false \
			extendedKeyUsage=clientAuth) \
		-out "$work/$1.pem" 2>>"$work/log/openssl"
}

fingerprint()
{
	openssl x509 -in "$work/$1.pem" -noout -fingerprint -sha256 |
		sed 's/.*=//; s/://g' | tr A-F a-f
}

write_node()
{
	write_config "$1" "$host"
	: >"$work/deny-$1"
	python3 - "$work/node-$1.yaml" <<-EOT
	import sys
	text = open(sys.argv[1]).read()
	text = text.replace("    backend: builtin\n", '''    client_auth: required
	    client_ca: $work/clients.pem
	    backend: tcp:127.0.0.1:$backend_port
	    send_proxy: v2-tls
	''')
	open(sys.argv[1], "w").write(text + "client_deny: $work/deny-$1\n")
	EOT
}

clients() { python3 "$client" "$@" "${tls_port[1]}" "${tls_port[2]}"; }

credentials() { echo "$work/ca.pem $work/$1.pem $work/$1.key $host"; }

# good FILE KIND NAME: how many lines say that NAME was served so.
good()
{
	awk -v kind="$2" '$2 == kind { sub(/^[^{]*/, ""); print }' "$1" |
		jq -r --arg f "$(fingerprint "$3")" --arg kind "$2" \
		'select(.fingerprint == $f and .verify == 0 and
			.client == (if $kind == "full" then 7 else 5 end) and
			.resumed == (if $kind == "full" then 0 else 1 end)) |
		1' | wc -l
}

denied() { ctl "$1" stats --json | jq '.node.failures.certificate_denied'; }

make_ca && make_ca clients && make_certificate "$host"
make_client alice && make_client bob
start_redis && make_farm_key
run backend python3 "$client" backend "$work/backend.port"
await_of backend 20 "the backend" test -s "$work/backend.port"
backend_port=$(cat "$work/backend.port")
write_node 1 && write_node 2
start_node 1 && start_node 2

say "resuming at the other node"
# shellcheck disable=SC2046 # four words
clients chain $(credentials alice) "$resumptions" >"$work/log/chain"
full=$(good "$work/log/chain" full alice)
resumed=$(good "$work/log/chain" resumed alice)
[ "$full $resumed" = "2 $((2 * resumptions))" ] ||
	fall_short "$full full and $resumed resumed of 2 and" \
		"$((2 * resumptions)): $(sort "$work/log/chain" | uniq -c |
			sort -rn | head -5)"

say "denying"
mkfifo "$work/go-alice" "$work/go-bob"
keepers=()
for name in alice bob; do
	# shellcheck disable=SC2046
	clients keep $(credentials $name) <"$work/go-$name" \
		>"$work/log/keep-$name" &
	keepers+=("$!")
done
exec 8>"$work/go-alice" 9>"$work/go-bob"
for name in alice bob; do
	await 20 "the tickets of $name" grep -q held "$work/log/keep-$name"
done
for n in 1 2; do
	ctl "$n" deny add "$(fingerprint alice)" >>"$work/log/deny"
done
echo >&8 && echo >&9
wait "${keepers[@]}"
refused=$(grep -c refused "$work/log/keep-alice" || :)
served=$(good "$work/log/keep-bob" resumed bob)
# The alert goes out before it is counted.
all_counted()
{
	counted=$(($(denied 1) + $(denied 2)))
	[ "$counted" -ge 4 ]
}
await 20 "the refusals to be counted" all_counted
[ "$refused $counted $served" = "4 4 4" ] ||
	fall_short "$refused of 4 refused, $counted counted, $served of 4 of" \
		"another client served"
grep -q "$(fingerprint alice)" "$work/deny-2" ||
	fall_short "the file of node-2 does not hold it"
ctl 1 audit --json | jq -e --arg f "$(fingerprint alice)" \
	'[.entries[].entry | select(.action == "deny add" and .detail == $f) |
	  .node] | sort == ["node-1", "node-2"]' >/dev/null ||
	fall_short "the audit does not tell of both"

echo "node-3: $resumed of $((2 * resumptions)) resumptions at the other node" \
	"named the same verified certificate; denied, $refused of 4 tickets" \
	"were refused, $served of 4 of another client resumed"

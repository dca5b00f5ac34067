#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Who has no certificate and replays what it saw of another's handshakes is
# taken for nobody, at any host of either node, in TLS 1.2 and 1.3: session ids,
# tickets, whole streams, its own ticket beside another's. And a client that
# offers the tickets of two is the one whose ticket was selected.
. "$(dirname "$0")/lib.sh"
need redis-server

# make_client NAME: $work/NAME.pem and .key.
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

# host NAME CLIENT_AUTH
host()
{
	cat <<-EOT
	  - names: [$1.example.test]
	    group: all
	    alpn: [http/1.1]
	    certificate: $work/www.example.test.pem
	    key: $work/www.example.test.key
	    client_auth: $2
	EOT
	[ "$2" = none ] || echo "    client_ca: $work/clients.pem"
}

write_node()
{
	write_config "$1" www.example.test
	{
		sed '/^hosts:/,$d' "$work/node-$1.yaml"
		echo "hosts:"
		host optional optional
		host required required
		host none none
		sed -n '/^admin:/,$p' "$work/node-$1.yaml"
	} >"$work/node-$1.new"
	mv "$work/node-$1.new" "$work/node-$1.yaml"
}

make_ca && make_ca clients
make_certificate www.example.test
make_client alice && make_client bob
start_redis && make_farm_key
write_node 1 && write_node 2
start_node 1 && start_node 2

"$STEKD_BUILD/tests/helper_replay" "${tls_port[1]}" "${tls_port[2]}" \
	"$work/ca.pem" \
	"$work/alice.pem" "$work/alice.key" "$(fingerprint alice)" \
	"$work/bob.pem" "$work/bob.key" "$(fingerprint bob)" \
	optional.example.test required.example.test -- none.example.test \
	>"$work/log/replay" 2>"$work/log/wrong" ||
	fall_short "$(tail -5 "$work/log/wrong" "$work/log/replay")"
awk -F'[ =]' '/^tries/ {
	printf "node-4: %d tries with what others sent, %d taken for " \
		"another\n", $2, $4
	found = $2 > 50 && $4 == 0
} END { exit !found }' "$work/log/replay"

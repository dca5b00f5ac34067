#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A ticket of one of six hosts resumes at no other: not where client
# certificates are asked for otherwise, by other CAs, with other protocols or in
# another group, in TLS 1.2 and 1.3, in whole handshakes and in hellos whose
# extensions stand in 24 orders. At its own host it resumes, and at a seventh
# that differs in nothing but its name.
. "$(dirname "$0")/lib.sh"
need python3 redis-server

orders=24

# make_client CA: $work/client-CA.pem and .key.
make_client()
{
	local name=client-$1

	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$work/$name.key" -out "$work/$name.csr" \
		-subj "/CN=$name" 2>>"$work/log/openssl"
	openssl x509 -req -in "$work/$name.csr" -CA "$work/$1.pem" \
		-CAkey "$work/$1.key" -CAcreateserial -days 30 \
		-extfile <(printf '%s\n' basicConstraints=CA:false \
			extendedKeyUsage=clientAuth) \
		-out "$work/$name.pem" 2>>"$work/log/openssl"
}

# host NAME GROUP ALPN [CLIENT_AUTH CA]
host()
{
	cat <<-EOT
	  - names: [$1.example.test]
	    group: $2
	    $3
	    certificate: $work/www.example.test.pem
	    key: $work/www.example.test.key
	EOT
	[ $# -lt 5 ] || cat <<-EOT
	    client_auth: $4
	    client_ca: $work/$5.pem
	EOT
}

write_node()
{
	local http='alpn: [http/1.1]'

	write_config "$1" www.example.test
	{
		sed '/^hosts:/,$d' "$work/node-$1.yaml"
		echo "hosts:"
		host none shared "$http"
		host optional shared "$http" optional first
		host required shared "$http" required first
		host other-ca shared "$http" required second
		host other-alpn shared ''
		host other-group alone "$http"
		host twin shared "$http"
		sed -n '/^admin:/,$p' "$work/node-$1.yaml"
	} >"$work/node-$1.new"
	mv "$work/node-$1.new" "$work/node-$1.yaml"
}

make_ca && make_ca first && make_ca second
make_certificate www.example.test
make_client first && make_client second
start_redis && make_farm_key
write_node 1 && write_node 2
start_node 1 && start_node 2

first="$work/client-first.pem $work/client-first.key"
second="$work/client-second.pem $work/client-second.key"
# shellcheck disable=SC2086 # certificate and key
"$STEKD_BUILD/tests/helper_isolation" "${tls_port[1]}" "${tls_port[2]}" \
	"$work/ca.pem" $orders none.example.test - - \
	optional.example.test $first required.example.test $first \
	other-ca.example.test $second other-alpn.example.test - - \
	other-group.example.test - - twin.example.test - - \
	>"$work/log/matrix" 2>"$work/log/wrong" ||
	fall_short "$(tail -5 "$work/log/wrong" "$work/log/matrix")"
awk -F'[ =]' '{
	figure = figure sprintf("%s %s: %d pairs of hosts, %d handshakes and " \
		"%d hellos in '$orders' orders, %d wrong", \
		NR > 1 ? ";" : "node-2:", $1, $3, $5, $7, $9)
	wrong += $9
	n += $5
} END { print figure; exit wrong > 0 || n < 6 * 6 * 2 }' "$work/log/matrix"

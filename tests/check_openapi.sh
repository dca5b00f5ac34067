#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# check_openapi.sh - the OpenAPI document is a good one, has every route and name
# of the program and no other, and every answer of real nodes is as it says: each
# operation and each kind of error that can be provoked.
: "${top_builddir:?run by make check}"
STEKD_BUILD=$top_builddir
. "$(dirname "$0")/lib.sh"
need redis-server

python=
for one in python3 /usr/bin/python3; do
	"$one" -c 'import jsonschema; jsonschema.Draft202012Validator' \
		2>/dev/null && python=$one && break
done
[ -n "$python" ] ||
	skip "python3-jsonschema is missing; deploy/deps.sh installs it"
export PYTHONDONTWRITEBYTECODE=1
tests=$repo/tests
document=$repo/src/openapi.json
"$python" "$tests/openapi_rules.py" "$document" \
	"$tests/openapi_3.1_schema.json" "$STEKD_BUILD/tests/helper_api" ||
	fall_short "the document is not a good one"

host=admin.example.test
make_ca
make_certificate www.example.test
make_certificate $host
make_ca clients
for name in reader gone nobody; do
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$work/$name.key" -out "$work/$name.csr" \
		-subj "/CN=$name" 2>>"$work/log/openssl"
	printf '%s\n' extendedKeyUsage=clientAuth basicConstraints=CA:false \
		>"$work/$name.ext"
	openssl x509 -req -in "$work/$name.csr" -CA "$work/clients.pem" \
		-CAkey "$work/clients.key" -CAcreateserial -days 30 \
		-extfile "$work/$name.ext" -out "$work/$name.pem" \
		2>>"$work/log/openssl"
done
start_redis
make_farm_key
openssl rand -hex 32 >"$work/token"
: >"$work/deny"
keys_yaml="  rotate_delay_ms: 8000
  revoke_delay_ms: 500"
for n in 1 2 3; do
	write_config $n
	sed -i 's/^  beat_ms: .*/  beat_ms: 2000/' "$work/node-$n.yaml"
done
free_port
sed -i "s,^  socket: .*,&\n  listen: 127.0.0.1:$port\n  token_file: $work/token,
	/^admin:/i\\  - names: [$host]\n    certificate: $work/$host.pem
	/^admin:/i\\    key: $work/$host.key\n    backend: admin
	/^admin:/i\\    client_auth: required\n    client_ca: $work/clients.pem
	/^admin:/i\\    roles:\n      - { certificate: 'cn:reader', role: read }
	/^admin:/i\\      - { certificate: 'cn:gone', role: rotate }
	\$a\\client_deny: $work/deny\nlimits: { drain_delay_ms: 60000 }" \
	"$work/node-1.yaml"
admin_port=$port
for n in 1 2 3; do
	run "node-$n" "$STEKD_BUILD/stekd" -c "$work/node-$n.yaml"
done
for n in 1 2 3; do
	await_of "node-$n" 30 "node-$n to be ready" is_ready $n
done
"$python" "$tests/check_openapi.py" "$document" "$work" "$admin_port" \
	"${metrics_port[1]}" "${tls_port[1]}" "$(pid_of node-1)" \
	"$(pid_of node-3)" "$(pid_of redis)" ||
	fall_short "an answer is not as the document says"

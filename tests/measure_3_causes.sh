#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# stekprobe handshake names the right cause of each failing server of the alert
# table. The same nodes and certificates as in node_1_alerts.sh, TLS 1.2 and 1.3,
# full and resumed, with and without client certificates, and helper_tamper as
# the middlebox; the alert, its sender and the exit status must be right, too.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/alert_pki.sh"
need python3

host=www.example.test
mtls=mtls.example.test
rows=0 good=0

# cause_of REPORT: "CAUSE ALERT SENDER" of the connection that failed.
cause_of()
{
	python3 - "$1" <<-'EOT'
	import json, sys
	report = json.load(open(sys.argv[1]))
	talk = report["first"]
	if talk["end"] == "good" and report["second"]:
	    talk = report["second"]
	alert = talk["alert"] or {"number": "-", "from": "-"}
	causes = report["causes"] or [{"name": "none"}]
	print(causes[0]["name"], alert["number"], alert["from"])
	EOT
}

# row WHAT DUE STATUS COMMAND...: DUE is "CAUSE ALERT SENDER".
row()
{
	local what=$1 due=$2 status=$3 got code=0

	shift 3
	"$@" >"$work/report" 2>"$work/log/stekprobe" || code=$?
	got="$(cause_of "$work/report" 2>>"$work/log/python") $code"
	rows=$((rows + 1))
	if [ "$got" = "$due $status" ]; then
		good=$((good + 1))
	else
		cp "$work/report" "$work/log/row-$rows"
		got+="  WRONG, due $due $status"
	fi
	printf '%-28s %-3s %-8s %s\n' "$what" "$version" "$kind" "$got"
}

# handshake ARGUMENT...: cert=NAME is that client certificate and its key.
handshake()
{
	local arg args=()

	for arg; do
		case $arg in
		cert=*) args+=(--cert "$work/${arg#*=}.pem" --key
			"$work/${arg#*=}.key") ;;
		*) args+=("$arg") ;;
		esac
	done
	probe handshake --json --tls "$version" "${args[@]}"
}

# at PORT NAME OPTION...
at()
{
	local port=$1 name=$2

	shift 2
	handshake --sni "$name" "$@" "127.0.0.1:$port"
}

# spoilt WHAT AFTER NAME OPTION...: through helper_tamper, to node 1 or to `to`.
spoilt()
{
	local what=$1 after=$2 name=$3 code=0

	shift 3
	rm -f "$work/keys" "$work/log/tamper"
	run tamper "$STEKD_BUILD/tests/helper_tamper" --to "${tls_port[${to:-1}]}" \
		--what "$what" --keys "$work/keys" --after "$after"
	await_of tamper 5 "helper_tamper" grep -q listening "$work/log/tamper"
	at "$(awk '/listening/ { print $2 }' "$work/log/tamper")" "$name" \
		--suites TLS_AES_128_GCM_SHA256:ECDHE-ECDSA-AES128-GCM-SHA256 \
		--keylog "$work/keys" "$@" || code=$?
	end tamper
	return $code
}

by_version() { if [ "$version" = 1.2 ]; then echo "$1"; else echo "$2"; fi; }

full_rows()
{
	local port=${tls_port[1]} suite=TLS_AES_128_CCM_SHA256

	kind=full
	[ "$version" = 1.3 ] || suite=ECDHE-ECDSA-AES128-CCM
	row "no shared version" "version 70 server" 1 \
		at "${tls_port[$(by_version 3 2)]}" $host
	row "no shared suite" "suite 40 server" 1 \
		at "$port" $host --suites $suite
	row "no shared group" "group 40 server" 1 \
		at "$port" $host --groups P-521
	row "no shared signature scheme" "signature_scheme 40 server" 1 \
		at "$port" $host --schemes RSA-PSS+SHA256
	row "unknown host" "unknown_host 112 server" 1 \
		at "$port" nobody.example.test
	row "no shared protocol" "alpn 120 server" 1 \
		at "$port" $host --alpn nothing
	[ "$version" = 1.3 ] || row "needless fallback" \
		"fallback 86 server" 1 at "$port" $host --fallback
	row "the client sends an alert" "untrusted_server 48 client" 1 \
		at "$port" $host --ca "$work/strangers.pem"
	row "another name" "server_name 42 client" 1 \
		at "$port" $mtls --ca "$work/ca.pem"
	row "ClientHello does not decode" "middlebox_altered 50 server" 1 \
		spoilt hello 0 $host
	[ "$version" = 1.3 ] || row "key share is not a point" \
		"middlebox_altered 47 server" 1 \
		spoilt key 0 $host --groups P-256
	spoilt_rows 0 $host
	row "closed by the client" "middlebox_cut - -" 1 spoilt close 0 $host
	to=4 row "time-out" "middlebox_lost 90 server" 1 \
		spoilt silent 0 $host
}

# What a middlebox makes of the client's last flight. AFTER NAME OPTION...
spoilt_rows()
{
	row "bad Finished" "middlebox_altered 51 server" 1 \
		spoilt finished "$@"
	row "Finished does not decode" "middlebox_altered 50 server" 1 \
		spoilt short "$@"
	row "unknown message" "middlebox_altered 10 server" 1 \
		spoilt type "$@"
	row "record does not open" "middlebox_altered 20 server" 1 \
		spoilt record "$@"
	row "record too large" "middlebox_altered 22 server" 1 \
		spoilt large "$@"
}

mtls_rows()
{
	local port=${tls_port[1]} chain=chain.example.test

	kind=mtls
	row "no certificate" "no_certificate $(by_version 40 116) server" 1 \
		at "$port" $mtls
	row "expired" "certificate_expired 45 server" 1 \
		at "$port" $mtls cert=expired
	row "not yet valid" "certificate_not_yet_valid 45 server" 1 \
		at "$port" $mtls cert=early
	row "revoked" "certificate_revoked 44 server" 1 \
		at "$port" $mtls cert=revoked
	row "unknown CA" "unknown_ca 48 server" 1 \
		at "$port" $mtls cert=stranger
	row "wrong usage" "certificate_usage 43 server" 1 \
		at "$port" $mtls cert=usage
	row "forged certificate" "bad_certificate 42 server" 1 \
		at "$port" $mtls cert=forged
	row "chain too long" "certificate_chain 48 server" 1 \
		at "$port" $chain cert=chain
	row "no revocation list" \
		"certificate_status 46 server" 1 \
		at "$port" $mtls cert=unlisted-client
	row "denied" "access_denied 49 server" 1 \
		at "$port" $mtls cert=denied
	row "bad signature" "middlebox_altered 51 server" 1 \
		spoilt signature 0 $mtls cert=good
	spoilt_rows 0 $mtls cert=good
	# The control: nothing is wrong, and no cause is made up.
	row "good certificate" "none - -" 0 at "$port" $mtls cert=good
}

resumed_rows()
{
	kind=resumed
	spoilt_rows 1 $host
	spoilt_rows 1 $mtls cert=good
	[ "$version" = 1.2 ] || row "bad binder" "bad_binder 51 server" 1 \
		spoilt binder 1 $host
	row "closed by the client" "middlebox_cut - -" 1 spoilt close 1 $host
	to=4 row "time-out" "middlebox_lost 90 server" 1 \
		spoilt silent 1 $host
	row "resumed" "none - -" 0 at "${tls_port[1]}" $host --expect 100
}

# Servers that are no TLS servers, or none at all.
other_rows()
{
	kind=other
	# The control for the certificate that is verified.
	row "verified" "none - -" 0 \
		at "${tls_port[1]}" $host --ca "$work/ca.pem" --expect 100
	row "plain HTTP" "plain_http - -" 1 at "${metrics_port[1]}" $host
	free_port
	row "nobody listens" "connect_refused - -" 3 at "$port" $host
	row "no such host" "dns - -" 3 handshake nowhere.invalid:443
	row "PROXY header not expected" "proxy_header - -" 1 \
		at "${tls_port[1]}" $host --send-proxy
}

make_ca
make_certificate $host
make_clients
make_farm_key
alert_node 1 TLSv1.2,TLSv1.3
alert_node 2 TLSv1.2
alert_node 3 TLSv1.3
alert_node 4 TLSv1.2,TLSv1.3 3000
for version in 1.2 1.3; do
	full_rows
	mtls_rows
	resumed_rows
done
version=both
other_rows
[ "$good" = "$rows" ] || fall_short "$good of $rows causes named right"
echo "$good of $rows causes named right"

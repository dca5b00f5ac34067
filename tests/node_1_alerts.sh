#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Every way in which a handshake can fail ends with the alert that RFC 5246 and
# RFC 8446 name, read by the client and not lost to a reset, with one counted
# and one logged reason. OpenSSL and GnuTLS clients, TLS 1.2 and 1.3, full and
# resumed, with and without client certificates. What no client does by itself
# helper_tamper does to the client's records on their way.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/alert_pki.sh"
need gnutls-cli

host=www.example.test
rows=0 good=0
tamper=$STEKD_BUILD/tests/helper_tamper

# ---- counters and logs -----------------------------------------------------------

counts()
{
	curl -sf "http://127.0.0.1:${metrics_port[1]}/metrics" \
		"http://127.0.0.1:${metrics_port[2]}/metrics" \
		"http://127.0.0.1:${metrics_port[3]}/metrics" \
		"http://127.0.0.1:${metrics_port[4]}/metrics" |
		awk -F'[" ]' '/^stekd_handshake_failures_total/ {
			sum[$2] += $NF
		} END { for (i in sum) print i, sum[i] }' | sort
}

# What was counted since `before`: "reason n ..."; at least one within 60 s.
counted()
{
	local until=$((SECONDS + 60)) now

	while :; do
		now=$(join <(echo "$before") <(counts) |
			awk '$3 != $2 { printf "%s %d ", $1, $3 - $2 }')
		if [ -n "$now" ] || [ $SECONDS -ge $until ]; then break; fi
		pause
	done
	echo "${now% }"
}

# mark, new_lines: what the nodes have logged since about failed handshakes.
mark()
{
	local n

	for n in 1 2 3 4; do offset[n]=$(stat -c %s "$work/log/node-$n"); done
}

new_lines()
{
	local n

	for n in 1 2 3 4; do
		tail -c +$((offset[n] + 1)) "$work/log/node-$n"
	done | grep 'msg="handshake failed"'
}

# The line follows the count, perhaps a moment later.
logged()
{
	local until=$((SECONDS + 60)) lines

	until lines=$(new_lines) || [ $SECONDS -ge $until ]; do pause; done
	echo "$lines"
}
offset=()

# ---- clients ---------------------------------------------------------------------

# Nobody writes there, and it never ends: a client goes when the server does.
mkfifo "$work/nothing"
exec 9<>"$work/nothing"

# What follows fills these for the client at hand.
version='' client='' kind='' conf=''
cat >"$work/no-ems.cnf" <<'EOT'
openssl_conf = all
[all]
ssl_conf = tls
[tls]
system_default = defaults
[defaults]
Options = -ExtendedMasterSecret
EOT

by_openssl()
{
	env ${conf:+"OPENSSL_CONF=$conf"} timeout 60 openssl s_client -connect "127.0.0.1:$1" \
		-tls1_"${version#1.}" -ign_eof -state -keylogfile "$work/keys" \
		"${@:2}" <&9 >"$work/out" 2>&1 || :
}

by_gnutls()
{
	SSLKEYLOGFILE=$work/keys timeout 60 gnutls-cli -p "$1" \
		"${@:2}" 127.0.0.1 <&9 >"$work/out" 2>&1 || :
}

# The arguments of s_client for the wishes below.
args_of_openssl()
{
	local wish suite=ECDHE-ECDSA-AES128-GCM-SHA256 sni=$host list=-cipher

	[ "$version" = 1.2 ] || { suite=TLS_AES_128_GCM_SHA256 list=-ciphersuites; }
	args=() conf=''
	for wish; do
		case $wish in
		sni=*) sni=${wish#*=} ;;
		suite) suite=ECDHE-ECDSA-AES128-CCM
			[ "$version" = 1.2 ] || suite=TLS_AES_128_CCM_SHA256 ;;
		group) args+=(-groups P-521) ;;
		p256) args+=(-groups P-256) ;;
		scheme) args+=(-sigalgs RSA-PSS+SHA256)
			suite+=:ECDHE-RSA-AES128-GCM-SHA256
			[ "$version" = 1.2 ] || suite=${suite%:*} ;;
		alpn) args+=(-alpn nothing) ;;
		scsv) args+=(-fallback_scsv) ;;
		no-ems) conf=$work/no-ems.cnf ;;
		distrust) args+=(-CAfile "$work/strangers.pem"
			-verify_return_error) ;;
		cert=*) args+=(-cert "$work/${wish#*=}.pem" -key
			"$work/${wish#*=}.key" -cert_chain
			"$work/${wish#*=}.pem") ;;
		esac
	done
	args+=(-servername "$sni" "$list" "$suite")
}

# The same for gnutls-cli.
args_of_gnutls()
{
	local wish cipher=AES-128-GCM sni=$host priority='' trust=--insecure

	args=()
	for wish; do
		case $wish in
		sni=*) sni=${wish#*=} ;;
		suite) cipher=AES-128-CCM ;;
		group) priority+=:-GROUP-ALL:+GROUP-SECP521R1 ;;
		p256) priority+=:-GROUP-ALL:+GROUP-SECP256R1 ;;
		scheme) priority+=:-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA256 ;;
		alpn) args+=(--alpn nothing) ;;
		scsv) priority+=:%FALLBACK_SCSV ;;
		distrust) trust=--x509cafile=$work/strangers.pem ;;
		cert=*) args+=(--x509certfile "$work/${wish#*=}.pem"
			--x509keyfile "$work/${wish#*=}.key") ;;
		esac
	done
	args+=(--sni-hostname "$sni" "$trust" --priority
		"NORMAL:-VERS-ALL:+VERS-TLS$version:-CIPHER-ALL:+$cipher$priority")
}

# connect PORT WISH...: a full handshake.
connect()
{
	args_of_"$client" "${@:2}"
	by_"$client" "$1" "${args[@]}"
}

# again PORT: one more with the ticket of a first connection, which takes a
# port of its own where the client can do that.
again()
{
	args_of_"$client" "${@:2}"
	if [ "$client" = gnutls ]; then
		by_gnutls "$1" --resume --waitresumption "${args[@]}"
		return
	fi
	rm -f "$work/session"
	by_first "$1" "${args[@]}"
	by_openssl "$1" "${args[@]}" -sess_in "$work/session"
}

# again_at PORT WISH...: a ticket of the first node, and a hello of other wishes.
again_at()
{
	rm -f "$work/session"
	args_of_openssl
	by_first "${tls_port[1]}" "${args[@]}"
	args_of_openssl "${@:2}"
	by_openssl "$1" "${args[@]}" -sess_in "$work/session"
}

# by_first PORT ARGUMENT...: a good connection that leaves its ticket behind.
by_first()
{
	printf 'GET / HTTP/1.0\r\n\r\n' | timeout 60 openssl s_client -connect \
		"127.0.0.1:$1" -tls1_"${version#1.}" -ign_eof \
		-keylogfile "$work/keys" -sess_out "$work/session" "${@:2}" \
		>"$work/log/first" 2>&1 || :
}

# spoilt WHAT CONNECT WISH...: through helper_tamper, to node 1 or to `to`.
spoilt()
{
	local after=0

	[ "$2" = connect ] || after=1
	rm -f "$work/keys" "$work/log/tamper"
	run tamper "$tamper" --to "${tls_port[${to:-1}]}" --what "$1" \
		--keys "$work/keys" --after $after
	await_of tamper 5 "helper_tamper" grep -q listening "$work/log/tamper"
	"$2" "$(awk '/listening/ { print $2 }' "$work/log/tamper")" "${@:3}"
	await 5 "helper_tamper's end" gone tamper
	if grep -q "helper_tamper:" "$work/log/tamper"; then
		cat "$work/log/tamper" >>"$work/out"
	fi
}

gone() { ! alive "$1"; }

# What the client saw last: an alert's number, "reset", "end" or "http 400".
seen()
{
	local alert

	alert=$(sed -nE -e 's/.*SSL alert number ([0-9]+).*/\1/p' \
		-e 's/.*Received alert \[([0-9]+)\].*/\1/p' \
		-e 's/.*alert read:warning:user canceled.*/90/p' "$work/out" |
		tail -n 1)
	if grep -aq "^HTTP/1.1 400" "$work/out"; then
		echo "http 400"
	elif grep -aqiE 'errno=104|reset by peer|pull function|tamper: |^reset' \
		"$work/out"
	then
		echo reset
	else
		echo "${alert:-end}"
	fi
}

# A resumed row is one only if the client says so, where it gets that far.
is_resumed()
{
	grep -aqE '^Reused, TLS|This is a resumed session' "$work/out"
}

# ---- the table -------------------------------------------------------------------

name_of()
{
	case $1 in
	10) echo unexpected_message ;;
	20) echo bad_record_mac ;;
	22) echo record_overflow ;;
	40) echo handshake_failure ;;
	42) echo bad_certificate ;;
	43) echo unsupported_certificate ;;
	44) echo certificate_revoked ;;
	45) echo certificate_expired ;;
	46) echo certificate_unknown ;;
	47) echo illegal_parameter ;;
	48) echo unknown_ca ;;
	49) echo access_denied ;;
	50) echo decode_error ;;
	51) echo decrypt_error ;;
	70) echo protocol_version ;;
	86) echo inappropriate_fallback ;;
	90) echo user_canceled ;;
	112) echo unrecognized_name ;;
	116) echo certificate_required ;;
	120) echo no_application_protocol ;;
	esac
}

# row WHAT REASON DUE COMMAND...: runs the client and puts what came of it beside
# what is due.
row()
{
	local what=$1 reason=$2 due=$3 before got logged verdict=as-expected

	shift 3
	before=$(counts)
	mark
	"$@"
	got="$(seen); $(counted)"
	logged=$(logged)
	[ "$got" = "$due; $reason 1" ] || verdict="WRONG: $got"
	[ "$(grep -c . <<<"$logged")" = 1 ] &&
		grep -q " reason=$reason " <<<"$logged" ||
		verdict+="; logged $logged"
	case $due in
	[0-9]*) grep -q " alert_sent=$(name_of "$due") " <<<"$logged" ||
		verdict+="; logged $logged" ;;
	esac
	case $kind:$what in
	resumed*:*Finished* | resumed*:record* | resumed*:unknown\ message)
		is_resumed || verdict+="; not resumed" ;;
	esac
	printf '%-28s %-7s %-3s %-9s %-9s %-26s %s\n' "$what" "$client" \
		"$version" "$kind" "$due" "$reason" "$verdict"
	rows=$((rows + 1))
	if [ "$verdict" = as-expected ]; then
		good=$((good + 1))
	else
		cp "$work/out" "$work/log/row-$rows"
	fi
}

# by_version OF-1.2 OF-1.3
by_version() { if [ "$version" = 1.2 ]; then echo "$1"; else echo "$2"; fi; }

full_rows()
{
	local mtls=sni=mtls.example.test

	kind=full
	row "no shared version" version 70 \
		connect "${tls_port[$(by_version 3 2)]}"
	row "no shared suite" suite 40 connect "${tls_port[1]}" suite
	row "no shared group" group 40 connect "${tls_port[1]}" group
	row "no shared signature scheme" signature_scheme 40 \
		connect "${tls_port[1]}" scheme
	row "unknown host" unknown_host 112 \
		connect "${tls_port[1]}" sni=nobody.example.test
	row "no shared protocol" alpn 120 connect "${tls_port[1]}" alpn
	[ "$version" = 1.3 ] || row "needless fallback" fallback 86 \
		connect "${tls_port[1]}" scsv
	row "the client sends an alert" alert end \
		connect "${tls_port[1]}" distrust
	row "ClientHello does not decode" malformed 50 spoilt hello connect
	[ "$version" = 1.3 ] || row "key share is not a point" malformed 47 \
		spoilt key connect p256
	finished_rows connect
	row "closed by the client" closed end spoilt close connect
	to=4 row "time-out" timeout 90 spoilt silent connect
	kind=mtls
	row "no certificate" no_certificate "$(by_version 40 116)" \
		connect "${tls_port[1]}" $mtls
	row "expired" certificate_expired 45 \
		connect "${tls_port[1]}" $mtls cert=expired
	row "not yet valid" certificate_not_yet_valid 45 \
		connect "${tls_port[1]}" $mtls cert=early
	row "revoked" certificate_revoked 44 \
		connect "${tls_port[1]}" $mtls cert=revoked
	row "unknown CA" unknown_ca 48 \
		connect "${tls_port[1]}" $mtls cert=stranger
	row "wrong usage" certificate_usage 43 \
		connect "${tls_port[1]}" $mtls cert=usage
	row "forged certificate" bad_certificate 42 \
		connect "${tls_port[1]}" $mtls cert=forged
	row "chain too long" certificate_chain 48 \
		connect "${tls_port[1]}" sni=chain.example.test cert=chain
	row "no revocation list" certificate_status 46 \
		connect "${tls_port[1]}" $mtls cert=unlisted-client
	row "denied" certificate_denied 49 \
		connect "${tls_port[1]}" $mtls cert=denied
	row "bad signature" bad_signature 51 \
		spoilt signature connect $mtls cert=good
	finished_rows connect $mtls cert=good
}

finished_rows()
{
	row "bad Finished" bad_finished 51 spoilt finished "$@"
	row "Finished does not decode" malformed 50 spoilt short "$@"
	row "unknown message" unexpected_message 10 spoilt type "$@"
	row "record does not open" bad_record 20 spoilt record "$@"
	row "record too large" malformed 22 spoilt large "$@"
}

# What a client says in its hello while it holds a ticket, which s_client alone
# can change between two connections.
changed_rows()
{
	local port=${tls_port[1]}

	row "no shared version" version 70 \
		again_at "${tls_port[$(by_version 3 2)]}"
	row "no shared group" group 40 again_at "$port" group
	row "unknown host" unknown_host 112 \
		again_at "$port" sni=nobody.example.test
	row "no shared protocol" alpn 120 again_at "$port" alpn
	row "no certificate" no_certificate "$(by_version 40 116)" \
		again_at "$port" sni=mtls.example.test
	[ "$version" = 1.3 ] || row "needless fallback" fallback 86 \
		again_at "$port" scsv
	[ "$version" = 1.3 ] || row "no extended master secret" master_secret \
		40 again_at "$port" no-ems
}

resumed_rows()
{
	kind=resumed
	[ "$client" != openssl ] || changed_rows
	finished_rows again
	[ "$version" = 1.2 ] || row "bad binder" bad_finished 51 \
		spoilt binder again
	row "closed by the client" closed end spoilt close again
	kind=resumed+m
	finished_rows again sni=mtls.example.test cert=good
	kind=resumed
	to=4 row "time-out" timeout 90 spoilt silent again
}

strangers()
{
	client=curl version=- kind=-
	row "plain HTTP" plain_http "http 400" by_curl
	client=bash
	row "another protocol" not_tls end by_bash
}

by_curl() { curl -si "http://127.0.0.1:${tls_port[1]}/" >"$work/out" || :; }

by_bash()
{
	timeout 60 bash -c "exec 3<>/dev/tcp/127.0.0.1/${tls_port[1]}
		printf 'SSH-2.0-x\r\n' >&3; cat <&3" >"$work/out" 2>&1 || :
}

make_ca
make_certificate $host
make_clients
make_farm_key
alert_node 1 TLSv1.2,TLSv1.3
alert_node 2 TLSv1.2
alert_node 3 TLSv1.3
alert_node 4 TLSv1.2,TLSv1.3 3000
printf '%-28s %-7s %-3s %-9s %-9s %-26s %s\n' what client TLS kind seen \
	counted verdict
strangers
for client in ${STEKD_ALERT_CLIENTS:-openssl gnutls}; do
	for version in ${STEKD_ALERT_VERSIONS:-1.2 1.3}; do
		for rows_of in ${STEKD_ALERT_KINDS:-full resumed}; do
			"${rows_of}_rows"
		done
	done
done
[ "$good" = "$rows" ] || fall_short "$rows rows, $good as expected"
echo "$rows rows, $good as expected"

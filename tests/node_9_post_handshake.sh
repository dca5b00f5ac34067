#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A host that asks for certificates after the handshake serves OpenSSL's and
# GnuTLS's clients by the certificate that they show then, and by its choice
# serves or closes those that show none or cannot be asked; bad certificates get
# their alert, tickets resume on the other node without an identity, silence
# ends in time, a renegotiation is refused, and keys change on the way through a
# long answer.
. "$(dirname "$0")/lib.sh"
need python3 jq redis-server gnutls-cli

closing=close.example.test
continuing=continue.example.test
long=long.example.test
answer_kib=2048
wait_ms=10000
cases=0

# make_client NAME CA [DAYS]: $work/NAME.pem and NAME.key.
make_client()
{
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$work/$1.key" -out "$work/$1.csr" -subj "/CN=$1" \
		2>>"$work/log/openssl"
	openssl x509 -req -in "$work/$1.csr" -CA "$work/$2.pem" \
		-CAkey "$work/$2.key" -CAcreateserial -days "${3:-30}" \
		-extfile <(printf '%s\n' basicConstraints=CA:false \
			extendedKeyUsage=clientAuth) \
		-out "$work/$1.pem" 2>>"$work/log/openssl"
}

has_expired() { [ "$(date +%s)" -gt "$expired_at" ]; }

fingerprint()
{
	openssl x509 -in "$work/$1.pem" -noout -fingerprint -sha256 |
		sed 's/.*=//; s/://g' | tr A-F a-f
}

# host NAME [LINE...]
host()
{
	local name=$1

	shift
	printf '  - names: [%s]\n    certificate: %s\n    key: %s\n' "$name" \
		"$work/$closing.pem" "$work/$closing.key"
	printf '    %s\n' "$@"
}

write_node()
{
	local ask="client_auth: after-handshake" ca="client_ca: $work/clients.pem"

	write_config "$1" $closing
	{
		sed '/^hosts:/,$d' "$work/node-$1.yaml"
		echo "hosts:"
		host $closing 'group: asking' "$ask" "$ca"
		host $continuing "$ask" "$ca" 'client_decline: continue'
		host $long "backend: tcp:127.0.0.1:$backend_port"
		sed -n '/^admin:/,$p' "$work/node-$1.yaml"
		echo "limits: { handshake_timeout_ms: $wait_ms }"
		echo "tls: { records_per_key: 16 }"
	} >"$work/node-$1.new"
	mv "$work/node-$1.new" "$work/node-$1.yaml"
}

request()
{
	printf 'GET / HTTP/1.1\r\nHost: %s\r\nAccept: application/json\r\n' "$1"
	printf 'Connection: close\r\n\r\n'
}

# openssl_client N HOST [OPTION...]: what it prints.
openssl_client()
{
	local n=$1 host=$2

	shift 2
	request "$host" | timeout 60 openssl s_client -quiet -ign_eof \
		-connect "127.0.0.1:${tls_port[n]}" -servername "$host" \
		-CAfile "$work/ca.pem" "$@" 2>&1 || :
}

# hold_input FILE: opens 7, which gives what is in the file and never ends.
hold_input()
{
	rm -f "$work/input" && mkfifo "$work/input"
	exec 7<>"$work/input"
	cat "$1" >&7
}

# gnutls_client N HOST [OPTION...]: it leaves when its input ends.
gnutls_client()
{
	local n=$1 host=$2

	shift 2
	request "$host" >"$work/request"
	hold_input "$work/request"
	timeout 60 gnutls-cli --port "${tls_port[n]}" \
		--x509cafile "$work/ca.pem" --sni-hostname "$host" \
		--verify-hostname $closing "$@" 127.0.0.1 2>&1 <&7 || :
	exec 7>&-
}

# as CLIENT NAME: the options of one who has this certificate.
as()
{
	case $1 in
	openssl) echo "-cert $work/$2.pem -key $work/$2.key" ;;
	gnutls) echo "--x509certfile $work/$2.pem --x509keyfile $work/$2.key" ;;
	esac
}

offer() { if [ "$1" = openssl ]; then echo -enable_pha; else
	echo --post-handshake-auth; fi; }

tls12() { if [ "$1" = openssl ]; then echo -tls1_2; else
	echo --priority=NORMAL:-VERS-ALL:+VERS-TLS1.2; fi; }

# expect WHAT PATTERN CLIENT HOST OPTION...: what it prints holds the pattern.
expect()
{
	local what=$1 pattern=$2 client=$3 at=$4

	shift 4
	"${client}_client" 1 "$at" "$@" >"$work/log/$client" </dev/null
	grep -Eqi "$pattern" "$work/log/$client" ||
		fall_short "$client at $at, $what: not \"$pattern\""
	cases=$((cases + 1))
}

# shellcheck disable=SC2046 # options, several words
for_client()
{
	local c=$1 at of nobody='"client":null'

	for at in $closing $continuing; do
		expect accepting "$(fingerprint alice)" "$c" "$at" \
			$(offer "$c") $(as "$c" alice)
		expect "another CA" 'unknown.?ca|CA is unknown' "$c" "$at" \
			$(offer "$c") $(as "$c" stranger)
		expect expired 'certificate.*expired' "$c" "$at" $(offer "$c") \
			$(as "$c" expired)
	done
	of='certificate.*required'
	expect declining "$of" "$c" $closing $(offer "$c")
	expect "not offering" "$of" "$c" $closing $(as "$c" alice)
	expect "TLS 1.2" 'handshake.*fail' "$c" $closing $(tls12 "$c") \
		$(as "$c" alice)
	expect declining "$nobody" "$c" $continuing $(offer "$c")
	expect "not offering" "$nobody" "$c" $continuing $(as "$c" alice)
	expect "TLS 1.2" "$nobody" "$c" $continuing $(tls12 "$c") \
		$(as "$c" alice)
}

# resume WHAT PATTERN OPTION...: alice's ticket at the other node.
resume()
{
	local what=$1 pattern=$2

	shift 2
	openssl_client 2 $continuing -sess_in "$work/session" "$@" \
		>"$work/log/resume"
	grep -q '"resumed":true' "$work/log/resume" ||
		fall_short "$what: not resumed"
	grep -q "$pattern" "$work/log/resume" ||
		fall_short "$what: not \"$pattern\""
	cases=$((cases + 1))
}

make_ca && make_ca clients && make_ca others
make_certificate $closing
make_client alice clients && make_client bob clients
make_client stranger others && make_client expired clients 0
expired_at=$(date +%s)
mkdir "$work/www"
head -c $((answer_kib * 1024)) /dev/urandom >"$work/www/long"
free_port
backend_port=$port
run backend python3 -m http.server --bind 127.0.0.1 --directory "$work/www" \
	"$backend_port"
await_of backend 20 "the backend" curl -sf \
	"http://127.0.0.1:$backend_port/long" -o /dev/null
start_redis && make_farm_key
write_node 1 && write_node 2
start_node 1 && start_node 2

await 10 "a certificate to expire" has_expired

say "who is served"
for client in openssl gnutls; do
	for_client $client
done

say "tickets"
# shellcheck disable=SC2046
openssl_client 1 $continuing -enable_pha $(as openssl alice) \
	-sess_out "$work/session" >"$work/log/first"
grep -q "$(fingerprint alice)" "$work/log/first" || fall_short "alice first"
# shellcheck disable=SC2046
{
	resume "resumed as nobody" '"client":null' -enable_pha
	resume "resumed without the offer" '"client":null' \
		$(as openssl alice)
	resume "resumed as another" "$(fingerprint bob)" -enable_pha \
		$(as openssl bob)
	resume "resumed as herself" "$(fingerprint alice)" -enable_pha \
		$(as openssl alice)
}

say "silence"
waited=$(python3 "$repo/tests/node_9_silent.py" "$work/ca.pem" $closing \
	"${tls_port[1]}" 2>>"$work/log/silent") || fall_short "the silent one"
awk -v s="$waited" -v ms=$wait_ms \
	'BEGIN { exit !(s >= ms / 1000 - 0.1 && s < 30) }' ||
	fall_short "waited $waited s"
silent_counted() { [ "$(ctl 1 stats --json | jq .node.failures.timeout)" = 1 ]; }
await 20 "the silent one to be counted" silent_counted

say "renegotiation"
printf 'R\n' >"$work/request"
hold_input "$work/request"
timeout 60 openssl s_client -connect "127.0.0.1:${tls_port[1]}" -servername \
	$continuing -CAfile "$work/ca.pem" -tls1_2 <&7 >"$work/log/again" 2>&1 || :
exec 7>&-
if ! grep -qi RENEGOTIATING "$work/log/again" ||
	! grep -qi 'unexpected message' "$work/log/again"; then
	fall_short "a renegotiation was not refused"
fi
cases=$((cases + 1))

say "keys"
get_long() { printf 'GET /long HTTP/1.0\r\n\r\n'; }
is_whole() { tail -c $((answer_kib * 1024)) "$1" | cmp -s - "$work/www/long"; }
get_long | timeout 60 openssl s_client -quiet -ign_eof -CAfile "$work/ca.pem" \
	-connect "127.0.0.1:${tls_port[1]}" -servername $long -msg \
	-msgfile "$work/messages" >"$work/by-openssl" 2>>"$work/log/long" || :
is_whole "$work/by-openssl" || fall_short "OpenSSL got other bytes"
updates=$(grep -c '<<<.*KeyUpdate' "$work/messages" || :)
[ "$updates" -ge $((answer_kib / 16 / 16 - 1)) ] ||
	fall_short "$updates changes of keys"
get_long >"$work/request"
hold_input "$work/request"
timeout 60 gnutls-cli --port "${tls_port[1]}" --x509cafile "$work/ca.pem" \
	--sni-hostname $long --verify-hostname $closing \
	--logfile="$work/log/gnutls-long" 127.0.0.1 <&7 \
	>"$work/by-gnutls" 2>>"$work/log/gnutls-long" || :
exec 7>&-
is_whole "$work/by-gnutls" || fall_short "GnuTLS got other bytes"

echo "node-9: $cases cases of 2 client libraries as expected, a silent client" \
	"let go after $waited s, $answer_kib KiB each to 2 clients, who" \
	"changed keys $updates times on the way"

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# At a host with backend: admin a client certificate does what its role allows
# and nothing more: every role at every kind of request, in TLS 1.2 and 1.3,
# resumed at another node too. Without a good certificate nothing is answered;
# a certificate that is denied, revoked or has lost its role is refused on
# connections that are open. Neither headers, nor requests hidden in others, nor
# a page of another site gain anything. The audit names the certificate.
. "$(dirname "$0")/lib.sh"
need python3 jq redis-server

host=admin.example.test
client=$repo/tests/admin_client.py
figure=0
proxied_port=()

# make_client NAME [SAN] [CA]: $work/NAME.pem and NAME.key, for clients.
make_client()
{
	local ca=${3:-clients}

	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$work/$1.key" -out "$work/$1.csr" -subj "/CN=$1" \
		2>>"$work/log/openssl"
	printf '%s\n' basicConstraints=CA:false extendedKeyUsage=clientAuth \
		${2:+"subjectAltName=$2"} >"$work/$1.ext"
	openssl x509 -req -in "$work/$1.csr" -CA "$work/$ca.pem" \
		-CAkey "$work/$ca.key" -CAcreateserial -days 30 \
		-extfile "$work/$1.ext" -out "$work/$1.pem" 2>>"$work/log/openssl"
}

fingerprint()
{
	openssl x509 -in "$work/$1.pem" -noout -fingerprint -sha256 |
		sed 's/.*=//; s/://g' | tr A-F a-f
}

# make_list [NAME]: $work/clients.crl, with NAME's certificate revoked.
make_list()
{
	: >"$work/index"
	echo 01 >"$work/crlnumber"
	printf '%s\n' '[ca]' 'default_ca=d' '[d]' "database=$work/index" \
		"crlnumber=$work/crlnumber" default_md=sha256 \
		default_crl_days=30 >"$work/ca.conf"
	if [ $# -gt 0 ]; then
		openssl ca -config "$work/ca.conf" -cert "$work/clients.pem" \
			-keyfile "$work/clients.key" -revoke "$work/$1.pem" \
			2>>"$work/log/openssl"
	fi
	openssl ca -config "$work/ca.conf" -cert "$work/clients.pem" \
		-keyfile "$work/clients.key" -gencrl -out "$work/clients.crl" \
		2>>"$work/log/openssl"
}

# roles ENTRY...: lines of the list, in YAML's flow style.
write_node()
{
	local n=$1

	shift
	if [ ! -f "$work/base-$n" ]; then
		write_config "$n" "$host"
		cp "$work/node-$n.yaml" "$work/base-$n"
		free_port
		proxied_port[n]=$port
		: >"$work/deny-$n"
	fi
	python3 - "$work/base-$n" "$work/node-$n.yaml" "$work" \
		"${proxied_port[n]}" "$@" <<-'EOT'
	import sys
	base, out, work, proxied, *roles = sys.argv[1:]
	text = open(base).read()
	text = text.replace("    backend: builtin\n", f"""    backend: admin
	    client_auth: required
	    client_ca: {work}/clients.pem
	    client_crl: {work}/clients.crl
	    roles:
	""" + "".join(f"      - {{ {role} }}\n" for role in roles))
	text = text.replace("  - names: [", "  - names: [localhost, ")
	text = text.replace("keys:\n", "keys:\n  rotate_interval_s: 1\n")
	text = text.replace("hosts:\n", f"""  - address: "127.0.0.1:{proxied}"
	    proxy_protocol: true
	    proxy_from: [127.0.0.1]
	hosts:
	""")
	open(out, "w").write(text + f"client_deny: {work}/deny-{base[-1]}\n")
	EOT
}

# ask NAME [curl arguments] PATH: prints the status; the body is in $work/body.
# Extra headers and methods come before the path. `at` is the node, `as` further
# options of curl's.
at=1
ask()
{
	local name=$1 path=${!#} cert=()

	set -- "${@:2:$#-2}"
	[ "$name" = none ] ||
		cert=(--cert "$work/$name.pem" --key "$work/$name.key")
	curl -s -o "$work/body" -w '%{http_code}' --max-time 30 --noproxy '*' \
		--cacert "$work/ca.pem" "${cert[@]}" \
		--resolve "$host:${tls_port[at]}:127.0.0.1" "$@" \
		"https://$host:${tls_port[at]}$path" 2>>"$work/log/curl" || :
}

# is WHAT EXPECTED FOUND
is()
{
	[ "$2" = "$3" ] || fall_short "$1: $3, expected $2: $(cat "$work/body")"
	figure=$((figure + 1))
}

json=(-H "Content-Type: application/json")
nothing=$(printf '0%.0s' {1..64})

# A request of each kind, the least role that may make it, and how.
kinds() {
	cat <<-EOT
	read	GET	/v1/status
	read	HEAD	/v1/status
	read	GET	/v1/keys
	read	GET	/v1/nodes
	read	GET	/v1/stats
	read	GET	/v1/audit
	read	GET	/v1/deny
	read	GET	/v1/farm-key
	read	GET	/v1/ring
	read	HEAD	/v1/stream
	read	GET	/metrics
	read	GET	/readyz
	read	GET	/
	rotate	POST	/v1/rotate	{"dry_run":true}
	revoke	POST	/v1/revoke	{"all":true,"dry_run":true}
	revoke	POST	/v1/deny	{"remove":"$nothing"}
	revoke	POST	/v1/reload
	revoke	POST	/v1/farm-key/reload
	EOT
}

rank() { case $1 in none) echo 0 ;; read) echo 1 ;; rotate) echo 2 ;; *) echo 3 ;; esac; }

make_ca && make_ca clients && make_ca strangers && make_certificate "$host"
for name in reader rotator revoker nobody gone lost; do make_client "$name"; done
make_client ops DNS:ops.example.test
make_client mallory DNS:evil.example.test
make_client stranger DNS:ops.example.test strangers
make_list
start_redis && make_farm_key
roles=(
	"certificate: \"sha256:$(fingerprint reader)\", role: read"
	"certificate: \"sha256:$(fingerprint rotator)\", role: rotate"
	"certificate: \"sha256:$(fingerprint revoker)\", role: revoke, name: chief"
	"certificate: \"dns:OPS.example.test\", role: rotate"
	"certificate: \"sha256:$(fingerprint gone)\", role: revoke"
)
lost="certificate: \"cn:lost\", role: revoke"
for n in 1 2; do write_node $n "${roles[@]}" "$lost" && start_node $n; done

say "each role at each kind of request"
for version in 1.2 1.3; do
	for name in reader:read rotator:rotate revoker:revoke ops:rotate nobody:none; do
		while IFS=$'\t' read -r needs method path body; do
			how=(-X "$method")
			[ "$method" != HEAD ] || how=(-I)
			[ "$method" != POST ] || how+=("${json[@]}" -d "${body:-{\}}")
			expected=403
			[ "$(rank "${name#*:}")" -lt "$(rank "$needs")" ] || expected=200
			is "$name $method $path in $version" $expected "$(ask "${name%:*}" \
				"--tlsv$version" --tls-max "$version" "${how[@]}" "$path")"
			if [ "$expected $method" = "403 POST" ]; then
				jq -e --arg needs "$needs" --arg role "${name#*:}" \
					'.type == "urn:stekd:problem:forbidden-role" and
					.role == $role and
					(.needs == $needs or $role == "none")' \
					"$work/body" >/dev/null ||
					fall_short "$(cat "$work/body")"
			fi
		done < <(kinds)
	done
done

# client NAME COMMAND...: tests/admin_client.py with that certificate.
client()
{
	python3 "$client" "$work/ca.pem" "$work/$1.pem" "$work/$1.key" "$host" \
		"${@:2}"
}

say "no certificate, another CA's, and TLS 1.2 without extended_master_secret"
for name in none stranger; do
	for version in 1.2 1.3; do
		is "$name in $version" 000 "$(ask $name "--tlsv$version" \
			--tls-max "$version" /v1/status)"
	done
done
is "without extended_master_secret" SSLV3_ALERT_HANDSHAKE_FAILURE \
	"$(client revoker weak "${tls_port[1]}")"
is "with a name of no role" 403 "$(ask mallory /v1/status)"

say "a ticket at the other node brings its owner's role"
while read -r name method path expected; do
	for version in TLSv1_2 TLSv1_3; do
		is "$name $method $path by a ticket of $version" "$expected" \
			"$(client "$name" resume $version "$method" "$path" \
				"${tls_port[1]}" "${tls_port[2]}")"
	done
done <<-'EOT'
reader GET /v1/status resumed 200
reader POST /v1/rotate resumed 403
rotator POST /v1/rotate resumed 200
rotator POST /v1/deny resumed 403
revoker GET /v1/deny resumed 200
ops POST /v1/rotate full 200
ops POST /v1/reload full 403
nobody GET /v1/status full 403
EOT

say "other names, other sites"
url=https://$host:${tls_port[1]}
post=(-X POST -d '{"dry_run":true}')
while IFS='|' read -r expected what header; do
	IFS=';' read -ra args <<<"$header"
	how=()
	for header in "${args[@]}"; do how+=(-H "$header"); done
	is "a change, $what" "$expected" \
		"$(ask revoker "${post[@]}" "${how[@]}" /v1/rotate)"
done <<-EOT
200|as stekctl sends it|Content-Type: application/json
200|of the page itself|Content-Type: application/json;Origin: $url;Sec-Fetch-Site: same-origin
200|by name and nothing else|Content-Type:;Idempotency-Key: roles-$RANDOM$RANDOM
403|of a form without a type|Content-Type:
415|of a form as text|Content-Type: text/plain
415|of a form|Content-Type: application/x-www-form-urlencoded
403|of another site's page|Content-Type: application/json;Origin: https://evil.example.test
403|of a sandboxed page|Content-Type: application/json;Origin: null
403|of the same name by http|Content-Type: application/json;Origin: http://$host:${tls_port[1]}
403|of another port|Content-Type: application/json;Origin: https://$host
403|of a browser that calls it cross-site|Content-Type: application/json;Sec-Fetch-Site: cross-site
403|of a browser that calls it same-site|Content-Type: application/json;Sec-Fetch-Site: same-site
403|to another name|Content-Type: application/json;Host: evil.example.test
403|to the loopback|Content-Type: application/json;Host: 127.0.0.1:${tls_port[1]}
403|to another name by its own page|Content-Type: application/json;Host: evil.example.test;Origin: https://evil.example.test
EOT
for header in "Origin: https://evil.example.test" "Host: evil.example.test" \
	"Sec-Fetch-Site: cross-site"; do
	is "reading with $header" 403 "$(ask revoker -H "$header" /v1/status)"
done
is "a question for leave" 405 "$(ask revoker -X OPTIONS \
	-H "Access-Control-Request-Method: POST" /v1/rotate)"
! ask revoker -D - -H "Origin: $url" /v1/status |
	grep -qi '^\(access-control\|set-cookie\)' ||
	fall_short "leave for other sites, or a cookie"

say "headers that claim more, requests within requests"
for header in "Authorization: Bearer $nothing" "X-Role: revoke" \
	"X-SSL-Client-Verify: SUCCESS" \
	"X-Forwarded-Client-Cert: Hash=$(fingerprint revoker)" \
	"X-SSL-Client-Fingerprint: $(fingerprint revoker)" \
	"X-HTTP-Method-Override: GET" "Forwarded: for=127.0.0.1"; do
	is "with $header" 403 "$(ask reader "${post[@]}" "${json[@]}" \
		-H "$header" /v1/rotate)"
done
inner="POST /v1/rotate HTTP/1.1\\r\\nHost: $host\\r\\nContent-Type: application/json\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n"
status="GET /v1/status HTTP/1.1\\r\\nHost: $host\\r\\n"
is "behind another" "200 403" "$(client reader raw "${tls_port[1]}" \
	"$status\\r\\n$inner")"
smuggled=$(client reader raw "${tls_port[1]}" "POST /v1/status HTTP/1.1\\r\\nHost: $host\\r\\nContent-Length: 4\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\n$inner")
case " $smuggled " in
*" 2"*) fall_short "a request within another was answered: $smuggled" ;;
esac
before=$(ctl 1 keys --json | jq .epoch)

say "stekctl"
remote()
{
	local name=$1

	shift
	result=0
	"$STEKD_BUILD/stekctl" --url "https://localhost:${tls_port[1]}" \
		--ca "$work/ca.pem" --cert "$work/$name.pem" \
		--key "$work/$name.key" "$@" >"$work/body" 2>&1 || result=$?
}
# said WHAT EXIT WORDS COMMAND...
said()
{
	remote "${@:4}"
	is "stekctl $1" "$2" "$result"
	grep -q "$3" "$work/body" || fall_short "stekctl $1: $(cat "$work/body")"
}
said "of a reader" 0 active reader keys
said "that rotates as a reader" 1 "needs the role rotate" reader rotate --dry-run
said "that rotates" 0 . ops rotate --dry-run
said "of nobody" 1 "no role here" nobody status
said "with a stranger's certificate" 3 unknown stranger status
said "that trusts other CAs" 3 certificate reader --ca "$work/clients.pem" status
openssl ec -in "$work/reader.key" -aes256 -passout pass:"open sesame" \
	-out "$work/locked.key" 2>>"$work/log/openssl"
cp "$work/reader.pem" "$work/locked.pem"
echo "open sesame" >"$work/words"
echo "open barley" >"$work/others"
said "with a passphrase" 0 active locked --passphrase-file "$work/words" keys
said "with a wrong one" 3 . locked --passphrase-file "$work/others" keys
chmod 640 "$work/words"
said "with one that others read" 2 "mode 0640" locked --passphrase-file \
	"$work/words" keys
chmod 644 "$work/locked.key"
said "with a key that others read" 2 "mode 0644" locked keys
said "without its file" 2 "No such file" locked --key "$work/none" keys
cat "$work/reader.pem" "$work/reader.key" >"$work/both.pem"
said "with both in one file" 0 active reader --cert "$work/both.pem" \
	--key "$work/both.pem" keys
rm "$work/locked.key"
run dashboard "$STEKD_BUILD/stekctl" --ca "$work/ca.pem" \
	--url "https://localhost:${tls_port[1]}" --cert "$work/rotator.pem" \
	--key "$work/rotator.key" --json dashboard --no-open
has_page() { jq -e .port "$work/log/dashboard"; }
await_of dashboard 20 "the dashboard's port" has_page
page=$(jq -r .url "$work/log/dashboard")
session=$(curl -s -X POST "${page}session" -H "Authorization: Bearer $(grep -oE \
	'[0-9a-f]{64}' "$(jq -r .file "$work/log/dashboard")" | head -n 1)" |
	jq -r .token)
# by_page PATH [curl arguments]
by_page()
{
	curl -s -o "$work/body" -w '%{http_code}' --noproxy '*' "${@:2}" \
		-H "Authorization: Bearer $session" "${page%/}$1"
}
is "reading by the dashboard" 200 "$(by_page /v1/status)"
is "rotating by the dashboard" 200 \
	"$(by_page /v1/rotate "${post[@]}" "${json[@]}")"
is "revoking by the dashboard as one who rotates" 403 \
	"$(by_page /v1/revoke "${post[@]}" "${json[@]}")"
end dashboard

say "the audit names the certificate and the address"
is "a rotation" 200 "$(ask rotator "${post[0]}" "${post[1]}" -d '{}' \
	"${json[@]}" /v1/rotate)"
[ "$(ctl 1 keys --json | jq .epoch)" -gt "$before" ] ||
	fall_short "nothing was rotated"
entry() { ctl 1 audit --json | jq -e --arg who "$1" --arg from "$2" \
	'[.entries[].entry | select(.who == $who and
		(.from | startswith($from)))] | last' >"$work/body"; }
entry "cert:$(fingerprint rotator)" 127.0.0.1: ||
	fall_short "no entry of the rotation: $(ctl 1 audit --json)"
jq -e '.action == "rotate"' "$work/body" >/dev/null ||
	fall_short "$(cat "$work/body")"
is "a reload by way of a balancer" 200 "$(client revoker proxied \
	"${proxied_port[1]}" 192.0.2.7:4711 /v1/reload)"
entry "cert:$(fingerprint revoker) chief" 192.0.2.7:4711 ||
	fall_short "no entry from behind the balancer"

say "what changes holds on connections that are open"
declare -A keeper
hold()
{
	mkfifo "$work/go-$1"
	client "$1" keep "${tls_port[1]}" /v1/status /v1/status \
		<"$work/go-$1" >"$work/log/keep-$1" 2>&1 &
	keeper[$1]=$!
	exec {fd}>"$work/go-$1"
	go[$1]=$fd
	echo >&"$fd"
	await 20 "the first answer to $1" grep -q '^200' "$work/log/keep-$1"
}
after()
{
	echo >&"${go[$1]}"
	wait "${keeper[$1]}"
	is "$1 on its open connection" "$2" \
		"$(sed -n 's/ urn:stekd:problem:/ /; 2p' "$work/log/keep-$1")"
}
declare -A go
hold lost
write_node 1 "${roles[@]}"
ctl 1 reload >>"$work/log/reload"
after lost "403 forbidden-role"
is "lost at a new one" 403 "$(ask lost /v1/status)"
hold gone
client gone drain "${tls_port[1]}" /v1/stream >"$work/log/stream" 2>&1 &
await 20 "a stream" grep -q 200 "$work/log/stream"
mkfifo "$work/go-late"
client gone late "${tls_port[1]}" /v1/deny \
	"{\"remove\":\"$(fingerprint gone)\"}" \
	<"$work/go-late" >"$work/log/late" 2>&1 &
late=$!
exec {late_fd}>"$work/go-late"
await 20 "leave to send a body" grep -q '^100' "$work/log/late"
is "denied by another" 200 "$(ask revoker -X POST "${json[@]}" -d \
	"{\"add\":\"$(fingerprint gone)\"}" /v1/deny)"
after gone "403 forbidden-certificate"
echo >&"$late_fd"
wait "$late"
is "gone, whose body came after the denial" "403 forbidden-certificate" \
	"$(sed -n 's/ urn:stekd:problem:/ /; 2p' "$work/log/late")"
is "gone at a new one" 000 "$(ask gone /v1/status)"
await 20 "the end of the stream of who is gone" grep -q ended "$work/log/stream"
entry "cert:$(fingerprint revoker) chief" 127.0.0.1: ||
	fall_short "no entry of the denial: $(ctl 1 audit --json)"
jq -e --arg f "$(fingerprint gone)" '.action == "deny add" and .detail == $f' \
	"$work/body" >/dev/null || fall_short "$(cat "$work/body")"
hold rotator
make_list rotator
ctl 1 reload >>"$work/log/reload"
after rotator "403 forbidden-certificate"
is "rotator at a new one" 000 "$(ask rotator /v1/status)"
is "reader still" 200 "$(ask reader /v1/status)"
hold reader
cat "$work/strangers.pem" >>"$work/clients.pem"
ctl 1 reload >>"$work/log/reload"
after reader "403 forbidden-certificate"
is "reader, judged by the new list of CAs" 200 "$(ask reader /v1/status)"

say "a node that stops"
drainers=()
for path in status stream; do
	client reader drain "${tls_port[2]}" /v1/$path \
		>"$work/log/drain-$path" 2>&1 &
	drainers+=("$!")
	await 20 "the answer before the end" grep -q 200 "$work/log/drain-$path"
done
# A rotation that waits for a node which says nothing: its answer still comes.
may_rotate() { [ "$(at=2 ask ops "${post[@]}" "${json[@]}" /v1/rotate)" = 200 ]; }
await 20 "the next rotation" may_rotate
epoch() { ctl 2 keys --json | jq .epoch; }
before=$(epoch)
kill -STOP "$(pid_of node-1)"
(at=2 ask ops -X POST -d '{}' "${json[@]}" /v1/rotate) >"$work/log/last" &
drainers+=("$!")
has_begun() { [ "$(epoch)" -gt "$before" ]; }
await 20 "the rotation" has_begun
began=$(now_ms)
stop_node 2
kill -CONT "$(pid_of node-1)"
took=$(($(now_ms) - began))
wait "${drainers[@]}"
grep -q ended "$work/log/drain-stream" ||
	fall_short "the stream was cut: $(cat "$work/log/drain-stream")"
case $(cat "$work/log/last") in
200 | 504) ;;
*) fall_short "the last request was cut: $(cat "$work/log/last")" ;;
esac
for path in status stream; do
	grep -q clean "$work/log/drain-$path" ||
		fall_short "$path: $(cat "$work/log/drain-$path")"
done
[ $took -lt 8000 ] || fall_short "the node took $took ms to stop"

echo "node-11: $figure requests were answered as the role of their" \
	"certificate, its state and their origin demand; the last one of a" \
	"node that stopped with $(cat "$work/log/last")"

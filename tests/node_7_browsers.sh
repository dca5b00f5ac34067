#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Chromium, curl, OpenSSL, GnuTLS and NSS fetch a page by HTTP/2 and by HTTP/1.1,
# through HAProxy in TCP mode, stekd and nginx. ALPN chooses nginx's port, and
# the page names the protocol that nginx spoke and the client's address, which
# came to it through two PROXY headers. HAProxy as a backend reads the TLVs.
. "$(dirname "$0")/lib.sh"
need haproxy nginx chromium curl openssl gnutls-cli certutil python3

host=www.example.test
tlvs=tlvs.example.test
proofs=0

# ---- the parts -------------------------------------------------------------------

start_nginx()
{
	free_port && h1_port=$port
	free_port && h2_port=$port
	cat >"$work/nginx.conf" <<-EOT
	daemon off;
	master_process off;
	pid $work/nginx.pid;
	error_log $work/log/nginx-error;
	events { worker_connections 256; }
	http {
	  access_log off;
	  client_body_temp_path $work/nginx-body;
	  proxy_temp_path $work/nginx-proxy;
	  fastcgi_temp_path $work/nginx-fastcgi;
	  uwsgi_temp_path $work/nginx-uwsgi;
	  scgi_temp_path $work/nginx-scgi;
	  default_type text/plain;
	  server {
	    listen 127.0.0.1:$h1_port proxy_protocol;
	    listen 127.0.0.1:$h2_port http2 proxy_protocol;
	    location / {
	      return 200 "<\$server_protocol for \$proxy_protocol_addr at \$host>";
	    }
	  }
	}
	EOT
	run nginx nginx -c "$work/nginx.conf" -e "$work/log/nginx-error"
	await_of nginx 20 nginx listens "$h2_port"
}

# Before stekd, and behind it for the host that wants its TLVs read.
start_haproxy()
{
	free_port && front=$port
	free_port && front_v1=$port
	free_port && tlvs_port=$port
	cat >"$work/haproxy.cfg" <<-EOT
	global
	  nbthread 1
	defaults
	  timeout connect 5s
	  timeout client 30s
	  timeout server 30s
	listen front
	  mode tcp
	  bind 127.0.0.1:$front
	  server node-1 127.0.0.1:${tls_port[1]} send-proxy-v2
	listen front-v1
	  mode tcp
	  bind 127.0.0.1:$front_v1
	  server node-1 127.0.0.1:${tls_port[1]} send-proxy
	frontend tlvs
	  mode http
	  bind 127.0.0.1:$tlvs_port accept-proxy
	  http-request return status 200 content-type text/plain lf-string "<%[fc_pp_authority] for %[src]>"
	EOT
	run haproxy haproxy -db -f "$work/haproxy.cfg"
	await_of haproxy 10 haproxy listens "$front"
}

write_node()
{
	write_config 1 "$host"
	python3 - "$work/node-1.yaml" <<-EOT
	import sys
	text = open(sys.argv[1]).read()
	text = text.replace('''"127.0.0.1:${tls_port[1]}"''',
	    '''"127.0.0.1:${tls_port[1]}"
	    proxy_protocol: true
	    proxy_from: [127.0.0.0/8]''')
	text = text.replace("    backend: builtin\n", '''    alpn: [h2, http/1.1]
	    backend: tcp:127.0.0.1:$h1_port
	    backends:
	      - { alpn: h2, backend: "tcp:127.0.0.1:$h2_port" }
	    send_proxy: v2
	  - names: [$tlvs]
	    certificate: $work/$host.pem
	    key: $work/$host.key
	    backend: tcp:127.0.0.1:@TLVS@
	    send_proxy: v2-tls-crc32c
	''')
	open(sys.argv[1], "w").write(text)
	EOT
}

# ---- the clients -----------------------------------------------------------------

# proved CLIENT PROTOCOL [ADDRESS]: the page in $work/out says so.
proved()
{
	local wanted="<$2 for ${3:-127.0.0.1} at $host>"

	grep -aqF "$wanted" "$work/out" || {
		cat "$work/out" >&2
		fall_short "$1 did not fetch $wanted"
	}
	echo "$1: $wanted"
	proofs=$((proofs + 1))
}

# by_curl OPTION PROTOCOL [PORT]
by_curl()
{
	local to=${3:-$front}

	curl -sS --max-time 20 "$1" --interface 127.0.0.9 \
		--resolve "$host:$to:127.0.0.1" --cacert "$work/ca.pem" \
		"https://$host:$to/" >"$work/out" 2>>"$work/log/curl" ||
		fall_short "curl $1"
	# HAProxy binds no source address: its header alone tells this one.
	proved curl "$2" 127.0.0.9
}

by_chromium()
{
	HOME=$work/home timeout 300 chromium --headless --no-sandbox \
		--disable-gpu --disable-dev-shm-usage --no-first-run \
		--disable-background-networking --disable-component-update \
		--user-data-dir="$work/chromium" "${@:2}" \
		--host-resolver-rules="MAP $host 127.0.0.1" \
		--dump-dom "https://$host:$front/" >"$work/dom" \
		2>>"$work/log/chromium" </dev/null || fall_short "chromium"
	sed 's/&lt;/</g; s/&gt;/>/g' "$work/dom" >"$work/out"
	proved chromium "$1"
}

# Speaks to a client's pipes until the page has come, then ends its input.
by_pipe()
{
	local client=$1 protocol=$2

	shift 2
	timeout 60 python3 - "$work/request-$protocol" "$@" >"$work/out" \
		2>>"$work/log/$client" <<-'EOT' || fall_short "$client"
	import subprocess, sys

	request = open(sys.argv[1], "rb").read()
	client = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE,
	                          stdout=subprocess.PIPE)
	client.stdin.write(request)
	client.stdin.flush()
	got = b""
	while b" at www.example.test>" not in got:
	    piece = client.stdout.read1(65536)
	    if not piece:
	        break
	    got += piece
	client.stdin.close()
	client.stdout.read()
	client.wait()
	sys.stdout.buffer.write(got)
	EOT
	proved "$client" "$(name_of "$protocol")"
}

name_of() { case $1 in h2) echo HTTP/2.0 ;; *) echo HTTP/1.1 ;; esac }

# One request each: HTTP/2 by hand is a preface, empty SETTINGS, and HEADERS with
# :method GET, :path /, :scheme https of the static table (RFC 7541 A), :authority.
write_requests()
{
	python3 - "$work" "$host" <<-'EOT'
	import sys
	work, host = sys.argv[1], sys.argv[2].encode()
	open(work + "/request-http1.1", "wb").write(
	    b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
	block = b"\x82\x84\x87\x41" + bytes([len(host)]) + host
	open(work + "/request-h2", "wb").write(
	    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" +
	    bytes(5) + len(block).to_bytes(3, "big") + b"\x01\x05" +
	    (1).to_bytes(4, "big") + block)
	EOT
}

by_openssl()
{
	by_pipe openssl "$1" openssl s_client -connect "127.0.0.1:$front" \
		-servername "$host" -alpn "$2" -CAfile "$work/ca.pem" \
		-verify_return_error -quiet -no_ign_eof
}

by_gnutls()
{
	by_pipe gnutls "$1" gnutls-cli --x509cafile "$work/ca.pem" \
		--sni-hostname "$host" --verify-hostname "$host" \
		--alpn "$2" -p "$front" 127.0.0.1
}

# NSS's own tools send no ALPN; its library is called from Python.
by_nss()
{
	timeout 60 python3 - "$work/request-$1" "$work/nss" "$host" "$front" \
		"$2" >"$work/out" 2>>"$work/log/nss" <<-'EOT' || fall_short "NSS"
	import ctypes, sys
	from ctypes import c_char_p, c_int, c_void_p, byref

	request, database, host, port, alpn = sys.argv[1:]
	nspr = ctypes.CDLL("libnspr4.so")
	nss = ctypes.CDLL("libnss3.so")
	ssl = ctypes.CDLL("libssl3.so")
	nspr.PR_NewTCPSocket.restype = c_void_p
	ssl.SSL_ImportFD.restype = c_void_p
	ssl.SSL_ImportFD.argtypes = [c_void_p, c_void_p]

	def must(result):
	    if result != 0:
	        sys.exit("NSS error %d" % nspr.PR_GetError())

	must(nss.NSS_Init(("sql:" + database).encode()))
	must(ssl.NSS_SetDomesticPolicy())
	address = ctypes.create_string_buffer(256)
	must(nspr.PR_StringToNetAddr(b"127.0.0.1", address))
	must(nspr.PR_SetNetAddr(0, 2, int(port), address))
	fd = nspr.PR_NewTCPSocket()
	must(nspr.PR_Connect(c_void_p(fd), address, 10000000))
	fd = c_void_p(ssl.SSL_ImportFD(None, fd))
	must(ssl.SSL_SetURL(fd, host.encode()))
	protocol = bytes([len(alpn)]) + alpn.encode()
	must(ssl.SSL_SetNextProtoNego(fd, protocol, len(protocol)))
	must(ssl.SSL_ResetHandshake(fd, 0))
	must(ssl.SSL_ForceHandshake(fd))
	data = open(request, "rb").read()
	if nspr.PR_Write(fd, data, len(data)) != len(data):
	    sys.exit("PR_Write")
	got, piece = b"", ctypes.create_string_buffer(65536)
	while b" at " not in got or not got.rstrip().endswith(b">"):
	    n = nspr.PR_Recv(fd, piece, len(piece), 0, 10000000)
	    if n <= 0:
	        break
	    got += piece.raw[:n]
	sys.stdout.buffer.write(got)
	EOT
	proved nss "$(name_of "$1")"
}

# ---- the proof -------------------------------------------------------------------

make_ca
make_certificate "$host"
make_farm_key
mkdir -p "$work/home/.pki/nssdb" "$work/nss"
for database in "$work/home/.pki/nssdb" "$work/nss"; do
	certutil -N -d "sql:$database" --empty-password
	certutil -A -d "sql:$database" -n ca -t C,, -i "$work/ca.pem"
done
write_requests
start_nginx
write_node
start_haproxy
sed -i "s/@TLVS@/$tlvs_port/" "$work/node-1.yaml"
start_node 1

by_chromium HTTP/2.0
by_chromium HTTP/1.1 --disable-http2
by_curl --http2 HTTP/2.0
by_curl --http1.1 HTTP/1.1
by_curl --http2 HTTP/2.0 "$front_v1"
for client in openssl gnutls nss; do
	"by_$client" h2 h2
	"by_$client" http1.1 http/1.1
done
[ "$(curl -sS --max-time 20 --interface 127.0.0.9 -k \
	--resolve "$tlvs:$front:127.0.0.1" "https://$tlvs:$front/")" = \
	"<$tlvs for 127.0.0.9>" ] || fall_short "HAProxy read other TLVs"
echo "node-7: $proofs of 11: five clients fetched a page of nginx through" \
	"HAProxy and stekd by HTTP/2 and by HTTP/1.1, one behind a header of" \
	"version 1 too"

# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# For peers.sh, after lib.sh: stekd and its peers, each with one worker, the same
# certificate, tickets on, no access log. A server is started by start_SERVER
# under the name SERVER; then port_of[SERVER] is its port and server_pid its
# worker's process.

declare -A port_of
server_pid=

ciphers12=ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256
groups_all=X25519:P-256

# The names of the peers: what is not here is left out, and said.
peer_command()
{
	case $1 in
	stekd) echo "$STEKD_BUILD/stekd" ;;
	nginx) PATH=$PATH:/usr/sbin command -v nginx ;;
	haproxy) PATH=$PATH:/usr/sbin command -v haproxy ;;
	hitch) PATH=$PATH:/usr/sbin command -v hitch ;;
	h2o) command -v h2o ;;
	esac
}

# listens NAME: the server takes TCP connections.
listens() { (exec 3<>"/dev/tcp/127.0.0.1/${port_of[$1]}") 2>/dev/null; }

# ready_to_serve NAME: waits, and finds the process that does the work: the one
# child of a server that keeps a master.
ready_to_serve()
{
	await_of "$1" 30 "$1 to listen" listens "$1"
	server_pid=$(pid_of "$1")
	case $1 in
	hitch)
		await_of "$1" 30 "hitch's worker" has_worker "$server_pid"
		server_pid=$(pgrep -P "$server_pid" | head -n 1)
		;;
	esac
}

has_worker() { [ -n "$(pgrep -P "$1" | head -n 1)" ]; }

# The certificate, as one file for those that want it so.
bundle() { cat "$1.key" "$1.pem" >"$1.bundle"; }

# ---- stekd ----------------------------------------------------------------------

# start_stekd [BACKEND]: two hosts with one certificate, which differ in how many
# tickets a client of TLS 1.3 gets: two of a full handshake, as from OpenSSL's
# servers, and one of a resumption, as from these. `stekd_name` starts another one,
# `stekd_workers` with more workers, `stekd_pin=true` pins them, if `stekd_cpu` says
# so to that processor; `stekd_keys` has lines for its section keys; `stekd_store` is
# a store to share.
start_stekd()
{
	local name=${stekd_name:-stekd}

	free_port
	port_of[$name]=$port
	free_port
	metrics_port[9]=$port
	rm -rf "$work/store-$name"
	mkdir "$work/store-$name"
	cat >"$work/$name.yaml" <<-EOT
	farm: bench
	node: $name
	farm_key: $work/farm.key
	store:
	  url: ${stekd_store:-file:$work/store-$name}
	keys:
	  period_s: $period_s
	${stekd_keys-}
	workers: ${stekd_workers:-1}
	pin_workers: ${stekd_pin:-false}
	log: { level: warn, format: logfmt }
	limits: { max_connections: 20000, idle_timeout_ms: 600000 }
	listen:
	  - address: "127.0.0.1:${port_of[$name]}"
	hosts:
	  - names: [full.example.test]
	    default: true
	    certificate: $cert.pem
	    key: $cert.key
	    backend: ${1:-builtin}
	  - names: [resumed.example.test]
	    tickets: 1
	    certificate: $cert.pem
	    key: $cert.key
	    backend: ${1:-builtin}
	admin:
	  socket: $work/$name.sock
	metrics:
	  listen: 127.0.0.1:${metrics_port[9]}
	EOT
	run "$name" ${stekd_cpu:+taskset -c "$stekd_cpu"} "$STEKD_BUILD/stekd" -c "$work/$name.yaml"
	await_of "$name" 30 "stekd to be ready" is_ready 9
	ready_to_serve "$name"
}

# ---- the peers ------------------------------------------------------------------

# nginx_config PORT SSL LOCATION
nginx_config()
{
	cat <<-EOT
	daemon off;
	master_process off;
	
	error_log stderr error;
	pid $work/nginx-$1.pid;
	events { worker_connections 10100; multi_accept on; }
	http {
	  access_log off;
	  client_body_temp_path $work/nginx-$1.b;
	  proxy_temp_path $work/nginx-$1.p;
	  fastcgi_temp_path $work/nginx-$1.f;
	  uwsgi_temp_path $work/nginx-$1.u;
	  scgi_temp_path $work/nginx-$1.s;
	  tcp_nodelay on;
	  client_header_timeout 600s;
	  keepalive_timeout 600s;
	  sendfile on;
	  server {
	    listen 127.0.0.1:$1 $2 backlog=4096;
	    location / { $3 }
	  }
	}
	EOT
}

start_nginx()
{
	free_port
	port_of[nginx]=$port
	nginx_config "$port" ssl 'return 200 "ok\n";' |
		sed "s|^    location|    ssl_certificate $cert.pem;\\
	    ssl_certificate_key $cert.key;\\
	    ssl_protocols TLSv1.2 TLSv1.3;\\
	    ssl_ciphers $ciphers12;\\
	    ssl_ecdh_curve $groups_all;\\
	    ssl_session_cache off;\\
	    ssl_session_tickets on;\\
	    ssl_session_timeout 1h;\\
	    &|" >"$work/nginx.conf"
	run nginx "$(peer_command nginx)" -e stderr -c "$work/nginx.conf"
	ready_to_serve nginx
}

# start_haproxy [BACKEND]: an endpoint, or a terminator in tcp mode before it.
start_haproxy()
{
	local rest='mode http
	  http-request return status 200 content-type text/plain string ok'

	[ $# = 0 ] || rest="mode tcp
	  server backend $1"
	free_port
	port_of[haproxy]=$port
	bundle "$cert"
	cat >"$work/haproxy.cfg" <<-EOT
	global
	  nbthread 1
	  maxconn 9900
	  tune.ssl.lifetime 3600
	  ssl-default-bind-ciphers $ciphers12
	defaults
	  timeout client 600s
	  timeout server 600s
	  timeout connect 20s
	frontend bench
	  bind 127.0.0.1:$port backlog 4096 ssl crt $cert.bundle curves $groups_all ssl-min-ver TLSv1.2
	  ${rest/server*/default_backend backend}
	EOT
	[ $# = 0 ] || cat >>"$work/haproxy.cfg" <<-EOT
	backend backend
	  mode tcp
	  server backend $1
	EOT
	run haproxy "$(peer_command haproxy)" -db -f "$work/haproxy.cfg"
	ready_to_serve haproxy
}

# start_h2o: nothing is at its path, so it answers a short 404.
start_h2o()
{
	free_port
	port_of[h2o]=$port
	cat >"$work/h2o.conf" <<-EOT
	num-threads: 1
	max-connections: 9900
	handshake-timeout: 600
	http1-request-timeout: 600
	error-log: $work/log/h2o
	ssl-session-resumption:
	  mode: ticket
	  ticket-store: internal
	listen:
	  host: 127.0.0.1
	  port: $port
	  ssl:
	    certificate-file: $cert.pem
	    key-file: $cert.key
	    minimum-version: TLSv1.2
	    cipher-suite: $ciphers12
	hosts:
	  default:
	    paths: {}
	EOT
	run h2o "$(peer_command h2o)" -c "$work/h2o.conf"
	ready_to_serve h2o
}

# start_hitch BACKEND
start_hitch()
{
	free_port
	port_of[hitch]=$port
	bundle "$cert"
	cat >"$work/hitch.conf" <<-EOT
	frontend = { host = "127.0.0.1" port = "$port" }
	backend = "[${1%:*}]:${1##*:}"
	pem-file = "$cert.bundle"
	workers = 1
	daemon = off
	quiet = on
	backlog = 4096
	tls-protos = TLSv1.2 TLSv1.3
	ciphers = "$ciphers12"
	ciphersuites = "TLS_AES_128_GCM_SHA256"
	ecdh-curve = "$groups_all"
	EOT
	# Its workers never run as root; the package has a user for them.
	[ "$(id -u)" != 0 ] || echo 'user = "_hitch"' >>"$work/hitch.conf"
	run hitch "$(peer_command hitch)" --config="$work/hitch.conf"
	ready_to_serve hitch
}

# start_backend: plain HTTP for terminators: a word at /, `backend_bytes` at any
# path if that is set. Sets `backend`.
start_backend()
{
	free_port
	port_of[backend]=$port
	backend=127.0.0.1:$port
	if [ -n "${backend_bytes-}" ]; then
		mkdir -p "$work/www"
		head -c "$backend_bytes" /dev/zero >"$work/www/index.html"
		nginx_config "$port" '' "root $work/www;"
	else
		nginx_config "$port" '' 'return 200 "ok\n";'
	fi >"$work/backend.conf"
	run backend "$(peer_command nginx)" -e stderr -c "$work/backend.conf"
	ready_to_serve backend
}

# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Starts, describes and ends the quickstart's processes: Redis, the nodes,
# HAProxy. Sourced by quickstart.sh, which sets the variables below.
: "${dir:?}" "${build:?}" "${repo:?}" "${store:?}" "${nodes:?}" "${stray:?}"

server_name=www.quickstart.test
app_name=app.quickstart.test

say() { printf '\n== %s\n' "$*"; }

fail()
{
	echo "quickstart: $*" >&2
	exit 1
}

fail_log()
{
	tail -n 25 "$dir/log/$1.log" >&2
	fail "$1 failed; the whole log is $dir/log/$1.log"
}

# A loopback port below the ephemeral range on which nobody listens and which
# was not given out before in this run.
ports_given=" "
free_port()
{
	local p
	while :; do
		p=$((10000 + RANDOM % 20000))
		case $ports_given in *" $p "*) continue ;; esac
		if ! (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null; then
			ports_given+="$p "
			port=$p
			return
		fi
	done
}

# run NAME COMMAND...: in the background, its output in a log, its pid noted
# together with the time it started, so that a recycled pid is never killed.
run()
{
	local name=$1 pid
	shift
	setsid "$@" >"$dir/log/$name.log" 2>&1 </dev/null &
	pid=$!
	disown "$pid"
	echo "$pid $(birth "$pid")" >"$dir/pid/$name"
}

# Nothing of one that has ended and that nobody has collected yet; one whose first
# thread has ended before the others still holds its ports.
birth()
{
	sed 's/.*) //' "/proc/$1/stat" 2>/dev/null |
		awk '$1 !~ /[ZX]/ || $18 > 1 { print $20 }'
}

alive()
{
	local pid born
	read -r pid born 2>/dev/null <"$dir/pid/$1" || return 1
	[ -n "$born" ] && [ "$(birth "$pid")" = "$born" ]
}

# await NAME SECONDS CONDITION...: polls; fails at once if NAME has died.
await()
{
	local name=$1 end=$((SECONDS + $2))
	shift 2
	until "$@" 2>/dev/null; do
		alive "$name" || fail_log "$name"
		[ $SECONDS -lt $end ] || fail_log "$name"
		read -rt 0.05 <> <(:) || :
	done
}

# An empty directory of ours alone. Only one that an earlier quickstart has
# marked is emptied: --state-dir may name anything.
farm_directory()
{
	if [ -e "$dir" ] && [ ! -f "$dir/.stekd-quickstart" ] &&
		[ -n "$(ls -A "$dir")" ]; then
		fail "$dir holds other files; name another --state-dir"
	fi
	[ -e "$dir" ] || (umask 077 && mkdir -p "$dir")
	if [ -L "$dir" ] || [ ! -O "$dir" ]; then
		fail "$dir is not ours; name another --state-dir"
	fi
	chmod 700 "$dir"
	rm -rf "${dir:?}"/*
	: >"$dir/.stekd-quickstart"
	mkdir -m 700 "$dir/log" "$dir/pid"
}

farm_is_up() { [ -f "$dir/status.json" ] && alive haproxy; }

farm_stop()
{
	local f pid born
	for f in "$dir"/pid/haproxy "$dir"/pid/node-* "$dir"/pid/stray \
		"$dir"/pid/*; do
		[ -f "$f" ] || continue
		if alive "${f##*/}"; then
			read -r pid born <"$f"
			kill "$pid" 2>/dev/null || :
			for _ in {1..600}; do
				alive "${f##*/}" || break
				read -rt 0.1 <> <(:) || :
			done
			if alive "${f##*/}"; then kill -9 "$pid" || :; fi
		fi
		rm -f "$f"
	done
	rm -f "$dir/status.json"
}

make_certificates()
{
	local san="DNS:$server_name,DNS:$app_name,DNS:localhost,IP:127.0.0.1"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$dir/ca.key" -out "$dir/ca.pem" -days 30 \
		-subj "/CN=stekd quickstart CA" 2>/dev/null
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$dir/server.key" -out "$dir/server.csr" \
		-subj "/CN=$server_name" 2>/dev/null
	printf 'subjectAltName=%s\nbasicConstraints=CA:false\n' "$san" \
		>"$dir/server.ext"
	openssl x509 -req -in "$dir/server.csr" -CA "$dir/ca.pem" \
		-CAkey "$dir/ca.key" -CAcreateserial -days 30 \
		-extfile "$dir/server.ext" -out "$dir/server.pem" 2>/dev/null
	cat "$dir/ca.pem" >>"$dir/server.pem"
}

# Redis as in deploy/redis: nothing on disk, one user with what stekd needs,
# and, for who wants to look inside, the ACL line in $STEKD_REDIS_USER.
start_redis()
{
	local password hash
	free_port && redis_port=$port
	password=$(openssl rand -hex 24)
	(umask 077 && printf '%s\n' "$password" >"$dir/redis.password")
	hash=$(printf %s "$password" | sha256sum | cut -d' ' -f1)
	sed -e "s/@FARM@/quickstart/g" -e "s/@PASSWORD_SHA256@/$hash/" \
		"$repo/deploy/redis/users.acl" >"$dir/redis.acl"
	[ -z "${STEKD_REDIS_USER-}" ] || echo "$STEKD_REDIS_USER" >>"$dir/redis.acl"
	sed -e "s/@PORT@/$redis_port/" -e "s,@DIR@,$dir,g" \
		"$repo/deploy/redis/redis.conf" >"$dir/redis.conf"
	run redis redis-server "$dir/redis.conf"
	await redis 60 grep -q "Ready to accept connections" \
		"$dir/log/redis.log"
	store_lines="url: redis://127.0.0.1:$redis_port
  user: stekd
  password_file: $dir/redis.password"
	redis_address=127.0.0.1:$redis_port
}

# node NAME FARM_KEY STORE_LINES
start_node()
{
	local name=$1 direct proxied metrics admin
	free_port && direct=$port
	free_port && proxied=$port
	free_port && metrics=$port
	free_port && admin=$port
	mkdir -m 700 "$dir/$name"
	(umask 077 && openssl rand -hex 32 >"$dir/$name/admin.token")
	cat >"$dir/$name/stekd.yaml" <<-EOF
	farm: quickstart
	node: $name
	farm_key: $2
	state_dir: $dir/$name
	store:
	  $3
	keys:
	  period_s: ${STEKD_PERIOD_S:-21600}
	  rotate_delay_ms: ${STEKD_ROTATE_DELAY_MS:-4000}
	  rotate_interval_s: 1
	workers: ${STEKD_WORKERS:-1}
	listen:
	  - address: 127.0.0.1:$direct
	  - address: 127.0.0.1:$proxied
	    proxy_protocol: true
	    proxy_from: [127.0.0.1]
	hosts:
	  - names: [$server_name, localhost]
	    default: true
	    certificate: $dir/server.pem
	    key: $dir/server.key
	    alpn: [http/1.1]
	    backend: builtin
	  - names: [$app_name]
	    certificate: $dir/server.pem
	    key: $dir/server.key
	    alpn: [http/1.1]
	    backend: tcp:127.0.0.1:$backend_port
	    send_proxy: true
	admin:
	  socket: $dir/$name/admin.sock
	  listen: 127.0.0.1:$admin
	  token_file: $dir/$name/admin.token
	metrics:
	  listen: 127.0.0.1:$metrics
	EOF
	run "$name" "$build/stekd" -c "$dir/$name/stekd.yaml"
	node_names+=("$name")
	node_direct+=("127.0.0.1:$direct")
	node_proxied+=("127.0.0.1:$proxied")
	node_metrics+=("127.0.0.1:$metrics")
	node_admin+=("$dir/$name/admin.sock")
	node_admin_tcp+=("127.0.0.1:$admin")
}

node_ready()
{
	# One that lacks its keys says "degraded" too.
	[ "$(curl -sf --max-time 2 "http://$1/readyz")" = ready ]
}

start_haproxy()
{
	local i
	free_port && front_port=$port
	{
		sed -e "s/@FRONT@/127.0.0.1:$front_port/" \
			-e "s/@BACKEND@/127.0.0.1:$backend_port/" \
			"$repo/deploy/quickstart/haproxy.cfg"
		for i in "${!node_names[@]}"; do
			[ "${node_names[i]}" != stray ] || continue
			printf '\tserver %s %s send-proxy-v2 check port %s\n' \
				"${node_names[i]}" "${node_proxied[i]}" \
				"${node_metrics[i]##*:}"
		done
	} >"$dir/haproxy.cfg"
	run haproxy haproxy -db -f "$dir/haproxy.cfg"
	await haproxy 60 port_open "$front_port"
}

port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1"); }

farm_start()
{
	local i
	node_names=() node_direct=() node_proxied=() node_metrics=()
	node_admin=() node_admin_tcp=() redis_address=
	say "Farm key and certificate (in $dir)"
	"$build/stekctl" keygen "$dir/farm.key"
	make_certificates
	free_port && backend_port=$port
	if [ "$store" = redis ]; then
		say "Redis"
		start_redis
		echo "redis://$redis_address"
	else
		mkdir -m 700 "$dir/store"
		store_lines="url: file:$dir/store"
	fi
	say "Nodes"
	for ((i = 1; i <= nodes; i++)); do
		start_node "node-$i" "$dir/farm.key" "$store_lines"
	done
	if $stray; then
		"$build/stekctl" keygen "$dir/stray.key"
		mkdir -m 700 "$dir/stray-store"
		start_node stray "$dir/stray.key" "url: file:$dir/stray-store"
	fi
	for i in "${!node_names[@]}"; do
		await "${node_names[i]}" 60 node_ready "${node_metrics[i]}"
		echo "${node_names[i]} ready at ${node_direct[i]}"
	done
	say "HAProxy, layer 4, round robin"
	start_haproxy
	echo "127.0.0.1:$front_port"
	farm_describe >"$dir/status.json.new"
	mv "$dir/status.json.new" "$dir/status.json"
}

json_list() { printf '"%s",' "$@" | sed 's/,$//'; }

farm_describe()
{
	cat <<-EOF
	{"frontend":"127.0.0.1:$front_port",
	 "nodes":[$(json_list "${node_direct[@]}")],
	 "names":[$(json_list "${node_names[@]}")],
	 "admin":[$(json_list "${node_admin[@]}")],
	 "admin_tcp":[$(json_list "${node_admin_tcp[@]}")],
	 "metrics":[$(json_list "${node_metrics[@]}")],
	 "redis":$([ -n "$redis_address" ] && echo "\"$redis_address\"" || echo null),
	 "backend":"127.0.0.1:$backend_port",
	 "server_name":"$server_name","app_name":"$app_name",
	 "ca":"$dir/ca.pem","state_dir":"$dir","build":"$build"}
	EOF
}

farm_print()
{
	local front admin
	front=$(jq -r .frontend "$dir/status.json")
	admin=$(jq -r '.admin[0]' "$dir/status.json")
	jq -r '"frontend   \(.frontend)  (HAProxy)",
	       (range(.nodes | length) as $i |
	        "\(.names[$i])     \(.nodes[$i])  metrics http://\(.metrics[$i])/metrics"),
	       "redis      \(.redis // "none (file store)")",
	       "state      \(.state_dir)"' "$dir/status.json"
	cat <<-EOF

	Try by hand:
	  printf 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' |
	    openssl s_client -quiet -connect $front -servername $server_name -CAfile $dir/ca.pem
	  curl --cacert $dir/ca.pem --connect-to ::$front https://$server_name/
	  curl --cacert $dir/ca.pem --connect-to ::$front https://$app_name/
	  $build/stekctl --socket $admin status
	  $build/stekctl --socket $admin keys
	  $build/stekctl --socket $admin rotate
	  curl --unix-socket $admin -X POST http://localhost/v1/rotate
	  $build/stekctl --socket $admin watch
	EOF
}

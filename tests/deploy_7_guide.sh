#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Every command of deploy/GUIDE.md, in its order, on the hosts that it names,
# does what the guide says: the farm comes up, is upgraded, rolled over, revoked,
# loses its Redis, and resumes every client at the end.
#
# Each host is a network namespace, with an /etc, a /run and a /var/lib of its
# own in a mount namespace for each block. There is no systemd in them:
# `systemctl` is a script that starts and stops the same programs, and hands
# over the same credentials. "Copy the file" of the text is done here.
. "$(dirname "$0")/lib.sh"
need jq curl haproxy unshare mount
. "$(dirname "$0")/net.sh"
guide=$repo/deploy/GUIDE.md
nodes=(node1 node2 node3)

# ---- the hosts -----------------------------------------------------------------

# What systemd would do, for the one service of each host.
make_systemctl()
{
	mkdir "$work/bin"
	cat >"$work/bin/systemctl" <<-'EOT'
	#!/bin/bash
	set -eu
	birth()
	{
		sed 's/.*) //' "/proc/$1/stat" 2>/dev/null |
			awk '$1 !~ /[ZX]/ || $18 > 1 { print $20 }'
	}
	alive() { [ -f "$pid" ] && [ -n "$(birth "$(cut -d' ' -f1 "$pid")")" ]; }
	credentials()
	{
		local dir=/run/credentials/$service.service line

		rm -rf "$dir"
		mkdir -p "$dir"
		sed -n 's/^LoadCredential=//p' "$GUIDE_UNITS/$service.service.in" \
			/etc/systemd/system/$service.service.d/*.conf |
		while read -r line; do
			install -m 0400 "${line#*:}" "$dir/${line%%:*}"
		done
	}
	start()
	{
		case $service in
		stekd)
			credentials
			mkdir -p -m 0700 /run/stekd /var/lib/stekd
			set -- stekd -c /etc/stekd/stekd.yaml ;;
		redis-server) set -- redis-server /etc/redis/redis.conf ;;
		haproxy)
			# Of connections only as many as a test may have files.
			mkdir -p /run/haproxy /var/lib/haproxy
			set -- haproxy -db -n 4000 -f /etc/haproxy/haproxy.cfg ;;
		esac
		"$@" >>"$GUIDE_WORK/log/$GUIDE_HOST" 2>&1 </dev/null &
		echo "$! $(birth $!)" >"$pid"
		# "Started" is that it is ready.
		for ((i = 0; i < 600; i++)); do
			alive || { echo "$service has failed" >&2; exit 1; }
			! ready >/dev/null 2>&1 || return 0
			read -rt 0.05 <> <(:) || :
		done
		echo "$service is not ready" >&2
		exit 1
	}
	ready()
	{
		case $service in
		stekd) stekctl status ;;
		redis-server) (exec 3<>"/dev/tcp/192.0.2.30/6379") ;;
		haproxy) (exec 3<>"/dev/tcp/192.0.2.10/443") ;;
		esac
	}
	stop()
	{
		alive || return 0
		kill "$(cut -d' ' -f1 "$pid")"
		while alive; do read -rt 0.05 <> <(:) || :; done
		rm -f "$pid"
	}
	command=$1
	[ "$command" != daemon-reload ] || exit 0
	service=${!#}
	pid=$GUIDE_WORK/pid/$GUIDE_HOST
	case $command in
	enable | start) start ;;
	stop) stop ;;
	restart) stop; start ;;
	*) echo "systemctl $command is not known here" >&2; exit 2 ;;
	esac
	EOT
	chmod 755 "$work/bin/systemctl"
}

make_hosts()
{
	local host

	net_hub balancer 192.0.2.10
	net_host node1 192.0.2.21 balancer
	net_host node2 192.0.2.22 balancer
	net_host node3 192.0.2.23 balancer
	net_host redis 192.0.2.30 balancer
	for host in balancer redis "${nodes[@]}"; do
		mkdir -p "$work/$host/run" "$work/$host/lib" "$work/$host/home"
		cp -a /etc "$work/$host/etc"
		mkdir -p "$work/$host/etc/stekd" "$work/$host/etc/haproxy"
		chmod 755 "$work/$host" "$work/$host/etc" "$work/$host/lib"
	done
}

# on HOST FILE: the commands of the file, there. What they need of this machine
# stays in sight where it lies below a directory that is the host's own.
on()
{
	local host=$1 file=$2

	# shellcheck disable=SC2016 # for the inner shell
	GUIDE_HOST=$host GUIDE_WORK=$work GUIDE_UNITS=$repo/deploy/systemd \
		PATH=$work/bin:$STEKD_BUILD:$PATH \
		at "$host" unshare --mount bash -eu -o pipefail -c '
		covered=()
		for dir in "${@:2}"; do
			case $dir in /etc/* | /run/* | /var/lib/*)
				covered+=("$dir")
				mkdir -p "$0/kept$dir"
				mount --rbind "$dir" "$0/kept$dir" ;;
			esac
		done
		mount --bind "$0/etc" /etc
		mount --bind "$0/run" /run
		mount --bind "$0/lib" /var/lib
		for dir in "${covered[@]}"; do
			mkdir -p "$dir"
			mount --rbind "$0/kept$dir" "$dir"
		done
		cd "$0/home"
		. "$1"' "$work/$host" "$file" "$repo" "$STEKD_BUILD" >"$work/answer" 2>&1 || {
		cat "$file" "$work/answer" >&2
		fall_short "these commands of the guide failed at $host"
	}
	{ echo "---- $host"; cat "$work/answer"; } >>"$work/log/answers"
}

# ---- the guide -----------------------------------------------------------------

# take_apart: block.N for each "sh" block, in order; the YAML of the nodes.
take_apart()
{
	awk -v dir="$work" '
		/^```/ && !inside {
			inside = 1
			kind = substr($0, 4)
			if (kind == "sh")
				file = sprintf("%s/block.%03d", dir, ++n)
			else if (kind == "yaml" && !yaml++)
				file = dir "/stekd.yaml"
			else
				file = ""
			next
		}
		/^```$/ { inside = 0; next }
		inside && file { print > file }' "$guide"
}

# What a host is given by hand between blocks.
copy()
{
	local host

	for host in "${nodes[@]}"; do
		[ ! -f "$work/redis/home/redis.password" ] ||
			cp "$work/redis/home/redis.password" "$work/$host/etc/stekd/"
		[ "$host" = node1 ] || [ ! -f "$work/node1/etc/stekd/farm.key" ] ||
			cp -p "$work/node1/etc/stekd/farm.key" "$work/$host/etc/stekd/"
	done
}

# Where a block runs is its first line, which says so to the reader too.
run_block()
{
	local where host

	where=$(sed -n '1s/^# //p' "$1")
	case $where in
	"each node")
		for host in "${nodes[@]}"; do on "$host" "$1"; done ;;
	node[123] | redis | balancer) on "$where" "$1" ;;
	*) fall_short "a block begins with \"$where\": $(cat "$1")" ;;
	esac
	commands=$((commands + $(grep -c '^[a-z]' "$1")))
	# The farm key of node1 goes round, but not when each cuts its own.
	grep -q 'sed -i 1d' "$1" || copy
}

say_of() { at balancer "$STEKD_BUILD/stekctl" --socket "$work/$1/run/stekd/admin.sock" "${@:2}"; }

# Facts that must hold after the block that contains a text.
judge()
{
	case $(cat "$1") in
	*"stekctl farm-key status"*)
		await 30 "all to seal under the new farm key" rolled_over ;;
	*"revoke --all"*)
		say_of node1 --json keys | jq -e '[.keys[] |
			select(.state == "revoked")] | length > 0' >/dev/null ||
			fall_short "revoke --all revoked nothing"
		# For the delay of the new key nobody gives tickets.
		await 30 "a new key to seal at all nodes" all_seal ;;
	*"systemctl stop redis-server"*)
		await 30 "node1 to miss Redis" store_is unavailable ;;
	*"systemctl start redis-server"*)
		await 60 "node1 to have Redis back" store_is ok ;;
	esac
}

rolled_over()
{
	say_of node1 --json farm-key status | jq -e '.ring as $r |
		[.nodes[].seals] | length == 3 and all(. == $r)' &&
		[ "$(say_of node1 --json farm-key status | jq -r .ring)" != "$first" ]
}
all_seal()
{
	local host

	for host in "${nodes[@]}"; do
		say_of "$host" --json keys |
			jq -e 'any(.keys[]; .state == "active")' || return
	done
}
store_is() { say_of node1 --json status | jq -e ".stores[0].state == \"$1\""; }

make_hosts
make_systemctl
make_ca
make_certificate www.example.com
take_apart
for host in "${nodes[@]}"; do
	cp "$work/www.example.com.pem" "$work/$host/etc/stekd/www.pem"
	cp "$work/www.example.com.key" "$work/$host/etc/stekd/www.key"
	cp "$work/stekd.yaml" "$work/$host/etc/stekd/stekd.yaml"
	# Three hosts of one machine have one name.
	echo "node: $host" >>"$work/$host/etc/stekd/stekd.yaml"
done
for host in redis balancer "${nodes[@]}"; do
	ln -s "$repo/deploy" "$work/$host/home/deploy"
	cp "$work/ca.pem" "$work/$host/home/"
done
commands=0 first=''
for block in "$work"/block.*; do
	run_block "$block"
	[ -n "$first" ] || ! grep -q 'stekctl nodes' "$block" ||
		first=$(say_of node1 --json farm-key status | jq -r .ring)
	judge "$block"
done
[ "$commands" -ge 30 ] || fall_short "only $commands commands were found"

for host in "${nodes[@]}"; do
	! grep 'event=store_refused' "$work/log/$host" ||
		fall_short "Redis refused a command of $host"
done

# After all that every client resumes everywhere.
at balancer "$STEKD_BUILD/stekprobe" farm --send-proxy --ca "$work/ca.pem" \
	--sni www.example.com --json "${address[node1]}:443" \
	"${address[node2]}:443" "${address[node3]}:443" >"$work/farm.json" ||
	{ cat "$work/farm.json"; fall_short "not every client resumes"; }
blocks=("$work"/block.*)
jq -r --arg commands "$commands" --arg blocks "${#blocks[@]}" \
	--arg hosts "${#address[@]}" '[.versions[].cells[][]] |
	"deploy-7: \($commands) commands of the guide, in \($blocks) blocks on " +
	"\($hosts) hosts; \(map(select(.rate == 1)) | length) of \(length) " +
	"cells resume"' "$work/farm.json"

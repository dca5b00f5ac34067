#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# check_user.sh - a node that was started by root becomes an ordinary user once
# its sockets are bound and its keys are read: for good, undumpable, with its
# keys still locked in memory, and told what it then can no longer read.
: "${top_builddir:?run by make check}"
STEKD_BUILD=$top_builddir
. "$(dirname "$0")/lib.sh"
need setpriv
[ "$(id -u)" = 0 ] || skip "only root becomes somebody else"

user=nobody group=$(id -gn nobody)
status() { awk -v key="$1:" '$1 == key { $1 = ""; print substr($0, 2) }' \
	"/proc/$(pid_of node-1)/status"; }
is() { [ "$(status "$1")" = "$2" ] || fall_short "$1 is $(status "$1")"; }
said() { grep -q -e "$1" "$work/log/node-1"; }
# refuses PATTERN COMMAND...: it ends with status 1 or 2 and says so.
refuses()
{
	local pattern=$1 code=0

	shift
	timeout 60 "$@" >"$work/log/refused" 2>&1 || code=$?
	[ $code = 1 ] || [ $code = 2 ] || fall_short "$* ended with $code"
	grep -q -e "$pattern" "$work/log/refused" ||
		fall_short "not '$pattern': $(cat "$work/log/refused")"
}

make_ca
make_certificate www.example.test
make_farm_key
mkdir "$work/own"
write_config 1
sed -i "s,$work/node-1.sock,$work/own/admin.sock,
	1i user: $user" "$work/node-1.yaml"
admin_socket[1]=$work/own/admin.sock
chmod 711 "$work"
chown "$user:$group" "$work/own" "$work/state-1" "$work/store"
chmod 600 "$work/www.example.test.key"

# Little memory may be locked and the limit is hard: root lifts it beforehand.
run node-1 prlimit --memlock=65536:65536 "$STEKD_BUILD/stekd" \
	-c "$work/node-1.yaml"
await_of node-1 20 "the node to be ready" is_ready 1
uid=$(id -u $user) gid=$(id -g $user)
is Uid "$uid $uid $uid $uid"
is Gid "$gid $gid $gid $gid"
is CapEff 0000000000000000
is CapPrm 0000000000000000
is NoNewPrivs 1
for task in "/proc/$(pid_of node-1)/task"/*; do
	grep -q "^Uid:	$uid	$uid	$uid	$uid\$" "$task/status" ||
		fall_short "a thread is somebody else"
done
[ "$(stat -c %U "/proc/$(pid_of node-1)/environ")" = root ] ||
	fall_short "it may be dumped by its user"
[ "$(status VmLck | tr -dc 0-9)" -gt 0 ] || said memfd ||
	grep -q secretmem "/proc/$(pid_of node-1)/maps" ||
	fall_short "its keys are not locked"
[ "$(stat -c %U:%a "$work/own/admin.sock")" = "$user:600" ] ||
	fall_short "the admin socket is not its own"
probe load --connect "127.0.0.1:${tls_port[1]}" --sni www.example.test \
	--ca "$work/ca.pem" --tls both --connections 40 >"$work/log/load" ||
	fall_short "load"
ctl 1 rotate >"$work/log/rotate" || fall_short "rotate"
[ "$(stat -c %U "$work/state-1"/* | sort -u)" = "$user" ] ||
	fall_short "the ring is not kept by the user"

# A reload needs what only root may read: told at the start, refused when asked.
said 'a reload will fail.*file=.*www.example.test.key' ||
	fall_short "it did not tell of the key"
if ctl 1 reload 2>"$work/log/reload"; then fall_short "a reload"; fi
grep -q "node-1.yaml:[0-9]*: .*Permission denied" "$work/log/reload" ||
	fall_short "reload: $(cat "$work/log/reload")"
chown "$user" "$work/www.example.test.key" "$work/farm.key" \
	"$work/node-1.yaml" "$work/www.example.test.pem"
ctl 1 reload >"$work/log/reload" 2>&1 || fall_short "$(cat "$work/log/reload")"
sed -i "1i group: root" "$work/node-1.yaml"
if ctl 1 reload 2>"$work/log/reload"; then fall_short "another group"; fi
grep -q "node-1.yaml:1: found another value for group" "$work/log/reload" ||
	fall_short "group: $(cat "$work/log/reload")"
sed -i 1d "$work/node-1.yaml"
end node-1
[ ! -e "$work/own/admin.sock" ] || fall_short "the admin socket is left"

# What it needs all the time is missed at the start.
chown root "$work/state-1"
refuses "user $user has no access to $work/state-1" \
	"$STEKD_BUILD/stekd" -c "$work/node-1.yaml"
chown "$user" "$work/state-1"
sed -i "s/^user: .*/user: daemon/" "$work/node-1.yaml"
refuses "only root can become user daemon" setpriv --reuid=$user \
	--regid="$group" --clear-groups "$STEKD_BUILD/stekd" \
	-c "$work/node-1.yaml"
sed -i "s/^user: .*/user: no-such-user/" "$work/node-1.yaml"
refuses "node-1.yaml:1: found no user 'no-such-user'" \
	"$STEKD_BUILD/stekd" -c "$work/node-1.yaml"
sed -i "s/^user: .*/user: root/" "$work/node-1.yaml"
refuses "node-1.yaml:1: found root's id of 'root' for user" \
	"$STEKD_BUILD/stekd" -c "$work/node-1.yaml"
sed -i "s/^user: .*/group: $group/" "$work/node-1.yaml"
refuses "node-1.yaml:1: found group without user" \
	"$STEKD_BUILD/stekd" -c "$work/node-1.yaml"
say "became $user for good; what it cannot read is told"

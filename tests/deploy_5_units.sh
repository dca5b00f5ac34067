#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The units of systemd are valid, their exposure is 2.0 at most, and what they
# forbid a node and a keeper do not need. Both run with the user, the limits,
# the capabilities, the credentials and the directories that the units give, and
# every system call that they make is one that the filter lets through.
. "$(dirname "$0")/lib.sh"
need systemd-analyze systemd-sysusers systemd-tmpfiles strace setpriv prlimit jq

units=$repo/deploy/systemd
exposure_max=20 # in tenths

# ---- what systemd says of them ---------------------------------------------------

# Where the units' user may read it: the build may stand where only root may.
program=$work/bin/stekd
mkdir "$work/bin"
cp "$STEKD_BUILD/stekd" "$program"
chmod 0755 "$work/bin" "$program"
mkdir "$work/units"
cp "$STEKD_BUILD/stekd.service" "$STEKD_BUILD/stekd-keeper.service" \
	"$units/stekd.socket" "$work/units/"
for unit in "$work"/units/*.service; do
	grep -q '^ExecStart=/.*/sbin/stekd -c ' "$unit" ||
		fall_short "${unit##*/} does not start the program: $(grep ^Exec "$unit")"
done
# The programs are not installed here.
sed -i "s,^ExecStart=[^ ]*,ExecStart=$program," "$work"/units/*.service
for unit in "$work"/units/*; do
	systemd-analyze verify --man=no "$unit" >"$work/log/verify" 2>&1 ||
		fall_short "systemd-analyze verify ${unit##*/}"
	grep -F "${unit##*/}" "$work/log/verify" &&
		fall_short "systemd-analyze verify ${unit##*/}"
done
exposures=()
for name in stekd stekd-keeper; do
	systemd-analyze security --offline=true --threshold=$exposure_max \
		"$work/units/$name.service" >"$work/log/security" 2>&1 ||
		fall_short "the exposure of $name.service"
	exposures+=("$(sed -n 's/.*Overall.* \([0-9.]*\) OK.*/\1/p' \
		"$work/log/security")")
done

mkdir -p "$work/root/etc/stekd"
: >"$work/root/etc/stekd/farm.key"
systemd-sysusers --root="$work/root" "$units/stekd.sysusers"
grep -q '^stekd:.*:/var/lib/stekd:/usr/sbin/nologin$' "$work/root/etc/passwd" ||
	fall_short "the user: $(cat "$work/root/etc/passwd")"
systemd-tmpfiles --root="$work/root" --create "$units/stekd.tmpfiles"
uid=$(sed -n 's/^stekd:[^:]*:\([0-9]*\):.*/\1/p' "$work/root/etc/passwd")
gid=$(sed -n 's/^stekd:[^:]*:[0-9]*:\([0-9]*\):.*/\1/p' "$work/root/etc/passwd")
is=$(cd "$work/root/etc/stekd" && stat -c '%n %a %u %g' . farm.key | tr '\n' ' ')
[ "$is" = ". 750 0 $gid farm.key 600 0 0 " ] ||
	fall_short "the directory and the key: $is"

# ---- as they run ----------------------------------------------------------------

# allowed UNIT: the calls that its filter lets through, a line each.
allowed()
{
	python3 - "$1" <<-'EOT'
	import subprocess, sys

	def calls(name):
	    if not name.startswith("@"):
	        return {name}
	    text = subprocess.run(["systemd-analyze", "--no-pager",
	                           "syscall-filter", name], check=True,
	                          capture_output=True, text=True).stdout
	    return set().union(*(calls(line.strip()) for line in text.split("\n")
	                         if line.startswith("    ") and
	                         not line.strip().startswith("#")))

	good = set()
	for line in open(sys.argv[1]):
	    if not line.startswith("SystemCallFilter="):
	        continue
	    names = line.split("=", 1)[1].split()
	    if names[0].startswith("~"):
	        names[0] = names[0][1:]
	        good -= set().union(*map(calls, names))
	    else:
	        good |= set().union(*map(calls, names))
	# systemd itself makes these before it starts the program.
	print("\n".join(sorted(good | {"execve"})))
	EOT
}

value_of() { sed -n "s/^$2=//p" "$1"; }

# start_unit NAME: as the unit does it, but under strace.
start_unit()
{
	local name=$1 unit=$work/units/$1.service caps memlock

	caps=$(value_of "$unit" AmbientCapabilities | tr '[:upper:]' '[:lower:]' |
		sed 's/^cap_/+/')
	memlock=$(($(value_of "$unit" LimitMEMLOCK | sed 's/M$//') * 1024))
	# A container may have less, and no right to more.
	[ "$(ulimit -Hl)" = unlimited ] || [ "$(ulimit -Hl)" -ge $memlock ] ||
		memlock=$(ulimit -Hl)
	memlock=$((memlock * 1024))
	run "$name" env "CREDENTIALS_DIRECTORY=$work/credentials" \
		prlimit --memlock=$memlock:$memlock --core=0:0 \
		strace -f -q -o "$work/$name.calls" \
		setpriv --pdeathsig KILL --reuid "$uid" --regid "$gid" \
		--clear-groups \
		--bounding-set "-all${caps:+,$caps}" \
		--inh-caps "-all${caps:+,$caps}" \
		--ambient-caps "-all${caps:+,$caps}" --no-new-privs \
		"$program" -c "$work/$name.yaml"
}

# Of the process that strace follows, from the program's own start on.
calls_of()
{
	sed -n '\,execve("'"$program"'",,$p' "$work/$1.calls" |
		sed -n 's/^[0-9]* *\([a-z][a-z_0-9]*\)(.*/\1/p' | sort -u
}

daemon_of() { pgrep -P "$(pid_of "$1")"; }

sealing() { ctl "$1" --json status | jq -e '.degraded == []'; }

host=www.example.test
make_ca
make_certificate "$host"
make_farm_key
start_redis
write_config 1 "$host"
mkdir "$work/credentials" "$work/run"
# As systemd leaves them: root's, and the service's by its list, of which no
# file system here need know; the group stands for it.
cp "$work/farm.key" "$work/credentials/farm.key"
chown -R "0:$gid" "$work/credentials"
chmod 0440 "$work/credentials/farm.key"
chmod 0550 "$work/credentials"
chmod 0711 "$work"
chown -R "$uid:$gid" "$work/state-1" "$work/run" "$work/$host.key" \
	"$work/$host.pem"
admin_socket[1]=$work/run/admin.sock
admin_socket[2]=$work/run/keeper.sock
sed -e "s,^farm_key:.*,farm_key: $work/credentials/farm.key," \
	-e "s,socket: .*,socket: ${admin_socket[1]}," \
	"$work/node-1.yaml" >"$work/stekd.yaml"
sed -e '/^workers:/d' -e '/^listen:/,/backend:/d' -e '/^metrics:/,$d' \
	-e 's/^node:.*/node: keeper/' -e "s/state-1/state-2/" \
	-e "s,socket: .*,socket: ${admin_socket[2]}," \
	"$work/stekd.yaml" >"$work/stekd-keeper.yaml"
mkdir "$work/state-2"
chown "$uid:$gid" "$work/state-2"
chown "$uid:$gid" "$work"/stekd*.yaml
start_unit stekd
await_of stekd 60 "the node" sealing 1
start_unit stekd-keeper
await_of stekd-keeper 60 "the keeper" sealing 2

probe load --connect "127.0.0.1:${tls_port[1]}" --sni "$host" \
	--ca "$work/ca.pem" --tls both --connections 50 --expect 100 \
	>"$work/log/load" 2>&1 || fall_short "tickets do not resume"
for n in 1 2; do
	ctl "$n" rotate --force >"$work/log/rotate" 2>&1 ||
		fall_short "no rotation at $n"
done
kill -HUP "$(daemon_of stekd)"
ctl 1 reload >"$work/log/reload" 2>&1 || fall_short "no reload"
ctl 1 revoke --all >"$work/log/revoke" 2>&1 || fall_short "no revocation"
ctl 1 audit >"$work/log/audit" 2>&1 || fall_short "no audit"
curl -sf "http://127.0.0.1:${metrics_port[1]}/metrics" >"$work/metrics" ||
	fall_short "no metrics"
gone() { ! alive "$1"; }
for name in stekd stekd-keeper; do
	kill -TERM "$(daemon_of $name)"
	await 30 "the end of $name" gone $name
	tail -n 1 "$work/$name.calls" | grep -q 'exited with 0' ||
		fall_short "$name: $(tail -n 1 "$work/$name.calls")"
done

made=0
for name in stekd stekd-keeper; do
	allowed "$work/units/$name.service" >"$work/$name.allowed"
	[ "$(wc -l <"$work/$name.allowed")" -gt 100 ] ||
		fall_short "the filter of $name was not read"
	calls_of $name >"$work/$name.made"
	[ "$(wc -l <"$work/$name.made")" -gt 30 ] ||
		fall_short "the calls of $name were not seen"
	beyond=$(comm -23 "$work/$name.made" "$work/$name.allowed")
	[ -z "$beyond" ] || fall_short "$name.service forbids: $beyond"
	made=$((made + $(wc -l <"$work/$name.made")))
done
grep -qx memfd_secret "$work/stekd.made" || fall_short "no call for secret memory"
echo "deploy-5: two services valid, exposure ${exposures[0]} and" \
	"${exposures[1]} (bound 2.0); $made kinds of system call seen, all let through"

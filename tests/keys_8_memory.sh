#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A core of stekd cannot be forced, and root, reading all of its memory that can
# be read, finds neither live keys nor the farm key where the kernel has
# memfd_secret(2), and destroyed keys nowhere; the search finds planted ones.
#
# Twice: on the kernel as it is, and with memfd_secret denied, where live keys
# may stand only in memory that is locked, kept out of cores and empty in a
# child. STEKD_BUILD must not be a build with a sanitizer, which dumps cores and
# keeps freed memory.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || skip "another process's memory is read by root only"
memory=$STEKD_BUILD/tests/helper_memory
sni=www.example.test
kept=$work/state-1/ring.$farm

# ---- looking -------------------------------------------------------------------

# seek VERB PID: for what $work/ring.live holds, and the farm key.
seek()
{
	"$memory" "$farm" "$work/farm.key" "$work/ring.live" - "$@" \
		>"$work/found"
}

# seek_none VERB WHAT
seek_none()
{
	seek "$1" "$(pid_of node-1)" ||
		{ cat "$work/found"; fall_short "found: $2"; }
	say "$2: $(tail -n 1 "$work/found")"
}

secret_mappings() { grep -c /secretmem "/proc/$(pid_of node-1)/maps" || :; }

locked_mappings()
{
	awk '/^VmFlags/ && / lo / && / dd / && / wf / { n++ }
		END { print n + 0 }' "/proc/$(pid_of node-1)/smaps"
}

# Another program that holds the secrets: every form of each must be found.
control()
{
	local wanted

	mkfifo "$work/hold.in"
	exec 9<>"$work/hold.in"
	# shellcheck disable=SC2016 # for the inner shell
	run hold sh -c 'exec "$@" <"$0"' "$work/hold.in" "$memory" "$farm" \
		"$work/farm.key" "$work/ring.live" - hold
	await_of hold 10 "the control" grep -q holding "$work/log/hold"
	! seek anywhere "$(pid_of hold)" || fall_short "planted secrets unseen"
	planted=$(sed -n 's/.*: \([a-z]* key [0-9]*, form [0-9]\)$/\1/p' \
		"$work/found" | sort -u | wc -l)
	wanted=$(tail -n 1 "$work/found" |
		sed 's/.*; \([0-9]*\) secrets in \([0-9]*\) forms.*/\1*\2/')
	[ "$planted" = $((wanted)) ] ||
		fall_short "only $planted of $wanted planted ones were found"
}

# ---- cores ---------------------------------------------------------------------

core_files() { find "$work/cores" -type f -name '*core*'; }

# Whether a program that allows it leaves a core in its working directory.
cores_here()
{
	run victim env -C "$work/cores" sleep 60
	await_of victim 10 "a victim" grep -q sleep "/proc/$(pid_of victim)/comm"
	end victim ABRT
	[ -n "$(core_files)" ] || return
	rm -f "$work"/cores/*
}

gone() { ! alive node-1; }

abort_node()
{
	grep -q '^Max core file size *0 *0 ' "/proc/$(pid_of node-1)/limits" ||
		fall_short "the limit of cores is not 0"
	kill -ABRT "$(pid_of node-1)"
	await 10 "node-1 to die" gone
	rm -f "$work/pid/node-1"
	[ -z "$(core_files)" ] || fall_short "a core: $(core_files)"
}

# ---- a node's life -------------------------------------------------------------

load()
{
	probe load --connect "127.0.0.1:${tls_port[1]}" --sni $sni \
		--ca "$work/ca.pem" --connections 60 --tls both --json \
		>"$work/load.json" || fall_short "the load"
}

# begin [COMMAND...]: a node with a fresh ring and traffic, started by COMMAND.
begin()
{
	rm -rf "$work/state-1" "$work/store"
	mkdir "$work/state-1" "$work/store"
	run node-1 env -C "$work/cores" "$@" "$STEKD_BUILD/stekd" \
		-c "$work/node-1.yaml"
	await_of node-1 20 "node-1 to be ready" is_ready 1
	load
	await 10 "the ring to be kept" test -s "$kept"
	cp "$kept" "$work/ring.live"
}

revoke_and_end()
{
	ctl 1 revoke --all >"$work/log/revoke" || fall_short "revoke"
	await_of node-1 20 "node-1 to seal again" is_ready 1
	load
	seek_none destroyed "$1: destroyed keys"
	abort_node
}

make_ca
make_certificate $sni
make_farm_key
mkdir "$work/cores"
write_config 1 $sni
ulimit -c unlimited
core_word="no core, as this kernel keeps none as files"
if cores_here; then core_word="no core, where another program left one"; fi

kernel="no memfd_secret here"
begin
if [ "$(secret_mappings)" -gt 0 ]; then
	kernel="keys and farm key not readable in memfd_secret"
	seek_none anywhere "live keys and farm key"
	control
	revoke_and_end "memfd_secret"
else
	say "this kernel has no memfd_secret"
	control
	abort_node
fi

begin "$memory" without-memfd-secret
[ "$(secret_mappings)" = 0 ] || fall_short "memfd_secret was not denied"
[ "$(locked_mappings)" -gt 0 ] ||
	fall_short "no mapping is locked, out of cores and empty in a child"
seek_none unlocked "live keys and farm key outside locked memory"
if seek anywhere "$(pid_of node-1)"; then
	fall_short "the live keys are not in locked memory either"
fi
revoke_and_end "locked memory"
echo "keys-8: $kernel; without it, only in locked memory (lo dd wf);" \
	"destroyed keys nowhere; $core_word; $planted of $planted planted found"

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# One command on a fresh machine: installs what is missing, builds, starts a
# farm of stekd nodes behind HAProxy, and measures what a newcomer should see.
# Loopback only, free ports; root is needed only to install packages.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(dirname "$here")

usage()
{
	cat <<-'EOF'
	usage: deploy/quickstart.sh [start] [OPTION...]   build, run and measure a farm
	       deploy/quickstart.sh status [--json]       its addresses and state
	       deploy/quickstart.sh stop                  end all of it

	  --keep              leave the farm running (end it with "stop")
	  --store=redis|file  where nodes share the ring (default redis)
	  --nodes=N           number of nodes, 1 to 9 (default 3)
	  --stray             one more node, "stray", with a farm key of its own
	  --no-measure        start only
	  --no-build          use the programs in $STEKD_BUILD (default ./build)
	  --state-dir=DIR     default: $STEKD_QUICKSTART_DIR, else
	                      /tmp/stekd-quickstart.UID

	Exit: 0 as shown, 1 something fell short, 2 usage.
	EOF
}

# store, nodes and stray are read by the files sourced below.
# shellcheck disable=SC2034
command=start keep=false store=redis nodes=3 stray=false measure=true
build_it=true json=false
dir=${STEKD_QUICKSTART_DIR:-${TMPDIR:-/tmp}/stekd-quickstart.$(id -u)}
case ${1-} in start | status | stop) command=$1 && shift ;; esac
for option in "$@"; do
	case $option in
	--keep) keep=true ;;
	--store=redis | --store=file) store=${option#*=} ;;
	--nodes=[1-9]) nodes=${option#*=} ;;
	--stray) stray=true ;;
	--no-measure) measure=false ;;
	--no-build) build_it=false ;;
	--state-dir=/*) dir=${option#*=} ;;
	--json) json=true ;;
	-h | --help) usage && exit 0 ;;
	*)
		echo "quickstart: do not know \"$option\"" >&2
		usage >&2
		exit 2
		;;
	esac
done
build=${STEKD_BUILD:-$repo/build}

# shellcheck source=quickstart/farm.sh
. "$here/quickstart/farm.sh"
# shellcheck source=quickstart/measure.sh
. "$here/quickstart/measure.sh"

build_programs()
{
	say "Dependencies"
	"$here/deps.sh" build run
	say "Build (in $build)"
	[ -x "$repo/configure" ] || (cd "$repo" && autoreconf -fi) \
		>"$dir/log/autoreconf.log" 2>&1 || fail_log autoreconf
	mkdir -p "$build"
	[ -f "$build/Makefile" ] || (cd "$build" && "$repo/configure") \
		>"$dir/log/configure.log" 2>&1 || fail_log configure
	make -C "$build" -j"$(nproc)" >"$dir/log/make.log" 2>&1 ||
		fail_log make
}

# shellcheck disable=SC2317 # called by the EXIT trap
# The farm ends with this script, unless all went well and --keep was given.
on_exit()
{
	if [ "$1" != 0 ] || ! $keep; then farm_stop; fi
	exit "$1"
}

case $command in
status)
	farm_is_up || { echo "quickstart: nothing runs in $dir" >&2; exit 1; }
	if $json; then cat "$dir/status.json"; else farm_print; fi
	exit 0
	;;
stop)
	farm_stop
	echo "stopped"
	exit 0
	;;
esac

if farm_is_up; then
	echo "quickstart: a farm runs already in $dir;" \
		"end it with: deploy/quickstart.sh stop" >&2
	exit 1
fi
farm_directory
started=$SECONDS
trap 'farm_stop; exit 130' INT TERM HUP
trap 'on_exit $?' EXIT

if $build_it; then build_programs; fi
farm_start
result=0
if $measure; then measure_farm || result=1; fi
say "Ready after $((SECONDS - started)) s"
farm_print
$keep || echo "(The farm ends now; --keep leaves it running.)"
exit $result

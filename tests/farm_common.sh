# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034 # the tests use what is set here
#
# For the tests that run a whole farm: starts one by deploy/quickstart.sh with
# the programs in $STEKD_BUILD, and ends it on every way out. A test prints its
# figure last and exits 0, 1, or 77 to say that it could not run.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
: "${STEKD_BUILD:=$repo/build}"
export STEKD_BUILD
work=$(mktemp -d "${TMPDIR:-/tmp}/stekd-farm.XXXXXX")
farm_dir=$work/farm
ctl=$STEKD_BUILD/stekctl
probe=$STEKD_BUILD/stekprobe

quickstart()
{
	STEKD_QUICKSTART_DIR=$farm_dir "$repo/deploy/quickstart.sh" "$@"
}

# shellcheck disable=SC2317 # called by the EXIT trap
farm_down()
{
	local code=$1
	if [ "$code" != 0 ]; then
		tail -n 30 "$farm_dir"/log/*.log >&2 2>/dev/null || :
	fi
	quickstart stop >/dev/null 2>&1 || :
	rm -rf "$work"
	exit "$code"
}
trap 'farm_down $?' EXIT
trap 'exit 130' INT TERM HUP

# farm_up [quickstart options]: sets the addresses below.
farm_up()
{
	quickstart start --keep --no-measure --no-build "$@" >"$work/up.log" ||
		{ cat "$work/up.log" >&2; exit 1; }
	mapfile -t nodes < <(farm_fact '.nodes[]')
	mapfile -t names < <(farm_fact '.names[]')
	mapfile -t admins < <(farm_fact '.admin[]')
	mapfile -t metrics < <(farm_fact '.metrics[]')
	front=$(farm_fact .frontend)
	ca=$(farm_fact .ca)
	sni=$(farm_fact .server_name)
}

farm_fact() { jq -r "$1" "$farm_dir/status.json"; }

pid_of() { cut -d' ' -f1 "$farm_dir/pid/$1"; }

load()
{
	"$probe" load --sni "$sni" --ca "$ca" --json "$@"
}

# await SECONDS WHAT CONDITION...: polls until it holds.
await()
{
	local end=$((SECONDS + $1)) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || fall_short "waited in vain for $what"
		read -rt 0.05 <> <(:) || :
	done
}

fall_short()
{
	echo "falls short: $*" >&2
	exit 1
}

now_ms() { date +%s%3N; }

# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034 # the tests use what is set here
#
# For the tests that run a whole farm behind HAProxy: starts one by
# deploy/quickstart.sh with the programs in $STEKD_BUILD, and ends it on every
# way out. A test prints its figure last.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need jq haproxy redis-server redis-cli

# No key changes on schedule while a test runs.
export STEKD_PERIOD_S=$period_s
farm_dir=$work/farm
ctl=$STEKD_BUILD/stekctl
probe=$STEKD_BUILD/stekprobe

quickstart()
{
	STEKD_QUICKSTART_DIR=$farm_dir "$repo/deploy/quickstart.sh" "$@"
}

# shellcheck disable=SC2317 # called by the EXIT trap
farm_end()
{
	local code=$1

	if [ "$code" != 0 ]; then
		cp "$farm_dir"/log/*.log "$work/log/" 2>/dev/null
	fi
	quickstart stop >/dev/null 2>&1
	lib_end "$code"
}
trap 'farm_end $?' EXIT

# farm_up [quickstart options]: sets the addresses below.
farm_up()
{
	quickstart start --keep --no-measure --no-build "$@" >"$work/log/up" ||
		fall_short "the farm did not start"
	mapfile -t nodes < <(farm_fact '.nodes[]')
	mapfile -t names < <(farm_fact '.names[]')
	mapfile -t admins < <(farm_fact '.admin[]')
	mapfile -t metrics < <(farm_fact '.metrics[]')
	front=$(farm_fact .frontend)
	ca=$(farm_fact .ca)
	sni=$(farm_fact .server_name)
}

farm_fact() { jq -r "$1" "$farm_dir/status.json"; }

farm_pid() { cut -d' ' -f1 "$farm_dir/pid/$1"; }

load()
{
	"$probe" load --sni "$sni" --ca "$ca" --json "$@"
}

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# count.sh NAME...: counts under callgrind what one operation of tests/bench/micro
# costs, one line "NAME INSTRUCTIONS SYSTEM-CALLS" each; without names, all of
# them. The system calls are those of the whole process: two counts with another
# STEKD_TIMES tell those of the operation. With STEKD_PROFILES=DIR the profiles
# are kept there, for callgrind_annotate. What is made before is not counted.
# Only counts of one build on one kind of processor can be compared: wolfSSL and
# libc choose their code by what the processor has.
set -euo pipefail

build=${STEKD_BUILD:?the directory of the build}
micro=$build/tests/bench/micro
times=${STEKD_TIMES:-1000}
profiles=${STEKD_PROFILES:-}
if [ -z "$profiles" ]; then
	profiles=$(mktemp -d "${TMPDIR:-/tmp}/stekd-count.XXXXXX")
	trap 'rm -rf "$profiles"' EXIT
fi

# libtool may have left a wrapper script in the program's place.
[ ! -x "$build/tests/bench/.libs/micro" ] ||
	micro=$build/tests/bench/.libs/micro
export LD_LIBRARY_PATH=$build/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}

count()
{
	local name=$1 out=$profiles/$1

	valgrind --tool=callgrind --callgrind-out-file="$out" \
		--toggle-collect="op_${name%%-*}" --collect-systime=yes \
		"$micro" "$name" "$times" >"$out.log" 2>&1 || {
		cat "$out.log" >&2
		return 1
	}
	awk -v name="$name" -v times="$times" '
		$1 == "totals:" || $1 == "summary:" {
			printf "%s %.0f %d\n", name, $2 / times, $3
			found = 1
			exit
		}
		END { exit !found }' "$out"
}

[ $# -gt 0 ] || read -r -d '' -a all < <("$micro" && printf '\0')
for name in "${@:-${all[@]}}"; do
	count "$name"
done

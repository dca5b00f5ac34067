#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The simulated farm: a million steps over ten seeds, no rule broken; and each
# fault of tests/mutants, put into a copy of keys/, is found. A failing seed
# prints itself and its step; "keys_1_world.sh --seed N --loud" runs it again
# and tells what happened, "--long" runs a hundred times as many steps.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
prefix=$("$repo/deploy/deps.sh" --print-prefix)
seeds=10 steps=100000 first=1 alone='' more=()
# A fault has this many seeds and steps to show itself.
budget=(--seeds 36 --steps 40000)
while [ $# -gt 0 ]; do
	case $1 in
	--long) seeds=100 steps=1000000 ;;
	--seed) first=$2 seeds=1 alone=yes && shift ;;
	--steps) steps=$2 && shift ;;
	--loud) more+=(--loud) ;;
	*) echo "usage: ${0##*/} [--long] [--seed N] [--steps N] [--loud]" >&2
		exit 2 ;;
	esac
	shift
done

work=$(mktemp -d "${TMPDIR:-/tmp}/stekd-world.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

archive() { find "$prefix/lib" /usr/lib -name "lib$1.a" 2>/dev/null | head -n 1; }

wolfssl=$(archive wolfssl)
hiredis=$(archive hiredis)
flags=(-std=c11 -D_GNU_SOURCE -O1 -I"$prefix/include" -I"$repo/tests")
mkdir -p "$work/keys" "$work/objects"

# compile FILE INCLUDE OUT
compile() { "${CC:-gcc}" "${flags[@]}" -I"$2" -c -o "$3" "$1"; }

# link OUT OBJECT...
link()
{
	local out=$1

	shift
	"${CC:-gcc}" -Wl,--wrap=stek__random -o "$out" "$@" "$wolfssl" \
		"$hiredis" -lm -lpthread
}

# Everything of keys/ that stands without TLS, and the world.
sources=()
for file in "$repo"/keys/*.c; do
	case ${file##*/} in wolfssl*) continue ;; esac
	cp "$file" "$work/keys/"
	sources+=("$work/keys/${file##*/}")
done
cp "$repo"/keys/*.h "$work/keys/"
for file in "${sources[@]}" "$repo"/tests/simworld*.c \
	"$repo/tests/helper_world.c"; do
	name=${file##*/}
	compile "$file" "$work/keys" "$work/objects/${name%.c}.o"
done
link "$work/world" "$work"/objects/*.o
began=$SECONDS
"$work/world" --seed "$first" --seeds "$seeds" --steps "$steps" \
	"${more[@]}"
echo "$((seeds * steps)) steps in $((SECONDS - began)) s"
[ -z "$alone" ] || exit 0

# A mutant is a sed script; its first line names the file it changes.
found=0 all=0
for mutant in "$repo"/tests/mutants/[0-9]*.sed; do
	name=${mutant##*/}
	name=${name%.sed}
	target=$(sed -n '1s/^# *file: *//p' "$mutant")
	all=$((all + 1))
	rm -rf "$work/mutant"
	mkdir "$work/mutant"
	cp "$work"/objects/*.o "$work/mutant/"
	sed -E -f "$mutant" "$work/keys/$target" >"$work/mutant/$target"
	if cmp -s "$work/keys/$target" "$work/mutant/$target"; then
		echo "$name: does not apply to keys/$target"
		continue
	fi
	compile "$work/mutant/$target" "$work/keys" \
		"$work/mutant/${target%.c}.o"
	link "$work/mutant/world" "$work"/mutant/*.o
	status=0
	timeout 900 "$work/mutant/world" "${budget[@]}" \
		>"$work/mutant/log" 2>&1 || status=$?
	if [ $status = 1 ]; then
		found=$((found + 1))
		echo "$name: $(tail -n 1 "$work/mutant/log")"
	else
		echo "$name: NOT FOUND (status $status)"
		tail -n 3 "$work/mutant/log"
	fi
done
echo "keys-1: $((seeds * steps)) steps over $seeds seeds, no invariant broken;" \
	"$found of $all faults found"
[ $found = $all ] && [ $all -ge 15 ]

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# check_one.sh - how make check runs one compiled test. Fuzz targets get their
# corpus as argument, in a libFuzzer build (which replays it once, -runs=0) and
# in a plain one (tests/fuzz_main.c) alike; everything else runs as it is.
set -u
program=$1
shift
name=${program##*/}
case $name in
fuzz_*) ;;
*) exec "$program" "$@" ;;
esac

corpus=${srcdir:-.}/tests/corpus/${name#fuzz_}
if [ ! -d "$corpus" ] || [ -z "$(ls -A "$corpus")" ]; then
	echo "$name has no corpus: $corpus must hold at least one file" >&2
	exit 1
fi
exec "$program" -runs=0 "$corpus"

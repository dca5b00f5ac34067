#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# check_build.sh - what the build promises, proved on what it made: libstek.so
# exports the public names and nothing else, those that keys/libstek.symbols
# lists (a name that goes breaks programs), the programs are hardened, every
# header compiles alone, and keys/ does not reach into src/.
set -u
export LC_ALL=C
: "${top_builddir:?run by make check}" "${srcdir:?}" "${CC:?}"
failed=0

fail() {
	echo "FAIL: $*"
	failed=1
}

library=$(find "$top_builddir/.libs" -name 'libstek.so.*' -type f | head -n 1)
if [ "${enable_shared:?}" = no ]; then
	echo "no shared library in this build"
elif [ -z "$library" ]; then
	fail "no libstek.so in $top_builddir/.libs"
else
	# A sanitizer's run-time adds its own names: only ours are looked at.
	names=$(nm -D --defined-only "$library" | awk '{print $NF}')
	foreign=$(echo "$names" | grep -v '^stek_[^_]' |
		grep -v -e '^__\(asan\|ubsan\|tsan\|sancov\|gcov\|llvm\)' \
			-e '^_\(init\|fini\|edata\|end\)$' -e '^__bss_start$')
	[ -z "$foreign" ] || fail "libstek.so exports: $foreign"
	# Both headers declare every public function in STEK_API form.
	declared=$(sed -n '/^STEK_API/,/;/p' "$srcdir"/keys/stek*.h |
		grep -o 'stek_[a-z0-9_]* *(' | tr -d ' (' | sort -u)
	for name in $declared; do
		echo "$names" | grep -qx "$name" ||
			fail "libstek.so lacks $name, which a header declares"
	done
	for name in $names; do
		case $name in
		stek_*) echo "$declared" | grep -qx "$name" ||
			fail "libstek.so exports $name, which no header declares" ;;
		esac
	done
	listed=$(cat "$srcdir/keys/libstek.symbols")
	[ "$listed" = "$declared" ] ||
		fail "keys/libstek.symbols lists other names than the headers:" \
			"$(printf '%s\n' "$listed" "$declared" | sort | uniq -u)"
	nm -D --undefined-only "$library" | grep 'stek_' &&
		fail "libstek.so lacks functions of its own"
	readelf -d "$library" | grep -q BIND_NOW ||
		fail "$library is not linked with -z now"
	# A program that loads it by dlopen() has little room for what each
	# thread has of its own (stek(3)): glibc keeps 512 bytes for all.
	own=$(readelf -lW "$library" | awk '$1 == "TLS" { print $6 }')
	[ $((${own:-999})) -le 128 ] ||
		fail "$library has ${own:-no} bytes for each thread"
fi

for program in stekd stekctl stekprobe; do
	file=$top_builddir/$program
	[ -f "$top_builddir/.libs/$program" ] && file=$top_builddir/.libs/$program
	if [ ! -f "$file" ]; then
		fail "$program was not built"
		continue
	fi
	readelf -h "$file" | grep -q 'Type: *DYN' || fail "$program is not PIE"
	readelf -d "$file" | grep -q -e BIND_NOW -e 'FLAGS.*NOW' ||
		fail "$program lacks BIND_NOW"
	readelf -lW "$file" | grep -q GNU_RELRO || fail "$program lacks RELRO"
	readelf -lW "$file" | grep GNU_STACK | grep -q 'RWE' &&
		fail "$program has an executable stack"
	readelf -sW "$file" | grep -q __stack_chk_fail ||
		fail "$program lacks the stack protector"
	readelf -d "$file" | grep -q 'NEEDED.*libwolfssl' &&
		fail "$program takes a shared wolfSSL beside the static one"
done
# Two implementations: the probe must not share a line with what it measures.
if [ -f "$top_builddir/stekprobe" ]; then
	nm "$top_builddir/stekprobe" 2>/dev/null | grep -qi wolfssl &&
		fail "stekprobe links wolfSSL"
fi

# Each fuzz target can be made alone, whatever was made before.
rules=$(env -u MAKEFLAGS -u MAKELEVEL make -C "$top_builddir" -pnq -o Makefile \
	clean-local 2>/dev/null)
for target in "$srcdir"/tests/fuzz_*.c; do
	target=tests/$(basename "$target" .c)
	[ "$target" = tests/fuzz_main ] ||
		echo "$rules" | grep -q "^$target:.* libfuzz_main\.a" ||
		fail "$target does not depend on libfuzz_main.a"
done

for header in "$srcdir"/keys/*.h "$srcdir"/src/*.h "$srcdir"/src/probe/*.h; do
	[ -f "$header" ] || continue
	# shellcheck disable=SC2086
	$CC -std=c11 -fsyntax-only -Wall -Wextra -Werror -x c \
		$STEK_TEST_CPPFLAGS -include "$header" /dev/null ||
		fail "$header does not compile alone"
done

grep -n '#include.*\(\.\./\)*src/' "$srcdir"/keys/*.[ch] &&
	fail "keys/ includes from src/"
for header in "$srcdir"/src/*.h; do
	grep -n "#include \"${header##*/}\"" "$srcdir"/keys/*.[ch] &&
		[ ! -f "$srcdir/keys/${header##*/}" ] &&
		fail "keys/ includes ${header##*/} of src/"
done
grep -ln 'hiredis' "$srcdir"/keys/*.[ch] "$srcdir"/src/*.[ch] |
	grep -v 'keys/[a-z_]*redis' | while read -r file; do
	grep -q '#include.*hiredis' "$file" && echo "$file"
done | grep . && fail "hiredis is included outside the Redis store"
grep -ln '#include.*microhttpd' "$srcdir"/src/*.[ch] "$srcdir"/keys/*.[ch] |
	grep -v -e '/admin[^/]*$' -e '/dash_serve\.h$' | grep . &&
	fail "libmicrohttpd is included outside src/admin* and dash_serve.h"

exit $failed

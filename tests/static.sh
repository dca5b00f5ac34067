#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What is read from the sources and from the programs without running them:
# spelling, two analysers' findings, that a C++ compiler takes the public
# headers, that the programs are hardened, that two builds in two places give
# the same files. Each part can be named: tests/static.sh spelling. Called by
# tests/run.sh, which has built the programs in $STEKD_BUILD.
set -uo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
: "${STEKD_BUILD:?where the programs are; tests/run.sh --only static sets it}"
parts=(spelling headers hardening cppcheck)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C
cd "$repo" || exit 1

# No common misspelling in what people wrote; tests/static.words has words of
# ours that look like one. A planted one is found.
spelling()
{
	find . \( -name .git -o -name '.prefix*' -o -name 'build-*' -o \
		-name autom4te.cache -o -path ./tests/corpus \) -prune -o \
		-type f -size -200k \( -name '*.[ch1-8]' -o -name '*.md' -o \
		-name '*.sh' -o -name '*.am' -o -name '*.ac' -o -name '*.js' \
		-o -name '*.css' -o -name '*.html' -o -name '*.py' -o \
		-name '*.yaml' \) -print0 >"$work/texts"
	if [ "$(tr -cd '\0' <"$work/texts" | wc -c)" -lt 400 ]; then
		echo "too few files were found"
		return 1
	fi
	xargs -0 codespell --ignore-words tests/static.words \
		<"$work/texts" || return
	echo 'teh key was recieved' >"$work/wrong.md"
	if codespell "$work/wrong.md" >/dev/null; then
		echo "a planted misspelling was not found"
		return 1
	fi
}

# A C++ program may include the public headers, each alone.
headers()
{
	local header wolfssl

	wolfssl=$("$repo/deploy/deps.sh" --print-prefix)
	for header in keys/stek.h keys/stek_wolfssl.h; do
		printf '#include <%s>\n' "${header#keys/}" >"$work/user.cc"
		clang -x c++ -std=c++11 -fsyntax-only -Wall -Wextra -Wpedantic \
			-Werror -isystem "$wolfssl/include" -Ikeys \
			"$work/user.cc" || return
	done
	echo "int f(void) { return stek_strerror(0) == stek_no_such; }" \
		>>"$work/user.cc"
	if clang -x c++ -fsyntax-only -isystem "$wolfssl/include" -Ikeys \
		"$work/user.cc" 2>/dev/null; then
		echo "a name that no header declares was taken"
		return 1
	fi
}

# lacks FILE: says what hardening a program or library has not.
lacks()
{
	local head segments dynamic names

	if ! { head=$(readelf -hW "$1") && segments=$(readelf -lW "$1") &&
		dynamic=$(readelf -dW "$1") && names=$(nm -D "$1"); }; then
		echo "a form that readelf and nm can read"
		return
	fi
	grep -q 'Type: *DYN' <<<"$head" || echo "PIE"
	grep -q GNU_RELRO <<<"$segments" || echo "RELRO"
	grep -q 'FLAGS.*NOW' <<<"$dynamic" || echo "BIND_NOW"
	! grep -q TEXTREL <<<"$dynamic" || echo "code that no loader changes"
	grep -q 'GNU_STACK.* RW  ' <<<"$segments" ||
		echo "a stack that cannot be executed"
	! grep -q 'LOAD.* RWE ' <<<"$segments" ||
		echo "memory that is written or executed, not both"
	grep -q __stack_chk_fail <<<"$names" || echo "the stack protector"
	grep -q '__[a-z]*_chk' <<<"${names//__stack_chk/}" || echo "FORTIFY"
}

# The hardening that configure asks for has reached the programs, and libstek.
hardening()
{
	local file missing failed=0

	for file in stekd stekctl stekprobe .libs/libstek.so; do
		missing=$(lacks "$STEKD_BUILD/$file" | tr '\n' ';')
		[ -z "$missing" ] || {
			echo "$file lacks: $missing"
			failed=1
		}
	done
	# One without any of it is told.
	echo 'int main(void) { return 0; }' >"$work/soft.c"
	gcc -no-pie -fno-stack-protector -U_FORTIFY_SOURCE -Wl,-z,norelro \
		-Wl,-z,lazy -Wl,-z,execstack -o "$work/soft" "$work/soft.c" || return
	missing=$(lacks "$work/soft" | wc -l)
	if [ "$missing" != 6 ]; then
		echo "of 6 things that a soft program lacks $missing were told"
		failed=1
	fi
	return "$failed"
}

# cppcheck_of FILE...: fails if anything is found. varFuncNullUB: POSIX has NULL
# as a (void *), so it may end a list of arguments. The loops of jansson.h are
# told by hand: with whole headers of others it takes minutes.
cppcheck_of()
{
	cat >"$work/loops.h" <<-'EOT'
	#define json_array_foreach(array, i, value) \
		for (i = 0; (value = json_array_get(array, i)); i++)
	#define json_object_foreach(object, key, value) \
		for (key = first_of(object); \
		     key && (value = json_object_get(object, key)); \
		     key = next_of(object, key))
	EOT
	cppcheck -j2 --quiet --std=c11 --max-configs=1 --inline-suppr \
		--enable=warning,performance,portability --error-exitcode=1 \
		--suppress=varFuncNullUB -D__linux__ -D__x86_64__ -D__GNUC__ \
		--include="$work/loops.h" -Ikeys -Isrc -Isrc/probe "$@"
}

cppcheck_all()
{
	cppcheck_of keys src || return
	cat >"$work/wrong.c" <<-'EOT'
	#include <stdlib.h>
	int f(void);
	int f(void)
	{
		char *p = malloc(4);
		int a[2] = { 1, 2 };
		if (!p)
			return a[2];
		free(p);
		return p[0];
	}
	EOT
	if cppcheck_of "$work/wrong.c" 2>/dev/null; then
		echo "planted faults were not found"
		return 1
	fi
}

[ $# = 0 ] || parts=("$@")
failed=0
for part in "${parts[@]}"; do
	began=$SECONDS verdict=ok
	case $part in
	spelling) spelling ;;
	headers) headers ;;
	hardening) hardening ;;
	cppcheck) cppcheck_all ;;
	*) echo "no part $part" && false ;;
	esac || verdict=FAIL failed=1
	echo "$part: $verdict, $((SECONDS - began)) s"
done
echo "${#parts[@]} parts: ${parts[*]}"
exit $failed

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What is read from the sources and from the programs without running them:
# spelling, the findings of cppcheck, gcc and clang-tidy, that a C++ compiler
# takes the public headers, that the programs are hardened. Each part can be
# named: tests/static.sh spelling. Called by tests/run.sh, which has built the
# programs in $STEKD_BUILD.
set -uo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
: "${STEKD_BUILD:?where the programs are; tests/run.sh --only static sets it}"
parts=(spelling headers hardening cppcheck analyzer tidy)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C
export repo
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

# said VARIABLES: what they are in the build's Makefile.
said()
{
	printf 'include Makefile\nsaid:\n\t@echo %s\n' "$1" |
		make -s -C "$STEKD_BUILD" -o Makefile -f - said
}

# each FUNCTION: calls it with the flags that a file is compiled with and the
# file, for each .c of ours, two at a time; fails if it does for one of them.
each()
{
	# shellcheck disable=SC2016 # for make to expand
	if ! said '$(libstekd_a_CPPFLAGS) $(HIREDIS_CPPFLAGS) $(CURL_CFLAGS)' \
		>"$work/flags" || ! said '$(libprobe_a_CPPFLAGS)' \
		>"$work/flags.probe"; then
		echo "the flags could not be read"
		return 1
	fi
	find "$repo/keys" "$repo/src" -maxdepth 1 -name '*.c' \
		-printf "$work/flags\0%p\0" >"$work/files"
	find "$repo/src/probe" -name '*.c' \
		-printf "$work/flags.probe\0%p\0" >>"$work/files"
	if [ "$(tr -cd '\0' <"$work/files" | wc -c)" -lt 400 ]; then
		echo "too few files were found"
		return 1
	fi
	export -f "${1?}"
	# shellcheck disable=SC2016 # for that shell to expand
	(cd "$STEKD_BUILD" && xargs -0 -P2 -n2 bash -c '"$@"' bash "$1" \
		<"$work/files")
}

# gcc_of FLAGS FILE: fails if gcc's analyser finds anything. Not optimised, the
# code is what stands there. Of leaks it knows too little: version 12 takes what
# is stored through a pointer into an array of structs for lost, 27 times in
# keys/ and src/, of which none was. clang's analyser and LeakSanitizer look for
# them.
gcc_of()
{
	local flags found

	read -ra flags <"$1"
	found=$(gcc -std=gnu11 -O0 -fanalyzer -Wno-analyzer-malloc-leak \
		-Werror "${flags[@]}" -S -o /dev/null "$2" 2>&1) || {
		echo "$found"
		return 1
	}
}

gcc_all()
{
	each gcc_of || return
	cat >"$work/wrong.c" <<-'EOT'
	#include <stdlib.h>
	int f(int n);
	int f(int n)
	{
		int *p = malloc(sizeof(*p));

		if (!p)
			return 0;
		free(p);
		return n ? *p : 0;
	}
	EOT
	: >"$work/flags"
	if gcc_of "$work/flags" "$work/wrong.c" >/dev/null; then
		echo "a planted use after free was not found"
		return 1
	fi
}

# tidy_of FLAGS FILE: fails if clang-tidy finds what .clang-tidy asks for.
tidy_of()
{
	local flags found

	read -ra flags <"$1"
	found=$(clang-tidy --quiet --config-file="$repo/.clang-tidy" "$2" -- \
		-std=gnu11 "${flags[@]}" 2>&1) || {
		echo "$found"
		return 1
	}
}

tidy_all()
{
	local found

	each tidy_of || return
	# One for its analyser, one for its patterns.
	cat >"$work/wrong.c" <<-'EOT'
	#include <stdlib.h>
	#include <string.h>
	int f(const char *a, const char *b);
	int f(const char *a, const char *b)
	{
		char *p = strdup(a);

		return p && strcmp(p, b) == 1;
	}
	EOT
	: >"$work/flags"
	found=$(tidy_of "$work/flags" "$work/wrong.c")
	if ! grep -q clang-analyzer-unix.Malloc <<<"$found" ||
		! grep -q bugprone-suspicious-string-compare <<<"$found"; then
		echo "a planted leak, or comparison, was not found:"
		echo "$found"
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
	analyzer) gcc_all ;;
	tidy) tidy_all ;;
	*) echo "no part $part" && false ;;
	esac || verdict=FAIL failed=1
	echo "$part: $verdict, $((SECONDS - began)) s"
done
echo "${#parts[@]} parts: ${parts[*]}"
exit $failed

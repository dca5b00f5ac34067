#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# check_cves.sh - REQ-25: what deploy/CVES.md says of each CVE holds for this
# build: the libraries that a program really runs with are new enough, what is
# called off or uncalled is so, named patches and tests are there. And the same
# judgement refuses made-up older versions and made-up lines.
set -u
: "${top_builddir:?run by make check}" "${srcdir:?}" "${CC:?}"
: "${STEK_TEST_CPPFLAGS:?}" "${STEK_DEPS_STAMP?}"
export LC_ALL=C
table=$srcdir/deploy/CVES.md
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# ---- facts ---------------------------------------------------------------------

# "NAME VERSION" as the libraries say it, and "package NAME VERSION" of Debian's.
versions() {
	"$top_builddir/tests/helper_versions"
	[ ! -f "$STEK_DEPS_STAMP" ] ||
		sed -n 's/^source /package /p' "$STEK_DEPS_STAMP"
	for package in libhiredis1.1.0:hiredis libmicrohttpd12:libmicrohttpd \
		libmicrohttpd12t64:libmicrohttpd libuv1:libuv \
		libuv1t64:libuv libcyaml1:libcyaml libjansson4:jansson \
		libcurl4:libcurl libcurl4t64:libcurl libssl3:openssl \
		libssl3t64:openssl; do
		version=$(dpkg-query -W -f '${Version}' "${package%:*}" \
			2>/dev/null)
		[ -z "$version" ] || echo "package ${package#*:} $version"
	done
}

# shellcheck disable=SC2086 # both are lists
versions >"$work/versions" && $CC -dM -E $STEK_TEST_CPPFLAGS \
	-include wolfssl/options.h -include wolfssl/ssl.h -x c /dev/null \
	>"$work/macros" || exit 1
grep -q '^#define HAVE_SESSION_TICKET' "$work/macros" || {
	echo "the macros of wolfSSL could not be read"
	exit 1
}
find "$srcdir/keys" "$srcdir/src" -name '*.c' -exec cat {} + >"$work/sources"
[ ! -f "$STEK_DEPS_STAMP" ] || cp "$STEK_DEPS_STAMP" "$work/stamp"
: >>"$work/stamp"

# ---- judging -------------------------------------------------------------------

# An epoch says nothing of what was fixed; sort -V orders "~" and "+" as dpkg.
not_older() {
	[ "$1" = "$2" ] ||
		[ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | tail -n 1)" = "$1" ]
}

upstream() { echo "${1%%[-+~]*}"; }

runs() { sed -n "s/^$1 //p" "$facts" | head -n 1; }
# A package counts only if it is what runs.
package() {
	sed -n "s/^package $1 //p" "$facts" | sed 's/^[0-9]*://' |
		while read -r version; do
			[ "$(upstream "$version")" != "$(runs "$1")" ] ||
				echo "$version"
		done | head -n 1
}

# new_enough LIBRARY "V" | "D or U"
new_enough() {
	have=$(package "$1")
	[ -n "$(runs "$1")" ] || return 1
	case $2 in
	*' or '*)
		demand=${2% or *}
		not_older "$(runs "$1")" "${2#* or }" ||
			{ [ "$(upstream "$demand")" = "$(runs "$1")" ] &&
				[ -n "$have" ] && not_older "$have" "$demand"; }
		;;
	*-*)
		# Of an unknown package only another, newer upstream passes.
		not_older "${have:-$(runs "$1")}" "$2"
		;;
	*) not_older "$(runs "$1")" "$2" ;;
	esac
}

# holds LIBRARY CLAIM: sets `why` when it does not.
holds() {
	rest=${2#* }
	case $2 in
	least\ *)
		why="$1 $(runs "$1") ($(package "$1")) is older than $rest"
		new_enough "$1" "$rest"
		;;
	off\ *)
		why="wolfSSL is built with $rest"
		! grep -qw "^#define $rest" "$work/macros"
		;;
	on\ *)
		why="wolfSSL is built without $rest"
		grep -qw "^#define $rest" "$work/macros"
		;;
	uncalled\ *)
		why="a source calls $rest"
		! grep -qw "$rest" "$work/sources"
		;;
	patch\ *)
		why="the build lacks patch $rest"
		grep -q "^patch $rest-" "$work/stamp"
		;;
	test\ *)
		why="there is no test $rest"
		grep -q "^START_TEST(${rest#*:})" \
			"$srcdir/tests/${rest%%:*}.c" 2>/dev/null
		;;
	operator | open) : ;;
	*)
		why="\"$2\" says nothing"
		false
		;;
	esac
}

# judge FACTS TABLE: names each line that does not hold.
judge() {
	facts=$1
	bad=0
	grep '^| CVE-' "$2" >"$work/lines" || return 1
	while IFS='|' read -r _ cve library claims text _; do
		cve=$(echo "$cve" | tr -d ' ')
		library=$(echo "$library" | tr -d ' ')
		if ! echo "$cve" | grep -qE '^CVE-[0-9]{4}-[0-9]{4,}$' ||
			[ -z "$(echo "$text" | tr -d ' ')" ]; then
			echo "$cve: not a line of the table"
			bad=1
		fi
		echo "$claims" | tr ';' '\n' | sed 's/^ *//; s/ *$//' \
			>"$work/claims"
		while read -r claim; do
			holds "$library" "$claim" || {
				echo "$cve: $why"
				bad=1
			}
		done <"$work/claims"
	done <"$work/lines"
	return $bad
}

# ---- the table -----------------------------------------------------------------

failed=0
judge "$work/versions" "$table" || failed=1
twice=$(grep '^| CVE-' "$table" | cut -d'|' -f2,3 | sort | uniq -d)
[ -z "$twice" ] || {
	echo "FAIL: twice in the table: $twice"
	failed=1
}
# Every library that speaks has lines, or is named as one without.
grep -v '^package' "$work/versions" >"$work/libraries"
while read -r library _; do
	grep -q "^| CVE-[0-9-]* | $library |" "$table" ||
		[ "$library" = libcyaml ] || {
		echo "FAIL: no line for $library"
		failed=1
	}
done <"$work/libraries"

# ---- the negatives -------------------------------------------------------------

# refused WHAT CVE SED: with the versions changed by SED, CVE's line must fail.
refused() {
	sed "$3" "$work/versions" >"$work/older"
	grep "^| $2 |" "$table" >"$work/table"
	judge "$work/older" "$work/table" >"$work/says" && {
		echo "FAIL: $1 was taken"
		failed=1
	}
	grep -q "^$2: " "$work/says" || {
		echo "FAIL: $1: $2 is not named"
		failed=1
	}
}

# refused_line CLAIM: a line that claims this about wolfSSL must fail.
refused_line() {
	echo "| CVE-2099-0001 | wolfssl | $1 | made up | here |" >"$work/table"
	judge "$work/versions" "$work/table" >/dev/null && {
		echo "FAIL: \"$1\" was taken"
		failed=1
	}
}

refused "wolfSSL 5.6.6" CVE-2024-0901 's/wolfssl .*/wolfssl 5.6.6/'
refused "wolfSSL 5.7.2 of nobody's" CVE-2026-55962 \
	'/^package wolfssl/d; s/^wolfssl .*/wolfssl 5.7.2/'
refused "wolfSSL 5.7.2-0.1+deb13u1" CVE-2026-55962 \
	's/^wolfssl .*/wolfssl 5.7.2/
	s/^package wolfssl .*/package wolfssl 5.7.2-0.1+deb13u1/'
refused "wolfSSL 5.8.4 beside a package" CVE-2026-55962 \
	's/^wolfssl .*/wolfssl 5.8.4/'
refused "an older libcurl" CVE-2026-7168 \
	's/^libcurl .*/libcurl 7.88.1/
	s/^package libcurl .*/package libcurl 7.88.1-10+deb12u14/'
refused "an older OpenSSL" CVE-2024-6119 \
	's/^openssl .*/openssl 3.0.14/
	s/^package openssl .*/package openssl 3.0.14-1~deb12u1/'
refused "hiredis 0.14.1" CVE-2021-32765 's/^hiredis .*/hiredis 0.14.1/'
refused "a library that says nothing" CVE-2016-4425 '/jansson/d'
refused_line "off HAVE_CRL"
refused_line "on HAVE_PKCS7"
refused_line "uncalled wolfSSL_new"
refused_line "patch 0099"
refused_line "test check_gate:test_that_is_not"
refused_line "least 5.7.2; least 99.0"
refused_line "never mind"
refused_line ""
echo "$(grep -c '^| CVE-' "$table") CVEs," \
	"$(grep '^| CVE-' "$table" | grep -c '| open |') of them open"
exit $failed

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# check_requirements.sh - tests/requirements.md names tests that exist, for each
# of REQ-19 to REQ-40; and a table with a gap or a wrong name is refused.
# tests/README.md says of each step of tests/run.sh what it runs.
set -u
: "${srcdir:?run by make check}"
export LC_ALL=C
tests=$srcdir/tests
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$tests/run.sh" --list | cut -d' ' -f1 >"$work/steps"
[ -s "$work/steps" ] || exit 1

exists() {
	case $1 in
	*:*) grep -q "^START_TEST(${1#*:})" "$tests/${1%%:*}.c" 2>/dev/null ;;
	check_* | fuzz_*) [ -f "$tests/$1.c" ] || [ -f "$tests/$1.sh" ] ;;
	*) grep -qx "$1" "$work/steps" ;;
	esac
}

judge() {
	bad=0
	sed -n 's/^| REQ-[0-9]* |.*| \(.*\) |$/\1/p' "$1" | tr ',' '\n' |
		tr -d ' ' | sort -u >"$work/names"
	while read -r name; do
		exists "$name" || {
			echo "there is no test $name"
			bad=1
		}
	done <"$work/names"
	requirement=19
	while [ $requirement -le 40 ]; do
		grep -q "^| REQ-$requirement | [^|]* | [^|]* |\$" "$1" || {
			echo "no test of REQ-$requirement"
			bad=1
		}
		requirement=$((requirement + 1))
	done
	return $bad
}

failed=0
judge "$tests/requirements.md" || failed=1
for change in '/^| REQ-27 /d' 's/keys-9,/keys-99,/' \
	's/test_clock_offset_window/test_clock_offset_windows/' \
	's/| check_cves |/| check_cve |/'; do
	sed "$change" "$tests/requirements.md" >"$work/table"
	judge "$work/table" >/dev/null && {
		echo "FAIL: the table changed by $change was taken"
		failed=1
	}
done
# Scripts' steps go by their group there.
told() {
	missing=0
	sed -e 's/-[0-9]*$/-N/' -e 's/^long-.*/long-WHAT/' "$work/steps" |
		sort -u >"$work/kinds"
	while read -r kind; do
		grep -q "^| \(.*, \)*$kind\(, .*\)* |" "$1" || {
			echo "$1 does not say what the step $kind runs"
			missing=1
		}
	done <"$work/kinds"
	return $missing
}
told "$tests/README.md" || failed=1
for gone in asan node-N valgrind; do
	sed "s/\<$gone\>/gone/" "$tests/README.md" >"$work/table"
	told "$work/table" >/dev/null && {
		echo "FAIL: tests/README.md without $gone was taken"
		failed=1
	}
done

echo "$(grep -c '^| REQ-' "$tests/requirements.md") clauses," \
	"$(wc -l <"$work/names") names"
exit $failed

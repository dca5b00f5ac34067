#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The one test command, on a fresh machine too: installs what is missing, builds
# with two compilers and three sanitizers, runs the tests, then those that start
# a farm. tests/README.md says what runs where, tests/steps.sh has what the steps
# do. A skipped test counts as failed: what does not run proves nothing. Builds
# and logs are kept in build-ci/.
set -uo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
builds=${STEKD_CI_BUILDS:-$repo/build-ci}
logs=$builds/log
jobs=$(nproc)
export LC_ALL=C
exec </dev/null

usage()
{
	cat <<-'EOF'
	usage: tests/run.sh [long] [--only NAME]...
	       tests/run.sh --list

	  long          what takes longer, instead of the default run
	  --only NAME   only this step (several may be given); its output is shown. The
	                measuring steps, fast-N, run in no other way
	  --list        the names of all steps

	The last line is "N passed, N failed"; exit 1 if any failed or was skipped.
	EOF
}

# ---- the steps' names; what they do is in steps.sh ------------------------------

# Name, seconds after which it is ended, and what it proves.
default_steps()
{
	cat <<-'EOF'
	gcc 1200 gcc, warnings as errors: build, make check
	EOF
	script_steps farm
	script_steps node
	script_steps keys
	script_steps measure
	script_steps deploy
	cat <<-'EOF'
	static 1200 spelling, what cppcheck, gcc and clang-tidy find, C++, hardening
	shellcheck 300 every script
	configure 600 configure refuses a wolfSSL that lacks something, by its name
	install 300 make install into a directory; a program builds against it
	reproducible 900 two builds in two places are one: programs, distribution
	clang 1200 clang, warnings as errors: build all, tests too; look at it
	asan 1800 clang with ASan and UBSan: build, make check
	tsan 1800 clang with TSan: build, make check
	distcheck 1800 the distribution is whole: builds, installs, uninstalls
	deploy-1 5400 all of these within 60 minutes, and a skip is a failure
	EOF
}

# The first sentence of a script's opening comment: what it proves.
sentence_of()
{
	awk 'NR > 3 && /^# / { sub(/^# */, ""); text = text " " $0; next }
		NR > 3 { exit }
		END { sub(/\. .*/, "", text); sub(/^ */, "", text); print text }' "$1"
}

# script_steps GROUP: tests/GROUP_N_WHAT.sh is the step GROUP-N.
script_steps()
{
	local group=$1 file number

	for file in "$repo/tests/${group}"_[0-9]*_*.sh; do
		[ -f "$file" ] || continue
		number=${file##*/"${group}"_}
		number=${number%%_*}
		echo "$group-$number 1200 $(sentence_of "$file")"
	done | sort -t- -k2n
}

# Measurements against other servers, one at a time by --only: their figures want a
# machine that does nothing else.
measuring_steps()
{
	script_steps fast
}

long_steps()
{
	local file name

	cat <<-'EOF'
	valgrind 7200 every check program under valgrind
	fuzz 3600 every fuzz target under libFuzzer, two minutes each
	coverage 3600 lines that make check runs; of keys/ at least 95 %
	deploy-2 7200 fuzz targets for ten minutes, then the soak for as long
	EOF
	for file in "$repo"/tests/long_*.sh; do
		[ -f "$file" ] || continue
		name=${file##*/}
		name=${name%.sh}
		echo "${name/_/-} 7200 $(sentence_of "$file")"
	done
}

# Whatever --only takes.
all_steps()
{
	default_steps && long_steps && measuring_steps
}

# What was run: the commit, or that there is none.
commit_of_tree()
{
	local git=(git -c safe.directory='*' -C "$repo") head

	if [ -e "$repo/.git" ] &&
		head=$("${git[@]}" rev-parse HEAD 2>/dev/null) &&
		[ -z "$("${git[@]}" status --porcelain 2>/dev/null)" ]; then
		echo "$head"
	else
		echo "no commit"
	fi
}

# ---- running them --------------------------------------------------------------

# This script again, as the command that timeout can end: one step, by name.
if [ "${1-}" = --step ]; then
	. "$repo/tests/steps.sh"
	wolfssl=$("$repo/deploy/deps.sh" --print-prefix)
	case $2 in
	deploy-1) step_deploy_1 ;;
	deploy-2) step_deploy_2 ;;
	farm-* | keys-* | node-* | measure-* | deploy-* | fast-*) step_script "${2%%-*}" "${2#*-}" ;;
	long-*) step_long "${2#long-}" ;;
	*) "step_$2" ;;
	esac
	exit
fi

# run_step NAME SECONDS: one line, its figure if it printed one, its log's end if
# it failed.
run_step()
{
	local name=$1 limit=$2 began=$SECONDS status=0 log=$logs/$1.log verdict=ok took

	: >"$log"
	timeout --kill-after=30 "$limit" "$repo/tests/run.sh" --step "$name" \
		>>"$log" 2>&1 || status=$?
	case $status in
	0) passed=$((passed + 1)) ;;
	77) verdict="FAIL (skipped)" ;;
	124 | 137) verdict="FAIL (ended after $limit s)" ;;
	*) verdict=FAIL ;;
	esac
	took=$((SECONDS - began))
	printf '%-12s %5d s  %s\n' "$name" $took "$verdict"
	[ -z "$record" ] || echo "$name $took $verdict" >>"$record"
	if [ $status = 0 ]; then
		case $name in farm-* | keys-* | node-* | measure-* | deploy-* | fast-* | long-* | coverage) tail -n 1 "$log" ;; esac
		return
	fi
	failed=$((failed + 1))
	echo "---- the end of $log"
	tail -n 80 "$log"
	echo "----"
}

tier=default_steps only=()
while [ $# -gt 0 ]; do
	case $1 in
	long) tier=long_steps ;;
	--list)
		all_steps | sed 's/ [0-9]* / - /'
		exit 0
		;;
	--only)
		[ $# -gt 1 ] || { usage >&2; exit 2; }
		only+=("$2")
		shift
		;;
	-h | --help) usage && exit 0 ;;
	*) usage >&2 && exit 2 ;;
	esac
	shift
done

steps=$($tier) record=''
if [ ${#only[@]} -gt 0 ]; then
	steps=''
	for name in "${only[@]}"; do
		line=$(all_steps | grep "^$name ") || {
			echo "run.sh: no step \"$name\"; --list names them" >&2
			exit 2
		}
		steps+=$line$'\n'
	done
else
	# By its name keys-2 runs for three minutes, among all others for one.
	export STEKD_FAULTS_S=${STEKD_FAULTS_S:-60}
fi

mkdir -p "$logs" || exit 1
passed=0 failed=0
if [ ${#only[@]} = 0 ] && [ $tier = default_steps ]; then
	export STEKD_WHOLE_RUN=yes
	record=$logs/record
	commit_of_tree >"$record"
fi
if ! "$repo/deploy/deps.sh" >"$logs/deps.log" 2>&1; then
	cat "$logs/deps.log"
	echo "0 passed, 1 failed"
	exit 1
fi
[ -z "$record" ] || echo "deps $SECONDS ok" >>"$record"
while read -r name limit _; do
	[ -z "$name" ] || run_step "$name" "$limit"
done <<<"$steps"
echo "$passed passed, $failed failed"
[ $failed = 0 ] && [ $passed -gt 0 ]

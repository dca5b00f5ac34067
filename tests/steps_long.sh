# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# steps_long.sh - the steps that are not in the default run; steps.sh reads this.

# As many programs at a time as there are processors.
step_valgrind()
{
	local program programs=()

	release && cd "$builds/gcc" || return
	for program in tests/check_*; do
		[ ! -x "$program" ] || programs+=("$program")
	done
	rm -rf "$logs/valgrind"
	mkdir "$logs/valgrind"
	export repo builds logs
	export -f under_valgrind
	printf '%s\0' "${programs[@]}" | xargs -0 -P "$jobs" -n 1 \
		bash -c '"$@"' bash under_valgrind || {
		cat "$logs/valgrind/failed"
		return 1
	}
	echo "valgrind: ${#programs[@]} programs, no finding"
}

# under_valgrind PROGRAM: what it printed is shown if something was found. libtool
# may have left a wrapper script in the program's place.
under_valgrind()
{
	local log=$logs/valgrind/${1##*/} start=$SECONDS

	if STEKD_VALGRIND=yes srcdir=$repo top_builddir=$builds/gcc \
		CK_TIMEOUT_MULTIPLIER=50 CK_FORK=no \
		./libtool --mode=execute valgrind -q \
		--error-exitcode=9 --suppressions="$repo/tests/valgrind.supp" \
		--leak-check=full --errors-for-leak-kinds=definite "$1" \
		>"$log" 2>&1; then
		echo "$1: ok, $((SECONDS - start)) s"
		return
	fi
	cat "$log"
	echo "$1: FAILED" | tee -a "$logs/valgrind/failed"
	return 1
}

# by_directory FILE: of each directory of sources the lines, and those that ran;
# "keys 7160 7650".
by_directory()
{
	awk -F: -v root="$repo/" '
	$1 == "SF" { dir = substr($2, length(root) + 1); sub("/[^/]*$", "", dir) }
	$1 == "LH" { ran[dir] += $2 }
	$1 == "LF" { all[dir] += $2 }
	END { for (dir in all) print dir, ran[dir], all[dir] }' "$1" | sort
}

# What of the sources make check runs. A process that is killed tells nothing.
step_coverage()
{
	local dir=$builds/coverage

	command -v genhtml || return
	build coverage CC=gcc --enable-coverage --disable-shared \
		CFLAGS="-g -O0 -fprofile-update=atomic" &&
		make -j"$jobs" check TESTS= || return
	find . -name '*.gcda' -delete
	CK_TIMEOUT_MULTIPLIER=10 check || return
	lcov --quiet --capture --directory keys --directory src \
		--output-file all.info &&
		lcov --quiet --extract all.info "$repo/keys/*" "$repo/src/*" \
			--output-file ours.info &&
		genhtml --quiet --prefix "$repo" --output-directory html \
			ours.info || return
	echo "the report is $dir/html/index.html"
	by_directory ours.info | tee directories | awk '
	{ printf("%s%s %.1f %% of %d lines", (NR > 1 ? ", " : "coverage: "),
		$1, 100 * $2 / $3, $3) }
	END { print "" }'
	# Of the library at least 95 %; tests/COVERAGE.md says what is left.
	awk '$1 == "keys" { good = $2 >= 0.95 * $3 } END { exit !good }' \
		directories
}

# fuzz_all SECONDS OF_CONN: each target for so long, whole connections OF_CONN.
fuzz_all()
{
	local file program name seconds targets=() failed=0

	for file in "$repo"/tests/fuzz_*.c; do
		name=${file##*/}
		[ "$name" = fuzz_main.c ] || targets+=("tests/${name%.c}")
	done
	build fuzz CC=clang --enable-fuzz --disable-shared \
		--enable-sanitize=address,undefined CFLAGS="-g -O1" &&
		make -j"$jobs" "${targets[@]}" || return
	for program in "${targets[@]}"; do
		name=${program#tests/fuzz_}
		seconds=$1
		[ "$name" != conn ] || seconds=$2
		mkdir -p "corpus/$name"
		echo "== $program"
		"$program" -max_total_time="$seconds" -rss_limit_mb=1024 \
			-print_final_stats=1 "corpus/$name" \
			"$repo/tests/corpus/$name" || failed=1
	done
	return "$failed"
}

step_fuzz() { fuzz_all 120 120; }

# Half of the fuzzing is for whole connections. STEKD_DEPLOY_2_S: of each part.
step_deploy_2()
{
	local n=0 program runs seconds=${STEKD_DEPLOY_2_S:-600}

	for program in "$repo"/tests/fuzz_*.c; do n=$((n + 1)); done
	# All but fuzz_main.c and fuzz_conn.c share the other half.
	fuzz_all $((seconds / 2 / (n - 2) + 1)) $((seconds / 2)) 2>&1 | tee "$logs/deploy-2.fuzz"
	[ "${PIPESTATUS[0]}" = 0 ] || return
	runs=$(awk '/number_of_executed_units/ { sum += $2 } END { print sum }' \
		"$logs/deploy-2.fuzz")
	step_long soak "$seconds" | tee "$logs/deploy-2.soak"
	[ "${PIPESTATUS[0]}" = 0 ] || return
	echo "deploy-2: $runs inputs, no finding; $(tail -n 1 "$logs/deploy-2.soak")"
}

step_long()
{
	release_quietly || return
	STEKD_BUILD=$builds/gcc PATH=$builds/gcc:$PATH \
		"$repo/tests/long_$1.sh" "${@:2}"
}

# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# steps.sh - what the steps of tests/run.sh do, which reads this file: each is a
# function step_NAME. It expects repo, builds, logs, jobs and wolfssl to be set.

# bootstrap: configure exists, and the tree itself is not configured, which
# would get in the way of builds beside it.
bootstrap()
{
	if [ -f "$repo/config.status" ]; then
		echo "$repo is configured in place; run \"make distclean\" there first"
		return 1
	fi
	if [ ! -x "$repo/configure" ] || [ ! -f "$repo/Makefile.in" ]; then
		(cd "$repo" && autoreconf -fi)
	fi
}

# build NAME OPTION...: configures (once) and builds in build-ci/NAME.
build()
{
	local dir=$builds/$1

	shift
	bootstrap || return
	mkdir -p "$dir" && cd "$dir" || return
	if [ ! -f Makefile ] || [ "$(cat .options 2>/dev/null)" != "$*" ]; then
		"$repo/configure" --with-wolfssl="$wolfssl" \
			--prefix="$dir/installed" "$@" || return
		echo "$*" >.options
	fi
	make -j"$jobs"
}

# check [VARIABLE=VALUE]: make check in the current directory; a skip is a
# failure.
check()
{
	local status=0

	make -j"$jobs" check "$@" || status=$?
	if [ "$status" != 0 ]; then
		[ ! -f test-suite.log ] || cat test-suite.log
		return "$status"
	fi
	if grep -q '^# SKIP: *[1-9]' test-suite.log; then
		grep -A3 '^SKIP' test-suite.log
		echo "a test was skipped"
		return 1
	fi
}

# The build that everything but the other compilers' steps uses.
release()
{
	build gcc CC=gcc --enable-werror && make -j"$jobs" check TESTS=
}

release_quietly()
{
	release >"$logs/release.log" 2>&1 || {
		tail -n 40 "$logs/release.log"
		return 1
	}
}

step_gcc()
{
	release && check
}

# What clang compiles runs under its sanitizers.
step_clang()
{
	build clang CC=clang --enable-werror && check TESTS=tests/check_build.sh
}

# Under a sanitizer everything is slower, deadlines included.
step_asan()
{
	export CK_TIMEOUT_MULTIPLIER=10
	export ASAN_OPTIONS=detect_leaks=1
	export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
	build asan CC=clang --enable-werror --disable-shared \
		--enable-sanitize=address,undefined CFLAGS="-g -O1" && check
}

# threaded: the tests of the build in the current directory whose program links
# what starts threads (libuv's loop may), and the scripts, which start stekd. In
# the others ThreadSanitizer has nothing to find.
threaded()
{
	local test names

	# shellcheck disable=SC2016 # for make to expand
	for test in $(printf 'include Makefile\nsay:\n\t@echo $(TESTS)\n' |
		make -s -f - say); do
		case $test in
		*.sh) echo "$test" && continue ;;
		esac
		names=$(nm -u "$test") || return
		! grep -q -e pthread_create -e MHD_start_daemon -e ' uv_' \
			<<<"$names" || echo "$test"
	done
}

step_tsan()
{
	local tests

	export CK_TIMEOUT_MULTIPLIER=10
	export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
	# Where addresses are scattered more widely than it knows, it needs them
	# not scattered at all.
	if [ "$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 0)" -gt 28 ] &&
		setarch -R true 2>/dev/null && [ -z "${STEKD_NO_ASLR-}" ]; then
		STEKD_NO_ASLR=1 exec setarch -R "$repo/tests/run.sh" --step tsan
	fi
	release_quietly || return
	tests=$(cd "$builds/gcc" && threaded) || return
	if ! grep -qx tests/check_guard <<<"$tests" ||
		grep -qx tests/check_key <<<"$tests"; then
		echo "tests with threads are not told from those without"
		return 1
	fi
	build tsan CC=clang --enable-werror --disable-shared \
		--enable-sanitize=thread CFLAGS="-g -O1" &&
		check TESTS="$(tr '\n' ' ' <<<"$tests")"
}

# distributed TARBALL: it holds every file that git knows, and nothing that was
# built. So no test has to run from it to show that its data is there.
distributed()
{
	if [ ! -e "$repo/.git" ]; then
		echo "no git: this is a distribution itself"
		return 0
	fi
	git -c safe.directory='*' -C "$repo" ls-files >"$builds/tree" &&
		tar -tf "$1" | sed 's,^[^/]*/,,' >"$builds/tarball" || return
	if grep -vxF -f "$builds/tarball" "$builds/tree" | grep -vx .gitignore
	then
		echo "the distribution lacks these files"
		return 1
	fi
	if grep -e '/\.deps/' -e '/\.libs/' -e '\.l*o$' "$builds/tarball"; then
		echo "the distribution holds what was built here"
		return 1
	fi
}

# From the distribution run those tests that look at the build and at the tree,
# and the fuzz targets; the others would do as they did in the step gcc.
step_distcheck()
{
	local status=0 log=$builds/distcheck.log

	release && cd "$builds/gcc" || return
	# shellcheck disable=SC2016 # for make to expand
	make -j"$jobs" distcheck check_PROGRAMS='$(FUZZ_TARGETS) tests/helper_versions' \
		TESTS='$(FUZZ_TARGETS) tests/check_build.sh tests/check_requirements.sh tests/check_cves.sh' \
		>"$log" 2>&1 || status=$?
	cat "$log"
	[ "$status" = 0 ] || {
		cat stekd-*/_build/sub/test-suite.log
		return "$status"
	}
	! grep '^SKIP:' "$log" || return
	grep -c '^PASS:' "$log" && distributed stekd-*.tar.xz
}

# loaded DIRECTORY LIBRARY: a program that is not linked with the library, and
# has threads already, loads it and calls it from each.
loaded()
{
	cat >"$1/loads.c" <<-'EOT'
	#include <dlfcn.h>
	#include <pthread.h>
	#include <semaphore.h>
	#include <stdio.h>
	static sem_t ready;
	static const char *(*version)(void);
	static void *wait(void *unused)
	{
		sem_wait(&ready);
		return (void *)(version ? version() : NULL);
	}
	int main(int argc, char **argv)
	{
		pthread_t thread;
		void *library, *said = NULL;

		if (argc != 2 || sem_init(&ready, 0, 0) ||
		    pthread_create(&thread, NULL, wait, NULL))
			return 2;
		library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
		if (library)
			*(void **)&version = dlsym(library, "stek_version_string");
		else
			fprintf(stderr, "%s\n", dlerror());
		sem_post(&ready);
		if (pthread_join(thread, &said) || !said)
			return 1;
		printf("loaded: %s\n", (char *)said);
		return 0;
	}
	EOT
	gcc -Wall -Werror -pthread -o "$1/loads" "$1/loads.c" -ldl &&
		"$1/loads" "$2"
}

# What a user of libstek does: pkg-config, compile, link, run.
step_install()
{
	local root=$builds/root at program

	release && cd "$builds/gcc" || return
	rm -rf "$root" && make install DESTDIR="$root" || return
	at=$root$builds/gcc/installed
	cat >"$root/user.c" <<-'EOT'
	#include <stdio.h>
	#include <wolfssl/options.h>
	#include <wolfssl/ssl.h>
	#include <stek_wolfssl.h>
	int main(void)
	{
		printf("%s %s %zu\n", stek_version_string(),
		       wolfSSL_lib_version(), stek_wolfssl_ticket_len());
		return 0;
	}
	EOT
	# shellcheck disable=SC2046 # pkg-config gives words
	gcc -Wall -Werror -o "$root/user" "$root/user.c" \
		$(PKG_CONFIG_SYSROOT_DIR='' PKG_CONFIG_PATH=$at/lib/pkgconfig \
			pkg-config --define-variable=prefix="$at" \
			--cflags --libs stek) || return
	LD_LIBRARY_PATH=$at/lib "$root/user" || return
	loaded "$root" "$at/lib/libstek.so" || return
	# shellcheck disable=SC2016 # for that shell
	for program in stekd stekctl stekprobe; do
		bash --norc -c '. "$1" && complete -p "$2"' bash \
			"$at/share/bash-completion/completions/$program" \
			"$program" || return
	done
	"$at/sbin/stekd" --version && "$at/bin/stekctl" --version &&
		"$at/bin/stekprobe" --version
}

# same FILE FILE: whether they are, and what differs.
same()
{
	! cmp -s "$1" "$2" || return 0
	sha256sum "$1" "$2"
	diff <(strings -a "$1") <(strings -a "$2") | head -n 20
	return 1
}

# commit_time TARBALL: its files are of the last commit's time, if git is there.
commit_time()
{
	local wanted got

	[ -e "$repo/.git" ] || return 0
	wanted=$(git -c safe.directory='*' -c log.showSignature=false \
		-C "$repo" log -1 --format=%ct) || return
	wanted=$(date -u -d "@${SOURCE_DATE_EPOCH:-$wanted}" '+%F %T')
	got=$(tar --utc --full-time -tvf "$1" | awk '{ print $4, $5 }' | sort -u)
	[ "$got" != "$wanted" ] || return 0
	echo "the distribution is of $got, the commit of $wanted"
	return 1
}

# Beside the tree, and in the tree of the distribution in another place, by
# another mask of modes and clock's zone: the same programs, and the same
# distribution. Both without ccache, which would hand on what it compiled under
# another name. The first tarball is made as by another user than the tree's
# owner, from whom git keeps its log unless told otherwise.
step_reproducible()
{
	local file programs="stekd stekctl stekprobe" failed=0
	local root=$builds/elsewhere first=$builds/elsewhere/first second
	local options=(--with-wolfssl="$wolfssl" CC=gcc --enable-werror)

	bootstrap && rm -rf "$root" && mkdir -p "$first" && cd "$first" || return
	export CCACHE_DISABLE=1
	# shellcheck disable=SC2086 # words
	"$repo/configure" "${options[@]}" &&
		make -j"$jobs" $programs libstek.la &&
		GIT_TEST_ASSUME_DIFFERENT_OWNER=1 make dist-xz || return
	cd "$root" && tar -xf first/stekd-*.tar.xz && cd stekd-* || return
	second=$PWD
	umask 077
	export TZ=Asia/Tokyo
	# shellcheck disable=SC2086 # words
	./configure "${options[@]}" &&
		make -j"$jobs" $programs libstek.la && make dist-xz || return
	for file in $programs .libs/libstek.so .libs/libstek.a; do
		same "$first/$file" "$second/$file" || failed=1
	done
	same "$first"/stekd-*.tar.xz stekd-*.tar.xz || failed=1
	commit_time "$first"/stekd-*.tar.xz || failed=1
	# A place in one file is enough to be told.
	# shellcheck disable=SC2016 # for make to expand
	rm src/libctl_a-ctl_table.o libctl.a && make stekctl \
		AM_CFLAGS='$(filter-out -ffile-prefix-map=%,$(STEK_CFLAGS))' ||
		return
	if same "$first/stekctl" "$second/stekctl"; then
		echo "a program that holds where it was built was not found"
		return 1
	fi
	return "$failed"
}

# refused WANTED SED: configure, given headers changed by SED, must fail and name
# WANTED.
refused()
{
	local root=$builds/refused

	rm -rf "$root" && mkdir -p "$root/build" || return
	cp -r "$wolfssl/include" "$wolfssl/lib" "$root" || return
	sed -i "$2" "$root/include/wolfssl/options.h" \
		"$root/include/wolfssl/version.h" || return
	# What other checks found is kept: wolfSSL's are not among them.
	if (cd "$root/build" && "$repo/configure" --with-wolfssl="$root" \
		--cache-file="$builds/configure.cache") \
		>"$root/log" 2>&1; then
		echo "configure took a wolfSSL changed by $2"
		return 1
	fi
	grep -e "$1" "$root/log" || {
		tail -n 20 "$root/log"
		echo "configure does not name $1"
		return 1
	}
}

step_configure()
{
	local define

	bootstrap || return
	rm -f "$builds/configure.cache"
	refused 'version 5.7.2' 's/0x0500[0-9a-f]*/0x05007000/' || return
	refused --disable-earlydata "\$i#define WOLFSSL_EARLY_DATA" || return
	refused 'patch 0001' '/WOLFSSL_STEKD_/d' || return
	for define in HAVE_SESSION_TICKET:--enable-session-ticket \
		HAVE_SNI:--enable-sni HAVE_ALPN:--enable-alpn \
		WOLFSSL_TLS13:--enable-tls13 HAVE_XCHACHA:--enable-xchacha \
		OPENSSL_EXTRA:--enable-opensslextra \
		HAVE_EX_DATA:-DHAVE_EX_DATA HAVE_CRL:--enable-crl \
		WOLFSSL_POST_HANDSHAKE_AUTH:--enable-postauth \
		HAVE_KEYING_MATERIAL:--enable-keying-material; do
		refused "${define#*:}" "/^#define ${define%:*}\$/d" || return
	done
}

# Files without a "#!" are parts: they are read where they are sourced. SC2120
# misleads there: a part's function may take what this script does not give.
step_shellcheck()
{
	cd "$repo" || return
	{
		find deploy tests .ci -type f \( -name '*.sh' -o \
			-path .ci/run \) -exec grep -l '^#!' {} +
		find deploy/completion -type f
	} | sort | xargs shellcheck --external-sources --check-sourced \
			--exclude=SC2120
}

step_static()
{
	release_quietly && STEKD_BUILD=$builds/gcc "$repo/tests/static.sh"
}

# step_script GROUP N: with the programs of the release build.
step_script()
{
	local file

	release_quietly || return
	file=$(find "$repo/tests" -maxdepth 1 -name "$1_$2_*.sh")
	STEKD_BUILD=$builds/gcc PATH=$builds/gcc:$PATH "$file"
}

# skips_fail: what is skipped counts as failed, a script that ends with 77 in
# this very run.sh, and a program of make check.
skips_fail()
{
	local tree=$builds/skips

	rm -rf "$tree" && mkdir -p "$tree/tests" "$tree/deploy" || return
	cp "$repo/tests/run.sh" "$repo/tests/steps_long.sh" "$tree/tests" || return
	{
		cat "$repo/tests/steps.sh"
		echo "release_quietly() { :; }"
	} >"$tree/tests/steps.sh"
	printf '#!/bin/sh\nexit 0\n' >"$tree/deploy/deps.sh"
	printf '#!/bin/sh\nexit 0\n' >"$tree/tests/farm_1_runs.sh"
	printf '#!/bin/sh\nexit 77\n' >"$tree/tests/farm_2_skips.sh"
	chmod +x "$tree"/*/*.sh
	if env -u STEKD_CI_BUILDS "$tree/tests/run.sh" --only farm-1 \
		--only farm-2 >"$tree/log" ||
		! grep -q '^farm-1 .* ok$' "$tree/log" ||
		! grep -q '^farm-2 .* FAIL (skipped)$' "$tree/log" ||
		! grep -qx '1 passed, 1 failed' "$tree/log"; then
		cat "$tree/log"
		echo "a step that was skipped does not count as failed"
		return 1
	fi
	printf '%s\n' check: "	echo '# SKIP:  1' >test-suite.log" \
		>"$tree/Makefile"
	if (cd "$tree" && check >log 2>&1); then
		echo "a test that make check skipped does not count as failed"
		return 1
	fi
	echo "a skip is a failure: of a step, and in make check"
}

# judge_record FILE: every default step but this one is in the record of a run,
# is ok, and all of them took no more than an hour.
judge_record()
{
	local name took

	default_steps | cut -d' ' -f1 | grep -vx deploy-1 >"$builds/expected"
	while read -r name; do
		grep -q "^$name [0-9]* ok\$" "$1" || {
			grep "^$name " "$1" || echo "$name did not run"
			return 1
		}
	done <"$builds/expected"
	took=$(awk '{ sum += $2 } END { print sum }' <(sed 1d "$1"))
	sed 1d "$1" | sort -k2nr | head -n 5
	if [ "$took" -gt 3600 ]; then
		echo "the default run took $took s, more than 3600"
		return 1
	fi
	echo "deploy-1: $(wc -l <"$builds/expected") steps, none failed or" \
		"skipped, in $((took / 60)) min $((took % 60)) s of 60 min on" \
		"$jobs cores"
}

# At the end of the default run it judges what that run has recorded. By its name
# it judges the last one, if that was of this commit, and else starts one, whose
# last step it is.
step_deploy_1()
{
	local record=$logs/record tree

	skips_fail || return
	tree=$(commit_of_tree)
	if [ -z "${STEKD_WHOLE_RUN-}" ] && { [ "$tree" = "no commit" ] ||
		[ "$(head -n 1 "$record" 2>/dev/null)" != "$tree" ]; }; then
		"$repo/tests/run.sh" || return
	fi
	judge_record "$record"
}

. "$repo/tests/steps_long.sh"

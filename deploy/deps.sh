#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Installs what stekd needs on a fresh Debian 12 or 13, and only what is
# missing, or a library older than CVES.md demands: packages by name, and wolfSSL
# (on Debian 12 hiredis too) built from Debian 13's signed source packages into a
# prefix of the project's own, which git ignores and which configure finds by
# itself. Run again it finds all there.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(dirname "$here")
prefix=${STEKD_PREFIX:-$repo/.prefix}
patches=$here/wolfssl
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# How wolfSSL is built. Early data stays out, and so do old versions and
# ciphers; the C flags keep the stateful session cache small (it is off anyway),
# make the library send alerts, and have it seed its generators by getrandom(2)
# instead of opening /dev/urandom for each connection. A patch names what it needs
# besides in a header line "Needs-define: NAME".
wolfssl_flags=(
	--disable-examples --disable-crypttests --enable-static --enable-shared
	--enable-session-ticket --enable-sni --enable-alpn --enable-postauth
	--enable-opensslextra --enable-intelasm --enable-aesni --enable-sp
	--enable-sp-asm --enable-curve25519 --enable-xchacha
	--enable-keying-material --enable-crl --disable-oldtls --disable-dh
	--disable-des3 --disable-arc4 --disable-md4 --disable-rc2
	--enable-harden
)
wolfssl_defines=(
	-DSMALL_SESSION_CACHE -DNO_CLIENT_CACHE -DNO_SESSION_CACHE_REF
	-DHAVE_EX_DATA -DHAVE_SBLIM_SFCB -DWOLFSSL_EXTRA_ALERTS
	-DWOLFSSL_TLS13_MIDDLEBOX_COMPAT -DWOLFSSL_SEND_HRR_COOKIE
	-DWOLFSSL_GETRANDOM
)

usage()
{
	cat <<-'EOF'
	usage: deploy/deps.sh [SET...]                  install what is missing
	       deploy/deps.sh --check [SET...]          say what is missing; 1 if any
	       deploy/deps.sh --refresh                 build a newer wolfSSL, if the
	                                                archive has one
	       deploy/deps.sh --print-prefix            where wolfSSL is, or will be

	  build   compiler, libraries, and wolfSSL in the prefix
	  run     redis-server, HAProxy, curl
	  test    what the tests use besides
	  all     all of these (the default)
	  bench   the servers that tests/bench/peers.sh measures stekd beside
	  package what "make deb" and its test need, beside build

	STEKD_PREFIX names another prefix than .prefix of the repository. Root, or
	sudo, is needed only to install packages.
	EOF
}

say()
{
	echo "deps: $*"
}

# die MESSAGE...: every failure ends here and says what to do.
die()
{
	printf 'deps: %s\n' "$@" >&2
	exit 1
}

# ---- packages ---------------------------------------------------------------

# Sets `release` to 12 or 13.
find_release()
{
	local id="" version=""

	if [ -r /etc/os-release ]; then
		id=$(sed -n 's/^ID=//p' /etc/os-release | tr -d '"')
		version=$(sed -n 's/^VERSION_ID=//p' /etc/os-release | tr -d '"')
	fi
	release=$version
	case $id-$version in
	debian-12 | debian-13) ;;
	*)
		die "this is ${id:-no known system} ${version:-}; made for Debian 12 and 13." \
			"Elsewhere install by hand what \"packages_of\" in this script" \
			"lists, build wolfSSL with the flags at its top, and give" \
			"configure --with-wolfssl=PREFIX."
		;;
	esac
}

# The packages of a set, by name.
packages_of()
{
	case $1 in
	build)
		echo gcc libc6-dev make autoconf automake libtool pkg-config \
			patch binutils xz-utils dpkg-dev ca-certificates \
			debian-archive-keyring libuv1-dev libmicrohttpd-dev \
			libcyaml-dev libyaml-dev libjansson-dev \
			libcurl4-openssl-dev \
			libssl-dev check libjs-d3
		[ "$release" = 12 ] || echo libhiredis-dev
		;;
	run)
		echo redis-server redis-tools haproxy curl jq openssl \
			procps
		;;
	test)
		echo clang clang-tidy shellcheck cppcheck codespell lcov gnutls-bin libnss3-tools python3 \
			python3-jsonschema \
			valgrind socat strace git faketime systemd util-linux mount iproute2 nftables nginx chromium \
			prometheus nodejs
		# Other makers' nodejs has npm in it and takes no npm beside it.
		command -v npm >/dev/null || echo npm
		case $release in
		12) echo libclang-rt-14-dev ;;
		13) echo libclang-rt-19-dev ;;
		esac
		;;
	package)
		echo build-essential debhelper lintian debootstrap dpkg-dev \
			util-linux
		;;
	bench)
		echo nginx haproxy hitch
		# Tried with that of Debian 12 only.
		[ "$release" != 12 ] || echo h2o
		;;
	esac
}

missing_packages()
{
	local set package

	for set in "$@"; do
		for package in $(packages_of "$set"); do
			dpkg-query -W -f '${db:Status-Status}\n' "$package" \
				2>/dev/null | grep -qx installed || echo "$package"
		done
	done
}

# Installed libraries older than the security table demands: a package that is
# there is otherwise never touched.
stale_packages()
{
	local pair library have least

	for pair in libmicrohttpd12:libmicrohttpd \
		libmicrohttpd12t64:libmicrohttpd libuv1:libuv libuv1t64:libuv \
		libjansson4:jansson libcurl4:libcurl libcurl4t64:libcurl \
		libssl3:openssl libssl3t64:openssl; do
		library=${pair#*:}
		have=$(dpkg-query -W -f '${Version}' "${pair%:*}" 2>/dev/null) ||
			continue
		sed -n "s/^| CVE[^|]* | $library | least \([^ ;|]*-[^ ;|]*\).*/\1/p" \
			"$here/CVES.md" | sort -u | while read -r least; do
			if [ -n "$have" ] &&
				dpkg --compare-versions "$have" lt "$least"; then
				echo "${pair%:*}"
				break
			fi
		done
	done
}

# as_root COMMAND...
as_root()
{
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "not root, and there is no sudo. As root run:" \
			"  apt-get update && apt-get install ${missing[*]}"
	fi
}

# The tests and quickstart start their own redis-server and HAProxy: a package
# must not start a service on this machine. policy-rc.d is Debian's way to say
# so; one that is there already is left alone.
install_packages()
{
	local policy=/usr/sbin/policy-rc.d ours=false log

	log=$work/apt.log
	say "installing ${missing[*]}"
	if [ ! -e "$policy" ]; then
		ours=true
		printf '#!/bin/sh\nexit 101\n' >"$work/policy-rc.d"
		as_root install -m 755 "$work/policy-rc.d" "$policy"
		policy_to_remove=$policy
	fi
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update \
		>"$log" 2>&1 </dev/null || {
		tail -n 15 "$log" >&2
		die "apt-get update failed: look at the lines above, mend" \
			"/etc/apt/sources.list or the network, and run this again."
	}
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
		--no-install-recommends install "${missing[@]}" \
		>"$log" 2>&1 </dev/null || {
		tail -n 25 "$log" >&2
		die "apt-get install failed: look at the lines above. What is" \
			"still missing: deploy/deps.sh --check"
	}
	if $ours; then
		as_root rm -f "$policy"
		policy_to_remove=
	fi
}

# shellcheck source=deps_source.sh
. "$here/deps_source.sh"

# ---- the prefix: wolfSSL, and hiredis on Debian 12 -------------------------

patch_files()
{
	[ -d "$patches" ] || return 0
	find "$patches" -maxdepth 1 -name '*.patch' | LC_ALL=C sort
}

# The defines that patches ask for in their headers.
patch_defines()
{
	local file

	patch_files | while read -r file; do
		sed -n '/^--- /q; s/^Needs-define: */-D/p' "$file"
	done
}

# All that decides what the build gives, but for the version of the source.
recipe()
{
	local file

	echo "prefix $prefix"
	echo "system debian-$release $(dpkg --print-architecture)"
	echo "flags ${wolfssl_flags[*]}"
	echo "defines ${wolfssl_defines[*]} $(patch_defines | tr '\n' ' ')"
	patch_files | while read -r file; do
		echo "patch $(basename "$file") $(sha256sum <"$file" | cut -c1-64)"
	done
}

stamp=$prefix/share/stekd-deps

# The prefix holds what this script, with these patches, would build.
prefix_matches()
{
	[ -f "$stamp" ] && [ -f "$prefix/include/wolfssl/options.h" ] &&
		[ -f "$prefix/lib/libwolfssl.a" ] &&
		[ "$(grep -v '^source ' "$stamp")" = "$(recipe)" ]
}

stamped_version()
{
	sed -n "s/^source $1 //p" "$stamp" 2>/dev/null || true
}

apply_patches()
{
	local file

	for file in $(patch_files); do
		say "applying $(basename "$file")"
		patch -d "$work/wolfssl" -p1 --batch --forward --fuzz=0 \
			<"$file" >"$work/patch.log" 2>&1 || {
			cat "$work/patch.log" >&2
			die "$(basename "$file") does not apply to wolfSSL" \
				"$(archive_version wolfssl): bring the patch up to date."
		}
	done
}

# step NAME COMMAND...: runs it in the log, shows the log's end on failure.
step()
{
	local name=$1

	shift
	"$@" >"$work/$name.log" 2>&1 </dev/null || {
		tail -n 30 "$work/$name.log" >&2
		die "$name failed (see above). Is the machine out of memory or disk?" \
			"Otherwise report it with those lines."
	}
}

build_wolfssl()
{
	local defines

	apply_patches
	defines="${wolfssl_defines[*]} $(patch_defines | tr '\n' ' ')"
	cd "$work/wolfssl"
	say "building wolfSSL (about a minute on two cores)"
	step wolfssl-autoreconf autoreconf -i
	step wolfssl-configure ./configure --prefix="$prefix" \
		"${wolfssl_flags[@]}" "C_EXTRA_FLAGS=$defines"
	step wolfssl-make make -j"$(nproc)"
	step wolfssl-install make install DESTDIR="$work/root"
}

# Its makefile takes these two from the environment, where they mean other
# things to a compiler.
build_hiredis()
{
	local where=(PREFIX="$prefix" LIBRARY_PATH=lib
		INCLUDE_PATH=include/hiredis)

	cd "$work/hiredis"
	say "building hiredis"
	step hiredis-make env -u LIBRARY_PATH make -j"$(nproc)" "${where[@]}"
	step hiredis-install env -u LIBRARY_PATH make install "${where[@]}" \
		DESTDIR="$work/root"
}

# The new prefix is complete beside the old one before it takes its place.
swap_prefix()
{
	local fresh=$prefix.new.$$ old=$prefix.old.$$

	mkdir -p "$(dirname "$prefix")"
	rm -rf "$fresh"
	cp -a "$work/root$prefix" "$fresh" ||
		die "could not write $fresh: no space, or no right to write there?"
	mkdir -p "$fresh/share"
	{
		cat "$work/recipe"
		echo "source wolfssl $1"
		[ -z "$2" ] || echo "source hiredis $2"
	} >"$fresh/share/stekd-deps"
	if [ -e "$prefix" ]; then mv -T "$prefix" "$old"; fi
	mv -T "$fresh" "$prefix"
	rm -rf "$old"
}

build_prefix()
{
	local hiredis_version=""

	mkdir -p "$work/root"
	recipe >"$work/recipe"
	fetch wolfssl
	(build_wolfssl)
	if [ "$release" = 12 ]; then
		fetch hiredis
		(build_hiredis)
		hiredis_version=$(archive_version hiredis)
	fi
	swap_prefix "$(archive_version wolfssl)" "$hiredis_version"
	say "wolfSSL $(stamped_version wolfssl) is in $prefix"
}

# One builder at a time; whoever waited finds the work done.
ensure_prefix()
{
	mkdir -p "$(dirname "$prefix")"
	exec 9>"$prefix.lock" ||
		die "cannot write $prefix.lock: set STEKD_PREFIX to a place of yours."
	flock 9
	if prefix_matches && ! $refresh; then
		say "wolfSSL $(stamped_version wolfssl) already there: $prefix"
		return
	fi
	update_sources
	if prefix_matches &&
		[ "$(stamped_version wolfssl)" = "$(archive_version wolfssl)" ]; then
		say "wolfSSL $(stamped_version wolfssl) is the newest: $prefix"
		return
	fi
	build_prefix
}

# ---- what was asked for ------------------------------------------------------

report()
{
	local result=0

	if [ ${#missing[@]} -gt 0 ]; then
		say "packages missing, or older than CVES.md demands:" \
			"${missing[*]}"
		result=1
	else
		say "packages: all there (${sets[*]})"
	fi
	case " ${sets[*]} " in *" build "*) ;; *) return $result ;; esac
	if prefix_matches; then
		say "wolfSSL $(stamped_version wolfssl): $prefix"
	elif [ -d "$prefix" ]; then
		say "wolfSSL in $prefix is of another recipe; deploy/deps.sh build"
		result=1
	else
		say "wolfSSL is missing; deploy/deps.sh build"
		result=1
	fi
	return $result
}

on_exit()
{
	local status=$?

	[ -z "$policy_to_remove" ] || as_root rm -f "$policy_to_remove"
	[ -z "$work" ] || rm -rf "$work"
	exit $status
}

work='' policy_to_remove='' check=false refresh=false
sets=() missing=()
for argument in "$@"; do
	case $argument in
	build | run | test | bench | package) sets+=("$argument") ;;
	all) sets=(build run test) ;;
	--check) check=true ;;
	--refresh) refresh=true ;;
	--print-prefix) echo "$prefix" && exit 0 ;;
	-h | --help) usage && exit 0 ;;
	*)
		echo "deps: do not know \"$argument\"" >&2
		usage >&2
		exit 2
		;;
	esac
done
[ ${#sets[@]} -gt 0 ] || sets=(build run test)

find_release
mapfile -t missing < <(missing_packages "${sets[@]}"; stale_packages)
if $check; then
	report && exit 0
	exit 1
fi

trap on_exit EXIT
trap 'exit 130' INT TERM HUP
work=$(mktemp -d "${TMPDIR:-/tmp}/stekd-deps.XXXXXX")
if [ ${#missing[@]} -gt 0 ]; then
	install_packages
else
	say "packages already there (${sets[*]})"
fi
case " ${sets[*]} " in *" build "*) ensure_prefix ;; esac
say "done"

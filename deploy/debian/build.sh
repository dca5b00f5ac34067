#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Makes Debian packages of a distribution's directory: "make deb" calls it. The
# directory's debian/ is made here, from the files beside this script.
#
# wolfSSL. What we need of it is in no wolfSSL of Debian's: patches, and a
# choice of features (deploy/wolfssl, deps.sh). So it comes with us, in two
# ways:
#
#  - stekd and stekctl link it statically. They share it with nobody, start
#    without a look at a library path, and cannot get another one by mistake.
#  - libstek.so must not: an application hands it the WOLFSSL_CTX of its own
#    wolfSSL, so both must be one library. libstek0 has it as a shared library
#    in a private directory, /usr/lib/TRIPLET/stekd, where libstek.so's RUNPATH
#    finds it, and stek.pc has applications link the same. There it cannot get
#    into the way of Debian's libwolfssl42, which has the same SONAME.
#
# hiredis goes the same ways on Debian 12, whose own is too old; on 13 it is
# Debian's. A hole in either is closed by building these packages again:
# deploy/CVES.md, which "make check" holds against them.
#
# Reproducible: SOURCE_DATE_EPOCH is the environment's, or that of the last
# commit, or (not in git) of CHANGELOG.md; one state of tree and prefix gives
# the same packages, bit by bit.
set -euo pipefail

usage="usage: build.sh TREE PREFIX SOURCE OUTPUT

  TREE    the distribution's directory, as \"make distdir\" leaves it
  PREFIX  wolfSSL's, as deploy/deps.sh builds it
  SOURCE  where the commit and the date are found
  OUTPUT  directory of the packages, which is made anew"

die() { printf 'deb: %s\n' "$@" >&2; exit 1; }

[ $# = 4 ] || { echo "$usage" >&2; exit 2; }
tree=$(realpath "$1") prefix=$2 source=$3
output=$(realpath -m "$4")
here=$tree/deploy/debian
[ -f "$prefix/share/stekd-deps" ] ||
	die "$prefix has no wolfSSL built by deploy/deps.sh: configure with one"
for tool in dpkg-buildpackage dh; do
	command -v $tool >/dev/null ||
		die "$tool is missing: deploy/deps.sh package installs it"
done

version=$(sed -n "s/^PACKAGE_VERSION='\(.*\)'/\1/p" "$tree/configure")
if git -C "$source" rev-parse HEAD >/dev/null 2>&1; then
	: "${SOURCE_DATE_EPOCH:=$(git -C "$source" log -1 --format=%ct)}"
	# What is no release is older than the release that it leads to.
	[ "$(git -C "$source" tag --points-at HEAD "v$version")" != "" ] ||
		version+="~$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d.%H%M%S)"
else
	: "${SOURCE_DATE_EPOCH:=$(stat -c %Y "$source/CHANGELOG.md")}"
fi
export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC
maintainer="${DEBFULLNAME:-stekd developers} <${DEBEMAIL:-stekd@stekd.invalid}>"

# What decides the packages is in the tree, under names that do not change.
rm -rf "$tree/debian"
cp -r "$here" "$tree/debian"
rm "$tree/debian/build.sh"
chmod 755 "$tree/debian/rules"
mkdir "$tree/debian/prefix" "$tree/debian/prefix/lib"
cp -r "$prefix/include" "$tree/debian/prefix/"
# Without *.la: libtool would put the prefix's path into what it links.
cp -a "$prefix"/lib/lib*.a "$prefix"/lib/lib*.so* "$tree/debian/prefix/lib/"
hiredis='libhiredis-dev (>= 1.0),'
[ ! -f "$prefix/lib/libhiredis.a" ] || hiredis=
built_with=$(sed -n 's/^source \([^ ]*\) \(.*\)/\1 (= \2),/p' \
	"$prefix/share/stekd-deps" | tr '\n' ' ')
sed -e "s/@MAINTAINER@/$maintainer/" -e "s/@HIREDIS@/$hiredis/" \
	-e "s/@BUILT_WITH@/${built_with%, }/" \
	"$here/control.in" | grep -v '^ $' >"$tree/debian/control"
rm "$tree/debian/control.in"
cat >"$tree/debian/changelog" <<-EOT
stekd ($version) unstable; urgency=medium

  * What has changed stands in CHANGELOG.md, beside this file.

 -- $maintainer  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
EOT

cd "$tree"
# The tests are tests/run.sh's, which takes longer than a build.
DEB_BUILD_OPTIONS="nocheck parallel=$(nproc) ${DEB_BUILD_OPTIONS-}" \
	dpkg-buildpackage --build=binary --no-sign
rm -rf "$output"
mkdir -p "$output"
mv ../*"_${version}_"*.{deb,changes,buildinfo} "$output/"
ls -l "$output"

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The Debian packages: two builds are the same bit by bit, lintian finds no error
# and no warning, they install in a clean minbase, run, start nothing by
# themselves, take the example's lines for a configuration, and purge without
# leftovers. Takes minutes; wants root, and Debian's mirror for the clean system,
# which it keeps in $STEKD_CACHE (~/.cache/stekd).
. "$(dirname "$0")/lib.sh"
"$repo/deploy/deps.sh" package >"$work/log/deps" 2>&1 || fall_short "deps.sh"
need lintian debootstrap dpkg-deb unshare chroot

release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
# shellcheck disable=SC2016 # apt expands it
mirror=$(apt-get indextargets --format '$(SITE) $(RELEASE)' |
	awk -v release="$release" '$2 == release && !seen { print $1; seen = 1 }')
cache=${STEKD_CACHE:-$HOME/.cache/stekd}
clean=$cache/$release-minbase.tar
root=$work/root
packages=(stekd stekctl stekprobe libstek0 libstek-dev)

# ---- twice the same ------------------------------------------------------------------

# Beside STEKD_BUILD, each below another path, at another time, with another mask.
build_in()
{
	local dir=$work/$1

	mkdir -p "$dir"
	make -C "$STEKD_BUILD" deb DEB_DIR="$dir/deb" \
		>"$work/log/${1##*/}" 2>&1 || fall_short "make deb"
	(cd "$dir/deb" && sha256sum -- *.deb) >"$dir/sums"
}

say "two builds"
(umask 022 && build_in one) || exit 1
(umask 077 && TZ=Asia/Tokyo build_in another/path/two) || exit 1
cmp "$work/one/sums" "$work/another/path/two/sums" ||
	fall_short "two builds differ"
debs=$work/one/deb
for name in "${packages[@]}"; do
	files=("$debs/${name}_"*.deb)
	[ -f "${files[0]}" ] || fall_short "no package $name"
done

say "lintian"
lintian --allow-root --fail-on error,warning "$debs"/*.changes \
	>"$work/log/lintian" 2>&1 || fall_short "lintian"

# ---- a clean system ------------------------------------------------------------------

make_clean()
{
	mkdir -p "$cache"
	debootstrap --variant=minbase "$release" "$work/fresh" "$mirror" \
		>"$work/log/debootstrap" 2>&1 || fall_short "debootstrap"
	tar -C "$work/fresh" -cf "$clean.$$" .
	mv "$clean.$$" "$clean"
	rm -rf "$work/fresh"
}

# inside COMMAND...: in the system, with mounts that go with the command.
inside()
{
	# shellcheck disable=SC2016 # expanded inside
	unshare --mount --pid --fork --kill-child sh -c '
		mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' \
		"$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
		DEBIAN_FRONTEND=noninteractive "$@" </dev/null
}

# Every file, link and directory, with its mode, but for what apt and dpkg keep
# about themselves.
inventory()
{
	inside find / -xdev \( -path /proc -o -path /var/cache -o -path /var/log \
		-o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /tmp \
		-o -path /var/lib/systemd -o -path /debs \) -prune \
		-o -printf '%p %m %u:%g\n' | sort
}

say "a clean $release"
[ -f "$clean" ] || make_clean
mkdir "$root"
tar -C "$root" -xf "$clean"
chmod 755 "$root"
cp /etc/resolv.conf "$root/etc/resolv.conf"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
mkdir "$root/debs"
for name in "${packages[@]}"; do cp "$debs/${name}_"*.deb "$root/debs/"; done
chmod -R a+rX "$root/debs"
inside apt-get -q update >"$work/log/apt" 2>&1 || fall_short "apt-get update"
inventory >"$work/before"
cp "$root/etc/passwd" "$work/passwd"

say "installed"
inside sh -c 'apt-get -q -y --no-install-recommends install /debs/*.deb' \
	>>"$work/log/apt" 2>&1 || fall_short "apt-get install"
for name in stekd stekctl stekprobe; do
	inside $name --version >>"$work/versions" || fall_short "$name --version"
done
[ "$(sort -u "$work/versions" | wc -l)" = 3 ] ||
	fall_short "versions: $(cat "$work/versions")"
grep '^stekd:' "$root/etc/passwd" | grep -q ':/var/lib/stekd:/usr/sbin/nologin$' ||
	fall_short "no user stekd"
inside dpkg-query --status stekd >"$work/conffiles"
grep -q '^ /etc/stekd/stekd.yaml ' "$work/conffiles" ||
	fall_short "conffiles: $(cat "$work/conffiles")"
# Nothing is enabled, and what is started in error refuses to run.
find "$root/etc/systemd" -name 'stekd*' >"$work/enabled"
[ ! -s "$work/enabled" ] || fall_short "enabled: $(cat "$work/enabled")"
for name in stekd stekd-keeper; do
	find "$root/lib/systemd" "$root/usr/lib/systemd" -name $name.service \
		-exec grep '^ExecStart=/usr/sbin/stekd -c /etc/stekd/' {} + \
		>>"$work/log/units" || fall_short "no unit $name"
done
code=0
inside stekd >"$work/log/refused" 2>&1 || code=$?
[ $code = 2 ] || fall_short "unconfigured it exits $code"
grep -q '/etc/stekd/stekd.yaml' "$work/log/refused" ||
	fall_short "it does not say why: $(cat "$work/log/refused")"

say "configured by the example's lines"
make_ca
make_certificate www.example.com
inside stekctl keygen /etc/stekd/farm.key >"$work/log/keygen" 2>&1 ||
	fall_short "stekctl keygen"
cp "$work/ca.pem" "$root/etc/stekd/redis-ca.pem"
cp "$work/www.example.com.pem" "$root/etc/stekd/www.pem"
install -m 600 "$work/www.example.com.key" "$root/etc/stekd/www.key"
(umask 077 && echo secret >"$root/etc/stekd/redis.password")
mkdir -m 700 "$root/var/lib/stekd" "$root/run/stekd"
sed -e '/^##/d' -e 's/^#//' \
	-e 's,^farm_key:.*,farm_key: /etc/stekd/farm.key,' \
	"$root/etc/stekd/stekd.yaml" >"$root/etc/stekd/mine.yaml"
inside stekd --check -c /etc/stekd/mine.yaml >"$work/log/check" 2>&1 ||
	fall_short "the example's lines are no configuration"

say "a program built by libstek-dev"
inside cp -r /usr/share/doc/libstek-dev/examples /debs/own
cp "$root/debs/own/https.c" "$work/https.c"
inside ldd /usr/lib/"$(dpkg-architecture -qDEB_HOST_MULTIARCH)"/libstek.so.0 \
	>"$work/ldd"
grep -q 'libwolfssl.* => /usr/lib/.*/stekd/libwolfssl' "$work/ldd" ||
	fall_short "libstek.so.0 finds: $(cat "$work/ldd")"
inside apt-get -q -y --no-install-recommends install gcc libc6-dev pkg-config \
	>>"$work/log/apt" 2>&1 || fall_short "apt-get install gcc"
# shellcheck disable=SC2016 # expanded inside
inside sh -c 'gcc -Wall -Werror -o /debs/https /debs/own/https.c \
	$(pkg-config --cflags --libs stek)' >"$work/log/gcc" 2>&1 ||
	fall_short "the example does not build"
code=0
inside /debs/https >"$work/log/https" 2>&1 || code=$?
[ $code = 2 ] || fall_short "the example does not run: $code"

# What the operator has put there goes by his hand, and what stood for systemd's.
rmdir "$root/run/stekd"
rm -rf "$root"/etc/stekd/{farm.key,redis-ca.pem,www.pem,www.key,redis.password,mine.yaml}
say "purged"
inside apt-get -q -y purge "${packages[@]}" >>"$work/log/apt" 2>&1 ||
	fall_short "apt-get purge"
inside apt-get -q -y purge gcc libc6-dev pkg-config >>"$work/log/apt" 2>&1 ||
	fall_short "apt-get purge gcc"
inside apt-get -q -y autoremove --purge >>"$work/log/apt" 2>&1 ||
	fall_short "apt-get autoremove"
inventory >"$work/after"
# The user stays: files may be his. Libraries' caches are rewritten.
diff "$work/before" "$work/after" | grep '^>' | sed 's/^> //; s/ .*//' |
	grep -v -e '^/etc/\(passwd\|group\|shadow\|gshadow\)-*$' \
		-e '^/etc/ld.so.cache$' -e '^/etc/\.pwd\.lock$' \
		>"$work/left" || :
grep stekd "$work/left" >&2 && fall_short "left behind"
[ "$(diff "$work/passwd" "$root/etc/passwd" | grep -c '^>.*:')" = \
	"$(diff "$work/passwd" "$root/etc/passwd" | grep -c '^> \(stekd\|systemd-[a-z]*\|messagebus\):')" ] ||
	fall_short "other users: $(diff "$work/passwd" "$root/etc/passwd")"
echo "long-deb: ${#packages[@]} packages, two builds alike, lintian clean," \
	"installed, run and purged in a clean $release;" \
	"$(wc -l <"$work/left") files left, none of ours"

# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What deps.sh is sourced with: Debian 13's signed source packages, fetched by an
# apt of our own. Uses its say(), die(), $keyring and, once it is made, $work.
: "${keyring:?sourced by deps.sh}"

# apt-get with sources, lists and cache of our own, so that the machine's are
# not touched and no root is needed.
private_apt()
{
	apt-get -q -o Dir::Etc::sourcelist="$work/apt/trixie.sources" \
		-o Dir::Etc::sourceparts=/dev/null \
		-o Dir::State::lists="$work/apt/lists" \
		-o Dir::Cache="$work/apt/cache" \
		-o APT::Sandbox::User="$(id -un)" \
		-o APT::Get::List-Cleanup=false \
		-o Acquire::Retries=3 "$@"
}

# Debian 13's source entries, at the archive that this machine already uses.
write_sources()
{
	local targets archive security

	# shellcheck disable=SC2016 # apt expands these
	targets=$(apt-get indextargets --format '$(SITE) $(RELEASE)' |
		sort -u)
	archive=$(echo "$targets" | awk '$2 ~ /^(bookworm|trixie|stable|oldstable)$/ { print $1; exit }')
	security=$(echo "$targets" | awk '$2 ~ /-security$/ { print $1; exit }')
	[ -n "$archive" ] || die "no Debian archive in this machine's apt sources" \
		"(apt-get indextargets lists none for bookworm or trixie)." \
		"Add it to /etc/apt/sources.list and run this again."
	[ -n "$security" ] || security=${archive%/}-security
	[ -r "$keyring" ] || die "$keyring is missing:" \
		"apt-get install debian-archive-keyring"

	mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial"
	cat >"$work/apt/trixie.sources" <<-EOT
	Types: deb-src
	URIs: $archive
	Suites: trixie
	Components: main
	Signed-By: $keyring

	Types: deb-src
	URIs: $security
	Suites: trixie-security
	Components: main
	Signed-By: $keyring
	EOT
}

update_sources()
{
	write_sources
	say "reading the list of Debian 13's source packages"
	private_apt update >"$work/update.log" 2>&1 </dev/null || {
		tail -n 15 "$work/update.log" >&2
		die "could not read Debian 13's source lists (see above)." \
			"The machine's own apt sources name the archive; it must" \
			"carry trixie and trixie-security."
	}
	# A warning here means lists that were not verified or not fetched.
	if grep -q '^[WE]:' "$work/update.log"; then
		grep '^[WE]:' "$work/update.log" >&2
		die "apt warned about Debian 13's source lists: not going on with" \
			"what it could not verify."
	fi
}

# The newest version of a source package that the archive has.
archive_version()
{
	private_apt source --print-uris --only-source "$1" 2>/dev/null |
		sed -n "s/.* ${1}_\([^ ]*\)\.dsc .*/\1/p" | head -n 1
}

# fetch NAME: unpacks the newest source into $work/NAME.
fetch()
{
	local name=$1

	say "fetching $name $(archive_version "$name") from Debian 13"
	mkdir -p "$work/fetch"
	(cd "$work/fetch" && private_apt source --download-only \
		--only-source "$name") >"$work/fetch.log" 2>&1 </dev/null || {
		tail -n 15 "$work/fetch.log" >&2
		die "could not fetch the source of $name (see above); run this again."
	}
	# apt has checked every file against the signed lists.
	(cd "$work/fetch" && dpkg-source --no-copy -x "$name"_*.dsc \
		"$work/$name") >"$work/unpack.log" 2>&1 || {
		tail -n 15 "$work/unpack.log" >&2
		die "could not unpack the source of $name (see above)."
	}
}

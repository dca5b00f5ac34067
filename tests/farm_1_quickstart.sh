#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The newcomer's way: deploy/quickstart.sh in a clean clone ends within 6
# minutes, and every node resumes every node's tickets in both versions. The
# control is a node with another farm key: it resumes its own tickets only.
. "$(dirname "$0")/farm_common.sh"
limit_s=360

git clone --quiet "$repo" "$work/clone"
repo=$work/clone
unset STEKD_BUILD STEKD_PREFIX
began=$SECONDS
quickstart --keep --stray >"$work/quickstart.log" 2>&1 || {
	tail -n 60 "$work/quickstart.log"
	fall_short "deploy/quickstart.sh"
}
took=$((SECONDS - began))
probe=$(farm_fact .build)/stekprobe
mapfile -t nodes < <(farm_fact '.nodes[]')

"$probe" farm --tls both --tries 5 --sni "$(farm_fact .server_name)" \
	--ca "$(farm_fact .ca)" --json "${nodes[@]}" >"$work/matrix.json" || :
verdict=$(jq -r '
	(.nodes | length) as $n |
	[.versions[] | .cells | to_entries[] | .key as $row |
	 .value | to_entries[] | {row: $row, col: .key, rate: .value.rate}] |
	map(select(.row < $n - 1 and .col < $n - 1)) as $farm |
	map(select(.row == $n - 1 and .col == $n - 1)) as $own |
	(. - $farm - $own) as $across |
	"\($farm | length) \($farm | map(select(.rate == 1)) | length) " +
	"\($own | map(select(.rate == 1)) | length) " +
	"\($across | length) \($across | map(select(.rate == 0)) | length)"' \
	"$work/matrix.json")
[ "$verdict" = "18 18 2 12 12" ] || {
	cat "$work/matrix.json" "$work/quickstart.log"
	fall_short "matrix: $verdict, expected 18 18 2 12 12"
}
[ $took -le $limit_s ] || fall_short "took $took s, at most $limit_s"
echo "farm-1: 100 % in 18 of 18 cells (9 in each version), the stray node" \
	"100 % in its own 2 and 0 % in the other 12, $took s of $limit_s"

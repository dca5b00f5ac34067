#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A foreign ticket of any length from 0 to 16 KiB ends in a full handshake, in
# both versions: every length by clients of one version, the lengths around the
# library's limits by clients that offer both, and those with the name of a
# live key too. No ticket resumes, no handshake fails.
. "$(dirname "$0")/farm_common.sh"
foreign=$STEKD_BUILD/tests/helper_foreign
edges=0-300,608,1535-1537,4096,16384

farm_up --nodes=1
node=${nodes[0]}
{
	"$foreign" --connect "$node" --sni "$sni" --modes 1.2,1.3 \
		--lengths "${1:-0-16384}" &&
		"$foreign" --connect "$node" --sni "$sni" \
			--modes both-1.3,both-1.2 --lengths $edges &&
		"$foreign" --connect "$node" --sni "$sni" --known-key \
			--lengths $edges
} >"$work/log/foreign" 2>&1 || fall_short "a foreign ticket"
awk -F'[ =]' '/^mode=/ {
	full += $4
	resumed += $6
	failed += $8
} END {
	printf "farm-7: %d foreign tickets, %d full handshakes, " \
		"%d resumed, %d failed\n", full + resumed + failed, full,
		resumed, failed
	exit !(full > 0 && resumed + failed == 0)
}' "$work/log/foreign"

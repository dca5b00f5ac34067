#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Every single operation of tests/bench/micro takes within 3 % of the instructions
# that tests/bench/budgets allows it. Less is told too: then the budget is to be
# lowered, so that it is not spent again unseen. The counts hold for one kind of
# processor and for the compiler of the release build: where another is used,
# budgets of its own are needed (STEKD_BUDGETS=FILE).
. "$(dirname "$0")/lib.sh"

need valgrind
budgets=${STEKD_BUDGETS:-$repo/tests/bench/budgets}

"$repo/tests/bench/count.sh" >"$work/counts"
grep -v '^#' "$budgets" >"$work/budgets"
awk '
	NR == FNR { budget[$1] = $2; next }
	!($1 in budget) { print $1 " has no budget"; wrong = 1; next }
	{
		counted[$1] = 1
		off = 100 * ($2 - budget[$1]) / budget[$1]
		printf "%-14s %8d of %8d  %+.1f %%\n", $1, $2, budget[$1], off
		if (off > 3 || off < -3)
			wrong = 1
	}
	END {
		for (name in budget)
			if (!(name in counted)) {
				print name " is not counted"
				wrong = 1
			}
		exit wrong
	}' "$work/budgets" "$work/counts" ||
	fall_short "not within 3 % of the budgets"
echo "$(wc -l <"$work/counts") operations within 3 % of their budgets"

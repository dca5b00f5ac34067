#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Sealing and opening a ticket each take at most 1.5 times the instructions of the
# bare AEAD call over the same bytes, without allocation, lock or system call, and
# finding a key takes the same among 4 and 64. Counted by callgrind: the same
# figures on an idle and on a busy machine.
. "$(dirname "$0")/lib.sh"

need valgrind

# count NAME TIMES: sets cost and calls, and the profile to be looked into.
count()
{
	mkdir -p "$work/profiles"
	read -r _ cost calls < <(STEKD_PROFILES=$work/profiles STEKD_TIMES=$2 \
		"$repo/tests/bench/count.sh" "$1") || fall_short "no count of $1"
	profile=$work/profiles/$1
}

# The functions in which instructions were counted.
functions()
{
	callgrind_annotate --auto=no --threshold=100 --show=Ir "$profile" \
		2>/dev/null | sed -nE 's/^ *[0-9,]+ \(.*:([A-Za-z_][^ :]*).*/\1/p'
}

# Those that take memory, wait for others or enter the kernel.
unwanted()
{
	functions | grep -E 'alloc|^_*free$|_int_free|mutex|rwlock|sem_|lll_|futex|mmap|munmap|madvise|brk|getrandom|syscall|clock_gettime|^_*(read|write|open|poll)$'
}

# ratio OPERATION AEAD: per mille, after what an operation must not do.
ratio()
{
	local bare few

	count "$2" 1000
	bare=$cost
	count "$1" 10
	few=$calls
	count "$1" 1010
	[ "$calls" = "$few" ] ||
		fall_short "1000 times $1 make $((calls - few)) system calls"
	functions | grep -q "^stek__ticket_$1\$" ||
		fall_short "the profile does not name stek__ticket_$1"
	! unwanted || fall_short "$1 calls one of these"
	permille=$((1000 * cost / bare))
	say "$1: $cost instructions, the AEAD alone $bare"
	[ $((2 * cost)) -le $((3 * bare)) ] ||
		fall_short "$1 takes $permille thousandths of the AEAD alone"
}

# What is looked for is found where it is: a record is sealed into new memory,
# with a nonce of the kernel's.
count record_seal 10
few=$calls
count record_seal 1010
[ "$calls" -ge $((few + 1000)) ] ||
	fall_short "sealing a record makes no system call"
unwanted >/dev/null || fall_short "sealing a record allocates nothing"

ratio seal aead_seal
seal=$permille
ratio open aead_open
open=$permille

for what in find find_none; do
	count $what-4 640
	few=$cost
	count $what-64 640
	say "$what: $few instructions among 4 keys, $cost among 64"
	[ $((100 * cost)) -le $((110 * few)) ] ||
		fall_short "$what takes $few among 4 keys and $cost among 64"
	[ $what = find_none ] || found="$few and $cost"
done

echo "seal $seal, open $open thousandths of the AEAD alone (at most 1500)," \
	"look-up $found instructions among 4 and 64 keys"

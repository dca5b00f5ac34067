// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_secret.c - the arena of keys/secret.c: blocks do not overlap, freed
 * bytes are wiped, and neither a core file nor a child gets a secret.
 */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sanitized.h"
#include "secret.h"

#define BLOCKS 2000

static bool is_all(const uint8_t *p, size_t len, uint8_t value)
{
	for (size_t i = 0; i < len; i++) {
		if (p[i] != value)
			return false;
	}
	return true;
}

/* A new block is zero, also where a freed one lay. */
START_TEST(test_alloc_is_zeroed)
{
	static const size_t lengths[] = {
		1, 31, 32, 33, 4096, 4097, 16384, 20000, STEK_SECRET_MAX,
	};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		for (int round = 0; round < 3; round++) {
			uint8_t *p = stek__secret_alloc(lengths[i]);

			ck_assert_ptr_nonnull(p);
			ck_assert(is_all(p, lengths[i], 0));
			memset(p, 0xa5, lengths[i]);
			stek__secret_free(p, lengths[i]);
		}
	}
}
END_TEST

/* Nothing and too much are refused; freeing NULL is legal. */
START_TEST(test_alloc_refuses)
{
	ck_assert_ptr_null(stek__secret_alloc(0));
	ck_assert_ptr_null(stek__secret_alloc(STEK_SECRET_MAX + 1));
	ck_assert_ptr_null(stek__secret_alloc(SIZE_MAX));
	stek__secret_free(NULL, 32);
}
END_TEST

/* Not in a child, or wiped there where there is no memfd_secret(2). */
static bool stays_here(const char *flags)
{
	return strstr(flags, " dc") || strstr(flags, " wf");
}

/* How much of this process no other can read, or is locked. */
static size_t secret_kib(void)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	unsigned long size = 0, total = 0;
	char line[512];

	ck_assert_ptr_nonnull(smaps);
	while (fgets(line, sizeof(line), smaps)) {
		sscanf(line, "Size: %lu kB", &size);
		if (!strncmp(line, "VmFlags:", 8) && strstr(line, " dd") &&
		    stays_here(line))
			total += size;
	}
	fclose(smaps);
	return total;
}

/*
 * Large blocks are had again without a new mapping, zeroed, two at a time, also
 * as smaller ones; of more the rest is given back.
 */
START_TEST(test_large_blocks_are_used_again)
{
	/* What tests before this one left is taken first. */
	uint8_t *x = stek__secret_alloc(5000), *y = stek__secret_alloc(5000);
	uint8_t *a = stek__secret_alloc(24000), *b = stek__secret_alloc(40000);
	uint8_t *c = stek__secret_alloc(30000);
	size_t full = secret_kib();

	memset(a, 1, 24000);
	memset(b, 2, 40000);
	memset(c, 3, 30000);
	stek__secret_free(a, 24000);
	stek__secret_free(b, 40000);
	ck_assert_uint_eq(secret_kib(), full);
	stek__secret_free(c, 30000);
	ck_assert_uint_eq(secret_kib(), full - 24);
	for (int round = 0; round < 3; round++) {
		uint8_t *first = stek__secret_alloc(24000);
		uint8_t *second = stek__secret_alloc(20000);

		ck_assert((first == b && second == c) ||
			  (first == c && second == b));
		ck_assert(is_all(first, 24000, 0));
		ck_assert(is_all(second, 20000, 0));
		memset(first, 4, 24000);
		memset(second, 5, 20000);
		ck_assert_uint_eq(secret_kib(), full - 24);
		stek__secret_free(first, 24000);
		stek__secret_free(second, 20000);
	}
	stek__secret_free(x, 5000);
	stek__secret_free(y, 5000);
}
END_TEST

/* What is too large for a spare one gets pages of its own. */
START_TEST(test_a_spare_one_is_large_enough)
{
	uint8_t *small = stek__secret_alloc(5000), *large, *other;

	stek__secret_free(small, 5000);
	large = stek__secret_alloc(50000);
	other = stek__secret_alloc(5000);
	ck_assert_ptr_eq(other, small);
	memset(large, 6, 50000);
	memset(other, 7, 5000);
	ck_assert(is_all(large, 50000, 6));
	ck_assert(is_all(other, 5000, 7));
	stek__secret_free(large, 50000);
	stek__secret_free(other, 5000);
}
END_TEST

/* The run of small blocks is none, also while it is empty. */
START_TEST(test_small_blocks_keep_their_run)
{
	uint8_t *small = stek__secret_alloc(32), *large[3], *again;

	/* It is the last such run, so it stays. */
	stek__secret_free(small, 32);
	/* What tests before this one left is taken first. */
	for (int i = 0; i < 3; i++) {
		large[i] = stek__secret_alloc(5000);
		memset(large[i], 1 + i, 5000);
	}
	again = stek__secret_alloc(32);
	ck_assert_ptr_eq(again, small);
	memset(again, 9, 32);
	for (int i = 0; i < 3; i++) {
		ck_assert(is_all(large[i], 5000, (uint8_t)(1 + i)));
		stek__secret_free(large[i], 5000);
	}
	ck_assert(is_all(again, 32, 9));
	stek__secret_free(again, 32);
}
END_TEST

/* Many blocks of mixed lengths live beside each other, in any order of ends. */
START_TEST(test_blocks_do_not_overlap)
{
	static struct {
		uint8_t *p;
		size_t len;
		uint8_t fill;
	} blocks[256];
	unsigned seed = 1;

	for (int i = 0; i < 20000; i++) {
		int at = rand_r(&seed) % 256;

		if (blocks[at].p) {
			ck_assert(is_all(blocks[at].p, blocks[at].len,
					 blocks[at].fill));
			stek__secret_free(blocks[at].p, blocks[at].len);
			blocks[at].p = NULL;
			continue;
		}
		blocks[at].len = 1 + (size_t)rand_r(&seed) %
					     (i % 50 ? 200 : 9000);
		blocks[at].fill = (uint8_t)(1 + rand_r(&seed) % 255);
		blocks[at].p = stek__secret_alloc(blocks[at].len);
		ck_assert_ptr_nonnull(blocks[at].p);
		ck_assert(is_all(blocks[at].p, blocks[at].len, 0));
		memset(blocks[at].p, blocks[at].fill, blocks[at].len);
	}
	for (int at = 0; at < 256; at++)
		stek__secret_free(blocks[at].p, blocks[at].len);
}
END_TEST

/* A freed block's bytes are gone while its neighbours stay. */
START_TEST(test_free_wipes)
{
	uint8_t *a = stek__secret_alloc(64);
	uint8_t *b = stek__secret_alloc(64);

	memset(a, 1, 64);
	memset(b, 2, 64);
	stek__secret_free(a, 64);
	/* The page is still mapped: b lives on it. */
	ck_assert(is_all(a, 64, 0));
	ck_assert(is_all(b, 64, 2));
	stek__secret_free(b, 64);
}
END_TEST

/*
 * The kernel says that the page is in no core file ("dd") and not, or not as it
 * is, in a child, and that it is locked ("lo") if we claim so.
 */
static bool is_guarded(const void *p)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	bool inside = false, guarded = false;
	char line[512];

	while (smaps && fgets(line, sizeof(line), smaps)) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = (uintptr_t)p >= from && (uintptr_t)p < to;
		if (inside && !strncmp(line, "VmFlags:", 8))
			guarded = strstr(line, " dd") && stays_here(line) &&
				(!stek__secret_locked() || SANITIZED ||
				 strstr(line, " lo"));
	}
	if (smaps)
		fclose(smaps);
	return guarded;
}

/* Guarded in the process that had it. */
START_TEST(test_pages_are_guarded)
{
	uint8_t *p = stek__secret_alloc(32);

	ck_assert(is_guarded(p));
	stek__secret_free(p, 32);
}
END_TEST

/* A forked child finds zeros, may free them and allocate its own. */
START_TEST(test_fork_wipes)
{
	uint8_t *p = stek__secret_alloc(32);
	uint8_t *whole = stek__secret_alloc(20000);
	int status;
	pid_t pid;

	memset(p, 7, 32);
	memset(whole, 8, 20000);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		uint8_t *own;

		if (!is_all(p, 32, 0) || !is_all(whole, 20000, 0))
			_exit(1);
		stek__secret_free(whole, 20000);
		own = stek__secret_alloc(32);
		if (!own || own == p)
			_exit(2);
		memset(own, 9, 32);
		stek__secret_free(p, 32);
		/* What held the parent's secrets guards the child's. */
		own = stek__secret_alloc(20000);
		if (!own || !is_guarded(own))
			_exit(3);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert(is_all(p, 32, 7));
	ck_assert(is_all(whole, 20000, 8));
	stek__secret_free(p, 32);
	stek__secret_free(whole, 20000);
}
END_TEST

/* Without the right to lock memory we go on, and say so. */
START_TEST(test_memlock_limit_is_reported)
{
	struct rlimit none = { 0, 0 };
	uint8_t *p;

	ck_assert(stek__secret_locked());
	ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &none), 0);
	p = stek__secret_alloc(32);
	ck_assert_ptr_nonnull(p);
	/* CAP_IPC_LOCK is above the limit, also for memfd_secret(2). */
	if (mlock(&none, sizeof(none)) != 0)
		ck_assert(!stek__secret_locked());
	stek__secret_free(p, 32);
}
END_TEST

static void *churn(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	uint8_t fill = (uint8_t)seed;
	uintptr_t bad = 0;

	for (int i = 0; i < BLOCKS; i++) {
		size_t len = 1 + (size_t)rand_r(&seed) % 300;
		uint8_t *p = stek__secret_alloc(len);

		if (!p || !is_all(p, len, 0)) {
			bad++;
			continue;
		}
		memset(p, fill, len);
		bad += !is_all(p, len, fill);
		stek__secret_free(p, len);
	}
	return (void *)bad;
}

/* Threads allocate and free without seeing each other's bytes. */
START_TEST(test_threads_share_the_arena)
{
	pthread_t threads[4];

	for (uintptr_t i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, churn,
						(void *)(i + 1)), 0);
	for (int i = 0; i < 4; i++) {
		void *bad;

		ck_assert_int_eq(pthread_join(threads[i], &bad), 0);
		ck_assert_ptr_null(bad);
	}
}
END_TEST

/* Random bytes fill the whole buffer and do not repeat. */
START_TEST(test_random_fills)
{
	uint8_t a[600] = { 0 };
	uint8_t b[600] = { 0 };

	ck_assert_int_eq(stek__random(a, sizeof(a)), 0);
	ck_assert_int_eq(stek__random(b, sizeof(b)), 0);
	ck_assert_mem_ne(a, b, sizeof(a));
	ck_assert(!is_all(a, 16, 0));
	ck_assert(!is_all(a + sizeof(a) - 16, 16, 0));
	ck_assert_int_eq(stek__random(a, 0), 0);
}
END_TEST

/* Equal means every byte, the first and the last included. */
START_TEST(test_equal_sees_every_byte)
{
	uint8_t a[33] = { 0 };
	uint8_t b[33] = { 0 };

	ck_assert(stek__equal(a, b, sizeof(a)));
	ck_assert(stek__is_zero(a, sizeof(a)));
	for (size_t i = 0; i < sizeof(a); i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			b[i] = (uint8_t)(1u << bit);
			ck_assert(!stek__equal(a, b, sizeof(a)));
			ck_assert(!stek__is_zero(b, sizeof(b)));
		}
		b[i] = 0;
	}
	ck_assert(stek__equal(a, b, 0));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("secret");
	TCase *arena = tcase_create("arena");
	TCase *bytes = tcase_create("bytes");
	SRunner *runner;
	int failed;

	tcase_set_timeout(arena, 60);
	tcase_add_test(arena, test_alloc_is_zeroed);
	tcase_add_test(arena, test_alloc_refuses);
	tcase_add_test(arena, test_large_blocks_are_used_again);
	tcase_add_test(arena, test_a_spare_one_is_large_enough);
	tcase_add_test(arena, test_small_blocks_keep_their_run);
	tcase_add_test(arena, test_blocks_do_not_overlap);
	tcase_add_test(arena, test_free_wipes);
	tcase_add_test(arena, test_pages_are_guarded);
	tcase_add_test(arena, test_fork_wipes);
	tcase_add_test(arena, test_memlock_limit_is_reported);
	tcase_add_test(arena, test_threads_share_the_arena);
	suite_add_tcase(suite, arena);
	tcase_add_test(bytes, test_random_fills);
	tcase_add_test(bytes, test_equal_sees_every_byte);
	suite_add_tcase(suite, bytes);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

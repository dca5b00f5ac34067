/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_generator.c - keys/nonce.c and keys/life.c: when a secret is drawn, what
 * a nonce depends on, and that neither a child nor a thread shares one.
 */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "life.h"
#include "nonce.h"
#include "secret.h"

typedef uint8_t nonce_bytes[STEK_NONCE_LEN];

static bool broken, fails, lives_once;
static uint64_t broken_state;
static _Atomic unsigned draws;

uint64_t __wrap_stek__life(void);
uint64_t __real_stek__life(void);
int __wrap_stek__random(void *p, size_t len);
int __real_stek__random(void *p, size_t len);

/* Broken: numbers that a test can have again. */
int __wrap_stek__random(void *p, size_t len)
{
	uint8_t *at = p;

	draws++;
	if (fails)
		return STEK_ERANDOM;
	if (!broken)
		return __real_stek__random(p, len);
	for (size_t i = 0; i < len; i++) {
		broken_state = broken_state * UINT64_C(6364136223846793005) +
			       UINT64_C(1442695040888963407);
		at[i] = (uint8_t)(broken_state >> 56);
	}
	return 0;
}

/* Lives once: as if the kernel wiped nothing. */
uint64_t __wrap_stek__life(void)
{
	return lives_once ? 1 : __real_stek__life();
}

static const uint8_t aad[48] = "bound";
static const uint8_t plain[141] = "sealed";

static void make(nonce_bytes out, int64_t at_ms)
{
	ck_assert_int_eq(stek__nonce_make(out, at_ms, aad, sizeof(aad), plain,
					  sizeof(plain)), 0);
}

/* The first nonce of a new draw from the numbers of copied draws. */
static void make_first(nonce_bytes out, const uint8_t *a, size_t a_len,
		       const uint8_t *p, size_t p_len)
{
	nonce_bytes none;

	broken = false;
	make(none, 0);
	broken = true;
	broken_state = 7;
	ck_assert_int_eq(stek__nonce_make(out, STEK_NONCE_DRAW_MS * 2, a, a_len,
					  p, p_len), 0);
	broken = false;
}

/* One secret lasts for its time and its number of nonces, and no longer. */
START_TEST(test_draws)
{
	nonce_bytes nonce;
	unsigned before;

	make(nonce, 5);
	make(nonce, INT64_C(10000000));
	before = draws;
	for (int64_t i = 1; i < STEK_NONCE_DRAW_MS; i++)
		make(nonce, INT64_C(10000000) + i);
	ck_assert_uint_eq(draws, before);
	make(nonce, INT64_C(10000000) + STEK_NONCE_DRAW_MS);
	ck_assert_uint_eq(draws, before + 1);
	make(nonce, INT64_C(10000000) + STEK_NONCE_DRAW_MS - 1);
	ck_assert_uint_eq(draws, before + 2);
	for (int i = 1; i < STEK_NONCE_DRAW_COUNT; i++)
		make(nonce, INT64_C(10000000) + STEK_NONCE_DRAW_MS - 1);
	ck_assert_uint_eq(draws, before + 2);
	make(nonce, INT64_C(10000000) + STEK_NONCE_DRAW_MS - 1);
	ck_assert_uint_eq(draws, before + 3);
	/* A clock may say anything. */
	make(nonce, INT64_MIN);
	make(nonce, INT64_MAX);
	ck_assert_uint_eq(draws, before + 5);
}
END_TEST

/* No draw, no nonce: a secret whose time is over is not used on. */
START_TEST(test_failing_draw)
{
	nonce_bytes nonce = { 9 };
	static const nonce_bytes untouched = { 9 };

	for (int i = 0; i < 2; i++) {
		fails = true;
		ck_assert_int_eq(stek__nonce_make(nonce, 1, aad, sizeof(aad),
						  plain, sizeof(plain)),
				 STEK_ERANDOM);
		ck_assert_int_eq(stek__nonce_make(nonce, 1, aad, sizeof(aad),
						  plain, sizeof(plain)),
				 STEK_ERANDOM);
		ck_assert_mem_eq(nonce, untouched, sizeof(nonce));
		fails = false;
		make(nonce, 1 + STEK_NONCE_DRAW_MS);
		memcpy(nonce, untouched, sizeof(nonce));
	}
}
END_TEST

/* What does not fit is refused, and the most that fits is not. */
START_TEST(test_lengths)
{
	static const uint8_t bytes[STEK_NONCE_INPUT_MAX + 1];
	nonce_bytes nonce;

	for (size_t i = 0; i <= STEK_NONCE_INPUT_MAX; i++) {
		ck_assert_int_eq(stek__nonce_make(nonce, 1, bytes, i, bytes,
						  STEK_NONCE_INPUT_MAX - i),
				 0);
		ck_assert_int_eq(stek__nonce_make(nonce, 1, bytes, i, bytes,
						  STEK_NONCE_INPUT_MAX + 1 - i),
				 STEK_EINVAL);
	}
	ck_assert_int_eq(stek__nonce_make(nonce, 1, bytes, SIZE_MAX, bytes, 2),
			 STEK_EINVAL);
	ck_assert_int_eq(stek__nonce_make(nonce, 1, bytes, 2, bytes, SIZE_MAX),
			 STEK_EINVAL);
}
END_TEST

/* From one secret and count: each bit of either input, and where it ends. */
START_TEST(test_every_bit_tells)
{
	static const uint8_t zeros[30];
	uint8_t a[sizeof(aad)], p[sizeof(plain)];
	nonce_bytes one, other;

	memcpy(a, aad, sizeof(a));
	memcpy(p, plain, sizeof(p));
	make_first(one, a, sizeof(a), p, sizeof(p));
	make_first(other, a, sizeof(a), p, sizeof(p));
	ck_assert_mem_eq(one, other, sizeof(one));
	for (size_t bit = 0; bit < (sizeof(a) + sizeof(p)) * 8; bit++) {
		uint8_t *at = bit < sizeof(a) * 8 ? a + bit / 8 :
						    p + (bit / 8 - sizeof(a));

		*at ^= (uint8_t)(1 << bit % 8);
		make_first(other, a, sizeof(a), p, sizeof(p));
		ck_assert_mem_ne(one, other, sizeof(one));
		*at ^= (uint8_t)(1 << bit % 8);
	}
	/* Both end with zeros: these differ by their lengths alone. */
	make_first(other, a, sizeof(a), p, sizeof(p) - 1);
	ck_assert_mem_ne(one, other, sizeof(one));
	make_first(other, a, sizeof(a) - 1, p, sizeof(p));
	ck_assert_mem_ne(one, other, sizeof(one));
	/* And where the one ends and the other begins. */
	make_first(one, zeros, 20, zeros, 30);
	make_first(other, zeros, 21, zeros, 29);
	ck_assert_mem_ne(one, other, sizeof(one));
	make_first(other, zeros, 21, zeros, 30);
	ck_assert_mem_ne(one, other, sizeof(one));
	/* And by the count: from one secret one input gives another nonce. */
	make_first(one, a, sizeof(a), p, sizeof(p));
	make(other, STEK_NONCE_DRAW_MS * 2);
	ck_assert_mem_ne(one, other, sizeof(one));
}
END_TEST

/* The nonce that a child makes next, and its parent: of one input. */
static void part(nonce_bytes child, nonce_bytes parent)
{
	nonce_bytes nonce;
	int status, ends[2];
	pid_t pid;

	make(nonce, 1);
	ck_assert_int_eq(pipe(ends), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		make(nonce, 1);
		_exit(write(ends[1], nonce, sizeof(nonce_bytes)) !=
		      sizeof(nonce_bytes));
	}
	make(parent, 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(read(ends[0], child, sizeof(nonce_bytes)),
			 sizeof(nonce_bytes));
	close(ends[0]);
	close(ends[1]);
}

/* A child draws for itself. Where nothing tells it, it repeats its parent. */
START_TEST(test_child_draws)
{
	nonce_bytes child, parent;

	part(child, parent);
	ck_assert_mem_ne(child, parent, sizeof(child));
	lives_once = true;
	part(child, parent);
	lives_once = false;
	ck_assert_mem_eq(child, parent, sizeof(child));
}
END_TEST

/* The number of a life: the same in it, others in children and theirs. */
START_TEST(test_lives)
{
	uint64_t first = stek__life();
	int status;
	pid_t pid;

	ck_assert_uint_ne(first, 0);
	ck_assert_uint_eq(stek__life(), first);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		uint64_t second = stek__life();

		pid = fork();
		if (pid == 0)
			_exit(stek__life() == first ||
			      stek__life() == second || !stek__life());
		_exit(second == first || !second || second != stek__life() ||
		      pid < 0 || waitpid(pid, &status, 0) != pid || status);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(stek__life(), first);
}
END_TEST

#define THREADS 4
#define EACH 20000

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(nonce_bytes));
}

static nonce_bytes nonces[THREADS][EACH];

static void *thread_run(void *of)
{
	nonce_bytes *own = of;

	for (size_t i = 0; i < EACH; i++) {
		if (stek__nonce_make(own[i], 1, aad, sizeof(aad), plain,
				     sizeof(plain)))
			return NULL;
	}
	return of;
}

/* Threads share no secret, though they all begin with the same input. */
START_TEST(test_threads_share_nothing)
{
	nonce_bytes *all = &nonces[0][0];
	pthread_t threads[THREADS];
	void *done;

	for (size_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, thread_run,
						nonces[i]), 0);
	for (size_t i = 0; i < THREADS; i++) {
		ck_assert_int_eq(pthread_join(threads[i], &done), 0);
		ck_assert_ptr_eq(done, nonces[i]);
	}
	qsort(all, THREADS * EACH, sizeof(nonce_bytes), compare);
	for (size_t i = 1; i < THREADS * EACH; i++)
		ck_assert(compare(all[i - 1], all[i]));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("generator");
	TCase *one = tcase_create("generator");
	SRunner *runner;
	int failed;

	tcase_set_timeout(one, 120);
	tcase_add_test(one, test_draws);
	tcase_add_test(one, test_failing_draw);
	tcase_add_test(one, test_lengths);
	tcase_add_test(one, test_every_bit_tells);
	tcase_add_test(one, test_child_draws);
	tcase_add_test(one, test_lives);
	tcase_add_test(one, test_threads_share_nothing);
	suite_add_tcase(suite, one);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

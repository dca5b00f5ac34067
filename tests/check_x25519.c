/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_x25519.c - deploy/wolfssl/0012: a public key made by the base point's
 * table is the one that the ladder makes of the point 9 (RFC 7748 s5, s6.1), for
 * many private keys, and those at the edges. tests/bench/budgets has what it
 * costs.
 */
#include <wolfssl/options.h>

#include <check.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <wolfssl/wolfcrypt/curve25519.h>

#include "secret.h"

#define LEN CURVE25519_KEYSIZE
#define KEYS 2000
#define DIGITS 64

static const uint8_t nine[LEN] = { 9 };

/* RFC 7748 s6.1: Alice and Bob. */
static const struct {
	uint8_t private_key[LEN], public_key[LEN];
} known[] = {
	{ { 0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d, 0x3c, 0x16, 0xc1,
	    0x72, 0x51, 0xb2, 0x66, 0x45, 0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0,
	    0x99, 0x2a, 0xb1, 0x77, 0xfb, 0xa5, 0x1d, 0xb9, 0x2c, 0x2a },
	  { 0x85, 0x20, 0xf0, 0x09, 0x89, 0x30, 0xa7, 0x54, 0x74, 0x8b, 0x7d,
	    0xdc, 0xb4, 0x3e, 0xf7, 0x5a, 0x0d, 0xbf, 0x3a, 0x0d, 0x26, 0x38,
	    0x1a, 0xf4, 0xeb, 0xa4, 0xa9, 0x8e, 0xaa, 0x9b, 0x4e, 0x6a } },
	{ { 0x5d, 0xab, 0x08, 0x7e, 0x62, 0x4a, 0x8a, 0x4b, 0x79, 0xe1, 0x7f,
	    0x8b, 0x83, 0x80, 0x0e, 0xe6, 0x6f, 0x3b, 0xb1, 0x29, 0x26, 0x18,
	    0xb6, 0xfd, 0x1c, 0x2f, 0x8b, 0x27, 0xff, 0x88, 0xe0, 0xeb },
	  { 0xde, 0x9e, 0xdb, 0x7d, 0x7b, 0x7d, 0xc1, 0xb4, 0xd3, 0x5b, 0x61,
	    0xc2, 0xec, 0xe4, 0x35, 0x37, 0x3f, 0x83, 0x43, 0xc8, 0x5b, 0x78,
	    0x67, 0x4d, 0xad, 0xfc, 0x7e, 0x14, 0x6f, 0x88, 0x2b, 0x4f } },
};

/* As the library demands it of a key (RFC 7748 s5, decodeScalar25519). */
static void clamp(uint8_t private_key[LEN])
{
	private_key[0] &= 248;
	private_key[LEN - 1] = (uint8_t)((private_key[LEN - 1] & 127) | 64);
}

START_TEST(test_known_answers)
{
	uint8_t private_key[LEN], made[LEN];

	memcpy(private_key, known[_i].private_key, LEN);
	clamp(private_key);
	ck_assert_int_eq(wc_curve25519_make_pub(LEN, made, LEN, private_key), 0);
	ck_assert_mem_eq(made, known[_i].public_key, LEN);
}
END_TEST

static void same_both_ways(const uint8_t private_key[LEN])
{
	uint8_t by_table[LEN], by_ladder[LEN];

	ck_assert_int_eq(
		wc_curve25519_make_pub(LEN, by_table, LEN, private_key), 0);
	ck_assert_int_eq(wc_curve25519_generic(LEN, by_ladder, LEN, private_key,
					       LEN, nine),
			 0);
	ck_assert_mem_eq(by_table, by_ladder, LEN);
}

START_TEST(test_same_as_the_ladder)
{
	uint8_t private_key[LEN];

	for (int i = 0; i < KEYS; i++) {
		ck_assert_int_eq(stek__random(private_key, LEN), 0);
		clamp(private_key);
		same_both_ways(private_key);
	}
}
END_TEST

/* Each digit of the table's width at its least and at its most. */
START_TEST(test_edges)
{
	uint8_t private_key[LEN];

	for (int octet = 0; octet < 256; octet++) {
		memset(private_key, octet, LEN);
		clamp(private_key);
		same_both_ways(private_key);
	}
}
END_TEST

/* Of a private key, as the table is asked: -8 to 8, the lowest first. */
static void digits_of(int8_t out[DIGITS], const uint8_t private_key[LEN])
{
	int carry = 0;

	for (int i = 0; i < DIGITS; i++) {
		int digit = (private_key[i / 2] >> i % 2 * 4 & 15) + carry;

		carry = i < DIGITS - 1 && digit >= 8;
		out[i] = (int8_t)(digit - carry * 16);
	}
}

static uint8_t stack[256 * 1024] __attribute__((aligned(4096)));

static void *make_pub(void *private_key)
{
	uint8_t made[LEN];

	wc_curve25519_make_pub(LEN, made, LEN, private_key);
	return NULL;
}

static bool lies_on_the_stack(const void *what, size_t len)
{
	return memmem(stack, sizeof(stack), what, len) != NULL;
}

/* Neither the key nor its digits stay behind, on a stack that we look at. */
START_TEST(test_nothing_stays_on_the_stack)
{
	static uint8_t private_key[LEN];
	int8_t digits[DIGITS];
	pthread_attr_t attr;
	pthread_t thread;

	/* Its stacks end where the thread does. */
	if (getenv("STEKD_VALGRIND"))
		return;
	ck_assert_int_eq(stek__random(private_key, LEN), 0);
	clamp(private_key);
	digits_of(digits, private_key);
	memcpy(stack, digits, DIGITS);
	ck_assert(lies_on_the_stack(digits, DIGITS));
	memset(stack, 0, sizeof(stack));
	ck_assert_int_eq(pthread_attr_init(&attr), 0);
	ck_assert_int_eq(pthread_attr_setstack(&attr, stack, sizeof(stack)), 0);
	ck_assert_int_eq(pthread_create(&thread, &attr, make_pub, private_key),
			 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attr);
	ck_assert(!lies_on_the_stack(digits, DIGITS));
	ck_assert(!lies_on_the_stack(private_key, LEN));
}
END_TEST

/* A key that is made agrees with another one, either way. */
START_TEST(test_agree)
{
	curve25519_key ours, theirs;
	uint8_t at_ours[LEN], at_theirs[LEN];
	word32 len = LEN;
	WC_RNG rng;

	ck_assert_int_eq(wc_InitRng(&rng), 0);
	ck_assert_int_eq(wc_curve25519_init(&ours), 0);
	ck_assert_int_eq(wc_curve25519_init(&theirs), 0);
	ck_assert_int_eq(wc_curve25519_make_key(&rng, LEN, &ours), 0);
	ck_assert_int_eq(wc_curve25519_make_key(&rng, LEN, &theirs), 0);
	ck_assert_int_eq(wc_curve25519_shared_secret(&ours, &theirs, at_ours,
						     &len), 0);
	len = LEN;
	ck_assert_int_eq(wc_curve25519_shared_secret(&theirs, &ours, at_theirs,
						     &len), 0);
	ck_assert_mem_eq(at_ours, at_theirs, LEN);
	wc_curve25519_free(&ours);
	wc_curve25519_free(&theirs);
	wc_FreeRng(&rng);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("x25519");
	TCase *tcase = tcase_create("x25519");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tcase, test_known_answers, 0,
			    sizeof(known) / sizeof(known[0]));
	tcase_add_test(tcase, test_same_as_the_ladder);
	tcase_add_test(tcase, test_edges);
	tcase_add_test(tcase, test_nothing_stays_on_the_stack);
	tcase_add_test(tcase, test_agree);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_upper_halves.c - deploy/wolfssl/0013: what wolfSSL computes with ymm
 * registers leaves their upper halves clean, so that the code after it is not
 * slow. True of itself on a processor without AVX2, where nothing uses them.
 */
#include <wolfssl/options.h>

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/poly1305.h>
#include <wolfssl/wolfcrypt/rsa.h>

#include "pki.h"

#define HASH_LEN 32

static uint8_t halves[16 * 16];	/* of ymm0 to ymm15 */
static const uint8_t hash[HASH_LEN] = { 1, 2, 3 };
static WC_RNG rng;

#if defined(__x86_64__)

#define KEEP(n) "vextractf128 $1, %%ymm" #n ", " #n " * 16(%0)\n\t"

static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}

static void clean(void)
{
	if (has_avx2())
		__asm__ volatile("vzeroupper" ::: "memory");
}

static void dirty(void)
{
	if (has_avx2())
		__asm__ volatile("vpcmpeqd %%ymm7, %%ymm7, %%ymm7"
				 ::: "xmm7", "memory");
}

/* Calls nothing: even memset() may clean them. */
static void keep(void)
{
	if (has_avx2())
		__asm__ volatile(
			KEEP(0) KEEP(1) KEEP(2) KEEP(3) KEEP(4) KEEP(5) KEEP(6)
			KEEP(7) KEEP(8) KEEP(9) KEEP(10) KEEP(11) KEEP(12)
			KEEP(13) KEEP(14) KEEP(15)
			: : "r"(halves) : "memory");
}

#else

static bool has_avx2(void)
{
	return false;
}

static void clean(void)
{
}

static void dirty(void)
{
}

static void keep(void)
{
}

#endif

static bool are_clean(void)
{
	for (size_t i = 0; i < sizeof(halves); i++)
		if (halves[i])
			return false;
	return true;
}

static int sign(void *key)
{
	uint8_t signature[ECC_MAX_SIG_SIZE];
	word32 len = sizeof(signature);

	return wc_ecc_sign_hash(hash, sizeof(hash), signature, &len, &rng, key);
}

static int agree(void *key)
{
	uint8_t secret[MAX_ECC_BYTES];
	word32 len = sizeof(secret);

	return wc_ecc_shared_secret(key, key, secret, &len);
}

static const struct curve {
	int size, id;
} curves[] = {
	{ 32, ECC_SECP256R1 },
	{ 48, ECC_SECP384R1 },
	{ 66, ECC_SECP521R1 },
};

START_TEST(test_curves)
{
	const struct curve *curve = &curves[_i];
	ecc_key key;

	ck_assert_int_eq(wc_ecc_init(&key), 0);
	clean();
	ck_assert_int_eq(wc_ecc_make_key_ex(&rng, curve->size, &key, curve->id),
			 0);
	ck_assert_int_eq(wc_ecc_set_rng(&key, &rng), 0);

	for (int i = 0; i < 2; i++) {
		int (*const act)(void *) = i ? agree : sign;
		int ret;

		clean();
		ret = act(&key);
		keep();
		ck_assert_int_eq(ret, 0);
		ck_assert_msg(are_clean(), "%s, %d bytes", i ? "agree" : "sign",
			      curve->size);
	}
	wc_ecc_free(&key);
}
END_TEST

START_TEST(test_rsa)
{
	const struct pki_wish wish = { .name = "rsa", .rsa = true };
	struct pki made = pki_make(&wish);
	uint8_t signature[512];
	unsigned char *der = NULL;
	int len = i2d_PrivateKey(made.key, &der), ret;
	word32 at = 0;
	RsaKey key;

	ck_assert_int_gt(len, 0);
	ck_assert_int_eq(wc_InitRsaKey(&key, NULL), 0);
	ck_assert_int_eq(wc_RsaPrivateKeyDecode(der, &at, &key, (word32)len),
			 0);
	ck_assert_int_eq(wc_RsaSetRNG(&key, &rng), 0);
	clean();
	ret = wc_RsaSSL_Sign(hash, sizeof(hash), signature, sizeof(signature),
			     &key, &rng);
	keep();
	ck_assert_int_gt(ret, 0);
	ck_assert(are_clean());
	wc_FreeRsaKey(&key);
	OPENSSL_free(der);
	pki_free(&made);
}
END_TEST

START_TEST(test_poly1305)
{
	Poly1305 state;
	int ret;

	dirty();
	ret = wc_Poly1305SetKey(&state, hash, sizeof(hash));
	keep();
	ck_assert_int_eq(ret, 0);
	ck_assert(are_clean());
}
END_TEST

/* The test would see it. */
START_TEST(test_seen)
{
	dirty();
	keep();
	ck_assert(are_clean() == !has_avx2());
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("upper halves");
	TCase *tcase = tcase_create("upper halves");
	SRunner *runner = srunner_create(suite);
	int failed = wc_InitRng(&rng);

	tcase_add_loop_test(tcase, test_curves, 0,
			    sizeof(curves) / sizeof(curves[0]));
	tcase_add_test(tcase, test_rsa);
	tcase_add_test(tcase, test_poly1305);
	tcase_add_test(tcase, test_seen);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed += srunner_ntests_failed(runner);
	srunner_free(runner);
	wc_FreeRng(&rng);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

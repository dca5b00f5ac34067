// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_key.c - keys are made whole or not at all, and their secrets go with
 * the last reference.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "key.h"
#include "secret.h"

static const uint8_t id[STEK_ID_LEN] = "sixteen bytes id";
static const uint8_t secret[STEK_SECRET_LEN] =
	"thirty-two bytes of test secret";

static struct stek_key *key_new(const uint8_t *bytes)
{
	struct stek_key *key = NULL;

	ck_assert_int_eq(stek__key_new(&key, id, bytes, "node-1",
				       STEK_MADE_BY_ROTATE, 1000, 2000, 3000),
			 0);
	return key;
}

/* A key keeps what it was made of, and a copy of the secret. */
START_TEST(test_new_copies)
{
	struct stek_key *key = key_new(secret);

	ck_assert_mem_eq(key->id, id, STEK_ID_LEN);
	ck_assert_ptr_ne(key->secret, secret);
	ck_assert_mem_eq(key->secret, secret, STEK_SECRET_LEN);
	ck_assert_str_eq(key->made_by, "node-1");
	ck_assert_int_eq(key->reason, STEK_MADE_BY_ROTATE);
	ck_assert_int_eq(key->made_at_ms, 1000);
	ck_assert_int_eq(key->activate_at_ms, 2000);
	ck_assert_int_eq(key->expire_at_ms, 3000);
	stek__key_unref(key);
}
END_TEST

/* A key may be known by its metadata only. */
START_TEST(test_new_without_secret)
{
	struct stek_key *key = key_new(NULL);

	ck_assert_ptr_null(key->secret);
	stek__key_unref(key);
}
END_TEST

/* What no honest node makes is refused and leaves `out` alone. */
START_TEST(test_new_refuses)
{
	static const uint8_t zero[STEK_SECRET_LEN];
	char longest[STEK_NAME_MAX + 2];
	struct stek_key *key = NULL;
	const enum stek_reason why = STEK_MADE_BY_SCHEDULE;

	memset(longest, 'n', sizeof(longest));
	longest[STEK_NAME_MAX + 1] = '\0';
	/* A zero id is no key name (wolfSSL refuses it), a zero secret none. */
	ck_assert_int_eq(stek__key_new(&key, zero, secret, "n", why, 1, 2, 3),
			 STEK_EINVAL);
	ck_assert_int_eq(stek__key_new(&key, id, zero, "n", why, 1, 2, 3),
			 STEK_EINVAL);
	ck_assert_int_eq(stek__key_new(&key, id, secret, longest, why, 1, 2, 3),
			 STEK_EINVAL);
	ck_assert_int_eq(stek__key_new(&key, id, secret, "n",
				       (enum stek_reason)3, 1, 2, 3),
			 STEK_EINVAL);
	/* Active until it expires, made before it expires, no time negative. */
	ck_assert_int_eq(stek__key_new(&key, id, secret, "n", why, 1, 3, 3),
			 STEK_EINVAL);
	ck_assert_int_eq(stek__key_new(&key, id, secret, "n", why, 3, 2, 3),
			 STEK_EINVAL);
	ck_assert_int_eq(stek__key_new(&key, id, secret, "n", why, -1, 2, 3),
			 STEK_EINVAL);
	ck_assert_int_eq(stek__key_new(&key, id, secret, "n", why, 1, -2, 3),
			 STEK_EINVAL);
	ck_assert_int_eq(stek__key_new(&key, id, secret, "n", why, 1, 2,
				       INT64_MAX),
			 STEK_EINVAL);
	ck_assert_ptr_null(key);
	longest[STEK_NAME_MAX] = '\0';
	ck_assert_int_eq(stek__key_new(&key, id, secret, longest, why, 1, 2, 3),
			 0);
	stek__key_unref(key);
}
END_TEST

/* Minted keys differ in id and secret, in every one of many. */
START_TEST(test_mint_is_random)
{
	static struct stek_key *keys[200];

	for (int i = 0; i < 200; i++) {
		ck_assert_int_eq(stek__key_mint(&keys[i], "n",
						STEK_MADE_BY_SCHEDULE, 1, 2, 3),
				 0);
		ck_assert(!stek__is_zero(keys[i]->secret, STEK_SECRET_LEN));
		for (int j = 0; j < i; j++) {
			ck_assert_mem_ne(keys[i]->id, keys[j]->id, STEK_ID_LEN);
			ck_assert_mem_ne(keys[i]->secret, keys[j]->secret,
					 STEK_SECRET_LEN);
		}
	}
	for (int i = 0; i < 200; i++)
		stek__key_unref(keys[i]);
}
END_TEST

/* Minting checks times as making does. */
START_TEST(test_mint_refuses)
{
	struct stek_key *key = NULL;

	ck_assert_int_eq(stek__key_mint(&key, "n", STEK_MADE_BY_SCHEDULE, 1, 3,
					3),
			 STEK_EINVAL);
	ck_assert_ptr_null(key);
}
END_TEST

/* The twin without a secret is the same in everything else. */
START_TEST(test_without_secret_keeps_metadata)
{
	struct stek_key *key = key_new(secret);
	struct stek_key *twin = NULL;

	ck_assert_int_eq(stek__key_without_secret(&twin, key), 0);
	ck_assert_ptr_null(twin->secret);
	ck_assert_mem_eq(twin->id, key->id, STEK_ID_LEN);
	ck_assert_str_eq(twin->made_by, key->made_by);
	ck_assert_int_eq(twin->reason, key->reason);
	ck_assert_int_eq(twin->made_at_ms, key->made_at_ms);
	ck_assert_int_eq(twin->activate_at_ms, key->activate_at_ms);
	ck_assert_int_eq(twin->expire_at_ms, key->expire_at_ms);
	stek__key_unref(key);
	stek__key_unref(twin);
}
END_TEST

/* The secret lives as long as one reference and is wiped with the last. */
START_TEST(test_last_unref_wipes)
{
	uint8_t *witness = stek__secret_alloc(32);
	struct stek_key *key = key_new(secret);
	uint8_t *where = key->secret;

	ck_assert_ptr_eq(stek__key_ref(key), key);
	stek__key_unref(key);
	ck_assert_mem_eq(where, secret, STEK_SECRET_LEN);
	stek__key_unref(key);
	/* `witness` keeps the page mapped. */
	ck_assert(stek__is_zero(where, STEK_SECRET_LEN));
	stek__secret_free(witness, 32);
	stek__key_unref(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("key");
	TCase *tcase = tcase_create("key");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_new_copies);
	tcase_add_test(tcase, test_new_without_secret);
	tcase_add_test(tcase, test_new_refuses);
	tcase_add_test(tcase, test_mint_is_random);
	tcase_add_test(tcase, test_mint_refuses);
	tcase_add_test(tcase, test_without_secret_keeps_metadata);
	tcase_add_test(tcase, test_last_unref_wipes);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

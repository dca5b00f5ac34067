// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_error.c - every number of libstek has a name of its own, and a number
 * that it does not know has one too.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "stek_wolfssl.h"

static const char *error_at(int i)
{
	return stek_strerror(-i);
}

static const char *state_at(int i)
{
	return stek_state_name((enum stek_state)i);
}

static const char *reason_at(int i)
{
	return stek_reason_name((enum stek_reason)i);
}

static const char *event_at(int i)
{
	return stek_event_name((enum stek_event_kind)i);
}

static const char *store_at(int i)
{
	return stek_store_state_name((enum stek_store_state)i);
}

static const char *outcome_at(int i)
{
	return stek_outcome_name((enum stek_outcome)i);
}

static const struct naming {
	const char *(*name)(int i);
	int count;
} namings[] = {
	{ error_at, -STEK_EBUSY + 1 },
	{ state_at, STEK_GONE + 1 },
	{ reason_at, STEK_MADE_BY_REVOKE + 1 },
	{ event_at, STEK_EVENT_LAGGING + 1 },
	{ store_at, STEK_STORE_REFUSED + 1 },
	{ outcome_at, STEK_OUTCOMES },
};

/* All names of one table are there and differ. */
START_TEST(test_names_are_distinct)
{
	const struct naming *naming = &namings[_i];

	for (int i = 0; i < naming->count; i++) {
		ck_assert_str_ne(naming->name(i), "unknown");
		for (int j = 0; j < i; j++)
			ck_assert_str_ne(naming->name(i), naming->name(j));
	}
}
END_TEST

/* Numbers past either end are "unknown", never NULL. */
START_TEST(test_strange_number_is_unknown)
{
	const struct naming *naming = &namings[_i];

	ck_assert_str_eq(naming->name(naming->count), "unknown");
	ck_assert_str_eq(naming->name(-1), "unknown");
	ck_assert_str_eq(naming->name(100000), "unknown");
}
END_TEST

/* The names that metrics and the admin endpoint promise. */
START_TEST(test_names_of_the_contract)
{
	ck_assert_str_eq(stek_state_name(STEK_PENDING), "pending");
	ck_assert_str_eq(stek_state_name(STEK_ACTIVE), "active");
	ck_assert_str_eq(stek_outcome_name(STEK_RESUMED_ACTIVE),
			 "resumed_active");
	ck_assert_str_eq(stek_outcome_name(STEK_NONE_OFFERED), "none_offered");
	ck_assert_str_eq(stek_reason_name(STEK_MADE_BY_ROTATE), "rotate");
	ck_assert_str_eq(stek_version_string(), "0.1.0");
}
END_TEST

/* A version is the pair: either part alone makes a difference. */
START_TEST(test_version_equal_compares_both)
{
	struct stek_version a = { .epoch = 7 };
	struct stek_version b = { .epoch = 7 };

	ck_assert(stek_version_equal(&a, &b));
	b.epoch = 8;
	ck_assert(!stek_version_equal(&a, &b));
	b.epoch = 7;
	b.digest[STEK_DIGEST_LEN - 1] = 1;
	ck_assert(!stek_version_equal(&a, &b));
}
END_TEST

int main(void)
{
	const int n = sizeof(namings) / sizeof(namings[0]);
	Suite *suite = suite_create("error");
	TCase *names = tcase_create("names");
	TCase *version = tcase_create("version");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(names, test_names_are_distinct, 0, n);
	tcase_add_loop_test(names, test_strange_number_is_unknown, 0, n);
	tcase_add_test(names, test_names_of_the_contract);
	suite_add_tcase(suite, names);
	tcase_add_test(version, test_version_equal_compares_both);
	suite_add_tcase(suite, version);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_refused.c - what the admin endpoint turned away: each is counted, one a
 * second is told.
 */
#include <check.h>
#include <string.h>

#include "refused.h"

static struct refusals refusals;

static void setup(void)
{
	memset(&refusals, 0, sizeof(refusals));
}

/* Each kind has a name of its own, which is a label of a metric. */
START_TEST(test_names)
{
	int i, j;

	for (i = 0; i < REFUSALS; i++) {
		ck_assert_uint_eq(strspn(refusal_name(i), "abcdefghijklmnop"
					 "qrstuvwxyz"),
				  strlen(refusal_name(i)));
		for (j = 0; j < i; j++)
			ck_assert_str_ne(refusal_name(i), refusal_name(j));
	}
}
END_TEST

/* All are counted, each under its kind. */
START_TEST(test_each_counted)
{
	int i;

	for (i = 0; i < 1000; i++)
		refused_count(&refusals, i % 2 ? REFUSED_HOST : REFUSED_TOKEN,
			      5);
	ck_assert_uint_eq(refusals.counts[REFUSED_HOST], 500);
	ck_assert_uint_eq(refusals.counts[REFUSED_TOKEN], 500);
	ck_assert_uint_eq(refusals.counts[REFUSED_ORIGIN], 0);
}
END_TEST

/* The first is told, and then one a second, of whatever kind. */
START_TEST(test_one_a_second_told)
{
	ck_assert(refused_count(&refusals, REFUSED_HOST, 7000));
	ck_assert(!refused_count(&refusals, REFUSED_HOST, 7000));
	ck_assert(!refused_count(&refusals, REFUSED_ORIGIN, 7999));
	ck_assert(refused_count(&refusals, REFUSED_ORIGIN, 8000));
	ck_assert(!refused_count(&refusals, REFUSED_ORIGIN, 8001));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("refused");
	TCase *tcase = tcase_create("refused");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, test_names);
	tcase_add_test(tcase, test_each_counted);
	tcase_add_test(tcase, test_one_a_second_told);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}

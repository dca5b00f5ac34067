// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_admin_ready.c - when a node is not ready, and when merely degraded.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "admin_route.h"

static struct admin_facts facts;
static struct admin_reasons not_ready, degraded;

static void setup(void)
{
	memset(&facts, 0, sizeof(facts));
	facts.n_keys = 3;
	facts.can_seal = true;
	facts.status.store = STEK_STORE_OK;
	facts.status.n_stores = 2;
	facts.status.stores[0].state = STEK_STORE_OK;
	facts.status.stores[1].state = STEK_STORE_OK;
	facts.status.clock_known = true;
}

static void judge(size_t n_not_ready, size_t n_degraded)
{
	admin_judge(&facts, &not_ready, &degraded);
	ck_assert_uint_eq(not_ready.n, n_not_ready);
	ck_assert_uint_eq(degraded.n, n_degraded);
	/* The other nodes are told the same. */
	ck_assert_int_eq((admin_trouble(&facts) & TROUBLE_NOT_READY) != 0,
			 n_not_ready != 0);
}

/* Nothing is wrong: nothing is said. */
START_TEST(test_judge_finds_nothing)
{
	judge(0, 0);
	facts.status.clock_offset_ms = -500;
	facts.status.clock_spread_ms = 500;
	judge(0, 0);
}
END_TEST

/* REQ-28: past 0.5 s degraded, past what farm time makes up for not ready. */
START_TEST(test_judge_clock_offset)
{
	facts.status.clock_offset_ms = 501;
	judge(0, 1);
	ck_assert_str_eq(degraded.text[0], "clock: off by -0.501 s");
	facts.status.clock_offset_ms = -10000;
	judge(0, 1);
	facts.status.clock_offset_ms = -10001;
	facts.status.clock_error_ms = -1;
	judge(1, 0);
	ck_assert_str_eq(not_ready.text[0], "clock: off by +10.001 s");
	facts.status.clock_offset_ms = 10001;
	judge(1, 0);
	/* What was never measured is not judged. */
	facts.status.clock_known = false;
	judge(0, 0);
}
END_TEST

/* REQ-28: farm time that has not caught up resumes nobody's tickets. */
START_TEST(test_judge_clock_error)
{
	facts.status.clock_offset_ms = 9000;
	facts.status.clock_error_ms = 6000;
	judge(0, 1);
	facts.status.clock_error_ms = 6001;
	judge(1, 0);
	ck_assert_str_eq(not_ready.text[0],
			 "clock: farm time is off by -6.001 s");
	facts.status.clock_error_ms = -6001;
	judge(1, 0);
}
END_TEST

/* Stores whose clocks disagree are told; which is right nobody knows. */
START_TEST(test_judge_clock_spread)
{
	facts.status.clock_spread_ms = 2500;
	judge(0, 1);
	ck_assert_str_eq(degraded.text[0],
			 "clocks of the stores differ by 2.500 s");
}
END_TEST

/* REQ-27: nodes that do not take the ring are told of, here as well. */
START_TEST(test_judge_lagging)
{
	facts.status.lagging = 2;
	judge(0, 1);
	ck_assert_str_eq(degraded.text[0],
			 "2 live node(s) do not take the ring");
}
END_TEST

/* So is another process under this node's name. */
START_TEST(test_judge_same_name)
{
	facts.status.same_name = true;
	judge(0, 1);
	ck_assert_str_eq(degraded.text[0],
			 "another process has this node's name");
}
END_TEST

/* A store that is away is named; all of them away is one line. */
START_TEST(test_judge_stores)
{
	facts.status.stores[1].state = STEK_STORE_REFUSED;
	judge(0, 1);
	ck_assert_str_eq(degraded.text[0], "store 2 not reached");
	facts.status.stores[0].state = STEK_STORE_UNAVAILABLE;
	facts.status.store = STEK_STORE_REFUSED;
	judge(0, 1);
	ck_assert_str_eq(degraded.text[0], "store not reached");
}
END_TEST

/* REQ-33: without a ring a node serves, and says what it lacks. */
START_TEST(test_judge_without_ring)
{
	facts.n_keys = 0;
	facts.can_seal = false;
	facts.status.store = STEK_STORE_CONNECTING;
	facts.status.clock_known = false;
	judge(0, 3);
	ck_assert_str_eq(degraded.text[0], "no ring");
	ck_assert_str_eq(degraded.text[1], "no key may seal");
	ck_assert_str_eq(degraded.text[2], "store not reached");
	facts.draining = true;
	judge(1, 3);
	ck_assert_str_eq(not_ready.text[0], "draining");
}
END_TEST

/* Each trouble has its bit, and only that. */
START_TEST(test_trouble)
{
	ck_assert_uint_eq(admin_trouble(&facts), 0);
	facts.draining = true;
	ck_assert_uint_eq(admin_trouble(&facts), 1u << TROUBLE_DRAINING);
	setup();
	facts.status.clock_error_ms = -6001;
	ck_assert_uint_eq(admin_trouble(&facts), 1u << TROUBLE_CLOCK);
	setup();
	facts.n_keys = 0;
	ck_assert_uint_eq(admin_trouble(&facts), 1u << TROUBLE_NO_RING);
	setup();
	facts.can_seal = false;
	ck_assert_uint_eq(admin_trouble(&facts), 1u << TROUBLE_NO_KEY);
	setup();
	facts.status.stores[1].state = STEK_STORE_REFUSED;
	ck_assert_uint_eq(admin_trouble(&facts), 1u << TROUBLE_STORE);
	setup();
	facts.status.lagging = 2;
	ck_assert_uint_eq(admin_trouble(&facts), 1u << TROUBLE_LAGGING);
	setup();
	facts.status.same_name = true;
	ck_assert_uint_eq(admin_trouble(&facts), 1u << TROUBLE_NAME);
	for (int i = 0; i < TROUBLES; i++)
		for (int j = 0; j < i; j++)
			ck_assert_str_ne(trouble_name(i), trouble_name(j));
	ck_assert_str_eq(trouble_name(TROUBLES), "unknown");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("admin_ready");
	TCase *tcase = tcase_create("judge");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, test_judge_finds_nothing);
	tcase_add_test(tcase, test_trouble);
	tcase_add_test(tcase, test_judge_clock_offset);
	tcase_add_test(tcase, test_judge_clock_error);
	tcase_add_test(tcase, test_judge_clock_spread);
	tcase_add_test(tcase, test_judge_stores);
	tcase_add_test(tcase, test_judge_lagging);
	tcase_add_test(tcase, test_judge_same_name);
	tcase_add_test(tcase, test_judge_without_ring);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_world.c - short lives of the simulated world of simworld.h: the rules
 * hold, and a seed tells the same story twice. keys_1_world.sh runs the long
 * ones, and proves that the rules find faults.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "simworld.h"

#define STEPS 4000

/* However the world treats a farm, every rule holds after every step. */
START_TEST(test_world_breaks_no_rule)
{
	struct world *world = calloc(1, sizeof(*world));

	ck_assert_ptr_nonnull(world);
	ck_assert_msg(!world_run(world, (uint64_t)_i, STEPS, false), "%s",
		      world->failure);
	ck_assert_uint_eq(world->step, STEPS);
	ck_assert_uint_gt(world->sum.faults, 0);
	ck_assert_uint_gt(world->sum.opened, 0);
	free(world);
}
END_TEST

/* A failing seed can be run again: the same seed, the same history. */
START_TEST(test_world_is_replayable)
{
	struct world *first = calloc(1, sizeof(*first));
	struct world *again = calloc(1, sizeof(*again));
	struct world *other = calloc(1, sizeof(*other));

	ck_assert(first && again && other);
	ck_assert_int_eq(world_run(first, 7, STEPS, false), 0);
	ck_assert_int_eq(world_run(other, 8, STEPS, false), 0);
	ck_assert_int_eq(world_run(again, 7, STEPS, false), 0);
	ck_assert_mem_eq(&first->sum, &again->sum, sizeof(first->sum));
	ck_assert_int_eq(first->now_ms, again->now_ms);
	ck_assert_uint_eq(first->rng, again->rng);
	ck_assert_uint_ne(first->rng, other->rng);
	free(first);
	free(again);
	free(other);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("world");
	TCase *tcase = tcase_create("world");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, test_world_breaks_no_rule, 101, 107);
	tcase_add_test(tcase, test_world_is_replayable);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_pace.c - farm time against the store's clock: stepped once, slewed
 * after that, capped, and not moved by one wild measurement.
 */
#include "simthree.h"

/* Farm time follows the store's, stepping once and then slewing, to a cap. */
START_TEST(test_clock)
{
	struct stek_farm *farm = sim->nodes[0].farm;
	int64_t last_ms, now_ms, until_ms;
	struct stek_status status;

	sim->stores[0].skew_ms = 3000;
	sim_run(sim, 2 * SEC);
	ck_assert_int_eq(stek_farm_now_ms(farm), sim->now_ms + 3000);
	sim_status(sim, 0, &status);
	ck_assert(status.clock_known && status.clock_offset_ms == 3000.0);
	ck_assert_uint_eq(sim->nodes[0].events[STEK_EVENT_CLOCK], 1);
	sim->stores[0].skew_ms = -60000;
	last_ms = stek_farm_now_ms(farm);
	for (until_ms = sim->now_ms + 300 * SEC; sim->now_ms < until_ms;) {
		sim_run(sim, SEC);
		now_ms = stek_farm_now_ms(farm);
		ck_assert_int_gt(now_ms, last_ms);
		last_ms = now_ms;
	}
	ck_assert_int_eq(stek_farm_now_ms(farm), sim->now_ms - 10000);
	ck_assert_uint_eq(sim->nodes[0].events[STEK_EVENT_CLOCK], 1);
}
END_TEST

/* One wild measurement moves nothing: the median rules. */
START_TEST(test_clock_median)
{
	sim_run(sim, 10 * SEC);
	sim->stores[0].skew_ms = 9000;
	sim_run(sim, 2 * SEC);
	sim->stores[0].skew_ms = 0;
	sim_run(sim, 20 * SEC);
	ck_assert_int_eq(stek_farm_now_ms(sim->nodes[0].farm), sim->now_ms);
	ck_assert_uint_eq(sim->nodes[0].events[STEK_EVENT_CLOCK], 0);
}
END_TEST

static void assert_whole(const struct stek_ring *ring)
{
	ck_assert(!stek__ring_lacks(ring, NULL, sim->now_ms));
}

static void assert_store_whole(void)
{
	struct stek_ring *stored = sim_stored(sim, &sim->stores[0]);

	assert_whole(stored);
	stek__ring_unref(stored);
}

/*
 * A node's clock runs far ahead for a while: it takes every key for expired and
 * wipes its secret, but never the store's copy. When the clock is right again
 * the node fetches what it wiped, and nobody needs a new key.
 */
START_TEST(test_clock_jump)
{
	static const int64_t jumped_ms[] = { SEC, 20 * SEC, 150 * SEC };
	struct stek_command *command;
	size_t i, publishes;

	sim_run(sim, 10 * SEC);
	sim->nodes[0].skew_ms = 20 * 3600 * SEC;
	sim_run(sim, jumped_ms[_i]);
	assert_store_whole();
	publishes = sim->stores[0].publishes;
	sim->nodes[0].skew_ms = 0;
	sim_run(sim, 30 * SEC);
	ck_assert_uint_eq(sim->stores[0].publishes, publishes);
	sim_assert_same(sim);
	sim_assert_open(sim);
	for (i = 0; i < sim->n; i++)
		assert_whole(sim_ring(sim, i));
	command = sim_rotate(sim, 0, true, NULL);
	sim_await(sim, command, 20 * SEC);
	ck_assert_int_eq(command->result, 0);
	stek__command_free(command);
	assert_store_whole();
}
END_TEST

/* Such a node's write may lack secrets; whoever holds them puts them back. */
START_TEST(test_hollow_document_is_filled)
{
	struct stek_key *bare[STEK_RING_KEYS_MAX];
	struct stek_ring *ring = NULL;
	size_t i, n;

	sim_run(sim, 5 * SEC);
	n = sim_ring(sim, 0)->n_keys;
	for (i = 0; i < n; i++)
		ck_assert_int_eq(stek__key_without_secret(&bare[i],
				 sim_ring(sim, 0)->keys[i]), 0);
	ck_assert_int_eq(stek__ring_new(&ring,
				sim_ring(sim, 0)->version.epoch + 1, bare, n,
				NULL, 0, 0), 0);
	sim_plant(sim, &sim->stores[0], ring);
	stek__ring_unref(ring);
	for (i = 0; i < n; i++)
		stek__key_unref(bare[i]);
	sim_run(sim, 3 * SEC);
	assert_store_whole();
	sim_assert_same(sim);
	sim_assert_open(sim);
}
END_TEST

/* REQ-28: what the cap leaves is told, as is what is not yet caught up. */
START_TEST(test_clock_error)
{
	struct stek_status status;

	sim->nodes[1].skew_ms = 12000;
	sim_run(sim, 2 * SEC);
	sim_status(sim, 0, &status);
	ck_assert(status.clock_offset_ms == 0.0);
	ck_assert(status.clock_error_ms == 0.0);
	sim_status(sim, 1, &status);
	ck_assert(status.clock_offset_ms == -12000.0);
	ck_assert(status.clock_error_ms == -2000.0);
	ck_assert_int_eq(stek_farm_now_ms(sim->nodes[1].farm),
			 sim->now_ms + 2000);
	/* A clock set by 9 s at run time: farm time catches up slowly. */
	sim->nodes[0].skew_ms = 9000;
	sim_run(sim, 8 * SEC);
	sim_status(sim, 0, &status);
	ck_assert(status.clock_offset_ms == -9000.0);
	ck_assert(status.clock_error_ms < -8000.0);
	sim_run(sim, 180 * SEC);
	sim_status(sim, 0, &status);
	ck_assert(status.clock_error_ms == 0.0);
	ck_assert_int_eq(stek_farm_now_ms(sim->nodes[0].farm), sim->now_ms);
}
END_TEST

/* The alarm is raised once, past 0.5 s, and again only after calm. */
START_TEST(test_clock_alarm)
{
	unsigned *alarms = &sim->nodes[0].events[STEK_EVENT_CLOCK];

	sim->stores[0].skew_ms = 500;
	sim_run(sim, 20 * SEC);
	ck_assert_uint_eq(*alarms, 0);
	sim->stores[0].skew_ms = 501;
	sim_run(sim, 20 * SEC);
	ck_assert_uint_eq(*alarms, 1);
	sim->stores[0].skew_ms = 450;
	sim_run(sim, 20 * SEC);
	sim->stores[0].skew_ms = 600;
	sim_run(sim, 20 * SEC);
	ck_assert_uint_eq(*alarms, 1);
	sim->stores[0].skew_ms = 300;
	sim_run(sim, 20 * SEC);
	sim->stores[0].skew_ms = 600;
	sim_run(sim, 20 * SEC);
	ck_assert_uint_eq(*alarms, 2);
}
END_TEST

/* After an outage the samples of before say nothing: the clock may be set. */
START_TEST(test_old_samples_are_dropped)
{
	struct stek_status status;

	sim_run(sim, 20 * SEC);
	sim->stores[0].answer = STEK_EUNAVAILABLE;
	sim_run(sim, 3600 * SEC);
	sim_status(sim, 0, &status);
	ck_assert(status.clock_known && status.clock_offset_ms == 0.0);
	sim->nodes[0].skew_ms = 2000;
	sim->stores[0].answer = 0;
	sim_run(sim, 4 * SEC);
	sim_status(sim, 0, &status);
	ck_assert(status.clock_offset_ms == -2000.0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pace");
	TCase *farm = tcase_create("farm");
	SRunner *runner;
	int failed;

	tcase_set_timeout(farm, 60);
	tcase_add_checked_fixture(farm, begin_three, end);
	tcase_add_test(farm, test_clock);
	tcase_add_test(farm, test_clock_median);
	tcase_add_loop_test(farm, test_clock_jump, 0, 3);
	tcase_add_test(farm, test_hollow_document_is_filled);
	tcase_add_test(farm, test_clock_error);
	tcase_add_test(farm, test_clock_alarm);
	tcase_add_test(farm, test_old_samples_are_dropped);
	suite_add_tcase(suite, farm);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

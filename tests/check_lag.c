// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_lag.c - REQ-27: scheduled keys are out two periods before they seal, so
 * a node that heard nothing for 11 hours still opens every ticket and has its
 * own opened; and a node that beats but does not take the ring is told of.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "simfarm.h"

#define SEC 1000LL
#define MINUTE (60 * SEC)
#define HOUR (60 * MINUTE)
#define LATE 15		/* the node that lags */

static struct sim *sim;

static void begin(void)
{
	sim = calloc(1, sizeof(*sim));
	ck_assert_ptr_nonnull(sim);
	sim->policy.beat_ms = 10 * SEC;
	sim_begin(sim, 16);
	sim_run(sim, 5 * MINUTE);
	sim_assert_same(sim);
}

static void end(void)
{
	sim_end(sim);
	free(sim);
}

static bool opens(size_t i, const struct stek_key *key)
{
	const struct stek_farm *farm = sim->nodes[i].farm;
	const struct stek_ring *ring = sim_ring(sim, i);
	const struct stek_key *held = stek__ring_find(ring, key->id);

	return held && held->secret &&
	       stek__schedule_state(ring, &farm->policy, held,
				    stek_farm_now_ms(farm)) < STEK_REVOKED;
}

/* Of the late node's tickets and of everybody's at the late node. */
static unsigned refusals(void)
{
	const struct stek_key *key;
	unsigned n = 0;
	size_t i;

	for (i = 0; i < sim->n; i++) {
		key = sim_sealing(sim, i);
		n += key && !opens(LATE, key);
		key = sim_sealing(sim, LATE);
		n += key && !opens(i, key);
	}
	return n;
}

static unsigned run_and_count(int64_t ms)
{
	int64_t until_ms = sim->now_ms + ms;
	unsigned n = 0;

	while (sim->now_ms < until_ms) {
		sim_run(sim, 30 * SEC);
		n += refusals();
	}
	return n;
}

/* The next activation, at which the key two slots ahead is published. */
static int64_t next_slot_ms(void)
{
	const struct stek_ring *ring = sim_ring(sim, 0);
	int64_t next_ms = INT64_MAX;
	size_t i;

	for (i = 0; i < ring->n_keys; i++) {
		if (ring->keys[i]->activate_at_ms > sim->now_ms &&
		    ring->keys[i]->activate_at_ms < next_ms)
			next_ms = ring->keys[i]->activate_at_ms;
	}
	return next_ms;
}

/* The node falls silent just before a key is published. */
static void miss_publication(void)
{
	size_t publishes;

	sim_run(sim, next_slot_ms() - SEC - sim->now_ms);
	sim_assert_same(sim);
	publishes = sim->stores[0].publishes;
	sim->nodes[LATE].frozen = true;
	sim_run(sim, MINUTE);
	ck_assert_uint_gt(sim->stores[0].publishes, publishes);
}

static unsigned events(enum stek_event_kind kind)
{
	unsigned sum = 0;
	size_t i;

	for (i = 0; i < sim->n; i++)
		sum += sim->nodes[i].events[kind];
	return sum;
}

static uint32_t lagging(size_t i)
{
	struct stek_status status;

	sim_status(sim, i, &status);
	return status.lagging;
}

/* It beats on, but what it holds stays what it was. */
static void run_beating(int64_t ms)
{
	struct sim_store *store = &sim->stores[0];
	int64_t until_ms = sim->now_ms + ms;
	size_t i;

	while (sim->now_ms < until_ms) {
		sim_run(sim, 10 * SEC);
		for (i = 0; i < store->n_members; i++) {
			if (!strcmp(store->members[i].name,
				    sim->nodes[LATE].name))
				store->members[i].seen_at_ms = sim->now_ms;
		}
	}
}

/* REQ-27: 11 h without a poll, from the worst moment on: nothing is refused. */
START_TEST(test_node_11_h_late_refuses_nothing)
{
	uint8_t before[STEK_ID_LEN];

	miss_publication();
	memcpy(before, sim_sealing(sim, 0)->id, STEK_ID_LEN);
	ck_assert_uint_eq(run_and_count(11 * HOUR), 0);
	/* Keys did change in that time, and do when it is back. */
	ck_assert_mem_ne(sim_sealing(sim, 0)->id, before, STEK_ID_LEN);
	sim->nodes[LATE].frozen = false;
	sim->nodes[LATE].due_ms = 0;
	ck_assert_uint_eq(run_and_count(14 * HOUR), 0);
	sim_assert_same(sim);
	/* Without a beat it was not live, so nobody waited for it. */
	ck_assert_uint_eq(events(STEK_EVENT_LAGGING), 0);
}
END_TEST

/* The control: past what is published ahead there are refusals. */
START_TEST(test_node_25_h_late_refuses)
{
	miss_publication();
	ck_assert_uint_eq(run_and_count(11 * HOUR), 0);
	ck_assert_uint_gt(run_and_count(14 * HOUR), 0);
}
END_TEST

/* REQ-27: it beats but does not acknowledge: all others tell, once and early. */
START_TEST(test_live_node_that_lags_is_told_of)
{
	size_t i;

	miss_publication();
	run_beating(25 * MINUTE);
	for (i = 0; i < LATE; i++) {
		ck_assert_uint_eq(sim->nodes[i].events[STEK_EVENT_LAGGING], 1);
		ck_assert_uint_eq(lagging(i), 1);
	}
	run_beating(4 * HOUR);
	ck_assert_uint_eq(events(STEK_EVENT_LAGGING), LATE);
	sim->nodes[LATE].frozen = false;
	sim->nodes[LATE].due_ms = 0;
	sim_run(sim, 25 * MINUTE);
	for (i = 0; i < sim->n; i++)
		ck_assert_uint_eq(lagging(i), 0);
	ck_assert_uint_eq(events(STEK_EVENT_LAGGING), LATE);
}
END_TEST

/* As the late node would beat if it held another ring of the farm's epoch. */
static void beat_otherwise(void)
{
	struct sim_store *store = &sim->stores[0];
	const struct stek_farm *late = sim->nodes[LATE].farm;
	struct stek_beat beat = { .node_id = late->node_id,
				  .version = sim_ring(sim, 0)->version };
	size_t i, len = 0;

	beat.version.digest[0] ^= 1;
	for (i = 0; i < store->n_members; i++) {
		if (strcmp(store->members[i].name, sim->nodes[LATE].name))
			continue;
		ck_assert_int_eq(stek__beat_seal(store->members[i].data, &len,
						 late->farm_keys, late->name,
						 late->node, &beat), 0);
		store->members[i].len = len;
	}
	ck_assert_uint_gt(len, 0);
}

/* Equal epochs alone are not one ring. */
START_TEST(test_other_ring_of_the_same_epoch_lags)
{
	size_t i;

	miss_publication();
	beat_otherwise();
	run_beating(25 * MINUTE);
	for (i = 0; i < LATE; i++)
		ck_assert_uint_eq(lagging(i), 1);
}
END_TEST

/* A farm in order raises no alarm, whatever is rotated, in 13 h. */
START_TEST(test_farm_in_order_is_quiet)
{
	struct stek_command *command;
	int hour;

	for (hour = 0; hour < 13; hour++) {
		sim_run(sim, HOUR);
		command = sim_rotate(sim, (size_t)hour % 16, false, NULL);
		sim_await(sim, command, MINUTE);
		ck_assert_int_eq(command->result, 0);
		stek__command_free(command);
	}
	ck_assert_uint_eq(events(STEK_EVENT_LAGGING), 0);
	/* A store that lost all and its members raises none either. */
	sim->stores[0].has_ring = false;
	sim->stores[0].n_members = 0;
	sim_run(sim, HOUR);
	ck_assert_uint_eq(events(STEK_EVENT_LAGGING), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lag");
	TCase *farm = tcase_create("farm");
	SRunner *runner;
	int failed;

	tcase_set_timeout(farm, 120);
	tcase_add_checked_fixture(farm, begin, end);
	tcase_add_test(farm, test_node_11_h_late_refuses_nothing);
	tcase_add_test(farm, test_node_25_h_late_refuses);
	tcase_add_test(farm, test_live_node_that_lags_is_told_of);
	tcase_add_test(farm, test_other_ring_of_the_same_epoch_lags);
	tcase_add_test(farm, test_farm_in_order_is_quiet);
	suite_add_tcase(suite, farm);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

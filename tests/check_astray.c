// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_astray.c - a machine whose clock is wrong beyond what farm time makes
 * up for: it makes no keys and deletes none, while the farm goes on.
 */
#include "simchange.h"

#define DAY (24 * HOUR)
#define PERIOD (6 * HOUR)

/* Keys of the running slot and the two after it by `now_ms`, and no others. */
static void assert_three_slots(int64_t now_ms)
{
	struct stek_ring *stored = sim_stored(sim, &sim->stores[0]);
	int64_t slot = now_ms - now_ms % PERIOD;
	size_t i;

	sim_assert_same(sim);
	ck_assert_uint_eq(stored->n_keys, 3);
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(stored->keys[i]->activate_at_ms,
				 slot + (int64_t)i * PERIOD);
	stek__ring_unref(stored);
}

/*
 * A day ahead or behind, found so at the start or set so at run time: then the
 * node wakes before its next exchange could tell.
 */
START_TEST(test_one_clock)
{
	const int64_t skews[] = { DAY, -DAY, 10 * DAY, 11 * SEC, -11 * SEC };
	int64_t skew_ms = skews[_i / 2];
	size_t publishes;

	if (_i % 2)
		sim_run(sim, 3 * SEC + 50);
	sim->nodes[2].skew_ms = skew_ms;
	sim->nodes[2].due_ms = sim->now_ms;
	sim_run(sim, 20 * SEC);
	assert_three_slots(sim->now_ms);
	/* Nobody writes over and over what another takes away. */
	publishes = sim->stores[0].publishes;
	sim_run(sim, 300 * SEC);
	ck_assert_uint_eq(sim->stores[0].publishes, publishes);
	assert_three_slots(sim->now_ms);
	ck_assert(sim->nodes[2].farm->sync->astray);
	ck_assert(!sim->nodes[0].farm->sync->astray);
	ck_assert_uint_ge(sim->nodes[2].events[STEK_EVENT_CLOCK], 1);
	ck_assert_uint_le(sim->nodes[2].events[STEK_EVENT_CLOCK], 2);
}
END_TEST

/* Within the cap farm time makes up for it, and the node does its part. */
START_TEST(test_within_the_cap)
{
	sim->nodes[0].frozen = sim->nodes[1].frozen = true;
	sim->nodes[2].skew_ms = _i ? -10 * SEC : 10 * SEC;
	sim_run(sim, 10 * SEC);
	ck_assert(!sim->nodes[2].farm->sync->astray);
	ck_assert_uint_eq(sim_ring(sim, 2)->n_keys, 3);
}
END_TEST

/* All nodes see the store a day off: it is wrong, and keys go on. */
START_TEST(test_the_stores_clock)
{
	sim->stores[0].skew_ms = _i ? -DAY : DAY;
	sim_run(sim, 20 * SEC);
	assert_three_slots(stek_farm_now_ms(sim->nodes[0].farm));
	ck_assert(sim_sealing(sim, 0) && !sim->nodes[0].farm->sync->astray);
	sim_run(sim, PERIOD);
	ck_assert_ptr_nonnull(sim_sealing(sim, 2));
	ck_assert_int_eq(sim_ring(sim, 0)->keys[0]->activate_at_ms + 3 * PERIOD,
			 sim_ring(sim, 0)->keys[3]->activate_at_ms);
}
END_TEST

/*
 * One of two stores is far off, whichever place it has in the nodes' lists:
 * that is no node's fault, and keys go on.
 */
START_TEST(test_one_stores_clock)
{
	const int64_t skews[] = { HOUR, -HOUR, 30 * SEC };
	size_t i;

	sim->stores[1].skew_ms = skews[_i / 2];
	for (i = 0; i < sim->n; i++) {
		sim_close(sim, i);
		sim->nodes[i].store = &sim->stores[_i % 2];
		sim->nodes[i].second = &sim->stores[1 - _i % 2];
		sim_open(sim, i);
	}
	sim_run(sim, 60 * SEC);
	assert_three_slots(stek_farm_now_ms(sim->nodes[0].farm));
	for (i = 0; i < 50; i++) {
		sim_run(sim, SEC);
		ck_assert(!sim->nodes[i % 3].farm->sync->astray);
	}
	sim_run(sim, PERIOD);
	sim_assert_same(sim);
	ck_assert_uint_eq(sim_ring(sim, 0)->n_keys, 4);
	ck_assert_ptr_nonnull(sim_sealing(sim, 0));
	/* Nor does it hide a node that is off itself. */
	sim->nodes[2].skew_ms = DAY;
	sim_run(sim, 60 * SEC);
	ck_assert(sim->nodes[2].farm->sync->astray);
	ck_assert(!sim->nodes[0].farm->sync->astray);
	ck_assert_uint_eq(sim_ring(sim, 0)->n_keys, 4);
}
END_TEST

/* The others cannot be read at first: till then nobody says it is right. */
START_TEST(test_look_fails)
{
	unsigned call;

	sim_run(sim, 3 * SEC + 50);
	for (call = 2; call < 6; call++) {
		sim->nodes[2].skew_ms = DAY;
		sim->nodes[2].due_ms = sim->now_ms;
		sim->nodes[2].fail_call = call;
		sim_run(sim, 5 * SEC);
		assert_three_slots(sim->now_ms);
		sim->nodes[2].skew_ms = 0;
		sim_run(sim, 20 * SEC);
	}
}
END_TEST

/* Without anybody to compare with, one goes by one's own clock. */
START_TEST(test_alone)
{
	sim->nodes[0].frozen = sim->nodes[1].frozen = true;
	sim->nodes[2].skew_ms = DAY;
	sim_run(sim, 10 * SEC);
	ck_assert_uint_eq(sim_ring(sim, 2)->n_keys, 3);
	ck_assert_ptr_nonnull(sim_sealing(sim, 2));
	/* And no more than that when others are there, and differ. */
	sim->nodes[0].frozen = sim->nodes[1].frozen = false;
	sim_run(sim, 20 * SEC);
	sim_assert_same(sim);
	ck_assert_uint_eq(sim_ring(sim, 2)->n_keys, 6);
	sim_run(sim, PERIOD);
	ck_assert_uint_eq(sim_ring(sim, 2)->n_keys, 7);
}
END_TEST

/* Nodes that are gone say nothing about the time. */
START_TEST(test_the_dead_do_not_count)
{
	sim_run(sim, 3 * SEC);
	sim->nodes[0].frozen = sim->nodes[1].frozen = true;
	sim_run(sim, 10 * SEC);
	sim->nodes[2].skew_ms = DAY;
	sim_run(sim, 60 * SEC);
	ck_assert(!sim->nodes[2].farm->sync->astray);
}
END_TEST

/* A look that failed is made up for at once, not after ten beats. */
START_TEST(test_looks_again_at_once)
{
	unsigned call, second, row, most = 0;

	sim->stores[0].skew_ms = DAY;
	sim_run(sim, 30 * SEC);
	for (call = 1; call < 14; call++) {
		ck_assert(!sim->nodes[2].farm->sync->astray);
		sim->nodes[2].fail_call = call;
		for (second = row = 0; second < 20; second++) {
			sim_run(sim, SEC);
			row = sim->nodes[2].farm->sync->astray ? row + 1 : 0;
			most = row > most ? row : most;
		}
	}
	ck_assert_uint_ge(most, 1);
	ck_assert_uint_le(most, 3);
}
END_TEST

/* Put right again, it makes keys. */
START_TEST(test_put_right)
{
	sim->nodes[2].skew_ms = DAY;
	sim_run(sim, 20 * SEC);
	ck_assert(sim->nodes[2].farm->sync->astray);
	sim->nodes[2].skew_ms = 0;
	sim_run(sim, 600 * SEC);
	ck_assert(!sim->nodes[2].farm->sync->astray);
	sim->nodes[0].frozen = sim->nodes[1].frozen = true;
	sim_run(sim, PERIOD);
	ck_assert_uint_eq(sim_ring(sim, 2)->n_keys, 4);
}
END_TEST

/* It rotates nothing, not even when forced, and says why. */
START_TEST(test_rotate)
{
	struct stek_command *command;

	sim->nodes[2].skew_ms = HOUR;
	sim_run(sim, 20 * SEC);
	command = sim_rotate(sim, 2, _i == 1, NULL);
	sim_await(sim, command, 5 * SEC);
	ck_assert_int_eq(command->result, STEK_EUNAVAILABLE);
	ck_assert(!command->change.published);
	ck_assert_ptr_nonnull(strstr(command->change.detail, "clock"));
	assert_three_slots(sim->now_ms);
	stek__command_free(command);
	command = sim_rotate(sim, 0, false, NULL);
	sim_await(sim, command, 5 * SEC);
	ck_assert_int_eq(command->result, 0);
	ck_assert(ack_of(command, "node-2")->acknowledged);
	stek__command_free(command);
}
END_TEST

/* Not in the moment after its clock was set either, unless by a little. */
START_TEST(test_rotate_at_once)
{
	struct stek_command *command;

	sim_run(sim, 5 * SEC + 500);
	sim->nodes[2].skew_ms = _i ? 10 * SEC : -10 * SEC - 1;
	command = sim_rotate(sim, 2, false, NULL);
	sim_await(sim, command, 5 * SEC);
	ck_assert_int_eq(command->result, _i ? 0 : STEK_EUNAVAILABLE);
	stek__command_free(command);
}
END_TEST

/* What it writes still has all that has expired by its clock alone. */
START_TEST(test_revoke_deletes_nothing)
{
	struct stek_command *command;
	size_t i;

	sim->nodes[2].skew_ms = 10 * DAY;
	sim_run(sim, 20 * SEC);
	command = sim_revoke(sim, 2, false, sim_ring(sim, 0)->keys[1]->id);
	sim_await(sim, command, 5 * SEC);
	ck_assert_int_eq(command->result, 0);
	ck_assert_uint_eq(command->change.n_revoked, 1);
	sim_run(sim, 5 * SEC);
	sim_assert_same(sim);
	for (i = 0; i < 2; i++)
		ck_assert_int_eq(state_at(i, command->change.revoked_ids[0]),
				 STEK_REVOKED);
	for (i = 0; i < sim->n; i++)
		ck_assert_uint_eq(sim->nodes[i].events[STEK_EVENT_RESTORED],
				  0);
	stek__command_free(command);
}
END_TEST

/* But it revokes, and the others make the new keys by their clocks. */
START_TEST(test_revoke)
{
	struct stek_command *command;
	size_t i;

	sim->nodes[2].skew_ms = HOUR;
	sim_run(sim, 20 * SEC);
	command = sim_revoke(sim, 2, true, NULL);
	sim_await(sim, command, 5 * SEC);
	ck_assert_int_eq(command->result, 0);
	ck_assert_uint_eq(command->change.n_revoked, 3);
	sim_run(sim, 5 * SEC);
	sim_assert_same(sim);
	ck_assert_ptr_nonnull(sim_sealing(sim, 0));
	for (i = 0; i < sim_ring(sim, 0)->n_keys; i++) {
		const struct stek_key *key = sim_ring(sim, 0)->keys[i];

		ck_assert(stek__ring_revoked_at(sim_ring(sim, 0), key) ||
			  strcmp(key->made_by, "node-2"));
		ck_assert_int_lt(key->activate_at_ms,
				 sim->now_ms + 2 * PERIOD);
	}
	stek__command_free(command);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("astray");
	TCase *tcase = tcase_create("clock");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, begin_three, end);
	tcase_add_loop_test(tcase, test_one_clock, 0, 10);
	tcase_add_loop_test(tcase, test_within_the_cap, 0, 2);
	tcase_add_loop_test(tcase, test_the_stores_clock, 0, 2);
	tcase_add_loop_test(tcase, test_one_stores_clock, 0, 6);
	tcase_add_test(tcase, test_look_fails);
	tcase_add_test(tcase, test_alone);
	tcase_add_test(tcase, test_the_dead_do_not_count);
	tcase_add_test(tcase, test_looks_again_at_once);
	tcase_add_test(tcase, test_put_right);
	tcase_add_loop_test(tcase, test_rotate, 0, 2);
	tcase_add_loop_test(tcase, test_rotate_at_once, 0, 2);
	tcase_add_test(tcase, test_revoke);
	tcase_add_test(tcase, test_revoke_deletes_nothing);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_rotate.c - rotation in the simulated farm: who must acknowledge, what
 * is taken back when a node lags, and what is refused.
 */
#include "simchange.h"

/* All nodes acknowledge within moments; the key is active 5 s later. */
START_TEST(test_rotate)
{
	struct stek_command *command;
	int64_t before_ms = sim->now_ms;
	size_t i;

	sim->check = true;
	command = sim_rotate(sim, 1, false, NULL);
	sim_await(sim, command, 5 * SEC);
	ck_assert_int_eq(command->result, 0);
	ck_assert_int_lt(sim->now_ms - before_ms, 100);
	ck_assert(command->change.published);
	ck_assert_uint_eq(command->change.n_acks, 3);
	for (i = 0; i < 3; i++)
		ck_assert(command->change.acks[i].acknowledged);
	ck_assert_int_eq(command->change.activate_at_ms, before_ms + 5000);
	assert_state(command->change.key_id, STEK_PENDING);
	sim_run(sim, before_ms + 4999 - sim->now_ms);
	assert_state(command->change.key_id, STEK_PENDING);
	sim_run(sim, 1);
	assert_state(command->change.key_id, STEK_ACTIVE);
	ck_assert_uint_eq(sim->stores[0].n_audit, 1);
	ck_assert_ptr_nonnull(strstr(sim->stores[0].audit[0],
				     "\"action\":\"rotate\""));
	ck_assert_ptr_nonnull(strstr(sim->stores[0].audit[0],
				     "\"who\":\"test \\\"quoted\\\"\""));
	ck_assert_ptr_nonnull(strstr(sim->stores[0].audit[0],
				     "\"live\":3,\"acknowledged\":3"));
	stek__command_free(command);
}
END_TEST

/* A live node that lags: the key is taken back before it was ever used. */
START_TEST(test_rotate_with_lagging_node)
{
	const uint8_t *id;
	struct stek_command *command;
	const struct stek_key *before = sim_sealing(sim, 0);
	int64_t began_ms = sim->now_ms;

	silence();
	command = sim_rotate(sim, 0, false, NULL);
	sim_await(sim, command, 5 * SEC);
	ck_assert_int_eq(command->result, STEK_ETIMEOUT);
	ck_assert_int_ge(sim->now_ms - began_ms, 2500);
	ck_assert_int_lt(sim->now_ms - began_ms, 3000);
	ck_assert(ack_of(command, "node-0")->acknowledged);
	ck_assert(ack_of(command, "node-1")->acknowledged);
	ck_assert(!ack_of(command, "node-2")->acknowledged);
	ck_assert_ptr_nonnull(strstr(command->change.detail, "node-2"));
	id = command->change.key_id;
	sim->nodes[2].frozen = false;
	sim_run(sim, 10 * SEC);
	sim_assert_same(sim);
	assert_state(id, STEK_REVOKED);
	/* As if it had never been made: the former key goes on sealing. */
	ck_assert_mem_eq(sim_sealing(sim, 1)->id, before->id, STEK_ID_LEN);
	stek__command_free(command);
	/* And the next attempt is not held back by the rate limit. */
	command = sim_rotate(sim, 0, false, NULL);
	sim_await(sim, command, 5 * SEC);
	ck_assert_int_eq(command->result, 0);
	stek__command_free(command);
}
END_TEST

/* The ring that `from` is, as if it had been written `by` epochs later. */
static void plant_later(const struct stek_ring *from, uint64_t by)
{
	struct stek_ring *later = NULL;

	ck_assert_int_eq(stek__ring_new(&later, from->version.epoch + by,
					from->keys, from->n_keys,
					from->tombstones, from->n_tombstones,
					from->revoked_before_ms), 0);
	sim_plant(sim, &sim->stores[0], later);
	stek__ring_unref(later);
}

/*
 * The store forgets the write that it answered, and the others go on without
 * the key, under greater epochs: none of that acknowledges it.
 */
START_TEST(test_rotate_write_is_lost)
{
	struct stek_ring *before = stek__ring_ref(sim_ring(sim, 0));
	struct stek_command *command;
	const uint8_t *id;
	size_t i;

	sim->nodes[1].frozen = sim->nodes[2].frozen = true;
	command = sim_rotate(sim, 0, false, NULL);
	sim_run(sim, 50);
	ck_assert(command->change.published && !command->done);
	id = command->change.key_id;
	plant_later(before, 5);
	stek__ring_unref(before);
	for (i = 1; i < 3; i++) {
		sim->nodes[i].frozen = false;
		sim->nodes[i].hint = true;
	}
	sim_run(sim, 300);
	for (i = 1; i < 3; i++) {
		ck_assert_uint_gt(sim_ring(sim, i)->version.epoch,
				  command->change.version.epoch);
		ck_assert_ptr_null(stek__ring_find(sim_ring(sim, i), id));
	}
	ck_assert(!command->done);
	/* With its next heartbeat the node puts the key back. */
	sim_await(sim, command, 5 * SEC);
	ck_assert_int_eq(command->result, 0);
	ck_assert_uint_eq(command->change.n_acks, 3);
	assert_state(id, STEK_PENDING);
	stek__command_free(command);
}
END_TEST

/* Written over by others' changes that hold it too, it is acknowledged. */
START_TEST(test_rotate_among_other_changes)
{
	struct stek_command *command;

	sim->nodes[2].frozen = true;
	command = sim_rotate(sim, 0, false, NULL);
	sim_run(sim, 50);
	ck_assert(!command->done);
	ck_assert(ack_of(command, "node-1")->acknowledged);
	plant_later(sim_ring(sim, 0), 3);
	sim->nodes[0].hint = sim->nodes[1].hint = true;
	sim_run(sim, 50);
	sim->nodes[2].frozen = false;
	sim->nodes[2].hint = true;
	sim_await(sim, command, SEC);
	ck_assert_int_eq(command->result, 0);
	ck_assert_uint_gt(sim_ring(sim, 2)->version.epoch,
			  command->change.version.epoch);
	assert_state(command->change.key_id, STEK_PENDING);
	stek__command_free(command);
}
END_TEST

/* Forced, the same rotation stands and says who was late. */
START_TEST(test_rotate_forced)
{
	struct stek_command *command;

	silence();
	command = sim_rotate(sim, 0, true, NULL);
	sim_await(sim, command, 5 * SEC);
	ck_assert_int_eq(command->result, 0);
	ck_assert(!ack_of(command, "node-2")->acknowledged);
	sim->nodes[2].frozen = false;
	sim_run(sim, 10 * SEC);
	assert_state(command->change.key_id, STEK_ACTIVE);
	stek__command_free(command);
}
END_TEST

/* A node whose heartbeat is old is dead and not waited for. */
START_TEST(test_rotate_without_dead_node)
{
	struct stek_command *command;

	sim->nodes[2].frozen = true;
	sim_run(sim, 4 * SEC);
	command = sim_rotate(sim, 0, false, NULL);
	sim_await(sim, command, 5 * SEC);
	ck_assert_int_eq(command->result, 0);
	ck_assert_uint_eq(command->change.n_acks, 2);
	stek__command_free(command);
}
END_TEST

/* One rotation a minute, on whatever node; force passes. */
START_TEST(test_rotate_rate_limit)
{
	struct stek_command *command = sim_rotate(sim, 0, false, NULL);
	size_t n_keys;

	sim_await(sim, command, 5 * SEC);
	ck_assert_int_eq(command->result, 0);
	stek__command_free(command);
	sim_run(sim, 10 * SEC);
	n_keys = sim_ring(sim, 0)->n_keys;
	command = sim_rotate(sim, 1, false, NULL);
	sim_await(sim, command, 5 * SEC);
	ck_assert_int_eq(command->result, STEK_EREFUSED);
	ck_assert(!command->change.published);
	ck_assert_int_gt(command->change.activate_at_ms, sim->now_ms);
	ck_assert_uint_eq(sim_ring(sim, 1)->n_keys, n_keys);
	stek__command_free(command);
	command = sim_rotate(sim, 1, true, NULL);
	sim_await(sim, command, 5 * SEC);
	ck_assert_int_eq(command->result, 0);
	stek__command_free(command);
	sim_run(sim, 61 * SEC);
	command = sim_rotate(sim, 2, false, NULL);
	sim_await(sim, command, 5 * SEC);
	ck_assert_int_eq(command->result, 0);
	stek__command_free(command);
}
END_TEST

/* With an expected version the request is done once, however often sent. */
START_TEST(test_rotate_expects_version)
{
	struct stek_version version = sim_ring(sim, 0)->version;
	struct stek_command *a = sim_rotate(sim, 0, true, &version);
	struct stek_command *b = sim_rotate(sim, 0, true, &version);

	sim_await(sim, a, 5 * SEC);
	sim_await(sim, b, 5 * SEC);
	ck_assert_int_eq(a->result, 0);
	ck_assert_int_eq(b->result, STEK_ECONFLICT);
	ck_assert_uint_eq(sim_ring(sim, 0)->n_keys, 4);
	stek__command_free(a);
	stek__command_free(b);
}
END_TEST

/* Two nodes rotate in the same moment: both succeed, both keys are there. */
START_TEST(test_rotate_race)
{
	struct stek_command *a = sim_rotate(sim, 0, true, NULL);
	struct stek_command *b = sim_rotate(sim, 1, true, NULL);

	sim_await(sim, a, 5 * SEC);
	sim_await(sim, b, 5 * SEC);
	ck_assert_int_eq(a->result, 0);
	ck_assert_int_eq(b->result, 0);
	sim_run(sim, SEC);
	sim_assert_same(sim);
	ck_assert_uint_eq(sim_ring(sim, 2)->n_keys, 5);
	stek__command_free(a);
	stek__command_free(b);
}
END_TEST

/* And where nobody could be asked, nobody has answered. */
START_TEST(test_rotate_names_who_is_late)
{
	struct stek_ack acks[] = { { .name = "node-1", .acknowledged = true },
				   { .name = "node-2" } };
	struct stek_command command = { .kind = STEK_COMMAND_ROTATE };

	stek__ack_name_late(&command, "; so");
	ck_assert_str_eq(command.change.detail, "late: unknown, no heartbeats"
			 " could be read; so");
	command.change.acks = acks;
	command.change.n_acks = 1;
	stek__ack_name_late(&command, "");
	ck_assert_str_eq(command.change.detail, "late: nobody");
	command.change.n_acks = 2;
	stek__ack_name_late(&command, "");
	ck_assert_str_eq(command.change.detail, "late: node-2");
}
END_TEST

/* No store, no rotation; the caller hears which of the two it was. */
START_TEST(test_rotate_without_store)
{
	struct stek_version before = sim_ring(sim, 0)->version;
	struct stek_command *command;

	sim->stores[0].answer = STEK_EUNAVAILABLE;
	command = sim_rotate(sim, 0, true, NULL);
	sim_await(sim, command, 5 * SEC);
	ck_assert_int_eq(command->result, STEK_EUNAVAILABLE);
	ck_assert_str_eq(command->change.detail, "no answer");
	stek__command_free(command);
	sim->stores[0].answer = STEK_EREFUSED;
	command = sim_rotate(sim, 0, true, NULL);
	sim_await(sim, command, 5 * SEC);
	ck_assert_int_eq(command->result, STEK_EREFUSED);
	ck_assert_str_eq(command->change.detail, "NOPERM");
	stek__command_free(command);
	ck_assert(stek_version_equal(&sim_ring(sim, 0)->version, &before));
}
END_TEST

/* The ring keeps room for the schedule however often somebody rotates. */
START_TEST(test_rotate_until_full)
{
	struct stek_command *command;
	int result = 0, n;

	for (n = 0; n < 70 && !result; n++) {
		command = sim_rotate(sim, 0, true, NULL);
		sim_await(sim, command, 5 * SEC);
		result = command->result;
		stek__command_free(command);
	}
	ck_assert_int_eq(result, STEK_EFULL);
	/* 64 less the schedule's 5 and 3 in reserve; the last was refused. */
	ck_assert_int_eq(n, 64 - 5 - 3 + 1);
	sim->check = true;
	sim_run(sim, 13 * 3600 * SEC);
	ck_assert_ptr_nonnull(sim_sealing(sim, 0));
	command = sim_rotate(sim, 0, true, NULL);
	sim_await(sim, command, 5 * SEC);
	ck_assert_int_eq(command->result, 0);
	stek__command_free(command);
}
END_TEST

/* Also where the schedule itself needs many keys, and those come later. */
START_TEST(test_rotate_leaves_room_for_short_periods)
{
	struct stek_command *command;
	int result = 0, minute;

	end();
	sim = calloc(1, sizeof(*sim));
	ck_assert_ptr_nonnull(sim);
	sim->policy.period_s = 900;
	sim->policy.lifetime_s = 21600;
	sim_begin(sim, 1);
	sim_run(sim, 3 * SEC);
	while (!result) {
		command = sim_rotate(sim, 0, true, NULL);
		sim_await(sim, command, 5 * SEC);
		result = command->result;
		stek__command_free(command);
	}
	ck_assert_int_eq(result, STEK_EFULL);
	for (minute = 0; minute < 7 * 60; minute++) {
		sim_run(sim, 60 * SEC);
		ck_assert_msg(sim_sealing(sim, 0), "nobody seals after %d min",
			      minute);
	}
}
END_TEST

/* A key that waits to be minted does not keep the thread busy meanwhile. */
START_TEST(test_rotate_waits_idle)
{
	struct stek_command *command;
	struct stek_sync *sync = sim->nodes[0].farm->sync;

	silence();
	sync->farm->policy.pending = 3;
	while (!sync->mint_at_ms)
		sim_run(sim, 1);
	command = sim_rotate(sim, 0, true, NULL);
	sim_run(sim, 1200);
	ck_assert(!command->done);
	ck_assert_int_gt(stek__sync_step(sync, false), 0);
	ck_assert_int_gt(stek__sync_step(sync, false), 0);
	sim_await(sim, command, 5 * SEC);
	stek__command_free(command);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rotate");
	TCase *farm = tcase_create("farm");
	SRunner *runner;
	int failed;

	tcase_set_timeout(farm, 120);
	tcase_add_checked_fixture(farm, begin, end);
	tcase_add_test(farm, test_rotate);
	tcase_add_test(farm, test_rotate_with_lagging_node);
	tcase_add_test(farm, test_rotate_write_is_lost);
	tcase_add_test(farm, test_rotate_among_other_changes);
	tcase_add_test(farm, test_rotate_forced);
	tcase_add_test(farm, test_rotate_without_dead_node);
	tcase_add_test(farm, test_rotate_rate_limit);
	tcase_add_test(farm, test_rotate_expects_version);
	tcase_add_test(farm, test_rotate_race);
	tcase_add_test(farm, test_rotate_names_who_is_late);
	tcase_add_test(farm, test_rotate_without_store);
	tcase_add_test(farm, test_rotate_until_full);
	tcase_add_test(farm, test_rotate_leaves_room_for_short_periods);
	tcase_add_test(farm, test_rotate_waits_idle);
	suite_add_tcase(suite, farm);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

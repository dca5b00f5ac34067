// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_revoke.c - revocation in the simulated farm: dead here at once, dead
 * everywhere within moments, and what takes its place; also without a store
 * and across a crash.
 */
#include <stdio.h>
#include <sys/stat.h>

#include "simchange.h"

/* All keys dead on this node at once, on all within moments; then anew. */
START_TEST(test_revoke_all)
{
	struct stek_ring *old = stek__ring_ref(sim_ring(sim, 0));
	struct stek_command *command = sim_revoke(sim, 0, true, NULL);
	int64_t before_ms = sim->now_ms;
	size_t i, j;

	sim_await(sim, command, 10 * SEC);
	ck_assert_int_eq(command->result, 0);
	ck_assert_int_lt(sim->now_ms - before_ms, 100);
	ck_assert_uint_eq(command->change.n_revoked, 3);
	ck_assert(command->change.published);
	ck_assert_uint_eq(command->change.n_acks, 3);
	sim_assert_same(sim);
	for (i = 0; i < sim->n; i++) {
		for (j = 0; j < old->n_keys; j++)
			ck_assert_ptr_null(stek__ring_find(sim_ring(sim, i),
				old->keys[j]->id)->secret);
		ck_assert_ptr_null(sim_sealing(sim, i));
	}
	assert_state(command->change.key_id, STEK_PENDING);
	sim_run(sim, before_ms + 1999 - sim->now_ms);
	for (i = 0; i < sim->n; i++)
		ck_assert_ptr_null(sim_sealing(sim, i));
	sim_run(sim, 5);
	assert_state(command->change.key_id, STEK_ACTIVE);
	ck_assert_uint_eq(sim_ring(sim, 0)->n_keys, 6);
	ck_assert_int_eq(sim_ring(sim, 0)->revoked_before_ms, before_ms);
	stek__command_free(command);
	stek__ring_unref(old);
}
END_TEST

/* The floor bites keys that the revoker never saw, of a split farm too. */
START_TEST(test_revoke_all_reaches_unseen_keys)
{
	struct stek_ring *copy = sim_stored(sim, &sim->stores[0]);
	struct stek_command *command;
	uint8_t unseen[STEK_ID_LEN];

	sim_plant(sim, &sim->stores[1], copy);
	stek__ring_unref(copy);
	sim->nodes[2].store = &sim->stores[1];
	command = sim_rotate(sim, 2, true, NULL);
	sim_await(sim, command, 5 * SEC);
	memcpy(unseen, command->change.key_id, STEK_ID_LEN);
	stek__command_free(command);
	sim_run(sim, SEC);
	command = sim_revoke(sim, 0, true, NULL);
	sim_await(sim, command, 12 * SEC);
	stek__command_free(command);
	sim->nodes[2].store = &sim->stores[0];
	sim_run(sim, 5 * SEC);
	sim_assert_same(sim);
	assert_state(unseen, STEK_REVOKED);
	ck_assert_ptr_nonnull(sim_sealing(sim, 2));
}
END_TEST

/* One pending key: it goes, a new one takes its slot, sealing goes on. */
START_TEST(test_revoke_pending)
{
	const struct stek_key *sealing = sim_sealing(sim, 0);
	struct stek_ring *ring = sim_ring(sim, 0);
	struct stek_command *command;
	uint8_t id[STEK_ID_LEN];
	int64_t slot_ms = ring->keys[1]->activate_at_ms;

	memcpy(id, ring->keys[1]->id, STEK_ID_LEN);
	command = sim_revoke(sim, 1, false, id);
	sim_await(sim, command, 5 * SEC);
	ck_assert_int_eq(command->result, 0);
	ck_assert_uint_eq(command->change.n_revoked, 1);
	ck_assert_int_eq(command->change.activate_at_ms, 0);
	assert_state(id, STEK_REVOKED);
	ck_assert_mem_eq(sim_sealing(sim, 2)->id, sealing->id, STEK_ID_LEN);
	ring = sim_ring(sim, 2);
	ck_assert_uint_eq(ring->n_keys, 4);
	ck_assert_int_eq(ring->keys[1]->activate_at_ms, slot_ms);
	ck_assert_int_eq(ring->keys[2]->activate_at_ms, slot_ms);
	stek__command_free(command);
	/* Again: nothing is left to do, and that is a success. */
	command = sim_revoke(sim, 0, false, id);
	sim_await(sim, command, 5 * SEC);
	ck_assert_int_eq(command->result, 0);
	ck_assert_uint_eq(command->change.n_revoked, 0);
	ck_assert_uint_eq(sim_ring(sim, 2)->n_keys, 4);
	stek__command_free(command);
}
END_TEST

/* The active key alone: a replacement after 2 s, the pending ones stay. */
START_TEST(test_revoke_active)
{
	struct stek_command *command;
	uint8_t id[STEK_ID_LEN];

	memcpy(id, sim_sealing(sim, 0)->id, STEK_ID_LEN);
	command = sim_revoke(sim, 2, false, id);
	sim_await(sim, command, 5 * SEC);
	ck_assert_int_eq(command->result, 0);
	ck_assert_ptr_null(sim_sealing(sim, 1));
	ck_assert_uint_eq(sim_ring(sim, 1)->n_keys, 4);
	sim_run(sim, 2 * SEC);
	assert_state(command->change.key_id, STEK_ACTIVE);
	stek__command_free(command);
}
END_TEST

/* An id that no ring has is told, and nothing changes. */
START_TEST(test_revoke_unknown)
{
	struct stek_version before = sim_ring(sim, 0)->version;
	static const uint8_t id[STEK_ID_LEN] = { 1 };
	struct stek_command *command = sim_revoke(sim, 0, false, id);

	sim_await(sim, command, 5 * SEC);
	ck_assert_int_eq(command->result, STEK_ENOKEY);
	ck_assert_uint_gt(strlen(command->change.detail), 0);
	sim_run(sim, 5 * SEC);
	ck_assert(stek_version_equal(&sim_ring(sim, 0)->version, &before));
	stek__command_free(command);
}
END_TEST

/* Without a store: dead here at once, everywhere when the store is back. */
START_TEST(test_revoke_without_store)
{
	struct stek_ring *old = stek__ring_ref(sim_ring(sim, 0));
	struct stek_command *command;
	size_t i;

	sim->stores[0].answer = STEK_EUNAVAILABLE;
	command = sim_revoke(sim, 0, true, NULL);
	sim_await(sim, command, 5 * SEC);
	ck_assert_int_eq(command->result, STEK_EUNAVAILABLE);
	ck_assert(!command->change.published);
	ck_assert_uint_eq(command->change.n_revoked, 3);
	ck_assert_int_eq(state_at(0, old->keys[0]->id), STEK_REVOKED);
	ck_assert_int_eq(state_at(1, old->keys[0]->id), STEK_ACTIVE);
	ck_assert_ptr_null(sim_sealing(sim, 0));
	stek__command_free(command);
	sim->stores[0].answer = 0;
	sim_run(sim, 10 * SEC);
	sim_assert_same(sim);
	for (i = 0; i < old->n_keys; i++)
		assert_state(old->keys[i]->id, STEK_REVOKED);
	ck_assert_ptr_nonnull(sim_sealing(sim, 2));
	/* What was done without the store is on record after all. */
	ck_assert_uint_eq(sim->stores[0].n_audit, 1);
	ck_assert_ptr_nonnull(strstr(sim->stores[0].audit[0],
				     "\"published\":false"));
	stek__ring_unref(old);
}
END_TEST

/* A crash right after a revocation does not bring the keys back. */
START_TEST(test_revoke_survives_crash)
{
	struct stek_command *command;
	uint8_t id[STEK_ID_LEN];

	sim_close(sim, 0);
	snprintf(sim->nodes[0].state_dir, sizeof(sim->nodes[0].state_dir),
		 "%.*s/state", (int)(strrchr(sim->key_file, '/') -
				     sim->key_file), sim->key_file);
	ck_assert_int_eq(mkdir(sim->nodes[0].state_dir, 0700), 0);
	sim_open(sim, 0);
	sim_run(sim, 3 * SEC);
	memcpy(id, sim_sealing(sim, 0)->id, STEK_ID_LEN);
	sim->stores[0].answer = STEK_EUNAVAILABLE;
	command = sim_revoke(sim, 0, true, NULL);
	sim_await(sim, command, 5 * SEC);
	stek__command_free(command);
	sim_close(sim, 0);
	sim_open(sim, 0);
	ck_assert_int_eq(state_at(0, id), STEK_REVOKED);
	sim->stores[0].answer = 0;
	sim_run(sim, 10 * SEC);
	assert_state(id, STEK_REVOKED);
	sim_assert_same(sim);
}
END_TEST

/* A live node that does not answer is named after ten seconds. */
START_TEST(test_revoke_with_silent_node)
{
	struct stek_command *command;
	int64_t before_ms = sim->now_ms;

	silence();
	command = sim_revoke(sim, 0, true, NULL);
	sim_await(sim, command, 12 * SEC);
	ck_assert_int_eq(command->result, STEK_ETIMEOUT);
	ck_assert_int_ge(sim->now_ms - before_ms, 10 * SEC);
	ck_assert(command->change.published);
	ck_assert_ptr_nonnull(strstr(command->change.detail, "node-2"));
	ck_assert(ack_of(command, "node-1")->acknowledged);
	stek__command_free(command);
}
END_TEST

/* Revoking everything, over and over, neither fills nor jams the ring. */
START_TEST(test_revoke_again_and_again)
{
	struct stek_command *command;
	int n;

	for (n = 0; n < 60; n++) {
		command = sim_revoke(sim, (size_t)n % 3, true, NULL);
		sim_await(sim, command, 12 * SEC);
		ck_assert_int_eq(command->result, 0);
		stek__command_free(command);
		sim_run(sim, 3 * SEC);
		sim_assert_same(sim);
		ck_assert_ptr_nonnull(sim_sealing(sim, 0));
	}
}
END_TEST

/* A store whose ring this node cannot open: revoked here, told, not written. */
START_TEST(test_change_against_foreign_ring)
{
	struct stek_command *command;
	size_t publishes = sim->stores[0].publishes;

	sim->stores[0].doc.data[5] ^= 1;
	sim->stores[0].version.epoch++;
	command = sim_rotate(sim, 0, true, NULL);
	sim_await(sim, command, 5 * SEC);
	ck_assert_int_eq(command->result, STEK_EREFUSED);
	stek__command_free(command);
	command = sim_revoke(sim, 0, true, NULL);
	sim_await(sim, command, 5 * SEC);
	ck_assert_int_eq(command->result, STEK_EREFUSED);
	ck_assert(!command->change.published);
	ck_assert_ptr_null(sim_sealing(sim, 0));
	ck_assert_uint_eq(sim->stores[0].publishes, publishes);
	stek__command_free(command);
}
END_TEST

/* Whichever call of the store fails, a revocation here is in force here. */
START_TEST(test_revoke_while_calls_fail)
{
	struct stek_command *command;
	uint8_t id[STEK_ID_LEN];
	unsigned n;

	for (n = 1; n < 12; n++) {
		if (n > 1)
			begin();
		memcpy(id, sim_sealing(sim, 0)->id, STEK_ID_LEN);
		command = sim_revoke(sim, 0, true, NULL);
		sim->nodes[0].fail_call = n;
		sim_await(sim, command, 15 * SEC);
		ck_assert_int_eq(state_at(0, id), STEK_REVOKED);
		sim_run(sim, 15 * SEC);
		sim_assert_same(sim);
		assert_state(id, STEK_REVOKED);
		ck_assert_ptr_nonnull(sim_sealing(sim, 1));
		stek__command_free(command);
		if (n < 11)
			end();
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("revoke");
	TCase *farm = tcase_create("farm");
	SRunner *runner;
	int failed;

	tcase_set_timeout(farm, 120);
	tcase_add_checked_fixture(farm, begin, end);
	tcase_add_test(farm, test_revoke_all);
	tcase_add_test(farm, test_revoke_all_reaches_unseen_keys);
	tcase_add_test(farm, test_revoke_pending);
	tcase_add_test(farm, test_revoke_active);
	tcase_add_test(farm, test_revoke_unknown);
	tcase_add_test(farm, test_revoke_without_store);
	tcase_add_test(farm, test_revoke_survives_crash);
	tcase_add_test(farm, test_revoke_with_silent_node);
	tcase_add_test(farm, test_revoke_again_and_again);
	tcase_add_test(farm, test_change_against_foreign_ring);
	tcase_add_test(farm, test_revoke_while_calls_fail);
	suite_add_tcase(suite, farm);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

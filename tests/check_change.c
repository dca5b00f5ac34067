// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_change.c - rotation and revocation in the simulated farm: who must
 * acknowledge, what is taken back, what is dead at once, and what happens when
 * nodes lag or the store is away.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "simfarm.h"

#define SEC 1000LL

static struct sim *sim;

static void begin(void)
{
	sim = calloc(1, sizeof(*sim));
	ck_assert_ptr_nonnull(sim);
	sim_begin(sim, 3);
	sim_run(sim, 3 * SEC);
	sim_assert_same(sim);
}

static void end(void)
{
	sim_end(sim);
	free(sim);
}

static enum stek_state state_at(size_t node, const uint8_t *id)
{
	struct stek_farm *farm = sim->nodes[node].farm;
	struct stek_ring *ring = sim_ring(sim, node);
	const struct stek_key *key = stek__ring_find(ring, id);

	ck_assert_ptr_nonnull(key);
	return stek__schedule_state(ring, &farm->policy, key,
				    stek_farm_now_ms(farm));
}

static void assert_state(const uint8_t *id, enum stek_state state)
{
	size_t i;

	for (i = 0; i < sim->n; i++)
		ck_assert_str_eq(stek_state_name(state_at(i, id)),
				 stek_state_name(state));
}

static const struct stek_ack *ack_of(const struct stek_command *command,
				     const char *name)
{
	size_t i;

	for (i = 0; i < command->change.n_acks; i++) {
		if (!strcmp(command->change.acks[i].name, name))
			return &command->change.acks[i];
	}
	ck_abort_msg("no answer of that node");
	return NULL;
}

/* Node 2 stops, its heartbeat stays fresh: a node that cannot read the ring. */
static void silence(void)
{
	size_t i;

	sim->nodes[2].frozen = true;
	for (i = 0; i < sim->stores[0].n_members; i++) {
		if (!strcmp(sim->stores[0].members[i].name, "node-2"))
			sim->stores[0].members[i].seen_at_ms += 60 * SEC;
	}
}

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
	ck_assert_int_gt(n, 40);
	sim->check = true;
	sim_run(sim, 13 * 3600 * SEC);
	ck_assert_ptr_nonnull(sim_sealing(sim, 0));
	command = sim_rotate(sim, 0, true, NULL);
	sim_await(sim, command, 5 * SEC);
	ck_assert_int_eq(command->result, 0);
	stek__command_free(command);
}
END_TEST

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
	Suite *suite = suite_create("change");
	TCase *farm = tcase_create("farm");
	SRunner *runner;
	int failed;

	tcase_set_timeout(farm, 120);
	tcase_add_checked_fixture(farm, begin, end);
	tcase_add_test(farm, test_rotate);
	tcase_add_test(farm, test_rotate_with_lagging_node);
	tcase_add_test(farm, test_rotate_forced);
	tcase_add_test(farm, test_rotate_without_dead_node);
	tcase_add_test(farm, test_rotate_rate_limit);
	tcase_add_test(farm, test_rotate_expects_version);
	tcase_add_test(farm, test_rotate_race);
	tcase_add_test(farm, test_rotate_without_store);
	tcase_add_test(farm, test_rotate_until_full);
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

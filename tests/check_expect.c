// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_expect.c - changes that expect a ring, in the simulated farm: they are
 * done to that ring or not at all, also when another node changes it between
 * the look and the write.
 */
#include "simchange.h"

static struct stek_version other;	/* that somebody else writes first */

/* Submitted as sim_revoke() does; nothing has run yet. */
static struct stek_command *revoke_if(size_t i, bool all, const uint8_t *id,
				      const struct stek_version *version)
{
	struct stek_command *command = sim_revoke(sim, i, all, id);

	command->has_expect = true;
	command->expect = *version;
	return command;
}

static int ended(struct stek_command *command)
{
	int result;

	sim_await(sim, command, 12 * SEC);
	result = command->result;
	stek__command_free(command);
	return result;
}

/* The same ring an epoch later, as another node's harmless change. */
static void somebody_writes(struct sim_node *node)
{
	struct stek_ring *now = sim_stored(sim, node->store), *later = NULL;

	ck_assert_int_eq(stek__ring_new(&later, now->version.epoch + 1,
					now->keys, now->n_keys,
					now->tombstones, now->n_tombstones,
					now->revoked_before_ms), 0);
	sim_plant(sim, node->store, later);
	other = later->version;
	stek__ring_unref(later);
	stek__ring_unref(now);
}

/* To the expected ring all is as without the expectation. */
START_TEST(test_revoke_expected)
{
	struct stek_version version = sim_ring(sim, 0)->version;
	struct stek_command *command;
	uint8_t id[STEK_ID_LEN];
	int64_t before_ms = sim->now_ms;

	memcpy(id, sim_sealing(sim, 0)->id, STEK_ID_LEN);
	command = revoke_if(1, true, NULL, &version);
	sim_await(sim, command, 12 * SEC);
	ck_assert_int_eq(command->result, 0);
	ck_assert_int_lt(sim->now_ms - before_ms, 100);
	ck_assert_uint_eq(command->change.n_revoked, 3);
	ck_assert_uint_eq(command->change.n_acks, 3);
	ck_assert_uint_eq(command->change.version.epoch, version.epoch + 1);
	sim_assert_same(sim);
	assert_state(id, STEK_REVOKED);
	ck_assert_int_ge(sim_ring(sim, 0)->revoked_before_ms, before_ms);
	sim_run(sim, before_ms + 2005 - sim->now_ms);
	assert_state(command->change.key_id, STEK_ACTIVE);
	stek__command_free(command);
}
END_TEST

/* Two that expect the same ring: one is done, of the other nothing. */
START_TEST(test_one_of_two)
{
	struct stek_version version = sim_ring(sim, 0)->version;
	struct stek_ring *ring = sim_ring(sim, 0);
	struct stek_command *a, *b;
	uint8_t first[STEK_ID_LEN], second[STEK_ID_LEN];
	enum stek_state of_first, of_second;

	memcpy(first, ring->keys[1]->id, STEK_ID_LEN);
	memcpy(second, ring->keys[2]->id, STEK_ID_LEN);
	a = revoke_if(0, false, first, &version);
	b = revoke_if(1, false, second, &version);
	sim_await(sim, a, 12 * SEC);
	sim_await(sim, b, 12 * SEC);
	ck_assert_int_ne(a->result == 0, b->result == 0);
	ck_assert_int_eq(a->result + b->result, STEK_ECONFLICT);
	sim_run(sim, 5 * SEC);
	sim_assert_same(sim);
	of_first = state_at(2, first);
	of_second = state_at(2, second);
	ck_assert_int_eq(of_first == STEK_REVOKED, a->result == 0);
	ck_assert_int_eq(of_second == STEK_REVOKED, b->result == 0);
	stek__command_free(a);
	stek__command_free(b);
}
END_TEST

/* Changed by another between look and write: refused, nothing is revoked. */
START_TEST(test_revoke_overtaken)
{
	struct stek_version version = sim_ring(sim, 0)->version;
	struct stek_command *command;
	uint8_t id[STEK_ID_LEN];
	size_t n_keys = sim_ring(sim, 0)->n_keys;

	memcpy(id, sim_sealing(sim, 0)->id, STEK_ID_LEN);
	sim->nodes[0].before_publish = somebody_writes;
	command = revoke_if(0, true, NULL, &version);
	sim_await(sim, command, 12 * SEC);
	ck_assert_int_eq(command->result, STEK_ECONFLICT);
	ck_assert(stek_version_equal(&command->change.version, &other));
	ck_assert_uint_eq(command->change.n_revoked, 0);
	ck_assert_int_eq(command->change.activate_at_ms, 0);
	ck_assert(!command->change.published);
	ck_assert_ptr_nonnull(strstr(command->change.detail, "expected"));
	sim_run(sim, 5 * SEC);
	sim_assert_same(sim);
	assert_state(id, STEK_ACTIVE);
	ck_assert_uint_eq(sim_ring(sim, 1)->n_keys, n_keys);
	stek__command_free(command);
}
END_TEST

/* The same of a rotation. */
START_TEST(test_rotate_overtaken)
{
	struct stek_version version = sim_ring(sim, 0)->version;
	size_t n_keys = sim_ring(sim, 0)->n_keys;

	sim->nodes[0].before_publish = somebody_writes;
	ck_assert_int_eq(ended(sim_rotate(sim, 0, true, &version)),
			 STEK_ECONFLICT);
	sim_run(sim, 5 * SEC);
	sim_assert_same(sim);
	ck_assert_uint_eq(sim_ring(sim, 1)->n_keys, n_keys);
}
END_TEST

/* Without an expectation the same race is no reason to refuse. */
START_TEST(test_overtaken_unexpected)
{
	sim->nodes[0].before_publish = somebody_writes;
	ck_assert_int_eq(ended(sim_rotate(sim, 0, true, NULL)), 0);
	sim->nodes[0].before_publish = somebody_writes;
	ck_assert_int_eq(ended(sim_revoke(sim, 0, true, NULL)), 0);
}
END_TEST

/* Somebody else writes first, into the store that all nodes write first. */
static void somebody_is_first(struct sim_node *node)
{
	const struct stek_link *links = node->farm->sync->links;
	struct sim_node first = *node;

	if (memcmp(links[0].place, links[1].place, STEK_PLACE_LEN) > 0)
		first.store = node->second;
	somebody_writes(&first);
}

/* Of two stores each could take one of two changes of the same ring. */
START_TEST(test_two_stores)
{
	struct stek_version version;
	struct stek_command *command;
	uint8_t id[STEK_ID_LEN];
	size_t i, n_keys;

	for (i = 0; i < sim->n; i++) {
		sim_close(sim, i);
		sim->nodes[i].store = &sim->stores[_i];
		sim->nodes[i].second = &sim->stores[1 - _i];
		sim_open(sim, i);
	}
	sim_run(sim, 60 * SEC);
	sim_assert_same(sim);
	version = sim_ring(sim, 0)->version;
	n_keys = sim_ring(sim, 0)->n_keys;
	memcpy(id, sim_sealing(sim, 0)->id, STEK_ID_LEN);
	sim->nodes[0].before_publish = somebody_is_first;
	command = revoke_if(0, true, NULL, &version);
	ck_assert_int_eq(ended(command), STEK_ECONFLICT);
	sim_run(sim, 5 * SEC);
	sim_assert_same(sim);
	assert_state(id, STEK_ACTIVE);
	version = sim_ring(sim, 0)->version;
	sim->nodes[0].before_publish = somebody_is_first;
	ck_assert_int_eq(ended(sim_rotate(sim, 0, true, &version)),
			 STEK_ECONFLICT);
	sim_run(sim, 5 * SEC);
	ck_assert_uint_eq(sim_ring(sim, 1)->n_keys, n_keys);
	version = sim_ring(sim, 0)->version;
	ck_assert_int_eq(ended(revoke_if(0, true, NULL, &version)), 0);
	sim_assert_same(sim);
}
END_TEST

/* By the epoch alone: the digest does not matter, the epoch does. */
START_TEST(test_epoch_only)
{
	struct stek_version version = sim_ring(sim, 0)->version;
	struct stek_command *command;

	memset(version.digest, 7, sizeof(version.digest));
	ck_assert_int_eq(ended(revoke_if(0, true, NULL, &version)),
			 STEK_ECONFLICT);
	version.epoch++;
	command = revoke_if(0, true, NULL, &version);
	command->epoch_only = true;
	ck_assert_int_eq(ended(command), STEK_ECONFLICT);
	version.epoch--;
	command = revoke_if(0, true, NULL, &version);
	command->epoch_only = true;
	ck_assert_int_eq(ended(command), 0);
	version.epoch = sim_ring(sim, 0)->version.epoch;
	command = sim_rotate(sim, 0, true, &version);
	command->epoch_only = true;
	ck_assert_int_eq(ended(command), 0);
}
END_TEST

/* Only the store knows which ring it is: without it nothing is revoked. */
START_TEST(test_revoke_without_store)
{
	struct stek_version version = sim_ring(sim, 0)->version;
	struct stek_command *command;
	uint8_t id[STEK_ID_LEN];

	memcpy(id, sim_sealing(sim, 0)->id, STEK_ID_LEN);
	sim->stores[0].answer = STEK_EUNAVAILABLE;
	command = revoke_if(0, true, NULL, &version);
	sim_await(sim, command, 5 * SEC);
	ck_assert_int_eq(command->result, STEK_EUNAVAILABLE);
	ck_assert_uint_eq(command->change.n_revoked, 0);
	stek__command_free(command);
	sim->stores[0].answer = 0;
	sim_run(sim, 5 * SEC);
	assert_state(id, STEK_ACTIVE);
}
END_TEST

/* A key that the ring does not have, and a dry run, of the wrong ring too. */
START_TEST(test_nothing_to_do)
{
	struct stek_version version = sim_ring(sim, 0)->version, wrong = version;
	static const uint8_t id[STEK_ID_LEN] = { 1 };
	struct stek_command *command;

	ck_assert_int_eq(ended(revoke_if(0, false, id, &version)),
			 STEK_ENOKEY);
	wrong.epoch++;
	command = revoke_if(0, true, NULL, &wrong);
	command->dry_run = true;
	ck_assert_int_eq(ended(command), STEK_ECONFLICT);
	command = revoke_if(0, true, NULL, &version);
	command->dry_run = true;
	sim_await(sim, command, 5 * SEC);
	ck_assert_int_eq(command->result, 0);
	ck_assert_uint_eq(command->change.n_revoked, 3);
	stek__command_free(command);
	ck_assert(stek_version_equal(&sim_ring(sim, 0)->version, &version));
}
END_TEST

/* The answer to a write is lost: the farm is one all the same, and seals. */
START_TEST(test_lost_answer)
{
	struct stek_version version = sim_ring(sim, 0)->version;
	uint8_t id[STEK_ID_LEN];

	memcpy(id, sim_sealing(sim, 0)->id, STEK_ID_LEN);
	sim->nodes[0].lose_answer = true;
	ck_assert_int_eq(ended(revoke_if(0, true, NULL, &version)),
			 STEK_EUNAVAILABLE);
	sim_run(sim, 10 * SEC);
	sim_assert_same(sim);
	assert_state(id, STEK_REVOKED);
	ck_assert_ptr_nonnull(sim_sealing(sim, 0));
}
END_TEST

static struct stek_command *named(struct stek_command *command)
{
	strcpy(command->request, "n-1");
	return command;
}

/*
 * A request that comes again gets the first answer though the ring has moved,
 * at another node too; under another expectation it is another request.
 */
START_TEST(test_named_again)
{
	struct stek_version version = sim_ring(sim, 0)->version, later;
	struct stek_command *command;
	size_t i;

	ck_assert_int_eq(ended(named(revoke_if(0, true, NULL, &version))), 0);
	sim_run(sim, 3 * SEC);
	later = sim_ring(sim, 0)->version;
	ck_assert(!stek_version_equal(&later, &version));
	for (i = 0; i < 3; i++) {
		command = named(revoke_if(i, true, NULL, &version));
		sim_await(sim, command, 5 * SEC);
		ck_assert_int_eq(command->result, 0);
		ck_assert(command->change.replayed);
		ck_assert_uint_eq(command->change.n_revoked, 3);
		stek__command_free(command);
		ck_assert_int_eq(ended(named(revoke_if(i, true, NULL,
						       &later))),
				 STEK_EREUSED);
		command = named(revoke_if(i, true, NULL, &version));
		command->epoch_only = true;
		ck_assert_int_eq(ended(command), STEK_EREUSED);
	}
	ck_assert(stek_version_equal(&sim_ring(sim, 1)->version, &later));
}
END_TEST

/* What was refused has changed nothing, so its name may come again. */
START_TEST(test_named_after_refusal)
{
	struct stek_version version = sim_ring(sim, 0)->version, wrong = version;

	wrong.epoch++;
	ck_assert_int_eq(ended(named(revoke_if(0, true, NULL, &wrong))),
			 STEK_ECONFLICT);
	ck_assert_int_eq(ended(named(revoke_if(1, true, NULL, &version))), 0);
}
END_TEST

/* Whichever call of the store fails, it is done everywhere or nowhere. */
START_TEST(test_while_calls_fail)
{
	struct stek_version version;
	struct stek_command *command;
	uint8_t id[STEK_ID_LEN];
	unsigned n;

	for (n = 1; n < 12; n++) {
		if (n > 1)
			begin();
		version = sim_ring(sim, 0)->version;
		memcpy(id, sim_sealing(sim, 0)->id, STEK_ID_LEN);
		command = revoke_if(0, true, NULL, &version);
		sim->nodes[0].fail_call = n;
		sim_await(sim, command, 15 * SEC);
		sim_run(sim, 15 * SEC);
		sim_assert_same(sim);
		assert_state(id, command->result == 0 ||
			     command->result == STEK_ETIMEOUT ?
			     STEK_REVOKED : STEK_ACTIVE);
		ck_assert_ptr_nonnull(sim_sealing(sim, 1));
		stek__command_free(command);
		if (n < 11)
			end();
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("expect");
	TCase *farm = tcase_create("farm");
	SRunner *runner;
	int failed;

	tcase_set_timeout(farm, 120);
	tcase_add_checked_fixture(farm, begin, end);
	tcase_add_test(farm, test_revoke_expected);
	tcase_add_test(farm, test_one_of_two);
	tcase_add_test(farm, test_revoke_overtaken);
	tcase_add_test(farm, test_rotate_overtaken);
	tcase_add_test(farm, test_overtaken_unexpected);
	tcase_add_loop_test(farm, test_two_stores, 0, 2);
	tcase_add_test(farm, test_epoch_only);
	tcase_add_test(farm, test_revoke_without_store);
	tcase_add_test(farm, test_nothing_to_do);
	tcase_add_test(farm, test_lost_answer);
	tcase_add_test(farm, test_named_again);
	tcase_add_test(farm, test_named_after_refusal);
	tcase_add_test(farm, test_while_calls_fail);
	suite_add_tcase(suite, farm);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

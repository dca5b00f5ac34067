// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_late.c - keys that reach a node late: where two sites that rotated
 * apart are joined, no node seals under the other site's key before its
 * neighbours have it, and soon all seal under the same.
 */
#include "fault.h"
#include "simthree.h"

#define SITE_A 0	/* and 1 */
#define SITE_B 2	/* and 3 */
#define WAIT_MS (5 * SEC)	/* the default rotate_delay_ms */

/* What sealed before the sites were cut apart, and what each made then. */
static uint8_t first[STEK_ID_LEN], key_a[STEK_ID_LEN], key_b[STEK_ID_LEN];

static bool seals(size_t i, const uint8_t *id)
{
	const struct stek_key *key = sim_sealing(sim, i);

	return key && !memcmp(key->id, id, STEK_ID_LEN);
}

static void rotate(size_t i, bool force, uint8_t id[STEK_ID_LEN])
{
	struct stek_command *command = sim_rotate(sim, i, force, NULL);

	sim_await(sim, command, 20 * SEC);
	ck_assert_int_eq(command->result, 0);
	memcpy(id, command->change.key_id, STEK_ID_LEN);
	stek__command_free(command);
}

static void begin(void)
{
	sim = calloc(1, sizeof(*sim));
	ck_assert_ptr_nonnull(sim);
	sim_begin(sim, 4);
	sim_run(sim, 2 * SEC);
	sim_assert_same(sim);
	memcpy(first, sim_sealing(sim, 0)->id, STEK_ID_LEN);
}

/* Each site goes on with a store of its own, and rotates there. */
static void part(void)
{
	struct stek_ring *ring = sim_stored(sim, &sim->stores[0]);

	sim_plant(sim, &sim->stores[1], ring);
	stek__ring_unref(ring);
	sim->nodes[SITE_B].store = sim->nodes[SITE_B + 1].store =
		&sim->stores[1];
	sim_run(sim, 10 * SEC);
	rotate(SITE_A, false, key_a);
	sim_run(sim, 2 * SEC);
	rotate(SITE_B, false, key_b);
	sim_run(sim, 20 * SEC);
	ck_assert(seals(SITE_A, key_a) && seals(SITE_A + 1, key_a));
	ck_assert(seals(SITE_B, key_b) && seals(SITE_B + 1, key_b));
}

static void lead(size_t i, size_t store)
{
	sim->nodes[i].store = &sim->stores[store];
	sim->nodes[i].due_ms = 0;
}

static void assert_opens(size_t i, size_t j)
{
	const struct stek_key *key = sim_sealing(sim, i), *held;

	ck_assert_ptr_nonnull(key);
	held = stek__ring_find(sim_ring(sim, j), key->id);
	ck_assert_msg(held && held->secret, "%s seals what %s cannot open",
		      sim->nodes[i].name, sim->nodes[j].name);
}

/* As clients who stay at their site see it, every ten milliseconds. */
static void run_open(int64_t ms)
{
	int64_t until_ms = sim->now_ms + ms;

	while (sim->now_ms < until_ms) {
		sim_run(sim, 10);
		assert_opens(SITE_A, SITE_A + 1);
		assert_opens(SITE_A + 1, SITE_A);
		assert_opens(SITE_B, SITE_B + 1);
		assert_opens(SITE_B + 1, SITE_B);
	}
}

static void assert_all_seal(const uint8_t *id)
{
	size_t i;

	sim_assert_same(sim);
	for (i = 0; i < sim->n; i++)
		ck_assert(seals(i, id));
}

static enum stek_state state_at(size_t i, const uint8_t *id)
{
	static struct stek_ring_info info;
	size_t k;

	stek_farm_ring(sim->nodes[i].farm, &info);
	for (k = 0; k < info.n_keys; k++) {
		if (!memcmp(info.keys[k].id, id, STEK_ID_LEN))
			return info.keys[k].state;
	}
	ck_abort_msg("the node has no such key");
	return STEK_GONE;
}

/* Site b comes to the store of a, whose second node is late to hear of it. */
START_TEST(test_join_loses_nothing)
{
	part();
	sim->nodes[SITE_A + 1].frozen = true;
	lead(SITE_B, 0);
	run_open(1500);
	/* One has heard, the other has not. */
	ck_assert_ptr_nonnull(stek__ring_find(sim_ring(sim, SITE_A), key_b));
	ck_assert_ptr_null(stek__ring_find(sim_ring(sim, SITE_A + 1), key_b));
	sim->nodes[SITE_A + 1].frozen = false;
	sim->nodes[SITE_A + 1].due_ms = 0;
	run_open(400);
	lead(SITE_B + 1, 0);
	run_open(3 * WAIT_MS);
	assert_all_seal(key_b);
}
END_TEST

/* The other way round: who comes over hears of the newer key, one by one. */
START_TEST(test_join_to_the_newer_loses_nothing)
{
	part();
	lead(SITE_A, 1);
	run_open(1100);
	ck_assert_ptr_nonnull(stek__ring_find(sim_ring(sim, SITE_A), key_b));
	ck_assert_ptr_null(stek__ring_find(sim_ring(sim, SITE_A + 1), key_b));
	ck_assert(seals(SITE_A, key_a));
	lead(SITE_A + 1, 1);
	run_open(3 * WAIT_MS);
	assert_all_seal(key_b);
}
END_TEST

static void join_all(void)
{
	lead(SITE_B, 0);
	lead(SITE_B + 1, 0);
	sim_run(sim, 1100);
	sim_assert_same(sim);
	ck_assert(seals(SITE_A, key_a) && seals(SITE_B, key_b));
}

/* The wait is the node's own: in no version, no document, and it ends. */
START_TEST(test_wait_is_local_and_ends)
{
	struct stek_ring *stored;
	unsigned told;

	part();
	join_all();
	told = sim->nodes[SITE_A].events[STEK_EVENT_ACTIVE_KEY];
	ck_assert_int_eq(state_at(SITE_A, key_a), STEK_ACTIVE);
	ck_assert_int_eq(state_at(SITE_A, key_b), STEK_PENDING);
	ck_assert_int_eq(state_at(SITE_B, key_a), STEK_RETIRED);
	ck_assert_int_eq(state_at(SITE_B, key_b), STEK_ACTIVE);
	ck_assert(stek_farm_can_seal(sim->nodes[SITE_A].farm));
	stored = sim_stored(sim, &sim->stores[0]);
	ck_assert_uint_eq(stored->yields, 0);
	stek__ring_unref(stored);
	sim_run(sim, WAIT_MS - 1100);
	ck_assert(seals(SITE_A, key_a));
	sim_run(sim, 1200);
	assert_all_seal(key_b);
	ck_assert_int_eq(state_at(SITE_A, key_a), STEK_RETIRED);
	ck_assert_uint_eq(sim->nodes[SITE_A].events[STEK_EVENT_ACTIVE_KEY],
			  told + 1);
	ck_assert_uint_eq(sim_ring(sim, SITE_A)->yields, 0);
}
END_TEST

static int64_t wait_left_ms(size_t i)
{
	struct stek_sync *sync = sim->nodes[i].farm->sync;

	return stek__late_due_ms(sync) - stek__sync_mono(sync);
}

/* It ends also where there was no memory for that; then a beat later. */
START_TEST(test_wait_ends_without_memory)
{
	part();
	join_all();
	while (wait_left_ms(SITE_A) > 1)
		sim_run(sim, 1);
	ck_assert(seals(SITE_A, key_a));
	/* One of those that the ring without the mark takes. */
	fault_arm((unsigned)_i + 1);
	sim_run(sim, 2);
	ck_assert(fault_disarm());
	sim_run(sim, 3 * SEC);
	assert_all_seal(key_b);
}
END_TEST

/* A clock that is set meanwhile makes it neither longer nor shorter. */
START_TEST(test_wait_is_not_by_the_wall_clock)
{
	part();
	join_all();
	sim->nodes[SITE_A].skew_ms = -9 * SEC;
	sim->nodes[SITE_A + 1].skew_ms = 9 * SEC;
	sim_run(sim, WAIT_MS - 1200);
	ck_assert(seals(SITE_A, key_a) && seals(SITE_A + 1, key_a));
	sim_run(sim, 1300);
	ck_assert(seals(SITE_A, key_b) && seals(SITE_A + 1, key_b));
}
END_TEST

/* Where the key that sealed is revoked, nothing is waited for or goes back. */
START_TEST(test_revocation_ends_the_wait)
{
	struct stek_command *command;

	part();
	join_all();
	command = sim_revoke(sim, SITE_B, false, key_a);
	sim_await(sim, command, SEC);
	ck_assert_int_eq(command->result, 0);
	/* It is the turn of the other site's key, so none is made. */
	ck_assert_int_eq(command->change.activate_at_ms, 0);
	stek__command_free(command);
	assert_all_seal(key_b);
}
END_TEST

/* Revoked where it waits: the farm sealed under it, so it is replaced. */
START_TEST(test_waiting_key_is_replaced)
{
	struct stek_command *command;
	uint8_t id[STEK_ID_LEN];

	part();
	join_all();
	command = sim_revoke(sim, SITE_A, false, key_b);
	sim_await(sim, command, SEC);
	ck_assert_int_eq(command->result, 0);
	ck_assert_int_gt(command->change.activate_at_ms, sim->now_ms);
	ck_assert_int_le(command->change.activate_at_ms, sim->now_ms + 2 * SEC);
	memcpy(id, command->change.key_id, STEK_ID_LEN);
	stek__command_free(command);
	/* Nobody seals till then, and then everybody. */
	ck_assert_ptr_null(sim_sealing(sim, SITE_A));
	ck_assert_ptr_null(sim_sealing(sim, SITE_B));
	sim_run(sim, 2 * SEC);
	assert_all_seal(id);
}
END_TEST

/* The emergency: all revoked, and the replacement seals after two seconds. */
START_TEST(test_replacement_does_not_wait)
{
	struct stek_command *command;
	uint8_t id[STEK_ID_LEN];
	int64_t at_ms;

	command = sim_revoke(sim, SITE_A, true, NULL);
	/* One hears of it when the replacement seals elsewhere. */
	sim->nodes[SITE_B].frozen = true;
	sim_run(sim, 2500);
	sim->nodes[SITE_B].frozen = false;
	sim->nodes[SITE_B].due_ms = 0;
	sim_await(sim, command, 2 * SEC);
	ck_assert_int_eq(command->result, 0);
	at_ms = command->change.activate_at_ms;
	memcpy(id, command->change.key_id, STEK_ID_LEN);
	stek__command_free(command);
	ck_assert_int_lt(at_ms, sim->now_ms);
	assert_all_seal(id);
}
END_TEST

/* A node that learns everything at once has nothing to go on under. */
START_TEST(test_new_node_seals_at_once)
{
	uint8_t id[STEK_ID_LEN];

	sim_run(sim, 10 * SEC);
	rotate(SITE_A, false, id);
	sim_run(sim, 10 * SEC);
	sim_close(sim, SITE_B);
	sim_open(sim, SITE_B);
	sim_run(sim, 1);
	ck_assert(seals(SITE_B, id));
	ck_assert_uint_eq(sim_ring(sim, SITE_B)->yields, 0);
}
END_TEST

/* One that comes back with an old ring goes on under that, but not for long. */
START_TEST(test_restarted_node_catches_up)
{
	uint8_t id[STEK_ID_LEN];

	strcpy(sim->nodes[SITE_B].state_dir, sim->key_file);
	*strrchr(sim->nodes[SITE_B].state_dir, '/') = '\0';
	sim_close(sim, SITE_B);
	sim_open(sim, SITE_B);
	sim_run(sim, 10 * SEC);
	sim_close(sim, SITE_B);
	rotate(SITE_A, true, id);
	sim_run(sim, 20 * SEC);
	sim_open(sim, SITE_B);
	sim_run(sim, 1);
	ck_assert(seals(SITE_B, first));
	sim_run(sim, WAIT_MS - 10);
	ck_assert(seals(SITE_B, first));
	sim_run(sim, 20);
	assert_all_seal(id);
}
END_TEST

/*
 * A rotation that a node hears of in the half of its delay that is for the
 * acknowledgements is in time; any later it may be ahead of others.
 */
START_TEST(test_half_of_the_delay_is_in_time)
{
	struct stek_command *command;
	uint8_t id[STEK_ID_LEN];
	int64_t heard_ms = _i ? 2600 : 2400, at_ms;

	sim_run(sim, 10 * SEC);
	sim->nodes[SITE_B].frozen = true;
	command = sim_rotate(sim, SITE_A, true, NULL);
	sim_run(sim, heard_ms);
	sim->nodes[SITE_B].frozen = false;
	sim->nodes[SITE_B].due_ms = 0;
	sim_await(sim, command, 10 * SEC);
	ck_assert_int_eq(command->result, 0);
	memcpy(id, command->change.key_id, STEK_ID_LEN);
	at_ms = command->change.activate_at_ms;
	stek__command_free(command);
	sim_run(sim, at_ms + 10 - sim->now_ms);
	ck_assert(seals(SITE_A, id));
	ck_assert_int_eq(seals(SITE_B, id), !_i);
	ck_assert_int_eq(seals(SITE_B, first), _i);
	sim_run(sim, heard_ms);
	assert_all_seal(id);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("late");
	TCase *farm = tcase_create("farm");
	SRunner *runner;
	int failed;

	tcase_set_timeout(farm, 60);
	tcase_add_checked_fixture(farm, begin, end);
	tcase_add_test(farm, test_join_loses_nothing);
	tcase_add_test(farm, test_join_to_the_newer_loses_nothing);
	tcase_add_test(farm, test_wait_is_local_and_ends);
	tcase_add_loop_test(farm, test_wait_ends_without_memory, 0, 4);
	tcase_add_test(farm, test_wait_is_not_by_the_wall_clock);
	tcase_add_test(farm, test_revocation_ends_the_wait);
	tcase_add_test(farm, test_waiting_key_is_replaced);
	tcase_add_test(farm, test_replacement_does_not_wait);
	tcase_add_test(farm, test_new_node_seals_at_once);
	tcase_add_test(farm, test_restarted_node_catches_up);
	tcase_add_loop_test(farm, test_half_of_the_delay_is_in_time, 0, 2);
	suite_add_tcase(suite, farm);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_keep.c - the ring on a node's own disk: a restart without a store goes
 * on from it, and one that was tampered with is not believed.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "simfarm.h"

#define SEC 1000LL

static struct sim *sim;

static void begin(void)
{
	sim = calloc(1, sizeof(*sim));
	ck_assert_ptr_nonnull(sim);
	sim_begin(sim, 3);
}

static void end(void)
{
	sim_end(sim);
	free(sim);
}

static void make_dirs(void)
{
	size_t i;

	for (i = 0; i < sim->n; i++) {
		sim_close(sim, i);
		snprintf(sim->nodes[i].state_dir,
			 sizeof(sim->nodes[i].state_dir), "%.*s/node-%zu",
			 (int)(strrchr(sim->key_file, '/') - sim->key_file),
			 sim->key_file, i);
		ck_assert_int_eq(mkdir(sim->nodes[i].state_dir, 0700), 0);
		sim_open(sim, i);
	}
}

/* A restart without any store resumes at once from the kept ring. */
START_TEST(test_restart_without_store)
{
	const struct stek_key *sealing;
	uint8_t id[STEK_ID_LEN];

	make_dirs();
	sim_run(sim, 3 * SEC);
	memcpy(id, sim_sealing(sim, 0)->id, STEK_ID_LEN);
	sim->stores[0].answer = STEK_EUNAVAILABLE;
	sim_close(sim, 0);
	sim_open(sim, 0);
	sealing = sim_sealing(sim, 0);
	ck_assert_ptr_nonnull(sealing);
	ck_assert_mem_eq(sealing->id, id, STEK_ID_LEN);
	sim_run(sim, 3 * SEC);
	ck_assert_uint_eq(sim->nodes[0].events[STEK_EVENT_STATE_FILE], 0);
	/* The node that keeps nothing has nothing. */
	sim_close(sim, 1);
	sim->nodes[1].state_dir[0] = '\0';
	sim_open(sim, 1);
	ck_assert_ptr_null(sim_sealing(sim, 1));
}
END_TEST

/* A kept ring that does not open is told, set aside, and not believed. */
START_TEST(test_bad_state_file)
{
	char path[128];
	FILE *f;
	int byte;

	make_dirs();
	sim_run(sim, 3 * SEC);
	sim_close(sim, 0);
	snprintf(path, sizeof(path), "%s/ring.farm", sim->nodes[0].state_dir);
	f = fopen(path, "r+");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fseek(f, 60, SEEK_SET), 0);
	byte = fgetc(f);
	ck_assert_int_ge(byte, 0);
	ck_assert_int_eq(fseek(f, 60, SEEK_SET), 0);
	fputc(byte ^ 1, f);
	ck_assert_int_eq(fclose(f), 0);
	sim_open(sim, 0);
	ck_assert_ptr_null(sim_sealing(sim, 0));
	sim_run(sim, 3 * SEC);
	ck_assert_uint_eq(sim->nodes[0].events[STEK_EVENT_STATE_FILE], 1);
	sim_assert_same(sim);
	ck_assert_int_eq(access(path, F_OK), 0);
	strcat(path, ".bad");
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

static void restart_alone(bool with_state)
{
	size_t i;

	for (i = 0; i < sim->n; i++)
		sim_close(sim, i);
	if (!with_state)
		sim->nodes[0].state_dir[0] = '\0';
	sim_open(sim, 0);
}

static bool opens_any(const struct stek_ring *old)
{
	size_t i;

	for (i = 0; i < old->n_keys; i++) {
		const struct stek_key *key = stek__ring_find(sim_ring(sim, 0),
							     old->keys[i]->id);

		if (key && key->secret)
			return true;
	}
	return false;
}

/* Revokes all, stops all nodes, and puts the old ring into the store. */
static struct stek_ring *roll_back(uint64_t *epoch)
{
	struct stek_command *command;
	struct stek_ring *old;

	make_dirs();
	sim_run(sim, 3 * SEC);
	old = sim_stored(sim, &sim->stores[0]);
	command = sim_revoke(sim, 1, true, NULL);
	sim_await(sim, command, 5 * SEC);
	ck_assert_int_eq(command->result, 0);
	stek__command_free(command);
	sim_run(sim, 3 * SEC);
	*epoch = sim_ring(sim, 0)->version.epoch;
	ck_assert_uint_gt(*epoch, old->version.epoch);
	sim_plant(sim, &sim->stores[0], old);
	return old;
}

/*
 * REQ-32: a node that restarts against an old copy, with nobody left to tell
 * it better, knows its high-water mark: epoch, tombstones, floor.
 */
START_TEST(test_restart_against_old_copy)
{
	struct stek_ring *old, *stored;
	uint64_t epoch;
	int i;

	old = roll_back(&epoch);
	restart_alone(true);
	for (i = 0; i < 50; i++) {
		ck_assert(!opens_any(old));
		ck_assert_uint_ge(sim_ring(sim, 0)->version.epoch, epoch);
		sim_run(sim, SEC / 10);
	}
	ck_assert_ptr_nonnull(sim_sealing(sim, 0));
	/* And the store was told: within a poll it holds the union. */
	stored = sim_stored(sim, &sim->stores[0]);
	ck_assert_uint_gt(stored->version.epoch, epoch);
	ck_assert_int_gt(stored->revoked_before_ms, 0);
	stek__ring_unref(stored);
	stek__ring_unref(old);
}
END_TEST

/* Without a state directory such a node is fooled: that is what it is for. */
START_TEST(test_restart_without_state_is_fooled)
{
	struct stek_ring *old;
	uint64_t epoch;

	old = roll_back(&epoch);
	restart_alone(false);
	sim_run(sim, 3 * SEC);
	ck_assert(opens_any(old));
	stek__ring_unref(old);
}
END_TEST

/* REQ-32: of a copy 24 h old nothing opens; its keys' own times say so. */
START_TEST(test_day_old_copy)
{
	struct stek_ring *old;
	size_t i;

	make_dirs();
	sim_run(sim, 3 * SEC);
	old = sim_stored(sim, &sim->stores[0]);
	sim_run(sim, 24 * 3600 * SEC);
	sim_plant(sim, &sim->stores[0], old);
	restart_alone(false);
	for (i = 0; i < 50; i++) {
		ck_assert(!opens_any(old));
		sim_run(sim, SEC / 10);
	}
	ck_assert_ptr_nonnull(sim_sealing(sim, 0));
	stek__ring_unref(old);
}
END_TEST

/* A revocation without a store outlives the process that was told it. */
START_TEST(test_revocation_outlives_a_crash)
{
	struct stek_command *command;
	struct stek_ring *old;

	make_dirs();
	sim_run(sim, 3 * SEC);
	old = sim_stored(sim, &sim->stores[0]);
	sim->stores[0].answer = STEK_EUNAVAILABLE;
	sim_run(sim, 10 * SEC);
	command = sim_revoke(sim, 0, true, NULL);
	sim_await(sim, command, 15 * SEC);
	ck_assert(!command->change.published);
	stek__command_free(command);
	restart_alone(true);
	ck_assert(!opens_any(old));
	sim->stores[0].answer = 0;
	sim_run(sim, 10 * SEC);
	ck_assert(!opens_any(old));
	ck_assert_ptr_nonnull(sim_sealing(sim, 0));
	stek__ring_unref(old);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keep");
	TCase *farm = tcase_create("farm");
	SRunner *runner;
	int failed;

	tcase_set_timeout(farm, 60);
	tcase_add_checked_fixture(farm, begin, end);
	tcase_add_test(farm, test_restart_without_store);
	tcase_add_test(farm, test_bad_state_file);
	tcase_add_test(farm, test_restart_against_old_copy);
	tcase_add_test(farm, test_restart_without_state_is_fooled);
	tcase_add_test(farm, test_day_old_copy);
	tcase_add_test(farm, test_revocation_outlives_a_crash);
	suite_add_tcase(suite, farm);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

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

	make_dirs();
	sim_run(sim, 3 * SEC);
	sim_close(sim, 0);
	snprintf(path, sizeof(path), "%s/ring.farm", sim->nodes[0].state_dir);
	f = fopen(path, "r+");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fseek(f, 60, SEEK_SET), 0);
	fputc('!', f);
	fclose(f);
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
	suite_add_tcase(suite, farm);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

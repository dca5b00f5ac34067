// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_roll.c - the farm key rolled over in the simulated farm, a wiped
 * store's audit, and requests that come twice. What a node seals, every other
 * node opens at each step.
 */
#include <stdio.h>
#include <unistd.h>

#include "simchange.h"

static char files[3][96];

static void copy(const char *from, const char *to)
{
	char command[256];

	snprintf(command, sizeof(command), "cp -p %s %s", from, to);
	ck_assert_int_eq(system(command), 0);
}

/* Three nodes, each with a key file of its own. */
static void begin_roll(void)
{
	size_t i;

	begin();
	for (i = 0; i < 3; i++) {
		struct stek_roll *roll = &sim->nodes[i].farm->sync->roll;

		snprintf(files[i], sizeof(files[i]), "%s.%zu", sim->key_file,
			 i);
		copy(sim->key_file, files[i]);
		free(roll->path);
		roll->path = strdup(files[i]);
	}
	sim->check = true;
}

static void reload(size_t i, int expected)
{
	struct stek_command *command = calloc(1, sizeof(*command));

	ck_assert_ptr_nonnull(command);
	command->kind = STEK_COMMAND_RELOAD;
	strcpy(command->who, "test");
	strcpy(command->from, "unix");
	stek__sync_submit(sim->nodes[i].farm->sync, command);
	sim_await(sim, command, SEC);
	ck_assert_int_eq(command->result, expected);
	ck_assert(expected == 0 || strstr(command->why, files[i]));
	stek__command_free(command);
}

/* The number of entries that hold this text. */
static size_t entries_with(const char *text)
{
	size_t i, n = 0;

	for (i = 0; i < sim->stores[0].n_audit; i++)
		n += strstr(sim->stores[0].audit[i], text) != NULL;
	return n;
}

static bool ring_under(const uint8_t *id)
{
	return !memcmp(sim->stores[0].doc.data + 2, id, STEK_FARM_KEY_ID_LEN);
}

static void cut_first(size_t i)
{
	char command[1024];

	snprintf(command, sizeof(command), "grep -v "
		 "^# %.90s | tail -1 >%.90s.x && "
		 "cat %.90s.x >%.90s", files[i], files[i], files[i], files[i]);
	ck_assert_int_eq(system(command), 0);
}

/* Sealed anew only when all three hold it; the old line then goes. */
START_TEST(test_roll_over)
{
	struct stek_farm_key_status status;
	uint8_t id[8], old[8];
	char why[256];
	size_t i;

	stek_farm_key_status(sim->nodes[0].farm, &status);
	memcpy(old, status.ids[0], sizeof(old));
	ck_assert_int_eq(stek_farm_key_append(files[0], id, why, sizeof(why)),
			 0);
	copy(files[0], files[1]);
	reload(0, 0);
	reload(1, 0);
	sim_run(sim, 20 * SEC);
	ck_assert(ring_under(old));
	copy(files[0], files[2]);
	reload(2, 0);
	sim_run(sim, 10 * SEC);
	ck_assert(ring_under(id));
	sim_assert_same(sim);
	for (i = 0; i < 3; i++) {
		stek_farm_key_status(sim->nodes[i].farm, &status);
		ck_assert_uint_eq(status.seals, 1);
		cut_first(i);
		reload(i, 0);
	}
	sim_run(sim, 5 * SEC);
	ck_assert(ring_under(id));
	sim_assert_same(sim);
	ck_assert_uint_eq(entries_with("\"who\":\"test\",\"from\":\"unix\","
				       "\"action\":\"farm-key reload\""), 6);
	ck_assert_uint_eq(entries_with("\"who\":\"stekd\",\"from\":\"\","
				       "\"action\":\"farm-key reseal\""), 1);
}
END_TEST

/* The key under which the ring is sealed cannot be taken away, nor spoilt. */
START_TEST(test_reload_is_all_or_nothing)
{
	struct stek_farm_key_status status;
	uint8_t id[8];
	FILE *f;

	unlink(files[0]);
	ck_assert_int_eq(stek_farm_key_generate(files[0], id), 0);
	reload(0, STEK_EREFUSED);
	f = fopen(files[1], "a");
	ck_assert_ptr_nonnull(f);
	fputs("stek-farm-key-1 0\n", f);
	fclose(f);
	reload(1, STEK_EFORMAT);
	stek_farm_key_status(sim->nodes[0].farm, &status);
	ck_assert_uint_eq(status.n, 1);
	ck_assert(ring_under(status.ids[0]));
	sim_run(sim, 5 * SEC);
	sim_assert_same(sim);
}
END_TEST

/* A node that slept through it is refused, and overwrites nothing. */
START_TEST(test_node_with_old_key_only)
{
	struct stek_status status;
	uint64_t epoch;
	uint8_t id[8];
	char why[256];

	sim->nodes[2].frozen = true;
	sim_run(sim, 5 * SEC);
	ck_assert_int_eq(stek_farm_key_append(files[0], id, why, sizeof(why)),
			 0);
	copy(files[0], files[1]);
	reload(0, 0);
	reload(1, 0);
	sim_run(sim, 10 * SEC);
	ck_assert(ring_under(id));
	epoch = sim->stores[0].version.epoch;
	sim->check = false;
	sim->nodes[2].frozen = false;
	sim_run(sim, 5 * SEC);
	stek_farm_status(sim->nodes[2].farm, &status);
	ck_assert_int_eq(status.store, STEK_STORE_REFUSED);
	ck_assert_ptr_nonnull(strstr(status.store_detail, "lacks"));
	ck_assert(ring_under(id));
	ck_assert_uint_eq(sim->stores[0].version.epoch, epoch);
	copy(files[0], files[2]);
	reload(2, 0);
	sim_run(sim, 5 * SEC);
	stek_farm_status(sim->nodes[2].farm, &status);
	ck_assert_int_eq(status.store, STEK_STORE_OK);
	sim_assert_same(sim);
}
END_TEST

static struct stek_command *named(size_t i, bool force, const char *name)
{
	struct stek_command *command = sim_rotate(sim, i, force, NULL);

	strcpy(command->request, name);
	return command;
}

/* The same name: one key, here and at another node; another body: refused. */
START_TEST(test_request_comes_twice)
{
	struct stek_command *one = named(0, true, "once"), *two;
	size_t i;

	sim_await(sim, one, 5 * SEC);
	ck_assert_int_eq(one->result, 0);
	for (i = 0; i < 2; i++) {
		two = named(i, true, "once");
		sim_await(sim, two, 5 * SEC);
		ck_assert_int_eq(two->result, 0);
		ck_assert(two->change.replayed);
		ck_assert_mem_eq(two->change.key_id, one->change.key_id,
				 STEK_ID_LEN);
		ck_assert_uint_eq(two->change.n_acks, 3);
		stek__command_free(two);
	}
	two = named(2, false, "once");
	sim_await(sim, two, 5 * SEC);
	ck_assert_int_eq(two->result, STEK_EREUSED);
	stek__command_free(two);
	two = named(2, true, "twice");
	sim_await(sim, two, 5 * SEC);
	ck_assert_int_eq(two->result, 0);
	ck_assert(!two->change.replayed);
	stek__command_free(two);
	stek__command_free(one);
}
END_TEST

/* Should its node die meanwhile, the audit still says who asked for it. */
START_TEST(test_asked_for_names_who)
{
	struct stek_command *command = named(1, false, "a");

	strcpy(command->from, "loop\"back\"\n");
	sim_await(sim, command, 5 * SEC);
	ck_assert_int_eq(command->result, 0);
	sim_run(sim, SEC);
	ck_assert_uint_eq(entries_with("\"who\":\"test \\\"quoted\\\"\","
				       "\"from\":\"loop\\\"back\\\"?\","
				       "\"action\":\"rotate\","
				       "\"result\":\"asked for\"}"), 1);
	ck_assert_uint_eq(entries_with("\"result\":\"ok\""), 1);
	stek__command_free(command);
}
END_TEST

/* What was refused and changed nothing may be asked for again. */
START_TEST(test_refused_request_may_come_again)
{
	struct stek_command *one = named(0, false, "a"), *two;

	sim_await(sim, one, 5 * SEC);
	ck_assert_int_eq(one->result, 0);
	stek__command_free(one);
	two = named(1, false, "b");
	sim_await(sim, two, 5 * SEC);
	ck_assert_int_eq(two->result, STEK_EREFUSED);
	stek__command_free(two);
	sim_run(sim, 61 * SEC);
	two = named(1, false, "b");
	sim_await(sim, two, 5 * SEC);
	ck_assert_int_eq(two->result, 0);
	ck_assert(!two->change.replayed);
	stek__command_free(two);
}
END_TEST

/* A dry run says it all and changes nothing. */
START_TEST(test_dry_run)
{
	struct stek_version before = sim_ring(sim, 0)->version;
	struct stek_command *command = sim_revoke(sim, 0, true, NULL);

	command->dry_run = true;
	sim_await(sim, command, SEC);
	ck_assert_int_eq(command->result, 0);
	ck_assert_uint_eq(command->change.n_revoked,
			  sim_ring(sim, 0)->n_keys);
	ck_assert_uint_eq(command->change.n_acks, 3);
	ck_assert(command->change.activate_at_ms > sim->now_ms);
	stek__command_free(command);
	command = sim_rotate(sim, 1, false, NULL);
	command->dry_run = true;
	sim_await(sim, command, SEC);
	ck_assert_int_eq(command->result, 0);
	stek__command_free(command);
	sim_run(sim, SEC);
	ck_assert(stek_version_equal(&before, &sim_ring(sim, 0)->version));
	ck_assert_uint_eq(sim->stores[0].n_audit, 0);
}
END_TEST

static void rotate_now(size_t i)
{
	struct stek_command *command = sim_rotate(sim, i, true, NULL);

	sim_await(sim, command, 5 * SEC);
	ck_assert_int_eq(command->result, 0);
	stek__command_free(command);
}

static struct stek_command *audit_at(size_t i)
{
	struct stek_command *command = calloc(1, sizeof(*command));

	ck_assert_ptr_nonnull(command);
	command->kind = STEK_COMMAND_AUDIT;
	command->verify = true;
	command->limit = 100;
	stek__sync_submit(sim->nodes[i].farm->sync, command);
	sim_await(sim, command, SEC);
	ck_assert_int_eq(command->result, 0);
	return command;
}

/* The nodes go on from what they remember, and the gap shows. */
START_TEST(test_audit_of_wiped_store)
{
	struct stek_command *command;

	rotate_now(0);
	rotate_now(1);
	command = audit_at(2);
	ck_assert(!command->audit.broken);
	ck_assert_uint_eq(command->audit.n, 2);
	stek__command_free(command);
	while (sim->stores[0].n_audit > 0)
		free(sim->stores[0].audit[--sim->stores[0].n_audit]);
	rotate_now(1);
	command = audit_at(2);
	ck_assert(command->audit.broken);
	ck_assert_uint_eq(command->audit.broken_seq, 3);
	ck_assert_ptr_nonnull(strstr(command->audit.fault, "1 to 2"));
	stek__command_free(command);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("roll");
	TCase *tcase = tcase_create("roll");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, begin_roll, end);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_roll_over);
	tcase_add_test(tcase, test_reload_is_all_or_nothing);
	tcase_add_test(tcase, test_node_with_old_key_only);
	tcase_add_test(tcase, test_request_comes_twice);
	tcase_add_test(tcase, test_asked_for_names_who);
	tcase_add_test(tcase, test_refused_request_may_come_again);
	tcase_add_test(tcase, test_dry_run);
	tcase_add_test(tcase, test_audit_of_wiped_store);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}

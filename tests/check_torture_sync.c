// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_torture_sync.c - a node founds a farm over either store, follows one,
 * rotates or revokes, with every single allocation, or call about a file, failed
 * in turn. What fails is an error that is told, or made up for: afterwards a key
 * seals, both nodes hold one ring, and a request that was done is not done a
 * second time. The sync is stepped here, by a clock of the test's own.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault_disk.h"
#include "redis_server.h"
#include "sync.h"
#include "torture.h"

/* A store, and what fails; with the file store there is a kept ring, too. */
enum { FILE_STORE, REDIS_STORE, FILE_CALLS, KINDS };

#define STEP_MS 1000
#define STEPS 8		/* under faults */
#define PATIENCE 200	/* steps, until all is well again */

/* An hour into a slot of six: no key changes by itself. */
#define START_MS (INT64_C(21600000) * 83334 + 3600000)

static struct redis_server server;
static char dir[64], key_file[96], url[160], state[96];
static int kind;
static int64_t now_ms;

static int64_t clock_ms(void *user)
{
	(void)user;
	return now_ms;
}

static uint32_t no_jitter(void *user, uint32_t bound)
{
	(void)user;
	(void)bound;
	return 0;
}

/* No fault: 0. */
static void fault_begin(unsigned n)
{
	if (kind == FILE_CALLS)
		disk_begin(DISK_EIO, n);
	else
		torture_begin(n);
}

static void fault_on(void)
{
	if (kind == FILE_CALLS)
		disk_on();
	else
		torture_on();
}

static void fault_off(void)
{
	disk_off();
	torture_off();
}

static bool fault_end(void)
{
	return kind == FILE_CALLS ? disk_end() : torture_end();
}

static void empty_store(void)
{
	char command[448];

	if (kind == REDIS_STORE) {
		redis_server_tell(&server, "FLUSHALL");
		return;
	}
	snprintf(command, sizeof(command), "rm -rf %s/store %s &&"
		 " mkdir %s/store %s", dir, state, dir, state);
	ck_assert_int_eq(system(command), 0);
}

static void begin(int which)
{
	uint8_t id[8];

	kind = which;
	strcpy(dir, "/tmp/stek-torture-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(key_file, sizeof(key_file), "%s/key", dir);
	ck_assert_int_eq(stek_farm_key_generate(key_file, id), 0);
	snprintf(url, sizeof(url), "file:%s/store", dir);
	snprintf(state, sizeof(state), "%s/state", dir);
	if (kind == REDIS_STORE) {
		redis_server_start(&server, false);
		snprintf(url, sizeof(url), "%s", server.url);
	}
}

static void end(void)
{
	char command[96];

	if (kind == REDIS_STORE)
		redis_server_stop(&server);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static struct stek_farm *open_node(const char *node, char *why, size_t why_len)
{
	const struct stek_io io = { clock_ms, clock_ms, no_jitter, NULL };
	const struct stek_farm_options options = {
		.farm = "farm", .node = node, .farm_key_file = key_file,
		.store_url = url,
		.state_dir = kind == REDIS_STORE ? NULL : state,
		.policy = { .beat_ms = 1000, .rotate_delay_ms = 2000,
			    .revoke_delay_ms = 200, .rotate_interval_s = 1 },
	};
	struct stek_farm *farm = NULL;
	int err;

	fault_on();
	err = stek__farm_open(&farm, &options, &io, NULL, why, why_len);
	fault_off();
	ck_assert_int_eq(err == 0, farm != NULL);
	return farm;
}

static void step(struct stek_farm *farm)
{
	now_ms += STEP_MS;
	fault_on();
	(void)stek__sync_step(farm->sync, false);
	fault_off();
}

static struct stek_farm *open_well(const char *node)
{
	char why[256] = "";
	struct stek_farm *farm = open_node(node, why, sizeof(why));

	ck_assert_msg(farm != NULL, "%s", why);
	return farm;
}

static void await_seal(struct stek_farm *farm)
{
	int i;

	for (i = 0; i < PATIENCE && !stek_farm_can_seal(farm); i++)
		step(farm);
	ck_assert(stek_farm_can_seal(farm));
}

/* The second node holds the very ring. */
static void agree(struct stek_farm *farm, struct stek_farm *other)
{
	struct stek_status ours, theirs;
	int i = 0;

	do {
		step(other);
		step(farm);
		stek_farm_status(farm, &ours);
		stek_farm_status(other, &theirs);
	} while (i++ < PATIENCE && !(stek_farm_can_seal(other) &&
				     stek_version_equal(&ours.version,
							&theirs.version)));
	ck_assert(stek_version_equal(&ours.version, &theirs.version));
	ck_assert(stek_farm_can_seal(other));
}

/*
 * Opens a node and turns it with the n-th allocation failing, then without. It
 * may not open at all, if it says why.
 */
static struct stek_farm *open_hit(const char *node, unsigned n, bool *hit)
{
	struct stek_farm *farm;
	char why[256] = "";
	int i;

	fault_begin(n);
	farm = open_node(node, why, sizeof(why));
	for (i = 0; farm && i < STEPS; i++)
		step(farm);
	*hit = fault_end();
	ck_assert(farm || (*hit && why[0]));
	return farm ? farm : open_well(node);
}

/* From nothing: the farm is opened and its first keys are made. */
static bool found(unsigned n)
{
	struct stek_farm *farm, *other;
	bool hit;

	now_ms = START_MS;
	empty_store();
	farm = open_hit("node-1", n, &hit);
	await_seal(farm);
	other = open_well("node-2");
	agree(farm, other);
	stek_farm_close(other);
	stek_farm_close(farm);
	return hit;
}

/* The ring is there: it is fetched and merged. */
static bool follow(unsigned n)
{
	struct stek_farm *farm, *other;
	bool hit;

	now_ms = START_MS;
	empty_store();
	farm = open_well("node-1");
	await_seal(farm);
	other = open_hit("node-2", n, &hit);
	agree(farm, other);
	stek_farm_close(other);
	stek_farm_close(farm);
	return hit;
}

/* ---- a change ----------------------------------------------------------------- */

static struct stek_command *ask(struct stek_farm *farm,
				enum stek_command_kind what)
{
	struct stek_command *command = calloc(1, sizeof(*command));

	ck_assert_ptr_nonnull(command);
	command->kind = what;
	command->all = what == STEK_COMMAND_REVOKE;
	strcpy(command->who, "test");
	strcpy(command->request, "one");
	stek__sync_submit(farm->sync, command);
	return command;
}

/* Only the first of them meets the fault. */
static void turn(struct stek_farm *farm, struct stek_farm *other)
{
	step(farm);
	(void)stek__sync_step(other->sync, false);
}

static void await_done(struct stek_farm *farm, struct stek_farm *other,
		       struct stek_command *command)
{
	int i;

	for (i = 0; i < PATIENCE && !command->done; i++)
		turn(farm, other);
	ck_assert(command->done);
}

/* The same request again is recognised, if the first did anything. */
static void ask_again(struct stek_farm *farm, struct stek_farm *other,
		      enum stek_command_kind what, bool was_done)
{
	struct stek_command *again;
	struct stek_status before, after;
	int i;

	/* After a revocation the next key is made in its own time. */
	for (i = 0; i < STEPS; i++)
		turn(farm, other);
	stek_farm_status(farm, &before);
	again = ask(farm, what);
	await_done(farm, other, again);
	stek_farm_status(farm, &after);
	if (was_done) {
		ck_assert(again->change.replayed);
		ck_assert(stek_version_equal(&before.version, &after.version));
	} else {
		ck_assert(again->result == 0 || again->result == STEK_EBUSY);
	}
	stek__command_free(again);
}

static bool change(unsigned n, enum stek_command_kind what)
{
	struct stek_farm *farm, *other;
	struct stek_command *command;
	bool hit, was_done;
	int i;

	now_ms = START_MS;
	empty_store();
	farm = open_well("node-1");
	await_seal(farm);
	other = open_well("node-2");
	agree(farm, other);
	fault_begin(n);
	command = ask(farm, what);
	for (i = 0; i < STEPS && !command->done; i++)
		turn(farm, other);
	hit = fault_end();
	await_done(farm, other, command);
	ck_assert(command->result == 0 || hit);
	was_done = command->change.published || command->applied;
	stek__command_free(command);
	ask_again(farm, other, what, was_done);
	agree(farm, other);
	stek_farm_close(other);
	stek_farm_close(farm);
	return hit;
}

static bool rotate(unsigned n)
{
	return change(n, STEK_COMMAND_ROTATE);
}

static bool revoke_all(unsigned n)
{
	return change(n, STEK_COMMAND_REVOKE);
}

/* ---- all of them -------------------------------------------------------------- */

static void run(bool (*what)(unsigned n), const char *name)
{
	static const char *const kinds[] = { "file", "Redis", "calls" };
	char text[64];

	snprintf(text, sizeof(text), "%s, %s", name, kinds[kind]);
	torture(what, 30, text);
}

START_TEST(test_every_fault_of_the_first_node)
{
	begin(_i);
	run(found, "first node");
	end();
}
END_TEST

START_TEST(test_every_fault_of_the_second_node)
{
	begin(_i);
	run(follow, "second node");
	end();
}
END_TEST

START_TEST(test_every_fault_of_a_rotation)
{
	begin(_i);
	run(rotate, "rotation");
	end();
}
END_TEST

START_TEST(test_every_fault_of_a_revocation)
{
	begin(_i);
	run(revoke_all, "revocation");
	end();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("torture_sync");
	TCase *tcase = tcase_create("sync");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 300);
	tcase_add_loop_test(tcase, test_every_fault_of_the_first_node, 0, KINDS);
	tcase_add_loop_test(tcase, test_every_fault_of_the_second_node, 0, KINDS);
	tcase_add_loop_test(tcase, test_every_fault_of_a_rotation, 0, KINDS);
	tcase_add_loop_test(tcase, test_every_fault_of_a_revocation, 0, KINDS);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

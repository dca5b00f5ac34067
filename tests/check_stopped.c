// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_stopped.c - REQ-29 with real processes and a real Redis: a node that is
 * stopped (SIGSTOP) between its read and its write, while another publishes,
 * has its stale write refused when it goes on; nothing of the other's is lost,
 * and what the stopped node wanted comes to be.
 */
#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "redis_server.h"
#include "sync.h"

#define AWAIT_MS 20000

enum wish { ROTATE, REVOKE, WISHES };

/* What the stopped node has to say when it is done. */
struct report {
	int result;
	uint64_t conflicts;
	uint8_t key_id[STEK_ID_LEN];
};

static struct redis_server server;
static char key_file[96];
static struct stek_farm *farm;
static struct stek_store_ops stopping;
static int (*publish)(struct stek_store *store,
		      const struct stek_version *expect,
		      const struct stek_version *next, const uint8_t *doc,
		      size_t len);
static atomic_bool armed;

static int64_t mono_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* It knows what it read, and stops before that is written. */
static int stop_and_publish(struct stek_store *store,
			    const struct stek_version *expect,
			    const struct stek_version *next,
			    const uint8_t *doc, size_t len)
{
	if (atomic_exchange(&armed, false))
		raise(SIGSTOP);
	return publish(store, expect, next, doc, len);
}

static struct stek_farm *open_farm(const char *node, bool stops)
{
	const struct stek_store_options at = { .farm = "farm",
					       .url = server.url,
					       .timeout_ms = 20000 };
	const struct stek_farm_options options = {
		.farm = "farm", .node = node, .farm_key_file = key_file,
		.store_url = server.url,
		.policy = { .beat_ms = 100, .rotate_delay_ms = 2000,
			    .revoke_delay_ms = 200 },
	};
	struct stek_farm *out = NULL;
	struct stek_store *store = NULL;
	char why[256] = "";

	if (stek__store_open(&store, &at, why, sizeof(why)))
		abort();
	if (stops) {
		stopping = *store->ops;
		publish = stopping.publish;
		stopping.publish = stop_and_publish;
		store->ops = &stopping;
	}
	if (stek__farm_open(&out, &options, NULL, store, why, sizeof(why)) ||
	    stek_farm_start(out))
		abort();
	return out;
}

static void await(bool (*so)(void), const char *what)
{
	int64_t until_ms = mono_ms() + AWAIT_MS;

	while (!so()) {
		if (mono_ms() > until_ms) {
			fprintf(stderr, "never: %s\n", what);
			abort();
		}
		poll(NULL, 0, 2);
	}
}

static bool can_seal(void)
{
	return stek_farm_can_seal(farm);
}

static bool has_three(void)
{
	struct stek_ring_info ring;

	stek_farm_ring(farm, &ring);
	return ring.n_keys >= 3;
}

static void last_key(uint8_t id[STEK_ID_LEN])
{
	struct stek_ring_info ring;

	stek_farm_ring(farm, &ring);
	memcpy(id, ring.keys[ring.n_keys - 1].id, STEK_ID_LEN);
}

/* The process that is stopped. It ends when nobody listens any more. */
static void run_stopped(enum wish wish, int out)
{
	struct stek_rotate rotate = { .force = true, .who = "stopped" };
	struct stek_revoke revoke = { .n_ids = 1, .who = "stopped" };
	struct report report = { 0 };
	struct stek_change change;
	struct stek_status status;

	farm = open_farm("stopped", true);
	await(can_seal, "a key");
	await(has_three, "the pending keys");
	last_key(report.key_id);
	revoke.ids = (const uint8_t (*)[STEK_ID_LEN])&report.key_id;
	atomic_store(&armed, true);
	report.result = wish == ROTATE ?
				stek_farm_rotate(farm, &rotate, &change) :
				stek_farm_revoke(farm, &revoke, &change);
	if (wish == ROTATE)
		memcpy(report.key_id, change.key_id, STEK_ID_LEN);
	stek_change_clear(&change);
	stek_farm_status(farm, &status);
	report.conflicts = status.conflicts;
	signal(SIGPIPE, SIG_DFL);
	while (write(out, &report, sizeof(report)) == sizeof(report))
		poll(NULL, 0, 100);
	_exit(0);
}

static void set_up(void)
{
	uint8_t id[8];

	redis_server_start(&server, false);
	snprintf(key_file, sizeof(key_file), "%s/key", server.dir);
	ck_assert_int_eq(stek_farm_key_generate(key_file, id), 0);
}

static void tear_down(void)
{
	stek_farm_close(farm);
	redis_server_stop(&server);
}

static const struct stek_key_info *find(const struct stek_ring_info *ring,
					const uint8_t *id)
{
	for (size_t i = 0; i < ring->n_keys; i++) {
		if (!memcmp(ring->keys[i].id, id, STEK_ID_LEN))
			return &ring->keys[i];
	}
	return NULL;
}

static uint8_t wanted[STEK_ID_LEN];
static int wanted_state;

static bool has_wanted(void)
{
	const struct stek_key_info *key;
	struct stek_ring_info ring;

	stek_farm_ring(farm, &ring);
	key = find(&ring, wanted);
	return key && (wanted_state < 0 || (int)key->state == wanted_state);
}

/* REQ-29: refused, merged, and both nodes' keys are there in the end. */
START_TEST(test_stopped_between_read_and_write)
{
	struct stek_rotate rotate = { .force = true, .who = "other" };
	const enum wish wish = (enum wish)_i;
	struct stek_ring_info ring;
	struct stek_change change;
	struct report report;
	uint8_t ours[STEK_ID_LEN];
	int status, ends[2];
	pid_t pid;

	ck_assert_int_eq(pipe(ends), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		close(ends[0]);
		run_stopped(wish, ends[1]);
	}
	close(ends[1]);
	ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
	ck_assert(WIFSTOPPED(status));
	/* Another node publishes meanwhile. */
	farm = open_farm("other", false);
	await(can_seal, "a key");
	ck_assert_int_eq(stek_farm_rotate(farm, &rotate, &change), 0);
	memcpy(ours, change.key_id, STEK_ID_LEN);
	stek_change_clear(&change);
	ck_assert_int_eq(kill(pid, SIGCONT), 0);
	ck_assert_int_eq(read(ends[0], &report, sizeof(report)),
			 sizeof(report));
	ck_assert_int_eq(report.result, 0);
	ck_assert_uint_ge(report.conflicts, 1);
	memcpy(wanted, report.key_id, STEK_ID_LEN);
	wanted_state = wish == REVOKE ? STEK_REVOKED : -1;
	await(has_wanted, "what the stopped node wanted");
	stek_farm_ring(farm, &ring);
	ck_assert_ptr_nonnull(find(&ring, ours));
	ck_assert_int_lt(find(&ring, ours)->state, STEK_REVOKED);
	close(ends[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stopped");
	TCase *tc = tcase_create("redis");
	SRunner *runner;
	int failed;

	if (!redis_server_exists()) {
		fputs("no redis-server: skipped\n", stderr);
		return 77;
	}
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, test_stopped_between_read_and_write, 0, WISHES);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

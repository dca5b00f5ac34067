// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_farm.c - three real farms with their threads in one process, over the
 * file store and over a real redis-server that is killed, emptied and frozen.
 */
#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "redis_server.h"
#include "sync.h"

enum { FILE_STORE, REDIS_STORE, STORES };

#define NODES 3
#define AWAIT_MS 20000

static struct redis_server server;
static char dir[64], key_file[96], url[160];
static struct stek_farm *farms[NODES];
static int kind;
static atomic_uint n_events[16];

static int64_t mono_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void on_event(void *user, const struct stek_event *event)
{
	(void)user;
	atomic_fetch_add(&n_events[event->kind], 1);
}

static size_t on_beat(void *user, uint8_t *buf, size_t cap)
{
	(void)user;
	memset(buf, 'p', cap);
	return cap;	/* the most that there may be */
}

static void open_farm(size_t i)
{
	char node[16], why[256];
	struct stek_farm_options options = {
		.farm = "farm", .node = node, .farm_key_file = key_file,
		.state_dir = NULL, .store_url = url, .on_event = on_event,
		.on_beat = on_beat,
		.policy = { .beat_ms = 500, .rotate_delay_ms = 4000,
			    .revoke_delay_ms = 200 },
	};

	snprintf(node, sizeof(node), "node-%zu", i);
	ck_assert_msg(!stek_farm_open(&farms[i], &options, why, sizeof(why)),
		      "%s", why);
	ck_assert_int_eq(stek_farm_start(farms[i]), 0);
}

static void await(bool (*so)(void), const char *what)
{
	int64_t until_ms = mono_ms() + AWAIT_MS;

	while (!so()) {
		ck_assert_msg(mono_ms() < until_ms, "never: %s", what);
		poll(NULL, 0, 2);
	}
}

static struct stek_version version_of(size_t i)
{
	struct stek_status status;

	stek_farm_status(farms[i], &status);
	return status.version;
}

static bool all_same(void)
{
	struct stek_version first = version_of(0), other;
	size_t i;

	for (i = 0; i < NODES; i++) {
		other = version_of(i);
		if (!other.epoch || !stek_version_equal(&first, &other) ||
		    !stek_farm_can_seal(farms[i]))
			return false;
	}
	return true;
}

static void begin(int which)
{
	uint8_t id[8];
	size_t i;

	kind = which;
	strcpy(dir, "/tmp/stek-farm-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(key_file, sizeof(key_file), "%s/key", dir);
	ck_assert_int_eq(stek_farm_key_generate(key_file, id), 0);
	snprintf(url, sizeof(url), "file:%s/store", dir);
	if (kind == REDIS_STORE) {
		redis_server_start(&server, false);
		snprintf(url, sizeof(url), "%s", server.url);
	}
	for (i = 0; i < NODES; i++)
		open_farm(i);
	await(all_same, "one ring at every node");
}

static void end(void)
{
	char command[128];
	size_t i;

	for (i = 0; i < NODES; i++) {
		stek_farm_close(farms[i]);
		farms[i] = NULL;
	}
	redis_server_stop(&server);
	if (!dir[0])
		return;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static void assert_acks(const struct stek_change *change, size_t n)
{
	size_t i;

	ck_assert_uint_eq(change->n_acks, n);
	for (i = 0; i < n; i++)
		ck_assert_msg(change->acks[i].acknowledged, "%s",
			      change->acks[i].name);
}

/* Three nodes start at once: one key for each slot, and all see all. */
START_TEST(test_join)
{
	struct stek_member *members;
	struct stek_ring_info *info = calloc(1, sizeof(*info));
	size_t n, i;

	begin(_i);
	stek_farm_ring(farms[1], info);
	ck_assert_uint_eq(info->n_keys, 3);
	ck_assert_int_eq(info->keys[0].state, STEK_ACTIVE);
	ck_assert_int_eq(info->keys[1].state, STEK_PENDING);
	free(info);
	ck_assert_int_eq(stek_farm_members(farms[2], 2000, &members, &n), 0);
	ck_assert_uint_eq(n, NODES);
	for (i = 0; i < n; i++) {
		ck_assert(members[i].live);
		ck_assert(members[i].self == (i == 2));
		ck_assert_uint_eq(members[i].payload_len, STEK_PAYLOAD_MAX);
	}
	free(members);
	/* Who closes leaves no trace. */
	stek_farm_close(farms[0]);
	farms[0] = NULL;
	ck_assert_int_eq(stek_farm_members(farms[2], 2000, &members, &n), 0);
	ck_assert_uint_eq(n, NODES - 1);
	free(members);
}
END_TEST

/* A rotation and a revocation, acknowledged by all within moments. */
START_TEST(test_rotate_and_revoke)
{
	const struct stek_rotate rotate = { .who = "test" };
	const struct stek_revoke revoke = { .who = "test", .all = true };
	struct stek_change change;
	int64_t before_ms;

	begin(_i);
	before_ms = mono_ms();
	ck_assert_int_eq(stek_farm_rotate(farms[0], &rotate, &change), 0);
	ck_assert_int_lt(mono_ms() - before_ms, 2000);
	assert_acks(&change, NODES);
	stek_change_clear(&change);
	ck_assert_int_eq(stek_farm_rotate(farms[1], &rotate, &change),
			 STEK_EREFUSED);
	stek_change_clear(&change);
	ck_assert_int_eq(stek_farm_revoke(farms[2], &revoke, &change), 0);
	assert_acks(&change, NODES);
	ck_assert_uint_eq(change.n_revoked, 4);
	stek_change_clear(&change);
	await(all_same, "sealing again");
	ck_assert_uint_ge(n_events[STEK_EVENT_REVOKED], 1);
}
END_TEST

/* Requests that make no sense are refused before any thread is asked. */
START_TEST(test_bad_requests)
{
	static const uint8_t ids[1][STEK_ID_LEN];
	struct stek_rotate rotate = { .who = NULL };
	struct stek_revoke revoke = { .who = "test" };
	struct stek_change change;

	begin(_i);
	ck_assert_int_eq(stek_farm_rotate(farms[0], &rotate, &change),
			 STEK_EINVAL);
	stek_change_clear(&change);
	ck_assert_int_eq(stek_farm_revoke(farms[0], &revoke, &change),
			 STEK_EINVAL);
	stek_change_clear(&change);
	revoke.ids = ids;
	revoke.n_ids = 1;
	ck_assert_int_eq(stek_farm_revoke(farms[0], &revoke, &change),
			 STEK_ENOKEY);
	stek_change_clear(&change);
	ck_assert_int_eq(stek_farm_start(farms[0]), STEK_EINVAL);
}
END_TEST

static struct stek_version before;

static bool stored_again(void)
{
	const char *argv[] = { "HEXISTS", "stek:{farm}:ring", "doc" };
	redisReply *reply = redis_server_do(&server, 3, argv, NULL);
	bool there = reply->type == REDIS_REPLY_INTEGER && reply->integer;

	freeReplyObject(reply);
	return there && all_same();
}

/* Told after the store has answered, so a moment after it can be seen there. */
static bool restored_told(void)
{
	return n_events[STEK_EVENT_RESTORED] >= 1;
}

static bool down(void)
{
	struct stek_status status;

	stek_farm_status(farms[0], &status);
	return status.store == STEK_STORE_UNAVAILABLE;
}

/* Redis killed and started empty: no key is lost, and rotation goes on. */
START_TEST(test_redis_killed_and_emptied)
{
	const struct stek_rotate rotate = { .who = "test" };
	struct stek_ring_info *info = calloc(2, sizeof(*info));
	struct stek_change change;
	int err;

	begin(REDIS_STORE);
	before = version_of(0);
	stek_farm_ring(farms[0], &info[0]);
	redis_server_kill(&server);
	await(down, "the outage is noticed");
	ck_assert(stek_farm_can_seal(farms[0]));
	err = stek_farm_rotate(farms[0], &rotate, &change);
	ck_assert_int_eq(err, STEK_EUNAVAILABLE);
	stek_change_clear(&change);
	redis_server_restart(&server);
	await(stored_again, "the ring is back in the store");
	stek_farm_ring(farms[2], &info[1]);
	ck_assert_uint_eq(info[1].n_keys, info[0].n_keys);
	ck_assert_mem_eq(info[1].keys[0].id, info[0].keys[0].id, STEK_ID_LEN);
	ck_assert(stek_farm_has_key(farms[2], info[0].keys[0].id));
	info[0].keys[0].id[STEK_ID_LEN - 1] ^= 1;
	ck_assert(!stek_farm_has_key(farms[2], info[0].keys[0].id));
	await(restored_told, "a node says that it put the ring back");
	ck_assert_int_eq(stek_farm_rotate(farms[0], &rotate, &change), 0);
	stek_change_clear(&change);
	free(info);
}
END_TEST

/* Redis frozen: every call ends by its deadline, closing does too. */
START_TEST(test_redis_frozen)
{
	const struct stek_revoke revoke = { .who = "test", .all = true };
	struct stek_member *members;
	struct stek_change change;
	int64_t before_ms;
	size_t n;

	begin(REDIS_STORE);
	ck_assert_int_eq(kill(server.pid, SIGSTOP), 0);
	before_ms = mono_ms();
	ck_assert_int_eq(stek_farm_members(farms[1], 300, &members, &n),
			 STEK_EUNAVAILABLE);
	ck_assert_int_lt(mono_ms() - before_ms, 2000);
	ck_assert_int_eq(stek_farm_revoke(farms[0], &revoke, &change),
			 STEK_EUNAVAILABLE);
	ck_assert(!change.published);
	ck_assert(!stek_farm_can_seal(farms[0]));
	stek_change_clear(&change);
	ck_assert_int_lt(mono_ms() - before_ms, 8000);
	before_ms = mono_ms();
	stek_farm_close(farms[1]);
	farms[1] = NULL;
	ck_assert_int_lt(mono_ms() - before_ms, 5000);
	ck_assert_int_eq(kill(server.pid, SIGCONT), 0);
	open_farm(1);
	await(all_same, "revoked everywhere, sealing again");
}
END_TEST

static bool holds(const uint8_t *data, size_t len, const uint8_t *secret)
{
	return memmem(data, len, secret, STEK_SECRET_LEN) != NULL;
}

/* The whole of Redis, as it would lie on a disk. */
static uint8_t *dump(size_t *len)
{
	static uint8_t buf[1 << 20];
	char path[96];
	FILE *f;

	redis_server_tell(&server, "SAVE");
	snprintf(path, sizeof(path), "%s/dump.rdb", server.dir);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	*len = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	ck_assert_uint_lt(*len, sizeof(buf));
	return buf;
}

/* No secret of the ring lies in Redis; a planted one is found. */
START_TEST(test_no_secret_in_redis)
{
	const struct stek_rotate rotate = { .who = "test" };
	const struct stek_ring *ring;
	struct stek_change change;
	const uint8_t *data;
	size_t i, len;
	unsigned slot;

	begin(REDIS_STORE);
	ck_assert_int_eq(stek_farm_rotate(farms[0], &rotate, &change), 0);
	stek_change_clear(&change);
	ring = stek__guard_enter(&farms[0]->guard, &slot);
	data = dump(&len);
	ck_assert_uint_gt(len, 500);
	for (i = 0; i < ring->n_keys; i++)
		ck_assert(!holds(data, len, ring->keys[i]->secret));
	{
		const char *argv[] = { "SET", "planted",
				       (char *)ring->keys[1]->secret };
		const size_t lens[] = { 3, 7, STEK_SECRET_LEN };

		freeReplyObject(redis_server_do(&server, 3, argv, lens));
	}
	data = dump(&len);
	ck_assert(holds(data, len, ring->keys[1]->secret));
	stek__guard_leave(&farms[0]->guard, slot);
}
END_TEST

static atomic_bool busy;

static void *ask(void *arg)
{
	struct stek_ring_info *info = calloc(1, sizeof(*info));
	struct stek_farm *farm = arg;
	struct stek_member *members;
	struct stek_status status;
	size_t n;

	while (atomic_load(&busy)) {
		stek_farm_ring(farm, info);
		stek_farm_status(farm, &status);
		(void)stek_farm_can_seal(farm);
		if (!stek_farm_members(farm, 2000, &members, &n))
			free(members);
	}
	free(info);
	return NULL;
}

/* Readers on other threads while everything changes under them. */
START_TEST(test_threads)
{
	const struct stek_rotate rotate = { .who = "test", .force = true };
	const struct stek_revoke revoke = { .who = "test", .all = true };
	struct stek_change change;
	pthread_t threads[NODES];
	size_t i;
	int n, err;

	begin(_i);
	atomic_store(&busy, true);
	for (i = 0; i < NODES; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, ask,
						farms[i]), 0);
	for (n = 0; n < 6; n++) {
		err = stek_farm_rotate(farms[n % NODES], &rotate, &change);
		ck_assert_msg(!err, "rotate: %s", change.detail);
		stek_change_clear(&change);
		err = stek_farm_revoke(farms[(n + 1) % NODES], &revoke,
				       &change);
		ck_assert_msg(!err, "revoke: %s", change.detail);
		stek_change_clear(&change);
	}
	atomic_store(&busy, false);
	for (i = 0; i < NODES; i++)
		pthread_join(threads[i], NULL);
	await(all_same, "one ring after all of it");
}
END_TEST

/* Options out of range are named; nothing is opened. */
START_TEST(test_open_refuses)
{
	struct stek_farm_options options = { .farm = "farm" }, good;
	struct stek_farm *farm = NULL;
	char why[256];
	uint8_t id[8];

	strcpy(dir, "/tmp/stek-farm-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(key_file, sizeof(key_file), "%s/key", dir);
	ck_assert_int_eq(stek_farm_key_generate(key_file, id), 0);
	ck_assert_int_eq(stek_farm_open(&farm, &options, why, sizeof(why)),
			 STEK_EINVAL);
	ck_assert_ptr_nonnull(strstr(why, "node"));
	options.node = "a node";
	ck_assert_int_eq(stek_farm_open(&farm, &options, NULL, 0),
			 STEK_EINVAL);
	options.node = "node";
	options.farm_key_file = key_file;
	options.store_url = "file:/nowhere";
	good = options;
	options.state_dir = key_file;
	ck_assert_int_eq(stek_farm_open(&farm, &options, why, sizeof(why)),
			 STEK_EINVAL);
	ck_assert_ptr_nonnull(strstr(why, "state_dir"));
	options = good;
	options.policy.pending = 9;
	ck_assert_int_eq(stek_farm_open(&farm, &options, why, sizeof(why)),
			 STEK_EINVAL);
	ck_assert_ptr_nonnull(strstr(why, "pending"));
	options = good;
	options.farm_key_file = "/nowhere/key";
	ck_assert_int_eq(stek_farm_open(&farm, &options, why, sizeof(why)),
			 STEK_EIO);
	options = good;
	options.store_url = "http://x";
	ck_assert_int_eq(stek_farm_open(&farm, &options, why, sizeof(why)),
			 STEK_EINVAL);
	ck_assert_ptr_null(farm);
	/* Never started: it answers, and closes. */
	ck_assert_int_eq(stek_farm_open(&farm, &good, why, sizeof(why)), 0);
	ck_assert(!stek_farm_can_seal(farm));
	{
		struct stek_change change;
		const struct stek_rotate rotate = { .who = "test" };

		ck_assert_int_eq(stek_farm_rotate(farm, &rotate, &change),
				 STEK_EINVAL);
		stek_change_clear(&change);
	}
	stek_farm_close(farm);
	stek_farm_close(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("farm");
	TCase *real = tcase_create("real threads");
	int failed, stores = redis_server_exists() ? STORES : REDIS_STORE;
	SRunner *runner;

	tcase_set_timeout(real, 120);
	tcase_add_checked_fixture(real, NULL, end);
	tcase_add_test(real, test_open_refuses);
	tcase_add_loop_test(real, test_join, 0, stores);
	tcase_add_loop_test(real, test_rotate_and_revoke, 0, stores);
	tcase_add_loop_test(real, test_bad_requests, 0, stores);
	tcase_add_loop_test(real, test_threads, 0, stores);
	if (stores == STORES) {
		tcase_add_test(real, test_redis_killed_and_emptied);
		tcase_add_test(real, test_redis_frozen);
		tcase_add_test(real, test_no_secret_in_redis);
	}
	suite_add_tcase(suite, real);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	if (!failed && stores < STORES)
		return 77;	/* half of the list has not run */
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

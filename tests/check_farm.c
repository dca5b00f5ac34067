// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_farm.c - three real farms with their threads in one process, over the
 * file store and over a real redis-server.
 */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "farm_nodes.h"

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
	ck_assert_int_eq(stek_farm_members(farms[2], 30000, &members, &n), 0);
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
	ck_assert_int_eq(stek_farm_members(farms[2], 30000, &members, &n), 0);
	ck_assert_uint_eq(n, NODES - 1);
	free(members);
}
END_TEST

/* A rotation and a revocation, acknowledged by all without a heartbeat's wait. */
START_TEST(test_rotate_and_revoke)
{
	const struct stek_rotate rotate = { .who = "test" };
	const struct stek_revoke revoke = { .who = "test", .all = true };
	struct stek_change change;
	int64_t before_ms;

	begin(_i);
	before_ms = mono_ms();
	ck_assert_int_eq(stek_farm_rotate(farms[0], &rotate, &change), 0);
	ck_assert_int_lt(mono_ms() - before_ms, BEAT_MS);
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
		if (!stek_farm_members(farm, 30000, &members, &n))
			free(members);
	}
	free(info);
	return NULL;
}

/*
 * Until a store that was slow to answer has taken it: this is not about how
 * quick it is.
 */
static void rotate_at_last(struct stek_farm *farm)
{
	const struct stek_rotate rotate = { .who = "test", .force = true };
	int64_t until_ms = mono_ms() + AWAIT_MS;
	struct stek_change change;
	int err;

	do {
		err = stek_farm_rotate(farm, &rotate, &change);
		ck_assert_msg(!err || (err == STEK_EUNAVAILABLE &&
				       mono_ms() < until_ms), "rotate: %s",
			      change.detail);
		stek_change_clear(&change);
	} while (err);
}

static void revoke_at_last(struct stek_farm *farm)
{
	const struct stek_revoke revoke = { .who = "test", .all = true };
	int64_t until_ms = mono_ms() + AWAIT_MS;
	struct stek_change change;
	int err;

	do {
		err = stek_farm_revoke(farm, &revoke, &change);
		ck_assert_msg(!err || (err == STEK_EUNAVAILABLE &&
				       mono_ms() < until_ms), "revoke: %s",
			      change.detail);
		stek_change_clear(&change);
	} while (err);
}

/* Readers on other threads while everything changes under them. */
START_TEST(test_threads)
{
	pthread_t threads[NODES];
	size_t i;
	int n;

	begin(_i);
	atomic_store(&busy, true);
	for (i = 0; i < NODES; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, ask,
						farms[i]), 0);
	for (n = 0; n < 6; n++) {
		rotate_at_last(farms[n % NODES]);
		revoke_at_last(farms[(n + 1) % NODES]);
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
	suite_add_tcase(suite, real);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	if (!failed && stores < STORES)
		return 77;	/* half of the list has not run */
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

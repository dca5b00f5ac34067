// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_farm_redis.c - three real farms with their threads over a real
 * redis-server that is killed, emptied, frozen, and searched for secrets.
 */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "farm_nodes.h"

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

/* A node that has not yet found its store again says so. */
static bool rotated(void)
{
	const struct stek_rotate rotate = { .who = "test", .force = true };
	struct stek_change change;
	int err = stek_farm_rotate(farms[0], &rotate, &change);

	ck_assert_msg(!err || err == STEK_EUNAVAILABLE, "%s", change.detail);
	stek_change_clear(&change);
	return !err;
}

/* Redis killed and started empty: no key is lost, and rotation goes on. */
START_TEST(test_redis_killed_and_emptied)
{
	struct stek_ring_info *info = calloc(2, sizeof(*info));

	begin(REDIS_STORE);
	before = version_of(0);
	stek_farm_ring(farms[0], &info[0]);
	redis_server_kill(&server);
	await(down, "the outage is noticed");
	ck_assert(stek_farm_can_seal(farms[0]));
	ck_assert(!rotated());
	redis_server_restart(&server);
	await(stored_again, "the ring is back in the store");
	stek_farm_ring(farms[2], &info[1]);
	ck_assert_uint_eq(info[1].n_keys, info[0].n_keys);
	ck_assert_mem_eq(info[1].keys[0].id, info[0].keys[0].id, STEK_ID_LEN);
	ck_assert(stek_farm_has_key(farms[2], info[0].keys[0].id));
	info[0].keys[0].id[STEK_ID_LEN - 1] ^= 1;
	ck_assert(!stek_farm_has_key(farms[2], info[0].keys[0].id));
	await(restored_told, "a node says that it put the ring back");
	await(rotated, "rotation goes on");
	free(info);
}
END_TEST

/* A call that took longer is made again: a machine may stand still once. */
#define TRIES 5

static void ask_by_deadline(void)
{
	struct stek_member *members;
	int64_t begun_ms, took_ms;
	size_t n, tries = 0;

	do {
		ck_assert_uint_lt(tries++, TRIES);
		begun_ms = mono_ms();
		ck_assert_int_eq(stek_farm_members(farms[1], 300, &members,
						   &n), STEK_EUNAVAILABLE);
		took_ms = mono_ms() - begun_ms;
	} while (took_ms >= 2000);
}

static void revoke_by_deadline(void)
{
	const struct stek_revoke revoke = { .who = "test", .all = true };
	int64_t begun_ms, took_ms;
	struct stek_change change;
	size_t tries = 0;

	do {
		ck_assert_uint_lt(tries++, TRIES);
		begun_ms = mono_ms();
		ck_assert_int_eq(stek_farm_revoke(farms[0], &revoke, &change),
				 STEK_EUNAVAILABLE);
		took_ms = mono_ms() - begun_ms;
		ck_assert(!change.published);
		ck_assert(!stek_farm_can_seal(farms[0]));
		stek_change_clear(&change);
	} while (took_ms >= 6000);
}

/* Leaves it open. */
static void close_by_deadline(void)
{
	int64_t begun_ms, took_ms;
	size_t tries = 0;

	do {
		ck_assert_uint_lt(tries++, TRIES);
		begun_ms = mono_ms();
		stek_farm_close(farms[1]);
		farms[1] = NULL;
		took_ms = mono_ms() - begun_ms;
		open_farm(1);
	} while (took_ms >= 5000);
}

/* Redis frozen: every call ends by its deadline, closing does too. */
START_TEST(test_redis_frozen)
{
	begin(REDIS_STORE);
	ck_assert_int_eq(kill(server.pid, SIGSTOP), 0);
	ask_by_deadline();
	revoke_by_deadline();
	close_by_deadline();
	ck_assert_int_eq(kill(server.pid, SIGCONT), 0);
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

int main(void)
{
	Suite *suite = suite_create("farm_redis");
	TCase *real = tcase_create("real threads");
	SRunner *runner;
	int failed;

	if (!redis_server_exists())
		return 77;
	tcase_set_timeout(real, 120);
	tcase_add_checked_fixture(real, NULL, end);
	tcase_add_test(real, test_redis_killed_and_emptied);
	tcase_add_test(real, test_redis_frozen);
	tcase_add_test(real, test_no_secret_in_redis);
	suite_add_tcase(suite, real);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_redis_slot.c - a Cluster of real servers, while the farm's slot is on
 * its way from one to another: some keys here, some there, and the replicas
 * that WAIT asks for are those of the server that took the write.
 */
#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_conn.h"
#include "redis_slots.h"

#define TRIES 6000	/* of 5 ms */
#define HASTY_MS 1500
#define PATIENT_MS 30000

static struct redis_server here, there, replica;
static struct stek_version v1 = { .epoch = 1 }, v2 = { .epoch = 2 };

static struct stek_store *open_with(struct redis_server *at,
				    uint32_t timeout_ms, uint32_t replicas)
{
	struct stek_store_options options = {
		.farm = "farm", .timeout_ms = timeout_ms,
		.reach.wait_replicas = replicas,
		.reach.wait_ms = replicas ? STEK_REDIS_WAIT_MS_MAX : 0,
	};
	struct stek_store *store = NULL;
	char url[64], why[256] = "";

	snprintf(url, sizeof(url), "redis://127.0.0.1:%d", at->port);
	options.url = url;
	ck_assert_msg(!stek__store_open(&store, &options, why, sizeof(why)),
		      "%s", why);
	return store;
}

static int publish(struct stek_store *store, const struct stek_version *before,
		   const struct stek_version *next)
{
	return store->ops->publish(store, before, next, (const void *)"doc",
				   3);
}

static int beat(struct stek_store *store, struct stek_pulse *pulse)
{
	return store->ops->beat(store, "n", (const void *)"beat", 4, pulse);
}

/* A ring and a heartbeat, at the first of two servers. */
static void begin(void)
{
	struct stek_store *store;
	struct stek_pulse pulse;

	redis_server_start_cluster(&here);
	redis_server_start_cluster(&there);
	redis_slots_join(&here, &there);
	store = open_with(&here, PATIENT_MS, 0);
	ck_assert_int_eq(beat(store, &pulse), 0);
	ck_assert_int_eq(publish(store, NULL, &v1), 0);
	stek__store_close(store);
}

static void end(void)
{
	redis_server_stop(&replica);
	redis_server_stop(&there);
	redis_server_stop(&here);
}

/* The rest of the keys follows once somebody was told to try again. */
static void *follow(void *unused)
{
	int i;

	(void)unused;
	for (i = 0; i < TRIES && !redis_slots_errors(&here, "TRYAGAIN"); i++)
		poll(NULL, 0, 5);
	redis_slots_move(&here, &there, "nodes");
	return NULL;
}

/* A heartbeat needs two keys: while they are apart it is tried again. */
START_TEST(test_keys_apart)
{
	struct stek_store *store = open_with(&here, PATIENT_MS, 0);
	struct stek_pulse pulse;
	pthread_t mover;

	redis_slots_begin(&here, &there);
	ck_assert_int_eq(beat(store, &pulse), 0);
	redis_slots_move(&here, &there, "ring");
	ck_assert_int_eq(pthread_create(&mover, NULL, follow, NULL), 0);
	ck_assert_int_eq(beat(store, &pulse), 0);
	ck_assert_int_eq(pthread_join(mover, NULL), 0);
	ck_assert(pulse.has_ring);
	ck_assert_uint_eq(pulse.version.epoch, 1);
	ck_assert_int_ge(redis_slots_errors(&here, "TRYAGAIN"), 1);
	ck_assert_int_ge(redis_slots_errors(&here, "ASK"), 1);
	redis_slots_end(&here, &there);
	ck_assert_int_eq(beat(store, &pulse), 0);
	ck_assert_int_ge(redis_slots_errors(&here, "MOVED"), 1);
	stek__store_close(store);
}
END_TEST

/* Keys that stay apart are no answer, in the time of one call. */
START_TEST(test_keys_stay_apart)
{
	struct stek_store *hasty = open_with(&here, HASTY_MS, 0);
	struct stek_store *store = open_with(&here, PATIENT_MS, 0);
	struct stek_pulse pulse;
	int64_t began_ms;
	int i = 0;

	redis_slots_begin(&here, &there);
	redis_slots_move(&here, &there, "ring");
	/* Where the machine stands still not even that is answered. */
	do {
		began_ms = stek__redis_now_ms();
		ck_assert_int_eq(beat(hasty, &pulse), STEK_EUNAVAILABLE);
		ck_assert_int_lt(stek__redis_now_ms() - began_ms,
				 HASTY_MS + 10000);
		ck_assert_int_lt(i++, 20);
	} while (!strstr(hasty->ops->detail(hasty), "TRYAGAIN"));
	redis_slots_move(&here, &there, "nodes");
	ck_assert_int_eq(beat(store, &pulse), 0);
	stek__store_close(hasty);
	stek__store_close(store);
}
END_TEST

/* The server is frozen once it has told somebody to try again. */
static void *freeze(void *unused)
{
	int i;

	(void)unused;
	for (i = 0; i < TRIES && !redis_slots_errors(&here, "TRYAGAIN"); i++)
		poll(NULL, 0, 5);
	(void)kill(here.pid, SIGSTOP);
	return NULL;
}

/* True when the call was still trying when the server was frozen. */
static bool frozen_in_time(uint32_t timeout_ms)
{
	struct stek_store *store = open_with(&here, timeout_ms, 0);
	struct stek_pulse pulse;
	pthread_t freezer;
	bool then;
	int err;

	redis_server_tell(&here, "CONFIG RESETSTAT");
	ck_assert_int_eq(pthread_create(&freezer, NULL, freeze, NULL), 0);
	err = beat(store, &pulse);
	ck_assert_int_eq(pthread_join(freezer, NULL), 0);
	ck_assert_int_eq(kill(here.pid, SIGCONT), 0);
	ck_assert_int_eq(err, STEK_EUNAVAILABLE);
	then = strstr(store->ops->detail(store), "TRYAGAIN, then ") != NULL;
	stek__store_close(store);
	return then;
}

/* A last try that is not answered does not hide why there were others. */
START_TEST(test_no_answer_after_try_again)
{
	uint32_t timeout_ms = HASTY_MS;

	redis_slots_begin(&here, &there);
	redis_slots_move(&here, &there, "ring");
	while (!frozen_in_time(timeout_ms)) {
		timeout_ms *= 2;
		ck_assert_uint_le(timeout_ms, 16 * HASTY_MS);
	}
}
END_TEST

/* After ASK the replicas of the server that was asked are waited for. */
START_TEST(test_wait_after_ask)
{
	struct stek_store *store = open_with(&here, PATIENT_MS, 1);
	struct stek_replicas replicas;
	struct stek_pulse pulse;
	int i = 0;

	redis_server_start_cluster(&replica);
	redis_slots_replicate(&replica, &there);
	/* The owner has no replica; what it takes is confirmed by none. */
	redis_slots_begin(&here, &there);
	ck_assert_int_eq(publish(store, &v1, &v2), 0);
	store->ops->replicas(store, &replicas);
	ck_assert_uint_eq(replicas.wanted, 1);
	ck_assert_uint_eq(replicas.confirmed, 0);
	redis_slots_move(&here, &there, "ring");
	redis_slots_move(&here, &there, "nodes");
	ck_assert_int_eq(publish(store, &v2, &v1), 0);
	ck_assert_int_ge(redis_slots_errors(&here, "ASK"), 1);
	store->ops->replicas(store, &replicas);
	/* Where the machine stands still the replica may be late for one. */
	while (replicas.confirmed != 1) {
		ck_assert_int_lt(i++, 20);
		ck_assert_int_eq(publish(store, &v1, &v2), 0);
		ck_assert_int_eq(publish(store, &v2, &v1), 0);
		store->ops->replicas(store, &replicas);
	}
	/* And the next call begins where the slot still belongs. */
	ck_assert_int_eq(beat(store, &pulse), 0);
	ck_assert_uint_eq(pulse.version.epoch, 1);
	stek__store_close(store);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("redis slot");
	TCase *real = tcase_create("real servers");
	SRunner *runner;
	int failed;

	tcase_set_timeout(real, 240);
	tcase_add_checked_fixture(real, begin, end);
	tcase_add_test(real, test_keys_apart);
	tcase_add_test(real, test_keys_stay_apart);
	tcase_add_test(real, test_no_answer_after_try_again);
	tcase_add_test(real, test_wait_after_ask);
	suite_add_tcase(suite, real);
	if (!redis_server_exists())
		return 77;
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_store.c - one list of tests for both stores, run against a directory
 * and against a real redis-server; the loop's number chooses. Heartbeats and
 * hints are in check_store_beat.c, what only Redis can do (freeze, refuse a
 * user, lose its scripts) in check_redis.c.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "storebench.h"

static void assert_doc(struct stek_store *store, const char *doc)
{
	struct stek_blob blob = { NULL, 0 };

	ck_assert_int_eq(store->ops->load(store, &blob), 0);
	ck_assert_uint_eq(blob.len, strlen(doc));
	ck_assert_mem_eq(blob.data, doc, blob.len);
	stek__blob_free(&blob);
}

/* Puts what no node would write: `doc` under an unreadable version. */
static void plant_ring(const uint8_t *doc, size_t len, const char *epoch)
{
	const char *argv[] = { "HSET", "stek:{farm}:ring", "epoch", epoch,
			       "digest", "x", "doc", (const char *)doc };
	const size_t lens[] = { 4, 16, 5, strlen(epoch), 6, 1, 3, len };
	char path[128];
	FILE *f;

	if (kind == REDIS_STORE) {
		freeReplyObject(redis_server_do(&server, 8, argv, lens));
		return;
	}
	snprintf(path, sizeof(path), "%s/stek-farm/ring", dir);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(doc, 1, len, f), len);
	fclose(f);
}

/* A store that was never written answers, and the answer is "nothing". */
START_TEST(test_empty_store_is_absent)
{
	struct stek_store *store = begin(_i);
	struct stek_blob blob = { NULL, 0 };
	struct stek_raw_member *members = NULL;
	int64_t now_ms;
	size_t n = 9;

	ck_assert_int_eq(store->ops->load(store, &blob), STEK_EABSENT);
	ck_assert_ptr_null(blob.data);
	ck_assert(!pulse_of(store).has_ring);
	ck_assert_int_eq(store->ops->members(store, &members, &n, &now_ms), 0);
	ck_assert_uint_eq(n, 0);
	free(members);
	stek__store_close(store);
}
END_TEST

/* What is published is loaded, byte by byte, and named by its version. */
START_TEST(test_publish_then_load)
{
	struct stek_store *store = begin(_i);
	struct stek_version v1 = version(1, 'a'), v2 = version(UINT64_MAX, 0);
	struct stek_pulse pulse;

	ck_assert_int_eq(publish(store, NULL, v1, "one"), 0);
	assert_doc(store, "one");
	pulse = pulse_of(store);
	ck_assert(pulse.has_ring);
	ck_assert(stek_version_equal(&pulse.version, &v1));
	ck_assert_int_eq(publish(store, &v1, v2, "two, longer"), 0);
	assert_doc(store, "two, longer");
	pulse = pulse_of(store);
	ck_assert(stek_version_equal(&pulse.version, &v2));
	stek__store_close(store);
}
END_TEST

/* A write that expects anything else than what is there changes nothing. */
START_TEST(test_publish_conflicts)
{
	struct stek_store *store = begin(_i);
	struct stek_version held = version(2, 'b'), wrong = version(1, 'b');

	ck_assert_int_eq(publish(store, &held, held, "x"), STEK_ECONFLICT);
	ck_assert(!pulse_of(store).has_ring);
	ck_assert_int_eq(publish(store, NULL, held, "kept"), 0);
	ck_assert_int_eq(publish(store, NULL, version(3, 'c'), "x"),
			 STEK_ECONFLICT);
	ck_assert_int_eq(publish(store, &wrong, version(3, 'c'), "x"),
			 STEK_ECONFLICT);
	wrong = held;
	wrong.digest[31] ^= 1;
	ck_assert_int_eq(publish(store, &wrong, version(3, 'c'), "x"),
			 STEK_ECONFLICT);
	assert_doc(store, "kept");
	stek__store_close(store);
}
END_TEST

#define RACERS 4
#define RACE_TO 25

/*
 * Adds one to the epoch until it is RACE_TO; returns how often it won. Each write
 * waits for the disk, under a lock that is nobody's turn: none gives up.
 */
static void *race(void *arg)
{
	struct stek_store *store = open_within("farm", 60000);
	size_t *wins = arg;
	struct stek_pulse pulse;
	int err;

	for (;;) {
		pulse = pulse_of(store);
		if (pulse.has_ring && pulse.version.epoch >= RACE_TO)
			break;
		err = publish(store, pulse.has_ring ? &pulse.version : NULL,
			      version(pulse.has_ring ?
				      pulse.version.epoch + 1 : 1, 'r'), "r");
		ck_assert(err == 0 || err == STEK_ECONFLICT);
		*wins += err == 0;
	}
	stek__store_close(store);
	return NULL;
}

/* Of all that write at once one wins: no epoch is written twice. */
START_TEST(test_publish_race)
{
	struct stek_store *store = begin(_i);
	size_t i, total = 0, wins[RACERS] = { 0 };
	pthread_t threads[RACERS];

	for (i = 0; i < RACERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, race,
						&wins[i]), 0);
	for (i = 0; i < RACERS; i++) {
		pthread_join(threads[i], NULL);
		total += wins[i];
	}
	ck_assert_uint_eq(total, RACE_TO);
	ck_assert_uint_eq(pulse_of(store).version.epoch, RACE_TO);
	stek__store_close(store);
}
END_TEST

/* Two farms in one store do not see each other. */
START_TEST(test_farms_are_apart)
{
	struct stek_store *a = begin(_i), *b = open_as("farm2");
	struct stek_raw_member *members = NULL;
	struct stek_pulse pulse;
	int64_t now_ms;
	size_t n;

	ck_assert_int_eq(publish(a, NULL, version(1, 'a'), "a"), 0);
	ck_assert_int_eq(a->ops->beat(a, "node", NULL, 0, &pulse), 0);
	ck_assert(!pulse_of(b).has_ring);
	ck_assert_int_eq(b->ops->members(b, &members, &n, &now_ms), 0);
	ck_assert_uint_eq(n, 0);
	free(members);
	stek__store_close(a);
	stek__store_close(b);
}
END_TEST

/* A ring without a readable version is there, and nobody may replace it. */
START_TEST(test_foreign_ring_is_kept)
{
	struct stek_store *store = begin(_i);
	static const struct stek_version nameless;
	struct stek_pulse pulse;

	pulse_of(store);
	plant_ring((const uint8_t *)"junk", 4, "1x");
	pulse = pulse_of(store);
	ck_assert(pulse.has_ring);
	ck_assert(stek_version_equal(&pulse.version, &nameless));
	ck_assert_int_eq(publish(store, NULL, version(1, 'a'), "a"),
			 STEK_ECONFLICT);
	ck_assert_int_eq(publish(store, &nameless, version(1, 'a'), "a"),
			 STEK_ECONFLICT);
	stek__store_close(store);
}
END_TEST

/* A document past the limit is not even handed on. */
START_TEST(test_long_document_is_no_document)
{
	struct stek_store *store = begin(_i);
	size_t len = 2 * STEK_RECORD_MAX;
	uint8_t *doc = calloc(1, len);
	struct stek_blob blob = { NULL, 0 };

	pulse_of(store);
	plant_ring(doc, len, "1");
	ck_assert_int_eq(store->ops->load(store, &blob), STEK_EFORMAT);
	ck_assert_ptr_null(blob.data);
	free(doc);
	stek__store_close(store);
}
END_TEST

/* Something else in the ring's place: the store says no, and says why. */
START_TEST(test_wrong_type_is_refused)
{
	struct stek_store *store = begin(_i);
	struct stek_blob blob = { NULL, 0 };
	char command[128];

	pulse_of(store);
	if (kind == REDIS_STORE) {
		redis_server_tell(&server, "SET stek:{farm}:ring text");
	} else {
		snprintf(command, sizeof(command), "mkdir %s/stek-farm/ring",
			 dir);
		shell(command);
	}
	ck_assert_int_eq(store->ops->load(store, &blob), STEK_EREFUSED);
	ck_assert_uint_gt(strlen(store->ops->detail(store)), 5);
	ck_assert_int_eq(publish(store, NULL, version(1, 'a'), "a"),
			 STEK_EREFUSED);
	stek__store_close(store);
}
END_TEST

static int64_t mono_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* No answer is neither "nothing" nor "no", and comes by the time-out. */
START_TEST(test_unavailable)
{
	struct stek_store *store = begin(_i), *hasty;
	int64_t before_ms;
	struct stek_pulse pulse;
	char path[128];
	int fd = -1;

	pulse_of(store);
	stek__store_close(store);
	hasty = open_within("farm", HASTY_MS);
	(void)hasty->ops->pulse(hasty, &pulse);
	if (kind == REDIS_STORE) {
		redis_server_kill(&server);
	} else {
		snprintf(path, sizeof(path), "%s/stek-farm/lock", dir);
		fd = open(path, O_RDWR | O_CREAT, 0600);
		ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	}
	before_ms = mono_ms();
	ck_assert_int_eq(publish(hasty, NULL, version(1, 'a'), "a"),
			 STEK_EUNAVAILABLE);
	ck_assert_uint_gt(strlen(hasty->ops->detail(hasty)), 5);
	ck_assert_int_le(mono_ms() - before_ms, HASTY_MS + 10000);
	if (kind == REDIS_STORE)
		redis_server_restart(&server);
	else
		close(fd);
	/* Where the machine stands still, the hasty one asks in vain. */
	before_ms = mono_ms();
	while (hasty->ops->pulse(hasty, &pulse))
		ck_assert_int_lt(mono_ms() - before_ms, PATIENT_MS);
	stek__store_close(hasty);
	store = open_as("farm");
	ck_assert_int_eq(publish(store, NULL, version(1, 'a'), "a"), 0);
	stek__store_close(store);
}
END_TEST

/* A wiped store is an empty one, not a broken one. */
START_TEST(test_wiped_store_is_absent)
{
	struct stek_store *store = begin(_i);
	struct stek_blob blob = { NULL, 0 };

	ck_assert_int_eq(publish(store, NULL, version(5, 'a'), "a"), 0);
	wipe();
	ck_assert_int_eq(store->ops->load(store, &blob), STEK_EABSENT);
	ck_assert(!pulse_of(store).has_ring);
	ck_assert_int_eq(publish(store, NULL, version(6, 'b'), "b"), 0);
	assert_doc(store, "b");
	stek__store_close(store);
}
END_TEST

/* A URL of no known form is refused with what was expected. */
START_TEST(test_open_refuses_urls)
{
	static const char *const bad[] = {
		"", "http://x", "redis:/x", "redis://", "redis://host:0",
		"redis://host:65536", "redis://host:1/x", "redis://[::1",
		"redis://[::1]x", "unix:relative", "unix:/x?db=", "unix:/x?d=1",
		"file:relative", "file:", "redis://u:secretword@host",
	};
	struct stek_store_options options = { .farm = "farm",
					      .timeout_ms = HASTY_MS };
	struct stek_store *store = NULL;
	char why[256];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why[0] = '\0';
		options.url = bad[i];
		ck_assert_msg(stek__store_open(&store, &options, why,
					       sizeof(why)) == STEK_EINVAL,
			      "'%s' was taken", bad[i]);
		ck_assert_ptr_null(store);
		ck_assert_ptr_nonnull(strstr(why, "expected"));
		ck_assert_ptr_null(strstr(why, "secretword"));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store");
	TCase *both = tcase_create("both stores");
	int stores = redis_server_exists() ? STORES : REDIS_STORE;

	tcase_set_timeout(both, 120);
	tcase_add_checked_fixture(both, NULL, end);
	tcase_add_loop_test(both, test_empty_store_is_absent, 0, stores);
	tcase_add_loop_test(both, test_publish_then_load, 0, stores);
	tcase_add_loop_test(both, test_publish_conflicts, 0, stores);
	tcase_add_loop_test(both, test_publish_race, 0, stores);
	tcase_add_loop_test(both, test_farms_are_apart, 0, stores);
	tcase_add_loop_test(both, test_foreign_ring_is_kept, 0, stores);
	tcase_add_loop_test(both, test_long_document_is_no_document, 0, stores);
	tcase_add_loop_test(both, test_wrong_type_is_refused, 0, stores);
	tcase_add_loop_test(both, test_unavailable, 0, stores);
	tcase_add_loop_test(both, test_wiped_store_is_absent, 0, stores);
	tcase_add_test(both, test_open_refuses_urls);
	suite_add_tcase(suite, both);
	return bench_run(suite);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_feed.c - one writer and several readers: each is given the newest
 * message once, nothing is kept for the slow, and all of them end.
 */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feed.h"

#define PATIENCE_MS 20000

static struct feed *feed;
static struct feed_message *message;
static struct feed_counts counts;

static void setup(void)
{
	feed = feed_new();
	ck_assert_ptr_nonnull(feed);
	message = NULL;
}

static void teardown(void)
{
	feed_release(message);
	feed_free(feed);
}

static void say(const char *text)
{
	feed_publish(feed, strdup(text), strlen(text));
}

static enum feed_answer hear(uint64_t seq, int64_t timeout_ms)
{
	feed_release(message);
	message = NULL;
	return feed_wait(feed, seq, timeout_ms, &message);
}

/* The newest is given once; what came in between is not kept. */
START_TEST(test_newest)
{
	ck_assert_int_eq(hear(0, 0), FEED_NOTHING);
	ck_assert_uint_eq(feed_next(feed), 1);
	say("one");
	ck_assert_int_eq(hear(0, 0), FEED_OK);
	ck_assert_mem_eq(message->text, "one", 3);
	ck_assert_uint_eq(message->seq, 1);
	ck_assert_int_eq(hear(1, 0), FEED_NOTHING);
	say("two");
	say("three");
	ck_assert_uint_eq(feed_next(feed), 4);
	ck_assert_int_eq(hear(1, 0), FEED_OK);
	ck_assert_uint_eq(message->len, 5);
	ck_assert_uint_eq(message->seq, 3);
	/* It stays whole while it is held, whatever is said meanwhile. */
	say("four");
	ck_assert_mem_eq(message->text, "three", 5);
}
END_TEST

/* No more readers than allowed; the others are counted, and may come later. */
START_TEST(test_cap)
{
	uint64_t seq = 99;

	say("one");
	ck_assert_int_eq(feed_join(feed, 2, &seq), FEED_OK);
	ck_assert_uint_eq(seq, 1);
	ck_assert_int_eq(feed_join(feed, 2, &seq), FEED_OK);
	ck_assert_int_eq(feed_join(feed, 2, &seq), FEED_FULL);
	feed_leave(feed, true);
	ck_assert_int_eq(feed_join(feed, 2, &seq), FEED_OK);
	feed_counts(feed, &counts);
	ck_assert_uint_eq(counts.readers, 2);
	ck_assert_uint_eq(counts.refused, 1);
	ck_assert_uint_eq(counts.dropped, 1);
	feed_leave(feed, false);
	feed_leave(feed, false);
	feed_counts(feed, &counts);
	ck_assert_uint_eq(counts.dropped, 1);
	ck_assert_int_eq(feed_join(feed, 0, &seq), FEED_FULL);
}
END_TEST

static void *read_all(void *arg)
{
	uint64_t seq = 0, *last = arg;
	struct feed_message *mine;

	while (feed_wait(feed, seq, PATIENCE_MS, &mine) == FEED_OK) {
		if (mine->seq <= seq || mine->len != 8 ||
		    strlen(mine->text) != 8)
			abort();
		seq = mine->seq;
		feed_release(mine);
	}
	*last = seq;
	feed_leave(feed, false);
	return NULL;
}

/* Readers on threads of their own see messages in order, and all end. */
START_TEST(test_threads)
{
	pthread_t threads[4];
	uint64_t last[4], seq;
	char text[16];
	int i;

	for (i = 0; i < 4; i++) {
		ck_assert_int_eq(feed_join(feed, 4, &seq), FEED_OK);
		ck_assert_int_eq(pthread_create(&threads[i], NULL, read_all,
						&last[i]), 0);
	}
	for (i = 0; i < 2000; i++) {
		snprintf(text, sizeof(text), "%08d", i);
		say(text);
	}
	feed_close(feed, PATIENCE_MS);
	feed_counts(feed, &counts);
	ck_assert_uint_eq(counts.readers, 0);
	for (i = 0; i < 4; i++) {
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
		ck_assert_uint_le(last[i], 2000);
	}
}
END_TEST

/* A closed one gives nothing more, and takes nobody; it does not wait long. */
START_TEST(test_close)
{
	uint64_t seq;

	ck_assert_int_eq(feed_join(feed, 1, &seq), FEED_OK);
	say("one");
	feed_close(feed, 1);
	ck_assert_int_eq(hear(0, PATIENCE_MS), FEED_CLOSED);
	ck_assert_int_eq(feed_join(feed, 9, &seq), FEED_CLOSED);
	feed_counts(feed, &counts);
	ck_assert_uint_eq(counts.refused, 0);
	feed_leave(feed, false);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("feed");
	TCase *tcase = tcase_create("feed");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_newest);
	tcase_add_test(tcase, test_cap);
	tcase_add_test(tcase, test_threads);
	tcase_add_test(tcase, test_close);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_rates.c - rates of a node whose clock, counters and process are not to
 * be relied on, and the farm's last hour. All times are passed in.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "history.h"

#define BORN INT64_C(1700000000000)	/* farm time */

static struct rates rates;
static struct history history;
static struct rates_gain gain;
static struct rate rate;

static void setup(void)
{
	memset(&rates, 0, sizeof(rates));
	memset(&history, 0, sizeof(history));
	memset(&gain, 0, sizeof(gain));
}

static bool tell(int64_t at_ms, int64_t started_ms, uint64_t n)
{
	struct rates_sample sample = {
		.at_ms = at_ms,
		.started_at_ms = started_ms,
		.raw = { .connections = n, .failures = n / 10 },
	};

	sample.raw.shakes[TLS_KIND_13][RATES_RESUMED] = n / 2;
	sample.raw.shakes[TLS_KIND_13][RATES_REFUSED] = n / 4;
	sample.raw.shakes[TLS_KIND_12][RATES_NONE] = n / 4;
	return rates_take(&rates, &sample, &gain);
}

static double a_second(enum rates_window window, int64_t now_ms)
{
	rates_read(&rates, window, now_ms, 15000, &rate);
	return rate.over_s > 0 ? rate.connections / rate.over_s : -1;
}

#define is_near(value, wanted) ck_assert_double_eq_tol(value, wanted, 1e-6)

/* Counters fold into what is rated, every outcome in its place. */
START_TEST(test_point_of_counters)
{
	static struct counters c;
	struct rates_point point;
	uint64_t sum = 0;

	memset(&c, 0, sizeof(c));
	c.accepted = 7;
	c.failures[FAIL_NONE] = 1000;	/* no failure */
	c.failures[FAIL_CLOSED] = 2;
	c.failures[FAILURES - 1] = 3;
	for (int i = 0; i < STEK_OUTCOMES; i++)
		c.handshakes[TLS_KIND_12][i] = 1;
	c.handshakes[TLS_KIND_13][STEK_RESUMED_PENDING] = 11;
	rates_point(&point, &c);
	ck_assert_uint_eq(point.connections, 7);
	ck_assert_uint_eq(point.failures, 5);
	ck_assert_uint_eq(point.shakes[TLS_KIND_12][RATES_NONE], 1);
	ck_assert_uint_eq(point.shakes[TLS_KIND_12][RATES_RESUMED], 3);
	for (int i = 0; i < RATES_SHARES; i++)
		sum += point.shakes[TLS_KIND_12][i];
	ck_assert_uint_eq(sum, STEK_OUTCOMES);
	ck_assert_uint_eq(point.shakes[TLS_KIND_13][RATES_RESUMED], 11);
}
END_TEST

/* Nothing is known at first, and little after one sample. */
START_TEST(test_rates_begin)
{
	rates_read(&rates, RATES_1M, 1000, 15000, &rate);
	ck_assert_double_eq(rate.over_s, 0);
	ck_assert(!tell(1000, BORN, 5000));
	is_near(a_second(RATES_1M, 1000), -1);
	/* What it counted before it was first seen is no rate. */
	ck_assert(tell(2000, BORN, 5010));
	is_near(a_second(RATES_1M, 2000), 10);
	is_near(rate.over_s, 1);
}
END_TEST

/* Of a node that was not there before, all is counted. */
START_TEST(test_rates_new_node)
{
	struct rates_sample sample = {
		.at_ms = 9000, .started_at_ms = BORN,
		.raw = { .connections = 30 }, .absent_until_ms = 6000,
	};

	ck_assert(rates_take(&rates, &sample, &gain));
	ck_assert_int_eq(gain.from_ms, 6000);
	ck_assert_uint_eq(gain.more.connections, 30);
	is_near(a_second(RATES_1M, 9000), 10);
	/* Never absent for longer than until it was counted. */
	setup();
	sample.absent_until_ms = 9000;
	ck_assert(!rates_take(&rates, &sample, &gain));
	is_near(a_second(RATES_1M, 9000), -1);
}
END_TEST

/* A steady node has one rate in every window, however it is sampled. */
START_TEST(test_rates_windows)
{
	static const int64_t gaps_ms[] = { 250, 1000, 10000, 45000 };
	int64_t at_ms;

	for (at_ms = 0; at_ms <= 7200000; at_ms += gaps_ms[_i])
		tell(at_ms, BORN, (uint64_t)at_ms / 10);
	at_ms -= gaps_ms[_i];
	for (int w = 0; w < RATES_WINDOWS; w++) {
		ck_assert_double_eq_tol(a_second((enum rates_window)w, at_ms),
					100, 0.5);
		is_near(rate.over_s, (double)rates_window_ms[w] / 1e3);
		ck_assert_double_eq_tol(rate_resumption(&rate, 0, 1),
					2.0 / 3, 1e-3);
		ck_assert_double_lt(rate_resumption(&rate, TLS_KIND_12,
						    TLS_KIND_12), 0);
	}
	/* What comes now shows in the short window first. */
	tell(at_ms + 60000, BORN, (uint64_t)at_ms / 10 + 60000);
	ck_assert_double_eq_tol(a_second(RATES_1M, at_ms + 60000), 1000, 5);
	ck_assert_double_eq_tol(a_second(RATES_5M, at_ms + 60000), 280, 5);
	ck_assert_double_eq_tol(a_second(RATES_60M, at_ms + 60000), 115, 1);
}
END_TEST

/* A restart gains what the new process counted, no more and no less. */
START_TEST(test_rates_restart)
{
	tell(0, BORN, 1000000);
	tell(10000, BORN, 1000100);
	ck_assert(tell(20000, BORN + 15000, 40));
	ck_assert_uint_eq(gain.more.connections, 40);
	ck_assert_uint_eq(gain.more.failures, 4);
	is_near(a_second(RATES_1M, 20000), 7);
	/* Also one that has counted more by now than its forerunner. */
	ck_assert(tell(30000, BORN + 25000, 60));
	ck_assert_uint_eq(gain.more.connections, 60);
	is_near(a_second(RATES_1M, 30000), 200.0 / 30);
}
END_TEST

/* Two processes of one name are not a restart at every heartbeat. */
START_TEST(test_rates_twins)
{
	tell(0, BORN, 1000000);
	for (int i = 1; i <= 30; i++) {
		tell(i * 2000 - 1000, BORN + 5, 500000);
		tell(i * 2000, BORN, 1000000);
	}
	/* The later one is taken for a restart, once. */
	ck_assert_uint_eq(rates.newest.total.connections, 500000);
}
END_TEST

/* A counter that falls in one life gains nothing, and goes on from there. */
START_TEST(test_rates_fall)
{
	tell(0, BORN, 1000);
	ck_assert(tell(1000, BORN, 400));
	ck_assert_uint_eq(gain.more.connections, 0);
	ck_assert(tell(2000, BORN, 410));
	ck_assert_uint_eq(gain.more.connections, 10);
	ck_assert(tell(3000, BORN, UINT64_MAX));
	ck_assert(tell(4000, BORN, 0));
	ck_assert_uint_eq(gain.more.connections, 0);
	rates_read(&rates, RATES_1M, 4000, 15000, &rate);
	ck_assert_double_ge(rate.connections, 0);
}
END_TEST

/* The same heartbeat again, or an older one, says nothing. */
START_TEST(test_rates_old_sample)
{
	tell(5000, BORN, 10);
	tell(6000, BORN, 20);
	ck_assert(!tell(6000, BORN, 30));
	ck_assert(!tell(2000, BORN, 0));
	ck_assert(!tell(-90000, BORN + 99, 7));
	is_near(a_second(RATES_1M, 6000), 10);
	ck_assert(tell(7000, BORN, 30));
	ck_assert_uint_eq(gain.more.connections, 10);
}
END_TEST

/* Heartbeats that do not come make a rate fall; when they come, it is even. */
START_TEST(test_rates_silence)
{
	tell(0, BORN, 0);
	tell(60000, BORN, 6000);
	is_near(a_second(RATES_1M, 60000), 100);
	is_near(a_second(RATES_1M, 75000), 100);
	is_near(a_second(RATES_1M, 105000), 50);
	is_near(a_second(RATES_1M, 135000), 0);
	is_near(a_second(RATES_1M, 9999000), 0);
	is_near(a_second(RATES_60M, 9999000), 0);
	/* Ten minutes of silence, of which it counted all along. */
	tell(660000, BORN, 66000);
	is_near(a_second(RATES_1M, 660000), 100);
	is_near(a_second(RATES_5M, 660000), 100);
}
END_TEST

/* Sums over nodes; nobody who offered a ticket is no share at all. */
START_TEST(test_rate_sum)
{
	struct rate sum = { 0 }, one = { .over_s = 10, .connections = 5 };
	struct rate two = { .over_s = 60, .failures = 2 };

	rate_sum(&sum, &one);
	rate_sum(&sum, &two);
	is_near(sum.over_s, 60);
	is_near(sum.connections, 5);
	is_near(sum.failures, 2);
	ck_assert_double_lt(rate_resumption(&sum, 0, TLS_KINDS - 1), 0);
	sum.shakes[TLS_KIND_12][RATES_REFUSED] = 1;
	sum.shakes[TLS_KIND_13][RATES_RESUMED] = 3;
	is_near(rate_resumption(&sum, 0, TLS_KINDS - 1), 0.75);
	is_near(rate_resumption(&sum, TLS_KIND_13, TLS_KIND_13), 1);
	is_near(rate_resumption(&sum, TLS_KIND_12, TLS_KIND_12), 0);
}
END_TEST

static uint64_t all_buckets(void)
{
	uint64_t sum = 0;

	for (int64_t n = history.first; n <= history.last; n++)
		sum += history_bucket(&history, n)->connections;
	return sum;
}

/* What is gained goes to the buckets of its time, and none of it is lost. */
START_TEST(test_history_spreads)
{
	struct rates_gain some = { .from_ms = 95000, .to_ms = 125000,
				   .more = { .connections = 31 } };

	history_turn(&history, 100000);
	history_gain(&history, &some);
	ck_assert_int_eq(history.first, 9);
	ck_assert_int_eq(history.last, 12);
	ck_assert_uint_eq(history_bucket(&history, 9)->connections, 5);
	ck_assert_uint_eq(history_bucket(&history, 10)->connections, 10);
	ck_assert_uint_eq(history_bucket(&history, 12)->connections, 6);
	ck_assert_uint_eq(all_buckets(), 31);
	/* Nothing in no time. */
	some.from_ms = some.to_ms;
	history_gain(&history, &some);
	ck_assert_uint_eq(all_buckets(), 31);
	/* The end of a bucket is the beginning of the next. */
	some = (struct rates_gain){ .from_ms = 120000, .to_ms = 130000,
				    .more = { .connections = 4 } };
	history_gain(&history, &some);
	ck_assert_int_eq(history.last, 12);
	ck_assert_uint_eq(history_bucket(&history, 12)->connections, 10);
}
END_TEST

/* An hour stays, whatever comes: what is older, a gap, a jump. */
START_TEST(test_history_is_bounded)
{
	struct rates_gain old = { .from_ms = 0, .to_ms = 40000000,
				  .more = { .connections = 40000 } };
	int64_t n;

	for (n = 0; n < 1000; n++) {
		history_turn(&history, n * HISTORY_BUCKET_MS);
		ck_assert_int_le(history.last - history.first,
				 HISTORY_BUCKETS - 1);
	}
	ck_assert_int_eq(history.last - history.first, HISTORY_BUCKETS - 1);
	history_gain(&history, &old);
	ck_assert_int_eq(history.last - history.first, HISTORY_BUCKETS - 1);
	ck_assert_uint_eq(all_buckets(), HISTORY_BUCKETS * 10);
	history_turn(&history, INT64_C(900000000000));
	ck_assert_int_eq(history.last, 90000000);
	ck_assert_int_eq(history.last - history.first, HISTORY_BUCKETS - 1);
	ck_assert_uint_eq(all_buckets(), 0);
}
END_TEST

static struct stek_ring_info ring_of(size_t n)
{
	struct stek_ring_info ring = { .now_ms = BORN + 7200000, .n_keys = n };

	for (size_t i = 0; i < n; i++) {
		memset(ring.keys[i].id, (int)i + 1, STEK_ID_LEN);
		ring.keys[i].state = STEK_RETIRED;
		ring.keys[i].activate_at_ms = ring.now_ms - 1000 +
					      (int64_t)i;
	}
	return ring;
}

/* Keys make marks: of the last hour, each once, also when they are gone. */
START_TEST(test_history_marks)
{
	struct stek_ring_info ring = ring_of(5);

	ring.keys[0].activate_at_ms = ring.now_ms + 1;	/* pending */
	ring.keys[1].activate_at_ms = ring.now_ms - HISTORY_SPAN_MS - 1;
	ring.keys[2].revoked_at_ms = ring.now_ms - 500;	/* was active */
	ring.keys[3].revoked_at_ms = ring.keys[3].activate_at_ms - 9;
	ring.keys[4].reason = STEK_MADE_BY_ROTATE;
	history_keys(&history, &ring);
	history_keys(&history, &ring);
	ck_assert_uint_eq(history.n_marks, 4);
	for (size_t i = 1; i < history.n_marks; i++)
		ck_assert_int_ge(history.marks[i].at_ms,
				 history.marks[i - 1].at_ms);
	ck_assert(history.marks[0].revoked);
	ck_assert_int_eq(history.marks[0].key_id[0], 4);
	ck_assert(!history.marks[1].revoked);
	ck_assert_int_eq(history.marks[1].key_id[0], 3);
	ck_assert_int_eq(history.marks[2].reason, STEK_MADE_BY_ROTATE);
	ck_assert(history.marks[3].revoked);
	ring.n_keys = 0;
	history_keys(&history, &ring);
	ck_assert_uint_eq(history.n_marks, 4);
	ring.now_ms += HISTORY_SPAN_MS;
	history_keys(&history, &ring);
	ck_assert_uint_eq(history.n_marks, 0);
}
END_TEST

/* A key that the floor revoked was revoked when that was set. */
START_TEST(test_history_floor)
{
	struct stek_ring_info ring = ring_of(1);

	ring.keys[0].state = STEK_REVOKED;
	ring.revoked_before_ms = ring.now_ms - 10;
	history_keys(&history, &ring);
	ck_assert_uint_eq(history.n_marks, 2);
	ck_assert(history.marks[1].revoked);
	ck_assert_int_eq(history.marks[1].at_ms, ring.now_ms - 10);
}
END_TEST

/* However many keys there are, the latest marks stay. */
START_TEST(test_history_many_marks)
{
	struct stek_ring_info ring;

	for (int round = 0; round < 6; round++) {
		ring = ring_of(STEK_RING_KEYS_MAX);
		ring.now_ms += round * 1000;
		for (size_t i = 0; i < ring.n_keys; i++) {
			ring.keys[i].id[0] = (uint8_t)(round + 1);
			ring.keys[i].activate_at_ms += round * 1000;
		}
		history_keys(&history, &ring);
	}
	ck_assert_uint_eq(history.n_marks, HISTORY_MARKS);
	ck_assert_int_eq(history.marks[0].key_id[0], 5);
	ck_assert_int_eq(history.marks[HISTORY_MARKS - 1].key_id[0], 6);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rates");
	TCase *tcase = tcase_create("rates");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, test_point_of_counters);
	tcase_add_test(tcase, test_rates_begin);
	tcase_add_test(tcase, test_rates_new_node);
	tcase_add_loop_test(tcase, test_rates_windows, 0, 4);
	tcase_add_test(tcase, test_rates_restart);
	tcase_add_test(tcase, test_rates_twins);
	tcase_add_test(tcase, test_rates_fall);
	tcase_add_test(tcase, test_rates_old_sample);
	tcase_add_test(tcase, test_rates_silence);
	tcase_add_test(tcase, test_rate_sum);
	tcase_add_test(tcase, test_history_spreads);
	tcase_add_test(tcase, test_history_is_bounded);
	tcase_add_test(tcase, test_history_marks);
	tcase_add_test(tcase, test_history_floor);
	tcase_add_test(tcase, test_history_many_marks);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_sampler.c - what a node knows of its farm from the store's answers:
 * who is late, who is missing, and rates that come from heartbeats alone.
 * Times and answers are passed in.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "admin_chart.h"
#include "admin_farm.h"
#include "sampler.h"

#define START INT64_C(1000000)	/* CLOCK_MONOTONIC of the first answer */

static struct admin_farm farm;
static const struct farm_sample *held;
static struct stek_member members[3];

static void setup(void)
{
	admin_farm_open(&farm);
	/* The ages below go by heartbeats as short as this. */
	farm.settings.policy.beat_ms = 300;
	sampler_free(farm.node.sampler);
	farm.node.sampler = sampler_new(&farm.node);
	ck_assert_ptr_nonnull(farm.node.sampler);
	memset(members, 0, sizeof(members));
	held = NULL;
}

static void teardown(void)
{
	if (held != NULL)
		sampler_release(farm.node.sampler);
	admin_farm_close(&farm);
}

/* A member whose heartbeat tells of so many connections. */
static void beat(size_t i, const char *name, int64_t age_ms, uint64_t accepted)
{
	static struct counters c;
	struct stek_member *member = &members[i];

	memset(&c, 0, sizeof(c));
	c.accepted = accepted;
	c.handshakes[TLS_KIND_13][STEK_RESUMED_ACTIVE] = accepted;
	snprintf(member->name, sizeof(member->name), "%s", name);
	member->id = (uint32_t)i + 100;
	member->age_ms = age_ms;
	member->live = age_ms < 900;
	if (member->started_at_ms == 0)
		member->started_at_ms = 1;
	member->payload_len = counters_pack(&c, member->payload,
					    sizeof(member->payload));
}

static void take(size_t n, int error, int64_t after_ms)
{
	if (held != NULL)
		sampler_release(farm.node.sampler);
	sampler_take(farm.node.sampler, members, n, error, START + after_ms);
	held = sampler_hold(farm.node.sampler);
}

static const struct sampled *of(const char *name)
{
	for (size_t i = 0; i < held->n; i++)
		if (strcmp(held->nodes[i]->member.name, name) == 0)
			return held->nodes[i];
	return NULL;
}

static enum sampled_state state_of(const char *name)
{
	ck_assert_ptr_nonnull(of(name));
	return sampled_state(held, of(name));
}

static double minute(const char *name)
{
	struct rate rate;

	rates_read(&of(name)->rates, RATES_1M, held->now_ms, held->late_ms,
		   &rate);
	return rate.over_s > 0 ? rate.connections / rate.over_s : -1;
}

/* Nodes stand by name; the state tells of their heartbeats. */
START_TEST(test_states)
{
	beat(0, "z", 100, 10);
	beat(1, "a", 5000, 10);
	take(2, 0, 0);
	ck_assert_uint_eq(held->n, 3);
	ck_assert_str_eq(held->nodes[0]->member.name, "a");
	ck_assert_str_eq(held->nodes[1]->member.name, "node-1");
	ck_assert_int_eq(state_of("z"), SAMPLED_LIVE);
	ck_assert_int_eq(state_of("a"), SAMPLED_LATE);
	ck_assert_int_eq(state_of("node-1"), SAMPLED_LIVE);
	ck_assert_int_eq(sampled_age_ms(held, of("a")), 5000);
	/* One leaves: it is missing, with what it last said. */
	take(1, 0, 10000);
	ck_assert_int_eq(state_of("a"), SAMPLED_MISSING);
	ck_assert_uint_eq(of("a")->counters.accepted, 10);
	ck_assert_int_eq(sampled_age_ms(held, of("a")), 15000);
	/* After an hour it is forgotten, this node never. */
	take(1, 0, 3600000);
	ck_assert_ptr_null(of("a"));
	take(0, 0, 3610000);
	take(0, 0, 9990000);
	ck_assert_uint_eq(held->n, 1);
	ck_assert_int_eq(state_of("node-1"), SAMPLED_LIVE);
}
END_TEST

/* While no store answers, nobody is missing; they become late. */
START_TEST(test_store_away)
{
	beat(0, "b", 100, 10);
	take(1, 0, 0);
	take(0, STEK_EUNAVAILABLE, 500);
	ck_assert_int_eq(state_of("b"), SAMPLED_LIVE);
	ck_assert_int_eq(sampled_age_ms(held, of("b")), 600);
	take(0, STEK_EUNAVAILABLE, 5000);
	ck_assert_int_eq(state_of("b"), SAMPLED_LATE);
	ck_assert_int_eq(held->error, STEK_EUNAVAILABLE);
	ck_assert_int_eq(held->read_ms, START);
	ck_assert_int_eq(state_of("node-1"), SAMPLED_LIVE);
	ck_assert_uint_eq(of("b")->counters.accepted, 10);
}
END_TEST

/* A rate is of when the heartbeats were made, not of when they came. */
START_TEST(test_rates_by_heartbeat)
{
	beat(0, "b", 0, 1000);
	take(1, 0, 0);
	ck_assert_double_lt(minute("b"), 0);
	beat(0, "b", 600, 1094);
	take(1, 0, 10000);
	ck_assert_double_eq_tol(minute("b"), 10, 1e-6);
	/* The same heartbeat again, somewhat later. */
	members[0].age_ms += 100;
	take(1, 0, 10100);
	ck_assert_double_eq_tol(minute("b"), 10, 1e-6);
	/* A time that runs back changes nothing. */
	beat(0, "b", 0, 1100);
	take(1, 0, -5000);
	ck_assert_int_eq(held->now_ms, START + 10100);
	/* Bytes that are foreign leave the rate as it was. */
	members[0].payload[0] ^= 0xff;
	take(1, 0, 20000);
	ck_assert(!of("b")->counted);
	ck_assert_double_gt(minute("b"), 0);
}
END_TEST

/* A node that comes later counts from nothing; one that was there does not. */
START_TEST(test_new_node)
{
	beat(0, "b", 0, 500);
	take(1, 0, 0);
	beat(1, "c", 0, 300);
	members[1].started_at_ms = held->read_farm_ms + 1;
	beat(2, "d", 0, 300);
	take(3, 0, 10000);
	ck_assert_double_eq_tol(minute("c"), 30, 1e-6);
	ck_assert_double_lt(minute("d"), 0);
	/* A restart counts from nothing, too. */
	beat(1, "c", 0, 200);
	members[1].started_at_ms++;
	take(3, 0, 20000);
	ck_assert_double_eq_tol(minute("c"), 25, 1e-6);
}
END_TEST

/* What all nodes gained is in the farm's history. */
START_TEST(test_history_of_the_farm)
{
	uint64_t sum = 0, resumed = 0;

	beat(0, "b", 0, 500);
	beat(1, "c", 200, 700);
	take(2, 0, 0);
	beat(0, "b", 0, 517);
	beat(1, "c", 300, 725);
	take(2, 0, 35000);
	for (int64_t n = held->history.first; n <= held->history.last; n++) {
		const struct rates_point *bucket =
			history_bucket(&held->history, n);

		sum += bucket->connections;
		resumed += bucket->shakes[TLS_KIND_13][RATES_RESUMED];
	}
	ck_assert_uint_eq(sum, 42);
	ck_assert_uint_eq(resumed, 42);
	ck_assert_int_eq(held->history.last,
			 (START + 35000) / HISTORY_BUCKET_MS);
}
END_TEST

/* What a reader knows of the farm's hour after one line more, by bucket. */
static void merge(json_t *known, bool whole)
{
	const struct farm_view view = { .node = &farm.node, .farm = held };
	json_t *line = admin_chart_history(&view, whole, held->now_ms), *one;
	char name[32];
	size_t i;

	json_array_foreach(json_object_get(line, "buckets"), i, one) {
		snprintf(name, sizeof(name), "%lld", (long long)
			 json_integer_value(json_object_get(one, "n")));
		json_object_set(known, name,
				json_object_get(one, "connections"));
	}
	json_decref(line);
}

/*
 * Heartbeats that nobody could read for minutes tell of these minutes when they
 * come: also who has watched all along learns that.
 */
START_TEST(test_watched_history)
{
	json_t *watched = json_object(), *whole = json_object();
	int64_t at_ms;

	beat(0, "b", 0, 500);
	take(1, 0, 0);
	merge(watched, true);
	for (at_ms = 1000; at_ms < 200000; at_ms += 1000) {
		take(0, STEK_EUNAVAILABLE, at_ms);
		merge(watched, false);
	}
	beat(0, "b", 0, 2500);
	take(1, 0, at_ms);
	merge(watched, false);
	merge(whole, true);
	ck_assert_int_eq(json_integer_value(json_object_get(whole, "105")),
			 100);
	ck_assert(json_equal(watched, whole));
	/* It is told for a while, for readers who miss lines, and no longer. */
	json_object_clear(watched);
	take(1, 0, at_ms + 20000);
	merge(watched, false);
	ck_assert_uint_gt(json_object_size(watched), 20);
	json_object_clear(watched);
	take(1, 0, at_ms + 50000);
	merge(watched, false);
	ck_assert_uint_le(json_object_size(watched), 6);
	json_decref(watched);
	json_decref(whole);
}
END_TEST

/* Another process of this node's name is not this node. */
START_TEST(test_twin)
{
	beat(0, "node-1", 0, 12345);
	members[0].self = true;
	take(1, 0, 0);
	ck_assert_uint_eq(held->n, 1);
	ck_assert_uint_eq(of("node-1")->counters.accepted, 0);
}
END_TEST

/* Large farms are asked about less often; watched ones more. */
START_TEST(test_gaps)
{
	ck_assert_int_eq(sampler_gap_ms(0, false, true), 10000);
	for (uint32_t id = 0; id < 1000000000; id += 99999989) {
		ck_assert_int_ge(sampler_idle_gap_ms(id), 600000);
		ck_assert_int_lt(sampler_idle_gap_ms(id), 900000);
	}
	ck_assert_int_ne(sampler_idle_gap_ms(1), sampler_idle_gap_ms(2));
	ck_assert_int_eq(sampler_gap_ms(64, false, false), 10000);
	ck_assert_int_eq(sampler_gap_ms(65, false, true), 20000);
	ck_assert_int_eq(sampler_gap_ms(3, true, true), 1000);
	ck_assert_int_eq(sampler_gap_ms(3, true, false), 250);
	ck_assert_int_eq(sampler_gap_ms(4096, true, true), 64000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sampler");
	TCase *tcase = tcase_create("sampler");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_states);
	tcase_add_test(tcase, test_store_away);
	tcase_add_test(tcase, test_rates_by_heartbeat);
	tcase_add_test(tcase, test_new_node);
	tcase_add_test(tcase, test_history_of_the_farm);
	tcase_add_test(tcase, test_watched_history);
	tcase_add_test(tcase, test_twin);
	tcase_add_test(tcase, test_gaps);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_counters.c - buckets, sums, and the form in which counters travel in a
 * heartbeat: small enough at its worst, and strict about foreign bytes.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "counters.h"

static struct counters a, b, sum;
static uint8_t packed[STEK_PAYLOAD_MAX];

static void setup(void)
{
	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	memset(&sum, 0, sizeof(sum));
}

/* Every reason has its own name. */
START_TEST(test_failure_names)
{
	for (int i = 0; i < FAILURES; i++) {
		ck_assert_ptr_nonnull(failure_name((enum failure)i));
		for (int j = 0; j < i; j++)
			ck_assert_str_ne(failure_name((enum failure)i),
					 failure_name((enum failure)j));
	}
	ck_assert_str_eq(failure_name(FAILURES), "unknown");
}
END_TEST

/* stekd(8) tells of every reason by its name. */
START_TEST(test_failures_stand_in_the_manual)
{
	static char manual[65536], path[512];
	const char *srcdir = getenv("srcdir");
	FILE *file;

	snprintf(path, sizeof(path), "%s/src/stekd.8", srcdir ? srcdir : ".");
	file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_gt(fread(manual, 1, sizeof(manual) - 1, file), 0);
	fclose(file);
	for (int i = FAIL_NONE + 1; i < FAILURES; i++)
		ck_assert_msg(strstr(manual, failure_name((enum failure)i)),
			      "%s", failure_name((enum failure)i));
}
END_TEST

/* A bound belongs to its bucket, what is above to the next. */
START_TEST(test_age_buckets)
{
	for (int i = 1; i < AGE_BUCKETS; i++)
		ck_assert(age_bounds_s[i] > age_bounds_s[i - 1]);
	for (int i = 0; i < AGE_BUCKETS; i++) {
		setup();
		counters_age(&a, (int64_t)(age_bounds_s[i] * 1000));
		ck_assert_uint_eq(a.age.bucket[i], 1);
		counters_age(&a, (int64_t)(age_bounds_s[i] * 1000) + 1);
		ck_assert_uint_eq(a.age.bucket[i + 1], 1);
	}
	setup();
	counters_age(&a, -5);
	counters_age(&a, INT64_C(86400000));
	ck_assert_uint_eq(a.age.bucket[0], 1);
	ck_assert_uint_eq(a.age.bucket[AGE_BUCKETS], 1);
	ck_assert_uint_eq(a.age.sum_ms, 86400000);
}
END_TEST

/* The same for handshake times. */
START_TEST(test_time_buckets)
{
	for (int i = 1; i < TIME_BUCKETS; i++)
		ck_assert(time_bounds_s[i] > time_bounds_s[i - 1]);
	for (int i = 0; i < TIME_BUCKETS; i++) {
		setup();
		counters_time(&a.time_full, (int64_t)(time_bounds_s[i] * 1e6));
		ck_assert_uint_eq(a.time_full.bucket[i], 1);
		counters_time(&a.time_full,
			      (int64_t)(time_bounds_s[i] * 1e6) + 1);
		ck_assert_uint_eq(a.time_full.bucket[i + 1], 1);
	}
	setup();
	counters_time(&a.time_resumed, -1);
	ck_assert_uint_eq(a.time_resumed.bucket[0], 1);
	ck_assert_uint_eq(a.time_resumed.sum_us, 0);
}
END_TEST

/* 64 issuers have a slot, the others share the last; so has the id 0. */
START_TEST(test_issuers)
{
	for (uint32_t id = 1; id <= ISSUERS_MAX + 3; id++) {
		counters_issuer(&a, id);
		counters_issuer(&a, id);
	}
	counters_issuer(&a, 0);
	for (uint32_t i = 0; i < ISSUERS_MAX; i++) {
		ck_assert_uint_eq(a.issuer_id[i], i + 1);
		ck_assert_uint_eq(a.issuer_resumed[i], 2);
	}
	ck_assert_uint_eq(a.issuer_resumed[ISSUERS_MAX], 7);
}
END_TEST

/* Fills every counter with another number; `issuers` of them named. */
static void fill(struct counters *c, uint64_t base, uint32_t issuers)
{
	counter *plain = (counter *)c;

	/* All members before issuer_id are counters, and nothing else. */
	for (size_t i = 0; i < offsetof(struct counters, issuer_id) /
	     sizeof(counter); i++)
		plain[i] = base + i;
	for (uint32_t id = 1; id <= issuers; id++) {
		c->issuer_id[id - 1] = id;
		c->issuer_resumed[id - 1] = base + id;
	}
	c->issuer_resumed[ISSUERS_MAX] = base;
}

static void add_keys(struct counters *c, unsigned first, unsigned n,
		     uint64_t issued)
{
	uint8_t id[STEK_ID_LEN] = { 0 };

	for (unsigned i = first; i < first + n; i++) {
		id[2] = (uint8_t)(i >> 8);
		id[3] = (uint8_t)i;
		counters_key(c, id, issued + i);
	}
}

/* A key has its slot; the oldest makes room, and a sum goes by the id. */
START_TEST(test_keys)
{
	uint8_t id[STEK_ID_LEN] = { 0 };

	add_keys(&a, 1, KEYS_MAX, 0);
	ck_assert_uint_eq(counters_key_issued(&a, 1), 1);
	ck_assert_uint_eq(counters_key_issued(&a, KEYS_MAX), KEYS_MAX);
	ck_assert_uint_eq(counters_key_issued(&a, KEYS_MAX + 1), 0);
	add_keys(&a, KEYS_MAX + 1, 1, 0);
	ck_assert_uint_eq(counters_key_issued(&a, 1), 0);
	ck_assert_uint_eq(counters_key_issued(&a, 2), 2);
	ck_assert_uint_eq(counters_key_issued(&a, KEYS_MAX + 1), KEYS_MAX + 1);
	add_keys(&b, KEYS_MAX, 3, 1000);
	counters_sum(&sum, &a);
	counters_sum(&sum, &b);
	ck_assert_uint_eq(counters_key_issued(&sum, KEYS_MAX),
			  1000 + 2 * KEYS_MAX);
	ck_assert_uint_eq(counters_key_issued(&sum, KEYS_MAX + 2),
			  1000 + KEYS_MAX + 2);
	ck_assert_uint_eq(counters_key_issued(&sum, 2), 0);
	/* The id 0 would be a free slot. */
	counters_key(&sum, id, 5);
	ck_assert_uint_eq(counters_key_issued(&sum, counters_key_id(id)), 5);
}
END_TEST

/* Every alert has a slot and a name of its own; what has none is "other". */
START_TEST(test_alerts)
{
	size_t named = 0;

	for (int alert = 0; alert < 256; alert++) {
		size_t slot = alerts_slot(alert);

		ck_assert_uint_lt(slot, ALERTS);
		if (slot == ALERTS_OTHER) {
			ck_assert_str_eq(alerts_name(alert), "unassigned");
			continue;
		}
		ck_assert_str_eq(alerts_name(alert), alerts_slot_name(slot));
		named++;
	}
	ck_assert_uint_eq(named, ALERTS - 1);
	ck_assert_str_eq(alerts_slot_name(ALERTS_OTHER), "other");
	ck_assert_str_eq(alerts_name(46), "certificate_unknown");
	ck_assert_str_eq(alerts_name(120), "no_application_protocol");
	ck_assert_ptr_null(alerts_name(NO_ALERT));
}
END_TEST

/* A sum adds member by member, issuers by their id wherever they stand. */
START_TEST(test_sum)
{
	fill(&a, 1000, 3);
	fill(&b, 5000, 0);
	b.issuer_id[0] = 3;
	b.issuer_resumed[0] = 7;
	b.issuer_id[1] = 9;
	b.issuer_resumed[1] = 8;
	counters_sum(&sum, &a);
	counters_sum(&sum, &b);
	for (size_t i = 0; i < offsetof(struct counters, issuer_id) /
	     sizeof(counter); i++)
		ck_assert_uint_eq(((counter *)&sum)[i], 6000 + 2 * i);
	ck_assert_uint_eq(sum.issuer_resumed[2], 1003 + 7);
	ck_assert_uint_eq(sum.issuer_id[3], 9);
	ck_assert_uint_eq(sum.issuer_resumed[3], 8);
	ck_assert_uint_eq(sum.issuer_resumed[ISSUERS_MAX], 6000);
}
END_TEST

/* Of an issuer that has resumed not quite 2^42 times. */
#define ISSUER_LEN (4 + 6)

/* What is packed unpacks to the same, at its smallest and at its greatest. */
START_TEST(test_pack_and_unpack)
{
	/* All named up to 2^42 of each: a million in a second for 50 days. */
	static const uint64_t bases[] = { 0, 1, 1000,
					  (UINT64_C(1) << 42) - 1000 };
	size_t n = 0;

	for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
		setup();
		fill(&a, bases[i], 32);
		add_keys(&a, 1, 4, bases[i]);
		for (int id = 0; id < 16; id++) {
			/* The greatest goes first: put them in that order. */
			uint32_t other = a.issuer_id[id];
			uint64_t resumed = a.issuer_resumed[id];

			a.issuer_id[id] = a.issuer_id[31 - id];
			a.issuer_resumed[id] = a.issuer_resumed[31 - id];
			a.issuer_id[31 - id] = other;
			a.issuer_resumed[31 - id] = resumed;
		}
		n = counters_pack(&a, packed, sizeof(packed));
		ck_assert_uint_gt(n, 0);
		memset(&b, 0xff, sizeof(b));
		ck_assert_int_eq(counters_unpack(&b, packed, n), 0);
		ck_assert_mem_eq(&a, &b, sizeof(a));
	}
	/* With less room issuers lose their names, and no byte is too much. */
	for (size_t cap = 0; cap < n; cap++) {
		size_t len = counters_pack(&a, packed, cap);

		ck_assert_uint_le(len, cap);
		/* Without them the rest is a byte longer. */
		ck_assert_int_eq(len > 0, cap >= n - 32 * ISSUER_LEN + 1);
	}
}
END_TEST

/* However much was counted, it fits: then fewer issuers have a name. */
START_TEST(test_pack_of_the_greatest_fits)
{
	uint64_t all = 0, got = 0;
	size_t n, named = 0;

	fill(&a, UINT64_C(1) << 48, ISSUERS_MAX);
	add_keys(&a, 1, 9, UINT64_C(1) << 48);
	a.facts = (struct counters_facts){ true, UINT32_MAX, UINT32_MAX,
					   UINT64_C(1) << 48 };
	n = counters_pack(&a, packed, sizeof(packed));
	ck_assert_uint_gt(n, 0);
	ck_assert_int_eq(counters_unpack(&b, packed, n), 0);
	for (size_t i = 0; i <= ISSUERS_MAX; i++) {
		all += a.issuer_resumed[i];
		got += b.issuer_resumed[i];
		named += i < ISSUERS_MAX && b.issuer_id[i] != 0;
	}
	ck_assert_uint_eq(got, all);
	ck_assert_uint_ge(named, 20);
	/* The greatest of them. */
	ck_assert_uint_eq(b.issuer_id[0], ISSUERS_MAX);
	for (size_t i = 0; i < ALERTS; i++)
		ck_assert_uint_eq(a.alerts_sent[i], b.alerts_sent[i]);
}
END_TEST

/* Of the keys the newest four travel, whatever was sealed under them. */
START_TEST(test_pack_keeps_the_newest_keys)
{
	size_t n;

	add_keys(&a, 1, KEYS_MAX + 5, 100);
	add_keys(&a, 3 + KEYS_MAX, 1, 1000);
	n = counters_pack(&a, packed, sizeof(packed));
	ck_assert_int_eq(counters_unpack(&b, packed, n), 0);
	ck_assert_uint_eq(b.keys_seen, 4);
	for (uint32_t i = 0; i < 4; i++) {
		ck_assert_uint_eq(b.key_id[i], KEYS_MAX + 2 + i);
		ck_assert_uint_eq(b.key_issued[i],
				  102 + KEYS_MAX + i +
				  (i == 1 ? 1003 + KEYS_MAX : 0));
	}
}
END_TEST

/* The top 32 issuers travel by name, the others as one sum. */
START_TEST(test_pack_keeps_the_top_issuers)
{
	uint64_t rest = 0;
	size_t n;

	fill(&a, 0, ISSUERS_MAX);
	a.issuer_resumed[ISSUERS_MAX] = 5;
	for (uint32_t id = 1; id <= 32; id++)
		rest += id;
	n = counters_pack(&a, packed, sizeof(packed));
	ck_assert_int_eq(counters_unpack(&b, packed, n), 0);
	for (uint32_t i = 0; i < 32; i++) {
		ck_assert_uint_eq(b.issuer_id[i], 64 - i);
		ck_assert_uint_eq(b.issuer_resumed[i], 64 - i);
	}
	ck_assert_uint_eq(b.issuer_id[32], 0);
	ck_assert_uint_eq(b.issuer_resumed[ISSUERS_MAX], rest + 5);
}
END_TEST

static void foreign(size_t len)
{
	static const struct counters zero;

	memset(&b, 0xff, sizeof(b));
	ck_assert_int_eq(counters_unpack(&b, packed, len), -1);
	ck_assert_mem_eq(&b, &zero, sizeof(b));
}

/* The version, the number of runs, and how long each is. */
#define RUNS 18
#define HEAD_LEN (2 + RUNS)
#define FAILURES_RUN (2 + 4)
#define AGE_RUN (2 + 10)

/* Cut, longer, of another version: refused, and nothing of it is kept. */
START_TEST(test_unpack_refuses_foreign_bytes)
{
	size_t n;

	fill(&a, 300, 3);
	n = counters_pack(&a, packed, sizeof(packed) - 1);
	for (size_t len = 0; len < n; len++)
		foreign(len);
	packed[n] = 0;
	foreign(n + 1);
	packed[0] ^= 1;
	foreign(n);
	packed[0] ^= 1;
	for (size_t i = 1; i < HEAD_LEN; i++) {
		packed[i]++;
		foreign(n);
		packed[i] -= 2;
		foreign(n);
		packed[i]++;
	}
	ck_assert_int_eq(counters_unpack(&b, packed, n), 0);
}
END_TEST

/* Opens a gap of `len` bytes, a value each, before packed[at]. */
static void insert(size_t *n, size_t at, size_t len, uint8_t value)
{
	memmove(packed + at + len, packed + at, *n - at);
	memset(packed + at, value, len);
	*n += len;
}

/* Alerts cost a heartbeat nothing until there are some. */
START_TEST(test_pack_cuts_what_is_zero)
{
	size_t idle = counters_pack(&a, packed, sizeof(packed)), n;

	a.alerts_sent[0] = 1;
	n = counters_pack(&a, packed, sizeof(packed));
	ck_assert_uint_eq(n, idle + 1);
	a.alerts_sent[0] = 0;
	a.alerts_received[ALERTS - 1] = 1;
	n = counters_pack(&a, packed, sizeof(packed));
	ck_assert_uint_eq(n, idle + ALERTS);
	ck_assert_int_eq(counters_unpack(&b, packed, n), 0);
	ck_assert_mem_eq(&a, &b, sizeof(a));
}
END_TEST

/* A newer build's alerts are "other", and its keys stand each once. */
START_TEST(test_unpack_of_alerts_and_keys)
{
	size_t n, keys;

	for (size_t i = 0; i < ALERTS; i++)
		a.alerts_received[i] = 1 + i;
	add_keys(&a, 1, 2, 50);
	n = counters_pack(&a, packed, sizeof(packed));
	keys = n - 1 - 4;
	insert(&n, keys, 2, 7);
	packed[HEAD_LEN - 2] += 2;
	ck_assert_int_eq(counters_unpack(&b, packed, n), 0);
	ck_assert_uint_eq(b.alerts_received[ALERTS_OTHER],
			  a.alerts_received[ALERTS_OTHER] + 14);
	ck_assert_uint_eq(b.alerts_received[ALERTS - 1], ALERTS);
	/* "2, 52, 1, 51" */
	keys = n - 1 - 4;
	ck_assert_uint_eq(packed[keys], 2);
	packed[keys] = 1;
	foreign(n);
	packed[keys] = 0;
	foreign(n);
	packed[keys] = 3;
	ck_assert_int_eq(counters_unpack(&b, packed, n), 0);
	ck_assert_uint_eq(b.key_id[1], 3);
	ck_assert_uint_eq(b.key_issued[1], 52);
	packed[HEAD_LEN - 1]--;
	foreign(n - 1);
}
END_TEST

/* A build that knows more reasons, or counts more besides, is read. */
START_TEST(test_unpack_reads_a_newer_build)
{
	/* With facts there is one run more. */
	size_t failures = HEAD_LEN + 1 + 2 + 2 * STEK_OUTCOMES;
	size_t n;

	fill(&a, 0, 0);
	a.facts.known = true;
	memset(a.age.bucket, 0, sizeof(a.age));
	memset(a.time_full.bucket, 0, sizeof(a.time_full));
	memset(a.time_resumed.bucket, 0, sizeof(a.time_resumed));
	n = counters_pack(&a, packed, sizeof(packed));
	/* Two reasons of one failure each, and a run of three numbers. */
	insert(&n, failures + FAILURES, 2, 1);
	packed[FAILURES_RUN] += 2;
	insert(&n, n - 1, 3, 9);
	insert(&n, HEAD_LEN + 1, 1, 3);
	packed[1]++;
	ck_assert_int_eq(counters_unpack(&b, packed, n), 0);
	ck_assert_uint_eq(b.failures[FAIL_OTHER], a.failures[FAIL_OTHER] + 2);
	b.failures[FAIL_OTHER] -= 2;
	ck_assert_mem_eq(&a, &b, sizeof(a));
}
END_TEST

/* One that knows fewer is read too: what it does not count is none. */
START_TEST(test_unpack_reads_an_older_build)
{
	size_t failures = HEAD_LEN + 2 + 2 * STEK_OUTCOMES;
	size_t n, cut = failures + FAIL_OTHER + 1;

	for (size_t i = 0; i <= FAIL_OTHER; i++)
		a.failures[i] = i;
	a.accepted = 5;
	n = counters_pack(&a, packed, sizeof(packed));
	memmove(packed + cut, packed + cut + FAILURES - FAIL_OTHER - 1,
		n - cut - (FAILURES - FAIL_OTHER - 1));
	n -= FAILURES - FAIL_OTHER - 1;
	packed[FAILURES_RUN] = FAIL_OTHER + 1;
	ck_assert_int_eq(counters_unpack(&b, packed, n), 0);
	ck_assert_mem_eq(&a, &b, sizeof(a));
}
END_TEST

/* A histogram with other bounds cannot be added up, and the rest can. */
START_TEST(test_unpack_leaves_another_histogram_out)
{
	size_t n;

	a.accepted = 5;
	a.backend_errors = 6;
	a.time_full.bucket[2] = 7;
	n = counters_pack(&a, packed, sizeof(packed));
	insert(&n, HEAD_LEN + 2 + 2 * STEK_OUTCOMES + FAILURES + TLS_KINDS + 4,
	       1, 9);
	packed[AGE_RUN]++;
	ck_assert_int_eq(counters_unpack(&b, packed, n), 0);
	ck_assert_mem_eq(&a, &b, sizeof(a));
}
END_TEST

/* Numbers have one form and a bound; an issuer stands once, 0 is none. */
START_TEST(test_unpack_refuses_odd_numbers)
{
	size_t n = counters_pack(&a, packed, sizeof(packed));

	insert(&n, HEAD_LEN + 1, 1, 0);
	packed[HEAD_LEN] = 0x80;	/* zero in two bytes */
	foreign(n);
	fill(&a, 0, 2);
	n = counters_pack(&a, packed, sizeof(packed));
	packed[n - 2] = packed[n - 7];	/* the same id twice */
	foreign(n);
	packed[n - 2] = 0;
	foreign(n);
	packed[n - 2] = 77;
	ck_assert_int_eq(counters_unpack(&b, packed, n), 0);
	memset(&a, 0, sizeof(a));
	a.accepted = UINT64_MAX;	/* kept within what may be added up */
	n = counters_pack(&a, packed, sizeof(packed));
	ck_assert_int_eq(counters_unpack(&b, packed, n), 0);
	ck_assert_uint_eq(b.accepted, UINT64_C(1) << 56);
	packed[HEAD_LEN] |= 1;
	foreign(n);
}
END_TEST

/* What a node tells of itself travels beside, and is never summed. */
START_TEST(test_facts)
{
	size_t len, n = 1;
	uint8_t longer[STEK_PAYLOAD_MAX];

	a.accepted = 5;
	len = counters_pack(&a, packed, sizeof(packed));
	ck_assert_int_eq(counters_unpack(&b, packed, len), 0);
	ck_assert(!b.facts.known);
	a.facts = (struct counters_facts){ true, 1u << TROUBLE_CLOCK,
					   1002003, 70000 };
	len = counters_pack(&a, packed, sizeof(packed));
	ck_assert_int_eq(counters_unpack(&b, packed, len), 0);
	ck_assert(b.facts.known);
	ck_assert_uint_eq(b.facts.trouble, 1u << TROUBLE_CLOCK);
	ck_assert_uint_eq(b.facts.version, 1002003);
	ck_assert_uint_eq(b.facts.open, 70000);
	ck_assert_uint_eq(b.accepted, 5);
	counters_sum(&sum, &b);
	ck_assert(!sum.facts.known);
	while (n < len)
		ck_assert_int_eq(counters_unpack(&b, packed, n++), -1);
	/* A later build tells one thing more, behind the others. */
	n = 2 + packed[1];
	ck_assert_uint_eq(packed[n - 1], 3);
	memcpy(longer, packed, len - 1);
	longer[n - 1] = 4;
	longer[len - 1] = 9;
	longer[len] = 0;
	ck_assert_int_eq(counters_unpack(&b, longer, len + 1), 0);
	ck_assert(b.facts.known);
	ck_assert_uint_eq(b.facts.open, 70000);
	/* Less than these three are none. */
	a.facts = (struct counters_facts){ true, 1, 2, 3 };
	len = counters_pack(&a, packed, sizeof(packed));
	packed[n - 1] = 2;
	packed[len - 2] = 0;
	ck_assert_int_eq(counters_unpack(&b, packed, len - 1), 0);
	ck_assert(!b.facts.known);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("counters");
	TCase *counting = tcase_create("counting");
	TCase *packing = tcase_create("packing");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(counting, setup, NULL);
	tcase_add_test(counting, test_failure_names);
	tcase_add_test(counting, test_failures_stand_in_the_manual);
	tcase_add_test(counting, test_age_buckets);
	tcase_add_test(counting, test_time_buckets);
	tcase_add_test(counting, test_issuers);
	tcase_add_test(counting, test_keys);
	tcase_add_test(counting, test_alerts);
	tcase_add_test(counting, test_sum);
	suite_add_tcase(suite, counting);
	tcase_add_checked_fixture(packing, setup, NULL);
	tcase_add_test(packing, test_pack_and_unpack);
	tcase_add_test(packing, test_pack_of_the_greatest_fits);
	tcase_add_test(packing, test_pack_keeps_the_newest_keys);
	tcase_add_test(packing, test_pack_cuts_what_is_zero);
	tcase_add_test(packing, test_unpack_of_alerts_and_keys);
	tcase_add_test(packing, test_pack_keeps_the_top_issuers);
	tcase_add_test(packing, test_unpack_refuses_foreign_bytes);
	tcase_add_test(packing, test_unpack_reads_a_newer_build);
	tcase_add_test(packing, test_unpack_reads_an_older_build);
	tcase_add_test(packing, test_unpack_leaves_another_histogram_out);
	tcase_add_test(packing, test_unpack_refuses_odd_numbers);
	tcase_add_test(packing, test_facts);
	suite_add_tcase(suite, packing);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

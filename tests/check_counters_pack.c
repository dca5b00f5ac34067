// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_counters_pack.c - the form in which counters travel in a heartbeat: small
 * enough at its worst, and strict about foreign bytes.
 */
#include "made_counters.h"

static uint8_t packed[STEK_PAYLOAD_MAX];

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
	Suite *suite = suite_create("counters_pack");
	TCase *tcase = tcase_create("packing");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, test_pack_and_unpack);
	tcase_add_test(tcase, test_pack_of_the_greatest_fits);
	tcase_add_test(tcase, test_pack_keeps_the_newest_keys);
	tcase_add_test(tcase, test_pack_cuts_what_is_zero);
	tcase_add_test(tcase, test_unpack_of_alerts_and_keys);
	tcase_add_test(tcase, test_pack_keeps_the_top_issuers);
	tcase_add_test(tcase, test_unpack_refuses_foreign_bytes);
	tcase_add_test(tcase, test_unpack_reads_a_newer_build);
	tcase_add_test(tcase, test_unpack_reads_an_older_build);
	tcase_add_test(tcase, test_unpack_leaves_another_histogram_out);
	tcase_add_test(tcase, test_unpack_refuses_odd_numbers);
	tcase_add_test(tcase, test_facts);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

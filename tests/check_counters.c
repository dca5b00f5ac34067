// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_counters.c - buckets, names, sums. check_counters_pack.c has the form in
 * which they travel.
 */
#include "made_counters.h"

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

int main(void)
{
	Suite *suite = suite_create("counters");
	TCase *tcase = tcase_create("counting");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, test_failure_names);
	tcase_add_test(tcase, test_failures_stand_in_the_manual);
	tcase_add_test(tcase, test_age_buckets);
	tcase_add_test(tcase, test_time_buckets);
	tcase_add_test(tcase, test_issuers);
	tcase_add_test(tcase, test_keys);
	tcase_add_test(tcase, test_alerts);
	tcase_add_test(tcase, test_sum);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

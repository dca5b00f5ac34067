/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stekprobe load against OpenSSL servers in threads of this process, one of
 * them slow: what an open loop begins, from when a latency is counted, which
 * tickets are offered again and in which group.
 */
#include <stdlib.h>

#include "probe/load.h"
#include "probe_server.h"

static struct load_plan plan_for(struct address *addresses, size_t n)
{
	return (struct load_plan){
		.addresses = addresses, .n = n, .versions = {true, true},
		.connections = 60, .concurrency = 4, .threads = 2,
		.warmup = 4, .share = SHARE_WHOLE,
	};
}

static uint64_t failures(const struct load_result *result)
{
	return result->counts[0].failed + result->counts[1].failed;
}

/*
 * The server takes 50 ms for each answer and the probe may ask only once at a
 * time, so the tenth connection waits for nine others: counted from when the
 * rate wanted it that is in the latency, and not in the handshake.
 */
START_TEST(test_load_counts_from_when_it_was_due)
{
	struct address nodes[] = {start("n1", 0, SLOW)->address};
	struct load_plan plan = plan_for(nodes, 1);
	struct load_result result;

	plan.connections = 10;
	plan.concurrency = plan.threads = plan.warmup = 1;
	plan.versions[TLS_V12] = false;
	plan.rate = 1000;
	plan.open_loop = true;
	ck_assert_int_eq(load_run(&plan, &result), 0);
	ck_assert_uint_eq(result.resumed.n, 10);
	ck_assert_uint_eq(result.resumed_due.n, 10);
	ck_assert_uint_ge(samples_percentile(&result.resumed_due, 100),
			  9 * (SLOW_MS - 1) * 1000);
	ck_assert_uint_ge(samples_percentile(&result.late, 100),
			  9 * (SLOW_MS - 1) * 1000);
	ck_assert_uint_lt(samples_percentile(&result.resumed, 100),
			  samples_percentile(&result.resumed_due, 100));
	load_clear(&result);
}
END_TEST

/* With places enough none waits for another: the slow server delays no start. */
START_TEST(test_load_open_loop_waits_for_nobody)
{
	struct address nodes[] = {start("n1", 0, SLOW)->address};
	struct load_plan plan = plan_for(nodes, 1);
	struct load_result result;

	plan.connections = 10;
	plan.concurrency = plan.warmup = 10;
	plan.versions[TLS_V12] = false;
	plan.rate = 1000;
	plan.open_loop = true;
	/* Late by itself is the probe only where the machine stands still. */
	for (int i = 0;; i++) {
		ck_assert_int_eq(load_run(&plan, &result), 0);
		ck_assert_uint_eq(result.counts[TLS_V13].resumed, 10);
		if (samples_percentile(&result.late, 100) <
		    8 * SLOW_MS * 1000)
			break;
		ck_assert_int_lt(i, 10);
		load_clear(&result);
	}
	ck_assert_uint_ge(samples_percentile(&result.resumed_due, 100),
			  8 * SLOW_MS * 1000);
	load_clear(&result);
}
END_TEST

/* What was due and never began is told: of 100 at most 20 found the place. */
START_TEST(test_load_tells_what_never_began)
{
	struct address nodes[] = {start("n1", 0, SLOW)->address};
	struct load_plan plan = plan_for(nodes, 1);
	struct load_result result;

	plan.connections = 0;
	plan.duration_s = 1;
	plan.concurrency = plan.threads = 1;
	plan.rate = 100;
	plan.open_loop = true;
	ck_assert_int_eq(load_run(&plan, &result), 0);
	ck_assert_uint_ge(result.unstarted, 79);
	ck_assert_uint_eq(result.unstarted + result.late.n, 100);
	load_clear(&result);
}
END_TEST

/* One ticket there ever was: spent once, or as often as it is asked for. */
START_TEST(test_load_reuses_a_ticket)
{
	struct address nodes[] = {start("n1", 0, ONE_TICKET)->address};
	struct load_plan plan = plan_for(nodes, 1);
	struct load_result result;

	plan.connections = 10;
	plan.concurrency = plan.threads = plan.warmup = 1;
	plan.versions[TLS_V12] = false;
	plan.reuse = _i == 1;
	ck_assert_int_eq(load_run(&plan, &result), 0);
	ck_assert_uint_eq(result.counts[TLS_V13].wanted, 10);
	ck_assert_uint_eq(result.counts[TLS_V13].resumed, _i == 1 ? 10 : 2);
	ck_assert_uint_eq(failures(&result), 0);
	load_clear(&result);
}
END_TEST

/* The group is the one that was asked for; TLS 1.2 resumes without one. */
START_TEST(test_load_groups)
{
	struct server *server = start("n1", 0, GOOD);
	struct address nodes[] = {server->address};
	struct load_plan plan = plan_for(nodes, 1);
	struct load_result result;

	/* OpenSSL 3.5 as a server has its own mind about which is better. */
	SSL_CTX_set1_groups_list(server->ctx, "P-384:P-256");
	/* P-256 is the certificate's, which TLS 1.2 wants in the list. */
	plan.tls.groups = "P-384:P-256";
	plan.connections = 20;
	ck_assert_int_eq(load_run(&plan, &result), 0);
	ck_assert_uint_eq(reasons_count(&result.groups, "secp384r1"), 10);
	ck_assert_uint_eq(reasons_count(&result.groups, "none"), 10);
	ck_assert_uint_eq(result.groups.n, 2);
	load_clear(&result);
}
END_TEST

/* An address where nobody listens fails in the course too. */
START_TEST(test_load_course_of_nobody)
{
	struct address nodes[] = {dead_address()};
	struct load_plan plan = plan_for(nodes, 1);
	struct load_result result;

	plan.connections = 4;
	plan.warmup = 0;
	ck_assert_int_eq(load_run(&plan, &result), 0);
	ck_assert_uint_eq(course_sum(&result.course, 0, SIZE_MAX).failed, 4);
	ck_assert_uint_eq(result.eras.n, 1);
	ck_assert_uint_eq(result.eras.list[0].failed, 4);
	load_clear(&result);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("probe_pace");
	TCase *load = tcase_create("load");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(load, set_up, tear_down);
	tcase_set_timeout(load, 120);
	tcase_add_test(load, test_load_counts_from_when_it_was_due);
	tcase_add_test(load, test_load_open_loop_waits_for_nobody);
	tcase_add_test(load, test_load_tells_what_never_began);
	tcase_add_loop_test(load, test_load_reuses_a_ticket, 0, 2);
	tcase_add_test(load, test_load_groups);
	tcase_add_test(load, test_load_course_of_nobody);
	suite_add_tcase(suite, load);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stekprobe load's demands against an OpenSSL server of this process: what is met
 * changes nothing, and each that is not makes every measured connection fail
 * under a name that says what there was; the warm-up's are not judged.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>

#include "probe/load.h"
#include "probe_server.h"

#define SUITE "TLS_AES_128_GCM_SHA256"

/* Six connections of TLS 1.3 by X25519, two full ones before. */
static struct load_plan plan_for(struct address *node)
{
	return (struct load_plan){
		.tls = {.groups = "X25519", .suites = SUITE},
		.addresses = node,
		.n = 1,
		.versions = {false, true},
		.connections = 6,
		.concurrency = 1,
		.threads = 1,
		.warmup = 2,
		.share = SHARE_WHOLE,
		.demand = {.group = "X25519", .suite = SUITE,
			   .count_tickets = true, .tickets = 1, .bytes = 40},
	};
}

/* Two tickets with each of the warm-up: one would be a fault later. */
START_TEST(test_what_is_met)
{
	struct address node = start("n1", 0, GOOD)->address;
	struct load_plan plan = plan_for(&node);
	struct load_result result;

	ck_assert_int_eq(load_run(&plan, &result), 0);
	ck_assert_uint_eq(result.counts[TLS_V13].resumed, 6);
	ck_assert_uint_eq(result.counts[TLS_V13].tickets, 6);
	ck_assert_int_eq(load_verdict(&result, SHARE_WHOLE), 0);
	load_clear(&result);
}
END_TEST

static const struct {
	struct demand demand;
	const char *reason;	/* or its begin, where a length follows */
} faults[] = {
	{{.group = "secp256r1"}, "group_x25519"},
	{{.suite = "TLS_AES_256_GCM_SHA384"}, "suite_" SUITE},
	{{.count_tickets = true, .tickets = 2}, "tickets_1"},
	{{.count_tickets = true, .tickets = 0}, "tickets_1"},
	{{.bytes = 1000000}, "bytes_"},
};

START_TEST(test_what_is_not_met)
{
	struct address node = start("n1", 0, GOOD)->address;
	struct load_plan plan = plan_for(&node);
	struct load_result result;

	plan.demand = faults[_i].demand;
	ck_assert_int_eq(load_run(&plan, &result), 0);
	ck_assert_uint_eq(result.warm_failed, 0);
	ck_assert_uint_eq(result.counts[TLS_V13].failed, 6);
	ck_assert_uint_ge(result.failures.n, 1);
	for (size_t i = 0; i < result.failures.n; i++)
		ck_assert_int_eq(strncmp(result.failures.list[i].name,
					 faults[_i].reason,
					 strlen(faults[_i].reason)), 0);
	ck_assert_int_eq(load_verdict(&result, 0), 1);
	load_clear(&result);
}
END_TEST

/* What has failed already keeps its own reason. */
START_TEST(test_a_failure_keeps_its_name)
{
	struct address node = start("n1", 0, BROKEN)->address;
	struct load_plan plan = plan_for(&node);
	struct load_result result;

	plan.warmup = plan.share = 0;
	plan.demand.tickets = 7;
	ck_assert_int_eq(load_run(&plan, &result), 0);
	ck_assert_uint_eq(reasons_count(&result.failures, "http_503"), 6);
	load_clear(&result);
	node = dead_address();
	plan.connections = 1;
	ck_assert_int_eq(load_run(&plan, &result), 0);
	ck_assert_uint_eq(reasons_count(&result.failures, "connect_refused"),
			  1);
	load_clear(&result);
}
END_TEST

/* TLS 1.2 resumes without a key exchange: its group is "none". */
START_TEST(test_group_of_a_resumption)
{
	struct address node = start("n1", 0, GOOD)->address;
	struct load_plan plan = plan_for(&node);
	struct load_result result;

	plan.versions[TLS_V12] = true;
	plan.versions[TLS_V13] = false;
	plan.tls = (struct tls_options){
		.suites = "ECDHE-ECDSA-AES128-GCM-SHA256"};
	plan.demand = (struct demand){
		.group = "none", .suite = "ECDHE-ECDSA-AES128-GCM-SHA256",
		.count_tickets = true, .tickets = 0};
	ck_assert_int_eq(load_run(&plan, &result), 0);
	ck_assert_uint_eq(result.counts[TLS_V12].resumed, 6);
	ck_assert_int_eq(load_verdict(&result, SHARE_WHOLE), 0);
	load_clear(&result);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("probe_demand");
	TCase *tcase = tcase_create("demand");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, test_what_is_met);
	tcase_add_loop_test(tcase, test_what_is_not_met, 0,
			    (int)(sizeof(faults) / sizeof(faults[0])));
	tcase_add_test(tcase, test_a_failure_keeps_its_name);
	tcase_add_test(tcase, test_group_of_a_resumption);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

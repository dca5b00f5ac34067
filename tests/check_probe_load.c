/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of stekprobe load that need no server: when a connection is due,
 * what a finished one adds to the figures, the time course, CPU of processes,
 * and the options. Time is passed in.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>

#include "probe/options.h"
#include "probe/report.h"
#include "probe/worker.h"

/* The first is due at once, and connection i after i/rate seconds. */
START_TEST(test_due_follows_the_rate)
{
	ck_assert_int_eq(load_due_us(200, 0), 0);
	ck_assert_int_eq(load_due_us(200, 1), 5000);
	ck_assert_int_eq(load_due_us(3, 1), 333334);
	ck_assert_int_eq(load_due_us(3, 3), 1000000);
	ck_assert_uint_eq(load_due(200, -1), 0);
	ck_assert_uint_eq(load_due(200, 0), 1);
	ck_assert_uint_eq(load_due(200, 4999), 1);
	ck_assert_uint_eq(load_due(200, 5000), 2);
	for (uint64_t i = 0; i < 1000; i++) {
		ck_assert_uint_eq(load_due(7, load_due_us(7, i)), i + 1);
		ck_assert_uint_eq(load_due(7, load_due_us(7, i) - 1), i);
	}
}
END_TEST

/* Resumed at second 12.3 of the clock, the phase having begun at 10. */
static const struct tally some = {
	.wanted = true, .era = 2, .due_us = 11000000, .started_us = 11700000,
	.begun_us = 10000000, .now_us = 12300000,
};

static struct conn *some_conn(void)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	ck_assert_ptr_nonnull(conn);
	conn->version = TLS_V13;
	conn->hello_us = 12000000;
	conn->handshake_us = 2000;
	conn->reached = true;
	/* Only looked at for being there. */
	conn->offered = SSL_SESSION_new();
	strcpy(conn->failure, "reset");
	return conn;
}

static void free_conn(struct conn *conn)
{
	SSL_SESSION_free(conn->offered);
	free(conn);
}

/* A failure counts in its second and its era, and in no latency. */
START_TEST(test_tally_of_a_failure)
{
	struct load_result result = {0};
	struct conn *conn = some_conn();

	ck_assert_int_eq(tally_conn(&result, conn, &some), 0);
	ck_assert(result.reached);
	ck_assert_uint_eq(result.counts[TLS_V13].failed, 1);
	ck_assert_uint_eq(result.counts[TLS_V13].offered, 1);
	ck_assert_uint_eq(result.counts[TLS_V13].lost, 0);
	ck_assert_uint_eq(result.course.n, 3);
	ck_assert_uint_eq(result.course.list[1].connections, 0);
	ck_assert_uint_eq(result.course.list[2].failed, 1);
	ck_assert_uint_eq(result.eras.list[2].failed, 1);
	ck_assert_uint_eq(result.full.n + result.resumed_due.n, 0);
	ck_assert_uint_eq(result.late.us[0], 700000);
	ck_assert_uint_eq(reasons_count(&result.failures, "reset"), 1);
	load_clear(&result);
	free_conn(conn);
}
END_TEST

static struct load_result tally_good(bool resumed, bool offered, bool warming)
{
	struct load_result result = {0};
	struct tally how = some;
	struct conn *conn = some_conn();
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	conn->ssl = SSL_new(ctx);
	conn->failure[0] = '\0';
	conn->resumed = resumed;
	how.warming = warming;
	if (!offered) {
		SSL_SESSION_free(conn->offered);
		conn->offered = NULL;
	}
	ck_assert_int_eq(tally_conn(&result, conn, &how), 0);
	SSL_free(conn->ssl);
	SSL_CTX_free(ctx);
	free_conn(conn);
	return result;
}

/* From when it was due to the handshake's end; the handshake on its own. */
START_TEST(test_tally_counts_latency_from_due)
{
	struct load_result result = tally_good(true, true, false);

	ck_assert_uint_eq(result.resumed.us[0], 2000);
	ck_assert_uint_eq(result.resumed_due.us[0], 1002000);
	ck_assert_uint_eq(result.full.n + result.full_due.n, 0);
	ck_assert_uint_eq(result.eras.list[2].resumed, 1);
	ck_assert_uint_eq(result.counts[TLS_V13].lost, 0);
	load_clear(&result);
}
END_TEST

/* Lost is a ticket offered in vain; who offers none loses nothing. */
START_TEST(test_tally_of_the_lost)
{
	struct load_result result = tally_good(false, true, false);

	ck_assert_uint_eq(result.counts[TLS_V13].lost, 1);
	ck_assert_uint_eq(result.course.list[2].lost, 1);
	ck_assert_uint_eq(result.eras.list[2].lost, 1);
	ck_assert_uint_eq(result.full_due.us[0], 1002000);
	load_clear(&result);
	result = tally_good(false, false, false);
	ck_assert_uint_eq(result.counts[TLS_V13].full, 1);
	ck_assert_uint_eq(result.counts[TLS_V13].lost, 0);
	ck_assert_uint_eq(result.eras.list[2].lost, 0);
	load_clear(&result);
}
END_TEST

/* The warm-up has figures of its own and is in no other. */
START_TEST(test_tally_leaves_the_warm_up_out)
{
	struct load_result result = tally_good(false, false, true);

	ck_assert_uint_eq(result.warm_connections, 1);
	ck_assert_uint_eq(result.warm_failed, 0);
	ck_assert_uint_eq(result.warm.us[0], 2000);
	ck_assert_uint_eq(result.counts[TLS_V13].connections, 0);
	ck_assert_uint_eq(result.full.n + result.full_due.n + result.late.n, 0);
	ck_assert_uint_eq(result.course.n + result.eras.n, 0);
	ck_assert_uint_eq(result.groups.n, 0);
	load_clear(&result);
}
END_TEST

/* Moments between are there and empty; merging adds up. */
START_TEST(test_course_grows_and_merges)
{
	const struct outcome resumed = {.resumed = true, .at_us = 9};
	const struct outcome failed = {.failed = true, .at_us = 5};
	const struct outcome lost = {.offered = true, .wanted = true,
				     .at_us = 7};
	struct course a = {0}, b = {0};
	struct moment sum;

	moment_count(course_at(&a, 200), &resumed);
	moment_count(course_at(&b, 3), &failed);
	moment_count(course_at(&b, 200), &lost);
	ck_assert_int_eq(course_merge(&a, &b), 0);
	ck_assert_uint_eq(a.n, 201);
	ck_assert_uint_eq(a.list[100].connections, 0);
	sum = course_sum(&a, 0, SIZE_MAX);
	ck_assert_uint_eq(sum.connections, 3);
	ck_assert_uint_eq(sum.failed, 1);
	ck_assert_uint_eq(sum.resumed, 1);
	ck_assert_uint_eq(sum.lost, 1);
	ck_assert_uint_eq(sum.bare, 0);
	ck_assert_int_eq(sum.bad_us, 7);
	ck_assert_uint_eq(course_sum(&a, 3, 200).connections, 1);
	ck_assert_uint_eq(course_sum(&a, 4, 200).connections, 0);
	course_clear(&a);
	course_clear(&b);
}
END_TEST

/* A process may be named anything; the last bracket ends its name. */
START_TEST(test_cpu_parse)
{
	static const char stat[] =
		"17 (a) 9 9 (b) S 1 2 3 4 5 6 7 8 9 10 150 50 1 2 20 0 4 0 "
		"987654 1000 2000\n";
	struct cpu_sample sample = {.user = 1};

	ck_assert_int_eq(cpu_parse(&sample, stat), 0);
	ck_assert_uint_eq(sample.user, 150);
	ck_assert_uint_eq(sample.system, 50);
	ck_assert_uint_eq(sample.born, 987654);
	ck_assert_int_eq(cpu_parse(&sample, ""), -1);
	ck_assert_int_eq(cpu_parse(&sample, "17 (a) S 1 2"), -1);
	ck_assert_uint_eq(sample.user, 150);
	ck_assert_int_eq(cpu_read(&sample, getpid()), 0);
	ck_assert_uint_gt(sample.born, 0);
	ck_assert_uint_gt(sample.ns, 0);
}
END_TEST

/* Time between two samples; of a process that is another, nothing. */
START_TEST(test_cpu_of_the_same_process)
{
	struct cpu_sample now = {.user = 350, .system = 60, .born = 7};
	struct cpu_server server = {
		.known = true, .begin = {.user = 150, .system = 50, .born = 7}};
	struct load_plan plan = {.n_servers = 1};
	struct load_result result = {0};

	cpu_end(&server, &now, 100);
	ck_assert(server.known);
	ck_assert_double_eq_tol(server.user_s, 2.0, 1e-9);
	ck_assert_double_eq_tol(server.system_s, 0.1, 1e-9);
	result.servers[0] = server;
	result.counts[TLS_V12].connections = 1000;
	ck_assert_double_eq_tol(load_cpu_us(&plan, &result), 2100, 1e-6);
	/* Where the exact time is known, ticks tell only the parts of it. */
	now.ns = server.begin.ns + 1050000000;
	cpu_end(&server, &now, 100);
	ck_assert_double_eq_tol(server.system_s, 0.1, 1e-9);
	server.begin.ns = 5;
	now.ns = 1050000005;
	cpu_end(&server, &now, 100);
	ck_assert_double_eq_tol(server.user_s, 1.0, 1e-9);
	ck_assert_double_eq_tol(server.system_s, 0.05, 1e-9);
	now.born = 8;
	cpu_end(&server, &now, 100);
	ck_assert(!server.known);
	server.known = true;
	cpu_end(&server, NULL, 100);
	ck_assert(!server.known);
	result.servers[0] = server;
	ck_assert_double_lt(load_cpu_us(&plan, &result), 0);
}
END_TEST

/* Every lifetime is in one class; the bounds belong below. */
START_TEST(test_lifetime_classes)
{
	static const uint32_t lifetimes[] = {0,	   1,	  600,	  601,
					     604800, 604801, UINT32_MAX};
	static const size_t expected[LIFETIME_CLASSES] = {2, 1, 0, 0, 0, 1, 2};
	struct samples samples = {0};

	for (size_t i = 0; i < sizeof(lifetimes) / sizeof(lifetimes[0]); i++)
		ck_assert_int_eq(samples_add(&samples, lifetimes[i]), 0);
	for (size_t i = 0; i < LIFETIME_CLASSES; i++)
		ck_assert_uint_eq(samples_between(&samples,
						  lifetime_classes[i].above,
						  lifetime_classes[i].most),
				  expected[i]);
	samples_clear(&samples);
	ck_assert_uint_eq(sample_of(-1), 0);
	ck_assert_uint_eq(sample_of((int64_t)UINT32_MAX + 1), UINT32_MAX);
}
END_TEST

static int parse(struct options *options, const char *line)
{
	static char text[512];
	char *argv[32] = {NULL}, *save = NULL;
	FILE *quiet = fopen("/dev/null", "w");
	int argc = 0, result;

	ck_assert_ptr_nonnull(quiet);
	snprintf(text, sizeof(text), "stekprobe load --connect a:1 %s", line);
	for (char *word = strtok_r(text, " ", &save); word && argc < 31;
	     word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	result = options_parse(options, argc, argv, quiet);
	fclose(quiet);
	return result;
}

START_TEST(test_options_of_load)
{
	struct options options;

	ck_assert_int_eq(parse(&options, "--rate 50 --open-loop --reuse "
			       "--groups X25519:P-256 --server-pid 7,8 "
			       "--server-pid 9"), 0);
	ck_assert(options.load.open_loop && options.load.reuse);
	ck_assert_uint_eq(options.load.concurrency, 1000);
	ck_assert_uint_eq(options.load.warmup, 100);
	ck_assert_uint_eq(options.load.n_servers, 3);
	ck_assert_int_eq(options.load.servers[1], 8);
	ck_assert_str_eq(options.load.tls.groups, "X25519:P-256");
	options_clear(&options);
	ck_assert_int_eq(parse(&options, "--suites TLS_AES_128_GCM_SHA256 "
			       "--demand-suite TLS_AES_128_GCM_SHA256 "
			       "--demand-group x25519 --demand-tickets 0 "
			       "--demand-bytes 7"), 0);
	ck_assert_str_eq(options.load.tls.suites, "TLS_AES_128_GCM_SHA256");
	ck_assert_str_eq(options.load.demand.group, "x25519");
	ck_assert(options.load.demand.count_tickets);
	ck_assert_uint_eq(options.load.demand.bytes, 7);
	options_clear(&options);
	ck_assert_int_eq(parse(&options, ""), 0);
	ck_assert_uint_eq(options.load.concurrency, 10);
	ck_assert_uint_eq(options.load.warmup, 10);
	options_clear(&options);
}
END_TEST

START_TEST(test_options_of_load_refuses)
{
	static const char *const wrong[] = {
		"--open-loop", "--single-use --reuse", "--groups nonsense",
		"--groups X25519:nonsense", "--server-pid", "--server-pid 0",
		"--server-pid 1,", "--server-pid x", "--server-pid -1",
		"--server-pid 99999999999", "--suites nonsense",
		"--suites :TLS_AES_128_GCM_SHA256",
		"--demand-suite TLS_NONE", "--demand-tickets 8",
		"--demand-suite TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384",
		"--demand-tickets -1", "--demand-bytes 0", "--schemes x",
	};
	struct options options;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		ck_assert_msg(parse(&options, wrong[i]) == -1, "%s", wrong[i]);
		options_clear(&options);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("probe_load");
	TCase *tcase = tcase_create("load");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_due_follows_the_rate);
	tcase_add_test(tcase, test_tally_of_a_failure);
	tcase_add_test(tcase, test_tally_counts_latency_from_due);
	tcase_add_test(tcase, test_tally_of_the_lost);
	tcase_add_test(tcase, test_tally_leaves_the_warm_up_out);
	tcase_add_test(tcase, test_course_grows_and_merges);
	tcase_add_test(tcase, test_cpu_parse);
	tcase_add_test(tcase, test_cpu_of_the_same_process);
	tcase_add_test(tcase, test_lifetime_classes);
	tcase_add_test(tcase, test_options_of_load);
	tcase_add_test(tcase, test_options_of_load_refuses);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

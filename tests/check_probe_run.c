/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stekprobe against OpenSSL servers in threads of this process (probe_server.h),
 * whose ticket keys and misbehaviour the test chooses: what it reports must be
 * what they did.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>
#include <openssl/pem.h>

#include "probe/load.h"
#include "probe/stop.h"
#include "probe_server.h"

static struct farm_result run_farm(struct address *nodes, size_t n,
				   const struct tls_options *tls)
{
	struct farm_plan plan = {.nodes = nodes, .n = n, .tries = 3,
				 .versions = {true, true}};
	struct farm_result result;

	if (tls)
		plan.tls = *tls;
	ck_assert_int_eq(farm_run(&plan, &result), 0);
	return result;
}

/* Shared ticket keys: every cell of both versions is 100 %. */
START_TEST(test_farm_with_shared_keys)
{
	struct address nodes[] = {start("n1", 0, GOOD)->address,
				  start("n2", 0, GOOD)->address};
	struct farm_result result = run_farm(nodes, 2, NULL);

	for (int v = 0; v < TLS_VERSIONS; v++) {
		for (int i = 0; i < 4; i++) {
			ck_assert_uint_eq(result.cells[v][i].tried, 3);
			ck_assert_uint_eq(result.cells[v][i].resumed, 3);
		}
	}
	ck_assert_str_eq(result.nodes[0].name, "n1");
	ck_assert_str_eq(result.nodes[1].name, "n2");
	ck_assert_int_eq(farm_verdict(&result, SHARE_WHOLE), 0);
	farm_clear(&result);
}
END_TEST

/* The control: another key shows 0 % but in its own cell, and no failure. */
START_TEST(test_farm_with_a_stranger)
{
	struct address nodes[] = {start("n1", 0, GOOD)->address,
				  start("n2", 1, GOOD)->address};
	struct farm_result result = run_farm(nodes, 2, NULL);

	for (int v = 0; v < TLS_VERSIONS; v++) {
		ck_assert_uint_eq(result.cells[v][0].resumed, 3);
		ck_assert_uint_eq(result.cells[v][1].resumed, 0);
		ck_assert_uint_eq(result.cells[v][1].tried, 3);
		ck_assert_uint_eq(result.cells[v][2].resumed, 0);
		ck_assert_uint_eq(result.cells[v][3].resumed, 3);
	}
	ck_assert_uint_eq(result.failures.n, 0);
	ck_assert_int_eq(farm_verdict(&result, 0), 0);
	ck_assert_int_eq(farm_verdict(&result, 1), 1);
	farm_clear(&result);
}
END_TEST

/* A dead node's cells are not tried, and that is a failure. */
START_TEST(test_farm_with_a_dead_node)
{
	struct address nodes[] = {start("n1", 0, GOOD)->address,
				  dead_address()};
	struct farm_result result = run_farm(nodes, 2, NULL);

	ck_assert_uint_eq(result.cells[TLS_V13][0].resumed, 3);
	ck_assert_uint_eq(result.cells[TLS_V13][1].tried, 0);
	ck_assert_uint_eq(result.cells[TLS_V13][2].tried, 0);
	ck_assert_uint_gt(reasons_count(&result.failures, "connect_refused"),
			  0);
	ck_assert_int_eq(farm_verdict(&result, 0), 1);
	farm_clear(&result);
	result = run_farm(nodes + 1, 1, NULL);
	ck_assert_int_eq(farm_verdict(&result, 0), 3);
	farm_clear(&result);
}
END_TEST

/* A server that says "resumed" when it was not is caught. */
START_TEST(test_farm_catches_a_lying_page)
{
	struct address nodes[] = {start("n1", 0, LIES)->address};
	struct farm_result result = run_farm(nodes, 1, NULL);

	ck_assert_uint_gt(reasons_count(&result.failures, "page_disagrees"), 0);
	ck_assert_int_eq(farm_verdict(&result, 0), 1);
	farm_clear(&result);
}
END_TEST

/* No ticket is no resumption, with that reason. */
START_TEST(test_farm_without_tickets)
{
	struct address nodes[] = {start("n1", 0, NO_TICKETS)->address};
	struct farm_result result = run_farm(nodes, 1, NULL);

	ck_assert_uint_eq(result.cells[TLS_V12][0].tried, 3);
	ck_assert_uint_eq(result.cells[TLS_V12][0].resumed, 0);
	ck_assert_uint_eq(reasons_count(&result.failures, "no_ticket"), 6);
	ck_assert_int_eq(result.findings[0].what, FARM_NO_TICKETS);
	ck_assert(!farm_is_stray(&result, 0));
	ck_assert_int_eq(farm_verdict(&result, 1), 1);
	farm_clear(&result);
}
END_TEST

static void write_ca(char path[32])
{
	FILE *file;
	int fd;

	strcpy(path, "/tmp/check_probe.XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	file = fdopen(fd, "w");
	ck_assert_int_eq(PEM_write_X509(file, certificate), 1);
	fclose(file);
}

/* With a CA the name must fit: the address, or the name given. */
START_TEST(test_farm_verifies_names)
{
	struct address nodes[] = {start("n1", 0, GOOD)->address};
	struct tls_options tls = {0};
	struct farm_result result;
	char ca[32];

	write_ca(ca);
	tls.ca = ca;
	result = run_farm(nodes, 1, &tls);
	ck_assert_int_eq(farm_verdict(&result, SHARE_WHOLE), 0);
	farm_clear(&result);
	tls.sni = "www.example.test";
	result = run_farm(nodes, 1, &tls);
	ck_assert_int_eq(farm_verdict(&result, SHARE_WHOLE), 0);
	farm_clear(&result);
	tls.sni = "other.example.test";
	result = run_farm(nodes, 1, &tls);
	ck_assert_int_eq(farm_verdict(&result, 0), 1);
	ck_assert_uint_gt(reasons_count(&result.failures, "certificate"), 0);
	farm_clear(&result);
	unlink(ca);
}
END_TEST

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

/* Everything resumes, at another node than the page's issuer, on two keys. */
START_TEST(test_load_resumes_all)
{
	struct address nodes[] = {start("n1", 0, GOOD)->address,
				  start("n2", 0, GOOD)->address};
	struct load_plan plan = plan_for(nodes, 2);
	struct load_result result;

	ck_assert_int_eq(load_run(&plan, &result), 0);
	for (int v = 0; v < TLS_VERSIONS; v++) {
		ck_assert_uint_eq(result.counts[v].connections, 30);
		ck_assert_uint_eq(result.counts[v].offered, 30);
		ck_assert_uint_eq(result.counts[v].resumed, 30);
		ck_assert_uint_eq(result.counts[v].elsewhere, 30);
		ck_assert_uint_eq(result.keys[v].n, 1);
	}
	ck_assert_uint_eq(result.warm_connections, 8);
	ck_assert_uint_eq(result.resumed.n, 60);
	ck_assert_uint_eq(result.full.n, 0);
	ck_assert_uint_eq(result.warm.n, 8);
	ck_assert_uint_eq(failures(&result), 0);
	ck_assert_int_eq(load_verdict(&result, SHARE_WHOLE), 0);
	load_clear(&result);
}
END_TEST

/* A share is exact in each version; nothing is offered beyond it. */
START_TEST(test_load_share)
{
	struct address nodes[] = {start("n1", 0, GOOD)->address};
	struct load_plan plan = plan_for(nodes, 1);
	struct load_result result;

	plan.share = 3000;
	ck_assert_int_eq(load_run(&plan, &result), 0);
	for (int v = 0; v < TLS_VERSIONS; v++) {
		ck_assert_uint_eq(result.counts[v].wanted, 9);
		ck_assert_uint_eq(result.counts[v].resumed, 9);
		ck_assert_uint_eq(result.counts[v].full, 21);
	}
	ck_assert_int_eq(load_verdict(&result, SHARE_WHOLE), 0);
	load_clear(&result);
}
END_TEST

/*
 * OpenSSL renews no TLS 1.2 ticket by itself. Each is spent once, so every
 * second connection has none to offer; the default offers it again.
 */
START_TEST(test_load_spends_each_ticket_once)
{
	struct address nodes[] = {start("n1", 0, GOOD)->address};
	struct load_plan plan = plan_for(nodes, 1);
	struct load_result result;

	plan.versions[TLS_V13] = false;
	plan.single_use = true;
	plan.concurrency = plan.threads = plan.warmup = 1;
	plan.connections = 10;
	ck_assert_int_eq(load_run(&plan, &result), 0);
	ck_assert_uint_eq(result.counts[TLS_V12].wanted, 10);
	ck_assert_uint_eq(result.counts[TLS_V12].offered, 5);
	ck_assert_uint_eq(result.counts[TLS_V12].resumed, 5);
	ck_assert_int_eq(load_verdict(&result, SHARE_WHOLE), 1);
	ck_assert_int_eq(load_verdict(&result, SHARE_WHOLE / 2), 0);
	load_clear(&result);
}
END_TEST

/* Nodes with different keys: the rate says so, and no connection failed. */
START_TEST(test_load_below_expectation)
{
	struct address nodes[] = {start("n1", 0, GOOD)->address,
				  start("n2", 1, GOOD)->address};
	struct load_plan plan = plan_for(nodes, 2);
	struct load_result result;

	ck_assert_int_eq(load_run(&plan, &result), 0);
	ck_assert_uint_lt(result.counts[TLS_V13].resumed, 30);
	ck_assert_uint_gt(result.counts[TLS_V13].full, 0);
	ck_assert_uint_eq(result.keys[TLS_V13].n, 2);
	ck_assert_uint_eq(failures(&result), 0);
	ck_assert_int_eq(load_verdict(&result, SHARE_WHOLE), 1);
	load_clear(&result);
}
END_TEST

static const struct {
	enum manner manner;
	const char *reason;
	unsigned least;		/* of 4 connections and no warm-up */
} faults[] = {
	{HANGS_UP, "", 4},	/* closed or reset, by how far the client was */
	{MUTE, "closed", 4},
	{BROKEN, "http_503", 4},
	{LIES, "page_disagrees", 4},
	{TLS12_ONLY, "alert_protocol_version", 2},
};

/* Each way to fail is counted under its own name. */
START_TEST(test_load_names_failures)
{
	struct address nodes[] = {
		start("n1", 0, faults[_i].manner)->address};
	struct load_plan plan = plan_for(nodes, 1);
	struct load_result result;
	uint64_t counted;

	plan.connections = 4;
	plan.warmup = 0;
	plan.share = 0;
	ck_assert_int_eq(load_run(&plan, &result), 0);
	counted = reasons_count(&result.failures, faults[_i].reason);
	if (faults[_i].manner == HANGS_UP)
		counted = reasons_count(&result.failures, "closed") +
			  reasons_count(&result.failures, "reset");
	ck_assert_uint_eq(counted, faults[_i].least);
	ck_assert_uint_eq(failures(&result), faults[_i].least);
	ck_assert_int_eq(load_verdict(&result, 0), 1);
	load_clear(&result);
}
END_TEST

/* Nobody there at all: every connection failed, exit 3. */
START_TEST(test_load_of_nobody)
{
	struct address nodes[] = {dead_address()};
	struct load_plan plan = plan_for(nodes, 1);
	struct load_result result;

	plan.connections = 4;
	plan.warmup = 0;
	ck_assert_int_eq(load_run(&plan, &result), 0);
	ck_assert_uint_eq(failures(&result), 4);
	ck_assert_uint_eq(reasons_count(&result.failures, "connect_refused"),
			  4);
	ck_assert_int_eq(load_verdict(&result, 0), 3);
	load_clear(&result);
}
END_TEST

/* A rate is never exceeded: 20 connections at 100 a second take 0.19 s. */
START_TEST(test_load_keeps_the_rate)
{
	struct address nodes[] = {start("n1", 0, GOOD)->address};
	struct load_plan plan = plan_for(nodes, 1);
	struct load_result result;

	plan.connections = 20;
	plan.threads = 1;
	plan.rate = 100;
	ck_assert_int_eq(load_run(&plan, &result), 0);
	ck_assert_uint_eq(result.counts[0].resumed + result.counts[1].resumed,
			  20);
	ck_assert(result.seconds >= 0.19);
	load_clear(&result);
}
END_TEST

/*
 * One of two nodes is gone: tickets that were never sent are kept, so whatever
 * reaches the other resumes.
 */
START_TEST(test_load_keeps_unsent_tickets)
{
	struct address nodes[] = {start("n1", 0, GOOD)->address,
				  dead_address()};
	struct load_plan plan = plan_for(nodes, 2);
	struct load_result result;

	plan.connections = 12;
	plan.concurrency = plan.threads = 1;
	plan.warmup = 2;
	plan.versions[TLS_V12] = false;
	ck_assert_int_eq(load_run(&plan, &result), 0);
	ck_assert_uint_eq(result.warm_failed, 1);
	ck_assert_uint_eq(result.counts[TLS_V13].failed, 6);
	ck_assert_uint_eq(result.counts[TLS_V13].offered, 6);
	ck_assert_uint_eq(result.counts[TLS_V13].resumed, 6);
	ck_assert_int_eq(load_verdict(&result, 0), 1);
	load_clear(&result);
}
END_TEST

/* SIGINT ends early and what was done is still reported. */
START_TEST(test_load_ends_early)
{
	struct address nodes[] = {start("n1", 0, STOPS_PROBE)->address};
	struct load_plan plan = plan_for(nodes, 1);
	struct load_result result;

	stop_on_signals();
	plan.connections = 1000000;
	plan.warmup = 0;
	ck_assert_int_eq(load_run(&plan, &result), 0);
	ck_assert(result.stopped);
	ck_assert_uint_ge(result.counts[0].connections +
				  result.counts[1].connections, 3);
	ck_assert_uint_eq(failures(&result), 0);
	ck_assert_int_eq(load_verdict(&result, 0), 0);
	load_clear(&result);
	stop_ask(false);
}
END_TEST

/* A connection past its deadline ends, whatever it waits for. */
START_TEST(test_conn_times_out)
{
	const struct tls_options options = {0};
	struct address address;
	int fd = listen_somewhere(&address);	/* that nobody accepts from */
	struct conn *conn = calloc(1, sizeof(*conn));
	SSL_CTX *ctx = tls_context(TLS_V13, &options, conn_on_ticket);

	conn_start(conn, ctx, TLS_V13, &options, &address, NULL, 0);
	ck_assert_int_ne(conn_step(conn, CONN_DEADLINE_US - 1), CONN_DONE);
	ck_assert_str_eq(conn->failure, "");
	ck_assert_int_eq(conn_step(conn, CONN_DEADLINE_US), CONN_DONE);
	ck_assert_str_eq(conn->failure, "timeout");
	conn_end(conn);
	SSL_CTX_free(ctx);
	free(conn);
	close(fd);
}
END_TEST

/* Every format of both reports names what was measured. */
START_TEST(test_reports)
{
	struct address nodes[] = {start("n1", 0, GOOD)->address};
	struct load_plan load = plan_for(nodes, 1);
	struct farm_result matrix = run_farm(nodes, 1, NULL);
	struct load_result result;

	load.connections = 4;
	ck_assert_int_eq(load_run(&load, &result), 0);
	for (int format = REPORT_TEXT; format <= REPORT_CSV; format++) {
		char *text = NULL;
		size_t len = 0;
		FILE *out = open_memstream(&text, &len);

		load_print(&load, &result, (enum report_format)format, out);
		farm_print(&matrix, (enum report_format)format, out);
		farm_print_round(&matrix, (enum report_format)format, out);
		fclose(out);
		ck_assert_ptr_nonnull(strstr(text, "TLSv1.2"));
		ck_assert_ptr_nonnull(strstr(text, "TLSv1.3"));
		ck_assert_ptr_nonnull(strstr(text, "resumed"));
		ck_assert_ptr_nonnull(strstr(text, "n1"));
		free(text);
	}
	load_clear(&result);
	farm_clear(&matrix);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("probe_run");
	TCase *farm = tcase_create("farm"), *load = tcase_create("load");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(farm, set_up, tear_down);
	tcase_add_test(farm, test_farm_with_shared_keys);
	tcase_add_test(farm, test_farm_with_a_stranger);
	tcase_add_test(farm, test_farm_with_a_dead_node);
	tcase_add_test(farm, test_farm_catches_a_lying_page);
	tcase_add_test(farm, test_farm_without_tickets);
	tcase_add_test(farm, test_farm_verifies_names);
	suite_add_tcase(suite, farm);
	tcase_add_checked_fixture(load, set_up, tear_down);
	tcase_set_timeout(load, 120);
	tcase_add_test(load, test_load_resumes_all);
	tcase_add_test(load, test_load_share);
	tcase_add_test(load, test_load_spends_each_ticket_once);
	tcase_add_test(load, test_load_below_expectation);
	tcase_add_loop_test(load, test_load_names_failures, 0,
			    (int)(sizeof(faults) / sizeof(faults[0])));
	tcase_add_test(load, test_load_of_nobody);
	tcase_add_test(load, test_load_keeps_unsent_tickets);
	tcase_add_test(load, test_load_keeps_the_rate);
	tcase_add_test(load, test_load_ends_early);
	tcase_add_test(load, test_conn_times_out);
	tcase_add_test(load, test_reports);
	suite_add_tcase(suite, load);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

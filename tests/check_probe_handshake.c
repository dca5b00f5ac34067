/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stekprobe handshake: its options, and the command against servers of
 * OpenSSL's in threads of this process.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>
#include <openssl/pem.h>

#include "handshake_run.h"
#include "probe/alert.h"
#include "probe/options.h"

/* ---- the command ------------------------------------------------------------ */

/* Both versions: explained, resumed, and what was kept is what came. */
START_TEST(test_run_resumes)
{
	struct handshake_plan plan =
		plan_for(&start("n1", 0, GOOD)->address);

	for (int v = 0; v < TLS_VERSIONS; v++) {
		struct handshake_result result;

		plan.offer.versions[TLS_V12] = v == TLS_V12;
		plan.offer.versions[TLS_V13] = v == TLS_V13;
		result = run(&plan);
		ck_assert_int_eq(result.first.end, TALK_GOOD);
		ck_assert(result.first.accepted && !result.first.resumed);
		ck_assert_str_eq(result.first.version,
				 tls_version_name((enum tls_version)v));
		ck_assert_uint_eq(result.first.n_certs, 1);
		ck_assert_str_eq(result.first.certs[0].subject, "CN=test");
		ck_assert_str_eq(result.first.page.node, "n1");
		ck_assert(result.first.name_matches);
		ck_assert_uint_ge(result.first.flight.n_tickets, 1);
		ck_assert(result.first.flight.tickets[0].named);
		ck_assert_int_eq(result.first.flight.tickets[0].name[0], 'a');
		ck_assert(result.twice && result.second.resumed);
		ck_assert_uint_eq(result.causes.n, 0);
		ck_assert_int_eq(handshake_verdict(&result, true), 0);
		handshake_clear(&result);
	}
}
END_TEST

/* A line for each message of both connections, of seven fields. */
START_TEST(test_csv)
{
	struct handshake_plan plan =
		plan_for(&start("n1", 0, GOOD)->address);
	struct handshake_result result = run(&plan);
	size_t len = 0, lines = 0, commas = 0;
	char *text = NULL;
	FILE *out = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(out);
	handshake_print_csv(&result, out);
	fclose(out);
	for (size_t i = 0; i < len; i++) {
		lines += text[i] == '\n';
		commas += text[i] == ',';
	}
	ck_assert_uint_eq(lines, 1 + result.first.flight.n +
					 result.second.flight.n);
	ck_assert_uint_eq(commas, 6 * lines);
	ck_assert_ptr_nonnull(strstr(text, "\nfirst,1,client,ClientHello,"));
	ck_assert_ptr_nonnull(strstr(text, "\nsecond,1,client,ClientHello,"));
	ck_assert_ptr_nonnull(strstr(text, ",server,NewSessionTicket,"));
	free(text);
	handshake_clear(&result);
}
END_TEST

/* Without tickets it is good, but not what --expect wants. */
START_TEST(test_run_without_tickets)
{
	struct handshake_plan plan =
		plan_for(&start("n1", 0, NO_TICKETS)->address);
	struct handshake_result result = run(&plan);

	ck_assert(!result.twice);
	ck_assert_int_eq(handshake_verdict(&result, false), 0);
	ck_assert_int_eq(handshake_verdict(&result, true), 1);
	handshake_clear(&result);
}
END_TEST

/* True if the client has sent anything but its handshake. */
static bool sent_data(const struct flight *flight)
{
	for (size_t i = 0; i < flight->n; i++) {
		if (flight->events[i].content == RECORD_DATA &&
		    !flight->events[i].by_server)
			return true;
	}
	return false;
}

/*
 * In TLS 1.3 the client is done when the server has yet to refuse, and a request
 * sent by then could cost it the alert.
 */
START_TEST(test_run_reads_before_it_judges)
{
	struct server *server = start("n1", 0, GOOD);
	struct handshake_plan plan = plan_for(&server->address);
	struct handshake_result result;

	SSL_CTX_set_verify(server->ctx, SSL_VERIFY_PEER |
			   SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	result = run(&plan);
	ck_assert_str_eq(result.first.version, "TLSv1.3");
	ck_assert_int_gt(result.first.handshake_us, 0);
	ck_assert_int_eq(result.first.end, TALK_ALERTED);
	ck_assert_int_eq(result.first.alert, ALERT_CERTIFICATE_REQUIRED);
	ck_assert_int_eq(result.first.alert_keys, KEYS_APPLICATION);
	ck_assert(!result.first.accepted);
	ck_assert(!sent_data(&result.first.flight));
	ck_assert_str_eq(result.causes.list[0]->name, "no_certificate");
	handshake_clear(&result);
	plan.offer.versions[TLS_V13] = false;
	expect_cause(&plan, "no_certificate", 1);
}
END_TEST

/* A server that ends it before any sign of its own has not gone along. */
START_TEST(test_run_closed_after_the_handshake)
{
	struct server *server = start("n1", 0, MUTE);
	struct handshake_plan plan = plan_for(&server->address);
	struct handshake_result result;

	SSL_CTX_set_num_tickets(server->ctx, 0);
	expect_cause(&plan, "middlebox_cut", 1);
	/* In TLS 1.2 the server's Finished is that sign. */
	plan.offer.versions[TLS_V13] = false;
	SSL_CTX_set_options(server->ctx, SSL_OP_NO_TICKET);
	result = run(&plan);
	ck_assert(result.first.accepted);
	ck_assert_int_eq(handshake_verdict(&result, false), 0);
	handshake_clear(&result);
}
END_TEST

/* What is restricted and does not fit is found by trials. */
START_TEST(test_run_finds_what_does_not_fit)
{
	struct server *server = start("n1", 0, GOOD);
	struct handshake_plan plan = plan_for(&server->address), one;

	SSL_CTX_set1_groups_list(server->ctx, "P-256");
	SSL_CTX_set_ciphersuites(server->ctx, "TLS_AES_128_GCM_SHA256");
	plan.offer.versions[TLS_V12] = false;
	one = plan;
	one.offer.tls.groups = "P-521";
	expect_cause(&one, "group", 1);
	one = plan;
	one.offer.suites = "TLS_AES_256_GCM_SHA384";
	expect_cause(&one, "suite", 1);
	one = plan;
	one.offer.schemes = "RSA-PSS+SHA256";
	expect_cause(&one, "signature_scheme", 1);
	/* Without them all that can be said is what it may be. */
	one.trials = false;
	expect_cause(&one, "suite", 1);
}
END_TEST

START_TEST(test_run_versions)
{
	struct handshake_plan plan =
		plan_for(&start("n1", 0, TLS12_ONLY)->address);

	plan.offer.versions[TLS_V12] = false;
	expect_cause(&plan, "version", 1);
}
END_TEST

static char *certificate_file(void)
{
	char *path = strdup("/tmp/check-probe-XXXXXX");
	FILE *file = fdopen(mkstemp(path), "w");

	ck_assert_int_eq(PEM_write_X509(file, certificate), 1);
	fclose(file);
	return path;
}

/* With --ca the client refuses, and says so with an alert of its own. */
START_TEST(test_run_verifies)
{
	struct handshake_plan plan =
		plan_for(&start("n1", 0, GOOD)->address);
	struct handshake_result result;
	char *path = certificate_file();

	plan.offer.tls.ca = path;
	result = run(&plan);
	ck_assert_int_eq(handshake_verdict(&result, true), 0);
	handshake_clear(&result);
	plan.offer.tls.sni = "other.example.test";
	result = run(&plan);
	ck_assert_int_eq(result.first.end, TALK_DECLINED);
	ck_assert_uint_eq(result.first.n_certs, 1);
	ck_assert_str_eq(result.causes.list[0]->name, "server_name");
	handshake_clear(&result);
	X509_gmtime_adj(X509_getm_notAfter(certificate), -30);
	X509_sign(certificate, key, EVP_sha256());
	unlink(path);
	free(path);
	path = certificate_file();
	plan = plan_for(&start("n2", 0, GOOD)->address);
	plan.offer.tls.ca = path;
	expect_cause(&plan, "server_certificate_expired", 1);
	/* If it is another year for the server, it may be right. */
	plan.address = start("n3", 0, LATE)->address;
	expect_cause(&plan, "own_clock", 1);
	unlink(path);
	free(path);
}
END_TEST

/* ---- options ---------------------------------------------------------------- */

static int parse(struct options *options, const char *line)
{
	static char text[512];
	char *argv[32] = {NULL}, *save = NULL;
	FILE *quiet = fopen("/dev/null", "w");
	int argc = 0, result;

	snprintf(text, sizeof(text), "stekprobe %s", line);
	for (char *word = strtok_r(text, " ", &save); word && argc < 31;
	     word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	result = options_parse(options, argc, argv, quiet);
	fclose(quiet);
	return result;
}

START_TEST(test_options)
{
	static const char *const wrong[] = {
		"handshake", "handshake a", "handshake a:1 b:2",
		"handshake a:1 --tries 3", "handshake a:1 --concurrency 2",
		"handshake a:1 --cert x", "handshake a:1 --key x",
		"handshake a:1 --timeout 0",
		"farm a:1 --suites x", "load --connect a:1 --cert x",
	};
	struct options options;

	ck_assert_int_eq(parse(&options, "handshake a:1 --tls 1.3 --sni b "
			       "--suites s --schemes t --alpn u --cert v "
			       "--key w --timeout 3 --no-trials --json"), 0);
	ck_assert_int_eq(options.command, COMMAND_HANDSHAKE);
	ck_assert(!options.offer.versions[TLS_V12] && options.no_trials);
	ck_assert_uint_eq(options.offer.timeout_s, 3);
	ck_assert_str_eq(options.offer.tls.sni, "b");
	options_clear(&options);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		ck_assert_msg(parse(&options, wrong[i]) == -1, "%s", wrong[i]);
		options_clear(&options);
	}
}
END_TEST

/* An offer that OpenSSL cannot make is refused before any connection. */
START_TEST(test_offer_that_cannot_be_made)
{
	struct address address = dead_address();
	struct handshake_plan plan = plan_for(&address), one;
	struct handshake_result result;
	FILE *quiet = fopen("/dev/null", "w");

	one = plan;
	one.offer.suites = "NOTHING";
	ck_assert_int_eq(handshake_run(&one, &result, quiet), -1);
	one = plan;
	one.offer.schemes = "NOTHING";
	ck_assert_int_eq(handshake_run(&one, &result, quiet), -1);
	one = plan;
	one.offer.alpn = "h2,,x";
	ck_assert_int_eq(handshake_run(&one, &result, quiet), -1);
	one = plan;
	one.offer.cert = one.offer.key = "/nonexistent";
	ck_assert_int_eq(handshake_run(&one, &result, quiet), -1);
	one = plan;
	one.offer.tls.ca = "/nonexistent";
	ck_assert_int_eq(handshake_run(&one, &result, quiet), -1);
	fclose(quiet);
}
END_TEST

static TCase *add(Suite *suite, const char *name, const TTest *const *tests)
{
	TCase *tcase = tcase_create(name);

	for (; *tests; tests++)
		tcase_add_test(tcase, *tests);
	suite_add_tcase(suite, tcase);
	return tcase;
}

int main(void)
{
	Suite *suite = suite_create("probe_handshake");
	SRunner *runner;
	TCase *tcase;
	int failed;

	tcase = add(suite, "run", (const TTest *const[]){
		test_run_resumes, test_csv, test_run_without_tickets,
		test_run_reads_before_it_judges,
		test_run_closed_after_the_handshake,
		test_run_finds_what_does_not_fit, test_run_versions,
		test_run_verifies, test_offer_that_cannot_be_made, NULL});
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 120);
	add(suite, "options", (const TTest *const[]){test_options, NULL});
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

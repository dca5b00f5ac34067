/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stekprobe audit: its options, its edited sessions, what it reads in tickets,
 * and the command against servers of OpenSSL's in threads of this process.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "probe/audit_private.h"
#include "probe/options.h"
#include "probe/stop.h"
#include "probe_server.h"

static FILE *quiet;
static struct audit_result result;

static void quiet_up(void)
{
	quiet = fopen("/dev/null", "w");
	ck_assert_ptr_nonnull(quiet);
	set_up();
}

static void quiet_down(void)
{
	fclose(quiet);
	tear_down();
}

static struct audit_plan plan_for(const struct address *address)
{
	return (struct audit_plan){
		.offer = {.versions = {true, true}, .timeout_s = 30},
		.address = *address,
	};
}

static const struct audit_finding *run(const struct audit_plan *plan,
				       const char *id)
{
	ck_assert_int_eq(audit_run(plan, &result, quiet), 0);
	ck_assert_uint_le(result.seen.connections, audit_most(plan));
	for (int i = 0; i < AUDIT_FINDINGS; i++) {
		if (strcmp(result.findings[i].rule->id, id) == 0)
			return &result.findings[i];
	}
	ck_abort_msg("no finding %s", id);
}

/* ---- the command ------------------------------------------------------------ */

/* What OpenSSL does by itself: one low finding, and tickets count as they came. */
START_TEST(test_run_openssl)
{
	struct audit_plan plan = plan_for(&start("n1", 0, GOOD)->address);
	const struct audit_finding *weak = run(&plan, "weak_resumption");

	ck_assert_int_eq(weak->outcome, AUDIT_FOUND);
	ck_assert_int_eq(weak->severity, SEVERITY_LOW);
	ck_assert_int_eq(audit_verdict(&result, SEVERITY_LOW), 1);
	ck_assert_int_eq(audit_verdict(&result, SEVERITY_MEDIUM), 0);
	for (int v = 0; v < TLS_VERSIONS; v++) {
		const struct audit_version *version = &result.seen.versions[v];

		ck_assert(version->spoken && version->reusable);
		ck_assert_uint_eq(version->fulls, AUDIT_BASE);
		ck_assert_uint_ge(version->n_tickets, AUDIT_BASE);
		ck_assert_int_eq(version->tickets[0].seen.name[0], 'a');
		for (int p = 0; p < PLACES; p++)
			ck_assert_int_eq(version->altered[p], TRY_FULL);
	}
}
END_TEST

/* An address with the same key: the certificate tells whether that is right. */
START_TEST(test_run_other_host)
{
	struct audit_plan plan = plan_for(&start("n1", 0, GOOD)->address);
	struct address same = start("n2", 0, GOOD)->address, strange;
	struct server *server;

	plan.hosts = &same;
	plan.n_hosts = 1;
	ck_assert_int_eq(run(&plan, "shared_across_hosts")->outcome,
			 AUDIT_NOT_FOUND);
	ck_assert_int_eq(result.seen.hosts[0].resumed[TLS_V13], TRY_RESUMED);
	ck_assert(result.seen.hosts[0].same_certificate[TLS_V13]);
	/* The same key under another certificate, for another name. */
	X509_free(certificate);
	EVP_PKEY_free(key);
	make_certificate();
	server = start("n3", 0, GOOD);
	strange = server->address;
	plan.offer.tls.sni = "www.example.test";
	plan.hosts = &strange;
	/* The first is for "www.example.test" and 127.0.0.1 alone. */
	strcpy(strange.host, "localhost");
	strange.literal = false;
	ck_assert_int_eq(run(&plan, "shared_across_hosts")->outcome,
			 AUDIT_FOUND);
	ck_assert(!result.seen.hosts[0].same_certificate[TLS_V13]);
}
END_TEST

START_TEST(test_run_without_tickets)
{
	struct audit_plan plan = plan_for(&start("n1", 0, NO_TICKETS)->address);

	plan.watch_s = 1;
	ck_assert_int_eq(run(&plan, "unprotected")->outcome, AUDIT_NOT_JUDGED);
	ck_assert_uint_eq(result.seen.versions[TLS_V12].n_tickets, 0);
	ck_assert_int_eq(audit_verdict(&result, SEVERITY_LOW), 0);
}
END_TEST

/* A version that is not spoken is asked for once, and not judged. */
START_TEST(test_run_one_version)
{
	struct audit_plan plan = plan_for(&start("n1", 0, TLS12_ONLY)->address);

	run(&plan, "lifetime");
	ck_assert(result.seen.versions[TLS_V12].spoken);
	ck_assert(!result.seen.versions[TLS_V13].spoken);
	ck_assert_ptr_nonnull(strstr(result.findings[0].evidence,
				     "not judged: "));
}
END_TEST

/* Nobody there, and somebody who hangs up. */
START_TEST(test_run_of_nobody)
{
	struct address address = dead_address();
	struct audit_plan plan = plan_for(&address);

	run(&plan, "lifetime");
	ck_assert_int_eq(audit_verdict(&result, SEVERITY_LOW), 3);
	plan = plan_for(&start("n1", 0, HANGS_UP)->address);
	run(&plan, "lifetime");
	ck_assert_int_eq(audit_verdict(&result, SEVERITY_LOW), 1);
	ck_assert_uint_eq(result.seen.connections, 2);
}
END_TEST

/* One key all the time is found in any time that is watched to its end. */
START_TEST(test_run_watches)
{
	struct audit_plan plan = plan_for(&start("n1", 0, GOOD)->address);

	plan.watch_s = 1;
	ck_assert_int_eq(run(&plan, "key_not_rotated")->outcome, AUDIT_FOUND);
	ck_assert_uint_ge(result.seen.watched_s, 1);
	for (int v = 0; v < TLS_VERSIONS; v++)
		ck_assert_uint_eq(result.seen.versions[v].fulls,
				  2 * AUDIT_BASE + AUDIT_ROUNDS - 1);
}
END_TEST

/* What is stopped before its end tells nothing of what was left out. */
START_TEST(test_run_stopped)
{
	struct audit_plan plan = plan_for(&start("n1", 0, GOOD)->address);

	plan.watch_s = 86400;
	stop_ask(true);
	ck_assert_int_eq(run(&plan, "key_not_rotated")->outcome,
			 AUDIT_NOT_JUDGED);
	ck_assert_uint_eq(result.seen.connections, 0);
	stop_ask(false);
}
END_TEST

/* ---- sessions --------------------------------------------------------------- */

/* A session of a server's, by the probe's own talk. */
static SSL_SESSION *some_session(enum tls_version v)
{
	struct audit_plan plan = plan_for(&start("n1", 0, GOOD)->address);
	struct talk talk;
	SSL_CTX *ctx;

	plan.offer.versions[TLS_V12] = v == TLS_V12;
	plan.offer.versions[TLS_V13] = v == TLS_V13;
	ctx = talk_context(&plan.offer, stderr);
	talk_run(&talk, &plan.offer, ctx, &plan.address, NULL, false);
	SSL_CTX_free(ctx);
	ck_assert_int_eq(talk.end, TALK_GOOD);
	ck_assert_ptr_nonnull(talk.session);
	return talk.session;
}

/* One bit of the ticket, where it was asked for, and nothing else. */
START_TEST(test_altered)
{
	SSL_SESSION *session = some_session((enum tls_version)_i);
	const unsigned char *was, *is;
	size_t was_len, is_len;

	SSL_SESSION_get0_ticket(session, &was, &was_len);
	for (int p = 0; p < PLACES; p++) {
		SSL_SESSION *other = audit_altered(session,
						   (enum audit_place)p);
		size_t places[] = {0, 20, was_len / 2, was_len - 1};

		ck_assert_ptr_nonnull(other);
		SSL_SESSION_get0_ticket(other, &is, &is_len);
		ck_assert_uint_eq(is_len, was_len);
		for (size_t i = 0; i < was_len; i++)
			ck_assert_int_eq(is[i] ^ was[i],
					 i == places[p] ? 0x10 : 0);
		SSL_SESSION_free(other);
	}
	SSL_SESSION_free(session);
}
END_TEST

/* Our own library must go on offering it, or its refusal is no answer. */
START_TEST(test_outlived)
{
	SSL_SESSION *session = some_session(TLS_V13), *other;

	other = audit_outlived(session, 7300);
	ck_assert_ptr_nonnull(other);
	/* 7200 takes two bytes: the most that stand in them. */
	ck_assert_uint_eq(SSL_SESSION_get_ticket_lifetime_hint(other), 32767);
	ck_assert(tls_same_ticket(session, other));
	SSL_SESSION_free(other);
	ck_assert_ptr_null(audit_outlived(session, 32707));
	other = audit_outlived(session, 32706);
	ck_assert_ptr_nonnull(other);
	SSL_SESSION_free(other);
	SSL_SESSION_free(session);
}
END_TEST

/* ---- tickets ---------------------------------------------------------------- */

START_TEST(test_reveals)
{
	uint8_t ticket[200], secret[48], chain[300];
	struct audit_marks marks = {
		.secret = secret, .secret_len = sizeof(secret),
		.certificate = chain,
		.certificate_len = sizeof(chain),
		.name = "www.example.test",
	};

	for (size_t i = 0; i < sizeof(ticket); i++)
		ticket[i] = (uint8_t)(i * 7);
	for (size_t i = 0; i < sizeof(chain); i++)
		chain[i] = (uint8_t)(i * 11 + 1);
	memset(secret, 's', sizeof(secret));
	ck_assert_uint_eq(audit_reveals(&marks, ticket, sizeof(ticket)), 0);
	memcpy(ticket + 100, "www.example.test", 16);
	ck_assert_uint_eq(audit_reveals(&marks, ticket, sizeof(ticket)),
			  REVEALS_NAME);
	ticket[100] ^= 1;
	memcpy(ticket + 100, chain + 268, 32);
	ck_assert_uint_eq(audit_reveals(&marks, ticket, sizeof(ticket)),
			  REVEALS_CERTIFICATE);
	ticket[131] ^= 1;
	ck_assert_uint_eq(audit_reveals(&marks, ticket, sizeof(ticket)), 0);
	memcpy(ticket + 152, secret, sizeof(secret));
	ck_assert_uint_eq(audit_reveals(&marks, ticket, sizeof(ticket)),
			  REVEALS_SECRET | REVEALS_RUN);
	/* Fifteen in a row may be, and a header may be padded. */
	memset(ticket, 0, 32);
	memset(ticket + 152, 0, 15);
	ticket[167] = 1;
	ck_assert_uint_eq(audit_reveals(&marks, ticket, 168), 0);
	ck_assert_uint_eq(audit_reveals(&marks, ticket, 0), 0);
}
END_TEST

START_TEST(test_same_run)
{
	uint8_t a[120], b[130];

	for (size_t i = 0; i < sizeof(b); i++) {
		b[i] = (uint8_t)i;
		if (i < sizeof(a))
			a[i] = (uint8_t)(i < 80 ? i : i + 1);
	}
	/* From the 65th byte on. */
	ck_assert_uint_eq(audit_same_run(a, sizeof(a), b, sizeof(b)), 16);
	ck_assert_uint_eq(audit_same_run(a, 70, b, sizeof(b)), 6);
	ck_assert_uint_eq(audit_same_run(a, 64, b, sizeof(b)), 0);
}
END_TEST

/* ---- options ---------------------------------------------------------------- */

START_TEST(test_severity_names)
{
	enum severity severity = SEVERITY_LOW;

	for (int i = 0; i < SEVERITIES; i++) {
		ck_assert_int_eq(severity_parse(severity_name(
						(enum severity)i),
						&severity), 0);
		ck_assert_int_eq(severity, i);
	}
	ck_assert_int_eq(severity_parse("", &severity), -1);
	ck_assert_int_eq(severity_parse("lowest", &severity), -1);
}
END_TEST

static int parse(struct options *options, const char *line)
{
	static char text[512];
	char *argv[48] = {NULL}, *save = NULL;
	int argc = 0;

	snprintf(text, sizeof(text), "stekprobe %s", line);
	for (char *word = strtok_r(text, " ", &save); word && argc < 47;
	     word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	return options_parse(options, argc, argv, quiet);
}

START_TEST(test_options)
{
	struct options options;
	const struct audit_plan *plan = &options.audit;

	ck_assert_int_eq(parse(&options, "audit a:1 --sni b --other-sni c "
			       "--other-sni d --also e:2,f:3 --also g:4 "
			       "--auth-name h --cert i --key j --watch 2m "
			       "--fail-on high --tls 1.3 --timeout 3 --csv"), 0);
	ck_assert_int_eq(options.command, COMMAND_AUDIT);
	ck_assert_int_eq(options.format, REPORT_CSV);
	ck_assert_uint_eq(plan->n_others, 2);
	ck_assert_str_eq(plan->others[1], "d");
	ck_assert_uint_eq(plan->n_hosts, 3);
	ck_assert_str_eq(plan->hosts[2].host, "g");
	ck_assert_str_eq(plan->auth, "h");
	ck_assert_uint_eq(plan->watch_s, 120);
	ck_assert_int_eq(plan->fail_on, SEVERITY_HIGH);
	ck_assert_str_eq(plan->offer.cert, "i");
	ck_assert_uint_eq(plan->offer.timeout_s, 3);
	ck_assert(!plan->offer.versions[TLS_V12]);
	/* At most: what is stated before the first connection. */
	ck_assert_uint_lt(audit_most(plan), 120);
	options_clear(&options);
	ck_assert_int_eq(parse(&options, "audit a:1 --watch 31d"), 0);
	ck_assert_uint_eq(plan->watch_s, 31 * 86400);
	ck_assert_int_eq(plan->fail_on, SEVERITY_LOW);
	options_clear(&options);
}
END_TEST

START_TEST(test_wrong_options)
{
	static const char *const wrong[] = {
		"audit", "audit a", "audit a:1 b:2", "audit a:1 --tries 3",
		"audit a:1 --expect 50", "audit a:1 --cert x --auth-name b",
		"audit a:1 --cert x --key y", "audit a:1 --suites x",
		"audit a:1 --no-trials", "audit a:1 --watch 0",
		"audit a:1 --watch 32d", "audit a:1 --watch h",
		"audit a:1 --watch 1w", "audit a:1 --fail-on none",
		"audit a:1 --also b", "audit a:1 --other-sni a\"b",
		"audit a:1 --auth-name \x7f", "farm a:1 --watch 3",
		"handshake a:1 --other-sni b", "load --connect a:1 --also b:2",
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
	Suite *suite = suite_create("probe_audit_run");
	TCase *command = tcase_create("run");
	TCase *rest = tcase_create("rest");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(command, quiet_up, quiet_down);
	tcase_set_timeout(command, 120);
	tcase_add_test(command, test_run_openssl);
	tcase_add_test(command, test_run_other_host);
	tcase_add_test(command, test_run_without_tickets);
	tcase_add_test(command, test_run_one_version);
	tcase_add_test(command, test_run_of_nobody);
	tcase_add_test(command, test_run_watches);
	tcase_add_test(command, test_run_stopped);
	tcase_add_loop_test(command, test_altered, 0, TLS_VERSIONS);
	tcase_add_test(command, test_outlived);
	suite_add_tcase(suite, command);
	tcase_add_checked_fixture(rest, quiet_up, quiet_down);
	tcase_add_test(rest, test_reveals);
	tcase_add_test(rest, test_same_run);
	tcase_add_test(rest, test_severity_names);
	tcase_add_test(rest, test_options);
	tcase_add_test(rest, test_wrong_options);
	suite_add_tcase(suite, rest);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

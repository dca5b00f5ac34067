/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which cause stekprobe handshake names for a talk that went wrong: by alert, by
 * trial, by the certificates of both ends. Pure, with made-up talks.
 */
#include <stdlib.h>

#include <check.h>
#include <openssl/x509_vfy.h>

#include "probe/causes.h"
#include "probe/explain.h"

static const struct cert_own good_own = {
	.given = true, .n = 1, .not_before_s = 1000, .not_after_s = 3000,
	.for_clients = true,
};

/* A talk at second 2000 that the server ended with `alert`, mid-handshake. */
static struct talk alerted(int alert)
{
	return (struct talk){.end = TALK_ALERTED, .stage = TALK_HANDSHAKE,
			     .alert = alert, .begun_s = 2000};
}

static struct talk alerted_after_certificate(int alert)
{
	struct talk talk = alerted(alert);

	talk.flight.n = 2;
	talk.flight.events[0] = (struct flight_event){
		.by_server = true, .content = RECORD_HANDSHAKE,
		.type = HS_CERTIFICATE_REQUEST};
	talk.flight.events[1] = (struct flight_event){
		.content = RECORD_HANDSHAKE, .type = HS_CERTIFICATE};
	return talk;
}

static void expect(const struct talk *talk, const struct cert_own *own,
		   const struct trials *trials, const char *name)
{
	static const struct trials none = {.other_alert = -1};
	struct causes causes;

	explain(&causes, talk, own ? own : &good_own, trials ? trials : &none);
	ck_assert_uint_gt(causes.n, 0);
	ck_assert_str_eq(causes.list[0]->name, name);
}

/* Alerts that mean the same everywhere. */
START_TEST(test_cause_by_alert)
{
	static const struct {
		int alert;
		const char *name;
	} table[] = {
		{70, "version"}, {86, "fallback"}, {112, "unknown_host"},
		{116, "no_certificate"}, {120, "alpn"}, {80, "server_fault"},
		{90, "middlebox_lost"}, {10, "middlebox_altered"},
		{20, "middlebox_altered"}, {22, "middlebox_altered"},
		{47, "middlebox_altered"}, {50, "middlebox_altered"},
		{51, "middlebox_altered"}, {40, "suite"}, {71, "suite"},
		{200, "alert"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct talk talk = alerted(table[i].alert);

		expect(&talk, NULL, NULL, table[i].name);
	}
}
END_TEST

/* What a trial has shown names the cause, if the server never answered. */
START_TEST(test_cause_by_trial)
{
	struct talk talk = alerted(40);
	struct trials trials = {.helped = ASPECT_GROUP, .other_alert = -1};

	talk.stage = TALK_HELLO;
	expect(&talk, NULL, &trials, "group");
	trials.helped = ASPECT_SCHEME;
	expect(&talk, NULL, &trials, "signature_scheme");
	talk.end = TALK_CLOSED;
	trials.helped = ASPECT_PROXY;
	expect(&talk, NULL, &trials, "proxy_header");
	trials.helped = ASPECT_NONE;
	expect(&talk, NULL, &trials, "silent_close");
	talk.stage = TALK_HANDSHAKE;
	expect(&talk, NULL, &trials, "middlebox_cut");
}
END_TEST

/* An altered binder and an altered Finished are both decrypt_error. */
START_TEST(test_cause_of_decrypt_error)
{
	struct talk talk = alerted(51);

	talk.offered = true;
	talk.flight.n = 1;
	expect(&talk, NULL, NULL, "middlebox_altered");
	talk.stage = TALK_HELLO;
	expect(&talk, NULL, NULL, "bad_binder");
	talk.offered = false;
	expect(&talk, NULL, NULL, "middlebox_altered");
}
END_TEST

/* The client's own certificate says more than the alert. */
START_TEST(test_cause_by_own_certificate)
{
	struct talk talk = alerted_after_certificate(42);
	struct cert_own own = good_own;

	own.not_after_s = 1999;
	expect(&talk, &own, NULL, "certificate_expired");
	own.not_after_s = 2000;
	expect(&talk, &own, NULL, "bad_certificate");
	own.not_before_s = 2001;
	own.not_after_s = 3000;
	expect(&talk, &own, NULL, "certificate_not_yet_valid");
	own = good_own;
	own.for_clients = false;
	expect(&talk, &own, NULL, "certificate_usage");
	own = good_own;
	talk.ca_known = true;
	expect(&talk, &own, NULL, "unknown_ca");
	talk.ca_listed = true;
	expect(&talk, &own, NULL, "bad_certificate");
	talk.alert = 45;
	expect(&talk, &own, NULL, "server_clock");
}
END_TEST

/* Where the alert is vague, the other version's may not be. */
START_TEST(test_cause_by_other_version)
{
	struct talk talk = alerted_after_certificate(42);
	struct cert_own own = good_own;
	struct trials trials = {.other_alert = 46};

	expect(&talk, NULL, &trials, "certificate_status");
	trials.other_alert = 42;
	expect(&talk, NULL, &trials, "bad_certificate");
	trials.other_alert = 48;
	expect(&talk, NULL, &trials, "unknown_ca");
	talk.ca_known = talk.ca_listed = true;
	own.n = 3;
	expect(&talk, &own, &trials, "certificate_chain");
	talk.alert = 44;
	expect(&talk, &own, &trials, "certificate_revoked");
}
END_TEST

/* handshake_failure after a request that got no certificate means that. */
START_TEST(test_cause_without_certificate)
{
	struct talk talk = alerted_after_certificate(40);

	talk.flight.events[1].empty = true;
	expect(&talk, NULL, NULL, "no_certificate");
	talk.flight.n = 0;
	expect(&talk, NULL, NULL, "suite");
}
END_TEST

/* Our refusal of the server's certificate, and whose clock is wrong. */
START_TEST(test_cause_of_refusal_here)
{
	struct talk talk = alerted(45);
	struct trials trials = {.other_alert = -1, .clock_known = true,
				.clock_off_s = 86400};

	talk.end = TALK_DECLINED;
	talk.verify_error = X509_V_ERR_CERT_HAS_EXPIRED;
	expect(&talk, NULL, NULL, "server_certificate_expired");
	expect(&talk, NULL, &trials, "own_clock");
	trials.clock_off_s = 300;
	expect(&talk, NULL, &trials, "server_certificate_expired");
	trials.clock_off_s = -301;
	talk.verify_error = X509_V_ERR_CERT_NOT_YET_VALID;
	expect(&talk, NULL, &trials, "own_clock");
	talk.alert = 42;
	talk.verify_error = X509_V_ERR_HOSTNAME_MISMATCH;
	expect(&talk, NULL, &trials, "server_name");
	talk.alert = 48;
	talk.verify_error = X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
	expect(&talk, NULL, NULL, "untrusted_server");
	talk.alert = 50;
	expect(&talk, NULL, NULL, "middlebox_altered");
}
END_TEST

START_TEST(test_cause_of_nothing)
{
	struct talk talk = {.end = TALK_GOOD};
	struct causes causes = {.n = 1};
	struct trials trials = {.other_alert = -1};

	explain(&causes, &talk, &good_own, &trials);
	ck_assert_uint_eq(causes.n, 0);
	ck_assert_ptr_null(cause_of("nothing"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("probe_cause");
	TCase *tcase = tcase_create("cause");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_cause_by_alert);
	tcase_add_test(tcase, test_cause_by_trial);
	tcase_add_test(tcase, test_cause_of_decrypt_error);
	tcase_add_test(tcase, test_cause_by_own_certificate);
	tcase_add_test(tcase, test_cause_by_other_version);
	tcase_add_test(tcase, test_cause_without_certificate);
	tcase_add_test(tcase, test_cause_of_refusal_here);
	tcase_add_test(tcase, test_cause_of_nothing);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stekprobe audit: the later five findings, which are about the tickets
 * themselves, each found, not found and not judged.
 */
#include "audit_seen.h"
#include "probe/alert.h"

static const struct {
	unsigned reveals;
	const char *part;
} readable[] = {
	{REVEALS_SECRET, "session's secret"},
	{REVEALS_CERTIFICATE, "client's certificate"},
	{REVEALS_NAME, "server name"},
	{REVEALS_RUN, "16 times in a row"},
};

START_TEST(test_unprotected_readable)
{
	seen->versions[TLS_V12].reveals = readable[_i].reveals;
	expect_found("unprotected", SEVERITY_CRITICAL, readable[_i].part);
}
END_TEST

START_TEST(test_unprotected)
{
	struct audit_version *v13 = &seen->versions[TLS_V13];

	v13->same_run = 15;
	expect("unprotected", AUDIT_NOT_FOUND, "look sealed");
	v13->same_run = 16;
	expect_found("unprotected", SEVERITY_CRITICAL, "16 bytes in common");
	v13->same_run = 0;
	/* Who has one key need not look at its name. */
	v13->altered[PLACE_NAME] = TRY_RESUMED;
	expect("unprotected", AUDIT_NOT_FOUND, "none resumed altered");
	v13->altered[PLACE_END] = TRY_RESUMED;
	expect_found("unprotected", SEVERITY_CRITICAL, "its last byte changed");
	v13->altered[PLACE_END] = TRY_FULL;
	v13->tickets[5].seen.age_add = v13->tickets[0].seen.age_add;
	expect_found("unprotected", SEVERITY_MEDIUM, "the same in 1 pair");
	v13->tickets[5].seen.age_add++;
	v13->tickets[5].seen.age_add += 1000;
	memcpy(v13->tickets[1].seen.nonce, v13->tickets[0].seen.nonce, 8);
	expect("unprotected", AUDIT_NOT_FOUND, "");
	v13->tickets[1].connection = v13->tickets[0].connection;
	expect_found("unprotected", SEVERITY_MEDIUM, "ticket_nonce comes twice");
}
END_TEST

START_TEST(test_unprotected_not_judged)
{
	for (int v = 0; v < TLS_VERSIONS; v++) {
		seen->versions[v].again = TRY_FULL;
		memset(seen->versions[v].altered, 0,
		       sizeof(seen->versions[v].altered));
	}
	ck_assert_int_eq(finding("unprotected")->outcome, AUDIT_NOT_JUDGED);
	for (int v = 0; v < TLS_VERSIONS; v++)
		seen->versions[v].n_tickets = 0;
	ck_assert_ptr_nonnull(strstr(finding("unprotected")->evidence,
				     "no ticket came"));
}
END_TEST

START_TEST(test_bad_ticket_fails)
{
	struct audit_version *v12 = &seen->versions[TLS_V12];

	v12->altered[PLACE_NAME] = TRY_FAILED;
	expect_found("bad_ticket_fails", SEVERITY_MEDIUM,
		     "its first byte changed, twice closed");
	v12->alert[PLACE_NAME] = ALERT_INTERNAL_ERROR;
	expect_found("bad_ticket_fails", SEVERITY_MEDIUM,
		     "twice internal_error");
	for (int v = 0; v < TLS_VERSIONS; v++)
		memset(seen->versions[v].altered, 0,
		       sizeof(seen->versions[v].altered));
	expect("bad_ticket_fails", AUDIT_NOT_JUDGED, "no ticket to alter");
}
END_TEST

START_TEST(test_weak_resumption)
{
	struct audit_version *v12 = &seen->versions[TLS_V12];
	struct audit_version *v13 = &seen->versions[TLS_V13];

	v12->no_ems = TRY_RESUMED;
	expect_found("weak_resumption", SEVERITY_LOW, "of clients without");
	v12->ems = false;
	expect_found("weak_resumption", SEVERITY_MEDIUM, "the server has no");
	v12->ems = true;
	v12->no_ems = TRY_FAILED;
	expect("weak_resumption", AUDIT_NOT_FOUND, "nothing resumes");
	v13->psk_ke = TRY_RESUMED;
	expect_found("weak_resumption", SEVERITY_MEDIUM, "under psk_ke");
	v13->psk_ke = TRY_FULL;
	v13->psk_ke_forced = false;
	expect("weak_resumption", AUDIT_NOT_FOUND, "not judged: TLSv1.3: psk_ke");
	v13->psk_ke = v12->no_ems = TRY_NONE;
	expect("weak_resumption", AUDIT_NOT_JUDGED, "");
	v12->spoken = v13->spoken = false;
	expect("weak_resumption", AUDIT_NOT_JUDGED, "no handshake");
}
END_TEST

START_TEST(test_early_data_replay)
{
	struct audit_version *v13 = &seen->versions[TLS_V13];

	v13->early_max = 16384;
	expect("early_data_replay", AUDIT_NOT_JUDGED, "was not accepted");
	v13->early_tried = v13->early_first = true;
	expect("early_data_replay", AUDIT_NOT_FOUND, "accepted once");
	v13->early_second = true;
	expect_found("early_data_replay", SEVERITY_HIGH, "accepted twice");
	v13->n_tickets = 0;
	expect("early_data_replay", AUDIT_NOT_JUDGED, "no ticket came");
}
END_TEST

/* To the byte: 1448 fit, and what does not fit without a ticket is no fault. */
START_TEST(test_ticket_size)
{
	struct audit_version *v12 = &seen->versions[TLS_V12];

	v12->tickets[3].seen.size = 1148;
	expect("ticket_size", AUDIT_NOT_FOUND, "1148 bytes");
	v12->tickets[3].seen.size = 1149;
	expect_found("ticket_size", SEVERITY_LOW, "a ClientHello of 1449");
	v12->hello_without = 1449;
	expect("ticket_size", AUDIT_NOT_FOUND, "1149 bytes");
	v12->hello_without = 300;
	v12->auth_size = 1300;
	expect_found("ticket_size", SEVERITY_LOW, "after client authentication");
	v12->hello_with = seen->versions[TLS_V13].hello_with = 0;
	expect("ticket_size", AUDIT_NOT_JUDGED, "no ticket was offered");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("probe_audit_form");
	TCase *tcase = tcase_create("findings");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, test_unprotected_readable, 0,
			    sizeof(readable) / sizeof(readable[0]));
	tcase_add_test(tcase, test_unprotected);
	tcase_add_test(tcase, test_unprotected_not_judged);
	tcase_add_test(tcase, test_bad_ticket_fails);
	tcase_add_test(tcase, test_weak_resumption);
	tcase_add_test(tcase, test_early_data_replay);
	tcase_add_test(tcase, test_ticket_size);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stekprobe audit: what it makes of what it has seen. The earlier five findings,
 * each found, not found and not judged, and what holds for all.
 */
#include "audit_seen.h"

/* Nothing is found in a clean server, and all ten are judged. */
START_TEST(test_clean)
{
	audit_judge(seen, result->findings);
	for (int i = 0; i < AUDIT_FINDINGS; i++) {
		const struct audit_finding *one = &result->findings[i];

		ck_assert_msg(one->outcome == AUDIT_NOT_FOUND, "%s: %s",
			      one->rule->id, one->evidence);
		ck_assert_ptr_null(strstr(one->evidence, "not judged"));
		ck_assert_ptr_nonnull(strstr(one->rule->rfc, "RFC "));
	}
	ck_assert_int_eq(audit_verdict(result, SEVERITY_LOW), 0);
}
END_TEST

/* Nothing is judged where nothing was seen. */
START_TEST(test_nothing_seen)
{
	*seen = (struct audit_seen){.versions = {{.wanted = true},
						 {.wanted = true}}};
	audit_judge(seen, result->findings);
	for (int i = 0; i < AUDIT_FINDINGS; i++) {
		const struct audit_finding *one = &result->findings[i];

		ck_assert_msg(one->outcome == AUDIT_NOT_JUDGED, "%s: %s",
			      one->rule->id, one->evidence);
		ck_assert_int_gt(one->evidence[0], 0);
	}
	ck_assert_int_eq(audit_verdict(result, SEVERITY_LOW), 3);
	seen->reached = true;
	ck_assert_int_eq(audit_verdict(result, SEVERITY_LOW), 1);
}
END_TEST

START_TEST(test_lifetime)
{
	struct audit_version *v13 = &seen->versions[TLS_V13];
	struct audit_version *v12 = &seen->versions[TLS_V12];

	v13->tickets[4].seen.lifetime_s = AUDIT_WEEK_S;
	expect("lifetime", AUDIT_NOT_FOUND, "604800 s");
	v13->tickets[4].seen.lifetime_s = AUDIT_WEEK_S + 1;
	expect_found("lifetime", SEVERITY_HIGH, "TLSv1.3: a lifetime of 604801");
	v13->tickets[4].seen.lifetime_s = 3600;
	v12->tickets[0].seen.lifetime_s = 2592000;
	expect_found("lifetime", SEVERITY_HIGH, "(30.0 days)");
	v12->tickets[0].seen.lifetime_s = 0;
	expect_found("lifetime", SEVERITY_LOW, "each client sets its own");
	v12->tickets[0].seen.lifetime_s = 3600;
	v13->past = TRY_RESUMED;
	expect_found("lifetime", SEVERITY_MEDIUM,
		     "lifetime of 3600 s resumed after 3602 s");
	/* What was not waited for is said, and no more. */
	v13->past = TRY_NONE;
	expect("lifetime", AUDIT_NOT_FOUND, "not judged: TLSv1.3: its end");
	v12->n_tickets = v13->n_tickets = 0;
	expect("lifetime", AUDIT_NOT_JUDGED, "no ticket came");
}
END_TEST

/* Tickets of the begin in both versions: what they start with. */
static void name_tickets(unsigned round, const uint8_t *name, size_t len)
{
	for (int v = 0; v < TLS_VERSIONS; v++) {
		for (size_t i = 0; i < seen->versions[v].n_tickets; i++) {
			struct audit_ticket *one =
				&seen->versions[v].tickets[i];

			if (one->round == round)
				memcpy(one->seen.name, name, len);
		}
	}
}

START_TEST(test_key_not_rotated)
{
	struct audit_version *v12 = &seen->versions[TLS_V12];
	uint8_t key[KEY_NAME_LEN];

	memset(key, 'a', sizeof(key));
	/* One of the first that still seals, among others that do not. */
	memcpy(v12->tickets[5].seen.name, key, sizeof(key));
	expect_found("key_not_rotated", SEVERITY_MEDIUM,
		     "TLSv1.2: key 61616161... sealed at the begin");
	memset(v12->tickets[5].seen.name, 'b', KEY_NAME_LEN);
	/* One bit of the name is another key. */
	key[15] ^= 1;
	name_tickets(AUDIT_ROUNDS, key, sizeof(key));
	expect("key_not_rotated", AUDIT_NOT_FOUND, "2 key names in 3600 s");
	seen->watched_s--;
	expect("key_not_rotated", AUDIT_NOT_JUDGED, "3599 of 3600 s");
	seen->watch_s = seen->watched_s = 0;
	expect("key_not_rotated", AUDIT_NOT_JUDGED, "needs --watch");
}
END_TEST

/* Formats without a key's name in front are told, not guessed at. */
START_TEST(test_key_names_of_other_formats)
{
	static const uint8_t mark[8] = "TICKETv1";

	for (int v = 0; v < TLS_VERSIONS; v++) {
		for (size_t i = 0; i < seen->versions[v].n_tickets; i++)
			memset(seen->versions[v].tickets[i].seen.name,
			       (int)(17 * i + 3), KEY_NAME_LEN);
	}
	expect("key_not_rotated", AUDIT_NOT_JUDGED,
	       "do not begin with the name of a key");
	/* What only tickets of one connection share is no key's name. */
	for (int v = 0; v < TLS_VERSIONS; v++) {
		struct audit_ticket *tickets = seen->versions[v].tickets;

		for (size_t i = 0; i < 6; i += 3) {
			tickets[i + 1].connection = tickets[i].connection;
			memcpy(tickets[i + 1].seen.name, tickets[i].seen.name,
			       KEY_NAME_LEN);
		}
	}
	expect("key_not_rotated", AUDIT_NOT_JUDGED,
	       "do not begin with the name of a key");
	name_tickets(0, mark, sizeof(mark));
	name_tickets(AUDIT_ROUNDS, mark, sizeof(mark));
	expect("key_not_rotated", AUDIT_NOT_JUDGED, "have 8 bytes in common");
	seen->versions[TLS_V12].n_tickets = 3;
	seen->versions[TLS_V13].n_tickets = 3;
	expect("key_not_rotated", AUDIT_NOT_JUDGED, "");
}
END_TEST

/* The same for names and for hosts. */
static void check_other(const char *id, struct audit_other *other)
{
	enum tls_version v = TLS_V13;

	other->resumed[v] = TRY_RESUMED;
	expect_found(id, SEVERITY_HIGH, "TLSv1.3: a ticket resumed at");
	other->same_certificate[v] = true;
	expect(id, AUDIT_NOT_FOUND, "has the same certificate");
	other->same_certificate[v] = false;
	other->covered[v] = true;
	expect(id, AUDIT_NOT_FOUND, "both certificates are valid");
	other->covered[v] = false;
	/* Without the control a refusal proves nothing. */
	other->resumed[v] = TRY_FULL;
	seen->versions[v].again = seen->versions[TLS_V12].again = TRY_FULL;
	ck_assert_int_eq(finding(id)->outcome, AUDIT_NOT_JUDGED);
	seen->versions[v].again = seen->versions[TLS_V12].again = TRY_RESUMED;
	other->full[v] = other->full[TLS_V12] = TRY_FAILED;
	expect(id, AUDIT_NOT_JUDGED, "no handshake at");
	other->full[v] = other->full[TLS_V12] = TRY_FULL;
	other->resumed[v] = other->resumed[TLS_V12] = TRY_FAILED;
	expect(id, AUDIT_NOT_JUDGED, "failed");
}

START_TEST(test_shared_across_names)
{
	check_other("shared_across_names", &seen->names[0]);
	seen->n_names = 0;
	expect("shared_across_names", AUDIT_NOT_JUDGED, "needs --other-sni");
}
END_TEST

START_TEST(test_shared_across_hosts)
{
	check_other("shared_across_hosts", &seen->hosts[0]);
	seen->n_hosts = 0;
	expect("shared_across_hosts", AUDIT_NOT_JUDGED, "needs --also");
}
END_TEST

START_TEST(test_client_auth_entered)
{
	struct audit_auth *auth = &seen->auth[TLS_V13];

	auth->entered = TRY_RESUMED;
	expect_found("client_auth", SEVERITY_CRITICAL, "was let in");
	/* Servers that ask, and refuse in HTTP. */
	auth->bare = TRY_FULL;
	auth->bare_status = 400;
	auth->entered_status = 200;
	expect_found("client_auth", SEVERITY_CRITICAL, "was let in");
	auth->entered_status = 400;
	expect("client_auth", AUDIT_NOT_FOUND, "refused by HTTP 400");
	auth->bare_status = auth->entered_status = 200;
	expect("client_auth", AUDIT_NOT_FOUND, "let in anyway");
}
END_TEST

START_TEST(test_client_auth_carried)
{
	struct audit_auth *auth = &seen->auth[TLS_V12];

	auth->carried = TRY_RESUMED;
	expect_found("client_auth", SEVERITY_HIGH,
		     "TLSv1.2: a ticket got with a certificate resumed");
	auth->entered = TRY_RESUMED;
	expect_found("client_auth", SEVERITY_CRITICAL, "; TLSv1.2: a ticket");
}
END_TEST

START_TEST(test_client_auth_not_judged)
{
	for (int v = 0; v < TLS_VERSIONS; v++)
		seen->auth[v].carried = TRY_NONE;
	expect("client_auth", AUDIT_NOT_FOUND, "could be tried");
	seen->auth[TLS_V12].with = TRY_FAILED;
	expect("client_auth", AUDIT_NOT_FOUND, "was not accepted");
	seen->cert_given = false;
	expect("client_auth", AUDIT_NOT_FOUND, "needs --cert");
	for (int v = 0; v < TLS_VERSIONS; v++)
		seen->versions[v].again = TRY_FULL;
	ck_assert_int_eq(finding("client_auth")->outcome, AUDIT_NOT_JUDGED);
	for (int v = 0; v < TLS_VERSIONS; v++)
		seen->auth[v].asked = false;
	ck_assert_int_eq(finding("client_auth")->outcome, AUDIT_NOT_JUDGED);
	seen->auth_wanted = false;
	ck_assert_ptr_nonnull(strstr(finding("client_auth")->evidence,
				     "needs --auth-name"));
}
END_TEST

/* What --tls leaves out is neither judged nor missed. */
START_TEST(test_one_version)
{
	seen->versions[TLS_V13] = (struct audit_version){0};
	audit_judge(seen, result->findings);
	for (int i = 0; i < AUDIT_FINDINGS; i++) {
		const struct audit_finding *one = &result->findings[i];

		if (strcmp(one->rule->id, "early_data_replay") == 0)
			continue;
		ck_assert_msg(one->outcome == AUDIT_NOT_FOUND, "%s: %s",
			      one->rule->id, one->evidence);
		ck_assert_ptr_null(strstr(one->evidence, "TLSv1.3"));
	}
}
END_TEST

/* Much evidence is cut, and nothing overflows. */
START_TEST(test_much_evidence)
{
	seen->n_names = AUDIT_OTHERS_MAX;
	for (int i = 0; i < AUDIT_OTHERS_MAX; i++) {
		seen->names[i] = seen->names[0];
		memset(seen->names[i].name, 'x', 253);
		seen->names[i].resumed[TLS_V12] = TRY_RESUMED;
		seen->names[i].full[TLS_V13] = TRY_FAILED;
	}
	expect_found("shared_across_names", SEVERITY_HIGH, "TLSv1.2");
	ck_assert_uint_lt(strlen(finding("shared_across_names")->evidence),
			  sizeof(result->findings[0].evidence));
}
END_TEST

/* ---- the report ------------------------------------------------------------- */

/* Every finding is in every format, and CSV has as many fields as columns. */
START_TEST(test_formats)
{
	static const enum report_format formats[] = {REPORT_TEXT, REPORT_JSON,
						     REPORT_CSV};
	struct audit_plan plan = {.fail_on = SEVERITY_HIGH};
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	strcpy(plan.address.text, "192.0.2.1:443");
	seen->versions[TLS_V12].no_ems = TRY_RESUMED;
	audit_judge(seen, result->findings);
	audit_print(&plan, result, formats[_i], out);
	fclose(out);
	for (int i = 0; i < AUDIT_FINDINGS; i++)
		ck_assert_ptr_nonnull(strstr(text, audit_rules[i].id));
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (formats[_i] == REPORT_TEXT)
			ck_assert_uint_lt(strlen(line), 80);
		if (formats[_i] == REPORT_CSV && strchr(line, '"'))
			ck_assert_ptr_nonnull(strstr(line, "\",\""));
	}
	free(text);
}
END_TEST

static TCase *findings(void)
{
	TCase *tcase = tcase_create("findings");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_clean);
	tcase_add_test(tcase, test_nothing_seen);
	tcase_add_test(tcase, test_lifetime);
	tcase_add_test(tcase, test_key_not_rotated);
	tcase_add_test(tcase, test_key_names_of_other_formats);
	tcase_add_test(tcase, test_shared_across_names);
	tcase_add_test(tcase, test_shared_across_hosts);
	tcase_add_test(tcase, test_client_auth_entered);
	tcase_add_test(tcase, test_client_auth_carried);
	tcase_add_test(tcase, test_client_auth_not_judged);
	tcase_add_test(tcase, test_one_version);
	tcase_add_test(tcase, test_much_evidence);
	tcase_add_loop_test(tcase, test_formats, 0, 3);
	return tcase;
}

int main(void)
{
	Suite *suite = suite_create("probe_audit");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, findings());
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

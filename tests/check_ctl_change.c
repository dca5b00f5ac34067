/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_ctl_change.c - stekctl rotate and revoke, against the answers of a
 * server: what they ask for, and how a refusal reads.
 */
#include "ctl_server.h"

START_TEST(test_rotate)
{
	serve_unix("200 OK", "",
		   "{\"key\":\"00aa\",\"epoch\":8,"
		   "\"activate_at_ms\":45296000,\"nodes\":[{\"name\":\"n1\","
		   "\"acknowledged\":true,\"after_ms\":12}]}");
	ck_assert_int_eq(ctl_here("rotate --force"), CTL_OK);
	served();
	ck_assert(strncmp(server.request, "POST /v1/rotate ", 16) == 0);
	ck_assert_ptr_nonnull(strstr(server.request, "{\"force\":true}"));
	ck_assert_ptr_nonnull(strcasestr(server.request,
					 "content-type: application/json"));
	ck_assert(file_has(out_path, "00aa, active at 12:34:56 UTC"));
	ck_assert(file_has(out_path, "after 12 ms"));
}
END_TEST

/* A refusal names the late nodes, and when to try again. */
START_TEST(test_rotate_refused)
{
	serve_unix("504 Gateway Timeout", "",
		   "{\"title\":\"late\",\"detail\":\"n2 has not answered\","
		   "\"instance\":\"urn:uuid:7\",\"nodes\":[{\"name\":\"n2\",\"acknowledged\":false}]}");
	ck_assert_int_eq(ctl_here("rotate"), CTL_REFUSED);
	served();
	ck_assert_ptr_nonnull(strstr(server.request, "\r\n\r\n{}"));
	ck_assert(file_has(err_path, "n2 has not answered"));
	ck_assert(file_has(err_path, "LATE"));
	ck_assert(file_has(err_path, "log names it urn:uuid:7\n"));
	serve_unix("429 Too Many Requests", "Retry-After: 41\r\n", "{}");
	ck_assert_int_eq(ctl_here("rotate"), CTL_REFUSED);
	served();
	ck_assert(file_has(err_path, "again in 41 s"));
	ck_assert(!file_has(err_path, "log"));
}
END_TEST

/* The epoch goes into If-Match, and with rotate and revoke only. */
START_TEST(test_if_epoch)
{
	serve_unix("412 Precondition Failed", "",
		   "{\"title\":\"The ring is another\",\"epoch\":8}");
	ck_assert_int_eq(ctl_here("rotate --if-epoch 7"), CTL_REFUSED);
	served();
	ck_assert_ptr_nonnull(strstr(server.request,
				     "\r\nIf-Match: \"7\"\r\n"));
	ck_assert_ptr_nonnull(strstr(server.request, "\r\nIdempotency-Key: "));
	ck_assert(file_has(err_path, "412 The ring is another"));
	serve_unix("200 OK", "", "{\"revoked\":3,\"key\":\"00aa\"}");
	ck_assert_int_eq(ctl_here("revoke --all --if-epoch 7-" ID ID), CTL_OK);
	served();
	ck_assert_ptr_nonnull(strstr(server.request,
				     "\r\nIf-Match: \"7-" ID ID "\"\r\n"));
	serve_unix("200 OK", "", "{}");
	ck_assert_int_eq(ctl_here("rotate"), CTL_OK);
	served();
	ck_assert_ptr_null(strcasestr(server.request, "if-match"));
	ck_assert_int_eq(ctl_here("rotate --if-epoch 7-" ID), CTL_USAGE);
	ck_assert_int_eq(ctl_here("rotate --if-epoch 07"), CTL_USAGE);
	ck_assert_int_eq(ctl_here("rotate --if-epoch -1"), CTL_USAGE);
	ck_assert_int_eq(ctl_here("rotate --if-epoch 7\"x"), CTL_USAGE);
	ck_assert_int_eq(ctl_here("rotate --if-epoch "
				  "123456789012345678901"), CTL_USAGE);
	ck_assert_int_eq(ctl_here("status --if-epoch 7"), CTL_USAGE);
}
END_TEST

/* Why is told with both changes; a text that the audit cannot hold is wrong. */
START_TEST(test_note)
{
	serve_unix("200 OK", "", "{}");
	ck_assert_int_eq(ctl_here("rotate --note=leak"), CTL_OK);
	served();
	ck_assert_ptr_nonnull(strstr(server.request, "{\"note\":\"leak\"}"));
	serve_unix("200 OK", "", "{\"revoked\":3}");
	ck_assert_int_eq(ctl_here("revoke --all --note=leak"), CTL_OK);
	served();
	ck_assert_ptr_nonnull(strstr(server.request, "\"note\":\"leak\""));
	ck_assert_int_eq(ctl_here("rotate --note="), CTL_USAGE);
	ck_assert_int_eq(ctl_here("rotate --note=\xc3\xa9"), CTL_USAGE);
	ck_assert_int_eq(ctl_here("keys --note=leak"), CTL_USAGE);
}
END_TEST

START_TEST(test_revoke)
{
	serve_unix("200 OK", "", "{\"revoked\":3,\"key\":\"00aa\"}");
	ck_assert_int_eq(ctl_here("revoke --all"), CTL_OK);
	served();
	ck_assert_ptr_nonnull(strstr(server.request, "{\"all\":true}"));
	ck_assert(file_has(out_path, "3 keys"));
	serve_unix("404 Not Found", "", "{\"title\":\"unknown key\"}");
	ck_assert_int_eq(ctl_here("revoke " ID), CTL_REFUSED);
	served();
	ck_assert_ptr_nonnull(strstr(server.request,
				     "{\"keys\":[\"" ID "\"]}"));
	ck_assert(file_has(err_path, "unknown key"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl_change");
	TCase *tcase = tcase_create("change");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_rotate);
	tcase_add_test(tcase, test_rotate_refused);
	tcase_add_test(tcase, test_if_epoch);
	tcase_add_test(tcase, test_note);
	tcase_add_test(tcase, test_revoke);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

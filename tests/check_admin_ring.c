// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_admin_ring.c - the ring's entity tag, and what If-Match and
 * If-None-Match make of a request, without sockets. That the comparison holds
 * against other nodes: check_expect.c.
 */
#include "admin_ask.h"

#include "text.h"

static char tag[ADMIN_TAG_LEN];
static json_int_t epoch;

/* Asks with headers; a body makes it POST. */
static unsigned ask_if(const char *path, const char *if_match,
		       const char *if_none_match, const char *body,
		       const char *name)
{
	const struct admin_request request = {
		.method = body ? "POST" : "GET", .path = path, .body = body,
		.body_len = body ? strlen(body) : 0, .who = "uid:0",
		.if_match = if_match, .if_none_match = if_none_match,
		.request = name,
	};

	forget();
	memset(&answer, 0, sizeof(answer));
	admin_route(&farm.node, &request, &answer);
	ck_assert_ptr_nonnull(answer.body);
	json = json_loads(answer.body, JSON_REJECT_DUPLICATES, NULL);
	return answer.status;
}

/* Of the ring as it is now. */
static void learn(void)
{
	ck_assert_uint_eq(ask_if("/v1/ring", NULL, NULL, NULL, NULL), 200);
	strcpy(tag, answer.etag);
	epoch = integer(json, "epoch");
}

/* The tag is epoch and digest, and the document has nothing of the hour. */
START_TEST(test_tag)
{
	char expected[ADMIN_TAG_LEN], first[16384];

	learn();
	snprintf(expected, sizeof(expected), "\"%lld-%s\"", (long long)epoch,
		 text("digest"));
	ck_assert_str_eq(tag, expected);
	ck_assert_uint_lt(answer.len, sizeof(first));
	strcpy(first, answer.body);
	/* Octet by octet the same (RFC 9110 s8.8.1), whatever the time. */
	ck_assert_uint_eq(ask_if("/v1/ring", tag, NULL, NULL, NULL), 200);
	ck_assert_str_eq(answer.body, first);
	ck_assert_ptr_null(strstr(answer.body, "now_ms"));
	ck_assert_ptr_null(strstr(answer.body, "\"state\""));
	ck_assert_uint_ge(json_array_size(json_object_get(json, "keys")), 3);
	ck_assert_uint_eq(ask("POST", "/v1/rotate", NULL), 200);
	ck_assert_uint_eq(ask_if("/v1/ring", NULL, tag, NULL, NULL), 200);
	ck_assert_str_ne(answer.etag, tag);
}
END_TEST

/* 304 for a tag in the list, weak or not, and for *; else the document. */
START_TEST(test_none_match)
{
	char many[512];

	learn();
	ck_assert_uint_eq(ask_if("/v1/ring", NULL, tag, NULL, NULL), 304);
	ck_assert_uint_eq(answer.len, 0);
	ck_assert_ptr_null(answer.type);
	ck_assert_str_eq(answer.etag, tag);
	ck_assert_uint_eq(ask_if("/v1/ring", NULL, "*", NULL, NULL), 304);
	snprintf(many, sizeof(many), "\"a,b\" ,W/\"\", W/%s", tag);
	ck_assert_uint_eq(ask_if("/v1/ring", NULL, many, NULL, NULL), 304);
	snprintf(many, sizeof(many), "\"%lld\"", (long long)epoch);
	ck_assert_uint_eq(ask_if("/v1/ring", NULL, many, NULL, NULL), 200);
	snprintf(many, sizeof(many), "%s", tag);
	many[strlen(many) - 2] ^= 1;
	ck_assert_uint_eq(ask_if("/v1/ring", NULL, many, NULL, NULL), 200);
	ck_assert_uint_eq(ask_if("/v1/ring", NULL, "", NULL, NULL), 200);
	ck_assert_uint_eq(ask_if("/v1/ring", NULL, "a, b", NULL, NULL), 200);
	ck_assert_uint_eq(ask_if("/v1/ring", NULL, "\"a", NULL, NULL), 200);
	/* Others have no tag, and answer as ever. */
	ck_assert_uint_eq(ask_if("/v1/keys", NULL, "*", NULL, NULL), 200);
	ck_assert_ptr_null(answer.etag);
}
END_TEST

/* What is no entity tag is refused; what never was one of ours, matches not. */
START_TEST(test_match_refused)
{
	static const char *const wrong[] = { "", "7", "\"7", "7\"", "\"7\" ",
		"\"7\", \"8\"", "**", "W/7", "\"7\"x", "\"a b\"" };
	static const char *const never[] = { "W/\"7\"", "\"\"", "\"x\"",
		"\"07\"", "\"7-\"", "\"7-00\"", "\"+7\"", "\"-7\"",
		"\"99999999999999999999999\"", "\"7-" ID32 "\"",
		"\"7-" ID32 ID32 "0\"", "\"7-" ID32
		"00112233445566778899aabbccddeefF\"" };
	size_t i;

	learn();
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		ask_if("/v1/rotate", wrong[i], NULL, "{}", NULL);
		is_kind(PROBLEM_BAD_REQUEST);
	}
	for (i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
		ask_if("/v1/revoke", never[i], NULL, "{\"all\":true}", NULL);
		is_kind(PROBLEM_PRECONDITION);
	}
	/* Nothing else has a tag: what was expected cannot be. */
	ask_if("/v1/reload", tag, NULL, "{}", NULL);
	is_kind(PROBLEM_PRECONDITION);
	ask_if("/v1/deny", tag, NULL, "{\"add\":\"" ID32 ID32 "\"}", NULL);
	is_kind(PROBLEM_PRECONDITION);
	ask_if("/v1/rotate", tag, NULL, "{\"expect\":{\"epoch\":1,\"digest\":\""
	       ID32 ID32 "\"}}", NULL);
	is_kind(PROBLEM_BAD_REQUEST);
	ck_assert_uint_eq(ask_if("/v1/keys", "*", NULL, NULL, NULL), 200);
	ck_assert_int_eq(integer(json, "epoch"), epoch);
}
END_TEST

/* The right tag lets a change pass once; the problem tells the ring of now. */
START_TEST(test_match)
{
	char of_epoch[32];

	learn();
	ck_assert_uint_eq(ask_if("/v1/rotate", tag, NULL, "{}", NULL), 200);
	ask_if("/v1/rotate", tag, NULL, "{\"force\":true}", NULL);
	is_kind(PROBLEM_RING_MOVED);
	ck_assert_int_eq(integer(json, "epoch"), epoch + 1);
	ask_if("/v1/ring", tag, NULL, NULL, NULL);
	is_kind(PROBLEM_RING_MOVED);
	ck_assert_ptr_null(answer.etag);
	ask_if("/v1/revoke", tag, NULL, "{\"all\":true}", NULL);
	is_kind(PROBLEM_RING_MOVED);
	ck_assert_int_eq(integer(json, "epoch"), epoch + 1);
	ck_assert_uint_eq(strlen(text("digest")), 2 * STEK_DIGEST_LEN);
	ask_if("/v1/revoke", tag, NULL, "{\"all\":true,\"dry_run\":true}",
	       NULL);
	is_kind(PROBLEM_RING_MOVED);
	snprintf(of_epoch, sizeof(of_epoch), "\"%lld\"", (long long)epoch + 1);
	ck_assert_uint_eq(ask_if("/v1/revoke", of_epoch, NULL,
				 "{\"all\":true}", NULL), 200);
	ask_if("/v1/revoke", of_epoch, NULL, "{\"all\":true}", NULL);
	is_kind(PROBLEM_RING_MOVED);
	ck_assert_uint_eq(ask_if("/v1/rotate", "*", NULL, "{\"force\":true}",
				 NULL), 200);
}
END_TEST

/* In the body it is the same, of a revocation too. */
START_TEST(test_expect_in_body)
{
	char body[256];

	learn();
	snprintf(body, sizeof(body), "{\"all\":true,\"expect\":{\"epoch\":%lld,"
		 "\"digest\":\"%s\"}}", (long long)epoch, text("digest"));
	ck_assert_uint_eq(ask("POST", "/v1/revoke", body), 200);
	ask("POST", "/v1/revoke", body);
	is_kind(PROBLEM_RING_MOVED);
}
END_TEST

/* A named request that comes again gets its answer though the ring moved. */
START_TEST(test_match_named)
{
	char key[64];

	learn();
	ck_assert_uint_eq(ask_if("/v1/rotate", tag, NULL, "{}", "n"), 200);
	snprintf(key, sizeof(key), "%s", text("key"));
	ck_assert_uint_eq(ask_if("/v1/rotate", tag, NULL, "{}", "n"), 200);
	ck_assert_str_eq(text("key"), key);
	ck_assert(json_is_true(json_object_get(json, "replayed")));
	ask_if("/v1/rotate", NULL, NULL, "{}", "n");
	is_kind(PROBLEM_NAME_REUSED);
	learn();
	ask_if("/v1/rotate", tag, NULL, "{}", "n");
	is_kind(PROBLEM_NAME_REUSED);
}
END_TEST

/* Without the store nobody knows the ring: nothing is revoked. */
START_TEST(test_match_without_store)
{
	learn();
	admin_farm_lose_store(&farm);
	ask_if("/v1/revoke", tag, NULL, "{\"all\":true}", NULL);
	is_kind(PROBLEM_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(text("detail"), "nothing is revoked, unless"));
	ck_assert_uint_eq(ask_if("/v1/ring", NULL, tag, NULL, NULL), 304);
}
END_TEST

/* Digits there and back; one that is none is found wherever it stands. */
START_TEST(test_unhex)
{
	uint8_t bytes[4];
	char hex[9];

	ck_assert(text_unhex(bytes, "09afF0", 2));
	ck_assert(!text_unhex(bytes, "09afF0", 3));
	ck_assert(text_unhex(bytes, "0123cdef", 4));
	text_hex(hex, bytes, 4);
	ck_assert_str_eq(hex, "0123cdef");
	ck_assert(!text_unhex(bytes, "0", 1));
	ck_assert(!text_unhex(bytes, "0g", 1));
	ck_assert(!text_unhex(bytes, "", 1));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("admin_ring");
	TCase *tcase = tcase_create("admin_ring");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_tag);
	tcase_add_test(tcase, test_none_match);
	tcase_add_test(tcase, test_match_refused);
	tcase_add_test(tcase, test_match);
	tcase_add_test(tcase, test_expect_in_body);
	tcase_add_test(tcase, test_match_named);
	tcase_add_test(tcase, test_match_without_store);
	tcase_add_test(tcase, test_unhex);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_admin_refuse.c - what the admin endpoint refuses, without sockets: by
 * method, type, body, query and the name of the request; and what it answers
 * where those are right.
 */
#include "admin_ask.h"

#define NOTE50 "the key of node-3 was seen in a core dump of today"
#define NOTE200 NOTE50 NOTE50 NOTE50 NOTE50

struct refusal {
	const char *method, *path, *type, *body;
	unsigned status;
};

static const struct refusal refusals[] = {
	{ "GET", "//", NULL, NULL, 404 },
	{ "GET", "/index", NULL, NULL, 404 },
	{ "POST", "/", NULL, "{}", 405 },
	{ "DELETE", "/dashboard.js", NULL, NULL, 405 },
	{ "GET", "/v1", NULL, NULL, 404 },
	{ "GET", "/v1/status/", NULL, NULL, 404 },
	{ "GET", "/v1/Status", NULL, NULL, 404 },
	{ "GET", "/../v1/status", NULL, NULL, 404 },
	{ "POST", "/v1/nothing", NULL, "{}", 404 },
	{ "GET", "/v1/rotate", NULL, NULL, 405 },
	{ "HEAD", "/v1/revoke", NULL, NULL, 405 },
	{ "PUT", "/v1/rotate", NULL, "{}", 405 },
	{ "post", "/v1/rotate", NULL, "{}", 405 },
	{ "POST", "/v1/status", NULL, NULL, 405 },
	{ "DELETE", "/v1/keys", NULL, NULL, 405 },
	{ "OPTIONS", "/v1/rotate", NULL, NULL, 405 },
	{ "POST", "/metrics", NULL, NULL, 405 },
	{ "POST", "/v1/rotate", "text/plain", "{}", 415 },
	{ "POST", "/v1/rotate", "application/jsonx", "{}", 415 },
	{ "POST", "/v1/rotate", "application/x-www-form-urlencoded", "", 415 },
	{ "POST", "/v1/rotate", NULL, "[]", 400 },
	{ "POST", "/v1/rotate", NULL, "{", 400 },
	{ "POST", "/v1/rotate", NULL, "{}{}", 400 },
	{ "POST", "/v1/rotate", NULL, "null", 400 },
	{ "POST", "/v1/rotate", NULL, "{\"force\":1}", 400 },
	{ "POST", "/v1/rotate", NULL, "{\"forced\":true}", 400 },
	{ "POST", "/v1/rotate", NULL, "{\"force\":true,\"force\":false}", 400 },
	{ "POST", "/v1/rotate", NULL, "{\"expect\":7}", 400 },
	{ "POST", "/v1/rotate", NULL, "{\"expect\":{}}", 400 },
	{ "POST", "/v1/rotate", NULL, "{\"expect\":{\"epoch\":1}}", 400 },
	{ "POST", "/v1/rotate", NULL,
	  "{\"expect\":{\"epoch\":-1,\"digest\":\"" ID32 ID32 "\"}}", 400 },
	{ "POST", "/v1/rotate", NULL,
	  "{\"expect\":{\"epoch\":1,\"digest\":\"" ID32 "\"}}", 400 },
	{ "POST", "/v1/rotate", NULL,
	  "{\"expect\":{\"epoch\":1,\"digest\":\"" ID32 ID32 "\",\"x\":1}}",
	  400 },
	{ "POST", "/v1/revoke", NULL, NULL, 400 },
	{ "POST", "/v1/revoke", NULL, "{\"all\":false}", 400 },
	{ "POST", "/v1/revoke", NULL, "{\"all\":\"true\"}", 400 },
	{ "POST", "/v1/revoke", NULL,
	  "{\"all\":true,\"keys\":[\"" ID32 "\"]}", 400 },
	{ "POST", "/v1/revoke", NULL, "{\"keys\":[]}", 400 },
	{ "POST", "/v1/revoke", NULL, "{\"keys\":\"" ID32 "\"}", 400 },
	{ "POST", "/v1/revoke", NULL, "{\"keys\":[\"" ID32 "0\"]}", 400 },
	{ "POST", "/v1/revoke", NULL, "{\"keys\":[\"001122\"]}", 400 },
	{ "POST", "/v1/revoke", NULL,
	  "{\"keys\":[\"00112233445566778899AABBCCDDEEFF\"]}", 400 },
	{ "POST", "/v1/revoke", NULL, "{\"keys\":[7]}", 400 },
	{ "POST", "/v1/revoke", NULL, "{\"all\":true,\"expect\":{}}", 400 },
	{ "PUT", "/v1/ring", NULL, NULL, 405 },
	{ "POST", "/v1/revoke", NULL, "{\"key\":\"" ID32 "\"}", 400 },
	{ "POST", "/v1/rotate", NULL, "{\"dry_run\":1}", 400 },
	{ "POST", "/v1/rotate", NULL, "{\"note\":7}", 400 },
	{ "POST", "/v1/rotate", NULL, "{\"note\":\"\"}", 400 },
	{ "POST", "/v1/rotate", NULL, "{\"note\":\"a\\nb\"}", 400 },
	{ "POST", "/v1/rotate", NULL, "{\"note\":\"a\\u00e9\"}", 400 },
	{ "POST", "/v1/rotate", NULL, "{\"note\":\"" NOTE200 "x\"}", 400 },
	{ "POST", "/v1/revoke", NULL, "{\"all\":true,\"note\":[]}", 400 },
	{ "POST", "/v1/revoke", NULL, "{\"dry_run\":true}", 400 },
	{ "POST", "/v1/revoke", NULL, "{\"all\":true,\"dry_run\":\"no\"}",
	  400 },
	{ "POST", "/v1/audit", NULL, "{}", 405 },
	{ "DELETE", "/v1/audit", NULL, NULL, 405 },
	{ "GET", "/v1/audit/", NULL, NULL, 404 },
	{ "POST", "/v1/farm-key", NULL, "{}", 405 },
	{ "GET", "/v1/farm-key/reload", NULL, NULL, 405 },
	{ "POST", "/v1/farm-key/reload", "text/plain", "{}", 415 },
	{ "POST", "/v1/farm-key/reload", NULL, "[]", 400 },
	{ "POST", "/v1/farm-key/reload", NULL, "{\"path\":\"/x\"}", 400 },
	{ "POST", "/v1/farm-key/rotate", NULL, "{}", 404 },
	{ "DELETE", "/v1/deny", NULL, NULL, 405 },
	{ "POST", "/v1/deny", NULL, NULL, 400 },
	{ "POST", "/v1/deny", "text/plain", "{\"add\":\"" ID32 ID32 "\"}",
	  415 },
	{ "POST", "/v1/deny", NULL, "{\"add\":\"" ID32 "\"}", 400 },
	{ "POST", "/v1/deny", NULL, "{\"add\":7}", 400 },
	{ "POST", "/v1/deny", NULL, "{\"deny\":\"" ID32 ID32 "\"}", 400 },
	{ "POST", "/v1/deny", NULL, "{\"add\":\"" ID32 ID32 "\",\"remove\":\""
	  ID32 ID32 "\"}", 400 },
};

/* What is not exactly right is refused with a problem, and changes nothing. */
START_TEST(test_route_refuses)
{
	const struct refusal *r = &refusals[_i];
	json_int_t epoch;

	ck_assert_uint_eq(ask("GET", "/v1/keys", NULL), 200);
	epoch = integer(json, "epoch");
	ask_type(r->method, r->path, r->type, r->body);
	is_problem(r->status);
	ck_assert_int_eq(answer.allow != NULL, r->status == 405);
	ck_assert_uint_eq(ask("GET", "/v1/keys", NULL), 200);
	ck_assert_int_eq(integer(json, "epoch"), epoch);
}
END_TEST

/* What stands beside path and body: the query and the request's name. */
static unsigned ask_query(struct admin_request request)
{
	request.method = request.body ? "POST" : "GET";
	request.body_len = request.body ? strlen(request.body) : 0;
	request.who = "uid:7";
	request.from = "unix";
	forget();
	admin_route(&farm.node, &request, &answer);
	json = json_loads(answer.body, JSON_REJECT_DUPLICATES, NULL);
	return answer.status;
}

/* The audit's limit and verify, and a request's name, are right or refused. */
START_TEST(test_queries_refused)
{
	static const char *const limits[] = { "", "0", "-1", "+1", " 1", "1x",
		"10001", "99999999999999999999" };
	static const char *const verify[] = { "", "2", "true", "01" };
	char too_long[66] = "";
	const char *const names[] = { "", "a b", "a\n", "\x80", too_long };
	size_t i;

	memset(too_long, 'a', sizeof(too_long) - 1);
	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		ask_query((struct admin_request){ .path = "/v1/audit",
						  .limit = limits[i] });
		is_problem(400);
	}
	for (i = 0; i < sizeof(verify) / sizeof(verify[0]); i++) {
		ask_query((struct admin_request){ .path = "/v1/audit",
						  .verify = verify[i] });
		is_problem(400);
	}
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		ask_query((struct admin_request){ .path = "/v1/rotate",
						  .body = "{}",
						  .request = names[i] });
		is_problem(400);
	}
	ck_assert_uint_eq(ask_query((struct admin_request){
				  .path = "/v1/audit", .limit = "10000",
				  .verify = "1" }), 200);
	ck_assert_ptr_null(strstr(answer.body, "rotate"));
}
END_TEST

/* A dry run changes nothing; a name answers once, and only to the same. */
START_TEST(test_named_and_dry)
{
	const struct admin_request dry = { .path = "/v1/rotate",
					   .body = "{\"dry_run\":true}" };
	const struct admin_request named = { .path = "/v1/rotate",
					     .body = "{}", .request = "n-1" };
	struct admin_request other = named;
	json_int_t epoch;
	char key[33];

	ck_assert_uint_eq(ask("GET", "/v1/keys", NULL), 200);
	epoch = integer(json, "epoch");
	ck_assert_uint_eq(ask_query(dry), 200);
	ck_assert(json_is_true(json_object_get(json, "dry_run")));
	ck_assert_uint_eq(ask("GET", "/v1/keys", NULL), 200);
	ck_assert_int_eq(integer(json, "epoch"), epoch);
	ck_assert_uint_eq(ask("GET", "/v1/audit", NULL), 200);
	ck_assert_ptr_null(strstr(answer.body, "rotate"));
	ck_assert_uint_eq(ask_query(named), 200);
	snprintf(key, sizeof(key), "%s", text("key"));
	ck_assert_uint_eq(ask_query(named), 200);
	ck_assert_str_eq(text("key"), key);
	ck_assert(json_is_true(json_object_get(json, "replayed")));
	other.body = "{\"force\":true}";
	ask_query(other);
	is_kind(PROBLEM_NAME_REUSED);
}
END_TEST

/* The note of the i-th entry of the audit that was just read; or NULL. */
static const char *note_of(size_t i)
{
	const json_t *row = json_array_get(json_object_get(json, "entries"), i);

	return json_string_value(json_object_get(json_object_get(row, "entry"),
						 "note"));
}

/* Why it was changed stands in the audit, the longest text too. */
START_TEST(test_note)
{
	ck_assert_uint_eq(ask("POST", "/v1/rotate",
			      "{\"note\":\"" NOTE200 "\"}"), 200);
	ck_assert_uint_eq(ask("POST", "/v1/revoke",
			      "{\"all\":true,\"note\":\"say \\\"leak\\\"\"}"),
			  200);
	ck_assert_uint_eq(ask("POST", "/v1/rotate", "{\"force\":true}"), 200);
	ck_assert_uint_eq(ask("GET", "/v1/audit", NULL), 200);
	ck_assert_str_eq(note_of(0), NOTE200);
	ck_assert_str_eq(note_of(1), "say \"leak\"");
	ck_assert_ptr_null(note_of(2));
}
END_TEST

/* Reloaded farm keys are audited with who and from. */
START_TEST(test_farm_key_reload)
{
	const struct admin_request reload = { .path = "/v1/farm-key/reload",
					      .body = "{}" };

	ck_assert_uint_eq(ask_query(reload), 200);
	ck_assert_uint_eq(ask("GET", "/v1/audit", NULL), 200);
	ck_assert_ptr_nonnull(strstr(answer.body, "farm-key reload"));
	ck_assert_ptr_nonnull(strstr(answer.body, "uid:7"));
	ck_assert_ptr_nonnull(strstr(answer.body, "unix"));
}
END_TEST

/* A body over the cap is refused, even one of spaces that would parse. */
START_TEST(test_route_refuses_big_body)
{
	char body[ADMIN_BODY_MAX + 2];

	memset(body, ' ', sizeof(body));
	memcpy(body, "{}", 2);
	body[ADMIN_BODY_MAX + 1] = '\0';
	ck_assert_uint_eq(ask("POST", "/v1/rotate", body), 413);
	is_problem(413);
	body[ADMIN_BODY_MAX] = '\0';
	ck_assert_uint_eq(ask("POST", "/v1/rotate", body), 200);
}
END_TEST

/* Each kind has a name of its own, a title, and a status of an error. */
START_TEST(test_kinds_are_distinct)
{
	int a, b;

	for (a = 0; a < PROBLEMS; a++) {
		enum admin_problem kind = (enum admin_problem)a;
		const char *name = admin_problem_name(kind);

		ck_assert_uint_gt(strlen(name), 0);
		ck_assert_uint_eq(strspn(name, "abcdefghijklmnopqrstuvwxyz-"),
				  strlen(name));
		ck_assert_uint_gt(strlen(admin_problem_title(kind)), 0);
		ck_assert_uint_ge(admin_problem_status(kind), 400);
		for (b = 0; b < a; b++)
			ck_assert_str_ne(admin_problem_name(
						 (enum admin_problem)b), name);
	}
}
END_TEST

/* Two answers of a failed node have two names, to be found in its log. */
START_TEST(test_instances_differ)
{
	char first[64];

	admin_farm_lose_store(&farm);
	ask("GET", "/v1/nodes", NULL);
	is_kind(PROBLEM_UNAVAILABLE);
	snprintf(first, sizeof(first), "%s", text("instance"));
	ck_assert_uint_eq(strlen(first), strlen("urn:uuid:") + 36);
	ask("GET", "/v1/nodes", NULL);
	ck_assert_str_ne(text("instance"), first);
	ask("GET", "/v1/nothing", NULL);
	is_kind(PROBLEM_NOT_FOUND);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("admin_refuse");
	TCase *tcase = tcase_create("admin_refuse");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, test_route_refuses, 0,
			    (int)(sizeof(refusals) / sizeof(refusals[0])));
	tcase_add_test(tcase, test_route_refuses_big_body);
	tcase_add_test(tcase, test_queries_refused);
	tcase_add_test(tcase, test_named_and_dry);
	tcase_add_test(tcase, test_note);
	tcase_add_test(tcase, test_farm_key_reload);
	tcase_add_test(tcase, test_kinds_are_distinct);
	tcase_add_test(tcase, test_instances_differ);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

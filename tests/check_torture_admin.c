// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_torture_admin.c - requests of the admin endpoint with every single
 * allocation failed in turn, those of the JSON library among them: each is
 * answered, by an error or in full, and the next one is as if nothing had been.
 */
#include "admin_ask.h"
#include "torture.h"

static const struct ask_case {
	const char *method, *path, *body;
	unsigned least;
} cases[] = {
	{ "GET", "/v1/status", NULL, 50 },
	{ "GET", "/v1/keys", NULL, 30 },
	{ "GET", "/v1/nodes", NULL, 10 },
	{ "GET", "/v1/stats", NULL, 50 },
	{ "GET", "/v1/ring", NULL, 5 },
	{ "GET", "/v1/audit", NULL, 5 },
	{ "GET", "/v1/deny", NULL, 1 },
	{ "GET", "/v1/none", NULL, 1 },
	{ "POST", "/v1/rotate", "{\"dry_run\": true, \"note\": \"why\"}", 5 },
	{ "POST", "/v1/revoke", "{\"keys\": [\"" ID32 "\"]}", 5 },
};

static const struct ask_case *now;

static void route(struct admin_answer *out)
{
	const struct admin_request request = {
		.method = now->method,
		.path = now->path,
		.content_type = now->body ? "application/json" : NULL,
		.body = now->body,
		.body_len = now->body ? strlen(now->body) : 0,
		.who = "uid:0",
	};

	admin_route(&farm.node, &request, out);
}

/* The store is given a second: where the machine stands still it is late. */
static void route_in_time(struct admin_answer *out)
{
	for (int i = 0; i < 20; i++) {
		admin_answer_clear(out);
		route(out);
		if (out->status != 503)
			break;
	}
}

static bool one(unsigned n)
{
	struct admin_answer first = { 0 }, second = { 0 };
	bool hit;

	torture_begin(n);
	torture_on();
	route(&first);
	hit = torture_end();
	if (!hit && first.status == 503)
		route_in_time(&first);
	route_in_time(&second);
	ck_assert_ptr_nonnull(second.body);
	ck_assert_uint_ge(first.status, 200);
	/* The JSON library says of a word that it had no room for that it is
	 * none. */
	if (first.status != second.status)
		ck_assert_msg(hit && (first.status >= 500 ||
				      (now->body && first.status == 400)), "%s, %u: %s, then %u",
			      now->path, n, first.body, second.status);
	ck_assert(hit || first.body);
	if (first.body && first.body[0] == '{') {
		json_t *read = json_loads(first.body, 0, NULL);

		ck_assert_msg(read != NULL, "%s, %u: %s", now->path, n, first.body);
		json_decref(read);
	}
	admin_answer_clear(&first);
	admin_answer_clear(&second);
	return hit;
}

START_TEST(test_every_allocation_of_a_request)
{
	/* Taken here, these are ours. */
	json_set_alloc_funcs(malloc, free);
	now = &cases[_i];
	torture(one, now->least, now->path);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("torture_admin");
	TCase *tcase = tcase_create("admin");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 300);
	tcase_add_loop_test(tcase, test_every_allocation_of_a_request, 0,
			    sizeof(cases) / sizeof(cases[0]));
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

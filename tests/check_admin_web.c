// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_admin_web.c - the admin endpoint as a browser meets it: the page, which
 * names of it are taken, what another site's page may not ask, methods, bodies
 * and entity tags over HTTP.
 */
#include "admin_doors.h"

/* The page needs no token, which it asks for; what it shows does. */
START_TEST(test_page_needs_no_token)
{
	const struct question post = { .method = "POST", .path = "/",
				       .body = "{}" };
	const struct question head = { .method = "HEAD", .path = "/" };

	ck_assert_int_eq(get(DOOR_TCP, "/", NULL, NULL), 200);
	ck_assert_ptr_nonnull(strstr(said, "Content-Type: text/html"));
	ck_assert_ptr_null(strstr(said, ADMIN_FARM_TOKEN));
	ck_assert_int_eq(get(DOOR_UNIX, "/dashboard.js", NULL, NULL), 200);
	ck_assert_int_eq(ask(DOOR_TCP, &head), 200);
	ck_assert_ptr_null(strstr(said, "<html"));
	ck_assert_int_eq(ask(DOOR_TCP, &post), 401);
	ck_assert_int_eq(get(DOOR_TCP, "/?x", "Host: evil.test", NULL), 403);
	ck_assert_int_eq(get(DOOR_TCP, "/", "Accept-Encoding: gzip", NULL),
			 200);
	ck_assert_ptr_nonnull(strstr(said, "Content-Encoding: gzip"));
}
END_TEST

/* Another site's link may open the page; nothing else of it may. */
START_TEST(test_page_opened_from_elsewhere)
{
	struct question q = { .method = "GET", .path = "/",
		.headers = { "Sec-Fetch-Site: cross-site",
			     "Sec-Fetch-Mode: navigate",
			     "Sec-Fetch-Dest: document" } };

	ck_assert_int_eq(ask(DOOR_TCP, &q), 200);
	q.path = "/v1/status";
	ck_assert_int_eq(ask(DOOR_TCP, &q), 403);
	q.path = "/";
	q.headers[3] = "Origin: http://evil.test";
	ck_assert_int_eq(ask(DOOR_TCP, &q), 403);
	q.headers[3] = NULL;
	q.headers[2] = "Sec-Fetch-Dest: iframe";
	ck_assert_int_eq(ask(DOOR_TCP, &q), 403);
	q.headers[1] = "Sec-Fetch-Mode: no-cors";
	q.headers[2] = "Sec-Fetch-Dest: script";
	q.path = "/dashboard.js";
	ck_assert_int_eq(ask(DOOR_TCP, &q), 403);
	q.headers[1] = "Sec-Fetch-Mode: cors";
	q.headers[2] = "Sec-Fetch-Dest: document";
	ck_assert_int_eq(ask(DOOR_TCP, &q), 403);
}
END_TEST

/* Only names that a browser cannot have resolved elsewhere are taken. */
START_TEST(test_host_allow_list)
{
	static const char *const names[] = { "127.0.0.1", "[::1]",
					     "localhost", "LocalHost" };
	static const char *const foreign[] = {
		"Host: evil.test", "Host: 127.0.0.1", "Host: localhost:1",
		"Host: localhost.evil.test", "Host: 127.0.0.1.evil.test",
		"Host: 127.0.0.2",
	};
	char host[128];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(host, sizeof(host), "Host: %s:%u", names[i],
			 admin_port(admin, false));
		ck_assert_int_eq(get(DOOR_TCP, "/healthz", BEARER, host), 200);
	}
	for (i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		ck_assert_int_eq(get(DOOR_TCP, "/healthz", BEARER, foreign[i]),
				 403);
		ck_assert_ptr_nonnull(strstr(said, ":forbidden-host\""));
		snprintf(host, sizeof(host), "%s:%u", foreign[i],
			 admin_port(admin, false) + 1);
		ck_assert_int_eq(get(DOOR_TCP, "/healthz", BEARER, host), 403);
	}
}
END_TEST

/* A page of another site cannot ask, by any of the doors. */
START_TEST(test_cross_site_refused)
{
	static const char *const foreign[] = {
		"Origin: http://evil.test", "Origin: null",
		"Origin: https://127.0.0.1", "Origin: http://127.0.0.1:1",
		"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site",
	};
	char origin[128];
	size_t i;

	for (i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		const struct question q = { .method = "POST",
			.path = "/v1/rotate", .body = "{}",
			.headers = { BEARER, foreign[i] } };

		ck_assert_int_eq(ask(DOOR_TCP, &q), 403);
		ck_assert_ptr_nonnull(strstr(said, ":forbidden-origin\""));
		ck_assert_int_eq(ask(DOOR_UNIX, &q), 403);
	}
	ck_assert_uint_eq(farm.node.refused.counts[REFUSED_ORIGIN], 2 * i);
	snprintf(origin, sizeof(origin), "Origin: http://127.0.0.1:%u",
		 admin_port(admin, false));
	ck_assert_int_eq(get(DOOR_TCP, "/healthz", BEARER, origin), 200);
	/* At ::1 another user may listen, and localhost may mean that. */
	snprintf(origin, sizeof(origin), "Origin: http://localhost:%u",
		 admin_port(admin, false));
	ck_assert_int_eq(get(DOOR_TCP, "/healthz", BEARER, origin), 403);
	ck_assert_int_eq(get(DOOR_TCP, "/healthz", BEARER,
			     "Sec-Fetch-Site: same-origin"), 200);
}
END_TEST

/* Methods, and a preflight that is not granted. */
START_TEST(test_methods_over_http)
{
	struct question q = { .method = "OPTIONS", .path = "/v1/rotate" };

	ck_assert_int_eq(ask(DOOR_UNIX, &q), 405);
	ck_assert_ptr_nonnull(strstr(said, "Allow: POST\r\n"));
	ck_assert_ptr_null(strstr(said, "Access-Control"));
	q.method = "GET";
	ck_assert_int_eq(ask(DOOR_UNIX, &q), 405);
	q.method = "HEAD";
	q.path = "/v1/status";
	ck_assert_int_eq(ask(DOOR_UNIX, &q), 200);
	q.method = "POST";
	q.body = "{}";
	ck_assert_int_eq(ask(DOOR_UNIX, &q), 405);
	ck_assert_ptr_nonnull(strstr(said, "Allow: GET, HEAD\r\n"));
}
END_TEST

/* A big body is refused by its length, and while it comes in chunks. */
START_TEST(test_body_cap_over_http)
{
	char body[3 * ADMIN_BODY_MAX];
	struct question q = { .method = "POST", .path = "/v1/rotate",
			      .body = body, .headers = { "Expect:" } };

	memset(body, ' ', sizeof(body));
	memcpy(body, "{}", 2);
	body[sizeof(body) - 1] = '\0';
	q.chunked = true;
	ck_assert_int_eq(ask(DOOR_UNIX, &q), 413);
	q.chunked = false;
	q.headers[0] = NULL;
	ck_assert_int_eq(ask(DOOR_UNIX, &q), 413);
	body[ADMIN_BODY_MAX] = '\0';
	q.chunked = true;
	ck_assert_int_eq(ask(DOOR_UNIX, &q), 200);
}
END_TEST

/* Entity tags go in and out as headers; 304 has no body. */
START_TEST(test_tags_over_http)
{
	char tag[128], none_match[160], match[160];
	const char *line;
	struct question q = { .method = "POST", .path = "/v1/rotate",
			      .body = "{}", .headers = { match } };

	ck_assert_int_eq(get(DOOR_UNIX, "/v1/ring", NULL, NULL), 200);
	line = strstr(said, "\r\nETag: \"");
	ck_assert_ptr_nonnull(line);
	ck_assert_int_eq(sscanf(line, " ETag: %127[^\r]", tag), 1);
	snprintf(none_match, sizeof(none_match), "If-None-Match: %s", tag);
	snprintf(match, sizeof(match), "If-Match: %s", tag);
	ck_assert_int_eq(get(DOOR_UNIX, "/v1/ring", none_match, NULL), 304);
	ck_assert_ptr_nonnull(strstr(said, tag));
	ck_assert_ptr_null(strstr(said, "\r\nContent-Type:"));
	ck_assert_str_eq(strstr(said, "\r\n\r\n"), "\r\n\r\n");
	ck_assert_int_eq(ask(DOOR_UNIX, &q), 200);
	ck_assert_int_eq(ask(DOOR_UNIX, &q), 412);
	ck_assert_int_eq(get(DOOR_UNIX, "/v1/ring", none_match, NULL), 200);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, test_page_needs_no_token);
	tcase_add_test(tcase, test_page_opened_from_elsewhere);
	tcase_add_test(tcase, test_host_allow_list);
	tcase_add_test(tcase, test_cross_site_refused);
	tcase_add_test(tcase, test_methods_over_http);
	tcase_add_test(tcase, test_body_cap_over_http);
	tcase_add_test(tcase, test_tags_over_http);
}

int main(void)
{
	return run_tests("admin_web", add_tests);
}

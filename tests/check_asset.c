// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_asset.c - the dashboard's files as the program holds them: each is
 * there, in both forms the same text, and is answered in the form asked for.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin_route.h"
#include "asset.h"

/* What `command` makes of the bytes, compared with `wanted`. */
static bool filtered_equal(const char *command, const struct asset_form *from,
			   const uint8_t *wanted, size_t wanted_len)
{
	char path[] = "/tmp/check_asset.XXXXXX", line[128];
	int fd = mkstemp(path);
	uint8_t *got = malloc(wanted_len + 1);
	size_t len;
	FILE *out;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, from->bytes, from->len), (ssize_t)from->len);
	close(fd);
	snprintf(line, sizeof(line), "%s <%s", command, path);
	out = popen(line, "r");
	len = fread(got, 1, wanted_len + 1, out);
	pclose(out);
	unlink(path);
	len = len == wanted_len && memcmp(got, wanted, len) == 0;
	free(got);
	return len;
}

/* What gzip unpacks is the plain file, and the tags tell both forms apart. */
START_TEST(test_forms_hold_the_same)
{
	size_t i, j;

	ck_assert_uint_ge(assets_n, 6);
	for (i = 0; i < assets_n; i++) {
		const struct asset *a = &assets[i];

		ck_assert(filtered_equal("gzip -dc", &a->gzip, a->plain.bytes,
					 a->plain.len));
		ck_assert_str_ne(a->plain.etag, a->gzip.etag);
		ck_assert_int_eq(a->plain.etag[0], '"');
		for (j = 0; j < i; j++)
			ck_assert_str_ne(a->path, assets[j].path);
	}
}
END_TEST

static const struct admin_request get = { .method = "GET" };

static struct admin_answer answer_to(struct admin_request request,
				     const char *path)
{
	struct admin_answer answer;

	request.path = path;
	admin_route(NULL, &request, &answer);
	return answer;
}

/* The text that the page has in this repository is the one that is served. */
START_TEST(test_files_are_the_sources)
{
	static const struct {
		const char *path, *type, *file;
	} files[] = {
		{ "/", "text/html; charset=utf-8", "index.html" },
		{ "/index.html", "text/html; charset=utf-8", "index.html" },
		{ "/dashboard.js", "text/javascript; charset=utf-8",
		  "dashboard.js" },
		{ "/dashboard.css", "text/css; charset=utf-8",
		  "dashboard.css" },
		{ "/d3.LICENSE.txt", "text/plain; charset=utf-8",
		  "d3.LICENSE.txt" },
	};
	const char *srcdir = getenv("srcdir");
	char command[512];
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct admin_answer answer = answer_to(get, files[i].path);
		const struct asset_form form = { "", answer.fixed, answer.len };

		ck_assert_uint_eq(answer.status, 200);
		ck_assert_str_eq(answer.type, files[i].type);
		ck_assert_ptr_null(answer.body);
		ck_assert_ptr_null(answer.encoding);
		snprintf(command, sizeof(command),
			 "same() { cmp - %s/src/dashboard/%s && echo same; };"
			 " same",
			 srcdir ? srcdir : ".", files[i].file);
		ck_assert(filtered_equal(command, &form,
					 (const uint8_t *)"same\n", 5));
	}
	ck_assert_str_eq(answer_to(get, "/d3.min.js").type,
			 "text/javascript; charset=utf-8");
}
END_TEST

static const struct {
	const char *header;
	bool gzip;
} codings[] = {
	{ NULL, false }, { "", false }, { "br", false }, { "gzipped", false },
	{ "gzip;q=0", false }, { "gzip; q=0.000", false }, { "identity", false },
	{ "x-gzip", false }, { "br;q=1, gzip;q=0, *", false },
	{ "gzip", true }, { "GZIP", true }, { "gzip, deflate, br", true },
	{ "br ,\tgzip;q=0.5", true }, { "deflate,gzip;q=1.0", true },
};

/* Packed for those who take that, and for nobody else. */
START_TEST(test_coding_chosen)
{
	struct admin_request request = get;
	const struct asset *asset = asset_find("/");
	struct admin_answer answer;

	request.accept_encoding = codings[_i].header;
	answer = answer_to(request, "/");
	if (codings[_i].gzip) {
		ck_assert_str_eq(answer.encoding, "gzip");
		ck_assert_ptr_eq(answer.fixed, asset->gzip.bytes);
		ck_assert_str_eq(answer.etag, asset->gzip.etag);
	} else {
		ck_assert_ptr_null(answer.encoding);
		ck_assert_ptr_eq(answer.fixed, asset->plain.bytes);
		ck_assert_str_eq(answer.etag, asset->plain.etag);
	}
}
END_TEST

/* Who has the file is told so; who has another form of it gets it. */
START_TEST(test_known_tag_gets_304)
{
	const struct asset *asset = asset_find("/dashboard.js");
	const char *tag = asset->plain.etag;
	struct admin_request request = get;
	char header[256];

	request.if_none_match = header;
	snprintf(header, sizeof(header), "%s", tag);
	ck_assert_uint_eq(answer_to(request, "/dashboard.js").status, 304);
	ck_assert_uint_eq(answer_to(request, "/dashboard.js").len, 0);
	ck_assert_uint_eq(answer_to(request, "/dashboard.css").status, 200);
	snprintf(header, sizeof(header), "\"x\" ,W/%s", tag);
	ck_assert_uint_eq(answer_to(request, "/dashboard.js").status, 304);
	snprintf(header, sizeof(header), "*");
	ck_assert_uint_eq(answer_to(request, "/dashboard.js").status, 304);
	snprintf(header, sizeof(header), "%s", asset->gzip.etag);
	ck_assert_uint_eq(answer_to(request, "/dashboard.js").status, 200);
	snprintf(header, sizeof(header), "%.*s", (int)strlen(tag) - 1, tag);
	ck_assert_uint_eq(answer_to(request, "/dashboard.js").status, 200);
	snprintf(header, sizeof(header), "W/");
	ck_assert_uint_eq(answer_to(request, "/dashboard.js").status, 200);
}
END_TEST

static const char *header_of(const struct admin_headers *headers,
			     const char *name)
{
	size_t i;

	for (i = 0; i < headers->n; i++)
		if (strcmp(headers->list[i].name, name) == 0)
			return headers->list[i].value;
	return "";
}

/* Every answer, a refusal too, tells the browser to keep others away. */
START_TEST(test_headers_guard)
{
	static const char *const paths[] = { "/", "/d3.min.js", "/nothing" };
	struct admin_headers headers;
	struct admin_answer answer;
	const char *policy;
	size_t i;

	for (i = 0; i < 3; i++) {
		answer = answer_to(get, paths[i]);
		admin_headers(&answer, &headers);
		policy = header_of(&headers, "Content-Security-Policy");
		ck_assert_ptr_nonnull(strstr(policy, "default-src 'none'; "));
		ck_assert_ptr_nonnull(strstr(policy, "script-src 'self'; "));
		ck_assert_ptr_nonnull(strstr(policy, "form-action 'none'; "));
		ck_assert_ptr_nonnull(strstr(policy, "frame-ancestors 'none'"));
		ck_assert_ptr_null(strstr(policy, "unsafe"));
		ck_assert_str_eq(header_of(&headers, "Cache-Control"),
				 i < 2 ? "no-cache" : "no-store");
		ck_assert_str_eq(header_of(&headers, "X-Content-Type-Options"),
				 "nosniff");
		ck_assert_str_eq(header_of(&headers, "Referrer-Policy"),
				 "no-referrer");
		ck_assert_str_eq(header_of(&headers,
					   "Cross-Origin-Resource-Policy"),
				 "same-origin");
		ck_assert_str_eq(header_of(&headers,
					   "Cross-Origin-Opener-Policy"),
				 "same-origin");
		ck_assert_str_eq(header_of(&headers,
					   "Access-Control-Allow-Origin"), "");
		ck_assert_str_eq(header_of(&headers, "Set-Cookie"), "");
		admin_answer_clear(&answer);
	}
}
END_TEST

/* The tokenless listener has no page. */
START_TEST(test_open_listener_has_no_page)
{
	struct admin_request request = get;
	struct admin_answer answer;

	request.open_only = true;
	answer = answer_to(request, "/");
	ck_assert_uint_eq(answer.status, 404);
	admin_answer_clear(&answer);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("asset");
	TCase *forms = tcase_create("forms");
	TCase *answers = tcase_create("answers");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(forms, test_forms_hold_the_same);
	tcase_add_test(forms, test_files_are_the_sources);
	tcase_add_loop_test(answers, test_coding_chosen, 0,
			    sizeof(codings) / sizeof(codings[0]));
	tcase_add_test(answers, test_known_tag_gets_304);
	tcase_add_test(answers, test_headers_guard);
	tcase_add_test(answers, test_open_listener_has_no_page);
	suite_add_tcase(suite, forms);
	suite_add_tcase(suite, answers);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}

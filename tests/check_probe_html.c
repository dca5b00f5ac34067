/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_probe_html.c - the page of --html: it needs nothing else, and nothing
 * that a server said can end the element that holds the result.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/probe/html.h"

static char *page;
static size_t page_len;

static void teardown(void)
{
	free(page);
	page = NULL;
}

static void write_page(const char *about, const char *json)
{
	const struct html_report report = {
		.command = "load",
		.about = about,
		.made_at = 1700000000,
		.json = json,
		.json_len = strlen(json),
	};
	FILE *out = open_memstream(&page, &page_len);

	ck_assert_ptr_nonnull(out);
	ck_assert_int_eq(html_write(&report, out), 0);
	fclose(out);
}

static size_t times(const char *what)
{
	size_t n = 0;

	for (const char *at = page; (at = strstr(at, what)); at++)
		n++;
	return n;
}

/* The result as a browser's parser cuts it out of the page. */
static char *result_of_page(void)
{
	char *from = strstr(page, "id=\"result\"");

	ck_assert_ptr_nonnull(from);
	from = strchr(from, '>');
	ck_assert_ptr_nonnull(from);
	return strndup(from + 1, (size_t)(strstr(from, "</script") - from - 1));
}

START_TEST(test_holds_the_result)
{
	char *result;

	write_page("a, b", "{\"connections\": 3}\n");
	result = result_of_page();
	ck_assert_str_eq(result, "\n{\"connections\": 3}\n");
	free(result);
	ck_assert_ptr_nonnull(strstr(page, "data-command=\"load\" "
					   "data-made=\"2023-11-14 22:13:20 UTC\""
					   " data-about=\"a, b\""));
}
END_TEST

/* What a server names itself, or its certificate. */
START_TEST(test_no_text_ends_the_element)
{
	char *result;
	size_t scripts;

	write_page("", "{}");
	scripts = times("<script");
	teardown();
	write_page("<b>\"><script>&\n", "{\"node\": \"</script><script>alert(1)"
					"<!--\"}\n");
	ck_assert_uint_eq(times("<script"), scripts);
	ck_assert_uint_eq(times("</script"), scripts);
	ck_assert_uint_eq(times("<!--"), 0);
	result = result_of_page();
	ck_assert_str_eq(result, "\n{\"node\": \"\\u003c/script>\\u003cscript>"
				 "alert(1)\\u003c!--\"}\n");
	free(result);
	ck_assert_ptr_nonnull(strstr(page, "data-about=\"&#60;b&#62;&#34;&#62;"
					   "&#60;script&#62;&#38;&#10;\""));
}
END_TEST

START_TEST(test_needs_nothing_else)
{
	write_page("", "{}");
	ck_assert_uint_eq(times(" src="), 0);
	ck_assert_uint_eq(times("<link"), 0);
	ck_assert_uint_eq(times("@import"), 0);
	ck_assert_uint_eq(times("url("), 0);
	ck_assert_ptr_nonnull(strstr(page, "default-src 'none'"));
	/* D3 goes with its licence. */
	ck_assert_ptr_nonnull(strstr(page, "Michael Bostock"));
}
END_TEST

START_TEST(test_tells_a_full_disk)
{
	const struct html_report report = {.command = "load", .about = "",
					   .json = "{}", .json_len = 2};
	FILE *out = fopen("/dev/full", "w");

	ck_assert_ptr_nonnull(out);
	ck_assert_int_eq(html_write(&report, out), -1);
	fclose(out);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("probe html");
	TCase *tcase = tcase_create("page");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_test(tcase, test_holds_the_result);
	tcase_add_test(tcase, test_no_text_ends_the_element);
	tcase_add_test(tcase, test_needs_nothing_else);
	tcase_add_test(tcase, test_tells_a_full_disk);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

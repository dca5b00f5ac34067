/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stekctl's parts by themselves: durations, shares, tables, and what it takes
 * for a URL and for a token file.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <check.h>

#include "ctl.h"

static char token_path[64];

static void set_up(void)
{
	int fd;

	strcpy(token_path, "/tmp/check_ctl_format.XXXXXX");
	fd = mkstemp(token_path);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

static void tear_down(void)
{
	unlink(token_path);
}

START_TEST(test_durations)
{
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {
		{0, "0s"}, {999, "0s"}, {41000, "41s"}, {60000, "1m"},
		{61000, "1m1s"}, {7980000, "2h13m"}, {7200000, "2h"},
		{90000000, "1d1h"}, {-7980000, "2h13m"}, {3599999, "59m59s"},
	};
	char text[CTL_TEXT_LEN];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ctl_duration(text, cases[i].ms);
		ck_assert_str_eq(text, cases[i].text);
	}
	ctl_duration(text, INT64_MIN);
	ctl_duration(text, INT64_MAX);
}
END_TEST

START_TEST(test_when)
{
	char text[CTL_TEXT_LEN];

	ctl_when(text, 7980000, 0);
	ck_assert_str_eq(text, "in 2h13m");
	ctl_when(text, 1000000, 1180000);
	ck_assert_str_eq(text, "3m ago");
	ctl_when(text, 1000999, 1000000);
	ck_assert_str_eq(text, "now");
	ctl_when(text, INT64_MAX, -1);
	ck_assert_str_eq(text, "never");
	ctl_when(text, INT64_MIN, 0);
	ck_assert_str_eq(text, "never");
}
END_TEST

/* Cut, never rounded up: 100 % means all of them. */
START_TEST(test_percent)
{
	char text[CTL_TEXT_LEN];

	ctl_percent(text, 99999, 100000);
	ck_assert_str_eq(text, "99.9%");
	ctl_percent(text, 5, 5);
	ck_assert_str_eq(text, "100.0%");
	ctl_percent(text, INT64_MAX - 1, INT64_MAX);
	ck_assert_str_eq(text, "99.9%");
	ctl_percent(text, 0, 0);
	ck_assert_str_eq(text, "-");
}
END_TEST

/* Text to the left, numbers to the right, no control characters. */
START_TEST(test_table)
{
	struct ctl_table table;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	ck_assert_int_eq(ctl_table_init(&table, (const char *const[]){
				 "NAME", ">N", "X", NULL}), 0);
	ck_assert_int_eq(ctl_table_add(&table, (const char *const[]){
				 "node-1", "7", NULL}), 0);
	ck_assert_int_eq(ctl_table_add(&table, (const char *const[]){
				 "a\033[2J", "12345", "yes"}), 0);
	ctl_table_print(&table, out);
	fclose(out);
	ck_assert_str_eq(text, "NAME        N  X\n"
			       "node-1      7  -\n"
			       "a?[2J   12345  yes\n");
	free(text);
	ctl_table_clear(&table);
}
END_TEST

/* The token goes nowhere but to the loopback. */
START_TEST(test_url)
{
	ck_assert(ctl_url_valid("http://127.0.0.1:8081"));
	ck_assert(ctl_url_valid("http://127.8.9.1:8081/"));
	ck_assert(ctl_url_valid("http://[::1]:8081"));
	ck_assert(ctl_url_valid("http://localhost:8081"));
	ck_assert(!ctl_url_valid("http://10.0.0.1:8081"));
	ck_assert(!ctl_url_valid("http://127.example.com:8081"));
	ck_assert(!ctl_url_valid("http://localhost.example.com"));
	ck_assert(!ctl_url_valid("http://me@127.0.0.1"));
	ck_assert(!ctl_url_valid("http://127.0.0.1/path"));
	ck_assert(!ctl_url_valid("file:///etc/passwd"));
	ck_assert(!ctl_url_valid("https://127.0.0.1:1"));
	ck_assert(!ctl_url_valid(""));
}
END_TEST

static void write_token(const char *text, mode_t mode)
{
	FILE *file = fopen(token_path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
	ck_assert_int_eq(chmod(token_path, mode), 0);
}

static int read_token(char token[CTL_TOKEN_MAX])
{
	char why[256];

	return ctl_token_read(token, token_path, why, sizeof(why));
}

START_TEST(test_token_file)
{
	char token[CTL_TOKEN_MAX], lengthy[1024];

	write_token("0123abcd\n", 0600);
	ck_assert_int_eq(read_token(token), 0);
	ck_assert_str_eq(token, "0123abcd");
	write_token("0123abcd\n", 0640);
	ck_assert_int_eq(read_token(token), -1);
	write_token("0123abcd\n", 0604);
	ck_assert_int_eq(read_token(token), -1);
	write_token("", 0600);
	ck_assert_int_eq(read_token(token), -1);
	write_token("two\nlines\n", 0600);
	ck_assert_int_eq(read_token(token), -1);
	write_token("a space\n", 0600);
	ck_assert_int_eq(read_token(token), -1);
	memset(lengthy, 'x', sizeof(lengthy));
	lengthy[sizeof(lengthy) - 1] = '\0';
	write_token(lengthy, 0600);
	ck_assert_int_eq(read_token(token), -1);
	unlink(token_path);
	ck_assert_int_eq(read_token(token), -1);
}
END_TEST

static void add(Suite *suite, const char *name, const TTest *const *tests)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	for (; *tests; tests++)
		tcase_add_test(tcase, *tests);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	Suite *suite = suite_create("ctl_format");
	SRunner *runner;
	int failed;

	add(suite, "format", (const TTest *const[]){
		test_durations, test_when, test_percent, test_table, test_url,
		test_token_file, NULL});
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

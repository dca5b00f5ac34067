// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_log.c - lines as they arrive on standard error: one write a line, in
 * both forms, with nothing in them that could break a line or a reader.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <regex.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "log.h"

static int ends[2], saved = -1;
static char line[8192];

/* A pipe of packets: one read returns what one write(2) wrote. */
static void setup(void)
{
	ck_assert_int_eq(pipe2(ends, O_DIRECT | O_NONBLOCK), 0);
	saved = dup(STDERR_FILENO);
	ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
}

static void teardown(void)
{
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(ends[0]);
	close(ends[1]);
}

/* The next line without its newline; false when nothing was written. */
static bool next(void)
{
	ssize_t n = read(ends[0], line, sizeof(line) - 1);

	if (n <= 0)
		return false;
	ck_assert_int_eq(line[n - 1], '\n');
	line[n - 1] = '\0';
	ck_assert_ptr_null(strchr(line, '\n'));
	return true;
}

static const char *after(const char *mark)
{
	const char *at = strstr(line, mark);

	ck_assert_msg(at != NULL, "no %s in %s", mark, line);
	return at + strlen(mark);
}

/* Time, level, node, message, then the values in their order. */
START_TEST(test_logfmt_line)
{
	regex_t form;

	log_setup(LOG_INFO, LOG_LOGFMT, "node-1");
	log_event(LOG_WARN, "ring installed", "epoch", LOG_INT, (int64_t)-7,
		  "key", LOG_STR, "a1b2", "took_ms", LOG_MS, 1.25, NULL);
	ck_assert(next());
	ck_assert_int_eq(regcomp(&form,
		"^ts=[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
		"\\.[0-9]{3}Z level=warn node=node-1 msg=\"ring installed\" "
		"epoch=-7 key=a1b2 took_ms=1\\.250$", REG_EXTENDED), 0);
	ck_assert_msg(!regexec(&form, line, 0, NULL, 0), "%s", line);
	regfree(&form);
	ck_assert(!next());
}
END_TEST

/* Values are quoted when they are not plain. */
START_TEST(test_logfmt_quoting)
{
	static const struct { const char *value, *written; } cases[] = {
		{ "plain-1.2/3:4", "plain-1.2/3:4" },
		{ "", "\"\"" },
		{ NULL, "\"\"" },
		{ "two words", "\"two words\"" },
		{ "a=b", "\"a=b\"" },
		{ "say \"x\"", "\"say \\\"x\\\"\"" },
		{ "back\\slash", "\"back\\\\slash\"" },
		{ "line\nnext\r\tx", "\"line\\nnext\\r\\tx\"" },
		{ "\x1b[31m\x7f\x01", "\"\\u001b[31m\\u007f\\u0001\"" },
		{ "\xc2\x9b" "31m", "\"\\u009b31m\"" },
		{ "gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\"" },
		{ "\xff\xfe", "\"\\ufffd\\ufffd\"" },
		{ "\xc3", "\"\\ufffd\"" },
		{ "\xc0\xaf", "\"\\ufffd\\ufffd\"" },
		{ "\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"" },
		{ "\xe2\x82", "\"\\ufffd\\ufffd\"" },
		{ "\xf0\x9f\x94\x91", "\"\xf0\x9f\x94\x91\"" },
		{ "\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },
	};

	log_setup(LOG_INFO, LOG_LOGFMT, NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		log_event(LOG_INFO, "m", "v", LOG_STR, cases[i].value, NULL);
		ck_assert(next());
		ck_assert_str_eq(after(" v="), cases[i].written);
		ck_assert_ptr_null(strstr(line, "node="));
	}
}
END_TEST

/* What may be empty is left out then, with its name. */
START_TEST(test_empty_values_are_left_out)
{
	log_setup(LOG_INFO, _i ? LOG_JSON : LOG_LOGFMT, NULL);
	log_event(LOG_INFO, "m", "a", LOG_SOME, "", "b", LOG_SOME,
		  (const char *)NULL, "c", LOG_SOME, "x", NULL);
	ck_assert(next());
	ck_assert_str_eq(after(_i ? "\"msg\":\"m\"," : "msg=\"m\" "),
			 _i ? "\"c\":\"x\"}" : "c=x");
}
END_TEST

/* JSON lines parse, and give back what was put in. */
START_TEST(test_json_line)
{
	json_t *json;

	log_setup(LOG_DEBUG, LOG_JSON, "n\"1");
	log_event(LOG_DEBUG, "two\nlines", "n", LOG_INT, INT64_MIN, "s",
		  LOG_STR, "\x01\xff\xc3\xbc\"", "none", LOG_STR,
		  (const char *)NULL, "ms", LOG_MS, 0.5, "nan", LOG_MS,
		  (double)NAN, NULL);
	ck_assert(next());
	json = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_msg(json != NULL, "%s", line);
	ck_assert_str_eq(json_string_value(json_object_get(json, "msg")),
			 "two\nlines");
	ck_assert_str_eq(json_string_value(json_object_get(json, "level")),
			 "debug");
	ck_assert_str_eq(json_string_value(json_object_get(json, "node")),
			 "n\"1");
	ck_assert_int_eq(json_integer_value(json_object_get(json, "n")),
			 INT64_MIN);
	ck_assert_str_eq(json_string_value(json_object_get(json, "s")),
			 "\x01\xef\xbf\xbd\xc3\xbc\"");
	ck_assert(json_is_null(json_object_get(json, "none")));
	ck_assert(json_is_null(json_object_get(json, "nan")));
	ck_assert(json_real_value(json_object_get(json, "ms")) == 0.5);
	json_decref(json);
}
END_TEST

/* Below the least level nothing is written, and errno is nobody's. */
START_TEST(test_level)
{
	log_setup(LOG_WARN, LOG_LOGFMT, "n");
	errno = ENOENT;
	log_event(LOG_DEBUG, "m", NULL);
	log_event(LOG_INFO, "m", NULL);
	ck_assert(!next());
	log_event(LOG_WARN, "m", NULL);
	ck_assert(next());
	errno = ENOENT;
	log_event(LOG_ERROR, "m", NULL);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert(next());
	after("level=error");
}
END_TEST

/* A line ends at 4 KB, between two characters, and says that it was cut. */
START_TEST(test_long_lines_are_cut)
{
	static char text[9000];
	json_t *json;

	for (size_t len = 3900; len < sizeof(text) - 1; len += 1 + len / 50) {
		for (size_t i = 0; i + 1 < len; i += 2)
			memcpy(text + i, "\xc3\xbc", 3);
		log_setup(LOG_INFO, LOG_JSON, "n");
		log_event(LOG_INFO, "m", "text", LOG_STR, text, "next",
			  LOG_INT, (int64_t)1234567890, NULL);
		ck_assert(next());
		ck_assert_uint_lt(strlen(line), 4096);
		json = json_loads(line, 0, NULL);
		ck_assert_msg(json != NULL, "%s", line);
		ck_assert_msg((json_object_get(json, "next") != NULL) ==
			      (json_object_get(json, "cut") == NULL), "%s",
			      line);
		json_decref(json);
		log_setup(LOG_INFO, LOG_LOGFMT, "n");
		log_event(LOG_INFO, text, "next", LOG_STR, text, NULL);
		ck_assert(next());
		ck_assert_uint_lt(strlen(line), 4096);
		after("\" cut=true");
		ck_assert(!next());
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log");
	TCase *lines = tcase_create("lines");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(lines, setup, teardown);
	tcase_add_test(lines, test_logfmt_line);
	tcase_add_test(lines, test_logfmt_quoting);
	tcase_add_loop_test(lines, test_empty_values_are_left_out, 0, 2);
	tcase_add_test(lines, test_json_line);
	tcase_add_test(lines, test_level);
	tcase_add_test(lines, test_long_lines_are_cut);
	suite_add_tcase(suite, lines);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

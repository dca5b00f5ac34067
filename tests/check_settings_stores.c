// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_settings_stores.c - one store or several in the configuration file.
 */
#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "settings.h"

#define FARM "farm: x\nnode: n\nfarm_key: farm.key\n"

static char dir[64], conf[96], key[96];
static struct settings *settings;
static char *said;

static void setup(void)
{
	int fd;

	strcpy(dir, "/tmp/check_stores.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(conf, sizeof(conf), "%s/stekd.yaml", dir);
	snprintf(key, sizeof(key), "%s/farm.key", dir);
	fd = open(key, O_CREAT | O_WRONLY, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
	settings = NULL;
	said = NULL;
}

static void teardown(void)
{
	settings_free(settings);
	free(said);
	unlink(conf);
	unlink(key);
	rmdir(dir);
}

static int read_text(const char *text)
{
	FILE *f = fopen(conf, "w"), *err;
	size_t len;
	int result;

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	settings_free(settings);
	settings = NULL;
	free(said);
	said = NULL;
	err = open_memstream(&said, &len);
	result = settings_read(&settings, conf, err);
	fclose(err);
	return result;
}

/* Refused at that line, with that said. */
static void bad(const char *text, unsigned line, const char *what)
{
	char place[128];

	ck_assert_int_eq(read_text(text), -1);
	snprintf(place, sizeof(place), "%s:%u: ", conf, line);
	ck_assert_msg(strstr(said, place) != NULL, "'%s' not in: %s", place,
		      said);
	ck_assert_msg(strstr(said, what) != NULL, "'%s' not in: %s", what,
		      said);
}

/* A list keeps its order; each store has its own login. */
START_TEST(test_read_takes_several)
{
	ck_assert_msg(read_text(FARM "stores:\n"
		"  - { url: redis://127.0.0.1, user: me }\n"
		"  - url: unix:/run/redis\n"
		"  - url: file:/tmp\n") == 0, "%s", said);
	ck_assert_uint_eq(settings->n_stores, 3);
	ck_assert_str_eq(settings->stores[0].url, "redis://127.0.0.1");
	ck_assert_str_eq(settings->stores[0].user, "me");
	ck_assert_str_eq(settings->stores[1].url, "unix:/run/redis");
	ck_assert_ptr_null(settings->stores[1].user);
	ck_assert_str_eq(settings->stores[2].url, "file:/tmp");
}
END_TEST

/* A list of one is the short form. */
START_TEST(test_read_takes_one)
{
	ck_assert_int_eq(read_text(FARM "stores: [{ url: file:/tmp }]\n"), 0);
	ck_assert_uint_eq(settings->n_stores, 1);
	ck_assert_int_eq(read_text(FARM "store: { url: file:/tmp }\n"), 0);
	ck_assert_uint_eq(settings->n_stores, 1);
	ck_assert_str_eq(settings->stores[0].url, "file:/tmp");
}
END_TEST

/* One form or the other, one at least, each once, four at most. */
START_TEST(test_read_refuses)
{
	bad(FARM, 1, "no store");
	bad(FARM "store: { url: file:/a }\nstores: [{ url: file:/b }]\n", 5,
	    "both store and stores");
	bad(FARM "stores: []\n", 4, "stores");
	bad(FARM "stores:\n  - { url: file:/a }\n  - { url: file:/a }\n", 6,
	    "twice");
	bad(FARM "stores:\n  - { url: file:/1 }\n  - { url: file:/2 }\n"
	    "  - { url: file:/3 }\n  - { url: file:/4 }\n"
	    "  - { url: file:/5 }\n", 5, "5 entries");
	bad(FARM "stores:\n  - { user: me }\n", 5, "no 'url'");
	bad(FARM "stores:\n  - { url: file:/a }\n  - { url: http://b/ }\n", 6,
	    "redis://");
	bad(FARM "stores:\n  - { url: file:/a }\n"
	    "  - { url: file:/b, password_file: none }\n", 6, "password_file");
	bad(FARM "stores:\n  - { url: file:/a, colour: red }\n", 5, "colour");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("settings_stores");
	TCase *tcase = tcase_create("read");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_read_takes_several);
	tcase_add_test(tcase, test_read_takes_one);
	tcase_add_test(tcase, test_read_refuses);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

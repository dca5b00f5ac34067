// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_deny.c - the certificates that a node refuses: what the file may hold,
 * what a change leaves in it, and readers who ask while it changes.
 */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "deny.h"

#define HEX_A "aa00000000000000000000000000000000000000000000000000000000000001"
#define HEX_B "BB00000000000000000000000000000000000000000000000000000000000002"
#define COLONS "CC:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:" \
	"00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:03"

static char dir[64], path[96], why[512];
static struct deny *deny;
static uint8_t a[DENY_LEN], b[DENY_LEN], c[DENY_LEN];

static void write_text(const char *text)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	ck_assert_int_eq(fclose(file), 0);
}

static const char *file_text(void)
{
	static char text[1024];
	FILE *file = fopen(path, "r");

	ck_assert_ptr_nonnull(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	return text;
}

static void set_up(void)
{
	strcpy(dir, "/tmp/check_deny.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/list", dir);
	ck_assert(deny_parse(a, HEX_A, strlen(HEX_A)));
	ck_assert(deny_parse(b, HEX_B, strlen(HEX_B)));
	ck_assert(deny_parse(c, COLONS, strlen(COLONS)));
	deny = deny_new();
	ck_assert_ptr_nonnull(deny);
}

static void tear_down(void)
{
	deny_free(deny);
	unlink(path);
	ck_assert_int_eq(rmdir(dir), 0);	/* nothing is left aside */
}

/* Both cases, colons, comments, blanks; the same twice counts once. */
START_TEST(test_file_is_read)
{
	uint8_t (*all)[DENY_LEN];
	char *where;
	size_t n;

	write_text("# stolen laptops\n\n" HEX_A "\n  " HEX_B "\t# bob\r\n"
		   HEX_A "\n" COLONS);
	ck_assert_msg(!deny_load(deny, path, why, sizeof(why)), "%s", why);
	ck_assert(deny_has(deny, a) && deny_has(deny, b) && deny_has(deny, c));
	a[31] ^= 2;
	ck_assert(!deny_has(deny, a));
	ck_assert(!deny_has(NULL, b));
	ck_assert_int_eq(deny_list(deny, &all, &n, &where), 0);
	ck_assert_uint_eq(n, 3);
	ck_assert_str_eq(where, path);
	ck_assert_mem_eq(all[1], b, DENY_LEN);
	free(all);
	free(where);
}
END_TEST

struct wrong {
	const char *text, *place;
};

/* The first line that is neither is named, and nothing is taken. */
START_TEST(test_wrong_lines_are_named)
{
	static const struct wrong wrongs[] = {
		{ "xyz\n", ":1: found 'xyz'" },
		{ HEX_A "\n\n# c\n" HEX_A "0\n", ":4: " },
		{ HEX_A "\n" HEX_B " " HEX_A "\n", ":2: " },
		{ "0x" HEX_A "\n", ":1: " },
		{ "\n" HEX_A "\ng" HEX_A "\n", ":3: " },
	};
	uint8_t bad[DENY_LEN];

	write_text(HEX_B "\n");
	ck_assert_int_eq(deny_load(deny, path, why, sizeof(why)), 0);
	write_text(wrongs[_i].text);
	ck_assert_int_eq(deny_check(path, why, sizeof(why)), -1);
	ck_assert_int_eq(deny_load(deny, path, why, sizeof(why)), -1);
	ck_assert_msg(strstr(why, wrongs[_i].place) != NULL, "%s", why);
	ck_assert_msg(strstr(why, "expected") != NULL, "%s", why);
	ck_assert(deny_has(deny, b) && !deny_has(deny, a));
	ck_assert(!deny_parse(bad, COLONS, strlen(COLONS) - 1));
	ck_assert(!deny_parse(bad, HEX_A, 63));
}
END_TEST

/* A change keeps comments, other lines and the mode; twice changes nothing. */
START_TEST(test_change_keeps_the_file)
{
	struct stat st;

	write_text("# first\n" HEX_B "  # bob\n# last");
	ck_assert_int_eq(chmod(path, 0640), 0);
	ck_assert_int_eq(deny_load(deny, path, why, sizeof(why)), 0);
	ck_assert_int_eq(deny_change(deny, a, true, why, sizeof(why)),
			 DENY_DONE);
	ck_assert(deny_has(deny, a) && deny_has(deny, b));
	ck_assert_str_eq(file_text(), "# first\n" HEX_B "  # bob\n# last\n"
			 HEX_A "\n");
	ck_assert_int_eq(deny_change(deny, a, true, why, sizeof(why)),
			 DENY_ALREADY);
	ck_assert_int_eq(deny_change(deny, b, false, why, sizeof(why)),
			 DENY_DONE);
	ck_assert(deny_has(deny, a) && !deny_has(deny, b));
	ck_assert_str_eq(file_text(), "# first\n# last\n" HEX_A "\n");
	ck_assert_int_eq(deny_change(deny, b, false, why, sizeof(why)),
			 DENY_ALREADY);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0640);
	/* It is what a restart reads. */
	ck_assert_int_eq(deny_load(deny, path, why, sizeof(why)), 0);
	ck_assert(deny_has(deny, a) && !deny_has(deny, b));
}
END_TEST

/* What somebody wrote into the file meanwhile counts from the change on. */
START_TEST(test_change_takes_the_file_in)
{
	write_text("");
	ck_assert_int_eq(deny_load(deny, path, why, sizeof(why)), 0);
	write_text(HEX_B "\n");
	ck_assert(!deny_has(deny, b));
	ck_assert_int_eq(deny_change(deny, a, true, why, sizeof(why)),
			 DENY_DONE);
	ck_assert(deny_has(deny, a) && deny_has(deny, b));
}
END_TEST

/* A file that cannot be changed keeps nobody in who was to be refused. */
START_TEST(test_refused_though_not_written)
{
	write_text(HEX_B "\n");
	ck_assert_int_eq(deny_load(deny, path, why, sizeof(why)), 0);
	write_text("broken\n");
	ck_assert_int_eq(deny_change(deny, a, true, why, sizeof(why)),
			 DENY_NOT_WRITTEN);
	ck_assert_ptr_nonnull(strstr(why, ":1: "));
	ck_assert(deny_has(deny, a) && deny_has(deny, b));
	ck_assert_str_eq(file_text(), "broken\n");
	/* And lets nobody in who was to be let in. */
	ck_assert_int_eq(deny_change(deny, b, false, why, sizeof(why)),
			 DENY_FAILED);
	ck_assert(deny_has(deny, b));
	unlink(path);
	ck_assert_int_eq(deny_change(deny, b, false, why, sizeof(why)),
			 DENY_FAILED);
	ck_assert(deny_has(deny, b));
}
END_TEST

/* Without a file changes live in memory, and a reload leaves them. */
START_TEST(test_without_a_file)
{
	uint8_t (*all)[DENY_LEN];
	char *where;
	size_t n;

	ck_assert_int_eq(deny_change(deny, a, true, why, sizeof(why)),
			 DENY_DONE);
	ck_assert_int_eq(deny_change(deny, a, true, why, sizeof(why)),
			 DENY_ALREADY);
	ck_assert_int_eq(deny_load(deny, NULL, why, sizeof(why)), 0);
	ck_assert(deny_has(deny, a));
	ck_assert_int_eq(deny_list(deny, &all, &n, &where), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_ptr_null(where);
	free(all);
	ck_assert_int_eq(deny_change(deny, a, false, why, sizeof(why)),
			 DENY_DONE);
	ck_assert(!deny_has(deny, a));
}
END_TEST

static atomic_bool stop;
static atomic_uint asked;

static void *keep_asking(void *wrong)
{
	while (!atomic_load(&stop)) {
		if (!deny_has(deny, b))
			*(bool *)wrong = true;
		(void)deny_has(deny, a);
		atomic_fetch_add(&asked, 1);
	}
	return NULL;
}

/* While one comes and goes, another is refused all the time. */
START_TEST(test_readers_see_whole_sets)
{
	pthread_t threads[3];
	bool wrong[3] = { false };
	unsigned i;

	ck_assert_int_eq(deny_change(deny, b, true, why, sizeof(why)),
			 DENY_DONE);
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, keep_asking,
						&wrong[i]), 0);
	for (i = 0; i < 2000 || atomic_load(&asked) < 10000; i++)
		ck_assert_int_eq(deny_change(deny, a, i % 2 == 0, why,
					     sizeof(why)), DENY_DONE);
	atomic_store(&stop, true);
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
		ck_assert(!wrong[i]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("deny");
	TCase *tcase = tcase_create("deny");
	int failed;
	SRunner *runner;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_file_is_read);
	tcase_add_loop_test(tcase, test_wrong_lines_are_named, 0, 5);
	tcase_add_test(tcase, test_change_keeps_the_file);
	tcase_add_test(tcase, test_change_takes_the_file_in);
	tcase_add_test(tcase, test_refused_though_not_written);
	tcase_add_test(tcase, test_without_a_file);
	tcase_add_test(tcase, test_readers_see_whole_sets);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

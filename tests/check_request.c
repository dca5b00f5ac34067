// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_request.c - what the application may ask of a farm, and from where: a
 * request from the sync thread itself is refused, or it would wait for itself.
 */
#include <check.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stek.h"

#define WAIT_MS 20000
#define CALLS 6

static char dir[64], key_file[96], url[96];
static struct stek_farm *farm;
static int answers[CALLS];
static atomic_bool asked, called;

static void ask_all(void)
{
	const struct stek_rotate rotate = { .who = "w" };
	const struct stek_revoke revoke = { .who = "w", .all = true };
	const struct stek_note note = { .who = "w", .action = "a",
					.result = "r" };
	struct stek_audit_list list;
	struct stek_member *members;
	struct stek_change change;
	char why[256];
	size_t n;

	answers[0] = stek_farm_rotate(farm, &rotate, &change);
	stek_change_clear(&change);
	answers[1] = stek_farm_revoke(farm, &revoke, &change);
	stek_change_clear(&change);
	answers[2] = stek_farm_members(farm, WAIT_MS, &members, &n);
	if (!answers[2])
		free(members);
	answers[3] = stek_farm_audit(farm, 1, false, WAIT_MS, &list);
	if (!answers[3])
		stek_audit_clear(&list);
	answers[4] = stek_farm_audit_note(farm, &note);
	answers[5] = stek_farm_key_reload(farm, "w", NULL, why, sizeof(why));
}

static void on_event(void *user, const struct stek_event *event)
{
	(void)user;
	(void)event;
	if (atomic_exchange(&asked, true))
		return;
	ask_all();
	atomic_store(&called, true);
}

static void begin(void)
{
	struct stek_farm_options options = {
		.farm = "farm", .node = "node", .farm_key_file = key_file,
		.store_url = url, .on_event = on_event,
	};
	char why[256];
	uint8_t id[8];

	strcpy(dir, "/tmp/stek-request-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(key_file, sizeof(key_file), "%s/key", dir);
	snprintf(url, sizeof(url), "file:%s", dir);
	ck_assert_int_eq(stek_farm_key_generate(key_file, id), 0);
	ck_assert_msg(!stek_farm_open(&farm, &options, why, sizeof(why)), "%s",
		      why);
	ck_assert_int_eq(stek_farm_start(farm), 0);
}

static void end(void)
{
	char command[128];

	stek_farm_close(farm);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

START_TEST(test_from_an_event)
{
	int left_ms = WAIT_MS;
	size_t i;

	while (!atomic_load(&called) && left_ms-- > 0)
		poll(NULL, 0, 1);
	ck_assert(atomic_load(&called));
	for (i = 0; i < CALLS; i++)
		ck_assert_msg(answers[i] == STEK_EINVAL, "call %zu: %d", i,
			      answers[i]);
	/* The farm goes on. */
	ask_all();
	for (i = 2; i < CALLS; i++)
		ck_assert_msg(answers[i] == 0, "call %zu: %d", i, answers[i]);
}
END_TEST

/* Nobody asks for nothing, or without a name. */
START_TEST(test_refuses)
{
	const struct stek_rotate rotate = { .who = NULL };
	const struct stek_revoke revoke = { .who = "w" };
	struct stek_change change;
	char why[256] = "before";

	ck_assert_int_eq(stek_farm_rotate(farm, &rotate, &change), STEK_EINVAL);
	ck_assert_int_eq(stek_farm_revoke(farm, &revoke, &change), STEK_EINVAL);
	ck_assert_int_eq(stek_farm_key_reload(farm, NULL, NULL, why,
					      sizeof(why)), STEK_EINVAL);
	ck_assert_str_eq(why, stek_strerror(STEK_EINVAL));
}
END_TEST

/* A name or a note is shown to people: nothing but printable ASCII, and short. */
START_TEST(test_refuses_names)
{
	char longest[STEK_NOTE_MAX + 1] = "", longer[STEK_NOTE_MAX + 2] = "";
	const char *const bad[] = { "", "two words", "\033[2J", "\xc3\xa4",
				    longer };
	struct stek_rotate rotate = { .who = "w", .dry_run = true };
	struct stek_change change;
	int left_ms = WAIT_MS;
	size_t i;

	while (!atomic_load(&called) && left_ms-- > 0)
		poll(NULL, 0, 1);
	memset(longest, 'x', STEK_NOTE_MAX);
	memset(longer, 'x', STEK_NOTE_MAX + 1);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		rotate.request = bad[i];
		ck_assert_msg(stek_farm_rotate(farm, &rotate, &change) ==
			      STEK_EINVAL, "name %zu", i);
		rotate.request = NULL;
		if (i != 1) {
			rotate.note = bad[i];
			ck_assert_msg(stek_farm_rotate(farm, &rotate,
						       &change) == STEK_EINVAL,
				      "note %zu", i);
		}
		rotate.note = NULL;
	}
	rotate.note = longest;
	ck_assert_int_ne(stek_farm_rotate(farm, &rotate, &change), STEK_EINVAL);
	stek_change_clear(&change);
}
END_TEST

/* What a farm is opened with is named where it is wrong, and nothing is left. */
START_TEST(test_refuses_options)
{
	const struct stek_farm_options good = {
		.farm = "farm", .node = "other", .farm_key_file = key_file,
		.store_url = url,
	};
	struct stek_store_config many[STEK_STORES_MAX + 1] = { { .url = url } };
	struct stek_farm_options bad[9];
	static const char *const named[] = {
		"farm", "farm", "node", "node", "farm_key_file", "store_url",
		"stores", "stores", "state_dir",
	};
	struct stek_farm *other = NULL;
	char why[256];
	size_t i;

	for (i = 0; i < 9; i++)
		bad[i] = good;
	bad[0].farm = "";
	bad[1].farm = "a farm";
	bad[2].node = "";
	bad[3].node = "n/1";
	bad[4].farm_key_file = NULL;
	bad[5].store_url = NULL;
	bad[6].stores = many;
	bad[7].stores = many;
	bad[7].n_stores = STEK_STORES_MAX + 1;
	bad[8].state_dir = key_file;
	for (i = 0; i < 9; i++) {
		why[0] = '\0';
		ck_assert_msg(stek_farm_open(&other, &bad[i], why,
					     sizeof(why)) == STEK_EINVAL,
			      "case %zu", i);
		ck_assert_msg(strstr(why, named[i]) != NULL, "%s", why);
		ck_assert_ptr_null(other);
	}
	ck_assert_msg(!stek_farm_open(&other, &good, why, sizeof(why)), "%s",
		      why);
	stek_farm_close(other);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("request");
	TCase *tcase = tcase_create("a farm");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, begin, end);
	tcase_add_test(tcase, test_from_an_event);
	tcase_add_test(tcase, test_refuses);
	tcase_add_test(tcase, test_refuses_names);
	tcase_add_test(tcase, test_refuses_options);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

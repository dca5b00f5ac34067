/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_node.c - that a node knows the names of the others when it needs them,
 * and asks the store for them at no other time.
 */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "admin_farm.h"

#define UNKNOWN_ID 0x01020304

static struct admin_farm farm;

static void setup(void)
{
	admin_farm_open(&farm);
	admin_farm_start(&farm);
}

static void teardown(void)
{
	node_forget_names(&farm.node);
	admin_farm_close(&farm);
}

static const char *name_of(uint32_t id)
{
	static char name[STEK_NAME_MAX + 1];

	strcpy(name, "unset");
	node_issuer_name(&farm.node, id, name, sizeof(name));
	return name;
}

static uint32_t id_of(const char *name)
{
	struct stek_member *members = NULL;
	uint32_t id = 0;
	size_t i, n = 0;

	ck_assert_int_eq(stek_farm_members(farm.node.farm, 5000, &members, &n),
			 0);
	for (i = 0; i < n; i++) {
		if (!strcmp(members[i].name, name))
			id = members[i].id;
	}
	free(members);
	return id;
}

/* A name that was missed is there after the next turn. */
START_TEST(test_learns_what_was_missed)
{
	pid_t other = admin_farm_join(&farm, "node-2");
	uint32_t id = id_of("node-2");

	ck_assert_uint_ne(id, 0);
	ck_assert_str_eq(name_of(id), "");
	ck_assert_int_eq(node_learn_names(&farm.node), 0);
	ck_assert_str_eq(name_of(id), "node-2");
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
}
END_TEST

/* Its own name needs no store. */
START_TEST(test_knows_itself)
{
	ck_assert_str_eq(name_of(stek_farm_node_id(farm.node.farm)), "node-1");
	ck_assert_int_eq(node_learn_names(&farm.node), 0);
	ck_assert_uint_eq(farm.node.learn_gap, 0);
}
END_TEST

/* While nobody asks for a name, the store is not asked either. */
START_TEST(test_asks_nothing_when_nothing_was_missed)
{
	int i;

	/* A question to a store that is gone would fail. */
	admin_farm_lose_store(&farm);
	for (i = 0; i < 10; i++)
		ck_assert_int_eq(node_learn_names(&farm.node), 0);
	name_of(UNKNOWN_ID);
	ck_assert_int_lt(node_learn_names(&farm.node), 0);
}
END_TEST

/* An id that nobody has costs ever fewer questions, and never none at all. */
START_TEST(test_asks_ever_more_rarely_for_an_unknown_id)
{
	unsigned asked = 0, gap = 0, i;

	for (i = 0; i < 4000; i++) {
		ck_assert_str_eq(name_of(UNKNOWN_ID), "");
		if (farm.node.learn_wait == 0) {
			asked++;
			gap = farm.node.learn_gap;
		}
		ck_assert_int_eq(node_learn_names(&farm.node), 0);
	}
	ck_assert_uint_ge(asked, 15);
	ck_assert_uint_le(asked, 25);
	ck_assert_uint_eq(gap, 256);
	/* Once no name was missed for a while the next question is soon again. */
	while (farm.node.learn_wait > 0)
		ck_assert_int_eq(node_learn_names(&farm.node), 0);
	ck_assert_int_eq(node_learn_names(&farm.node), 0);
	while (farm.node.learn_wait > 0)
		ck_assert_int_eq(node_learn_names(&farm.node), 0);
	ck_assert_int_eq(node_learn_names(&farm.node), 0);
	ck_assert_uint_eq(farm.node.learn_gap, 0);
}
END_TEST

int main(int argc, char **argv)
{
	Suite *suite = suite_create("node");
	TCase *tcase = tcase_create("names");
	SRunner *runner;
	int failed;

	if (argc == 3 && strcmp(argv[0], "member") == 0)
		return admin_farm_member(argv);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_learns_what_was_missed);
	tcase_add_test(tcase, test_knows_itself);
	tcase_add_test(tcase, test_asks_nothing_when_nothing_was_missed);
	tcase_add_test(tcase, test_asks_ever_more_rarely_for_an_unknown_id);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

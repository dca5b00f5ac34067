// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_member.c - the list of members where something is amiss: a store that
 * hangs while many ask, and two processes under one node name.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "simfarm.h"

#define SEC 1000LL
#define ASK 8

static struct sim *sim;

static void begin(void)
{
	sim = calloc(1, sizeof(*sim));
	ck_assert_ptr_nonnull(sim);
	sim_begin(sim, 3);
	sim_run(sim, 2 * SEC);
}

static void end(void)
{
	sim_end(sim);
	free(sim);
}

static struct stek_command *ask(bool abandoned)
{
	struct stek_command *command = calloc(1, sizeof(*command));

	ck_assert_ptr_nonnull(command);
	command->kind = STEK_COMMAND_MEMBERS;
	command->abandoned = abandoned;
	stek__sync_submit(sim->nodes[0].farm->sync, command);
	return command;
}

/* However many ask for the members, a store that hangs is waited for once. */
START_TEST(test_store_that_hangs)
{
	struct stek_command *asked[ASK];
	size_t i, calls = sim->stores[0].calls;

	sim->stores[0].answer = STEK_EUNAVAILABLE;
	for (i = 0; i < ASK; i++)
		asked[i] = ask(false);
	stek__sync_step(sim->nodes[0].farm->sync, false);
	/* One for the members, one if a heartbeat was due. */
	ck_assert_uint_le(sim->stores[0].calls, calls + 2);
	for (i = 0; i < ASK; i++) {
		ck_assert(asked[i]->done);
		ck_assert_int_eq(asked[i]->result, STEK_EUNAVAILABLE);
		stek__command_free(asked[i]);
	}
}
END_TEST

/* Nobody is asked on behalf of who has gone; the others are all answered. */
START_TEST(test_who_has_gone)
{
	struct stek_command *asked[ASK];
	size_t i, calls = sim->stores[0].calls;

	for (i = 0; i < ASK; i++)
		(void)ask(true);	/* the thread frees it */
	stek__sync_step(sim->nodes[0].farm->sync, false);
	ck_assert_uint_le(sim->stores[0].calls, calls + 1);
	for (i = 0; i < ASK; i++)
		asked[i] = ask(false);
	stek__sync_step(sim->nodes[0].farm->sync, false);
	for (i = 0; i < ASK; i++) {
		ck_assert(asked[i]->done);
		ck_assert_int_eq(asked[i]->result, 0);
		ck_assert_uint_eq(asked[i]->n_members, 3);
		stek__command_free(asked[i]);
	}
}
END_TEST

static void look(size_t i)
{
	struct stek_member *members = NULL;
	size_t n = 0;

	ck_assert_int_eq(stek__member_list(sim->nodes[i].farm->sync, &members,
					   &n), 0);
	free(members);
}

/* What node 0 sent last, arrived or not, arrives now at its store. */
static void arrive(const struct stek_raw_member *sent)
{
	struct stek_raw_member *member = sim->stores[0].members;

	while (strcmp(member->name, "node-0"))
		member++;
	member->len = sent->len;
	memcpy(member->data, sent->data, sent->len);
	member->seen_at_ms = sim->now_ms;
}

static bool same_name(size_t i)
{
	struct stek_status status;

	sim_status(sim, i, &status);
	return status.same_name;
}

static void assert_told(size_t a, size_t b, size_t c)
{
	const size_t times[] = { a, b, c };
	size_t i;

	for (i = 0; i < 3; i++) {
		ck_assert_uint_eq(sim->nodes[i].events[STEK_EVENT_SAME_NAME],
				  times[i]);
		ck_assert(same_name(i) == (times[i] > 0));
	}
}

static void join_as_node_0(void)
{
	sim_close(sim, 2);
	strcpy(sim->nodes[2].name, "node-0");
	sim_open(sim, 2);
}

/* Another process under this node's name is told, once, by both of them. */
START_TEST(test_same_name)
{
	int n;

	join_as_node_0();
	for (n = 0; n < 50; n++) {
		sim_run(sim, 130);
		look(0);
		look(1);
		look(2);
	}
	assert_told(1, 0, 1);
}
END_TEST

/* Also when nobody reads the members: by their own heartbeats, within three. */
START_TEST(test_same_name_by_heartbeat)
{
	join_as_node_0();
	sim_run(sim, 3000);
	assert_told(1, 0, 1);
}
END_TEST

/* It ends when the other has gone, and is told anew when it comes again. */
START_TEST(test_same_name_ends)
{
	join_as_node_0();
	sim_run(sim, 10000);
	sim_close(sim, 2);
	sim_run(sim, 8000);
	ck_assert(same_name(0));
	sim_run(sim, 5000);
	ck_assert(!same_name(0));
	sim_open(sim, 2);
	sim_run(sim, 5000);
	ck_assert(same_name(0));
	ck_assert_uint_eq(sim->nodes[0].events[STEK_EVENT_SAME_NAME], 2);
}
END_TEST

/* A clone of a running process has the time of its start as well. */
START_TEST(test_clone)
{
	join_as_node_0();
	sim->nodes[2].farm->sync->started_at_ms =
		sim->nodes[0].farm->sync->started_at_ms;
	sim_run(sim, 5000);
	assert_told(1, 0, 1);
}
END_TEST

/* Its own heartbeats are no other's: answers lost, set back, read twice. */
START_TEST(test_nobody_else)
{
	struct stek_raw_member old;
	int n;

	for (n = 0; n < 40; n++) {
		sim->nodes[0].fail_call = 1 + (unsigned)n % 5;
		sim_run(sim, 700);
	}
	sim->nodes[0].fail_call = 0;
	sim_run(sim, 5000);
	old = sim->stores[0].members[0];
	ck_assert_str_eq(old.name, "node-0");
	sim_run(sim, 5000);
	sim->stores[0].members[0] = old;
	sim_run(sim, 5000);
	sim->stores[0].n_members = 0;
	sim_run(sim, 5000);
	/* Of this node before it was restarted, back from a copy. */
	sim_close(sim, 0);
	sim_open(sim, 0);
	sim_run(sim, 5000);
	for (n = 0; n < (int)sim->stores[0].n_members; n++) {
		if (!strcmp(sim->stores[0].members[n].name, "node-0"))
			sim->stores[0].members[n] = old;
	}
	sim_run(sim, 5000);
	/* The same store by two URLs. */
	sim_close(sim, 1);
	sim->nodes[1].second = sim->nodes[1].store;
	sim_open(sim, 1);
	sim_run(sim, 20000);
	assert_told(0, 0, 0);
}
END_TEST

/*
 * After a failover or a cut the last heartbeat that got there is found again,
 * long after this node wrote it, and is no other's: whether it was answered (0)
 * or its answer lost (1), or it arrives when others have been written (2).
 * Another process is still found.
 */
START_TEST(test_nobody_else_after_a_cut)
{
	struct sim_link *link =
		(struct sim_link *)sim->nodes[0].farm->sync->links[0].store;
	struct stek_raw_member first;

	sim->stores[0].answer = STEK_EUNAVAILABLE;
	sim_run(sim, 2 * SEC);
	first = link->last;
	if (_i == 1)
		arrive(&first);
	/* More heartbeats are tried meanwhile than are kept of the others. */
	sim_run(sim, 20 * 60 * SEC);
	sim->stores[0].answer = 0;
	sim_run(sim, 20 * SEC);
	if (_i == 2)
		arrive(&first);
	sim_run(sim, 20 * SEC);
	assert_told(0, 0, 0);
	join_as_node_0();
	sim_run(sim, 3 * SEC);
	assert_told(1, 0, 1);
}
END_TEST

/* Two processes of one name are found though the store fails now and then. */
START_TEST(test_same_name_at_a_store_that_fails)
{
	int n;

	join_as_node_0();
	for (n = 0; n < 10; n++) {
		sim->nodes[0].fail_call = sim->nodes[2].fail_call = 1;
		sim_run(sim, 5 * SEC);
	}
	assert_told(1, 0, 1);
}
END_TEST

/* And though something else fails after each heartbeat. */
START_TEST(test_same_name_at_a_store_without_audit)
{
	struct stek_command *command;

	sim->stores[0].audit_answer = STEK_EUNAVAILABLE;
	command = sim_rotate(sim, 0, true, NULL);
	sim_await(sim, command, 20 * SEC);
	ck_assert_int_eq(command->result, 0);
	stek__command_free(command);
	join_as_node_0();
	sim_run(sim, 5 * SEC);
	assert_told(1, 0, 1);
}
END_TEST

/* A node that was restarted finds its old heartbeat and thinks nothing of it. */
START_TEST(test_restarted)
{
	int n;

	sim_close(sim, 0);
	sim_run(sim, 100);
	sim_open(sim, 0);
	look(0);
	for (n = 0; n < 20; n++) {
		sim_run(sim, 130);
		look(0);
	}
	ck_assert_uint_eq(sim->nodes[0].events[STEK_EVENT_SAME_NAME], 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("member");
	TCase *farm = tcase_create("farm");
	SRunner *runner;
	int failed;

	tcase_set_timeout(farm, 60);
	tcase_add_checked_fixture(farm, begin, end);
	tcase_add_test(farm, test_store_that_hangs);
	tcase_add_test(farm, test_who_has_gone);
	tcase_add_test(farm, test_same_name);
	tcase_add_test(farm, test_same_name_by_heartbeat);
	tcase_add_test(farm, test_same_name_ends);
	tcase_add_test(farm, test_clone);
	tcase_add_test(farm, test_nobody_else);
	tcase_add_loop_test(farm, test_nobody_else_after_a_cut, 0, 3);
	tcase_add_test(farm, test_same_name_at_a_store_that_fails);
	tcase_add_test(farm, test_same_name_at_a_store_without_audit);
	tcase_add_test(farm, test_restarted);
	suite_add_tcase(suite, farm);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

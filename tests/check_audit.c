// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_audit.c - the audit over two stores: every entry in both, each chain
 * true by itself, and what a store missed is handed on to it once it is back.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simfarm.h"

#define SEC 1000LL

static struct sim *sim;
static struct sim_store *first, *second, *nowhere;

static void join(size_t i, struct sim_store *a, struct sim_store *b)
{
	sim_close(sim, i);
	sim->nodes[i].store = a;
	sim->nodes[i].second = b;
	sim_open(sim, i);
}

static void begin(void)
{
	size_t i;

	sim = calloc(1, sizeof(*sim));
	ck_assert_ptr_nonnull(sim);
	sim_begin(sim, 3);
	first = &sim->stores[0];
	second = &sim->stores[1];
	nowhere = &sim->stores[2];
	nowhere->answer = STEK_EUNAVAILABLE;
	/* The order in which a node lists them is its own. */
	for (i = 0; i < sim->n; i++)
		join(i, i == 1 ? second : first, i == 1 ? first : second);
	sim_run(sim, 3 * SEC);
	sim_assert_same(sim);
}

static void end(void)
{
	sim_end(sim);
	free(sim);
}

static void rotate_at(size_t i)
{
	struct stek_command *command = sim_rotate(sim, i, true, NULL);

	sim_await(sim, command, 10 * SEC);
	ck_assert_int_eq(command->result, 0);
	stek__command_free(command);
}

static struct stek_command *audit_at(size_t i, bool whole)
{
	struct stek_command *command = calloc(1, sizeof(*command));

	ck_assert_ptr_nonnull(command);
	command->kind = STEK_COMMAND_AUDIT;
	command->verify = whole;
	command->limit = 400;
	stek__sync_submit(sim->nodes[i].farm->sync, command);
	sim_await(sim, command, 10 * SEC);
	ck_assert_int_eq(command->result, 0);
	return command;
}

/* Every node sees `n` entries, each in both stores, and two true chains. */
static void assert_whole(size_t n)
{
	struct stek_command *command;
	size_t i, k;

	for (i = 0; i < sim->n; i++) {
		command = audit_at(i, true);
		ck_assert_msg(!command->audit.broken, "%s",
			      command->audit.fault);
		ck_assert_uint_eq(command->audit.n_stores, 2);
		ck_assert_uint_eq(command->audit.n, n);
		ck_assert_uint_eq(command->audit.n_checked, 2 * n);
		for (k = 0; k < n; k++)
			ck_assert_uint_eq(command->audit.entries[k].stores, 3);
		for (k = 0; k < 2; k++) {
			ck_assert(command->audit.stores[k].answered);
			ck_assert_uint_eq(command->audit.stores[k].n_checked,
					  n);
			ck_assert_uint_eq(command->audit.stores[k].n_lacking,
					  0);
		}
		stek__command_free(command);
	}
	ck_assert_uint_eq(first->n_audit, n);
	ck_assert_uint_eq(second->n_audit, n);
}

/* Each entry is in both stores, in two chains that differ, shown once. */
START_TEST(test_both)
{
	size_t i;

	for (i = 0; i < 3; i++)
		rotate_at(i);
	assert_whole(3);
}
END_TEST

/* Entries are shown in the order in which they were made. */
START_TEST(test_order)
{
	struct stek_command *command;
	long long at_ms, before_ms = 0;
	size_t i;

	for (i = 0; i < 4; i++) {
		second->answer = i % 2 ? STEK_EUNAVAILABLE : 0;
		rotate_at(0);
		second->answer = 0;
		sim_run(sim, 20 * SEC);
	}
	command = audit_at(1, false);
	ck_assert_uint_eq(command->audit.n, 4);
	for (i = 0; i < 4; i++) {
		ck_assert_int_eq(sscanf(command->audit.entries[i].text,
					"{\"at_ms\":%lld", &at_ms), 1);
		ck_assert_int_gt(at_ms, before_ms);
		before_ms = at_ms;
	}
	stek__command_free(command);
}
END_TEST

/* A store that was away gets what it missed; nobody hands it on twice. */
START_TEST(test_away)
{
	struct stek_command *command;

	rotate_at(0);
	second->answer = STEK_EUNAVAILABLE;
	sim_run(sim, 2 * SEC);
	rotate_at(0);
	rotate_at(1);
	ck_assert_uint_eq(second->n_audit, 1);
	command = audit_at(2, true);
	ck_assert(!command->audit.broken);
	ck_assert_uint_eq(command->audit.n, 3);
	ck_assert(command->audit.stores[0].answered);
	ck_assert(!command->audit.stores[1].answered);
	stek__command_free(command);
	second->answer = 0;
	sim_run(sim, 20 * SEC);
	assert_whole(3);
	rotate_at(1);
	assert_whole(4);
}
END_TEST

/* How many were lost, as the entries say. */
static size_t told_lost(void)
{
	struct stek_command *command = audit_at(1, true);
	size_t i, lost = 0;
	const char *at;

	for (i = 0; i < command->audit.n; i++)
		if ((at = strstr(command->audit.entries[i].text, "lost\":")))
			lost += strtoul(at + 6, NULL, 10);
	stek__command_free(command);
	return lost;
}

/* Without any store there is room for some; of the others the count is kept. */
START_TEST(test_no_room)
{
	struct stek_sync *sync = sim->nodes[0].farm->sync;
	size_t i;

	first->answer = second->answer = STEK_EUNAVAILABLE;
	for (i = 0; i < 3 * STEK_AUDIT_QUEUE + 5; i++)
		stek__audit_note(sync, "test", "", "note", "");
	first->answer = second->answer = 0;
	sim_run(sim, 20 * SEC);
	stek__audit_note(sync, "test", "", "note", "");
	sim_run(sim, 20 * SEC);
	assert_whole(STEK_AUDIT_QUEUE + 1);
	ck_assert_uint_eq(told_lost(), 2 * STEK_AUDIT_QUEUE + 5);
}
END_TEST

/* The node that made the entries need not be there any more. */
START_TEST(test_maker_is_gone)
{
	second->answer = STEK_EUNAVAILABLE;
	sim_run(sim, 2 * SEC);
	rotate_at(0);
	sim_close(sim, 0);
	second->answer = 0;
	sim_run(sim, 20 * SEC);
	sim_open(sim, 0);
	sim_run(sim, SEC);
	assert_whole(1);
}
END_TEST

/* Two sites that did not see each other tell each other all of it. */
START_TEST(test_sites)
{
	size_t i;

	join(0, first, nowhere);
	join(1, second, nowhere);
	sim_close(sim, 2);
	sim_run(sim, 5 * SEC);
	/* More than are handed on after one heartbeat, or looked at first. */
	for (i = 0; i < 200; i++) {
		sim->now_ms++;
		stek__audit_note(sim->nodes[0].farm->sync, "test", "", "note", "");
	}
	rotate_at(1);
	ck_assert_uint_eq(first->n_audit, 200);
	ck_assert_uint_eq(second->n_audit, 1);
	for (i = 0; i < 3; i++)
		join(i, first, second);
	sim_run(sim, 20 * SEC);
	assert_whole(201);
}
END_TEST

/* A wiped store gets the entries again, and its gap shows. */
START_TEST(test_wiped)
{
	struct stek_command *command;

	rotate_at(0);
	rotate_at(1);
	while (second->n_audit > 0)
		free(second->audit[--second->n_audit]);
	second->has_ring = false;
	sim_run(sim, 10 * SEC);
	ck_assert_uint_eq(second->n_audit, 2);
	command = audit_at(0, true);
	ck_assert(command->audit.broken);
	ck_assert_uint_eq(command->audit.broken_store, 1);
	ck_assert_ptr_nonnull(strstr(command->audit.fault,
				     "1 to 2 are missing"));
	ck_assert(!command->audit.stores[0].broken);
	stek__command_free(command);
}
END_TEST

/* What is cut out of one store is found there, and filled in when looked at. */
START_TEST(test_cut)
{
	struct stek_command *command;

	rotate_at(0);
	rotate_at(0);
	free(second->audit[--second->n_audit]);
	command = audit_at(0, true);
	ck_assert(command->audit.stores[1].broken);
	ck_assert_uint_eq(command->audit.stores[1].n_lacking, 1);
	ck_assert_ptr_nonnull(strstr(command->audit.stores[1].fault,
				     "entry 2 is missing at the end"));
	ck_assert_uint_eq(command->audit.n, 2);
	ck_assert_uint_eq(command->audit.entries[1].stores, 1);
	stek__command_free(command);
	sim_run(sim, 5 * SEC);
	command = audit_at(1, true);
	ck_assert(command->audit.broken);
	ck_assert_uint_eq(command->audit.stores[0].n_lacking, 0);
	ck_assert_uint_eq(command->audit.stores[1].n_lacking, 0);
	stek__command_free(command);
}
END_TEST

/* An edited entry is named with its store; the good copy is shown beside it. */
START_TEST(test_edited)
{
	struct stek_command *command;
	char *at;

	rotate_at(0);
	rotate_at(0);
	at = strstr(second->audit[0], "test \\\"quoted");
	ck_assert_ptr_nonnull(at);
	*at = 'b';
	command = audit_at(0, true);
	ck_assert(command->audit.broken);
	ck_assert(!command->audit.stores[0].broken);
	ck_assert_uint_eq(command->audit.broken_store, 1);
	ck_assert_uint_eq(command->audit.broken_seq, 1);
	ck_assert_uint_eq(command->audit.n, 3);
	ck_assert_uint_eq(command->audit.entries[0].stores, 1);
	ck_assert_str_eq(command->audit.entries[0].fault, "");
	ck_assert_uint_eq(command->audit.entries[1].stores, 2);
	ck_assert_str_ne(command->audit.entries[1].fault, "");
	stek__command_free(command);
}
END_TEST

/* What nobody with the farm key wrote is not handed on. */
START_TEST(test_forged_is_not_handed_on)
{
	rotate_at(0);
	second->answer = STEK_EUNAVAILABLE;
	sim_run(sim, 2 * SEC);
	first->audit[first->n_audit++] = strdup(
		"1 2 0000000000000000000000000000000000000000000000000000000000"
		"000000 0000000000000000 00000000000000000000000000000000000000"
		"00000000000000000000000000 - - {\"at_ms\":1}");
	second->answer = 0;
	sim_run(sim, 20 * SEC);
	ck_assert_uint_eq(second->n_audit, 1);
}
END_TEST

/* An answer that was lost does not make two entries of one. */
START_TEST(test_lost_answer)
{
	sim->nodes[0].lose_audit = true;
	rotate_at(0);
	sim_run(sim, 20 * SEC);
	assert_whole(1);
}
END_TEST

/* Nor with one store, where it is written again. */
START_TEST(test_lost_answer_of_one)
{
	size_t i;

	for (i = 0; i < 3; i++)
		join(i, first, NULL);
	sim_run(sim, 3 * SEC);
	sim->nodes[0].lose_audit = true;
	rotate_at(0);
	sim_run(sim, 20 * SEC);
	ck_assert_uint_eq(first->n_audit, 1);
}
END_TEST

/* A store that takes no entries is left alone, and has all when it does. */
START_TEST(test_refused)
{
	unsigned refused;

	second->audit_answer = STEK_EREFUSED;
	rotate_at(0);
	sim_run(sim, 20 * SEC);
	refused = sim->nodes[0].events[STEK_EVENT_STORE_REFUSED];
	sim_run(sim, 60 * SEC);
	ck_assert_uint_eq(sim->nodes[0].events[STEK_EVENT_STORE_REFUSED],
			  refused);
	ck_assert_uint_eq(first->n_audit, 1);
	second->audit_answer = 0;
	rotate_at(0);
	sim_run(sim, 5 * SEC);
	/* No outage is needed: that it took an entry shows that it does. */
	if (_i == 0) {
		assert_whole(2);
		return;
	}
	second->answer = STEK_EUNAVAILABLE;
	sim_run(sim, 5 * SEC);
	second->answer = 0;
	sim_run(sim, 20 * SEC);
	assert_whole(2);
}
END_TEST

/* A named request that came at both ends at once begins once. */
START_TEST(test_named_request)
{
	struct stek_command *a = sim_rotate(sim, 0, true, NULL);
	struct stek_command *b = sim_rotate(sim, 1, true, NULL);
	struct stek_command *c;
	uint64_t epoch;

	strcpy(a->request, "one");
	strcpy(b->request, "one");
	sim_await(sim, a, 10 * SEC);
	sim_await(sim, b, 10 * SEC);
	ck_assert_int_eq(a->result, 0);
	ck_assert(b->result == STEK_EBUSY || b->change.replayed);
	sim_run(sim, 5 * SEC);
	epoch = sim_ring(sim, 0)->version.epoch;
	/* The answer stands in the one store that is left. */
	first->answer = STEK_EUNAVAILABLE;
	sim_run(sim, 2 * SEC);
	c = sim_rotate(sim, 2, true, NULL);
	strcpy(c->request, "one");
	sim_await(sim, c, 10 * SEC);
	ck_assert_int_eq(c->result, 0);
	ck_assert(c->change.replayed);
	ck_assert_uint_eq(sim_ring(sim, 2)->version.epoch, epoch);
	stek__command_free(a);
	stek__command_free(b);
	stek__command_free(c);
}
END_TEST

/* What it entered in one store itself does not stop a request. */
START_TEST(test_named_request_races)
{
	struct stek_command *a = sim_rotate(sim, 0, true, NULL);

	strcpy(a->request, "one");
	sim->nodes[0].race_audit = 2;
	sim_await(sim, a, 10 * SEC);
	ck_assert_int_eq(a->result, 0);
	ck_assert(!a->change.replayed);
	stek__command_free(a);
	assert_whole(2);
}
END_TEST

/* In the file where node 0 keeps its heads, the first digits of each hash. */
static void edit_heads(const char *digits)
{
	char path[600], text[4096] = "", *at;
	FILE *f;

	snprintf(path, sizeof(path), "%s/audit.farm", sim->nodes[0].state_dir);
	f = fopen(path, "r+");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_gt(fread(text, 1, sizeof(text) - 1, f), 0);
	for (at = text; (at = strchr(at, '\n')); at++)
		memcpy(at - 2 * STEK_DIGEST_LEN, digits, 2);
	rewind(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

/*
 * A node that was away knows from its own file how far each chain went; what is
 * no hash there says nothing.
 */
START_TEST(test_heads_are_kept)
{
	static const char *const digits[] = { NULL, "??", "+1", " 1", "0x" };
	struct stek_command *command;

	strcpy(sim->nodes[0].state_dir, sim->key_file);
	*strrchr(sim->nodes[0].state_dir, '/') = '\0';
	join(0, first, second);
	rotate_at(0);
	rotate_at(0);
	sim_close(sim, 0);
	sim_close(sim, 1);
	sim_close(sim, 2);
	sim->now_ms += 3 * SEC;
	first->n_members = second->n_members = 0;
	free(second->audit[--second->n_audit]);
	if (digits[_i])
		edit_heads(digits[_i]);
	/* Listed in the other order: a head is of a store, not of a place. */
	join(0, second, first);
	command = audit_at(0, true);
	ck_assert(command->audit.stores[0].broken == !digits[_i]);
	ck_assert(!command->audit.stores[1].broken);
	stek__command_free(command);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("audit");
	TCase *two = tcase_create("two stores");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(two, 60);
	tcase_add_checked_fixture(two, begin, end);
	tcase_add_test(two, test_both);
	tcase_add_test(two, test_order);
	tcase_add_test(two, test_away);
	tcase_add_test(two, test_no_room);
	tcase_add_test(two, test_maker_is_gone);
	tcase_add_test(two, test_sites);
	tcase_add_test(two, test_wiped);
	tcase_add_test(two, test_cut);
	tcase_add_test(two, test_edited);
	tcase_add_test(two, test_forged_is_not_handed_on);
	tcase_add_test(two, test_lost_answer);
	tcase_add_test(two, test_lost_answer_of_one);
	tcase_add_loop_test(two, test_refused, 0, 2);
	tcase_add_test(two, test_named_request);
	tcase_add_test(two, test_named_request_races);
	tcase_add_loop_test(two, test_heads_are_kept, 0, 5);
	suite_add_tcase(suite, two);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

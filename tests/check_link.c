// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_link.c - a farm over two stores, as two sites have them: each may be
 * away, wiped, set back or split off, and what they hold is united.
 */
#include "simthree.h"

static struct sim_store *first, *second, *nowhere;

/* (Re)opens node `i` with the stores it names; NULL: one only. */
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

	begin_three();
	first = &sim->stores[0];
	second = &sim->stores[1];
	nowhere = &sim->stores[2];
	nowhere->answer = STEK_EUNAVAILABLE;
	for (i = 0; i < sim->n; i++)
		join(i, first, second);
}

static void settle(void)
{
	sim_run(sim, 3 * SEC);
	sim_assert_same(sim);
	sim->check = true;
}

static uint64_t minted(void)
{
	struct stek_status status;
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < sim->n; i++) {
		sim_status(sim, i, &status);
		sum += status.minted;
	}
	return sum;
}

/* An empty farm gets one set of keys, the same in both stores. */
START_TEST(test_first_keys)
{
	settle();
	ck_assert_uint_eq(sim_ring(sim, 0)->n_keys, 3);
	ck_assert_ptr_nonnull(sim_sealing(sim, 0));
}
END_TEST

/* A store that is listed twice is two places, or its heads would be mixed. */
START_TEST(test_listed_twice)
{
	const struct stek_link *links;

	join(0, first, first);
	settle();
	links = sim->nodes[0].farm->sync->links;
	ck_assert_mem_ne(links[0].place, links[1].place, STEK_PLACE_LEN);
}
END_TEST

/* Three days over two stores: as many keys as over one, epochs that grow. */
START_TEST(test_three_days)
{
	uint64_t epoch = 0, before;
	int i;

	settle();
	before = minted();
	for (i = 0; i < 72; i++) {
		sim_run(sim, HOUR);
		ck_assert_uint_ge(sim_ring(sim, 0)->version.epoch, epoch);
		epoch = sim_ring(sim, 0)->version.epoch;
		ck_assert_ptr_nonnull(sim_sealing(sim, 0));
	}
	sim_run(sim, 2 * SEC);
	sim_assert_same(sim);
	ck_assert_uint_eq(minted() - before, 12);
}
END_TEST

/* Idle, a node asks each store once a beat. */
START_TEST(test_idle_costs_one_call_each)
{
	size_t a, b;

	settle();
	a = first->calls;
	b = second->calls;
	sim_run(sim, 100 * SEC);
	ck_assert_uint_le(first->calls - a, 3 * 101);
	ck_assert_uint_le(second->calls - b, 3 * 101);
	ck_assert_uint_ge(second->calls - b, 3 * 99);
}
END_TEST

/* With one store away the farm goes on; back, it gets what it lacks. */
START_TEST(test_one_store_away)
{
	struct stek_status status;
	size_t calls;

	settle();
	second->answer = STEK_EUNAVAILABLE;
	calls = second->calls;
	sim_run(sim, 10 * HOUR);
	sim_status(sim, 0, &status);
	ck_assert_int_eq(status.store, STEK_STORE_OK);
	ck_assert_str_eq(status.store_detail, "");
	ck_assert_int_eq(status.stores[0].state, STEK_STORE_OK);
	ck_assert_int_eq(status.stores[1].state, STEK_STORE_UNAVAILABLE);
	ck_assert_str_eq(status.stores[1].detail, "no answer");
	ck_assert_uint_eq(sim->nodes[0].events[STEK_EVENT_STORE_DOWN], 1);
	ck_assert_uint_eq(sim->nodes[0].events[STEK_EVENT_NO_ACTIVE_KEY], 1);
	/* Asked every 4 to 8 beats. */
	ck_assert_uint_le(second->calls - calls, 3 * (10 * 3600 / 4 + 10));
	ck_assert_uint_ge(second->calls - calls, 3 * (10 * 3600 / 8));
	second->answer = 0;
	sim_run(sim, 9 * SEC);
	sim_assert_same(sim);
	sim_status(sim, 0, &status);
	ck_assert_int_eq(status.stores[1].state, STEK_STORE_OK);
	ck_assert_uint_eq(sim->nodes[0].events[STEK_EVENT_STORE_UP], 3);
}
END_TEST

/* A slow death of one store keeps nobody from telling the other. */
START_TEST(test_dead_store_does_not_stall_a_rotation)
{
	struct stek_command *command;

	settle();
	second->answer = STEK_EUNAVAILABLE;
	second->delay_ms = 1000;
	sim_run(sim, 20 * SEC);
	command = sim_rotate(sim, 0, false, NULL);
	sim_await(sim, command, 10 * SEC);
	ck_assert_int_eq(command->result, 0);
	ck_assert_uint_eq(command->change.n_acks, 3);
	stek__command_free(command);
}
END_TEST

/* A wiped store gets the ring of the other, as it is. */
START_TEST(test_wiped_store_is_refilled)
{
	struct stek_version before;
	uint64_t made;

	settle();
	made = minted();
	before = sim_ring(sim, 0)->version;
	second->has_ring = false;
	second->n_members = 0;
	sim_run(sim, 3 * SEC);
	sim_assert_same(sim);
	ck_assert(stek_version_equal(&sim_ring(sim, 0)->version, &before));
	ck_assert_uint_eq(minted(), made);
	/* And so does the first; and both at once, from the nodes. */
	first->has_ring = false;
	sim_run(sim, 3 * SEC);
	sim_assert_same(sim);
	first->has_ring = second->has_ring = false;
	sim_run(sim, 3 * SEC);
	sim_assert_same(sim);
	ck_assert_uint_eq(minted(), made);
}
END_TEST

/* REQ-32: one store set back in time brings no revoked key back. */
START_TEST(test_restored_store_is_merged)
{
	struct stek_command *command;
	struct stek_ring *old;
	size_t i, j;

	settle();
	old = sim_stored(sim, second);
	sim->check = false;	/* a revocation reaches the nodes one by one */
	command = sim_revoke(sim, 1, true, NULL);
	sim_await(sim, command, 5 * SEC);
	ck_assert_int_eq(command->result, 0);
	stek__command_free(command);
	sim_plant(sim, second, old);
	for (j = 0; j < 5 * 10; j++) {
		sim_run(sim, SEC / 10);
		for (i = 0; i < old->n_keys; i++) {
			const struct stek_key *key =
				stek__ring_find(sim_ring(sim, 2),
						old->keys[i]->id);

			ck_assert(!key || !key->secret);
		}
	}
	sim_assert_same(sim);
	stek__ring_unref(old);
}
END_TEST

/* REQ-31: sites cut off from each other both mint; healed, all have all. */
START_TEST(test_sites_heal)
{
	struct stek_ring *a, *b;
	size_t i, j;

	settle();
	sim->check = false;
	sim->nodes[0].second = sim->nodes[1].second = nowhere;
	sim->nodes[2].store = nowhere;
	sim_run(sim, 7 * HOUR);
	a = stek__ring_ref(sim_ring(sim, 0));
	b = stek__ring_ref(sim_ring(sim, 2));
	ck_assert(!stek_version_equal(&a->version, &b->version));
	sim->nodes[0].second = sim->nodes[1].second = second;
	sim->nodes[2].store = first;
	sim_run(sim, 12 * SEC);
	sim_assert_same(sim);
	for (j = 0; j < sim->n; j++) {
		for (i = 0; i < a->n_keys; i++)
			ck_assert_ptr_nonnull(stek__ring_find(sim_ring(sim, j),
							      a->keys[i]->id));
		for (i = 0; i < b->n_keys; i++)
			ck_assert_ptr_nonnull(stek__ring_find(sim_ring(sim, j),
							      b->keys[i]->id));
	}
	sim->check = true;
	sim_run(sim, 24 * HOUR);
	stek__ring_unref(a);
	stek__ring_unref(b);
}
END_TEST

/* One node that reaches both stores joins nodes that reach one each. */
START_TEST(test_bridge)
{
	struct stek_member *members = NULL;
	struct stek_command *command;
	size_t i, n = 0;

	join(1, first, NULL);
	join(2, second, NULL);
	sim_run(sim, 5 * SEC);
	sim_assert_same(sim);
	ck_assert_int_eq(stek__member_list(sim->nodes[0].farm->sync, &members,
					   &n), 0);
	ck_assert_uint_eq(n, 3);
	for (i = 0; i < n; i++) {
		ck_assert_str_eq(members[i].name, sim->nodes[i].name);
		ck_assert(members[i].live);
	}
	free(members);
	sim->check = true;
	command = sim_rotate(sim, 0, false, NULL);
	sim_await(sim, command, 10 * SEC);
	ck_assert_int_eq(command->result, 0);
	ck_assert_uint_eq(command->change.n_acks, 3);
	stek__command_free(command);
	/* The live node of the other site is waited for. */
	sim_run(sim, 61 * SEC);
	sim->nodes[2].frozen = true;
	command = sim_rotate(sim, 0, false, NULL);
	sim_await(sim, command, 10 * SEC);
	ck_assert_int_eq(command->result, STEK_ETIMEOUT);
	ck_assert_ptr_nonnull(strstr(command->change.detail, "node-2"));
	stek__command_free(command);
}
END_TEST

/* A node is as old as its freshest heartbeat. */
START_TEST(test_freshest_heartbeat_counts)
{
	struct stek_member *members = NULL;
	size_t n = 0;

	settle();
	sim->nodes[1].second = nowhere;
	sim->nodes[2].store = nowhere;
	sim_run(sim, 20 * SEC);
	ck_assert_int_eq(stek__member_list(sim->nodes[0].farm->sync, &members,
					   &n), 0);
	ck_assert_uint_eq(n, 3);
	ck_assert(members[1].live && members[2].live);
	free(members);
	/* No store, no list. */
	first->answer = second->answer = STEK_EUNAVAILABLE;
	ck_assert_int_eq(stek__member_list(sim->nodes[0].farm->sync, &members,
					   &n), STEK_EUNAVAILABLE);
}
END_TEST

/* REQ-34: without any store a revocation is in force here, and spreads. */
START_TEST(test_revoke_without_stores)
{
	struct stek_command *command;

	settle();
	sim->check = false;
	first->answer = second->answer = STEK_EUNAVAILABLE;
	sim_run(sim, 20 * SEC);
	command = sim_revoke(sim, 0, true, NULL);
	sim_await(sim, command, 15 * SEC);
	ck_assert_int_eq(command->result, STEK_EUNAVAILABLE);
	ck_assert(!command->change.published);
	stek__command_free(command);
	ck_assert_ptr_null(sim_sealing(sim, 0));
	second->answer = 0;	/* the other stays away */
	sim_run(sim, 20 * SEC);
	ck_assert(stek_version_equal(&sim_ring(sim, 0)->version,
				     &sim_ring(sim, 2)->version));
	ck_assert_int_gt(sim_ring(sim, 2)->revoked_before_ms, 0);
	ck_assert_ptr_nonnull(sim_sealing(sim, 2));
	first->answer = 0;
	sim_run(sim, 9 * SEC);
	sim_assert_same(sim);
}
END_TEST

/* What does not open in one store stays there; the farm uses the other. */
START_TEST(test_bad_document_in_one_store)
{
	struct stek_command *command;
	uint64_t made;

	settle();
	second->doc.data[second->doc.len - 1] ^= 1;
	second->version.digest[0] ^= 1;
	sim_run(sim, 5 * SEC);
	ck_assert_uint_eq(sim->nodes[0].events[STEK_EVENT_RECORD_BAD], 1);
	made = minted();
	sim_run(sim, 7 * HOUR);
	ck_assert_uint_gt(minted(), made);
	command = sim_rotate(sim, 0, false, NULL);
	sim_await(sim, command, 10 * SEC);
	ck_assert_int_eq(command->result, 0);
	stek__command_free(command);
	ck_assert_uint_eq(sim->nodes[0].events[STEK_EVENT_RECORD_BAD], 1);
}
END_TEST

/* An empty store beside one whose ring does not open: no second farm. */
START_TEST(test_no_first_key_beside_a_bad_ring)
{
	size_t i;

	settle();
	sim->check = false;
	for (i = 0; i < sim->n; i++)
		sim_close(sim, i);
	first->has_ring = false;
	second->doc.data[second->doc.len - 1] ^= 1;
	for (i = 0; i < sim->n; i++)
		sim_open(sim, i);
	sim_run(sim, 60 * SEC);
	ck_assert_uint_eq(minted(), 0);
	ck_assert(!first->has_ring);
}
END_TEST

/* Whichever call fails, both stores end up with one good ring. */
START_TEST(test_every_call_may_fail)
{
	unsigned n;

	for (n = 1; n < 40; n++) {
		if (n > 1)
			begin();
		sim->nodes[0].fail_call = n;
		sim->nodes[1].fail_call = n + 1;
		sim_run(sim, 30 * SEC);
		sim_assert_same(sim);
		ck_assert_ptr_nonnull(sim_sealing(sim, 2));
		if (n < 39)
			end();
	}
}
END_TEST

/* Writes whose answers are lost are found in the stores. */
START_TEST(test_lost_answer)
{
	size_t i;

	for (i = 0; i < sim->n; i++)
		sim->nodes[i].lose_answer = true;
	sim_run(sim, 10 * SEC);
	sim_assert_same(sim);
	ck_assert_ptr_nonnull(sim_sealing(sim, 1));
}
END_TEST

/* REQ-28: between stores that disagree farm time is the middle, and told. */
START_TEST(test_clocks_of_stores_differ)
{
	struct stek_status status;
	size_t i;

	join(1, second, first);	/* the order does not matter */
	second->skew_ms = 2000;
	sim_run(sim, 10 * SEC);
	for (i = 0; i < sim->n; i++) {
		ck_assert_int_eq(stek_farm_now_ms(sim->nodes[i].farm),
				 sim->now_ms + 1000);
		sim_status(sim, i, &status);
		ck_assert(status.clock_spread_ms == 2000.0);
		ck_assert(status.clock_offset_ms == 1000.0);
		/* One for the offset, one for the stores. */
		ck_assert_uint_eq(sim->nodes[i].events[STEK_EVENT_CLOCK], 2);
	}
	sim_status(sim, 1, &status);
	ck_assert(status.stores[0].clock_offset_ms == 2000.0);
	ck_assert(status.stores[1].clock_offset_ms == 0.0);
	/* A store that is away has no say. */
	second->answer = STEK_EUNAVAILABLE;
	sim_run(sim, 60 * SEC);
	sim_status(sim, 0, &status);
	ck_assert(status.clock_spread_ms == 0.0);
	ck_assert_int_eq(stek_farm_now_ms(sim->nodes[0].farm), sim->now_ms);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("link");
	TCase *farm = tcase_create("farm");
	SRunner *runner;
	int failed;

	tcase_set_timeout(farm, 120);
	tcase_add_checked_fixture(farm, begin, end);
	tcase_add_test(farm, test_first_keys);
	tcase_add_test(farm, test_listed_twice);
	tcase_add_test(farm, test_three_days);
	tcase_add_test(farm, test_idle_costs_one_call_each);
	tcase_add_test(farm, test_one_store_away);
	tcase_add_test(farm, test_dead_store_does_not_stall_a_rotation);
	tcase_add_test(farm, test_wiped_store_is_refilled);
	tcase_add_test(farm, test_restored_store_is_merged);
	tcase_add_test(farm, test_sites_heal);
	tcase_add_test(farm, test_bridge);
	tcase_add_test(farm, test_freshest_heartbeat_counts);
	tcase_add_test(farm, test_revoke_without_stores);
	tcase_add_test(farm, test_bad_document_in_one_store);
	tcase_add_test(farm, test_no_first_key_beside_a_bad_ring);
	tcase_add_test(farm, test_every_call_may_fail);
	tcase_add_test(farm, test_lost_answer);
	tcase_add_test(farm, test_clocks_of_stores_differ);
	suite_add_tcase(suite, farm);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_sync.c - a simulated farm: nodes with skewed clocks over stores that
 * are wiped, restored, split, forged and lost. After each step whatever one
 * node seals every other must open.
 */
#include "simthree.h"

#define TOTAL(field) total(offsetof(struct stek_status, field))

/* An empty farm agrees on one active key and two pending ones at once. */
START_TEST(test_first_keys)
{
	size_t i;

	sim_run(sim, 2 * SEC);
	sim_assert_same(sim);
	ck_assert_uint_eq(sim_ring(sim, 0)->n_keys, 3);
	ck_assert_uint_eq(TOTAL(minted), 3);
	for (i = 0; i < sim->n; i++) {
		ck_assert_ptr_nonnull(sim_sealing(sim, i));
		ck_assert(stek_farm_can_seal(sim->nodes[i].farm));
		ck_assert_uint_eq(sim->nodes[i].events[STEK_EVENT_STORE_UP], 1);
		ck_assert_uint_ge(sim->nodes[i].events[STEK_EVENT_RING], 1);
	}
}
END_TEST

/* Three days with clocks apart: a slot gets one key, old ones are deleted. */
START_TEST(test_three_days)
{
	struct stek_ring *ring, *stored;
	int64_t until_ms;
	size_t i;

	sim->nodes[1].skew_ms = 300;
	sim->nodes[2].skew_ms = -7000;
	sim->stores[0].skew_ms = 2000;
	settle_three();
	for (until_ms = sim->now_ms + 72 * HOUR; sim->now_ms < until_ms;) {
		sim_run(sim, 20 * 60 * SEC);
		for (i = 0; i < sim->n; i++)
			ck_assert_ptr_nonnull(sim_sealing(sim, i));
	}
	sim_assert_same(sim);
	ring = sim_ring(sim, 0);
	for (i = 1; i < ring->n_keys; i++)
		ck_assert_int_ne(ring->keys[i]->activate_at_ms,
				 ring->keys[i - 1]->activate_at_ms);
	ck_assert_uint_eq(TOTAL(minted), 3 + 12);
	stored = sim_stored(sim, &sim->stores[0]);
	for (i = 0; i < stored->n_keys; i++)
		ck_assert_int_gt(stored->keys[i]->expire_at_ms,
				 sim->now_ms - 20 * 60 * SEC);
	ck_assert_uint_le(stored->n_keys, 6);
	stek__ring_unref(stored);
}
END_TEST

/* Idle, a node asks its store once a beat. */
START_TEST(test_idle_costs_one_call)
{
	size_t before;

	settle_three();
	before = sim->stores[0].calls;
	sim_run(sim, 100 * SEC);
	ck_assert_uint_ge(sim->stores[0].calls - before, 3 * 99);
	ck_assert_uint_le(sim->stores[0].calls - before, 3 * 101);
}
END_TEST

/* Absent, unavailable and refused are three states with three events. */
START_TEST(test_refused_is_not_unavailable)
{
	struct stek_status status;

	sim->stores[0].answer = STEK_EREFUSED;
	sim_run(sim, 10 * SEC);
	sim_status(sim, 0, &status);
	ck_assert_int_eq(status.store, STEK_STORE_REFUSED);
	ck_assert_str_eq(status.store_detail, "NOPERM");
	ck_assert_uint_eq(sim->nodes[0].events[STEK_EVENT_STORE_REFUSED], 1);
	ck_assert_uint_eq(sim->nodes[0].events[STEK_EVENT_STORE_DOWN], 0);
	sim->stores[0].answer = STEK_EUNAVAILABLE;
	sim_run(sim, 10 * SEC);
	sim_status(sim, 0, &status);
	ck_assert_int_eq(status.store, STEK_STORE_UNAVAILABLE);
	ck_assert_int_eq(status.store_ok_at_ms, 0);
	ck_assert_uint_eq(TOTAL(minted), 0);
	ck_assert_uint_gt(status.poll_errors, 2);
	sim->stores[0].answer = 0;
	sim_run(sim, 10 * SEC);
	sim_status(sim, 0, &status);
	ck_assert_int_eq(status.store, STEK_STORE_OK);
	ck_assert_str_eq(status.store_detail, "");
	sim_assert_same(sim);
}
END_TEST

/* The farm is the durable copy: an emptied store gets the ring back. */
START_TEST(test_wiped_store_is_refilled)
{
	const struct stek_key *before;

	settle_three();
	before = sim_sealing(sim, 0);
	sim->stores[0].has_ring = false;
	sim->stores[0].n_members = 0;
	sim_run(sim, 3 * SEC);
	sim_assert_same(sim);
	ck_assert_ptr_eq(sim_sealing(sim, 0), before);
	ck_assert_uint_eq(TOTAL(minted), 3);
	ck_assert_uint_eq(TOTAL(restored), 1);
}
END_TEST

/* REQ-32: a store set back in time is merged, never adopted. */
START_TEST(test_restored_store_is_merged)
{
	struct stek_ring *old;
	struct stek_command *command;
	uint64_t epoch;
	size_t i;

	settle_three();
	old = sim_stored(sim, &sim->stores[0]);
	sim->check = false;	/* a revocation reaches the nodes one by one */
	command = sim_revoke(sim, 0, true, NULL);
	sim_await(sim, command, 5 * SEC);
	ck_assert_int_eq(command->result, 0);
	stek__command_free(command);
	epoch = sim_ring(sim, 0)->version.epoch;
	sim_plant(sim, &sim->stores[0], old);
	sim_run(sim, 5 * SEC);
	sim_assert_same(sim);
	ck_assert_uint_gt(sim_ring(sim, 0)->version.epoch, epoch);
	for (i = 0; i < old->n_keys; i++) {
		const struct stek_key *key = stek__ring_find(sim_ring(sim, 1),
							     old->keys[i]->id);

		ck_assert_ptr_nonnull(key);
		ck_assert_ptr_null(key->secret);
	}
	stek__ring_unref(old);
}
END_TEST

/* REQ-31: two primaries minted; after the heal all keys are everywhere. */
START_TEST(test_split_brain_heals)
{
	struct stek_ring *a, *b;
	size_t i, j;

	settle_three();
	a = sim_stored(sim, &sim->stores[0]);
	sim_plant(sim, &sim->stores[1], a);
	stek__ring_unref(a);
	sim->check = false;
	sim->nodes[2].store = &sim->stores[1];
	sim_run(sim, 7 * HOUR);
	a = stek__ring_ref(sim_ring(sim, 0));
	b = stek__ring_ref(sim_ring(sim, 2));
	ck_assert_uint_eq(a->version.epoch, b->version.epoch);
	ck_assert(!stek_version_equal(&a->version, &b->version));
	sim->nodes[2].store = &sim->stores[0];
	sim_run(sim, 3 * SEC);
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

/* Bytes that do not open stay out and stay there; the good ring stays too. */
START_TEST(test_bad_document_is_kept_out)
{
	struct stek_version good;
	struct sim_store *store = &sim->stores[0];
	struct stek_ring *stored;
	size_t publishes, i;

	settle_three();
	stored = sim_stored(sim, store);
	good = sim_ring(sim, 0)->version;
	store->doc.data[store->doc.len - 1] ^= 1;
	store->version.digest[0] ^= 1;
	publishes = store->publishes;
	sim_run(sim, 20 * SEC);
	ck_assert_uint_eq(store->publishes, publishes);
	for (i = 0; i < sim->n; i++) {
		ck_assert(stek_version_equal(&sim_ring(sim, i)->version, &good));
		ck_assert_uint_eq(sim->nodes[i].events[STEK_EVENT_RECORD_BAD],
				  1);
		ck_assert_int_eq(
			sim->nodes[i].last[STEK_EVENT_RECORD_BAD].error,
			STEK_EAUTH);
	}
	/* Another one is told again, though it is only truncated. */
	store->version.epoch++;
	store->doc.len = 20;
	sim_run(sim, 5 * SEC);
	ck_assert_uint_eq(TOTAL(records_refused), 2 * sim->n);
	ck_assert_uint_eq(store->publishes, publishes);
	sim_plant(sim, store, stored);
	sim_run(sim, 5 * SEC);
	sim_assert_same(sim);
	stek__ring_unref(stored);
}
END_TEST

/* A ring filed under a version that is not its own is filed anew. */
START_TEST(test_misfiled_ring_heals)
{
	settle_three();
	sim->stores[0].version.epoch += 7;
	sim->stores[0].version.digest[3] ^= 1;
	sim_run(sim, 5 * SEC);
	sim_assert_same(sim);
	ck_assert_uint_eq(TOTAL(records_refused), 0);
}
END_TEST

/* A write whose answer was lost is found in the store, not made twice. */
START_TEST(test_lost_answer)
{
	size_t i;

	for (i = 0; i < sim->n; i++)
		sim->nodes[i].lose_answer = true;
	sim_run(sim, 5 * SEC);
	sim_assert_same(sim);
	ck_assert_uint_eq(sim_ring(sim, 0)->n_keys, 3);
}
END_TEST

/* Node 1 gets in between node 0's reading and its writing. */
static void intrude(struct sim_node *node)
{
	struct sim_node *other = &node->sim->nodes[1];

	other->farm->sync->mint_at_ms = 1;
	other->farm->sync->next_beat_ms = INT64_MAX;
	stek__merge_mint(other->farm->sync);
}

/* REQ-29: a stale write is refused, and what it wanted is merged. */
START_TEST(test_stale_write_is_refused)
{
	struct stek_status status;

	settle_three();
	sim->nodes[0].before_publish = intrude;
	sim->nodes[1].before_publish = NULL;
	sim->nodes[2].frozen = true;
	sim_run(sim, 6 * HOUR);
	sim->nodes[2].frozen = false;
	sim_run(sim, 3 * SEC);
	sim_assert_same(sim);
	sim_status(sim, 0, &status);
	ck_assert_uint_eq(TOTAL(minted), 4);
}
END_TEST

/* Whichever call of the store fails, the farm ends up with one good ring. */
START_TEST(test_every_call_may_fail)
{
	unsigned n;

	for (n = 1; n < 40; n++) {
		if (n > 1)
			begin_three();
		sim->nodes[0].fail_call = n;
		sim->nodes[1].fail_call = n + 1;
		sim_run(sim, 15 * SEC);
		sim_assert_same(sim);
		ck_assert_uint_eq(sim_ring(sim, 0)->n_keys, 3);
		ck_assert_ptr_nonnull(sim_sealing(sim, 2));
		if (n < 39)
			end();
	}
}
END_TEST

/* Members: names, versions, payload, and who is live by the store's clock. */
START_TEST(test_members)
{
	struct stek_member *members = NULL;
	size_t n = 0;

	sim->stores[0].skew_ms = -5000;
	sim_run(sim, 2 * SEC);
	sim->nodes[2].frozen = true;
	sim_run(sim, 4 * SEC);
	ck_assert_int_eq(stek__member_list(sim->nodes[0].farm->sync, &members,
					   &n), 0);
	ck_assert_uint_eq(n, 3);
	ck_assert_str_eq(members[0].name, "node-0");
	ck_assert(members[0].self && !members[1].self);
	ck_assert(members[1].live && !members[2].live);
	ck_assert_uint_eq(members[1].id,
			  stek_farm_node_id(sim->nodes[1].farm));
	ck_assert_uint_eq(members[1].payload_len, 4);
	ck_assert_mem_eq(members[1].payload, "beat", 4);
	ck_assert(stek_version_equal(&members[1].version,
				     &sim_ring(sim, 1)->version));
	ck_assert(members[1].clock_offset_ms == -5000.0);
	free(members);
	/* Another farm's heartbeat is nobody's. */
	sim->stores[0].members[1].data[50] ^= 1;
	ck_assert_int_eq(stek__member_list(sim->nodes[0].farm->sync, &members,
					   &n), 0);
	ck_assert_uint_eq(n, 2);
	free(members);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sync");
	TCase *farm = tcase_create("farm");
	SRunner *runner;
	int failed;

	tcase_set_timeout(farm, 120);
	tcase_add_checked_fixture(farm, begin_three, end);
	tcase_add_test(farm, test_first_keys);
	tcase_add_test(farm, test_three_days);
	tcase_add_test(farm, test_idle_costs_one_call);
	tcase_add_test(farm, test_refused_is_not_unavailable);
	tcase_add_test(farm, test_wiped_store_is_refilled);
	tcase_add_test(farm, test_restored_store_is_merged);
	tcase_add_test(farm, test_split_brain_heals);
	tcase_add_test(farm, test_bad_document_is_kept_out);
	tcase_add_test(farm, test_misfiled_ring_heals);
	tcase_add_test(farm, test_lost_answer);
	tcase_add_test(farm, test_stale_write_is_refused);
	tcase_add_test(farm, test_every_call_may_fail);
	tcase_add_test(farm, test_members);
	suite_add_tcase(suite, farm);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

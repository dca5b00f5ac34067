// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_sync_outage.c - a store that is away for hours: keys go on rotating
 * while they last, nobody asks it too often, and it is joined when it is back.
 */
#include "simthree.h"

#define TOTAL(field) total(offsetof(struct stek_status, field))

/* REQ-33: 30 h without a store: rotation for 12 h, then no sealing. */
START_TEST(test_long_outage)
{
	struct stek_ring *ring;
	uint64_t minted;
	size_t i;

	settle_three();
	minted = TOTAL(minted);
	sim->stores[0].answer = STEK_EUNAVAILABLE;
	sim_run(sim, 12 * HOUR);
	ck_assert_ptr_nonnull(sim_sealing(sim, 0));
	ck_assert_uint_eq(sim->nodes[0].events[STEK_EVENT_STORE_DOWN], 1);
	sim_run(sim, 18 * HOUR + 600 * SEC);
	for (i = 0; i < sim->n; i++) {
		ck_assert_ptr_null(sim_sealing(sim, i));
		ck_assert(!stek_farm_can_seal(sim->nodes[i].farm));
		ck_assert_uint_ge(
			sim->nodes[i].events[STEK_EVENT_NO_ACTIVE_KEY], 2);
	}
	ck_assert_uint_eq(TOTAL(minted), minted);
	/* Their time is over: the secrets went without any store's help. */
	ring = sim_ring(sim, 0);
	for (i = 0; i < ring->n_keys; i++)
		ck_assert(ring->keys[i]->expire_at_ms > sim->now_ms ||
			  !ring->keys[i]->secret);
	sim->check = false;
	sim->stores[0].answer = 0;
	sim_run(sim, 10 * SEC);
	sim_assert_same(sim);
	for (i = 0; i < sim->n; i++)
		ck_assert_ptr_nonnull(sim_sealing(sim, i));
}
END_TEST

/* REQ-33: what sealed last opens until its own end, then no more. */
START_TEST(test_outage_opens_until_expiry)
{
	const struct stek_key *last;
	int64_t expire_at_ms;
	uint8_t id[STEK_ID_LEN];

	settle_three();
	sim->stores[0].answer = STEK_EUNAVAILABLE;
	last = sim_ring(sim, 0)->keys[sim_ring(sim, 0)->n_keys - 1];
	memcpy(id, last->id, STEK_ID_LEN);
	expire_at_ms = last->expire_at_ms;
	sim_run(sim, last->activate_at_ms + SEC - sim->now_ms);
	ck_assert_mem_eq(sim_sealing(sim, 0)->id, id, STEK_ID_LEN);
	sim_run(sim, 6 * HOUR - 2 * SEC);
	ck_assert_ptr_nonnull(sim_sealing(sim, 0));
	sim_run(sim, 2 * SEC);
	ck_assert_ptr_null(sim_sealing(sim, 0));
	sim_run(sim, expire_at_ms - SEC - sim->now_ms);
	ck_assert_ptr_nonnull(stek__ring_find(sim_ring(sim, 0), id)->secret);
	sim_run(sim, 2 * SEC);
	ck_assert_ptr_null(stek__ring_find(sim_ring(sim, 0), id)->secret);
}
END_TEST

/* REQ-33: a dead store is asked every two to four beats, by chance apart. */
START_TEST(test_outage_is_no_busy_loop)
{
	size_t calls, steps;

	settle_three();
	sim->stores[0].answer = STEK_EUNAVAILABLE;
	sim_run(sim, 60 * SEC);
	calls = sim->stores[0].calls;
	steps = sim->nodes[0].steps;
	sim_run(sim, 3 * HOUR);
	ck_assert_uint_ge(sim->stores[0].calls - calls, 3 * 10800 / 4);
	ck_assert_uint_le(sim->stores[0].calls - calls, 3 * 10800 / 2);
	ck_assert_uint_le(sim->nodes[0].steps - steps, 10800);
	ck_assert_int_ne(sim->nodes[0].due_ms, sim->nodes[1].due_ms);
	sim->stores[0].answer = 0;
	sim_run(sim, 4 * SEC);
	ck_assert_int_eq(sim->nodes[0].farm->sync->state, STEK_STORE_OK);
	ck_assert_int_eq(sim->nodes[2].farm->sync->state, STEK_STORE_OK);
}
END_TEST

/* REQ-33: begun without a store and a ring: no tickets, told; then it joins. */
START_TEST(test_start_without_store)
{
	settle_three();
	sim->check = false;
	sim->stores[0].answer = STEK_EUNAVAILABLE;
	sim_close(sim, 2);
	memset(sim->nodes[2].events, 0, sizeof(sim->nodes[2].events));
	sim_open(sim, 2);
	sim_run(sim, HOUR);
	ck_assert(!stek_farm_can_seal(sim->nodes[2].farm));
	ck_assert_uint_eq(sim_ring(sim, 2)->n_keys, 0);
	ck_assert_uint_eq(sim->nodes[2].events[STEK_EVENT_NO_ACTIVE_KEY], 1);
	ck_assert_uint_eq(sim->nodes[2].events[STEK_EVENT_STORE_DOWN], 1);
	ck_assert_uint_eq(sim->nodes[2].events[STEK_EVENT_RING], 0);
	sim->stores[0].answer = 0;
	sim_run(sim, 5 * SEC);
	sim_assert_same(sim);
	ck_assert(stek_farm_can_seal(sim->nodes[2].farm));
	ck_assert_uint_eq(sim->nodes[2].events[STEK_EVENT_ACTIVE_KEY], 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sync_outage");
	TCase *farm = tcase_create("farm");
	SRunner *runner;
	int failed;

	tcase_set_timeout(farm, 120);
	tcase_add_checked_fixture(farm, begin_three, end);
	tcase_add_test(farm, test_long_outage);
	tcase_add_test(farm, test_outage_opens_until_expiry);
	tcase_add_test(farm, test_outage_is_no_busy_loop);
	tcase_add_test(farm, test_start_without_store);
	suite_add_tcase(suite, farm);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

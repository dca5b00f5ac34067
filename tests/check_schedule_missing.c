// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_schedule_missing.c - which keys a ring lacks: one to seal with, one for
 * each slot ahead, and none too many.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "schedule_maker.h"

/* An empty ring lacks a key that seals at once, and one for each slot ahead. */
START_TEST(test_missing_bootstrap)
{
	struct stek_ring *ring = ring_at(NULL, 0, NULL, 0, 0);
	int64_t out[STEK_MISSING_MAX];
	int64_t now = T0 + 12345;

	ck_assert_uint_eq(stek__schedule_missing(ring, &policy, now, out), 3);
	ck_assert_int_eq(out[0], T0);
	ck_assert_int_eq(out[1], T0 + PERIOD_MS);
	ck_assert_int_eq(out[2], T0 + 2 * PERIOD_MS);
	stek__ring_unref(ring);
	ring = ring_at(out, 3, NULL, 0, 0);
	ck_assert_int_eq(sealing(ring, now), 0);
	ck_assert_uint_eq(stek__schedule_missing(ring, &policy, now, out), 0);
	stek__ring_unref(ring);
}
END_TEST

/* A slot later exactly one key is missing: the one two slots ahead. */
START_TEST(test_missing_next_slot)
{
	const int64_t at[] = { T0, T0 + PERIOD_MS, T0 + 2 * PERIOD_MS };
	struct stek_ring *ring = ring_at(at, 3, NULL, 0, 0);
	int64_t out[STEK_MISSING_MAX];

	ck_assert_uint_eq(stek__schedule_missing(ring, &policy,
						 T0 + PERIOD_MS - 1, out), 0);
	ck_assert_uint_eq(stek__schedule_missing(ring, &policy, T0 + PERIOD_MS,
						 out), 1);
	ck_assert_int_eq(out[0], T0 + 3 * PERIOD_MS);
	/* Without a store: the pending ones carry the farm for two periods. */
	ck_assert_int_eq(sealing(ring, T0 + 3 * PERIOD_MS - 1), 2);
	ck_assert_int_eq(sealing(ring, T0 + 3 * PERIOD_MS), -1);
	stek__ring_unref(ring);
}
END_TEST

/* A key between slots fills none; a revoked slot key must be replaced. */
START_TEST(test_missing_counts_slot_keys_only)
{
	const int64_t at[] = { T0, T0 + PERIOD_MS, T0 + 2 * PERIOD_MS - 1 };
	struct stek_key *key = key_at(1, T0 + PERIOD_MS);
	struct stek_tombstone stone = tombstone_of(key, T0 + 500);
	struct stek_ring *ring = ring_at(at, 3, &stone, 1, 0);
	int64_t out[STEK_MISSING_MAX];

	ck_assert_uint_eq(stek__schedule_missing(ring, &policy, T0 + 1000, out),
			  2);
	ck_assert_int_eq(out[0], T0 + PERIOD_MS);
	ck_assert_int_eq(out[1], T0 + 2 * PERIOD_MS);
	stek__ring_unref(ring);
	stek__key_unref(key);
}
END_TEST

/* After a revoke in a used slot the replacement waits revoke_delay_ms. */
START_TEST(test_missing_after_revoke)
{
	const int64_t at[] = { T0, T0 + PERIOD_MS, T0 + 2 * PERIOD_MS };
	struct stek_key *key = key_at(0, T0);
	struct stek_tombstone stone = tombstone_of(key, T0 + 500);
	struct stek_ring *ring = ring_at(at, 3, &stone, 1, 0);
	int64_t out[STEK_MISSING_MAX];

	ck_assert_uint_eq(stek__schedule_missing(ring, &policy, T0 + 1000, out),
			  1);
	ck_assert_int_eq(out[0], T0 + 1000 + 2000);
	stek__ring_unref(ring);
	/* The same when the revoked key is known by its tombstone alone. */
	ring = ring_at(at + 1, 2, &stone, 1, 0);
	stek__ring_unref(ring);
	stek__key_unref(key);
	key = key_at(9, T0);
	stone = tombstone_of(key, T0 + 500);
	ring = ring_at(at + 1, 2, &stone, 1, 0);
	ck_assert_uint_eq(stek__schedule_missing(ring, &policy, T0 + 1000, out),
			  1);
	ck_assert_int_eq(out[0], T0 + 1000 + 2000);
	stek__ring_unref(ring);
	stek__key_unref(key);
}
END_TEST

/* A replacement about to activate is enough; one 10 s and more away is not. */
START_TEST(test_missing_waits_for_a_near_key)
{
	const int64_t at[] = { T0, T0 + PERIOD_MS, T0 + 2 * PERIOD_MS,
			       T0 + 11000 };
	struct stek_key *key = key_at(0, T0);
	struct stek_tombstone stone = tombstone_of(key, T0 + 500);
	struct stek_ring *ring = ring_at(at, 4, &stone, 1, 0);
	int64_t out[STEK_MISSING_MAX];

	ck_assert_uint_eq(stek__schedule_missing(ring, &policy, T0 + 1000, out),
			  0);
	ck_assert_uint_eq(stek__schedule_missing(ring, &policy, T0 + 999, out),
			  1);
	stek__ring_unref(ring);
	stek__key_unref(key);
}
END_TEST

/*
 * A node that is cut off revokes what it holds: the coming slot's key, too. By
 * the time the others hear of it that key seals, and the one that a rotation
 * made before it is back, but only until its own end in mid-slot.
 */
#define MID (T0 + PERIOD_MS / 2)

static struct stek_ring *ring_with_end_at_mid(const int64_t *more, unsigned n)
{
	int64_t at[8] = { MID - PERIOD_MS, T0 + PERIOD_MS,
			  T0 + 2 * PERIOD_MS };
	struct stek_key *revoked = key_at(9, T0);
	struct stek_tombstone stone = tombstone_of(revoked, T0 - 1);
	struct stek_ring *ring;

	if (n)
		memcpy(at + 3, more, n * sizeof(*more));
	ring = ring_at(at, 3 + n, &stone, 1, 0);
	stek__key_unref(revoked);
	return ring;
}

/* The end of the sealing key is nobody's beginning: a successor is missing. */
START_TEST(test_missing_successor)
{
	struct stek_ring *ring = ring_with_end_at_mid(NULL, 0);
	int64_t out[STEK_MISSING_MAX];

	ck_assert_int_eq(sealing(ring, T0 + 1000), 0);
	ck_assert_uint_eq(stek__schedule_missing(ring, &policy, T0 + 1000, out),
			  1);
	ck_assert_int_eq(out[0], MID);
	stek__ring_unref(ring);
	/* With it somebody seals at every moment, and nothing is missing. */
	ring = ring_with_end_at_mid(out, 1);
	ck_assert_uint_eq(stek__schedule_missing(ring, &policy, T0 + 1000, out),
			  0);
	ck_assert_int_eq(sealing(ring, MID - 1), 0);
	ck_assert_int_eq(sealing(ring, MID), 3);
	ck_assert_int_eq(sealing(ring, T0 + PERIOD_MS - 1), 3);
	ck_assert_int_eq(sealing(ring, T0 + PERIOD_MS), 1);
	ck_assert_uint_eq(stek__schedule_missing(ring, &policy, MID, out), 0);
	ck_assert_uint_eq(stek__schedule_missing(ring, &policy,
						 T0 + PERIOD_MS - 1, out), 0);
	stek__ring_unref(ring);
}
END_TEST

/* Who activates up to that end is a successor, one later or revoked is none. */
START_TEST(test_missing_successor_is_there)
{
	const struct {
		int64_t at;
		size_t missing;
	} cases[] = {
		{ T0 + 1001, 0 }, { MID - 1, 0 }, { MID, 0 }, { MID + 1, 1 },
	};
	int64_t out[STEK_MISSING_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct stek_ring *ring = ring_with_end_at_mid(&cases[i].at, 1);
		struct stek_key *key = key_at(3, cases[i].at);
		struct stek_tombstone stone = tombstone_of(key, T0 + 500);
		struct stek_ring *alone = NULL, *all = NULL;

		ck_assert_uint_eq(stek__schedule_missing(ring, &policy,
							 T0 + 1000, out),
				  cases[i].missing);
		ck_assert_int_eq(stek__ring_new(&alone, 1, NULL, 0, &stone, 1,
						0), 0);
		ck_assert_int_eq(stek__ring_merge(&all, ring, alone), 0);
		ck_assert_uint_eq(stek__schedule_missing(all, &policy,
							 T0 + 1000, out), 1);
		ck_assert_int_eq(out[0], MID);
		stek__ring_unref(all);
		stek__ring_unref(alone);
		stek__ring_unref(ring);
		stek__key_unref(key);
	}
}
END_TEST

/*
 * Heard of too late, the successor comes as soon as it can: no later than the
 * next slot, nor twice, though another node's clock be a second behind.
 */
START_TEST(test_missing_successor_in_a_hurry)
{
	const int64_t next = T0 + PERIOD_MS, end = next - 1;
	const int64_t at[] = { end - PERIOD_MS, next, next + PERIOD_MS };
	struct stek_ring *ring = ring_with_end_at_mid(NULL, 0);
	struct stek_key *revoked = key_at(9, T0);
	struct stek_tombstone stone = tombstone_of(revoked, T0 - 1);
	int64_t out[STEK_MISSING_MAX];

	ck_assert_uint_eq(stek__schedule_missing(ring, &policy, MID - 2000,
						 out), 1);
	ck_assert_int_eq(out[0], MID);
	ck_assert_uint_eq(stek__schedule_missing(ring, &policy, MID - 1000,
						 out), 1);
	ck_assert_int_eq(out[0], MID + 1000);
	stek__ring_unref(ring);
	ring = ring_with_end_at_mid(out, 1);
	ck_assert_uint_eq(stek__schedule_missing(ring, &policy, MID - 1000,
						 out), 0);
	ck_assert_uint_eq(stek__schedule_missing(ring, &policy, MID - 2000,
						 out), 0);
	ck_assert_uint_eq(stek__schedule_missing(ring, &policy, MID - 2001,
						 out), 1);
	stek__ring_unref(ring);
	/* A millisecond without a key is not worth one that comes later. */
	ring = ring_at(at, 3, &stone, 1, 0);
	ck_assert_int_eq(sealing(ring, next - 3001), 0);
	ck_assert_uint_eq(stek__schedule_missing(ring, &policy, next - 3000,
						 out), 0);
	ck_assert_uint_eq(stek__schedule_missing(ring, &policy, next - 3001,
						 out), 1);
	ck_assert_int_eq(out[0], end);
	stek__ring_unref(ring);
	stek__key_unref(revoked);
}
END_TEST

/* A replacement that takes a minute is waited for, not made again each beat. */
START_TEST(test_missing_waits_for_a_slow_key)
{
	const int64_t at[] = { T0, T0 + PERIOD_MS, T0 + 2 * PERIOD_MS,
			       T0 + 61000 };
	struct stek_key *key = key_at(0, T0);
	struct stek_tombstone stone = tombstone_of(key, T0 + 500);
	struct stek_ring *ring = ring_at(at, 3, &stone, 1, 0);
	int64_t out[STEK_MISSING_MAX];

	policy.revoke_delay_ms = 60000;
	ck_assert_uint_eq(stek__schedule_missing(ring, &policy, T0 + 1000, out),
			  1);
	ck_assert_int_eq(out[0], T0 + 61000);
	stek__ring_unref(ring);
	ring = ring_at(at, 4, &stone, 1, 0);
	ck_assert_uint_eq(stek__schedule_missing(ring, &policy, T0 + 1000, out),
			  0);
	ck_assert_uint_eq(stek__schedule_missing(ring, &policy, T0 + 500, out),
			  0);
	ck_assert_uint_eq(stek__schedule_missing(ring, &policy, T0 + 60999,
						 out), 0);
	stek__ring_unref(ring);
	stek__key_unref(key);
}
END_TEST

/* Over random rings: minting what is missing leaves nothing missing. */
START_TEST(test_missing_is_complete)
{
	uint64_t seed = (uint64_t)_i + 3;
	struct stek_ring *ring = maker_ring(&seed);
	int64_t now = MAKER_EPOCH_MS + maker_below(&seed, 80) * MAKER_HOUR_MS +
		      maker_below(&seed, 3600000);
	int64_t out[STEK_MISSING_MAX];
	struct stek_key *keys[STEK_MISSING_MAX] = { NULL };
	struct stek_ring *add = NULL;
	struct stek_ring *next = NULL;
	size_t n = stek__schedule_missing(ring, &policy, now, out);

	ck_assert_uint_le(n, 3);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			ck_assert_int_lt(out[i - 1], out[i]);
		ck_assert_int_eq(stek__key_mint(&keys[i], "n",
						STEK_MADE_BY_SCHEDULE, now,
						out[i],
						stek__schedule_expire_at(
							&policy, out[i])), 0);
	}
	/* A floor ahead of this clock would revoke what we mint: not here. */
	if (ring->revoked_before_ms <= now) {
		ck_assert_int_eq(stek__ring_new(&add, 1, keys, n, NULL, 0, 0),
				 0);
		ck_assert_int_eq(stek__ring_merge(&next, ring, add), 0);
		ck_assert_uint_eq(stek__schedule_missing(next, &policy, now,
							 out), 0);
	}
	for (size_t i = 0; i < n; i++)
		stek__key_unref(keys[i]);
	stek__ring_unref(add);
	stek__ring_unref(next);
	stek__ring_unref(ring);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("schedule_missing");
	TCase *tcase = tcase_create("missing");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, test_missing_bootstrap);
	tcase_add_test(tcase, test_missing_next_slot);
	tcase_add_test(tcase, test_missing_counts_slot_keys_only);
	tcase_add_test(tcase, test_missing_after_revoke);
	tcase_add_test(tcase, test_missing_waits_for_a_near_key);
	tcase_add_test(tcase, test_missing_successor);
	tcase_add_test(tcase, test_missing_successor_is_there);
	tcase_add_test(tcase, test_missing_successor_in_a_hurry);
	tcase_add_test(tcase, test_missing_waits_for_a_slow_key);
	tcase_add_loop_test(tcase, test_missing_is_complete, 0, 200);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

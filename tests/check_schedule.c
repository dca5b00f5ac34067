// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_schedule.c - which key seals, over 100 000 random rings and by hand at
 * each boundary. Which keys are missing: check_schedule_missing.c.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "schedule_maker.h"

#define RINGS 100000

/* Zeros become the defaults of stek.h. */
START_TEST(test_policy_defaults)
{
	ck_assert_uint_eq(policy.period_s, 21600);
	ck_assert_uint_eq(policy.lifetime_s, 21600);
	ck_assert_uint_eq(policy.chain_s, 86400);
	ck_assert_uint_eq(policy.pending, 2);
	ck_assert_uint_eq(policy.rotate_delay_ms, 5000);
	ck_assert_uint_eq(policy.revoke_delay_ms, 2000);
	ck_assert_uint_eq(policy.rotate_interval_s, 60);
	ck_assert_uint_eq(policy.beat_ms, 1000);
}
END_TEST

/* RFC 8446 s4.6.1: seven days and no second more. */
START_TEST(test_policy_lifetime_limit)
{
	struct stek_policy p = { .lifetime_s = 604800, .period_s = 86400 };
	char why[128] = "";

	ck_assert_int_eq(stek__policy_check(&p, why, sizeof(why)), 0);
	p.lifetime_s = 604801;
	ck_assert_int_eq(stek__policy_check(&p, why, sizeof(why)), STEK_EINVAL);
	ck_assert_str_eq(why, "lifetime_s: found 604801, expected 1 to 604800");
	p.lifetime_s = 0;
	p.pending = 9;
	ck_assert_int_eq(stek__policy_check(&p, why, sizeof(why)), STEK_EINVAL);
	ck_assert_str_eq(why, "pending: found 9, expected 1 to 8");
	ck_assert_int_eq(stek__policy_check(&p, NULL, 0), STEK_EINVAL);
	/* Refused as a whole: nothing was filled in. */
	ck_assert_uint_eq(p.lifetime_s, 0);
}
END_TEST

/* A period so short that the schedule alone would fill the ring is refused. */
START_TEST(test_policy_ring_has_room)
{
	struct stek_policy p = { .period_s = 60, .lifetime_s = 3600 };
	char why[160] = "";

	ck_assert_int_eq(stek__policy_check(&p, why, sizeof(why)), STEK_EINVAL);
	ck_assert_ptr_nonnull(strstr(why, "period_s: found 60"));
	p.lifetime_s = 600;
	ck_assert_int_eq(stek__policy_check(&p, why, sizeof(why)), 0);
	p = (struct stek_policy){ .period_s = 2, .lifetime_s = 20 };
	ck_assert_int_eq(stek__policy_check(&p, why, sizeof(why)), 0);
}
END_TEST

/* A key seals from activate_at until seal_until, to the millisecond. */
START_TEST(test_sealing_bounds)
{
	const int64_t at[] = { T0 };
	struct stek_ring *ring = ring_at(at, 1, NULL, 0, 0);
	const struct stek_key *key = ring->keys[0];
	const int64_t until = T0 + PERIOD_MS;
	const int64_t expire = until + PERIOD_MS + 60 * SECOND_MS;

	ck_assert_int_eq(stek__schedule_seal_until(&policy, key), until);
	ck_assert_int_eq(key->expire_at_ms, expire);
	ck_assert_int_eq(sealing(ring, T0 - 1), -1);
	ck_assert_int_eq(sealing(ring, T0), 0);
	ck_assert_int_eq(sealing(ring, until - 1), 0);
	ck_assert_int_eq(sealing(ring, until), -1);
	ck_assert_int_eq(stek__schedule_state(ring, &policy, key, T0 - 1),
			 STEK_PENDING);
	ck_assert_int_eq(stek__schedule_state(ring, &policy, key, T0),
			 STEK_ACTIVE);
	ck_assert_int_eq(stek__schedule_state(ring, &policy, key, until),
			 STEK_RETIRED);
	ck_assert_int_eq(stek__schedule_state(ring, &policy, key, expire - 1),
			 STEK_RETIRED);
	ck_assert_int_eq(stek__schedule_state(ring, &policy, key, expire),
			 STEK_GONE);
	stek__ring_unref(ring);
}
END_TEST

/* The later activation seals; of two at once the greater id. */
START_TEST(test_sealing_choice)
{
	const int64_t at[] = { T0, T0 + 1000, T0 + 1000 };
	struct stek_ring *ring = ring_at(at, 3, NULL, 0, 0);

	ck_assert_int_eq(sealing(ring, T0 + 999), 0);
	ck_assert_int_eq(sealing(ring, T0 + 1000), 2);
	ck_assert_int_eq(stek__schedule_state(ring, &policy, ring->keys[0],
					      T0 + 1000), STEK_RETIRED);
	stek__ring_unref(ring);
}
END_TEST

/* The active key revoked: nobody seals until the next, never the older one. */
START_TEST(test_revoked_active_silences_until_next)
{
	const int64_t at[] = { T0, T0 + 1000, T0 + 5000 };
	struct stek_key *key = key_at(1, T0 + 1000);
	struct stek_tombstone stone = tombstone_of(key, T0 + 2000);
	struct stek_ring *ring = ring_at(at, 3, &stone, 1, 0);

	ck_assert_int_eq(sealing(ring, T0 + 500), 0);
	ck_assert_int_eq(sealing(ring, T0 + 2500), -1);
	ck_assert_int_eq(sealing(ring, T0 + 4999), -1);
	ck_assert_int_eq(sealing(ring, T0 + 5000), 2);
	ck_assert_int_eq(stek__schedule_state(ring, &policy, ring->keys[1],
					      T0 + 2500), STEK_REVOKED);
	ck_assert_int_eq(stek__schedule_state(ring, &policy, ring->keys[0],
					      T0 + 2500), STEK_RETIRED);
	stek__ring_unref(ring);
	stek__key_unref(key);
}
END_TEST

/* The same holds where only the tombstone is known, not the key. */
START_TEST(test_bare_tombstone_counts)
{
	const int64_t at[] = { T0 };
	struct stek_key *key = key_at(1, T0 + 1000);
	struct stek_tombstone stone = tombstone_of(key, T0 + 2000);
	struct stek_ring *ring = ring_at(at, 1, &stone, 1, 0);

	ck_assert_int_eq(sealing(ring, T0 + 999), 0);
	ck_assert_int_eq(sealing(ring, T0 + 2500), -1);
	stek__ring_unref(ring);
	stone.revoked_at_ms = T0 + 999;
	ring = ring_at(at, 1, &stone, 1, 0);
	ck_assert_int_eq(sealing(ring, T0 + 2500), 0);
	stek__ring_unref(ring);
	stek__key_unref(key);
}
END_TEST

/* A key revoked before its activation leaves the active one alone. */
START_TEST(test_revoked_pending_does_not_silence)
{
	const int64_t at[] = { T0, T0 + 5000 };
	struct stek_key *key = key_at(1, T0 + 5000);
	struct stek_tombstone stone = tombstone_of(key, T0 + 4999);
	struct stek_ring *ring = ring_at(at, 2, &stone, 1, 0);

	ck_assert_int_eq(sealing(ring, T0 + 5001), 0);
	stek__ring_unref(ring);
	/* At the very moment of its activation it may have sealed already. */
	stone.revoked_at_ms = T0 + 5000;
	ring = ring_at(at, 2, &stone, 1, 0);
	ck_assert_int_eq(sealing(ring, T0 + 5001), -1);
	stek__ring_unref(ring);
	stek__key_unref(key);
}
END_TEST

/* The floor revokes what was made before it; a later key seals. */
START_TEST(test_floor)
{
	const int64_t at[] = { T0, T0 + 2 * MAKER_HOUR_MS };
	struct stek_ring *ring = ring_at(at, 2, NULL, 0, T0 + MAKER_HOUR_MS);

	ck_assert_int_eq(sealing(ring, T0 + MAKER_HOUR_MS), -1);
	ck_assert_int_eq(sealing(ring, T0 + 2 * MAKER_HOUR_MS), 1);
	stek__ring_unref(ring);
}
END_TEST

/* `ring` gives way to a copy in which the keys of these bits yield. */
static struct stek_ring *yielding(struct stek_ring *ring, uint64_t yields)
{
	struct stek_ring *next = NULL;

	ck_assert_int_eq(stek__ring_yielding(&next, ring, yields), 0);
	ck_assert_uint_eq(next->yields, yields);
	ck_assert(stek_version_equal(&next->version, &ring->version));
	stek__ring_unref(ring);
	return next;
}

static int due(const struct stek_ring *ring, int64_t now_ms)
{
	const struct stek_key *key =
		stek__schedule_due(ring, &policy, now_ms);

	return key ? key->id[1] : -1;
}

/* A key that yields leaves sealing to the latest other, while that one may. */
START_TEST(test_yielding_key_waits)
{
	const int64_t at[] = { T0, T0 + 1000, T0 + 5000, T0 + 9000 };
	struct stek_ring *ring = yielding(ring_at(at, 4, NULL, 0, 0), 4);
	const int64_t until = T0 + 1000 + PERIOD_MS;

	ck_assert_int_eq(sealing(ring, T0 + 4999), 1);
	ck_assert_int_eq(sealing(ring, T0 + 5000), 1);
	ck_assert_int_eq(due(ring, T0 + 5000), 2);
	ck_assert_int_eq(stek__schedule_state(ring, &policy, ring->keys[0],
					      T0 + 5000), STEK_RETIRED);
	ck_assert_int_eq(stek__schedule_state(ring, &policy, ring->keys[1],
					      T0 + 5000), STEK_ACTIVE);
	ck_assert_int_eq(stek__schedule_state(ring, &policy, ring->keys[2],
					      T0 + 5000), STEK_PENDING);
	/* The next one's turn comes as ever. */
	ck_assert_int_eq(sealing(ring, T0 + 9000), 3);
	stek__ring_unref(ring);
	ring = yielding(ring_at(at, 3, NULL, 0, 0), 4);
	ck_assert_int_eq(sealing(ring, until - 1), 1);
	ck_assert_int_eq(sealing(ring, until), 2);
	ck_assert_int_eq(sealing(ring, T0 + 5000 + PERIOD_MS), -1);
	stek__ring_unref(ring);
}
END_TEST

/* Some key seals whenever one would if none did yield; all may yield. */
START_TEST(test_yielding_never_silences)
{
	const int64_t at[] = { T0, T0 + 1000, T0 + 5000 };
	struct stek_key *key = key_at(1, T0 + 1000);
	struct stek_tombstone stone = tombstone_of(key, T0 + 6000);
	struct stek_ring *ring = yielding(ring_at(at, 3, NULL, 0, 0), 7);

	ck_assert_int_eq(sealing(ring, T0 + 5000), 2);
	stek__ring_unref(ring);
	/* The one that it would leave it to is revoked; the older yields. */
	ring = yielding(ring_at(at, 3, &stone, 1, 0), 5);
	ck_assert_int_eq(sealing(ring, T0 + 6000), 2);
	stek__ring_unref(ring);
	/* Revoked itself: nobody seals, as if it did not yield. */
	stone.id[1] = 2;
	stone.activate_at_ms = T0 + 5000;
	ring = yielding(ring_at(at, 3, &stone, 1, 0), 4);
	ck_assert_int_eq(sealing(ring, T0 + 6000), -1);
	stek__ring_unref(ring);
	stek__key_unref(key);
}
END_TEST

/* What yields here says nothing about what the farm's ring lacks. */
START_TEST(test_yielding_changes_no_ring)
{
	const int64_t at[] = { T0, T0 + 5000, T0 + PERIOD_MS,
			       T0 + 2 * PERIOD_MS };
	struct stek_ring *ring = ring_at(at, 4, NULL, 0, 0), *next = NULL;
	int64_t missing[STEK_MISSING_MAX];
	int64_t end_ms = T0 + PERIOD_MS - 500;

	ck_assert_uint_eq(stek__schedule_missing(ring, &policy, end_ms,
						 missing), 0);
	ring = yielding(ring, 2);
	ck_assert_int_eq(sealing(ring, end_ms), 0);
	ck_assert_uint_eq(stek__schedule_missing(ring, &policy, end_ms,
						 missing), 0);
	/* It ends with the snapshot: no other ring is made with it. */
	ck_assert_int_eq(stek__ring_prune(&next, ring, T0), 0);
	ck_assert_uint_eq(next->yields, 0);
	stek__ring_unref(next);
	ck_assert_int_eq(stek__ring_merge(&next, ring, ring), 0);
	ck_assert_uint_eq(next->yields, 0);
	stek__ring_unref(next);
	ring = yielding(ring, 0);
	ck_assert_int_eq(sealing(ring, end_ms), 1);
	stek__ring_unref(ring);
}
END_TEST

/* What must hold of any ring at any time. */
static void check_moment(const struct stek_ring *ring, int64_t now_ms)
{
	const struct stek_key *key;
	unsigned n_active = 0;

	key = stek__schedule_sealing(ring, &policy, now_ms);
	for (size_t i = 0; i < ring->n_keys; i++)
		n_active += stek__schedule_state(ring, &policy, ring->keys[i],
						 now_ms) == STEK_ACTIVE;
	ck_assert_uint_eq(n_active, key != NULL);
	if (!key)
		return;
	ck_assert_int_le(key->activate_at_ms, now_ms);
	ck_assert_int_gt(stek__schedule_seal_until(&policy, key), now_ms);
	ck_assert_int_eq(stek__ring_revoked_at(ring, key), 0);
	ck_assert_ptr_nonnull(key->secret);
	/* No key that was ever used is later than the one that seals. */
	for (size_t i = 0; i < ring->n_keys; i++) {
		const struct stek_key *other = ring->keys[i];
		int64_t revoked_at = stek__ring_revoked_at(ring, other);

		if (other->activate_at_ms <= now_ms &&
		    (!revoked_at || revoked_at >= other->activate_at_ms))
			ck_assert_int_le(other->activate_at_ms,
					 key->activate_at_ms);
	}
}

/* Of random rings: none or one seals, and time never leads to an older one. */
START_TEST(test_random_rings)
{
	uint64_t seed = 42;

	for (int i = 0; i < RINGS; i++) {
		struct stek_ring *ring = maker_ring(&seed);
		int64_t now = MAKER_EPOCH_MS - MAKER_HOUR_MS;
		int64_t last = INT64_MIN;

		while (now < MAKER_EPOCH_MS + 90 * MAKER_HOUR_MS) {
			const struct stek_key *key;

			check_moment(ring, now);
			key = stek__schedule_sealing(ring, &policy, now);
			if (key) {
				ck_assert_int_ge(key->activate_at_ms, last);
				last = key->activate_at_ms;
			}
			now += (5 + maker_below(&seed, 25)) * MAKER_HOUR_MS;
		}
		stek__ring_unref(ring);
	}
}
END_TEST

/* Whatever yields: one key seals exactly when the farm has one that may. */
START_TEST(test_random_yields)
{
	uint64_t seed = 43;

	for (int i = 0; i < RINGS / 10; i++) {
		uint64_t yields = maker_next(&seed);
		struct stek_ring *ring = yielding(maker_ring(&seed), yields);
		int64_t now = MAKER_EPOCH_MS;

		while (now < MAKER_EPOCH_MS + 90 * MAKER_HOUR_MS) {
			const struct stek_key *key;
			unsigned n_active = 0;

			key = stek__schedule_sealing(ring, &policy, now);
			ck_assert_int_eq(key == NULL, due(ring, now) == -1);
			for (size_t k = 0; k < ring->n_keys; k++)
				n_active += stek__schedule_state(
						ring, &policy, ring->keys[k],
						now) == STEK_ACTIVE;
			ck_assert_uint_eq(n_active, key != NULL);
			now += (5 + maker_below(&seed, 25)) * MAKER_HOUR_MS;
		}
		stek__ring_unref(ring);
	}
}
END_TEST

static struct stek_ring *revoke_one(const struct stek_ring *ring,
				    const struct stek_key *key, int64_t now_ms)
{
	struct stek_tombstone stone = tombstone_of(key, now_ms);
	struct stek_ring *add = NULL;
	struct stek_ring *next = NULL;

	ck_assert_int_eq(stek__ring_new(&add, 2, NULL, 0, &stone, 1, 0), 0);
	ck_assert_int_eq(stek__ring_merge(&next, ring, add), 0);
	stek__ring_unref(add);
	return next;
}

/* Revoking whatever seals never brings back a key that sealed before it. */
START_TEST(test_revoking_never_goes_back)
{
	uint64_t seed = (uint64_t)_i + 1;
	struct stek_ring *ring = maker_ring(&seed);
	int64_t last = INT64_MIN;

	for (int64_t now = MAKER_EPOCH_MS;
	     now < MAKER_EPOCH_MS + 90 * MAKER_HOUR_MS; now += MAKER_HOUR_MS) {
		const struct stek_key *key;
		struct stek_ring *next;

		key = stek__schedule_sealing(ring, &policy, now);
		if (!key)
			continue;
		ck_assert_int_ge(key->activate_at_ms, last);
		last = key->activate_at_ms;
		if (maker_below(&seed, 2))
			continue;
		next = revoke_one(ring, key, now);
		ck_assert_ptr_null(stek__schedule_sealing(next, &policy, now));
		stek__ring_unref(ring);
		ring = next;
	}
	stek__ring_unref(ring);
}
END_TEST

/* The next event is the first later time at which a state differs. */
START_TEST(test_next_event_misses_no_change)
{
	uint64_t seed = (uint64_t)_i + 7;
	struct stek_ring *ring = maker_ring(&seed);
	int64_t now = MAKER_EPOCH_MS - 1;

	while (now != INT64_MAX) {
		int64_t next = stek__schedule_next_event(ring, &policy, now);
		int64_t before = next == INT64_MAX ? now + 400 * MAKER_HOUR_MS :
						     next - 1;

		ck_assert_int_gt(next, now);
		for (size_t i = 0; i < ring->n_keys; i++) {
			const struct stek_key *key = ring->keys[i];

			ck_assert_int_eq(
				stek__schedule_state(ring, &policy, key, now),
				stek__schedule_state(ring, &policy, key,
						     before));
		}
		now = next;
	}
	stek__ring_unref(ring);
}
END_TEST

/* The report names keys and bare tombstones in order, with their states. */
START_TEST(test_info)
{
	const int64_t at[] = { T0, T0 + PERIOD_MS };
	struct stek_key *bare = key_at(9, T0 + 1000);
	struct stek_tombstone stone = tombstone_of(bare, T0 + 900);
	struct stek_ring *ring = ring_at(at, 2, &stone, 1, 7);
	static struct stek_ring_info info;

	stek__schedule_info(ring, &policy, T0 + 2000, &info);
	ck_assert(stek_version_equal(&info.version, &ring->version));
	ck_assert_int_eq(info.now_ms, T0 + 2000);
	ck_assert_int_eq(info.revoked_before_ms, 7);
	ck_assert_uint_eq(info.n_keys, 3);
	ck_assert_int_eq(info.keys[0].state, STEK_ACTIVE);
	ck_assert_str_eq(info.keys[0].made_by, "node-1");
	ck_assert_int_eq(info.keys[0].seal_until_ms, T0 + PERIOD_MS);
	ck_assert_int_eq(info.keys[0].revoked_at_ms, 0);
	ck_assert_mem_eq(info.keys[1].id, bare->id, STEK_ID_LEN);
	ck_assert_int_eq(info.keys[1].state, STEK_REVOKED);
	ck_assert_int_eq(info.keys[1].revoked_at_ms, T0 + 900);
	ck_assert_str_eq(info.keys[1].made_by, "");
	ck_assert_int_eq(info.keys[2].state, STEK_PENDING);
	stek__ring_unref(ring);
	stek__key_unref(bare);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("schedule");
	TCase *tcase = tcase_create("schedule");
	TCase *random = tcase_create("random");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, test_policy_defaults);
	tcase_add_test(tcase, test_policy_lifetime_limit);
	tcase_add_test(tcase, test_policy_ring_has_room);
	tcase_add_test(tcase, test_sealing_bounds);
	tcase_add_test(tcase, test_sealing_choice);
	tcase_add_test(tcase, test_revoked_active_silences_until_next);
	tcase_add_test(tcase, test_bare_tombstone_counts);
	tcase_add_test(tcase, test_revoked_pending_does_not_silence);
	tcase_add_test(tcase, test_floor);
	tcase_add_test(tcase, test_yielding_key_waits);
	tcase_add_test(tcase, test_yielding_never_silences);
	tcase_add_test(tcase, test_yielding_changes_no_ring);
	tcase_add_test(tcase, test_info);
	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(random, setup, NULL);
	tcase_set_timeout(random, 300);
	tcase_add_test(random, test_random_rings);
	tcase_add_test(random, test_random_yields);
	tcase_add_loop_test(random, test_revoking_never_goes_back, 0, 100);
	tcase_add_loop_test(random, test_next_event_misses_no_change, 0, 100);
	suite_add_tcase(suite, random);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_ring_merge.c - the laws of merging over random rings: commutative,
 * associative, idempotent, with one digest. The seed is the loop's number, so a
 * failure repeats.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "ring_checks.h"

#define ROUNDS 300

static struct stek_ring *merge(const struct stek_ring *a,
			       const struct stek_ring *b)
{
	struct stek_ring *ring = NULL;

	ck_assert_int_eq(stek__ring_merge(&ring, a, b), 0);
	return ring;
}

/* a + b = b + a, (a + b) + c = a + (b + c), a + a = a, (a + b) + b = a + b. */
START_TEST(test_merge_laws)
{
	uint64_t seed = (uint64_t)_i + 1;
	struct stek_ring *a = maker_ring(&seed);
	struct stek_ring *b = maker_ring(&seed);
	struct stek_ring *c = maker_ring(&seed);
	struct stek_ring *ab = merge(a, b);
	struct stek_ring *ba = merge(b, a);
	struct stek_ring *bc = merge(b, c);
	struct stek_ring *left = merge(ab, c);
	struct stek_ring *right = merge(a, bc);
	struct stek_ring *aa = merge(a, a);
	struct stek_ring *abb = merge(ab, b);

	assert_sound(a);
	assert_sound(left);
	assert_same(ab, ba);
	assert_same(left, right);
	assert_same(aa, a);
	assert_same(abb, ab);
	stek__ring_unref(a);
	stek__ring_unref(b);
	stek__ring_unref(c);
	stek__ring_unref(ab);
	stek__ring_unref(ba);
	stek__ring_unref(bc);
	stek__ring_unref(left);
	stek__ring_unref(right);
	stek__ring_unref(aa);
	stek__ring_unref(abb);
}
END_TEST

/* A merge loses no key, no revocation and no floor. */
START_TEST(test_merge_loses_nothing)
{
	uint64_t seed = (uint64_t)_i + 1000;
	struct stek_ring *a = maker_ring(&seed);
	struct stek_ring *b = maker_ring(&seed);
	struct stek_ring *ab = merge(a, b);

	for (size_t i = 0; i < a->n_keys; i++) {
		const struct stek_key *key = a->keys[i];
		const struct stek_key *kept = stek__ring_find(ab, key->id);

		ck_assert_ptr_nonnull(kept);
		ck_assert_int_eq(kept->expire_at_ms, key->expire_at_ms);
		/* By a later floor perhaps, but still revoked. */
		if (stek__ring_revoked_at(a, key))
			ck_assert_int_ne(stek__ring_revoked_at(ab, kept), 0);
		if (key->secret && !stek__ring_revoked_at(ab, kept))
			ck_assert_mem_eq(kept->secret, key->secret,
					 STEK_SECRET_LEN);
	}
	for (size_t i = 0; i < b->n_tombstones; i++) {
		const struct stek_tombstone *stone = &b->tombstones[i];
		const struct stek_tombstone *kept;

		kept = stek__ring_tombstone(ab, stone->id);
		ck_assert_ptr_nonnull(kept);
		ck_assert_int_le(kept->revoked_at_ms, stone->revoked_at_ms);
		ck_assert_int_ge(kept->expire_at_ms, stone->expire_at_ms);
	}
	ck_assert_int_ge(ab->revoked_before_ms, a->revoked_before_ms);
	ck_assert_int_ge(ab->revoked_before_ms, b->revoked_before_ms);
	ck_assert_uint_ge(ab->version.epoch, b->version.epoch);
	stek__ring_unref(a);
	stek__ring_unref(b);
	stek__ring_unref(ab);
}
END_TEST

/* One id with two records: the shorter life wins, whoever merges first. */
START_TEST(test_conflicting_metadata_is_settled_by_value)
{
	struct stek_key *a = maker_key(1, true);
	struct stek_key *b = NULL;
	struct stek_ring *ra, *rb, *ab, *ba;

	ck_assert_int_eq(stek__key_new(&b, a->id, NULL, a->made_by, a->reason,
				       a->made_at_ms, a->activate_at_ms,
				       a->expire_at_ms - 1), 0);
	ra = ring_of(&a, 1, NULL, 0, 0);
	rb = ring_of(&b, 1, NULL, 0, 0);
	ab = merge(ra, rb);
	ba = merge(rb, ra);
	assert_same(ab, ba);
	ck_assert_uint_eq(ab->n_keys, 1);
	ck_assert_int_eq(ab->keys[0]->expire_at_ms, b->expire_at_ms);
	/* Only one record brought the secret; it is not lost. */
	ck_assert_mem_eq(ab->keys[0]->secret, a->secret, STEK_SECRET_LEN);
	ck_assert_mem_eq(ba->keys[0]->secret, a->secret, STEK_SECRET_LEN);
	stek__ring_unref(ra);
	stek__ring_unref(rb);
	stek__ring_unref(ab);
	stek__ring_unref(ba);
	stek__key_unref(a);
	stek__key_unref(b);
}
END_TEST

/* A merge past the limit keeps the keys that expire last, in any order. */
START_TEST(test_merge_trims_the_same_way)
{
	struct stek_ring *a = ring_of_range(0, 50);
	struct stek_ring *b = ring_of_range(50, 50);
	struct stek_ring *c = ring_of_range(100, 50);
	struct stek_ring *ab = merge(a, b);
	struct stek_ring *bc = merge(b, c);
	struct stek_ring *left = merge(ab, c);
	struct stek_ring *right = merge(a, bc);
	int64_t least = INT64_MAX;

	ck_assert_uint_eq(left->n_keys, STEK_RING_KEYS_MAX);
	assert_same(left, right);
	assert_sound(left);
	for (size_t i = 0; i < left->n_keys; i++) {
		if (left->keys[i]->expire_at_ms < least)
			least = left->keys[i]->expire_at_ms;
	}
	for (size_t i = 0; i < a->n_keys; i++) {
		if (!stek__ring_find(left, a->keys[i]->id))
			ck_assert_int_le(a->keys[i]->expire_at_ms, least);
	}
	stek__ring_unref(a);
	stek__ring_unref(b);
	stek__ring_unref(c);
	stek__ring_unref(ab);
	stek__ring_unref(bc);
	stek__ring_unref(left);
	stek__ring_unref(right);
}
END_TEST

/* Of too many keys the revoked ones go first, however late they expire. */
START_TEST(test_merge_trims_revoked_keys_first)
{
	struct stek_tombstone stones[40];
	struct stek_ring *old = ring_of_range(0, 50);
	struct stek_ring *revoked = ring_of_range(100, 40);
	struct stek_ring *bare, *a, *ab, *ba;
	uint64_t seed = 5;

	for (unsigned i = 0; i < 40; i++)
		stones[i] = maker_tombstone(100 + i, &seed);
	bare = ring_of(NULL, 0, stones, 40, 0);
	a = merge(revoked, bare);
	ab = merge(a, old);
	ba = merge(old, a);
	assert_same(ab, ba);
	ck_assert_uint_eq(ab->n_keys, STEK_RING_KEYS_MAX);
	ck_assert_uint_eq(ab->n_tombstones, 40);
	for (size_t i = 0; i < old->n_keys; i++)
		ck_assert_ptr_nonnull(stek__ring_find(ab, old->keys[i]->id));
	stek__ring_unref(old);
	stek__ring_unref(revoked);
	stek__ring_unref(bare);
	stek__ring_unref(a);
	stek__ring_unref(ab);
	stek__ring_unref(ba);
}
END_TEST

/* Where a tombstone must go for lack of room, its key does not come back. */
START_TEST(test_trimmed_tombstone_takes_its_key_along)
{
	static struct stek_tombstone stones[STEK_TOMBSTONES_MAX];
	uint64_t seed = 3;
	struct stek_key *key = maker_key(7, true);
	struct stek_tombstone own = maker_tombstone(7, &seed);
	struct stek_ring *a, *b, *ab, *ba;

	for (unsigned i = 0; i < STEK_TOMBSTONES_MAX; i++) {
		stones[i] = maker_tombstone(1000 + i, &seed);
		stones[i].activate_at_ms = own.activate_at_ms;
		stones[i].expire_at_ms = own.expire_at_ms + 1 + i;
	}
	a = ring_of(&key, 1, &own, 1, 0);
	b = ring_of(NULL, 0, stones, STEK_TOMBSTONES_MAX, 0);
	ab = merge(a, b);
	ba = merge(b, a);
	assert_same(ab, ba);
	ck_assert_ptr_null(stek__ring_tombstone(ab, key->id));
	ck_assert_ptr_null(stek__ring_find(ab, key->id));
	stek__ring_unref(a);
	stek__ring_unref(b);
	stek__ring_unref(ab);
	stek__ring_unref(ba);
	stek__key_unref(key);
}
END_TEST

/* Whichever allocation of a merge fails, it says so and leaks nothing. */
START_TEST(test_merge_survives_allocation_failure)
{
	uint64_t seed = 21;
	struct stek_ring *a = maker_ring(&seed);
	struct stek_ring *b = maker_ring(&seed);
	struct stek_ring *ab = NULL;
	unsigned n;

	for (n = 1; n < 1000; n++) {
		int ret;

		fault_arm(n);
		ret = stek__ring_merge(&ab, a, b);
		if (!fault_disarm()) {
			ck_assert_int_eq(ret, 0);
			break;
		}
		ck_assert_int_eq(ret, STEK_ENOMEM);
		ck_assert_ptr_null(ab);
	}
	ck_assert_uint_gt(n, 4);
	ck_assert_uint_lt(n, 1000);
	stek__ring_unref(a);
	stek__ring_unref(b);
	stek__ring_unref(ab);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ring_merge");
	TCase *tcase = tcase_create("merge");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, test_merge_laws, 0, ROUNDS);
	tcase_add_loop_test(tcase, test_merge_loses_nothing, 0, ROUNDS);
	tcase_add_test(tcase, test_conflicting_metadata_is_settled_by_value);
	tcase_add_test(tcase, test_merge_trims_the_same_way);
	tcase_add_test(tcase, test_merge_trims_revoked_keys_first);
	tcase_add_test(tcase, test_trimmed_tombstone_takes_its_key_along);
	tcase_add_test(tcase, test_merge_survives_allocation_failure);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_ring.c - the laws of merging over random rings, and what a ring keeps,
 * finds, prunes and wipes. Where a law is checked over many rings the seed is
 * the loop's number, so a failure repeats.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "ring_maker.h"
#include "secret.h"

#define ROUNDS 300

static struct stek_ring *merge(const struct stek_ring *a,
			       const struct stek_ring *b)
{
	struct stek_ring *ring = NULL;

	ck_assert_int_eq(stek__ring_merge(&ring, a, b), 0);
	return ring;
}

static struct stek_ring *ring_of(struct stek_key *const *keys, size_t n,
				 const struct stek_tombstone *stones,
				 size_t n_stones, int64_t floor)
{
	struct stek_ring *ring = NULL;

	ck_assert_int_eq(stek__ring_new(&ring, 1, keys, n, stones, n_stones,
					floor), 0);
	return ring;
}

/* Equal in version, content, and in which secrets are held. */
static void assert_same(const struct stek_ring *a, const struct stek_ring *b)
{
	ck_assert(stek_version_equal(&a->version, &b->version));
	ck_assert_int_eq(a->revoked_before_ms, b->revoked_before_ms);
	ck_assert_uint_eq(a->n_keys, b->n_keys);
	ck_assert_uint_eq(a->n_tombstones, b->n_tombstones);
	for (size_t i = 0; i < a->n_keys; i++) {
		ck_assert_mem_eq(a->keys[i]->id, b->keys[i]->id, STEK_ID_LEN);
		ck_assert_int_eq(a->keys[i]->expire_at_ms,
				 b->keys[i]->expire_at_ms);
		ck_assert(!a->keys[i]->secret == !b->keys[i]->secret);
	}
	for (size_t i = 0; i < a->n_tombstones; i++)
		ck_assert_int_eq(a->tombstones[i].revoked_at_ms,
				 b->tombstones[i].revoked_at_ms);
}

/* Sorted, found by id, and no secret of a revoked key. */
static void assert_sound(const struct stek_ring *ring)
{
	for (size_t i = 0; i < ring->n_keys; i++) {
		const struct stek_key *key = ring->keys[i];
		const struct stek_key *next = ring->keys[i + 1 < ring->n_keys ?
							 i + 1 : i];

		ck_assert_ptr_eq(stek__ring_find(ring, key->id), key);
		ck_assert_int_le(key->activate_at_ms, next->activate_at_ms);
		if (stek__ring_revoked_at(ring, key))
			ck_assert_ptr_null(key->secret);
	}
	for (size_t i = 1; i < ring->n_tombstones; i++)
		ck_assert_int_lt(memcmp(ring->tombstones[i - 1].id,
					ring->tombstones[i].id, STEK_ID_LEN),
				 0);
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

/* The digest covers each datum but neither secrets nor the epoch. */
START_TEST(test_digest_covers_content)
{
	uint64_t seed = 5;
	struct stek_key *key = maker_key(1, true);
	struct stek_key *bare = maker_key(1, false);
	struct stek_key *other = NULL;
	struct stek_tombstone stone = maker_tombstone(2, &seed);
	struct stek_ring *base = ring_of(&key, 1, &stone, 1, 0);
	struct stek_ring *ring;

	ring = ring_of(&bare, 1, &stone, 1, 0);
	ck_assert(stek_version_equal(&base->version, &ring->version));
	stek__ring_unref(ring);

	ck_assert_int_eq(stek__ring_with_epoch(&ring, base, 99), 0);
	ck_assert_uint_eq(ring->version.epoch, 99);
	ck_assert_mem_eq(base->version.digest, ring->version.digest,
			 STEK_DIGEST_LEN);
	stek__ring_unref(ring);

	ring = ring_of(&key, 1, &stone, 1, 1);
	ck_assert(!stek_version_equal(&base->version, &ring->version));
	stek__ring_unref(ring);

	stone.revoked_at_ms++;
	ring = ring_of(&key, 1, &stone, 1, 0);
	ck_assert(!stek_version_equal(&base->version, &ring->version));
	stek__ring_unref(ring);
	stone.revoked_at_ms--;

	ck_assert_int_eq(stek__key_new(&other, key->id, NULL, "another",
				       key->reason, key->made_at_ms,
				       key->activate_at_ms, key->expire_at_ms),
			 0);
	ring = ring_of(&other, 1, &stone, 1, 0);
	ck_assert(!stek_version_equal(&base->version, &ring->version));
	stek__ring_unref(ring);

	stek__ring_unref(base);
	stek__key_unref(key);
	stek__key_unref(bare);
	stek__key_unref(other);
}
END_TEST

/* Order and repetition of the parts make no difference. */
START_TEST(test_new_settles_its_parts)
{
	struct stek_key *keys[5];
	struct stek_ring *a, *b;

	for (unsigned i = 0; i < 4; i++)
		keys[i] = maker_key(i, true);
	keys[4] = maker_key(2, false);
	a = ring_of(keys, 4, NULL, 0, 0);
	b = ring_of((struct stek_key *[]){ keys[4], keys[3], keys[1], keys[2],
					   keys[0], keys[1] }, 6, NULL, 0, 0);
	assert_same(a, b);
	assert_sound(b);
	ck_assert_uint_eq(b->n_keys, 4);
	for (int i = 0; i < 5; i++)
		stek__key_unref(keys[i]);
	stek__ring_unref(a);
	stek__ring_unref(b);
}
END_TEST

/* 64 keys fit, 65 do not; 256 tombstones fit, 257 do not. */
START_TEST(test_new_keeps_limits)
{
	struct stek_key *keys[STEK_RING_KEYS_MAX + 1];
	static struct stek_tombstone stones[STEK_TOMBSTONES_MAX + 1];
	struct stek_ring *ring = NULL;
	uint64_t seed = 9;

	for (unsigned i = 0; i <= STEK_RING_KEYS_MAX; i++)
		keys[i] = maker_key(i, true);
	for (unsigned i = 0; i <= STEK_TOMBSTONES_MAX; i++)
		stones[i] = maker_tombstone(1000 + i, &seed);
	ck_assert_int_eq(stek__ring_new(&ring, 1, keys, STEK_RING_KEYS_MAX + 1,
					NULL, 0, 0), STEK_EFULL);
	ck_assert_int_eq(stek__ring_new(&ring, 1, NULL, 0, stones,
					STEK_TOMBSTONES_MAX + 1, 0),
			 STEK_EFULL);
	ck_assert_ptr_null(ring);
	ring = ring_of(keys, STEK_RING_KEYS_MAX, stones, STEK_TOMBSTONES_MAX,
		       0);
	assert_sound(ring);
	stek__ring_unref(ring);
	for (unsigned i = 0; i <= STEK_RING_KEYS_MAX; i++)
		stek__key_unref(keys[i]);
}
END_TEST

/* A tombstone without a time of revocation, or a negative floor, is refused. */
START_TEST(test_new_refuses_nonsense)
{
	uint64_t seed = 9;
	struct stek_tombstone stone = maker_tombstone(1, &seed);
	struct stek_ring *ring = NULL;

	ck_assert_int_eq(stek__ring_new(&ring, 1, NULL, 0, NULL, 0, -1),
			 STEK_EINVAL);
	stone.revoked_at_ms = 0;
	ck_assert_int_eq(stek__ring_new(&ring, 1, NULL, 0, &stone, 1, 0),
			 STEK_EINVAL);
	stone.revoked_at_ms = 1;
	stone.expire_at_ms = stone.activate_at_ms;
	ck_assert_int_eq(stek__ring_new(&ring, 1, NULL, 0, &stone, 1, 0),
			 STEK_EINVAL);
	ck_assert_ptr_null(ring);
}
END_TEST

static struct stek_ring *ring_of_range(unsigned first, unsigned n)
{
	struct stek_key *keys[STEK_RING_KEYS_MAX] = { NULL };
	struct stek_ring *ring;

	for (unsigned i = 0; i < n; i++)
		keys[i] = maker_key(first + i, true);
	ring = ring_of(keys, n, NULL, 0, 0);
	for (unsigned i = 0; i < n; i++)
		stek__key_unref(keys[i]);
	return ring;
}

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

/* Only the exact id finds a key: each flipped bit finds nothing. */
START_TEST(test_find_is_exact)
{
	struct stek_ring *ring = ring_of_range(0, STEK_RING_KEYS_MAX);
	uint8_t id[STEK_ID_LEN];

	memcpy(id, ring->keys[5]->id, sizeof(id));
	for (unsigned bit = 0; bit < 8 * STEK_ID_LEN; bit++) {
		id[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_ptr_null(stek__ring_find(ring, id));
		id[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	ck_assert_ptr_eq(stek__ring_find(ring, id), ring->keys[5]);
	stek__ring_unref(ring);
	ring = ring_of(NULL, 0, NULL, 0, 0);
	ck_assert_ptr_null(stek__ring_find(ring, id));
	stek__ring_unref(ring);
}
END_TEST

/* A key is revoked by its tombstone, by the floor, and by the earlier of both. */
START_TEST(test_revoked_at)
{
	uint64_t seed = 4;
	struct stek_key *key = maker_key(3, true);
	struct stek_tombstone stone = maker_tombstone(3, &seed);
	const int64_t made = key->made_at_ms;
	struct stek_ring *ring;

	stone.revoked_at_ms = made + 50;
	ring = ring_of(&key, 1, NULL, 0, made);
	ck_assert_int_eq(stek__ring_revoked_at(ring, key), 0);
	ck_assert_ptr_nonnull(ring->keys[0]->secret);
	stek__ring_unref(ring);
	ring = ring_of(&key, 1, NULL, 0, made + 1);
	ck_assert_int_eq(stek__ring_revoked_at(ring, key), made + 1);
	ck_assert_ptr_null(ring->keys[0]->secret);
	stek__ring_unref(ring);
	ring = ring_of(&key, 1, &stone, 1, made + 90);
	ck_assert_int_eq(stek__ring_revoked_at(ring, key), made + 50);
	stek__ring_unref(ring);
	ring = ring_of(&key, 1, &stone, 1, made + 20);
	ck_assert_int_eq(stek__ring_revoked_at(ring, key), made + 20);
	stek__ring_unref(ring);
	stek__key_unref(key);
}
END_TEST

/* Pruning drops what is past expire_at, to the millisecond; the floor stays. */
START_TEST(test_prune)
{
	uint64_t seed = 8;
	struct stek_key *key = maker_key(3, true);
	struct stek_tombstone stone = maker_tombstone(9, &seed);
	struct stek_ring *ring, *pruned;

	stone.activate_at_ms = key->activate_at_ms;
	stone.expire_at_ms = key->expire_at_ms + 1;
	ring = ring_of(&key, 1, &stone, 1, 5);
	ck_assert_int_eq(stek__ring_prune(&pruned, ring,
					  key->expire_at_ms - 1), 0);
	assert_same(pruned, ring);
	stek__ring_unref(pruned);
	ck_assert_int_eq(stek__ring_prune(&pruned, ring, key->expire_at_ms), 0);
	ck_assert_uint_eq(pruned->n_keys, 0);
	ck_assert_uint_eq(pruned->n_tombstones, 1);
	ck_assert_ptr_null(stek__ring_find(pruned, key->id));
	stek__ring_unref(pruned);
	ck_assert_int_eq(stek__ring_prune(&pruned, ring, stone.expire_at_ms),
			 0);
	ck_assert_uint_eq(pruned->n_tombstones, 0);
	ck_assert_int_eq(pruned->revoked_before_ms, 5);
	stek__ring_unref(pruned);
	stek__ring_unref(ring);
	stek__key_unref(key);
}
END_TEST

/* A tombstone is not pruned while the key that it names is still there. */
START_TEST(test_prune_keeps_needed_tombstone)
{
	uint64_t seed = 8;
	struct stek_key *key = maker_key(3, true);
	struct stek_tombstone stone = maker_tombstone(3, &seed);
	struct stek_ring *ring, *pruned;

	stone.expire_at_ms = key->expire_at_ms - 1000;
	ring = ring_of(&key, 1, &stone, 1, 0);
	ck_assert_int_eq(stek__ring_prune(&pruned, ring, stone.expire_at_ms),
			 0);
	ck_assert_uint_eq(pruned->n_keys, 1);
	ck_assert_int_ne(stek__ring_revoked_at(pruned, key), 0);
	stek__ring_unref(pruned);
	stek__ring_unref(ring);
	stek__key_unref(key);
}
END_TEST

/* Wiping drops secrets of expired keys only, under the same version. */
START_TEST(test_wiped)
{
	struct stek_key *key = maker_key(3, true);
	uint8_t *witness = stek__secret_alloc(32);
	struct stek_ring *ring = ring_of(&key, 1, NULL, 0, 0);
	uint8_t *where = key->secret;
	struct stek_ring *wiped;

	ck_assert_int_eq(stek__ring_wiped(&wiped, ring, key->expire_at_ms - 1),
			 0);
	ck_assert_ptr_eq(wiped, ring);
	stek__ring_unref(wiped);
	ck_assert_int_eq(stek__ring_wiped(&wiped, ring, key->expire_at_ms), 0);
	ck_assert_ptr_ne(wiped, ring);
	ck_assert(stek_version_equal(&wiped->version, &ring->version));
	ck_assert_ptr_null(wiped->keys[0]->secret);
	ck_assert_ptr_nonnull(ring->keys[0]->secret);
	stek__key_unref(key);
	stek__ring_unref(ring);
	ck_assert(stek__is_zero(where, STEK_SECRET_LEN));
	stek__ring_unref(wiped);
	stek__secret_free(witness, 32);
}
END_TEST

/* Shedding makes room among revoked keys only and forgets no revocation. */
START_TEST(test_shed)
{
	struct stek_key *keys[STEK_RING_KEYS_MAX];
	struct stek_tombstone stones[3];
	struct stek_ring *ring, *shed = NULL;
	uint64_t seed = 6;

	for (unsigned i = 0; i < STEK_RING_KEYS_MAX; i++)
		keys[i] = maker_key(i, true);
	for (unsigned i = 0; i < 3; i++)
		stones[i] = maker_tombstone(i, &seed);
	ring = ring_of(keys, STEK_RING_KEYS_MAX, stones, 3, 0);
	ck_assert_int_eq(stek__ring_shed(&shed, ring, 4), STEK_EFULL);
	ck_assert_int_eq(stek__ring_shed(&shed, ring, STEK_RING_KEYS_MAX + 1),
			 STEK_EFULL);
	ck_assert_ptr_null(shed);
	ck_assert_int_eq(stek__ring_shed(&shed, ring, 3), 0);
	ck_assert_uint_eq(shed->n_keys, STEK_RING_KEYS_MAX - 3);
	for (unsigned i = 0; i < STEK_RING_KEYS_MAX; i++)
		ck_assert(!stek__ring_find(shed, keys[i]->id) == (i < 3));
	for (unsigned i = 0; i < 3; i++)
		ck_assert_ptr_nonnull(stek__ring_tombstone(shed, stones[i].id));
	stek__ring_unref(shed);
	ck_assert_int_eq(stek__ring_shed(&shed, ring, 0), 0);
	assert_same(shed, ring);
	stek__ring_unref(shed);
	stek__ring_unref(ring);
	for (unsigned i = 0; i < STEK_RING_KEYS_MAX; i++)
		stek__key_unref(keys[i]);
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
	Suite *suite = suite_create("ring");
	TCase *merging = tcase_create("merge");
	TCase *content = tcase_create("content");
	SRunner *runner;
	int failed;

	tcase_set_timeout(merging, 60);
	tcase_add_loop_test(merging, test_merge_laws, 0, ROUNDS);
	tcase_add_loop_test(merging, test_merge_loses_nothing, 0, ROUNDS);
	tcase_add_test(merging, test_conflicting_metadata_is_settled_by_value);
	tcase_add_test(merging, test_merge_trims_the_same_way);
	tcase_add_test(merging, test_trimmed_tombstone_takes_its_key_along);
	tcase_add_test(merging, test_merge_survives_allocation_failure);
	suite_add_tcase(suite, merging);
	tcase_add_test(content, test_digest_covers_content);
	tcase_add_test(content, test_new_settles_its_parts);
	tcase_add_test(content, test_new_keeps_limits);
	tcase_add_test(content, test_new_refuses_nonsense);
	tcase_add_test(content, test_find_is_exact);
	tcase_add_test(content, test_revoked_at);
	tcase_add_test(content, test_prune);
	tcase_add_test(content, test_prune_keeps_needed_tombstone);
	tcase_add_test(content, test_wiped);
	tcase_add_test(content, test_shed);
	suite_add_tcase(suite, content);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_ring.c - what a ring keeps, finds, prunes, wipes and sheds. The laws of
 * merging stand in check_ring_merge.c.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ring_checks.h"
#include "secret.h"

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

int main(void)
{
	Suite *suite = suite_create("ring");
	TCase *tcase = tcase_create("content");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_digest_covers_content);
	tcase_add_test(tcase, test_new_settles_its_parts);
	tcase_add_test(tcase, test_new_keeps_limits);
	tcase_add_test(tcase, test_new_refuses_nonsense);
	tcase_add_test(tcase, test_find_is_exact);
	tcase_add_test(tcase, test_revoked_at);
	tcase_add_test(tcase, test_prune);
	tcase_add_test(tcase, test_prune_keeps_needed_tombstone);
	tcase_add_test(tcase, test_wiped);
	tcase_add_test(tcase, test_shed);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring_checks.h - what check_ring.c and check_ring_merge.c both ask of a ring.
 */
#ifndef STEK_TESTS_RING_CHECKS_H
#define STEK_TESTS_RING_CHECKS_H

#include "ring_maker.h"

static inline struct stek_ring *ring_of(struct stek_key *const *keys, size_t n,
				 const struct stek_tombstone *stones,
				 size_t n_stones, int64_t floor)
{
	struct stek_ring *ring = NULL;

	ck_assert_int_eq(stek__ring_new(&ring, 1, keys, n, stones, n_stones,
					floor), 0);
	return ring;
}

/* Equal in version, content, and in which secrets are held. */
static inline void assert_same(const struct stek_ring *a, const struct stek_ring *b)
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
static inline void assert_sound(const struct stek_ring *ring)
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

static inline struct stek_ring *ring_of_range(unsigned first, unsigned n)
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

#endif

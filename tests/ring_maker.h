/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring_maker.h - keys, tombstones and whole rings out of a seed, for the tests
 * of ring, schedule and record. Ids come from a small pool, so that two random
 * rings share keys; what an id stands for follows from the id alone, as in a
 * farm whose nodes are honest.
 */
#ifndef STEK_TESTS_RING_MAKER_H
#define STEK_TESTS_RING_MAKER_H

#include <check.h>
#include <string.h>

#include "ring.h"

#define MAKER_POOL 40
#define MAKER_HOUR_MS INT64_C(3600000)
#define MAKER_EPOCH_MS INT64_C(1800000000000)

/* xorshift64*: the same numbers on every machine. */
static inline uint64_t maker_next(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * UINT64_C(2685821657736338717);
}

static inline unsigned maker_below(uint64_t *seed, unsigned bound)
{
	return (unsigned)(maker_next(seed) >> 33) % bound;
}

static inline void maker_id(uint8_t id[STEK_ID_LEN], unsigned number)
{
	uint64_t seed = number + 1;

	for (int i = 0; i < STEK_ID_LEN; i++)
		id[i] = (uint8_t)(maker_next(&seed) >> 56);
}

/* Key `number` of the pool; its times spread over three days. */
static inline struct stek_key *maker_key(unsigned number, bool with_secret)
{
	struct stek_key *key = NULL;
	uint8_t id[STEK_ID_LEN];
	uint8_t secret[STEK_SECRET_LEN];
	uint64_t seed = number + 77;
	int64_t activate_at, made_at;

	maker_id(id, number);
	for (int i = 0; i < STEK_SECRET_LEN; i++)
		secret[i] = (uint8_t)(maker_next(&seed) >> 56);
	activate_at = MAKER_EPOCH_MS + maker_below(&seed, 72) * MAKER_HOUR_MS;
	made_at = activate_at - maker_below(&seed, 13) * MAKER_HOUR_MS;
	ck_assert_int_eq(stek__key_new(&key, id, with_secret ? secret : NULL,
				       number % 2 ? "node-a" : "node-bb",
				       (enum stek_reason)(number % 3), made_at,
				       activate_at,
				       activate_at + 12 * MAKER_HOUR_MS + 60000),
			 0);
	return key;
}

/* A tombstone of key `number`; two of one key differ in revoked_at. */
static inline struct stek_tombstone maker_tombstone(unsigned number,
						    uint64_t *seed)
{
	struct stek_key *key = maker_key(number, false);
	struct stek_tombstone stone = {
		.activate_at_ms = key->activate_at_ms,
		.expire_at_ms = key->expire_at_ms,
	};

	memcpy(stone.id, key->id, STEK_ID_LEN);
	stone.revoked_at_ms = key->activate_at_ms - 6 * MAKER_HOUR_MS +
			      maker_below(seed, 18) * MAKER_HOUR_MS;
	stek__key_unref(key);
	return stone;
}

/* A ring of random parts of the pool. */
static inline struct stek_ring *maker_ring(uint64_t *seed)
{
	struct stek_key *keys[24];
	struct stek_tombstone stones[12];
	size_t n_keys = maker_below(seed, 24);
	size_t n_stones = maker_below(seed, 12);
	struct stek_ring *ring = NULL;
	int64_t floor = 0;

	for (size_t i = 0; i < n_keys; i++)
		keys[i] = maker_key(maker_below(seed, MAKER_POOL),
				    maker_below(seed, 8) != 0);
	for (size_t i = 0; i < n_stones; i++)
		stones[i] = maker_tombstone(maker_below(seed, MAKER_POOL),
					    seed);
	if (maker_below(seed, 3) == 0)
		floor = MAKER_EPOCH_MS + maker_below(seed, 60) * MAKER_HOUR_MS;
	ck_assert_int_eq(stek__ring_new(&ring, maker_below(seed, 1000), keys,
					n_keys, stones, n_stones, floor), 0);
	for (size_t i = 0; i < n_keys; i++)
		stek__key_unref(keys[i]);
	return ring;
}

#endif

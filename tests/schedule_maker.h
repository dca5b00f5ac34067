/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * schedule_maker.h - the default policy and rings of keys at given times, for
 * check_schedule.c and check_schedule_missing.c.
 */
#ifndef STEK_TESTS_SCHEDULE_MAKER_H
#define STEK_TESTS_SCHEDULE_MAKER_H

#include "ring_maker.h"
#include "schedule.h"

#define T0 (MAKER_EPOCH_MS - MAKER_EPOCH_MS % 21600000)
#define PERIOD_MS INT64_C(21600000)
#define SECOND_MS INT64_C(1000)

static struct stek_policy policy;

static inline void setup(void)
{
	memset(&policy, 0, sizeof(policy));
	ck_assert_int_eq(stek__policy_check(&policy, NULL, 0), 0);
}

/* Key `number`, made an hour before it activates. */
static inline struct stek_key *key_at(unsigned number, int64_t activate_at_ms)
{
	uint8_t id[STEK_ID_LEN] = { 1, (uint8_t)number };
	uint8_t secret[STEK_SECRET_LEN] = { (uint8_t)(number + 1) };
	struct stek_key *key = NULL;

	ck_assert_int_eq(stek__key_new(&key, id, secret, "node-1",
				       STEK_MADE_BY_SCHEDULE,
				       activate_at_ms - MAKER_HOUR_MS,
				       activate_at_ms,
				       stek__schedule_expire_at(&policy,
								activate_at_ms)),
			 0);
	return key;
}

static inline struct stek_tombstone tombstone_of(const struct stek_key *key,
					  int64_t revoked_at_ms)
{
	struct stek_tombstone stone = {
		.activate_at_ms = key->activate_at_ms,
		.expire_at_ms = key->expire_at_ms,
		.revoked_at_ms = revoked_at_ms,
	};

	memcpy(stone.id, key->id, STEK_ID_LEN);
	return stone;
}

/* A ring of keys 0..n-1 that activate at the given times; consumes nothing. */
static inline struct stek_ring *ring_at(const int64_t *activate_at_ms, unsigned n,
				 const struct stek_tombstone *stones,
				 size_t n_stones, int64_t floor)
{
	struct stek_key *keys[16] = { NULL };
	struct stek_ring *ring = NULL;

	for (unsigned i = 0; i < n; i++)
		keys[i] = key_at(i, activate_at_ms[i]);
	ck_assert_int_eq(stek__ring_new(&ring, 1, keys, n, stones, n_stones,
					floor), 0);
	for (unsigned i = 0; i < n; i++)
		stek__key_unref(keys[i]);
	return ring;
}

/* The number of the key that seals, or -1. */
static inline int sealing(const struct stek_ring *ring, int64_t now_ms)
{
	const struct stek_key *key;

	key = stek__schedule_sealing(ring, &policy, now_ms);
	return key ? key->id[1] : -1;
}

#endif

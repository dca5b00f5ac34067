/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parts.h - a ring in the making: arrays of keys and tombstones, unsorted, with
 * duplicates. Private to ring.c.
 */
#ifndef STEK_PARTS_H
#define STEK_PARTS_H

#include "ring.h"

/* Owns the arrays and one reference to each key. */
struct stek_parts {
	struct stek_key **keys;
	size_t n_keys;
	struct stek_tombstone *tombstones;
	size_t n_tombstones;
	int64_t floor;
};

/* Room for that many; on failure there is nothing to clear. */
int stek__parts_init(struct stek_parts *parts, size_t n_keys,
		     size_t n_tombstones) STEK_CHECKED;

/* Adds within the room, with references of its own. */
void stek__parts_add(struct stek_parts *parts, struct stek_key *const *keys,
		     size_t n_keys, const struct stek_tombstone *tombstones,
		     size_t n_tombstones);

/*
 * Sorts tombstones by id, joins duplicates, drops the secrets of keys that are
 * revoked or past expire_at at `now`. Past the limits: `trim` keeps what
 * expires last, of keys those without a tombstone first; else STEK_EFULL. The order of the keys stays undefined.
 */
int stek__parts_settle(struct stek_parts *parts, bool trim, int64_t now_ms)
	STEK_CHECKED;

void stek__parts_clear(struct stek_parts *parts);

/* Among tombstones sorted by id. */
const struct stek_tombstone *
stek__tombstone_find(const struct stek_tombstone *tombstones, size_t n,
		     const uint8_t id[STEK_ID_LEN]);

/* See stek__ring_revoked_at(). */
int64_t stek__revoked_at(const struct stek_tombstone *tombstones, size_t n,
			 int64_t floor, const struct stek_key *key);

#endif

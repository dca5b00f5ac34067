/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring.h - an immutable set of keys, a set of tombstones and one floor.
 *
 * Merging is union, union and maximum: commutative, associative, idempotent.
 * Keys stay in the set by their metadata until expire_at, also when revoked;
 * only their secret goes. The canonical form, over which the digest is taken,
 * holds metadata, tombstones and floor but no secrets, so a node that has
 * wiped a dead key's secret still holds the same version.
 */
#ifndef STEK_RING_H
#define STEK_RING_H

#include "key.h"

#define STEK_TOMBSTONES_MAX 256
#define STEK_RING_INDEX 256	/* a power of two, four times the keys */

struct stek_writer;

struct stek_tombstone {
	uint8_t id[STEK_ID_LEN];
	int64_t activate_at_ms;
	int64_t expire_at_ms;
	int64_t revoked_at_ms;
};

struct stek_ring {
	struct stek_version version;
	int64_t revoked_before_ms;	/* earlier made: revoked; 0: none */
	size_t n_keys;
	struct stek_key **keys;	/* by (activate_at, id), one reference each */
	size_t n_tombstones;
	struct stek_tombstone *tombstones;	/* by id */
	atomic_uint refs;
	uint8_t index[STEK_RING_INDEX];	/* by hash of id: position + 1, or 0 */
	/*
	 * Of this node alone, and in no version: bit i is set while keys[i]
	 * leaves sealing to a key without the bit, if one may (late.c).
	 */
	uint64_t yields;
};

_Static_assert(STEK_RING_KEYS_MAX <= 64, "a bit for each key");

/*
 * A ring from parts (unsorted, duplicates merged, digest computed). Takes its
 * own references. STEK_EFULL past the limits.
 */
int stek__ring_new(struct stek_ring **out, uint64_t epoch,
		   struct stek_key *const *keys, size_t n_keys,
		   const struct stek_tombstone *tombstones, size_t n_tombstones,
		   int64_t revoked_before_ms) STEK_CHECKED;

/*
 * Union, union, maximum; epoch is the greater of both. Past the limits keys that
 * a tombstone names go first, then what expires first; a key whose tombstone
 * had to go goes with it. Of two records of one id the choice is by value, so
 * the order of merging never matters.
 */
int stek__ring_merge(struct stek_ring **out, const struct stek_ring *a,
		     const struct stek_ring *b) STEK_CHECKED;

/* The same content under another epoch. */
int stek__ring_with_epoch(struct stek_ring **out, const struct stek_ring *ring,
			  uint64_t epoch) STEK_CHECKED;

/*
 * The same version whose keys yield so. *out is `ring` itself with another
 * reference when they do. All other functions make rings whose keys do not.
 */
int stek__ring_yielding(struct stek_ring **out, struct stek_ring *ring,
			uint64_t yields) STEK_CHECKED;

/*
 * What may be kept at `now`: keys and tombstones past expire_at are left out
 * (and so is a floor that no live key is older than: never; the floor stays).
 */
int stek__ring_prune(struct stek_ring **out, const struct stek_ring *ring,
		     int64_t now_ms) STEK_CHECKED;

/*
 * The same version with the secrets of revoked and expired keys dropped.
 * *out is `ring` itself with another reference when there is nothing to drop.
 */
int stek__ring_wiped(struct stek_ring **out, struct stek_ring *ring,
		     int64_t now_ms) STEK_CHECKED;

/*
 * Leaves out the metadata of revoked keys that a tombstone names (earliest
 * expire_at first) until `room` more keys fit; the tombstones stay and carry
 * what the schedule needs. STEK_EFULL when too few of them are there.
 */
int stek__ring_shed(struct stek_ring **out, const struct stek_ring *ring,
		    size_t room) STEK_CHECKED;

/* The canonical form: what the digest is taken over, without the epoch. */
#define STEK_CANONICAL_MAX \
	(16 + STEK_RING_KEYS_MAX * (STEK_ID_LEN + 26 + STEK_NAME_MAX) + \
	 STEK_TOMBSTONES_MAX * (STEK_ID_LEN + 24))
void stek__ring_canonical(const struct stek_ring *ring,
			  struct stek_writer *writer);

struct stek_ring *stek__ring_ref(struct stek_ring *ring);
void stek__ring_unref(struct stek_ring *ring);

/*
 * True if `ring` lacks the secret of a key that is alive at `now` and, unless
 * `other` is NULL, `other` has it. Versions do not tell: see the top.
 */
bool stek__ring_lacks(const struct stek_ring *ring,
		      const struct stek_ring *other, int64_t now_ms);

/* Key by exact id, or NULL. Cost does not depend on the number of keys. */
const struct stek_key *stek__ring_find(const struct stek_ring *ring,
				       const uint8_t id[STEK_ID_LEN]);

const struct stek_tombstone *
stek__ring_tombstone(const struct stek_ring *ring,
		     const uint8_t id[STEK_ID_LEN]);

/*
 * When the key was revoked: the earlier of its tombstone's time and, if the key
 * was made before it, the floor. 0: not revoked.
 */
int64_t stek__ring_revoked_at(const struct stek_ring *ring,
			      const struct stek_key *key);

#endif

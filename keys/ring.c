// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ring.c - immutable rings. Every ring, whether parsed, merged, pruned or
 * wiped, comes out of build(), so two rings of one content are equal, with one
 * digest, however they came to be.
 */
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/hash.h>

#include "ring.h"

#include <stdlib.h>
#include <string.h>

#include "parts.h"
#include "wire.h"

#define CANONICAL_FORMAT 1

static unsigned hash(const uint8_t id[STEK_ID_LEN])
{
	uint64_t a, b;

	memcpy(&a, id, sizeof(a));
	memcpy(&b, id + sizeof(a), sizeof(b));
	return (unsigned)((a ^ b * 3) * UINT64_C(0x9E3779B97F4A7C15) >> 56);
}

static void fill_index(struct stek_ring *ring)
{
	for (size_t i = 0; i < ring->n_keys; i++) {
		unsigned at = hash(ring->keys[i]->id) % STEK_RING_INDEX;

		while (ring->index[at])
			at = (at + 1) % STEK_RING_INDEX;
		ring->index[at] = (uint8_t)(i + 1);
	}
}

void stek__ring_canonical(const struct stek_ring *ring,
			  struct stek_writer *writer)
{
	stek__write_u8(writer, CANONICAL_FORMAT);
	stek__write_u8(writer, (uint8_t)ring->n_keys);
	stek__write_u16(writer, (uint16_t)ring->n_tombstones);
	stek__write_i64(writer, ring->revoked_before_ms);
	for (size_t i = 0; i < ring->n_keys; i++) {
		const struct stek_key *key = ring->keys[i];
		size_t len = strlen(key->made_by);

		stek__write_bytes(writer, key->id, STEK_ID_LEN);
		stek__write_i64(writer, key->activate_at_ms);
		stek__write_i64(writer, key->expire_at_ms);
		stek__write_i64(writer, key->made_at_ms);
		stek__write_u8(writer, (uint8_t)key->reason);
		stek__write_u8(writer, (uint8_t)len);
		stek__write_bytes(writer, key->made_by, len);
	}
	for (size_t i = 0; i < ring->n_tombstones; i++) {
		const struct stek_tombstone *stone = &ring->tombstones[i];

		stek__write_bytes(writer, stone->id, STEK_ID_LEN);
		stek__write_i64(writer, stone->activate_at_ms);
		stek__write_i64(writer, stone->expire_at_ms);
		stek__write_i64(writer, stone->revoked_at_ms);
	}
}

static int compute_digest(struct stek_ring *ring)
{
	struct stek_writer writer;
	uint8_t *buf = malloc(STEK_CANONICAL_MAX);
	int ret = STEK_ECRYPTO;

	if (!buf)
		return STEK_ENOMEM;
	stek__writer_init(&writer, buf, STEK_CANONICAL_MAX);
	stek__ring_canonical(ring, &writer);
	if (!writer.failed &&
	    wc_Sha256Hash(buf, (word32)writer.len, ring->version.digest) == 0)
		ret = 0;
	free(buf);
	return ret;
}

static int by_activation(const void *a, const void *b)
{
	const struct stek_key *const *x = a;
	const struct stek_key *const *y = b;

	return stek__key_order(*x, *y);
}

void stek__ring_unref(struct stek_ring *ring)
{
	if (!ring)
		return;
	if (atomic_fetch_sub_explicit(&ring->refs, 1,
				      memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < ring->n_keys; i++)
		stek__key_unref(ring->keys[i]);
	free(ring->keys);
	free(ring->tombstones);
	free(ring);
}

/* Consumes `parts`, also on failure. */
static int build(struct stek_ring **out, struct stek_parts *parts,
		 uint64_t epoch, bool trim, int64_t now_ms)
{
	int ret = stek__parts_settle(parts, trim, now_ms);
	struct stek_ring *ring = ret < 0 ? NULL : calloc(1, sizeof(*ring));

	if (!ring) {
		stek__parts_clear(parts);
		return ret < 0 ? ret : STEK_ENOMEM;
	}
	qsort(parts->keys, parts->n_keys, sizeof(*parts->keys), by_activation);
	ring->version.epoch = epoch;
	ring->revoked_before_ms = parts->floor;
	ring->n_keys = parts->n_keys;
	ring->keys = parts->keys;
	ring->n_tombstones = parts->n_tombstones;
	ring->tombstones = parts->tombstones;
	atomic_init(&ring->refs, 1);
	fill_index(ring);
	ret = compute_digest(ring);
	if (ret < 0) {
		stek__ring_unref(ring);
		return ret;
	}
	*out = ring;
	return 0;
}

int stek__ring_new(struct stek_ring **out, uint64_t epoch,
		   struct stek_key *const *keys, size_t n_keys,
		   const struct stek_tombstone *tombstones, size_t n_tombstones,
		   int64_t revoked_before_ms)
{
	struct stek_parts parts;
	int ret = stek__parts_init(&parts, n_keys, n_tombstones);

	if (ret < 0)
		return ret;
	stek__parts_add(&parts, keys, n_keys, tombstones, n_tombstones);
	parts.floor = revoked_before_ms;
	return build(out, &parts, epoch, false, INT64_MIN);
}

int stek__ring_merge(struct stek_ring **out, const struct stek_ring *a,
		     const struct stek_ring *b)
{
	struct stek_parts parts;
	uint64_t epoch = a->version.epoch;
	int ret = stek__parts_init(&parts, a->n_keys + b->n_keys,
				   a->n_tombstones + b->n_tombstones);

	if (ret < 0)
		return ret;
	stek__parts_add(&parts, a->keys, a->n_keys, a->tombstones,
			a->n_tombstones);
	stek__parts_add(&parts, b->keys, b->n_keys, b->tombstones,
			b->n_tombstones);
	parts.floor = a->revoked_before_ms;
	if (b->revoked_before_ms > parts.floor)
		parts.floor = b->revoked_before_ms;
	if (b->version.epoch > epoch)
		epoch = b->version.epoch;
	return build(out, &parts, epoch, true, INT64_MIN);
}

static int copy(struct stek_parts *parts, const struct stek_ring *ring)
{
	int ret = stek__parts_init(parts, ring->n_keys, ring->n_tombstones);

	if (ret < 0)
		return ret;
	stek__parts_add(parts, ring->keys, ring->n_keys, ring->tombstones,
			ring->n_tombstones);
	parts->floor = ring->revoked_before_ms;
	return 0;
}

int stek__ring_with_epoch(struct stek_ring **out, const struct stek_ring *ring,
			  uint64_t epoch)
{
	struct stek_parts parts;
	int ret = copy(&parts, ring);

	if (ret < 0)
		return ret;
	return build(out, &parts, epoch, false, INT64_MIN);
}

int stek__ring_yielding(struct stek_ring **out, struct stek_ring *ring,
			uint64_t yields)
{
	struct stek_ring *next = NULL;
	int ret;

	if (ring->yields == yields) {
		*out = stek__ring_ref(ring);
		return 0;
	}
	ret = stek__ring_with_epoch(&next, ring, ring->version.epoch);
	if (ret < 0)
		return ret;
	next->yields = yields;
	*out = next;
	return 0;
}

/* A tombstone outlives what it names, whatever its own times say. */
static bool is_needed(const struct stek_ring *ring,
		      const struct stek_tombstone *stone, int64_t now_ms)
{
	const struct stek_key *key = stek__ring_find(ring, stone->id);

	return stone->expire_at_ms > now_ms ||
	       (key && key->expire_at_ms > now_ms);
}

int stek__ring_prune(struct stek_ring **out, const struct stek_ring *ring,
		     int64_t now_ms)
{
	struct stek_parts parts;
	int ret = stek__parts_init(&parts, ring->n_keys, ring->n_tombstones);

	if (ret < 0)
		return ret;
	for (size_t i = 0; i < ring->n_keys; i++) {
		if (ring->keys[i]->expire_at_ms > now_ms)
			stek__parts_add(&parts, &ring->keys[i], 1, NULL, 0);
	}
	for (size_t i = 0; i < ring->n_tombstones; i++) {
		const struct stek_tombstone *stone = &ring->tombstones[i];

		if (is_needed(ring, stone, now_ms))
			stek__parts_add(&parts, NULL, 0, stone, 1);
	}
	parts.floor = ring->revoked_before_ms;
	return build(out, &parts, ring->version.epoch, false, now_ms);
}

int stek__ring_wiped(struct stek_ring **out, struct stek_ring *ring,
		     int64_t now_ms)
{
	struct stek_parts parts;
	bool stale = false;
	int ret;

	for (size_t i = 0; i < ring->n_keys && !stale; i++) {
		const struct stek_key *key = ring->keys[i];

		stale = key->secret &&
			(key->expire_at_ms <= now_ms ||
			 stek__ring_revoked_at(ring, key) != 0);
	}
	if (!stale) {
		*out = stek__ring_ref(ring);
		return 0;
	}
	ret = copy(&parts, ring);
	if (ret < 0)
		return ret;
	return build(out, &parts, ring->version.epoch, false, now_ms);
}

/* The key that can be spared first: revoked, with a tombstone, oldest. */
static size_t spare(const struct stek_ring *ring, const bool *gone)
{
	size_t found = ring->n_keys;

	for (size_t i = 0; i < ring->n_keys; i++) {
		const struct stek_key *key = ring->keys[i];

		if (gone[i] || !stek__ring_tombstone(ring, key->id))
			continue;
		if (found == ring->n_keys ||
		    key->expire_at_ms < ring->keys[found]->expire_at_ms)
			found = i;
	}
	return found;
}

int stek__ring_shed(struct stek_ring **out, const struct stek_ring *ring,
		    size_t room)
{
	bool gone[STEK_RING_KEYS_MAX] = { false };
	struct stek_parts parts;
	size_t left = ring->n_keys;
	int ret;

	if (room > STEK_RING_KEYS_MAX)
		return STEK_EFULL;
	while (left > STEK_RING_KEYS_MAX - room) {
		size_t i = spare(ring, gone);

		if (i == ring->n_keys)
			return STEK_EFULL;
		gone[i] = true;
		left--;
	}
	ret = stek__parts_init(&parts, ring->n_keys, ring->n_tombstones);
	if (ret < 0)
		return ret;
	for (size_t i = 0; i < ring->n_keys; i++) {
		if (!gone[i])
			stek__parts_add(&parts, &ring->keys[i], 1, NULL, 0);
	}
	stek__parts_add(&parts, NULL, 0, ring->tombstones, ring->n_tombstones);
	parts.floor = ring->revoked_before_ms;
	return build(out, &parts, ring->version.epoch, false, INT64_MIN);
}

struct stek_ring *stek__ring_ref(struct stek_ring *ring)
{
	atomic_fetch_add_explicit(&ring->refs, 1, memory_order_relaxed);
	return ring;
}

const struct stek_key *stek__ring_find(const struct stek_ring *ring,
				       const uint8_t id[STEK_ID_LEN])
{
	unsigned at = hash(id) % STEK_RING_INDEX;

	for (; ring->index[at]; at = (at + 1) % STEK_RING_INDEX) {
		const struct stek_key *key = ring->keys[ring->index[at] - 1];

		if (memcmp(key->id, id, STEK_ID_LEN) == 0)
			return key;
	}
	return NULL;
}

const struct stek_tombstone *
stek__ring_tombstone(const struct stek_ring *ring,
		     const uint8_t id[STEK_ID_LEN])
{
	return stek__tombstone_find(ring->tombstones, ring->n_tombstones, id);
}

int64_t stek__ring_revoked_at(const struct stek_ring *ring,
			      const struct stek_key *key)
{
	return stek__revoked_at(ring->tombstones, ring->n_tombstones,
				ring->revoked_before_ms, key);
}

bool stek__ring_lacks(const struct stek_ring *ring,
		      const struct stek_ring *other, int64_t now_ms)
{
	for (size_t i = 0; i < ring->n_keys; i++) {
		const struct stek_key *key = ring->keys[i], *had;

		if (key->secret || key->expire_at_ms <= now_ms ||
		    stek__ring_revoked_at(ring, key))
			continue;
		had = other ? stek__ring_find(other, key->id) : NULL;
		if (!other || (had && had->secret))
			return true;
	}
	return false;
}

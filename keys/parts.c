// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * parts.c - settles what a ring is made of before ring.c seals it into a
 * snapshot: sorts, joins duplicates by value, keeps the limits and drops the
 * secrets of dead keys. The joins are the semilattice on which merging rests.
 */
#include "parts.h"

#include <stdlib.h>
#include <string.h>

void stek__parts_clear(struct stek_parts *parts)
{
	for (size_t i = 0; i < parts->n_keys; i++)
		stek__key_unref(parts->keys[i]);
	free(parts->keys);
	free(parts->tombstones);
}

int stek__parts_init(struct stek_parts *parts, size_t n_keys,
		     size_t n_tombstones)
{
	memset(parts, 0, sizeof(*parts));
	parts->keys = calloc(n_keys + 1, sizeof(*parts->keys));
	parts->tombstones = calloc(n_tombstones + 1,
				   sizeof(*parts->tombstones));
	if (parts->keys && parts->tombstones)
		return 0;
	free(parts->keys);
	free(parts->tombstones);
	return STEK_ENOMEM;
}

void stek__parts_add(struct stek_parts *parts, struct stek_key *const *keys,
		     size_t n_keys, const struct stek_tombstone *tombstones,
		     size_t n_tombstones)
{
	for (size_t i = 0; i < n_keys; i++)
		parts->keys[parts->n_keys++] = stek__key_ref(keys[i]);
	for (size_t i = 0; i < n_tombstones; i++)
		parts->tombstones[parts->n_tombstones++] = tombstones[i];
}

static int compare_i64(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int by_id(const void *a, const void *b)
{
	const struct stek_key *const *x = a;
	const struct stek_key *const *y = b;

	return memcmp((*x)->id, (*y)->id, STEK_ID_LEN);
}

/* The latest first: what a trim keeps stands in front. */
static int by_expiry(const void *a, const void *b)
{
	const struct stek_key *const *x = a;
	const struct stek_key *const *y = b;
	int order = compare_i64((*y)->expire_at_ms, (*x)->expire_at_ms);

	return order ? order : by_id(a, b);
}

static int tombstone_by_id(const void *a, const void *b)
{
	const struct stek_tombstone *x = a;
	const struct stek_tombstone *y = b;

	return memcmp(x->id, y->id, STEK_ID_LEN);
}

static int tombstone_by_expiry(const void *a, const void *b)
{
	const struct stek_tombstone *x = a;
	const struct stek_tombstone *y = b;
	int order = compare_i64(y->expire_at_ms, x->expire_at_ms);

	return order ? order : tombstone_by_id(a, b);
}

const struct stek_tombstone *
stek__tombstone_find(const struct stek_tombstone *tombstones, size_t n,
	       const uint8_t id[STEK_ID_LEN])
{
	struct stek_tombstone probe = { 0 };

	if (n == 0)
		return NULL;
	memcpy(probe.id, id, STEK_ID_LEN);
	return bsearch(&probe, tombstones, n, sizeof(probe), tombstone_by_id);
}

int64_t stek__revoked_at(const struct stek_tombstone *tombstones, size_t n,
			 int64_t floor, const struct stek_key *key)
{
	const struct stek_tombstone *stone;
	int64_t at = 0;

	stone = stek__tombstone_find(tombstones, n, key->id);
	if (stone)
		at = stone->revoked_at_ms;
	if (key->made_at_ms < floor && (!at || floor < at))
		at = floor;
	return at;
}

/* Of two tombstones of one id: the earlier revocation, the longer memory. */
static void join_tombstones(struct stek_tombstone *a,
			    const struct stek_tombstone *b)
{
	if (b->revoked_at_ms < a->revoked_at_ms)
		a->revoked_at_ms = b->revoked_at_ms;
	if (b->activate_at_ms < a->activate_at_ms)
		a->activate_at_ms = b->activate_at_ms;
	if (b->expire_at_ms > a->expire_at_ms)
		a->expire_at_ms = b->expire_at_ms;
}

static void settle_tombstones(struct stek_parts *parts)
{
	struct stek_tombstone *stones = parts->tombstones;
	size_t n = 0;

	qsort(stones, parts->n_tombstones, sizeof(*stones), tombstone_by_id);
	for (size_t i = 0; i < parts->n_tombstones; i++) {
		if (n > 0 && tombstone_by_id(&stones[n - 1], &stones[i]) == 0) {
			join_tombstones(&stones[n - 1], &stones[i]);
			continue;
		}
		stones[n++] = stones[i];
	}
	parts->n_tombstones = n;
}

/*
 * Honest nodes never make two keys of one id. Should it happen, the choice is
 * by value: the shorter life first (no key is ever lengthened), then the rest
 * in a fixed order.
 */
static int compare_metadata(const struct stek_key *a, const struct stek_key *b)
{
	int order = compare_i64(a->expire_at_ms, b->expire_at_ms);

	if (!order)
		order = compare_i64(a->activate_at_ms, b->activate_at_ms);
	if (!order)
		order = compare_i64(a->made_at_ms, b->made_at_ms);
	if (!order)
		order = (int)a->reason - (int)b->reason;
	return order ? order : strcmp(a->made_by, b->made_by);
}

/* Replaces keys[0] by the choice between it and keys[1], which it consumes. */
static int join_keys(struct stek_key **kept, struct stek_key *other)
{
	struct stek_key *chosen = *kept;
	struct stek_key *lost = other;
	struct stek_key *joined;
	int order = compare_metadata(other, *kept);
	int ret;

	if (order < 0 || (order == 0 && !(*kept)->secret)) {
		chosen = other;
		lost = *kept;
	}
	if (chosen->secret || !lost->secret) {
		*kept = chosen;
		stek__key_unref(lost);
		return 0;
	}
	ret = stek__key_new(&joined, chosen->id, lost->secret, chosen->made_by,
			    chosen->reason, chosen->made_at_ms,
			    chosen->activate_at_ms, chosen->expire_at_ms);
	*kept = ret < 0 ? chosen : joined;
	stek__key_unref(lost);
	if (ret == 0)
		stek__key_unref(chosen);
	return ret;
}

static int settle_keys(struct stek_parts *parts)
{
	struct stek_key **keys = parts->keys;
	size_t n_in = parts->n_keys;
	size_t n = 0;
	int ret = 0;

	qsort(keys, n_in, sizeof(*keys), by_id);
	for (size_t i = 0; i < n_in; i++) {
		if (ret < 0)
			stek__key_unref(keys[i]);
		else if (n > 0 && by_id(&keys[n - 1], &keys[i]) == 0)
			ret = join_keys(&keys[n - 1], keys[i]);
		else
			keys[n++] = keys[i];
	}
	parts->n_keys = n;
	return ret;
}

static void drop_key(struct stek_parts *parts, size_t i)
{
	stek__key_unref(parts->keys[i]);
	parts->keys[i] = parts->keys[--parts->n_keys];
}

/* A key whose tombstone is given up must not come back to life: it goes too. */
static void trim_tombstones(struct stek_parts *parts)
{
	const size_t max = STEK_TOMBSTONES_MAX;
	struct stek_tombstone *stones = parts->tombstones;

	if (parts->n_tombstones <= max)
		return;
	qsort(stones, parts->n_tombstones, sizeof(*stones),
	      tombstone_by_expiry);
	for (size_t s = max; s < parts->n_tombstones; s++) {
		for (size_t i = 0; i < parts->n_keys; i++) {
			if (memcmp(parts->keys[i]->id, stones[s].id,
				   STEK_ID_LEN) != 0)
				continue;
			drop_key(parts, i);
			break;
		}
	}
	parts->n_tombstones = max;
	qsort(stones, max, sizeof(*stones), tombstone_by_id);
}

static bool is_buried(const struct stek_parts *parts,
		      const struct stek_key *key)
{
	return stek__tombstone_find(parts->tombstones, parts->n_tombstones,
				    key->id) != NULL;
}

/*
 * First to go are keys that a tombstone names: it says all that the schedule
 * needs, while a live key takes its tickets along.
 */
static void trim_keys(struct stek_parts *parts)
{
	struct stek_key **keys = parts->keys;

	qsort(keys, parts->n_keys, sizeof(*keys), by_expiry);
	for (size_t i = parts->n_keys;
	     i-- > 0 && parts->n_keys > STEK_RING_KEYS_MAX;) {
		if (!is_buried(parts, keys[i]))
			continue;
		stek__key_unref(keys[i]);
		parts->n_keys--;
		memmove(&keys[i], &keys[i + 1],
			(parts->n_keys - i) * sizeof(*keys));
	}
	while (parts->n_keys > STEK_RING_KEYS_MAX)
		stek__key_unref(keys[--parts->n_keys]);
}

static bool is_dead(const struct stek_parts *parts, const struct stek_key *key,
		    int64_t now_ms)
{
	return key->expire_at_ms <= now_ms ||
	       stek__revoked_at(parts->tombstones, parts->n_tombstones,
				parts->floor, key) != 0;
}

static int drop_dead_secrets(struct stek_parts *parts, int64_t now_ms)
{
	for (size_t i = 0; i < parts->n_keys; i++) {
		struct stek_key *key = parts->keys[i];
		int ret;

		if (!key->secret || !is_dead(parts, key, now_ms))
			continue;
		ret = stek__key_without_secret(&parts->keys[i], key);
		if (ret < 0)
			return ret;
		stek__key_unref(key);
	}
	return 0;
}

static bool plausible(const struct stek_parts *parts)
{
	if (parts->floor < 0)
		return false;
	for (size_t i = 0; i < parts->n_tombstones; i++) {
		const struct stek_tombstone *stone = &parts->tombstones[i];

		/* A revocation at 0 would read as "not revoked". */
		if (stone->revoked_at_ms <= 0 || stone->activate_at_ms < 0 ||
		    stone->activate_at_ms >= stone->expire_at_ms)
			return false;
	}
	return true;
}

int stek__parts_settle(struct stek_parts *parts, bool trim, int64_t now_ms)
{
	int ret;

	if (!plausible(parts))
		return STEK_EINVAL;
	settle_tombstones(parts);
	ret = settle_keys(parts);
	if (ret < 0)
		return ret;
	if (trim) {
		trim_tombstones(parts);
		trim_keys(parts);
	}
	if (parts->n_keys > STEK_RING_KEYS_MAX ||
	    parts->n_tombstones > STEK_TOMBSTONES_MAX)
		return STEK_EFULL;
	return drop_dead_secrets(parts, now_ms);
}

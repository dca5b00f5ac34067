// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * schedule.c - which key seals, what state a key is in, which keys are missing.
 * Pure functions of ring, policy and farm time: every node that holds the same
 * ring decides the same, but for a moment about a key that came late. The sync
 * thread, the ticket callback and the admin endpoint ask here.
 */
#include "schedule.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Keys of the schedule that a ring may hold at most; the rest of its
 * STEK_RING_KEYS_MAX is for rotations and revocations by hand.
 */
#define SCHEDULED_MAX 48

/* A pending key this near makes a new one to seal with superfluous. */
#define SOON_MS 10000

/* By how much two nodes may look at a replacement's time apart. */
#define APART_MS 1000

struct limit {
	const char *name;
	size_t offset;
	uint32_t fallback, min, max;
};

#define LIMIT(field, fallback, min, max) \
	{ #field, offsetof(struct stek_policy, field), fallback, min, max }

static const struct limit limits[] = {
	LIMIT(period_s, 21600, 1, 2592000),
	/* RFC 8446 s4.6.1: MUST NOT use any value greater than 7 days. */
	LIMIT(lifetime_s, 21600, 1, 604800),
	LIMIT(chain_s, 86400, 1, 604800),
	LIMIT(pending, 2, 1, 8),
	LIMIT(rotate_delay_ms, 5000, 100, 600000),
	LIMIT(revoke_delay_ms, 2000, 100, 60000),
	LIMIT(rotate_interval_s, 60, 1, 86400),
	LIMIT(beat_ms, 1000, 20, 60000),
};

static void explain(char *why, size_t why_len, const char *name,
		    uint32_t value, uint32_t min, uint32_t max)
{
	if (why && why_len > 0)
		snprintf(why, why_len, "%s: found %" PRIu32
			 ", expected %" PRIu32 " to %" PRIu32,
			 name, value, min, max);
}

size_t stek__schedule_held(const struct stek_policy *policy)
{
	return (policy->lifetime_s + STEK_SKEW_GRACE_S) / policy->period_s + 2 +
	       policy->pending;
}

int stek__policy_check(struct stek_policy *policy, char *why, size_t why_len)
{
	struct stek_policy checked = *policy;
	size_t held;

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		const struct limit *limit = &limits[i];
		uint32_t value;

		memcpy(&value, (char *)&checked + limit->offset, sizeof(value));
		if (value == 0)
			value = limit->fallback;
		if (value < limit->min || value > limit->max) {
			explain(why, why_len, limit->name, value, limit->min,
				limit->max);
			return STEK_EINVAL;
		}
		memcpy((char *)&checked + limit->offset, &value, sizeof(value));
	}
	held = stek__schedule_held(&checked);
	if (held > SCHEDULED_MAX) {
		if (why && why_len > 0)
			snprintf(why, why_len, "period_s: found %" PRIu32
				 ", with lifetime_s %" PRIu32 " the ring would "
				 "hold %zu keys, expected at most %d",
				 checked.period_s, checked.lifetime_s, held,
				 SCHEDULED_MAX);
		return STEK_EINVAL;
	}
	*policy = checked;
	return 0;
}

static int64_t opens_only_ms(const struct stek_policy *policy)
{
	return ((int64_t)policy->lifetime_s + STEK_SKEW_GRACE_S) * 1000;
}

static int64_t period_ms(const struct stek_policy *policy)
{
	return (int64_t)policy->period_s * 1000;
}

int64_t stek__schedule_seal_until(const struct stek_policy *policy,
				  const struct stek_key *key)
{
	return key->expire_at_ms - opens_only_ms(policy);
}

int64_t stek__schedule_expire_at(const struct stek_policy *policy,
				 int64_t activate_at_ms)
{
	return activate_at_ms + period_ms(policy) + opens_only_ms(policy);
}

/* The latest activation so far, of a key or of a bare tombstone. */
struct latest {
	const uint8_t *id;		/* NULL: none yet */
	int64_t activate_at_ms;
	const struct stek_key *key;	/* NULL: a tombstone, or revoked */
};

static void consider(struct latest *latest, int64_t now_ms, const uint8_t *id,
		     int64_t activate_at_ms, int64_t revoked_at_ms,
		     const struct stek_key *key)
{
	/* Revoked before it was ever used: as if it had never been made. */
	if (revoked_at_ms && revoked_at_ms < activate_at_ms)
		return;
	if (activate_at_ms > now_ms)
		return;
	if (latest->id && activate_at_ms < latest->activate_at_ms)
		return;
	if (latest->id && activate_at_ms == latest->activate_at_ms &&
	    memcmp(id, latest->id, STEK_ID_LEN) < 0)
		return;
	latest->id = id;
	latest->activate_at_ms = activate_at_ms;
	latest->key = revoked_at_ms ? NULL : key;
}

const struct stek_key *stek__schedule_due(const struct stek_ring *ring,
					  const struct stek_policy *policy,
					  int64_t now_ms)
{
	struct latest latest = { .id = NULL };

	for (size_t i = 0; i < ring->n_keys; i++) {
		const struct stek_key *key = ring->keys[i];

		consider(&latest, now_ms, key->id, key->activate_at_ms,
			 stek__ring_revoked_at(ring, key), key);
	}
	for (size_t i = 0; i < ring->n_tombstones; i++) {
		const struct stek_tombstone *stone = &ring->tombstones[i];

		if (!stek__ring_find(ring, stone->id))
			consider(&latest, now_ms, stone->id,
				 stone->activate_at_ms, stone->revoked_at_ms,
				 NULL);
	}
	if (!latest.key || !latest.key->secret)
		return NULL;
	if (now_ms >= stek__schedule_seal_until(policy, latest.key))
		return NULL;
	return latest.key;
}

static bool yields(const struct stek_ring *ring, const struct stek_key *key)
{
	for (size_t i = 0; i < ring->n_keys; i++) {
		if (ring->keys[i] == key)
			return ring->yields >> i & 1;
	}
	return false;
}

/* The latest that may seal among those that do not yield. */
static const struct stek_key *instead(const struct stek_ring *ring,
				      const struct stek_policy *policy,
				      int64_t now_ms)
{
	for (size_t i = ring->n_keys; i-- > 0;) {
		const struct stek_key *key = ring->keys[i];

		if (!(ring->yields >> i & 1) && key->activate_at_ms <= now_ms &&
		    now_ms < stek__schedule_seal_until(policy, key) &&
		    key->secret && !stek__ring_revoked_at(ring, key))
			return key;
	}
	return NULL;
}

const struct stek_key *stek__schedule_sealing(const struct stek_ring *ring,
					      const struct stek_policy *policy,
					      int64_t now_ms)
{
	const struct stek_key *due = stek__schedule_due(ring, policy, now_ms);
	const struct stek_key *other;

	if (!ring->yields || !due || !yields(ring, due))
		return due;
	other = instead(ring, policy, now_ms);
	return other ? other : due;
}

static enum stek_state state_of(const struct stek_ring *ring,
				const struct stek_key *key,
				const struct stek_key *sealing, int64_t now_ms)
{
	if (now_ms >= key->expire_at_ms)
		return STEK_GONE;
	if (stek__ring_revoked_at(ring, key))
		return STEK_REVOKED;
	if (now_ms < key->activate_at_ms ||
	    (sealing && stek__key_order(key, sealing) > 0))
		return STEK_PENDING;
	return key == sealing ? STEK_ACTIVE : STEK_RETIRED;
}

enum stek_state stek__schedule_state(const struct stek_ring *ring,
				     const struct stek_policy *policy,
				     const struct stek_key *key, int64_t now_ms)
{
	return state_of(ring, key, stek__schedule_sealing(ring, policy, now_ms),
			now_ms);
}

static void nearer(int64_t *next, int64_t now_ms, int64_t at_ms)
{
	if (at_ms > now_ms && at_ms < *next)
		*next = at_ms;
}

int64_t stek__schedule_next_event(const struct stek_ring *ring,
				  const struct stek_policy *policy,
				  int64_t now_ms)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < ring->n_keys; i++) {
		const struct stek_key *key = ring->keys[i];

		nearer(&next, now_ms, key->activate_at_ms);
		nearer(&next, now_ms, stek__schedule_seal_until(policy, key));
		nearer(&next, now_ms, key->expire_at_ms);
	}
	/* A revocation by a clock ahead of ours silences when it activates. */
	for (size_t i = 0; i < ring->n_tombstones; i++) {
		nearer(&next, now_ms, ring->tombstones[i].activate_at_ms);
		nearer(&next, now_ms, ring->tombstones[i].expire_at_ms);
	}
	return next;
}

/* An unrevoked key that activates in [from, to]. */
static bool has_key(const struct stek_ring *ring, int64_t from_ms,
		    int64_t to_ms)
{
	for (size_t i = 0; i < ring->n_keys; i++) {
		const struct stek_key *key = ring->keys[i];

		if (key->activate_at_ms >= from_ms &&
		    key->activate_at_ms <= to_ms &&
		    !stek__ring_revoked_at(ring, key))
			return true;
	}
	return false;
}

/* Any key or tombstone, revoked or not, that activates in [from, to]. */
static bool has_trace(const struct stek_ring *ring, int64_t from_ms,
		      int64_t to_ms)
{
	for (size_t i = 0; i < ring->n_keys; i++) {
		int64_t at = ring->keys[i]->activate_at_ms;

		if (at >= from_ms && at <= to_ms)
			return true;
	}
	for (size_t i = 0; i < ring->n_tombstones; i++) {
		int64_t at = ring->tombstones[i].activate_at_ms;

		if (at >= from_ms && at <= to_ms)
			return true;
	}
	return false;
}

/*
 * True when a key must be made beside those of the slots to come, so that
 * somebody seals; *out is when it activates. One that activates now would seal
 * before other nodes hold it, so but for the first key of a slot it waits as a
 * replacement after a revoke does.
 */
static bool lacks_sealing(const struct stek_ring *ring,
			  const struct stek_policy *policy, int64_t now_ms,
			  int64_t *out)
{
	const struct stek_key *key = stek__schedule_due(ring, policy, now_ms);
	int64_t ready_ms = now_ms + policy->revoke_delay_ms;
	int64_t near_ms = ready_ms + APART_MS, until_ms;
	int64_t slot = now_ms - now_ms % period_ms(policy);

	if (!key) {
		if (near_ms < now_ms + SOON_MS)
			near_ms = now_ms + SOON_MS;
		/* What activates before another trace would not be chosen. */
		*out = has_trace(ring, slot, now_ms) ? ready_ms : slot;
		return !has_key(ring, now_ms + 1, near_ms);
	}
	/*
	 * A revocation that comes late may have brought an older key back, one
	 * that ends before the next slot: its successor takes over then. The
	 * next slot's own key is there, or made in the same pass.
	 */
	until_ms = stek__schedule_seal_until(policy, key);
	if (near_ms < until_ms)
		near_ms = until_ms;
	*out = until_ms > ready_ms ? until_ms : ready_ms;
	return slot + period_ms(policy) > near_ms &&
	       !has_key(ring, now_ms + 1, near_ms);
}

size_t stek__schedule_missing(const struct stek_ring *ring,
			      const struct stek_policy *policy, int64_t now_ms,
			      int64_t out[STEK_MISSING_MAX])
{
	int64_t period = period_ms(policy);
	int64_t slot = now_ms - now_ms % period;
	size_t n = lacks_sealing(ring, policy, now_ms, &out[0]) ? 1 : 0;

	for (uint32_t i = 1; i <= policy->pending; i++) {
		int64_t at = slot + (int64_t)i * period;

		if (n < STEK_MISSING_MAX && !has_key(ring, at, at) &&
		    !(n > 0 && out[0] == at))
			out[n++] = at;
	}
	return n;
}

static int by_activation(const void *a, const void *b)
{
	const struct stek_key_info *x = a;
	const struct stek_key_info *y = b;

	if (x->activate_at_ms != y->activate_at_ms)
		return x->activate_at_ms < y->activate_at_ms ? -1 : 1;
	return memcmp(x->id, y->id, STEK_ID_LEN);
}

/* Tombstones of keys that this ring has never held, as far as there is room. */
static void add_bare(const struct stek_ring *ring,
		     const struct stek_policy *policy, int64_t now_ms,
		     struct stek_ring_info *out)
{
	for (size_t i = 0; i < ring->n_tombstones; i++) {
		const struct stek_tombstone *stone = &ring->tombstones[i];
		struct stek_key_info *info = &out->keys[out->n_keys];

		if (out->n_keys == STEK_RING_KEYS_MAX)
			return;
		if (stek__ring_find(ring, stone->id))
			continue;
		memcpy(info->id, stone->id, STEK_ID_LEN);
		info->state = now_ms < stone->expire_at_ms ? STEK_REVOKED :
							     STEK_GONE;
		info->activate_at_ms = stone->activate_at_ms;
		info->seal_until_ms =
			stone->expire_at_ms - opens_only_ms(policy);
		info->expire_at_ms = stone->expire_at_ms;
		info->revoked_at_ms = stone->revoked_at_ms;
		out->n_keys++;
	}
}

void stek__schedule_info(const struct stek_ring *ring,
			 const struct stek_policy *policy, int64_t now_ms,
			 struct stek_ring_info *out)
{
	const struct stek_key *sealing;

	sealing = stek__schedule_sealing(ring, policy, now_ms);
	memset(out, 0, sizeof(*out));
	out->version = ring->version;
	out->now_ms = now_ms;
	out->revoked_before_ms = ring->revoked_before_ms;
	for (size_t i = 0; i < ring->n_keys; i++) {
		const struct stek_key *key = ring->keys[i];
		struct stek_key_info *info = &out->keys[out->n_keys++];

		memcpy(info->id, key->id, STEK_ID_LEN);
		info->state = state_of(ring, key, sealing, now_ms);
		info->reason = key->reason;
		info->activate_at_ms = key->activate_at_ms;
		info->seal_until_ms = stek__schedule_seal_until(policy, key);
		info->expire_at_ms = key->expire_at_ms;
		info->made_at_ms = key->made_at_ms;
		info->revoked_at_ms = stek__ring_revoked_at(ring, key);
		memcpy(info->made_by, key->made_by, sizeof(info->made_by));
	}
	add_bare(ring, policy, now_ms, out);
	qsort(out->keys, out->n_keys, sizeof(out->keys[0]), by_activation);
}

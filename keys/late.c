// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * late.c - keys that reached this node late: when their time had come, or so
 * short before that others may not have them by then. So it is where stores
 * that took keys apart are joined, or one is set back. Tickets under such a key
 * would cost clients a full handshake at every node that is still to hear of
 * it, so it yields for a while to the key that sealed here before and the keys
 * between the two, as long as one of them may seal. Called by sync.c.
 */
#include <string.h>

#include "sync.h"

/*
 * Half of a rotation's delay is what every live node has to acknowledge its key
 * in: a key that comes later than that may be ahead of the others.
 */
static bool is_late(const struct stek_policy *policy,
		    const struct stek_key *key, int64_t now_ms)
{
	return now_ms > key->activate_at_ms - policy->rotate_delay_ms / 2;
}

/* In which a key that one node has reaches every other that is live. */
static int64_t grace_ms(const struct stek_policy *policy)
{
	int64_t beats_ms = (int64_t)policy->beat_ms * STEK_LIVE_BEATS;

	return policy->rotate_delay_ms > beats_ms ? policy->rotate_delay_ms :
						    beats_ms;
}

static bool is_marked(const struct stek_sync *sync, const struct stek_key *key)
{
	size_t i;

	for (i = 0; i < sync->n_late; i++) {
		if (!memcmp(sync->late[i].id, key->id, STEK_ID_LEN))
			return true;
	}
	return false;
}

/* Those that the farm has by now, that are gone, or whose turn it is here. */
static void drop(struct stek_sync *sync, const struct stek_ring *ring,
		 const struct stek_key *sealing)
{
	int64_t mono_ms = stek__sync_mono(sync);
	size_t i, n = 0;

	for (i = 0; i < sync->n_late; i++) {
		const struct stek_late *late = &sync->late[i];
		const struct stek_key *key = stek__ring_find(ring, late->id);

		if (mono_ms < late->until_ms && key &&
		    stek__key_order(key, sealing) > 0)
			sync->late[n++] = *late;
	}
	sync->n_late = n;
}

static void add(struct stek_sync *sync, const struct stek_ring *ring,
		const struct stek_key *sealing)
{
	const struct stek_ring *ours = stek__sync_ring(sync);
	const struct stek_policy *policy = &sync->farm->policy;
	int64_t now_ms = stek__sync_farm_ms(sync);
	size_t i;

	for (i = 0; i < ring->n_keys; i++) {
		const struct stek_key *key = ring->keys[i];
		struct stek_late *late = &sync->late[sync->n_late];

		if (stek__key_order(key, sealing) <= 0 ||
		    stek__ring_find(ours, key->id) ||
		    !is_late(policy, key, now_ms))
			continue;
		memcpy(late->id, key->id, STEK_ID_LEN);
		late->until_ms = stek__sync_mono(sync) + grace_ms(policy);
		sync->n_late++;
	}
}

/*
 * Keys before the one that seals yield too: no older key ever seals again, were
 * that one revoked now.
 */
static uint64_t bits(const struct stek_sync *sync, const struct stek_ring *ring,
		     const struct stek_key *sealing)
{
	uint64_t yields = 0;
	size_t i;

	if (sync->n_late == 0)
		return 0;
	for (i = 0; i < ring->n_keys; i++) {
		const struct stek_key *key = ring->keys[i];

		if (stek__key_order(key, sealing) < 0 || is_marked(sync, key))
			yields |= UINT64_C(1) << i;
	}
	return yields;
}

void stek__late_mark(struct stek_sync *sync, struct stek_ring **ring)
{
	const struct stek_key *sealing =
		stek__schedule_sealing(stek__sync_ring(sync),
				       &sync->farm->policy,
				       stek__sync_farm_ms(sync));
	struct stek_ring *marked = NULL;
	uint64_t yields = 0;

	/* Where nothing seals there is nothing to yield to. */
	if (sealing) {
		drop(sync, *ring, sealing);
		add(sync, *ring, sealing);
		yields = bits(sync, *ring, sealing);
	} else {
		sync->n_late = 0;
	}
	/* Without memory a ring goes as it is, and is marked a beat later. */
	sync->late_again_ms = 0;
	if (stek__ring_yielding(&marked, *ring, yields)) {
		sync->late_again_ms = stek__sync_mono(sync) +
				      sync->farm->policy.beat_ms;
		return;
	}
	stek__ring_unref(*ring);
	*ring = marked;
}

int64_t stek__late_due_ms(const struct stek_sync *sync)
{
	int64_t due_ms = sync->late_again_ms ? sync->late_again_ms : INT64_MAX;
	size_t i;

	for (i = 0; i < sync->n_late; i++) {
		if (sync->late[i].until_ms < due_ms)
			due_ms = sync->late[i].until_ms;
	}
	return due_ms;
}

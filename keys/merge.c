// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * merge.c - makes this node's ring and the store's one: fetches, merges, and
 * publishes what the store lacks by compare-and-set. Mints missing keys too,
 * which enter our ring only after the store took them. Called after every
 * exchange with the store.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sync.h"

#define JITTER_MS 500
#define JITTER_FIRST_MS 100	/* an empty farm waits for its first key */
/*
 * Entries past expiry are deleted from the store this much later, when every
 * clock agrees on it; else a slow node would put them back.
 */
#define PRUNE_GRACE_MS 30000
#define PRUNE_GAP_MS 60000

const struct stek_version *stek__merge_expect(struct stek_sync *sync)
{
	return sync->absent ? NULL : &stek__sync_ring(sync)->version;
}

/* Counted and told once for each version; our good ring stays. */
static void refuse_record(struct stek_sync *sync,
			  const struct stek_version *version, int err,
			  const char *detail)
{
	if (sync->has_bad && stek_version_equal(&sync->bad, version))
		return;
	sync->bad = *version;
	sync->has_bad = true;
	stek__sync_count(sync, &sync->status.records_refused);
	stek__sync_event(sync, STEK_EVENT_RECORD_BAD, err, NULL, detail);
}

static int fetch(struct stek_sync *sync, const struct stek_version *version,
		 struct stek_ring **out)
{
	struct stek_farm *farm = sync->farm;
	struct stek_blob doc = { NULL, 0 };
	int err;

	err = sync->store->ops->load(sync->store, &doc);
	stek__sync_answered(sync, err);
	if (!err)
		err = stek__record_open(out, farm->farm_keys, farm->name,
					doc.data, doc.len);
	stek__blob_free(&doc);
	if (err == STEK_EFORMAT || err == STEK_EAUTH)
		refuse_record(sync, version, err, stek_strerror(err));
	return err;
}

static void tell_minted(struct stek_sync *sync, struct stek_key *const *keys,
			size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		stek__sync_count(sync, &sync->status.minted);
		stek__sync_event(sync, STEK_EVENT_MINTED, 0, keys[i]->id,
				 stek_reason_name(keys[i]->reason));
	}
}

/*
 * A write that too few replicas have stands all the same: should a failover
 * lose it, the nodes put it back. But an operator who asked for replicas wants
 * to know.
 */
static void tell_replicas(struct stek_sync *sync,
			  const struct stek_version *version)
{
	struct stek_replicas replicas = { 0, 0 };
	char detail[96];

	if (!sync->store->ops->replicas)
		return;
	sync->store->ops->replicas(sync->store, &replicas);
	pthread_mutex_lock(&sync->lock);
	sync->status.replicas_wanted = replicas.wanted;
	sync->status.replicas_confirmed = replicas.confirmed;
	pthread_mutex_unlock(&sync->lock);
	if (replicas.confirmed >= replicas.wanted)
		return;
	stek__sync_count(sync, &sync->status.unconfirmed);
	snprintf(detail, sizeof(detail), "%u of %u replicas have epoch %" PRIu64,
		 replicas.confirmed, replicas.wanted, version->epoch);
	stek__sync_event(sync, STEK_EVENT_UNCONFIRMED, 0, NULL, detail);
}

/* The next ring: base without what expired long ago, and the extra keys. */
static int compose(struct stek_ring **out, const struct stek_ring *base,
		   struct stek_key *const *extra, size_t n_extra,
		   int64_t now_ms)
{
	struct stek_key *keys[STEK_RING_KEYS_MAX];
	struct stek_ring *kept = NULL, *roomy = NULL;
	int err;

	err = stek__ring_prune(&kept, base, now_ms - PRUNE_GRACE_MS);
	if (!err)
		err = stek__ring_shed(&roomy, kept, n_extra);
	if (!err) {
		memcpy(keys, roomy->keys, roomy->n_keys * sizeof(keys[0]));
		if (n_extra)
			memcpy(keys + roomy->n_keys, extra,
			       n_extra * sizeof(keys[0]));
		err = stek__ring_new(out, base->version.epoch + 1, keys,
				     roomy->n_keys + n_extra, roomy->tombstones,
				     roomy->n_tombstones,
				     roomy->revoked_before_ms);
	}
	stek__ring_unref(roomy);
	stek__ring_unref(kept);
	return err;
}

int stek__merge_propose(struct stek_sync *sync, const struct stek_ring *base,
			struct stek_key *const *extra, size_t n_extra,
			const struct stek_version *expect)
{
	struct stek_farm *farm = sync->farm;
	struct stek_blob doc = { NULL, 0 };
	struct stek_ring *next = NULL;
	int err;

	err = compose(&next, base, extra, n_extra, stek__sync_farm_ms(sync));
	if (!err)
		err = stek__record_seal(&doc, farm->farm_keys, farm->name,
					next);
	if (err)
		goto out;
	sync->in_sync = false;
	err = sync->store->ops->publish(sync->store, expect, &next->version,
					doc.data, doc.len);
	stek__sync_answered(sync, err);
	if (err == STEK_ECONFLICT)
		stek__sync_count(sync, &sync->status.conflicts);
	if (err)
		goto out;
	stek__sync_count(sync, &sync->status.published);
	tell_replicas(sync, &next->version);
	stek__sync_install(sync, stek__ring_ref(next));
	sync->in_sync = true;
	sync->absent = false;
	/* Our own acknowledgement, without waiting for a beat. */
	sync->next_beat_ms = stek__sync_mono(sync);
	tell_minted(sync, extra, n_extra);
out:
	stek__blob_free(&doc);
	stek__ring_unref(next);
	return err;
}

/* Another node was first: look again soon, but not all at the same time. */
static void again_soon(struct stek_sync *sync)
{
	sync->next_beat_ms = stek__sync_mono(sync) +
			     stek__sync_random(sync, 10);
}

/*
 * Publishes a ring of which the store lacks a part. `held`: what the store has
 * now. If the store does not take it, we hold the union all the same.
 */
static void restore(struct stek_sync *sync, struct stek_ring *ring,
		    const struct stek_version *held)
{
	struct stek_key *extra[STEK_MISSING_MAX + 1];
	bool ours_by_chance = !sync->current;
	size_t i, n;
	int err;

	n = stek__revoke_extra(sync, ring, extra);
	err = stek__merge_propose(sync, ring, extra, n, held);
	for (i = 0; i < n; i++)
		stek__key_unref(extra[i]);
	if (!err) {
		stek__change_published(sync);
		if (!ours_by_chance)
			return;
		stek__sync_count(sync, &sync->status.restored);
		stek__sync_event(sync, STEK_EVENT_RESTORED, 0, NULL,
				 held ? "the store held less" :
					"the store was empty");
		return;
	}
	if (!stek_version_equal(&ring->version,
				&stek__sync_ring(sync)->version))
		stek__sync_install(sync, stek__ring_ref(ring));
	if (err == STEK_ECONFLICT)
		again_soon(sync);
}

static void refill(struct stek_sync *sync)
{
	struct stek_ring *ours = stek__ring_ref(stek__sync_ring(sync));

	sync->has_bad = false;
	sync->absent = ours->version.epoch == 0 && ours->n_keys == 0 &&
		       ours->n_tombstones == 0 && ours->revoked_before_ms == 0;
	sync->in_sync = sync->absent;
	if (!sync->absent)
		restore(sync, ours, NULL);
	stek__ring_unref(ours);
}

/* `held` is the version under which the store keeps `theirs`. */
static void unite(struct stek_sync *sync, const struct stek_ring *theirs,
		  const struct stek_version *held)
{
	struct stek_ring *ours = stek__sync_ring(sync);
	struct stek_ring *kept = NULL, *all = NULL;
	bool less, stale;
	int err;

	err = stek__ring_prune(&kept, ours, stek__sync_farm_ms(sync));
	if (!err)
		err = stek__ring_merge(&all, kept, theirs);
	if (err) {
		refuse_record(sync, held, err, stek_strerror(err));
		goto out;
	}
	less = memcmp(all->version.digest, theirs->version.digest,
		      STEK_DIGEST_LEN) ||
	       theirs->version.epoch < ours->version.epoch;
	/* The store names its ring by a version that the ring does not have. */
	stale = stek_version_equal(&theirs->version, &ours->version) &&
		!stek_version_equal(held, &ours->version);
	if (less || stale) {
		restore(sync, all, held);
		goto out;
	}
	sync->in_sync = stek_version_equal(held, &all->version);
	if (!stek_version_equal(&all->version, &ours->version))
		stek__sync_install(sync, stek__ring_ref(all));
out:
	stek__ring_unref(all);
	stek__ring_unref(kept);
}

void stek__merge(struct stek_sync *sync, const struct stek_pulse *pulse)
{
	static const struct stek_version nameless;
	struct stek_ring *theirs = NULL;
	int err;

	if (!pulse->has_ring) {
		refill(sync);
		return;
	}
	sync->absent = false;
	sync->in_sync = stek_version_equal(&pulse->version,
					   &stek__sync_ring(sync)->version);
	if (sync->in_sync) {
		sync->has_bad = false;
		return;
	}
	if (stek_version_equal(&pulse->version, &nameless)) {
		refuse_record(sync, &nameless, STEK_EFORMAT,
			      "the store's ring has no version");
		return;
	}
	err = fetch(sync, &pulse->version, &theirs);
	if (err == STEK_EABSENT)
		again_soon(sync);
	if (err)
		return;
	sync->has_bad = false;
	unite(sync, theirs, &pulse->version);
	stek__ring_unref(theirs);
}

size_t stek__merge_missing(struct stek_sync *sync, const struct stek_ring *ring,
			   struct stek_key *out[STEK_MISSING_MAX])
{
	const struct stek_policy *policy = &sync->farm->policy;
	int64_t now_ms = stek__sync_farm_ms(sync), made_at_ms = now_ms;
	int64_t at[STEK_MISSING_MAX];
	size_t i, n, used = 0;

	/* A key made before the floor would be born revoked. */
	if (made_at_ms < ring->revoked_before_ms)
		made_at_ms = ring->revoked_before_ms;
	n = stek__schedule_missing(ring, policy, now_ms, at);
	for (i = 0; i < n; i++) {
		if (!stek__key_mint(&out[used], sync->farm->node,
				    STEK_MADE_BY_SCHEDULE, made_at_ms, at[i],
				    stek__schedule_expire_at(policy, at[i])))
			used++;
	}
	return used;
}

static bool has_leftovers(const struct stek_ring *ring, int64_t now_ms)
{
	int64_t before_ms = now_ms - PRUNE_GRACE_MS;
	size_t i;

	for (i = 0; i < ring->n_keys; i++) {
		if (ring->keys[i]->expire_at_ms <= before_ms)
			return true;
	}
	for (i = 0; i < ring->n_tombstones; i++) {
		if (ring->tombstones[i].expire_at_ms <= before_ms)
			return true;
	}
	return false;
}

/* True when the ring lacks a key, or the store should forget one. */
static bool wanting(struct stek_sync *sync, const struct stek_ring *ours)
{
	int64_t now_ms = stek__sync_farm_ms(sync);
	int64_t at[STEK_MISSING_MAX];

	if (stek__schedule_missing(ours, &sync->farm->policy, now_ms, at))
		return true;
	return stek__sync_mono(sync) >= sync->prune_after_ms &&
	       has_leftovers(ours, now_ms);
}

/* No leader: whoever's jitter ends first mints, the others find it done. */
void stek__merge_mint(struct stek_sync *sync)
{
	struct stek_ring *ours = stek__sync_ring(sync);
	int64_t mono_ms = stek__sync_mono(sync);
	struct stek_key *keys[STEK_MISSING_MAX];
	size_t i, n;
	int err;

	if (!sync->in_sync || sync->current)
		return;
	if (!wanting(sync, ours)) {
		sync->mint_at_ms = 0;
		return;
	}
	if (!sync->mint_at_ms)
		sync->mint_at_ms = mono_ms + stek__sync_random(sync,
			sync->absent ? JITTER_FIRST_MS : JITTER_MS);
	if (mono_ms < sync->mint_at_ms)
		return;
	sync->mint_at_ms = 0;
	stek__ring_ref(ours);
	n = stek__merge_missing(sync, ours, keys);
	if (n == 0)
		sync->prune_after_ms = mono_ms + PRUNE_GAP_MS;
	err = stek__merge_propose(sync, ours, keys, n,
				  stek__merge_expect(sync));
	for (i = 0; i < n; i++)
		stek__key_unref(keys[i]);
	stek__ring_unref(ours);
	if (err == STEK_ECONFLICT)
		again_soon(sync);
	else if (err)
		sync->mint_at_ms = mono_ms + sync->farm->policy.beat_ms;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * merge.c - makes this node's ring and a store's one: fetches, merges, and has
 * published what the store lacks. Mints missing keys too, which enter our ring
 * only after a store took them. Called after every exchange with a store.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sync.h"

#define JITTER_MS 500
#define JITTER_FIRST_MS 100	/* an empty farm waits for its first key */
#define PRUNE_GAP_MS 60000
#define OTHERS_BEATS 5		/* in which who lives has put a lost ring back */

/* Counted and told once for each version; our good ring stays. */
static void refuse_record(struct stek_sync *sync, struct stek_link *link,
			  const struct stek_version *version, int err,
			  const char *detail)
{
	bool again = link->has_bad && stek_version_equal(&link->bad, version);

	link->bad = *version;
	link->has_bad = true;
	stek__link_refresh(sync);
	if (again)
		return;
	stek__sync_count(sync, &sync->status.records_refused);
	stek__sync_event(sync, STEK_EVENT_RECORD_BAD, err, NULL, detail);
}

static int fetch(struct stek_sync *sync, struct stek_link *link,
		 const struct stek_version *version, struct stek_ring **out)
{
	struct stek_farm *farm = sync->farm;
	struct stek_blob doc = { NULL, 0 };
	int err;

	err = link->store->ops->load(link->store, &doc);
	stek__link_answered(sync, link, err);
	if (!err) {
		err = stek__record_open(out, farm->farm_keys, farm->name,
					doc.data, doc.len);
		stek__roll_saw(sync, doc.data, doc.len, !err);
	}
	stek__blob_free(&doc);
	if (err == STEK_EFORMAT || err == STEK_EAUTH)
		refuse_record(sync, link, version, err, stek_strerror(err));
	return err;
}

/* Another node was first: look again soon, but not all at the same time. */
void stek__merge_again_soon(struct stek_sync *sync, struct stek_link *link)
{
	link->next_beat_ms = stek__sync_mono(sync) +
			     stek__sync_random(sync, 10);
}

static void tell_restored(struct stek_sync *sync, const struct stek_link *link,
			  bool was_empty)
{
	size_t n = (size_t)(link - sync->links) + 1;
	char detail[64];

	snprintf(detail, sizeof(detail), "%s", was_empty ?
		 "the store was empty" : "the store held less");
	if (sync->n_links > 1)
		snprintf(detail, sizeof(detail), "store %zu %s", n,
			 was_empty ? "was empty" : "held less");
	stek__sync_count(sync, &sync->status.restored);
	stek__sync_event(sync, STEK_EVENT_RESTORED, 0, NULL, detail);
}

/* A store holds our ring already: a laggard needs that one, not a newer. */
static bool is_held(const struct stek_sync *sync, const struct stek_ring *ring)
{
	size_t i;

	if (!stek_version_equal(&ring->version,
				&stek__sync_ring(sync)->version))
		return false;
	for (i = 0; i < sync->n_links; i++) {
		if (stek__link_in_sync(sync, &sync->links[i]))
			return true;
	}
	return false;
}

/*
 * Publishes a ring of which the link's store lacks a part. If it does not take
 * it, we hold the union all the same.
 */
static void restore(struct stek_sync *sync, struct stek_link *link,
		    struct stek_ring *ring)
{
	struct stek_key *extra[STEK_MISSING_MAX + 1];
	bool ours_by_chance = !sync->current, was_empty = link->empty;
	size_t i, n;
	int err;

	n = stek__revoke_extra(sync, ring, extra);
	if (n == 0 && is_held(sync, ring))
		err = stek__merge_copy(sync, link);
	else
		err = stek__merge_propose(sync, ring, extra, n, link);
	for (i = 0; i < n; i++)
		stek__key_unref(extra[i]);
	if (!err) {
		stek__change_published(sync);
		if (ours_by_chance)
			tell_restored(sync, link, was_empty);
		return;
	}
	if (!stek_version_equal(&ring->version,
				&stek__sync_ring(sync)->version))
		stek__sync_install(sync, stek__ring_ref(ring));
	if (err == STEK_ECONFLICT)
		stek__merge_again_soon(sync, link);
}

static void refill(struct stek_sync *sync, struct stek_link *link)
{
	struct stek_ring *ours = stek__ring_ref(stek__sync_ring(sync));
	int64_t empty_ms;

	link->has_bad = false;
	stek__link_holds(sync, link, NULL);
	/*
	 * Under a farm key that the others have left, it would lock them out;
	 * but then they put theirs back within a beat or two.
	 */
	empty_ms = stek__sync_mono(sync) - link->empty_at_ms;
	if (!stek__link_in_sync(sync, link) &&
	    (!stek__roll_lacking(sync) ||
	     empty_ms >= (int64_t)sync->farm->policy.beat_ms * OTHERS_BEATS))
		restore(sync, link, ours);
	stek__ring_unref(ours);
}

/* `held` is the version under which the store keeps `theirs`. */
static void unite(struct stek_sync *sync, struct stek_link *link,
		  const struct stek_ring *theirs,
		  const struct stek_version *held)
{
	struct stek_ring *ours = stek__ring_ref(stek__sync_ring(sync));
	struct stek_ring *kept = NULL, *all = NULL;
	int64_t now_ms = stek__sync_farm_ms(sync);
	bool less, stale;
	int err;

	err = stek__ring_prune(&kept, ours, stek__astray(sync) ? 0 : now_ms);
	if (!err)
		err = stek__ring_merge(&all, kept, theirs);
	if (err) {
		refuse_record(sync, link, held, err, stek_strerror(err));
		goto out;
	}
	less = memcmp(all->version.digest, theirs->version.digest,
		      STEK_DIGEST_LEN) ||
	       theirs->version.epoch < ours->version.epoch ||
	       stek__ring_lacks(theirs, ours, now_ms);
	/* The store names its ring by a version that the ring does not have. */
	stale = stek_version_equal(&theirs->version, &ours->version) &&
		!stek_version_equal(held, &ours->version);
	/* Each may have wiped what the other has: a copy of ours must be whole. */
	if (stek_version_equal(&all->version, &ours->version) &&
	    stek__ring_lacks(ours, theirs, now_ms))
		stek__sync_install(sync, stek__ring_ref(all));
	if (less || stale)
		restore(sync, link, all);
	else if (!stek_version_equal(&all->version, &ours->version))
		stek__sync_install(sync, stek__ring_ref(all));
out:
	stek__ring_unref(all);
	stek__ring_unref(kept);
	stek__ring_unref(ours);
}

void stek__merge(struct stek_sync *sync, struct stek_link *link,
		 const struct stek_pulse *pulse)
{
	static const struct stek_version nameless;
	struct stek_ring *theirs = NULL;
	int err;

	if (!pulse->has_ring) {
		refill(sync, link);
		return;
	}
	if (stek_version_equal(&pulse->version, &nameless)) {
		stek__link_unknown(sync, link);
		refuse_record(sync, link, &nameless, STEK_EFORMAT,
			      "the store's ring has no version");
		return;
	}
	stek__link_holds(sync, link, &pulse->version);
	/*
	 * A clock that ran ahead for a while has wiped what was not expired;
	 * the same ring is fetched again then, for its secrets.
	 */
	if (stek__link_in_sync(sync, link) &&
	    !stek__ring_lacks(stek__sync_ring(sync), NULL,
			      stek__sync_farm_ms(sync))) {
		link->has_bad = false;
		return;
	}
	err = fetch(sync, link, &pulse->version, &theirs);
	if (err == STEK_EABSENT)
		stek__merge_again_soon(sync, link);
	if (err)
		return;
	link->has_bad = false;
	stek__link_refresh(sync);
	unite(sync, link, theirs, &pulse->version);
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
	int64_t before_ms = now_ms - STEK_PRUNE_GRACE_MS;
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
	if (stek__astray(sync) || !wanting(sync, ours)) {
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
	err = stek__merge_propose(sync, ours, keys, n, NULL);
	for (i = 0; i < n; i++)
		stek__key_unref(keys[i]);
	stek__ring_unref(ours);
	if (err && err != STEK_ECONFLICT)
		sync->mint_at_ms = mono_ms + sync->farm->policy.beat_ms;
}

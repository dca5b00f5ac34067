// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * publish.c - writes rings into the stores, each by its own compare-and-set:
 * a new one into all that can take it, or ours into one that lags behind. A
 * ring counts as accepted when one store took it; the others get it by union.
 * Called by merge.c, rotate.c and change.c.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sync.h"

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
static void tell_replicas(struct stek_sync *sync, struct stek_store *store,
			  const struct stek_version *version)
{
	struct stek_replicas replicas = { 0, 0 };
	char detail[96];

	if (!store->ops->replicas)
		return;
	store->ops->replicas(store, &replicas);
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

	err = stek__ring_prune(&kept, base, now_ms - STEK_PRUNE_GRACE_MS);
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

static int write_one(struct stek_sync *sync, struct stek_link *link,
		     const struct stek_version *version,
		     const struct stek_blob *doc)
{
	int err = link->store->ops->publish(link->store,
					    link->empty ? NULL : &link->held,
					    version, doc->data, doc->len);

	stek__link_unknown(sync, link);
	stek__link_answered(sync, link, err);
	if (err == STEK_ECONFLICT)
		stek__sync_count(sync, &sync->status.conflicts);
	if (err)
		return err;
	stek__roll_wrote(sync);
	tell_replicas(sync, link->store, version);
	stek__link_holds(sync, link, version);
	return 0;
}

/* Nothing of what the store holds may be lost by the write. */
static bool takes(const struct stek_sync *sync, const struct stek_link *link,
		  const struct stek_link *merged)
{
	if (link->state != STEK_STORE_OK || !link->known)
		return false;
	return link == merged || link->empty || stek__link_in_sync(sync, link);
}

/*
 * Of two changes that expect one ring each could find a store that takes it.
 * All nodes write in one order, so the first store that holds another decides.
 */
static bool is_expecting(const struct stek_sync *sync)
{
	return sync->current && sync->current->has_expect &&
	       sync->current->phase == STEK_PHASE_PUBLISH;
}

static int write_all(struct stek_sync *sync, struct stek_link *merged,
		     const struct stek_version *version,
		     const struct stek_blob *doc)
{
	int err, result = STEK_ECONFLICT;
	struct stek_link *link = NULL;
	bool accepted = false;

	while ((link = stek__link_next(sync, link))) {
		if (!takes(sync, link, merged))
			continue;
		err = write_one(sync, link, version, doc);
		accepted = accepted || !err;
		if (err)
			result = err;
		if (err != STEK_ECONFLICT)
			continue;
		stek__merge_again_soon(sync, link);
		if (!accepted && is_expecting(sync))
			break;
	}
	return accepted ? 0 : result;
}

int stek__merge_propose(struct stek_sync *sync, const struct stek_ring *base,
			struct stek_key *const *extra, size_t n_extra,
			struct stek_link *merged)
{
	struct stek_farm *farm = sync->farm;
	struct stek_blob doc = { NULL, 0 };
	struct stek_ring *next = NULL;
	int err;

	/* By a wrong clock nothing has expired. */
	err = compose(&next, base, extra, n_extra,
		      stek__astray(sync) ? 0 : stek__sync_farm_ms(sync));
	if (!err)
		err = stek__record_seal(&doc, farm->farm_keys, farm->name,
					next);
	if (!err)
		err = write_all(sync, merged, &next->version, &doc);
	if (err)
		goto out;
	stek__sync_count(sync, &sync->status.published);
	stek__sync_install(sync, stek__ring_ref(next));
	/* Our own acknowledgement, without waiting for a beat. */
	sync->next_beat_ms = stek__sync_mono(sync);
	tell_minted(sync, extra, n_extra);
out:
	stek__blob_free(&doc);
	stek__ring_unref(next);
	return err;
}

int stek__merge_copy(struct stek_sync *sync, struct stek_link *link)
{
	const struct stek_ring *ours = stek__sync_ring(sync);
	struct stek_farm *farm = sync->farm;
	struct stek_blob doc = { NULL, 0 };
	int err;

	err = stek__record_seal(&doc, farm->farm_keys, farm->name, ours);
	if (!err)
		err = write_one(sync, link, &ours->version, &doc);
	if (!err)
		stek__sync_count(sync, &sync->status.published);
	stek__blob_free(&doc);
	return err;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * revoke.c - what an emergency revocation does to the ring: tombstones and, for
 * all keys, the floor, in force on this node before anything is asked of the
 * store (but for one that expects a ring); then the keys that take the place
 * of what was revoked. Called by change.c and merge.c.
 */
#include <stdio.h>
#include <string.h>

#include "sync.h"

static void bury(struct stek_tombstone *out, const struct stek_key *key,
		 int64_t now_ms)
{
	memcpy(out->id, key->id, STEK_ID_LEN);
	out->activate_at_ms = key->activate_at_ms;
	out->expire_at_ms = key->expire_at_ms;
	out->revoked_at_ms = now_ms;
}

static bool named(const struct stek_command *command, const uint8_t *id)
{
	size_t i;

	for (i = 0; i < command->n_ids; i++) {
		if (!memcmp(command->ids[i], id, STEK_ID_LEN))
			return true;
	}
	return false;
}

static bool all_known(const struct stek_command *command,
		      const struct stek_ring *ring)
{
	size_t i;

	for (i = 0; i < command->n_ids; i++) {
		if (!stek__ring_find(ring, command->ids[i]) &&
		    !stek__ring_tombstone(ring, command->ids[i]))
			return false;
	}
	return true;
}

/* Above every key that is known, also one made by a clock ahead of ours. */
static int64_t floor_of(const struct stek_ring *ring, int64_t now_ms)
{
	size_t i;

	for (i = 0; i < ring->n_keys; i++) {
		if (ring->keys[i]->made_at_ms >= now_ms)
			now_ms = ring->keys[i]->made_at_ms + 1;
	}
	return now_ms;
}

/*
 * The revocation as a ring of its own, to be merged into ours. Merging keeps
 * the limits; should it drop a tombstone, the floor revokes all the same.
 */
static int compose(struct stek_sync *sync, struct stek_command *command,
		   struct stek_ring **out)
{
	struct stek_ring *ours = stek__sync_ring(sync);
	struct stek_tombstone stones[STEK_RING_KEYS_MAX];
	int64_t now_ms = stek__sync_farm_ms(sync);
	const struct stek_key *due =
		stek__schedule_due(ours, &sync->farm->policy, now_ms);
	size_t i, n = 0;

	command->replace = command->all;
	for (i = 0; i < ours->n_keys; i++) {
		const struct stek_key *key = ours->keys[i];

		/* What expired by a wrong clock alone still has to be revoked. */
		if ((key->expire_at_ms <= now_ms && !stek__astray(sync)) ||
		    stek__ring_revoked_at(ours, key) ||
		    (!command->all && !named(command, key->id)))
			continue;
		memcpy(command->change.revoked_ids[n], key->id, STEK_ID_LEN);
		bury(&stones[n++], key, now_ms);
		command->replace = command->replace || key == due;
	}
	command->change.n_revoked = n;
	return stek__ring_new(out, ours->version.epoch, NULL, 0, stones, n,
			      command->all ? floor_of(ours, now_ms) : 0);
}

/* Our ring with the revocation, and what that revokes into the answer. */
static int revoked(struct stek_sync *sync, struct stek_command *command,
		   struct stek_ring **out)
{
	struct stek_ring *ours = stek__sync_ring(sync), *revocation = NULL;
	int err;

	if (!all_known(command, ours)) {
		stek__change_say(command, "the ring has no key of that id");
		return STEK_ENOKEY;
	}
	err = compose(sync, command, &revocation);
	if (!err)
		err = stek__ring_merge(out, ours, revocation);
	stek__ring_unref(revocation);
	return err;
}

int stek__revoke_plan(struct stek_sync *sync, struct stek_command *command)
{
	struct stek_ring *next = NULL;
	int err = stek__change_expected(sync);

	if (!err)
		err = revoked(sync, command, &next);
	stek__ring_unref(next);
	return err;
}

int stek__revoke_base(struct stek_sync *sync, struct stek_ring **out)
{
	int err = stek__change_expected(sync);

	return err ? err : revoked(sync, sync->current, out);
}

void stek__revoke_tell(struct stek_sync *sync)
{
	const struct stek_command *command = sync->current;
	char detail[64];

	/* A crash from here on must not bring the keys back. */
	stek__keep_write(sync);
	snprintf(detail, sizeof(detail), "%zu key%s", command->change.n_revoked,
		 command->change.n_revoked == 1 ? "" : "s");
	stek__sync_event(sync, STEK_EVENT_REVOKED, 0,
			 command->n_ids == 1 ? command->ids[0] : NULL, detail);
}

int stek__revoke_here(struct stek_sync *sync, struct stek_command *command)
{
	struct stek_ring *ours = stek__sync_ring(sync), *next = NULL;
	int err = revoked(sync, command, &next);

	if (err)
		return err;
	if (!stek_version_equal(&next->version, &ours->version))
		sync->in_sync = false;
	stek__sync_install(sync, next);
	command->applied = true;
	stek__revoke_tell(sync);
	return 0;
}

/* An earlier attempt whose answer was lost may have come through. */
static bool has_replacement(const struct stek_ring *ring, int64_t now_ms,
			    int64_t by_ms)
{
	size_t i;

	for (i = 0; i < ring->n_keys; i++) {
		const struct stek_key *key = ring->keys[i];

		if (key->reason == STEK_MADE_BY_REVOKE &&
		    key->activate_at_ms > now_ms &&
		    key->activate_at_ms <= by_ms &&
		    !stek__ring_revoked_at(ring, key))
			return true;
	}
	return false;
}

static int mint_replacement(struct stek_sync *sync,
			    const struct stek_ring *base, int64_t now_ms,
			    struct stek_key **out)
{
	const struct stek_policy *policy = &sync->farm->policy;
	struct stek_change *change = &sync->current->change;
	int64_t at_ms = now_ms + policy->revoke_delay_ms, made_at_ms = now_ms;
	int err;

	if (made_at_ms < base->revoked_before_ms)
		made_at_ms = base->revoked_before_ms;
	err = stek__key_mint(out, sync->farm->node, STEK_MADE_BY_REVOKE,
			     made_at_ms, at_ms,
			     stek__schedule_expire_at(policy, at_ms));
	if (err)
		return err;
	memcpy(change->key_id, (*out)->id, STEK_ID_LEN);
	change->activate_at_ms = at_ms;
	return 0;
}

size_t stek__revoke_extra(struct stek_sync *sync, const struct stek_ring *base,
			  struct stek_key *out[STEK_MISSING_MAX + 1])
{
	struct stek_command *command = sync->current;
	int64_t now_ms = stek__sync_farm_ms(sync);
	int64_t by_ms = now_ms + sync->farm->policy.revoke_delay_ms;
	struct stek_ring *with = NULL, *alone = NULL;
	size_t n = 0;

	if (!command || command->kind != STEK_COMMAND_REVOKE ||
	    command->phase != STEK_PHASE_PUBLISH || !command->applied)
		return 0;
	/* The others make them, by a better clock. */
	if (stek__astray(sync))
		return 0;
	if (command->replace && !has_replacement(base, now_ms, by_ms) &&
	    !stek__schedule_due(base, &sync->farm->policy, now_ms) &&
	    !mint_replacement(sync, base, now_ms, &out[0]))
		n = 1;
	/* The schedule must see the replacement, or it would make another. */
	if (!stek__ring_new(&alone, base->version.epoch, out, n, NULL, 0, 0) &&
	    !stek__ring_merge(&with, base, alone))
		n += stek__merge_missing(sync, with, out + n);
	stek__ring_unref(with);
	stek__ring_unref(alone);
	return n;
}

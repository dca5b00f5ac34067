// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rotate.c - what a rotation does to the ring: whether it may be, the new key,
 * and taking it back. change.c brings it to the farm.
 */
#include <stdio.h>
#include <string.h>

#include "sync.h"

/* Keys beside the schedule's that must still find room after a rotation. */
#define RESERVE 3

/* When the rate limit lets the next rotation pass; 0: now. */
static int64_t limited_until(struct stek_sync *sync,
			     const struct stek_ring *ring, int64_t now_ms)
{
	int64_t interval_ms =
		(int64_t)sync->farm->policy.rotate_interval_s * 1000;
	int64_t until_ms = 0;
	size_t i;

	for (i = 0; i < ring->n_keys; i++) {
		const struct stek_key *key = ring->keys[i];

		/* One that was taken back may be tried again at once. */
		if (key->reason != STEK_MADE_BY_ROTATE ||
		    stek__ring_revoked_at(ring, key))
			continue;
		if (key->made_at_ms + interval_ms > until_ms)
			until_ms = key->made_at_ms + interval_ms;
	}
	return until_ms > now_ms ? until_ms : 0;
}

/*
 * Keys by hand live as long as those of the schedule that will come meanwhile,
 * so it is their full number that must find room, not the present one.
 */
static bool has_room(struct stek_sync *sync, const struct stek_ring *ring,
		     int64_t now_ms)
{
	size_t held = stek__schedule_held(&sync->farm->policy);
	size_t i, by_hand = 0, scheduled = 0;

	for (i = 0; i < ring->n_keys; i++) {
		const struct stek_key *key = ring->keys[i];

		if (key->expire_at_ms <= now_ms ||
		    stek__ring_tombstone(ring, key->id))
			continue;
		if (key->reason == STEK_MADE_BY_SCHEDULE)
			scheduled++;
		else
			by_hand++;
	}
	if (held < scheduled)
		held = scheduled;
	return by_hand + 1 + held + RESERVE <= STEK_RING_KEYS_MAX;
}

int stek__rotate_check(struct stek_sync *sync)
{
	const struct stek_ring *ring = stek__sync_ring(sync);
	struct stek_command *command = sync->current;
	int64_t now_ms = stek__sync_farm_ms(sync), until_ms;
	int err = stek__change_expected(sync);

	if (err)
		return err;
	if (stek__astray(sync)) {
		stek__change_say(command, "this node's clock is too far off to"
				 " make keys; ask another node");
		return STEK_EUNAVAILABLE;
	}
	until_ms = command->force ? 0 : limited_until(sync, ring, now_ms);
	if (until_ms) {
		command->change.activate_at_ms = until_ms;
		snprintf(command->change.detail,
			 sizeof(command->change.detail), "one rotation every %u"
			 " s unless forced; the next in %lld s",
			 sync->farm->policy.rotate_interval_s,
			 (long long)(until_ms - now_ms + 999) / 1000);
		return STEK_EREFUSED;
	}
	if (!has_room(sync, ring, now_ms)) {
		stek__change_say(command, "the ring has no room for one more"
				 " key");
		return STEK_EFULL;
	}
	return 0;
}

int stek__rotate_publish(struct stek_sync *sync)
{
	const struct stek_policy *policy = &sync->farm->policy;
	struct stek_change *change = &sync->current->change;
	struct stek_ring *ring = stek__ring_ref(stek__sync_ring(sync));
	int64_t now_ms = stek__sync_farm_ms(sync), made_at_ms = now_ms;
	int64_t at_ms = now_ms + policy->rotate_delay_ms;
	struct stek_key *key = NULL;
	int err;

	/* A key made before the floor would be born revoked. */
	if (made_at_ms < ring->revoked_before_ms)
		made_at_ms = ring->revoked_before_ms;
	err = stek__key_mint(&key, sync->farm->node, STEK_MADE_BY_ROTATE,
			     made_at_ms, at_ms,
			     stek__schedule_expire_at(policy, at_ms));
	if (!err)
		err = stek__merge_propose(sync, ring, &key, 1, NULL);
	if (!err) {
		memcpy(change->key_id, key->id, STEK_ID_LEN);
		change->activate_at_ms = at_ms;
	}
	stek__key_unref(key);
	stek__ring_unref(ring);
	return err;
}

void stek__rotate_take_back(struct stek_sync *sync)
{
	struct stek_ring *ours = stek__sync_ring(sync), *bare = NULL;
	struct stek_ring *next = NULL;
	const struct stek_key *key =
		stek__ring_find(ours, sync->current->change.key_id);
	struct stek_tombstone stone = { .revoked_at_ms =
					stek__sync_farm_ms(sync) };
	int err = 0;

	if (!key)
		return;
	memcpy(stone.id, key->id, STEK_ID_LEN);
	stone.activate_at_ms = key->activate_at_ms;
	stone.expire_at_ms = key->expire_at_ms;
	/* "Before its activation", even if the store kept us past it. */
	if (stone.revoked_at_ms >= stone.activate_at_ms)
		stone.revoked_at_ms = stone.activate_at_ms - 1;
	err = stek__ring_new(&bare, ours->version.epoch, NULL, 0, &stone, 1, 0);
	if (!err)
		err = stek__ring_merge(&next, ours, bare);
	stek__ring_unref(bare);
	if (err)
		return;
	sync->in_sync = false;
	stek__sync_install(sync, next);
	stek__sync_event(sync, STEK_EVENT_REVOKED, 0, stone.id,
			 "a rotation that not every node took in time");
}

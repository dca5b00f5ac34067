// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * roll.c - rolls the farm over to another farm key without a pause: reads the
 * key file again when asked, watches which keys the live nodes hold, and seals
 * the ring anew once all of them hold the new one. Any node may be the one: the
 * compare-and-set lets one win. Called by sync.c and merge.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sync.h"

#define DOC_KEY_AT 2		/* of a document: the farm key's id, record.h */
#define LOOK_BEATS 3
#define LOOK_EACH_MS 100

static void hex_of(char *out, const uint8_t *id)
{
	size_t i;

	for (i = 0; i < STEK_FARM_KEY_ID_LEN; i++)
		snprintf(out + 2 * i, 3, "%02x", id[i]);
}

/* Where `id` stands among the keys; n when it does not. */
static size_t place_of(const struct stek_farm_keys *keys, const uint8_t *id)
{
	size_t i;

	for (i = 0; i < keys->n; i++) {
		if (!memcmp(keys->keys[i].id, id, STEK_FARM_KEY_ID_LEN))
			break;
	}
	return i;
}

static void tell(struct stek_sync *sync)
{
	const struct stek_farm_keys *keys = sync->farm->farm_keys;
	struct stek_farm_key_status *told = &sync->roll.told;
	size_t i;

	pthread_mutex_lock(&sync->lock);
	told->n = keys->n;
	told->seals = keys->seals;
	for (i = 0; i < keys->n; i++)
		memcpy(told->ids[i], keys->keys[i].id, STEK_FARM_KEY_ID_LEN);
	told->lacking = told->ring_known &&
			place_of(keys, told->ring) == keys->n;
	pthread_mutex_unlock(&sync->lock);
}

int stek__roll_open(struct stek_sync *sync, const char *path)
{
	sync->roll.path = strdup(path);
	if (!sync->roll.path)
		return STEK_ENOMEM;
	tell(sync);
	return 0;
}

void stek__roll_close(struct stek_sync *sync)
{
	free(sync->roll.path);
	sync->roll.path = NULL;
}

/* Sealing follows the ring in the store, but never back: that is old. */
static void note_ring(struct stek_sync *sync, const uint8_t *id)
{
	struct stek_farm_keys *keys = sync->farm->farm_keys;
	size_t place = place_of(keys, id);

	pthread_mutex_lock(&sync->lock);
	memcpy(sync->roll.told.ring, id, STEK_FARM_KEY_ID_LEN);
	sync->roll.told.ring_known = true;
	pthread_mutex_unlock(&sync->lock);
	if (place < keys->n && place > keys->seals) {
		keys->seals = place;
		/* The copy on disk must not be the last under the old key. */
		sync->keep_due = true;
	}
	tell(sync);
}

void stek__roll_saw(struct stek_sync *sync, const uint8_t *doc, size_t len,
		    bool opened)
{
	const struct stek_farm_keys *keys = sync->farm->farm_keys;

	if (len < DOC_KEY_AT + STEK_FARM_KEY_ID_LEN)
		return;
	/* What is sealed under a key of ours and does not open is damaged. */
	if (opened || place_of(keys, doc + DOC_KEY_AT) == keys->n)
		note_ring(sync, doc + DOC_KEY_AT);
}

void stek__roll_wrote(struct stek_sync *sync)
{
	const struct stek_farm_keys *keys = sync->farm->farm_keys;

	note_ring(sync, keys->keys[keys->seals].id);
}

bool stek__roll_lacking(const struct stek_sync *sync)
{
	return sync->roll.told.lacking;
}

/* After a restart the ring may be ours without that we fetched it. */
static bool know_ring(struct stek_sync *sync)
{
	struct stek_farm *farm = sync->farm;
	struct stek_blob doc = { NULL, 0 };
	struct stek_ring *ring = NULL;
	int err;

	if (sync->roll.told.ring_known)
		return true;
	err = sync->store->ops->load(sync->store, &doc);
	stek__sync_answered(sync, err);
	if (!err) {
		err = stek__record_open(&ring, farm->farm_keys, farm->name,
					doc.data, doc.len);
		stek__roll_saw(sync, doc.data, doc.len, !err);
	}
	stek__ring_unref(ring);
	stek__blob_free(&doc);
	return sync->roll.told.ring_known;
}

/* Every live node holds the target, and as its target too. */
static bool all_hold(struct stek_sync *sync, const uint8_t *target)
{
	struct stek_member *members = NULL;
	size_t i, n = 0;
	bool all;

	if (stek__member_list(sync, &members, &n))
		return false;
	/*
	 * Every node looks, at the heartbeats of all: all together look 20 times
	 * a second at most, however many they are.
	 */
	sync->roll.next_ms += stek__sync_random(sync,
						(uint32_t)n * LOOK_EACH_MS);
	all = n > 0;
	for (i = 0; i < n; i++) {
		size_t last = members[i].n_farm_keys;

		if (members[i].live &&
		    (!last || memcmp(members[i].farm_keys[last - 1], target,
				     STEK_FARM_KEY_ID_LEN)))
			all = false;
	}
	free(members);
	return all;
}

static void reseal(struct stek_sync *sync)
{
	struct stek_farm_keys *keys = sync->farm->farm_keys;
	struct stek_ring *ring = stek__ring_ref(stek__sync_ring(sync));
	uint64_t before = ring->version.epoch;
	char old[17], new[17], text[160];
	size_t was = keys->seals;
	int err;

	hex_of(old, keys->keys[was].id);
	hex_of(new, keys->keys[keys->n - 1].id);
	keys->seals = keys->n - 1;
	err = stek__merge_propose(sync, ring, NULL, 0, NULL);
	stek__ring_unref(ring);
	if (err) {
		keys->seals = was;
		return;
	}
	sync->keep_due = true;
	snprintf(text, sizeof(text), "the ring is sealed under farm key %s",
		 new);
	stek__sync_event(sync, STEK_EVENT_FARM_KEY, 0, NULL, text);
	snprintf(text, sizeof(text), ",\"farm_key_before\":\"%s\","
		 "\"farm_key\":\"%s\",\"epoch_before\":%llu,"
		 "\"epoch_after\":%llu,\"result\":\"ok\"", old, new,
		 (unsigned long long)before,
		 (unsigned long long)stek__sync_ring(sync)->version.epoch);
	stek__audit_note(sync, "stekd", "", "farm-key reseal", text);
}

void stek__roll_step(struct stek_sync *sync)
{
	const struct stek_farm_keys *keys = sync->farm->farm_keys;
	const uint8_t *target = keys->keys[keys->n - 1].id;
	uint32_t beat_ms = sync->farm->policy.beat_ms;
	int64_t mono_ms = stek__sync_mono(sync);

	if (keys->n < 2 || mono_ms < sync->roll.next_ms)
		return;
	sync->roll.next_ms = mono_ms + LOOK_BEATS * (int64_t)beat_ms +
			     stek__sync_random(sync, beat_ms);
	if (!sync->in_sync || sync->absent || sync->current ||
	    sync->state != STEK_STORE_OK || !know_ring(sync))
		return;
	if (memcmp(sync->roll.told.ring, target, STEK_FARM_KEY_ID_LEN) &&
	    all_hold(sync, target))
		reseal(sync);
}

int64_t stek__roll_due_ms(const struct stek_sync *sync)
{
	return sync->farm->farm_keys->n < 2 ? INT64_MAX : sync->roll.next_ms;
}

static void note_reload(struct stek_sync *sync,
			const struct stek_command *command)
{
	const struct stek_farm_keys *keys = sync->farm->farm_keys;
	char first[17], last[17], text[128];

	hex_of(first, keys->keys[0].id);
	hex_of(last, keys->keys[keys->n - 1].id);
	snprintf(text, sizeof(text), ",\"farm_keys\":[\"%s\"%s%s%s],"
		 "\"result\":\"ok\"", first, keys->n > 1 ? ",\"" : "",
		 keys->n > 1 ? last : "", keys->n > 1 ? "\"" : "");
	stek__audit_note(sync, command->who, command->from, "farm-key reload",
			 text);
	snprintf(text, sizeof(text), "the farm keys were read again: %s%s%s",
		 first, keys->n > 1 ? " " : "", keys->n > 1 ? last : "");
	stek__sync_event(sync, STEK_EVENT_FARM_KEY, 0, NULL, text);
}

int stek__roll_reload(struct stek_sync *sync, struct stek_command *command)
{
	const struct stek_farm_key_status *told = &sync->roll.told;
	struct stek_farm_keys *next = NULL, *before = sync->farm->farm_keys;
	char id[17];
	int err;

	err = stek__farm_keys_read(&next, sync->roll.path, command->why,
				   sizeof(command->why));
	if (err)
		return err;
	if (told->ring_known && place_of(next, told->ring) == next->n) {
		hex_of(id, told->ring);
		snprintf(command->why, sizeof(command->why), "%s: lacks farm "
			 "key %s, under which the ring is sealed; the keys "
			 "held before are kept", sync->roll.path, id);
		stek__farm_keys_free(next);
		return STEK_EREFUSED;
	}
	if (told->ring_known)
		next->seals = place_of(next, told->ring);
	sync->farm->farm_keys = next;
	stek__farm_keys_free(before);
	sync->keep_due = true;
	sync->roll.next_ms = 0;
	sync->next_beat_ms = stek__sync_mono(sync);
	tell(sync);
	note_reload(sync, command);
	return 0;
}

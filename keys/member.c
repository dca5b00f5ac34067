// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * member.c - this node's heartbeats and everybody else's: what a beat says,
 * the exchange with the store around it, and the list of members. Called by
 * sync.c and change.c.
 */
#include <stdlib.h>
#include <string.h>

#include "sync.h"

/* An acknowledgement follows an installation at once; more is no news. */
#define EXCHANGES 4
#define LIVE_BEATS 3

static int seal_beat(struct stek_sync *sync, uint8_t out[STEK_BEAT_MAX],
		     size_t *len)
{
	struct stek_farm *farm = sync->farm;
	int64_t offset_us = stek__pace_offset_us(sync);
	struct stek_beat beat = {
		.node_id = farm->node_id,
		.started_at_ms = sync->started_at_ms,
		.version = stek__sync_ring(sync)->version,
	};

	if (offset_us > INT32_MAX)
		offset_us = INT32_MAX;
	if (offset_us < INT32_MIN)
		offset_us = INT32_MIN;
	beat.clock_offset_us = (int32_t)offset_us;
	if (sync->on_beat)
		beat.payload_len = sync->on_beat(sync->user, beat.payload,
						 sizeof(beat.payload));
	if (beat.payload_len > sizeof(beat.payload))
		beat.payload_len = 0;
	return stek__beat_seal(out, len, farm->farm_keys, farm->name,
			       farm->node, &beat);
}

static int exchange(struct stek_sync *sync, struct stek_pulse *pulse)
{
	const struct stek_io *io = &sync->farm->io;
	uint8_t data[STEK_BEAT_MAX];
	int64_t before_ms, after_ms;
	size_t len;
	int err;

	sync->last_beat_ms = stek__sync_mono(sync);
	sync->beats++;
	err = seal_beat(sync, data, &len);
	if (err)
		return err;	/* no store is to blame */
	before_ms = io->wall_ms(io->user);
	err = sync->store->ops->beat(sync->store, sync->farm->node, data, len,
				     pulse);
	after_ms = io->wall_ms(io->user);
	stek__sync_count(sync, &sync->status.polls);
	if (err)
		stek__sync_count(sync, &sync->status.poll_errors);
	else
		stek__pace_sample(sync, before_ms, after_ms, pulse);
	sync->beaten = sync->beaten || !err;
	stek__sync_answered(sync, err);
	return err;
}

/*
 * Says what we hold, hears what the store holds, and makes them one; then says
 * it again, so that others need not wait a beat for the acknowledgement.
 */
void stek__member_beat(struct stek_sync *sync)
{
	struct stek_version before;
	struct stek_pulse pulse;
	unsigned i;

	for (i = 0; i < EXCHANGES; i++) {
		before = stek__sync_ring(sync)->version;
		if (exchange(sync, &pulse)) {
			stek__pace_retry(sync);
			return;
		}
		sync->next_beat_ms = sync->last_beat_ms +
				     sync->farm->policy.beat_ms;
		stek__merge(sync, &pulse);
		if (sync->state != STEK_STORE_OK) {
			stek__pace_retry(sync);
			return;
		}
		if (stek_version_equal(&before,
				       &stek__sync_ring(sync)->version))
			break;
	}
	sync->failures = 0;
	stek__audit_flush(sync);
}

/* A heartbeat that does not open is not of this farm. */
static bool open_member(struct stek_sync *sync,
			const struct stek_raw_member *raw, int64_t now_ms,
			struct stek_member *out)
{
	struct stek_farm *farm = sync->farm;
	struct stek_beat beat;

	if (stek__beat_open(&beat, farm->farm_keys, farm->name, raw->name,
			    raw->data, raw->len))
		return false;
	memcpy(out->name, raw->name, sizeof(out->name));
	out->id = beat.node_id;
	out->age_ms = now_ms > raw->seen_at_ms ? now_ms - raw->seen_at_ms : 0;
	out->live = out->age_ms < (int64_t)farm->policy.beat_ms * LIVE_BEATS;
	out->self = !strcmp(raw->name, farm->node);
	out->started_at_ms = beat.started_at_ms;
	out->clock_offset_ms = (double)beat.clock_offset_us / 1000;
	out->version = beat.version;
	out->payload_len = beat.payload_len;
	memcpy(out->payload, beat.payload, beat.payload_len);
	return true;
}

/*
 * Two nodes of one name overwrite each other's heartbeat, so neither is waited
 * for. Told once for each process that started at another time than we did.
 */
static void watch_name(struct stek_sync *sync, const struct stek_member *self)
{
	if (!sync->beaten || self->started_at_ms == sync->started_at_ms ||
	    self->started_at_ms == sync->twin_ms)
		return;
	sync->twin_ms = self->started_at_ms;
	stek__sync_event(sync, STEK_EVENT_SAME_NAME, 0, NULL,
			 "another process is in the farm under this node's"
			 " name: nodes need names of their own");
}

static int by_name(const void *a, const void *b)
{
	const struct stek_member *x = a, *y = b;

	return strcmp(x->name, y->name);
}

int stek__member_list(struct stek_sync *sync, struct stek_member **out,
		      size_t *n)
{
	struct stek_raw_member *raw = NULL;
	struct stek_member *list;
	size_t i, n_raw = 0, used = 0;
	int64_t now_ms = 0;
	int err;

	err = sync->store->ops->members(sync->store, &raw, &n_raw, &now_ms);
	stek__sync_answered(sync, err);
	if (err)
		return err;
	list = calloc(n_raw ? n_raw : 1, sizeof(*list));
	for (i = 0; list && i < n_raw; i++) {
		if (!open_member(sync, &raw[i], now_ms, &list[used]))
			continue;
		if (list[used].self)
			watch_name(sync, &list[used]);
		used++;
	}
	free(raw);
	if (!list)
		return STEK_ENOMEM;
	qsort(list, used, sizeof(*list), by_name);
	*out = list;
	*n = used;
	return 0;
}

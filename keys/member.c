// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * member.c - this node's heartbeats and everybody else's: what a beat says,
 * the exchange with a store around it, and the list of members, which is the
 * union of what the stores know. Called by link.c, sync.c and change.c.
 */
#include <stdlib.h>
#include <string.h>

#include "sync.h"

/* An acknowledgement follows an installation at once; more is no news. */
#define EXCHANGES 4

int64_t stek__member_offset_us(int64_t offset_us)
{
	if (offset_us > INT32_MAX)
		return INT32_MAX;
	return offset_us < INT32_MIN ? INT32_MIN : offset_us;
}

static int seal_beat(struct stek_sync *sync, const struct stek_link *link,
		     uint8_t out[STEK_BEAT_MAX], size_t *len)
{
	struct stek_farm *farm = sync->farm;
	const struct stek_farm_keys *keys = farm->farm_keys;
	struct stek_beat beat = {
		.node_id = farm->node_id,
		.started_at_ms = sync->started_at_ms,
		.version = stek__sync_ring(sync)->version,
		.n_farm_keys = keys->n,
		.seals = keys->seals,
		.audit_seq = link->audit_head.seq,
	};
	size_t i;

	for (i = 0; i < keys->n; i++)
		memcpy(beat.farm_keys[i], keys->keys[i].id,
		       STEK_FARM_KEY_ID_LEN);
	memcpy(beat.audit_hash, link->audit_head.hash, STEK_DIGEST_LEN);

	beat.clock_offset_us = (int32_t)stek__member_offset_us(
					stek__pace_offset_us(sync));
	if (sync->on_beat)
		beat.payload_len = sync->on_beat(sync->user, beat.payload,
						 sizeof(beat.payload));
	if (beat.payload_len > sizeof(beat.payload))
		beat.payload_len = 0;
	return stek__beat_seal(out, len, farm->farm_keys, farm->name,
			       farm->node, &beat);
}

static int exchange(struct stek_sync *sync, struct stek_link *link,
		    struct stek_pulse *pulse)
{
	const struct stek_io *io = &sync->farm->io;
	uint8_t data[STEK_BEAT_MAX];
	int64_t before_ms, after_ms;
	size_t len;
	int err;

	link->last_beat_ms = sync->last_beat_ms = stek__sync_mono(sync);
	link->told = stek__sync_ring(sync)->version;
	sync->beats++;
	err = seal_beat(sync, link, data, &len);
	if (err)
		return err;	/* no store is to blame */
	before_ms = io->wall_ms(io->user);
	stek__twin_wrote(sync, data, len);
	pulse->has_before = false;
	err = link->store->ops->beat(link->store, sync->farm->node, data, len,
				     pulse);
	after_ms = io->wall_ms(io->user);
	stek__sync_count(sync, &sync->status.polls);
	if (err)
		stek__sync_count(sync, &sync->status.poll_errors);
	stek__link_answered(sync, link, err);
	if (err) {
		link->beaten = false;
		stek__twin_lost(sync, data, len);
		return err;
	}
	stek__twin_before(sync, link, pulse);
	link->beaten = true;
	link->beaten_at_ms = pulse->store_now_ms;
	stek__pace_sample(link, before_ms, after_ms, pulse);
	stek__pace_slew(sync);
	return 0;
}

/*
 * Says what we hold, hears what the store holds, and makes them one; then says
 * it again, so that others need not wait a beat for the acknowledgement.
 */
void stek__member_beat(struct stek_sync *sync, struct stek_link *link)
{
	struct stek_version before;
	struct stek_pulse pulse;
	unsigned i;

	for (i = 0; i < EXCHANGES; i++) {
		before = stek__sync_ring(sync)->version;
		if (exchange(sync, link, &pulse)) {
			stek__pace_retry(sync, link);
			return;
		}
		link->next_beat_ms = link->last_beat_ms +
				     sync->farm->policy.beat_ms;
		stek__astray_look(sync, link);
		stek__merge(sync, link, &pulse);
		if (link->state != STEK_STORE_OK) {
			stek__pace_retry(sync, link);
			return;
		}
		if (stek_version_equal(&before,
				       &stek__sync_ring(sync)->version))
			break;
	}
	link->failures = 0;
	stek__audit_flush(sync);
	stek__audit_spread(sync);
}

bool stek__member_open(struct stek_sync *sync, struct stek_link *link,
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
	out->live = out->age_ms < (int64_t)farm->policy.beat_ms *
				  STEK_LIVE_BEATS;
	out->self = !strcmp(raw->name, farm->node);
	out->started_at_ms = beat.started_at_ms;
	out->clock_offset_ms = (double)beat.clock_offset_us / 1000;
	out->version = beat.version;
	out->n_farm_keys = beat.n_farm_keys;
	out->sealing_farm_key = beat.seals;
	memcpy(out->farm_keys, beat.farm_keys, sizeof(out->farm_keys));
	stek__audit_learn(sync, link, beat.audit_seq, beat.audit_hash);
	out->payload_len = beat.payload_len;
	memcpy(out->payload, beat.payload, beat.payload_len);
	return true;
}

static int by_name(const void *a, const void *b)
{
	const struct stek_member *x = a, *y = b;

	int order = strcmp(x->name, y->name);

	return order ? order : (x->age_ms > y->age_ms) -
			       (x->age_ms < y->age_ms);
}

/* Appends what one store knows to `list`. */
static int add_members(struct stek_sync *sync, struct stek_link *link,
		       struct stek_member **list, size_t *used)
{
	struct stek_raw_member *raw = NULL;
	struct stek_member *more;
	size_t i, n_raw = 0;
	int64_t now_ms = 0;
	int err;

	err = link->store->ops->members(link->store, &raw, &n_raw, &now_ms);
	stek__link_answered(sync, link, err);
	if (err)
		return err;
	more = realloc(*list, (*used + n_raw + 1) * sizeof(*more));
	if (!more) {
		free(raw);
		return STEK_ENOMEM;
	}
	*list = more;
	for (i = 0; i < n_raw; i++) {
		memset(&more[*used], 0, sizeof(more[0]));
		if (!stek__member_open(sync, link, &raw[i], now_ms,
				       &more[*used]))
			continue;
		if (more[*used].self)
			stek__twin_read(sync, link, &more[*used],
					raw[i].seen_at_ms);
		++*used;
	}
	free(raw);
	return 0;
}

/* Sorted by name, the freshest heartbeat first: that one stays. */
static size_t unite(struct stek_member *list, size_t n)
{
	size_t i, used = 0;

	qsort(list, n, sizeof(*list), by_name);
	for (i = 0; i < n; i++) {
		if (used && !strcmp(list[used - 1].name, list[i].name))
			continue;
		if (used != i)
			list[used] = list[i];
		used++;
	}
	return used;
}

/* Every store that answers knows some; one answer is enough. */
int stek__member_list(struct stek_sync *sync, struct stek_member **out,
		      size_t *n)
{
	bool reached = sync->state == STEK_STORE_OK;
	struct stek_member *list = NULL;
	size_t i, used = 0, answers = 0;
	int err = STEK_EUNAVAILABLE, result;

	for (i = 0; i < sync->n_links; i++) {
		if (reached && sync->links[i].state != STEK_STORE_OK)
			continue;
		result = add_members(sync, &sync->links[i], &list, &used);
		answers += !result;
		if (result)
			err = result;
	}
	if (answers == 0) {
		free(list);
		return err;
	}
	*n = unite(list, used);
	*out = list;
	return 0;
}

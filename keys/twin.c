// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * twin.c - another process that is in the farm under this node's name. The two
 * overwrite each other's heartbeat, so neither is waited for: each notices by
 * what stood in the place of its own heartbeat, and by what is read there.
 * Called by member.c and sync.c.
 */
#include <string.h>

#include "sync.h"

#define GONE_BEATS 10		/* in which no other heartbeat was seen */

static void set_status(struct stek_sync *sync, bool same_name)
{
	pthread_mutex_lock(&sync->lock);
	sync->status.same_name = same_name;
	pthread_mutex_unlock(&sync->lock);
}

/* Told once for each process, by the time of its start. */
static void found(struct stek_sync *sync, int64_t started_at_ms)
{
	sync->twin_seen_ms = stek__sync_mono(sync);
	set_status(sync, true);
	if (sync->twin_ms == started_at_ms)
		return;
	sync->twin_ms = started_at_ms;
	stek__sync_event(sync, STEK_EVENT_SAME_NAME, 0, NULL,
			 "another process is in the farm under this node's"
			 " name: nodes need names of their own");
}

/*
 * Older than our own there: of this node before its last start, or in a store
 * that was set back, by a restore or a failover. What is found when it answers
 * again may be any that we tried since; another process is found a beat later.
 */
static bool is_old(const struct stek_link *link, int64_t seen_at_ms)
{
	return !link->beaten || seen_at_ms < link->beaten_at_ms;
}

void stek__twin_read(struct stek_sync *sync, const struct stek_link *link,
		     const struct stek_member *self, int64_t seen_at_ms)
{
	if (!is_old(link, seen_at_ms) &&
	    self->started_at_ms != sync->started_at_ms)
		found(sync, self->started_at_ms);
}

void stek__twin_wrote(struct stek_sync *sync, const uint8_t *data, size_t len)
{
	if (len < STEK_BEAT_TAIL)
		return;
	memcpy(sync->tails[sync->next_tail], data + len - STEK_BEAT_TAIL,
	       STEK_BEAT_TAIL);
	sync->next_tail = (sync->next_tail + 1) % STEK_TAILS;
}

void stek__twin_lost(struct stek_sync *sync, const uint8_t *data, size_t len)
{
	if (len < STEK_BEAT_TAIL)
		return;
	memcpy(sync->lost[sync->next_lost], data + len - STEK_BEAT_TAIL,
	       STEK_BEAT_TAIL);
	sync->next_lost = (sync->next_lost + 1) % STEK_TAILS_LOST;
}

static bool is_among(uint8_t (*tails)[STEK_BEAT_TAIL], size_t n,
		     const uint8_t tail[STEK_BEAT_TAIL])
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (!memcmp(tails[i], tail, STEK_BEAT_TAIL))
			return true;
	}
	return false;
}

/*
 * An answer may have been lost, or the store is listed under two URLs; and when
 * a line is back, the kernel hands over what was sent before it was cut. Not
 * the time of the start alone tells: a clone of a running process has the same.
 */
static bool is_ours(struct stek_sync *sync, const struct stek_raw_member *raw)
{
	const uint8_t *tail;

	if (raw->len < STEK_BEAT_TAIL)
		return false;
	tail = raw->data + raw->len - STEK_BEAT_TAIL;
	return is_among(sync->tails, STEK_TAILS, tail) ||
	       is_among(sync->lost, STEK_TAILS_LOST, tail);
}

void stek__twin_before(struct stek_sync *sync, struct stek_link *link,
		       const struct stek_pulse *pulse)
{
	struct stek_member self;

	if (!pulse->has_before || is_old(link, pulse->before.seen_at_ms) ||
	    is_ours(sync, &pulse->before))
		return;
	memset(&self, 0, sizeof(self));
	if (stek__member_open(sync, link, &pulse->before, pulse->store_now_ms,
			      &self))
		found(sync, self.started_at_ms);
}

void stek__twin_pass(struct stek_sync *sync)
{
	int64_t gone_ms = (int64_t)sync->farm->policy.beat_ms * GONE_BEATS;

	if (!sync->twin_ms ||
	    stek__sync_mono(sync) - sync->twin_seen_ms <= gone_ms)
		return;
	sync->twin_ms = 0;
	set_status(sync, false);
}

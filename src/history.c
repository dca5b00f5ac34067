// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * history.c - what the farm did in each ten seconds of the last hour, and the
 * marks of rotations and revocations. A key's mark outlives the key. Called by
 * sampler.c.
 */
#include "history.h"

#include <stdlib.h>
#include <string.h>

static struct rates_point *slot(struct history *history, int64_t number)
{
	return &history->buckets[number % HISTORY_BUCKETS];
}

const struct rates_point *history_bucket(const struct history *history,
					 int64_t number)
{
	return &history->buckets[number % HISTORY_BUCKETS];
}

bool history_is_new(const struct history *history, int64_t number, int n)
{
	return history->changed[number % HISTORY_BUCKETS] > history->last - n;
}

static void empty(struct history *history, int64_t number)
{
	memset(slot(history, number), 0, sizeof(history->buckets[0]));
	history->changed[number % HISTORY_BUCKETS] = history->last;
}

void history_turn(struct history *history, int64_t now_ms)
{
	int64_t number = now_ms / HISTORY_BUCKET_MS;

	if (!history->begun) {
		history->begun = true;
		history->first = history->last = number;
		empty(history, number);
		return;
	}
	if (number - history->last > HISTORY_BUCKETS)
		history->last = number - HISTORY_BUCKETS;
	while (history->last < number) {
		history->last++;
		empty(history, history->last);
	}
	if (history->first <= history->last - HISTORY_BUCKETS)
		history->first = history->last - HISTORY_BUCKETS + 1;
}

/* The part of `all` that belongs to the time before `at_ms`. */
static uint64_t before(const struct rates_gain *gain, uint64_t all,
		       int64_t at_ms)
{
	double share = (double)(at_ms - gain->from_ms) /
		       (double)(gain->to_ms - gain->from_ms);

	if (at_ms <= gain->from_ms)
		return 0;
	return at_ms >= gain->to_ms ? all : (uint64_t)((double)all * share);
}

/* Adds to one bucket what belongs to the time [from_ms, to_ms). */
static void add_part(struct rates_point *into, const struct rates_gain *gain,
		     int64_t from_ms, int64_t to_ms)
{
	const uint64_t *all = (const void *)&gain->more;
	uint64_t *value = (void *)into;

	for (size_t i = 0; i < RATES_VALUES; i++)
		value[i] += before(gain, all[i], to_ms) -
			    before(gain, all[i], from_ms);
}

void history_gain(struct history *history, const struct rates_gain *gain)
{
	int64_t first = gain->from_ms / HISTORY_BUCKET_MS;
	int64_t last = (gain->to_ms - 1) / HISTORY_BUCKET_MS;

	if (gain->to_ms <= gain->from_ms)
		return;
	history_turn(history, gain->to_ms - 1);
	/* A node may be known for longer than this history is. */
	if (first < history->last - HISTORY_BUCKETS + 1)
		first = history->last - HISTORY_BUCKETS + 1;
	if (first < 0)
		first = 0;
	while (history->first > first) {
		history->first--;
		empty(history, history->first);
	}
	for (; first <= last; first++) {
		add_part(slot(history, first), gain,
			 first * HISTORY_BUCKET_MS,
			 (first + 1) * HISTORY_BUCKET_MS);
		history->changed[first % HISTORY_BUCKETS] = history->last;
	}
}

static bool known(const struct history *history,
		  const struct history_mark *mark)
{
	for (size_t i = 0; i < history->n_marks; i++)
		if (history->marks[i].revoked == mark->revoked &&
		    memcmp(history->marks[i].key_id, mark->key_id,
			   STEK_ID_LEN) == 0)
			return true;
	return false;
}

static void drop_first(struct history *history)
{
	history->n_marks--;
	memmove(&history->marks[0], &history->marks[1],
		history->n_marks * sizeof(history->marks[0]));
}

static void add_mark(struct history *history, const struct history_mark *mark)
{
	size_t at;

	if (known(history, mark))
		return;
	if (history->n_marks == HISTORY_MARKS) {
		if (mark->at_ms < history->marks[0].at_ms)
			return;
		drop_first(history);
	}
	at = history->n_marks++;
	while (at > 0 && history->marks[at - 1].at_ms > mark->at_ms) {
		history->marks[at] = history->marks[at - 1];
		at--;
	}
	history->marks[at] = *mark;
}

/* A key that only the floor revoked was revoked when that was set. */
static int64_t revoked_at(const struct stek_ring_info *ring,
			  const struct stek_key_info *key)
{
	if (key->revoked_at_ms != 0)
		return key->revoked_at_ms;
	return key->state == STEK_REVOKED ? ring->revoked_before_ms : 0;
}

void history_keys(struct history *history, const struct stek_ring_info *ring)
{
	int64_t since_ms = ring->now_ms - HISTORY_SPAN_MS;
	struct history_mark mark;

	while (history->n_marks > 0 && history->marks[0].at_ms < since_ms)
		drop_first(history);
	for (size_t i = 0; i < ring->n_keys; i++) {
		const struct stek_key_info *key = &ring->keys[i];
		int64_t revoked_ms = revoked_at(ring, key);

		mark.reason = key->reason;
		memcpy(mark.key_id, key->id, STEK_ID_LEN);
		mark.revoked = true;
		mark.at_ms = revoked_ms;
		if (revoked_ms != 0 && revoked_ms >= since_ms &&
		    revoked_ms <= ring->now_ms)
			add_mark(history, &mark);
		mark.revoked = false;
		mark.at_ms = key->activate_at_ms;
		if (mark.at_ms >= since_ms && mark.at_ms <= ring->now_ms &&
		    (revoked_ms == 0 || revoked_ms > mark.at_ms))
			add_mark(history, &mark);
	}
}

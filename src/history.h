/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * history.h - the farm's last hour in buckets of ten seconds, and when keys
 * were activated and revoked in it. Pure: times are passed in, of buckets in
 * milliseconds of the monotonic clock, of keys in farm time. Bounded memory.
 */
#ifndef STEKD_HISTORY_H
#define STEKD_HISTORY_H

#include <stek.h>

#include "rates.h"

#define HISTORY_BUCKET_MS 10000
#define HISTORY_BUCKETS 361	/* an hour, and the one that fills */
#define HISTORY_SPAN_MS 3600000
#define HISTORY_MARKS 128

struct history_mark {
	int64_t at_ms;		/* farm time */
	bool revoked;		/* else: became active */
	enum stek_reason reason;
	uint8_t key_id[STEK_ID_LEN];
};

struct history {
	bool begun;
	int64_t first, last;	/* numbers of buckets: time / HISTORY_BUCKET_MS */
	struct rates_point buckets[HISTORY_BUCKETS];	/* number modulo */
	int64_t changed[HISTORY_BUCKETS];	/* `last` when they were */
	size_t n_marks;
	struct history_mark marks[HISTORY_MARKS];	/* by time */
};

/* Buckets up to this time exist from now on; what is an hour old goes. */
void history_turn(struct history *history, int64_t now_ms);

/* Spreads a gain evenly over its time; the parts add up to it. */
void history_gain(struct history *history, const struct rates_gain *gain);

/* Remembers what the ring tells that happened in the last hour. */
void history_keys(struct history *history, const struct stek_ring_info *ring);

const struct rates_point *history_bucket(const struct history *history,
					 int64_t number);

/*
 * Did it change while one of the newest `n` buckets filled? A late heartbeat
 * changes old ones.
 */
bool history_is_new(const struct history *history, int64_t number, int n);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rates.h - how fast a node's counters grow: over the last minute, the last
 * five and the last sixty, from its heartbeats. Pure: times are passed in, in
 * milliseconds of this machine's monotonic clock, so that no clock that is set
 * makes a rate. Bounded memory, 6 KiB a node.
 */
#ifndef STEKD_RATES_H
#define STEKD_RATES_H

#include <stdbool.h>

#include "counters.h"

/* What is rated, for each TLS version: */
enum rates_share {
	RATES_NONE,	/* full handshakes of clients without a ticket */
	RATES_REFUSED,	/* full ones although there was a ticket */
	RATES_RESUMED,
	RATES_SHARES
};

struct rates_point {
	uint64_t connections, failures;
	uint64_t shakes[TLS_KINDS][RATES_SHARES];
};

/* The same as an array, to add and subtract. */
#define RATES_VALUES (2 + TLS_KINDS * RATES_SHARES)

enum rates_share rates_share(int outcome);
void rates_point(struct rates_point *out, const struct counters *c);
void rates_add(struct rates_point *into, const struct rates_point *more);

#define RATES_FINE_MS 5000
#define RATES_FINE 14		/* spans 65 s and more */
#define RATES_COARSE_MS 60000
#define RATES_COARSE 62		/* spans 61 minutes and more */

/* What had been counted at a time, over all lives of the node. */
struct rates_mark {
	int64_t at_ms;
	struct rates_point total;
};

struct rates_ring {
	size_t n, next;
};

struct rates {
	bool begun;
	int64_t started_at_ms;		/* farm time: which life of the node */
	int64_t newest_start_ms;	/* the greatest of them so far */
	struct rates_point raw;		/* as last told */
	struct rates_mark newest;
	struct rates_ring fine_at, coarse_at;
	struct rates_mark fine[RATES_FINE], coarse[RATES_COARSE];
};

struct rates_sample {
	int64_t at_ms;		/* when it was counted */
	int64_t started_at_ms;	/* of the node's process, farm time */
	struct rates_point raw;
	/*
	 * When the node is seen for the first time: it was not there before
	 * this, so all that it counted, it counted since. 0: who knows.
	 */
	int64_t absent_until_ms;
};

/* What one sample adds to what was known, and since when. */
struct rates_gain {
	int64_t from_ms, to_ms;
	struct rates_point more;
};

/*
 * Takes a sample; false if it is no newer than the last. A process that started
 * later than any before it counts from zero, so all that it tells is gained. A
 * counter that fell otherwise, or a process that comes back (two of one name),
 * gains nothing: never a negative rate, never one of a whole life at once.
 */
bool rates_take(struct rates *rates, const struct rates_sample *sample,
		struct rates_gain *gain);

enum rates_window { RATES_1M, RATES_5M, RATES_60M, RATES_WINDOWS };

extern const int64_t rates_window_ms[RATES_WINDOWS];
const char *rates_window_name(enum rates_window window);

/* What was counted in a window, and how long that was. */
struct rate {
	double over_s;		/* shorter than the window after a start */
	double connections, failures;
	double shakes[TLS_KINDS][RATES_SHARES];
};

/*
 * The window ends with the newest sample, but `late_ms` before now at the
 * earliest: of a node that went silent the rates fall to nothing.
 */
void rates_read(const struct rates *rates, enum rates_window window,
		int64_t now_ms, int64_t late_ms, struct rate *out);

/* For sums over nodes: over the longest time that one of them was watched. */
void rate_sum(struct rate *into, const struct rate *more);

/* Resumed, of those that offered a ticket; below 0: nobody did. */
double rate_resumption(const struct rate *rate, int first_kind, int last_kind);

#endif

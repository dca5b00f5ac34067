// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rates.c - totals of a node that only ever grow, at times: one mark each few
 * seconds for a minute, one a minute for an hour. Between two marks a total is
 * taken to grow evenly. Called by sampler.c.
 */
#include "rates.h"

#include <string.h>

const int64_t rates_window_ms[RATES_WINDOWS] = { 60000, 300000, 3600000 };

const char *rates_window_name(enum rates_window window)
{
	static const char *const names[RATES_WINDOWS] = { "1m", "5m", "60m" };

	return names[window];
}

_Static_assert(sizeof(struct rates_point) == RATES_VALUES * sizeof(uint64_t),
	       "a point is its values");
_Static_assert(sizeof(struct rate) == (1 + RATES_VALUES) * sizeof(double),
	       "a rate is its time and its values");

static uint64_t *values(struct rates_point *point)
{
	return (uint64_t *)(void *)point;
}

static const uint64_t *values_of(const struct rates_point *point)
{
	return (const uint64_t *)(const void *)point;
}

/* What follows the time of a rate. */
static double *counts(struct rate *rate)
{
	return (double *)(void *)rate + 1;
}

static const double *counts_of(const struct rate *rate)
{
	return (const double *)(const void *)rate + 1;
}

enum rates_share rates_share(int outcome)
{
	if (outcome == STEK_NONE_OFFERED)
		return RATES_NONE;
	if (outcome == STEK_RESUMED_ACTIVE || outcome == STEK_RESUMED_RETIRED ||
	    outcome == STEK_RESUMED_PENDING)
		return RATES_RESUMED;
	return RATES_REFUSED;
}

void rates_point(struct rates_point *out, const struct counters *c)
{
	memset(out, 0, sizeof(*out));
	out->connections = c->accepted;
	for (int i = FAIL_NONE + 1; i < FAILURES; i++)
		out->failures += c->failures[i];
	for (int kind = 0; kind < TLS_KINDS; kind++)
		for (int i = 0; i < STEK_OUTCOMES; i++)
			out->shakes[kind][rates_share(i)] +=
				c->handshakes[kind][i];
}

void rates_add(struct rates_point *into, const struct rates_point *more)
{
	for (size_t i = 0; i < RATES_VALUES; i++)
		values(into)[i] += values_of(more)[i];
}

/* The nth of a ring, the oldest first. */
static const struct rates_mark *nth(const struct rates_mark *marks, size_t cap,
				    const struct rates_ring *ring, size_t n)
{
	return &marks[(ring->next + cap - ring->n + n) % cap];
}

static void keep(struct rates_mark *marks, size_t cap, struct rates_ring *ring,
		 int64_t gap_ms, const struct rates_mark *mark)
{
	if (ring->n > 0 &&
	    mark->at_ms - nth(marks, cap, ring, ring->n - 1)->at_ms < gap_ms)
		return;
	marks[ring->next] = *mark;
	ring->next = (ring->next + 1) % cap;
	if (ring->n < cap)
		ring->n++;
}

static void keep_both(struct rates *rates)
{
	keep(rates->fine, RATES_FINE, &rates->fine_at, RATES_FINE_MS,
	     &rates->newest);
	keep(rates->coarse, RATES_COARSE, &rates->coarse_at, RATES_COARSE_MS,
	     &rates->newest);
}

/* The first sample: a mark of nothing at the time when it was not yet there. */
static void begin(struct rates *rates, const struct rates_sample *sample)
{
	bool whole = sample->absent_until_ms != 0 &&
		sample->absent_until_ms < sample->at_ms;

	memset(rates, 0, sizeof(*rates));
	rates->begun = true;
	rates->started_at_ms = sample->started_at_ms;
	rates->newest_start_ms = sample->started_at_ms;
	rates->newest.at_ms = whole ? sample->absent_until_ms : sample->at_ms;
	if (!whole)
		rates->raw = sample->raw;
	keep_both(rates);
}

static void take_life(struct rates *rates, const struct rates_sample *sample)
{
	if (sample->started_at_ms == rates->started_at_ms)
		return;
	rates->started_at_ms = sample->started_at_ms;
	rates->raw = sample->raw;
	if (sample->started_at_ms <= rates->newest_start_ms)
		return;
	rates->newest_start_ms = sample->started_at_ms;
	memset(&rates->raw, 0, sizeof(rates->raw));
}

bool rates_take(struct rates *rates, const struct rates_sample *sample,
		struct rates_gain *gain)
{
	uint64_t *raw = values(&rates->raw);
	const uint64_t *now = values_of(&sample->raw);

	if (!rates->begun)
		begin(rates, sample);
	if (sample->at_ms <= rates->newest.at_ms)
		return false;
	take_life(rates, sample);
	gain->from_ms = rates->newest.at_ms;
	gain->to_ms = sample->at_ms;
	for (size_t i = 0; i < RATES_VALUES; i++) {
		values(&gain->more)[i] = now[i] > raw[i] ? now[i] - raw[i] : 0;
		raw[i] = now[i];
	}
	rates->newest.at_ms = sample->at_ms;
	rates_add(&rates->newest.total, &gain->more);
	keep_both(rates);
	return true;
}

/* Narrows the two marks between which a time lies. */
static void bracket(const struct rates_mark *mark, int64_t at_ms,
		    const struct rates_mark **before,
		    const struct rates_mark **after)
{
	if (mark->at_ms <= at_ms &&
	    (*before == NULL || mark->at_ms > (*before)->at_ms))
		*before = mark;
	if (mark->at_ms >= at_ms &&
	    (*after == NULL || mark->at_ms < (*after)->at_ms))
		*after = mark;
}

/* The totals at a time; *at_ms becomes that of the oldest mark if later. */
static void totals_at(const struct rates *rates, int64_t *at_ms,
		      double out[RATES_VALUES])
{
	const struct rates_mark *before = NULL, *after = NULL;
	double share = 0;
	size_t i;

	bracket(&rates->newest, *at_ms, &before, &after);
	for (i = 0; i < rates->fine_at.n; i++)
		bracket(&rates->fine[i], *at_ms, &before, &after);
	for (i = 0; i < rates->coarse_at.n; i++)
		bracket(&rates->coarse[i], *at_ms, &before, &after);
	if (before == NULL) {
		before = after;
		*at_ms = before->at_ms;
	}
	if (after == NULL)
		after = before;
	if (after->at_ms > before->at_ms)
		share = (double)(*at_ms - before->at_ms) /
			(double)(after->at_ms - before->at_ms);
	for (i = 0; i < RATES_VALUES; i++) {
		double low = (double)values_of(&before->total)[i];
		double high = (double)values_of(&after->total)[i];

		out[i] = low + (high - low) * share;
	}
}

void rates_read(const struct rates *rates, enum rates_window window,
		int64_t now_ms, int64_t late_ms, struct rate *out)
{
	int64_t end_ms = rates->newest.at_ms, begin_ms;
	double old[RATES_VALUES], *value = counts(out);
	size_t i;

	memset(out, 0, sizeof(*out));
	if (!rates->begun)
		return;
	if (end_ms < now_ms - late_ms)
		end_ms = now_ms - late_ms;
	begin_ms = end_ms - rates_window_ms[window];
	totals_at(rates, &begin_ms, old);
	out->over_s = (double)(end_ms - begin_ms) / 1e3;
	for (i = 0; i < RATES_VALUES; i++)
		value[i] = (double)values_of(&rates->newest.total)[i] - old[i];
}

void rate_sum(struct rate *into, const struct rate *more)
{
	double *value = counts(into);
	const double *add = counts_of(more);

	if (more->over_s > into->over_s)
		into->over_s = more->over_s;
	for (size_t i = 0; i < RATES_VALUES; i++)
		value[i] += add[i];
}

double rate_resumption(const struct rate *rate, int first_kind, int last_kind)
{
	double resumed = 0, offered = 0;

	for (int kind = first_kind; kind <= last_kind; kind++) {
		resumed += rate->shakes[kind][RATES_RESUMED];
		offered += rate->shakes[kind][RATES_RESUMED] +
			   rate->shakes[kind][RATES_REFUSED];
	}
	/* Less than a hundredth of a handshake is rounding. */
	return offered < 0.01 ? -1 : resumed / offered;
}

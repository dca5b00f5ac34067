/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stats.h - what the probe counts: latencies and lifetimes, failures by reason,
 * the distinct key names of tickets, and the exact share of connections that resume. Each
 * thread has its own and they are merged at the end, so nothing here locks.
 */
#ifndef PROBE_STATS_H
#define PROBE_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct samples {
	uint32_t *us;
	size_t n, cap;
};

int samples_add(struct samples *samples, uint32_t us);
int samples_merge(struct samples *into, const struct samples *from);
void samples_sort(struct samples *samples);

/* Nearest rank, of sorted samples; 0 when there are none. */
uint32_t samples_percentile(const struct samples *samples, unsigned percent);
void samples_clear(struct samples *samples);

/* How many samples are above `low` and not above `high`. */
size_t samples_between(const struct samples *samples, uint32_t low,
		       uint32_t high);

/* Microseconds as a sample: never negative, cut where 32 bits end. */
uint32_t sample_of(int64_t us);

#define REASONS_MAX 32
#define REASON_LEN 64

/* Failures by name. What does not fit is counted under the last, "other". */
struct reasons {
	size_t n;
	struct {
		char name[REASON_LEN];
		uint64_t count;
	} list[REASONS_MAX];
};

void reasons_add(struct reasons *reasons, const char *name, uint64_t count);
void reasons_merge(struct reasons *into, const struct reasons *from);
uint64_t reasons_count(const struct reasons *reasons, const char *name);

#define KEY_NAME_LEN 16		/* RFC 5077 s4 */

/* A set of key names; open addressing, never more than half full. */
struct key_names {
	uint8_t (*slots)[KEY_NAME_LEN];
	bool *used;
	size_t n, cap;
};

int key_names_add(struct key_names *set, const uint8_t name[KEY_NAME_LEN]);
int key_names_merge(struct key_names *into, const struct key_names *from);
void key_names_clear(struct key_names *set);

#define SHARE_WHOLE 10000u	/* basis points */

/*
 * True if connection `index` (from 0) belongs to the share. Of the first n
 * connections exactly floor(n * share / SHARE_WHOLE) do, for every n.
 */
bool share_due(uint64_t index, unsigned share);

/*
 * Wilson's 95 % interval of a share, as fractions: honest for few and for none
 * or all. Of nothing it is 0 to 1.
 */
void share_interval(uint64_t part, uint64_t whole, double *low, double *high);

/* A percentage with at most two decimals, into basis points; -1 if wrong. */
int share_parse(const char *text, unsigned *share);

#endif

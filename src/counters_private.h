/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * counters_private.h - what counters.c and counters_pack.c share: the counters
 * by runs, and the slots of issuers and keys.
 */
#ifndef STEKD_COUNTERS_PRIVATE_H
#define STEKD_COUNTERS_PRIVATE_H

#include "counters.h"

/* Counters that lie together, in their packed order. */
struct run {
	counter *first;
	uint8_t n;
	uint8_t spare;	/* takes what a build that counts more has sent */
	bool whole;	/* of another length it means something else */
	bool cut;	/* mostly zero: packed up to the last that is not */
};

#define RUNS 17

void counters__runs(struct counters *c, struct run runs[RUNS]);
void counters__runs_read(const struct counters *c, struct run runs[RUNS]);

static inline uint64_t counters__value(const counter *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

static inline uint32_t counters__issuer(const struct counters *c, size_t slot)
{
	return atomic_load_explicit(&c->issuer_id[slot], memory_order_relaxed);
}

static inline uint32_t counters__key(const struct counters *c, size_t slot)
{
	return atomic_load_explicit(&c->key_id[slot], memory_order_relaxed);
}

void counters__issuer_add(struct counters *c, uint32_t node_id, uint64_t n);
void counters__key_add(struct counters *c, uint32_t id, uint64_t n);

/* Of a worker's that counts on: *id is 0 when the slot has no key just now. */
uint64_t counters__key_read(const struct counters *c, size_t slot,
			    uint32_t *id);

#endif

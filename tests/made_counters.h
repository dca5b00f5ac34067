/* SPDX-License-Identifier: GPL-2.0-or-later */
/* made_counters.h - counters with figures in them, for their tests. */
#ifndef TESTS_MADE_COUNTERS_H
#define TESTS_MADE_COUNTERS_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "counters.h"

static struct counters a, b, sum;

static inline void setup(void)
{
	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	memset(&sum, 0, sizeof(sum));
}

/* Fills every counter with another number; `issuers` of them named. */
static inline void fill(struct counters *c, uint64_t base, uint32_t issuers)
{
	counter *plain = (counter *)c;

	/* All members before issuer_id are counters, and nothing else. */
	for (size_t i = 0; i < offsetof(struct counters, issuer_id) /
	     sizeof(counter); i++)
		plain[i] = base + i;
	for (uint32_t id = 1; id <= issuers; id++) {
		c->issuer_id[id - 1] = id;
		c->issuer_resumed[id - 1] = base + id;
	}
	c->issuer_resumed[ISSUERS_MAX] = base;
}

static inline void add_keys(struct counters *c, unsigned first, unsigned n,
		     uint64_t issued)
{
	uint8_t id[STEK_ID_LEN] = { 0 };

	for (unsigned i = first; i < first + n; i++) {
		id[2] = (uint8_t)(i >> 8);
		id[3] = (uint8_t)i;
		counters_key(c, id, issued + i);
	}
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * simthree.h - three nodes of a simulated farm over one store, as most tests of
 * the sync thread begin.
 */
#ifndef STEK_TESTS_SIMTHREE_H
#define STEK_TESTS_SIMTHREE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "simfarm.h"

#define SEC 1000LL
#define HOUR (3600 * SEC)

static struct sim *sim;

static inline void begin_three(void)
{
	sim = calloc(1, sizeof(*sim));
	ck_assert_ptr_nonnull(sim);
	sim_begin(sim, 3);
}

static inline void end(void)
{
	sim_end(sim);
	free(sim);
}

/* The first key of a farm is active before all have it; no later one is. */
static inline void settle_three(void)
{
	sim_run(sim, 2 * SEC);
	sim_assert_same(sim);
	sim->check = true;
}

/* Of a counter of the status, over all nodes. */
static inline uint64_t total(size_t offset)
{
	struct stek_status status;
	uint64_t sum = 0, one;
	size_t i;

	for (i = 0; i < sim->n; i++) {
		sim_status(sim, i, &status);
		memcpy(&one, (char *)&status + offset, sizeof(one));
		sum += one;
	}
	return sum;
}

#endif

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * helper_world.c - runs simulated worlds from the command line: so many steps
 * for each of so many seeds, or one seed again, told step by step. The first
 * rule that breaks is printed with its seed and step; the exit status is 1 then.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simworld.h"

static int usage(void)
{
	fprintf(stderr, "usage: helper_world [--seed FIRST] [--seeds N]"
		" [--steps N] [--loud]\n"
		"  --steps counts for each seed; --loud tells what happens\n");
	return 2;
}

static void report(const struct world *world)
{
	const struct world_sum *s = &world->sum;

	printf("seed %" PRIu64 ": %zu nodes, %" PRIu64 " steps, %" PRIu64
	       " s; %" PRIu64 " faults, %" PRIu64 " restarts, %" PRIu64
	       " rotations, %" PRIu64 " revocations, %" PRIu64 " keys, %"
	       PRIu64 " rings put back, %" PRIu64 " conflicts; tickets: %"
	       PRIu64 " sealed, %" PRIu64 " opened, %" PRIu64 " refused\n",
	       world->seed, world->n, world->step,
	       (uint64_t)(world->now_ms - 1700000000000) / 1000, s->faults,
	       s->restarts, s->rotated, s->revoked, s->minted, s->restored,
	       s->conflicts, s->sealed, s->opened, s->refused);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct world *world = calloc(1, sizeof(*world));
	uint64_t first = 1, seeds = 1, steps = 100000, seed;
	bool loud = false;
	int i, failed = 0;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--loud"))
			loud = true;
		else if (i + 1 == argc)
			return usage();
		else if (!strcmp(argv[i], "--seed"))
			first = strtoull(argv[++i], NULL, 10);
		else if (!strcmp(argv[i], "--seeds"))
			seeds = strtoull(argv[++i], NULL, 10);
		else if (!strcmp(argv[i], "--steps"))
			steps = strtoull(argv[++i], NULL, 10);
		else
			return usage();
	}
	for (seed = first; world && seed < first + seeds && !failed; seed++) {
		failed = world_run(world, seed, steps, loud);
		if (failed)
			printf("%s\n", world->failure);
		else
			report(world);
	}
	free(world);
	return failed || !world ? 1 : 0;
}

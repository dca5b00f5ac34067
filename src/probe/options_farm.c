/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of stekprobe farm. options.c calls this. */
#include <string.h>

#include "options.h"

int options_farm_take(struct options *out, int option, const char *arg)
{
	(void)option;
	return options_small(arg, 1, 10000, &out->farm.tries);
}

int options_farm_finish(struct options *out, FILE *err)
{
	struct farm_plan *farm = &out->farm;

	if (out->n_addresses > FARM_NODES_MAX) {
		fprintf(err, "stekprobe: at most %d nodes\n", FARM_NODES_MAX);
		return -1;
	}
	/* A farm is there to resume everything. */
	if (!out->expect_given)
		out->expect = SHARE_WHOLE;
	farm->tls = out->tls;
	farm->nodes = out->addresses;
	farm->n = out->n_addresses;
	memcpy(farm->versions, out->versions, sizeof(farm->versions));
	return 0;
}

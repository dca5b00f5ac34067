/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of stekprobe farm. options.c calls this. */
#include <ctype.h>
#include <string.h>

#include "options.h"

/* A field name is a token (RFC 9110 s5.1). */
static bool token(const char *text)
{
	for (const char *p = text; *p; p++) {
		if (!isalnum((unsigned char)*p) &&
		    !strchr("!#$%&'*+-.^_`|~", *p))
			return false;
	}
	return *text != '\0';
}

int options_farm_take(struct options *out, int option, const char *arg)
{
	struct farm_plan *farm = &out->farm;

	switch (option) {
	case OPT_BALANCED:
		farm->balanced = true;
		return 0;
	case OPT_MOST:
		return options_small(arg, 1, 10000000, &farm->most);
	case OPT_NODE_HEADER:
		farm->node_header = arg;
		return token(arg) ? 0 : -1;
	case OPT_EVERY:
		return options_small(arg, 1, 86400 * 7, &farm->every_s);
	case OPT_FOR:
		return options_small(arg, 1, 86400 * 365, &farm->for_s);
	case OPT_ROUNDS:
		return options_small(arg, 1, 1000000, &farm->rounds);
	default:
		return options_small(arg, 1, 10000, &farm->tries);
	}
}

static const char *clash(const struct options *out)
{
	const struct farm_plan *farm = &out->farm;

	if (out->n_addresses > FARM_NODES_MAX)
		return "too many nodes";
	if (farm->balanced && out->n_addresses != 1)
		return "--balanced takes one address";
	if (farm->for_s && farm->rounds)
		return "either --for or --rounds";
	if ((farm->for_s || farm->rounds) && !farm->every_s)
		return "--for and --rounds need --every";
	if (farm->every_s && !farm->for_s && !farm->rounds)
		return "--every needs --for or --rounds";
	return NULL;
}

int options_farm_finish(struct options *out, FILE *err)
{
	struct farm_plan *farm = &out->farm;
	const char *wrong = clash(out);

	if (wrong) {
		fprintf(err, "stekprobe: %s (--help)\n", wrong);
		return -1;
	}
	/* A farm is there to resume everything. */
	if (!out->expect_given)
		out->expect = SHARE_WHOLE;
	farm->expect = out->expect;
	farm->format = out->format;
	/* CSV is printed by rounds alone, text only if there are several. */
	if (out->format == REPORT_CSV ||
	    (out->format == REPORT_TEXT && farm->every_s))
		farm->progress = stdout;
	farm->tls = out->tls;
	farm->nodes = out->addresses;
	farm->n = out->n_addresses;
	memcpy(farm->versions, out->versions, sizeof(farm->versions));
	return 0;
}

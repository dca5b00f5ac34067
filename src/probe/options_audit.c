/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options of stekprobe audit: other names and addresses, client
 * authentication, how long to watch, and what makes it fail. options.c calls
 * this.
 */
#include <stdlib.h>
#include <string.h>

#include "options.h"

#define WATCH_MOST (31 * 86400)

/* Names stand in reports: printable, and no quote that would end a field. */
static bool name_good(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++) {
		if (name[i] <= ' ' || name[i] > '~' || name[i] == '"')
			return false;
	}
	return len > 0 && len < 254;
}

/* Seconds, or a number with s, m, h or d. */
static int duration(const char *text, unsigned *out)
{
	static const struct { char unit; unsigned seconds; } units[] = {
		{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400},
	};
	size_t len = strlen(text);
	unsigned times = 1, value;
	char number[16];

	if (len == 0 || len >= sizeof(number))
		return -1;
	strcpy(number, text);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (number[len - 1] != units[i].unit)
			continue;
		times = units[i].seconds;
		number[len - 1] = '\0';
		break;
	}
	if (options_small(number, 1, WATCH_MOST / times, &value) != 0)
		return -1;
	*out = value * times;
	return 0;
}

static int take_name(struct audit_plan *plan, const char *arg)
{
	if (plan->n_others == AUDIT_OTHERS_MAX || !name_good(arg))
		return -1;
	plan->others[plan->n_others++] = arg;
	return 0;
}

int options_audit_take(struct options *out, int option, const char *arg)
{
	struct audit_plan *plan = &out->audit;

	switch (option) {
	case OPT_OTHER_SNI:
		return take_name(plan, arg);
	case OPT_ALSO:
		if (address_list(&plan->hosts, &plan->n_hosts, arg) != 0)
			return -1;
		return plan->n_hosts <= AUDIT_OTHERS_MAX ? 0 : -1;
	case OPT_AUTH_NAME:
		plan->auth = arg;
		return name_good(arg) ? 0 : -1;
	case OPT_WATCH:
		return duration(arg, &plan->watch_s);
	default:
		return severity_parse(arg, &plan->fail_on);
	}
}

int options_audit_finish(struct options *out, FILE *err)
{
	struct audit_plan *plan = &out->audit;

	if (out->n_addresses != 1) {
		fputs("stekprobe: audit takes one address (--help)\n", err);
		return -1;
	}
	if (!out->offer.cert != !out->offer.key) {
		fputs("stekprobe: --cert and --key go together\n", err);
		return -1;
	}
	if (out->offer.cert && !plan->auth) {
		fputs("stekprobe: --cert goes with --auth-name\n", err);
		return -1;
	}
	if (out->expect_given) {
		fputs("stekprobe: --expect does not belong to this command\n",
		      err);
		return -1;
	}
	plan->offer = out->offer;
	plan->offer.tls = out->tls;
	memcpy(plan->offer.versions, out->versions,
	       sizeof(plan->offer.versions));
	return 0;
}

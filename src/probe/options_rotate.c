/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options of stekprobe rotate-test: what is done to the farm under load,
 * and how its admin endpoint is reached. options.c calls this.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options.h"

static int take_pid(struct options *out, const char *arg)
{
	unsigned pid;

	/* Nobody's node is the first process or this one. */
	if (options_small(arg, 2, INT32_MAX, &pid) != 0 ||
	    (pid_t)pid == getpid())
		return -1;
	out->rotate.victim = (pid_t)pid;
	out->rotate_lose = true;
	return 0;
}

static int take_target(struct options *out, int option, const char *arg)
{
	struct ctl_target *target = &out->rotate.target;

	switch (option) {
	case OPT_SOCKET:
		target->socket = arg;
		return *arg != '\0' && strlen(arg) < 108 ? 0 : -1;
	case OPT_URL:
		target->url = arg;
		return ctl_url_valid(arg) && strlen(arg) < 200 ? 0 : -1;
	default:
		out->token_file = arg;
		return 0;
	}
}

int options_rotate_take(struct options *out, int option, const char *arg)
{
	struct rotate_plan *rotate = &out->rotate;

	switch (option) {
	case OPT_ROTATIONS:
		return options_small(arg, 1, ROTATE_EVENTS_MAX, &rotate->times);
	case OPT_REVOKE:
		rotate->kind = ROTATE_REVOKE;
		return 0;
	case OPT_KILL_NODE:
		return take_pid(out, arg);
	case OPT_KILL_COMMAND:
		rotate->command = arg;
		out->rotate_lose = true;
		return *arg ? 0 : -1;
	case OPT_LEAD:
		return options_small(arg, 1, 86400, &rotate->lead_s);
	case OPT_SETTLE:
		return options_small(arg, 1, 86400, &rotate->settle_s);
	case OPT_MAX_FAILED:
		return options_number(arg, 0, 1000000000,
				      &rotate->most_failed);
	case OPT_FORCE:
		rotate->force = true;
		return 0;
	default:
		return take_target(out, option, arg);
	}
}

static const char *clash(const struct options *out)
{
	const struct rotate_plan *rotate = &out->rotate;
	bool asked = rotate->target.socket || rotate->target.url;

	if (out->rotate_lose && rotate->kind == ROTATE_REVOKE)
		return "either --revoke or the loss of a node";
	if (rotate->victim && rotate->command)
		return "either --kill-node or --kill-command";
	if (out->rotate_lose && (rotate->times || rotate->force || asked))
		return "the loss of a node is one, and asks no admin endpoint";
	if (rotate->force && rotate->kind == ROTATE_REVOKE)
		return "--force goes with rotations";
	if (rotate->target.socket && rotate->target.url)
		return "either --socket or --url";
	if (out->token_file && !rotate->target.url)
		return "--token-file goes with --url";
	return NULL;
}

int options_rotate_finish(struct options *out, FILE *err)
{
	struct rotate_plan *rotate = &out->rotate;
	const char *wrong = clash(out), *socket = getenv("STEKCTL_SOCKET");
	char why[512];

	if (wrong) {
		fprintf(err, "stekprobe: %s (--help)\n", wrong);
		return -1;
	}
	if (out->rotate_lose)
		rotate->kind = ROTATE_LOSE;
	if (!rotate->times)
		rotate->times = rotate->kind == ROTATE_ROTATE ? 3 : 1;
	if (rotate->most_failed == UINT64_MAX && !out->rotate_lose)
		rotate->most_failed = 0;
	if (!rotate->target.socket)
		rotate->target.socket = socket && *socket
						? socket
						: "/run/stekd/admin.sock";
	rotate->expect = out->expect ? out->expect : SHARE_WHOLE;
	rotate->load = out->load;
	if (out->token_file &&
	    ctl_token_read(rotate->target.token, out->token_file, why,
			   sizeof(why)) != 0) {
		fprintf(err, "stekprobe: %s\n", why);
		return -1;
	}
	return 0;
}

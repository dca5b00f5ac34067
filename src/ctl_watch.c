/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stekctl watch: a line each interval with what changed in it. A daemon that
 * goes away is reported and waited for: one watches a restart with this too.
 */
#include <time.h>

#include "ctl.h"

struct snapshot {
	struct ctl_reply status, stats;
	int64_t at_ms;		/* CLOCK_MONOTONIC */
};

static int64_t mono_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void snapshot_clear(struct snapshot *snapshot)
{
	ctl_reply_clear(&snapshot->status);
	ctl_reply_clear(&snapshot->stats);
}

static enum ctl_exit snapshot_take(struct snapshot *out,
				   const struct ctl_target *target)
{
	enum ctl_exit result;
	char why[512];

	*out = (struct snapshot){.at_ms = mono_ms()};
	result = ctl_request(target, "/v1/status", NULL, &out->status, why,
			     sizeof(why));
	if (result == CTL_OK)
		result = ctl_request(target, "/v1/stats", NULL, &out->stats,
				     why, sizeof(why));
	if (result != CTL_OK) {
		fprintf(stderr, "stekctl: %s\n", why);
		return result;
	}
	if (out->status.status == 200 && out->stats.status == 200)
		return CTL_OK;
	ctl_show_problem(out->status.status == 200 ? &out->stats : &out->status,
			 stderr);
	return CTL_REFUSED;
}

static const json_t *farm_or_node(const struct snapshot *snapshot)
{
	const json_t *farm = json_object_get(snapshot->stats.body, "farm");

	return json_is_object(farm) ? farm
				    : json_object_get(snapshot->stats.body,
						      "node");
}

static void print_line(const struct snapshot *now,
		       const struct snapshot *before, FILE *out)
{
	const json_t *status = now->status.body;
	const json_t *ring = json_object_get(status, "ring");
	const json_t *s = farm_or_node(now), *b = farm_or_node(before);
	int64_t resumed = ctl_integer(s, "resumed") - ctl_integer(b, "resumed");
	int64_t full = ctl_integer(s, "full") - ctl_integer(b, "full");
	int64_t ms = now->at_ms - before->at_ms;
	char rate[CTL_TEXT_LEN], next[CTL_TEXT_LEN] = "-";
	int64_t next_ms = ctl_integer(ring, "next_activation_ms");

	/* A node that restarted counts from zero again. */
	if (resumed < 0 || full < 0)
		resumed = full = 0;
	ctl_percent(rate, resumed, resumed + full);
	if (next_ms)
		ctl_when(next, next_ms, ctl_integer(status, "now_ms"));
	fprintf(out, "%-5s  %-11s  %6lld  %-12.12s  %-12s  %9.1f  %8s\n",
		json_is_true(json_object_get(status, "ready")) ? "yes" : "NO",
		ctl_string(json_object_get(status, "store"), "state"),
		(long long)ctl_integer(ring, "epoch"),
		ctl_string(ring, "active"), next,
		ms > 0 ? (double)(resumed + full) * 1000.0 / (double)ms : 0.0,
		rate);
	fflush(out);
}

static void print_json(const struct snapshot *now, FILE *out)
{
	json_t *both = json_pack("{s:O, s:O}", "status", now->status.body,
				 "stats", now->stats.body);

	json_dumpf(both, out, JSON_COMPACT);
	fputc('\n', out);
	fflush(out);
	json_decref(both);
}

enum ctl_exit ctl_watch(const struct ctl_target *target,
			const struct ctl_watch *options, FILE *out)
{
	struct snapshot before = {0}, now;
	enum ctl_exit result = CTL_OK;
	bool any = false;

	for (unsigned i = 0; options->count == 0 || i < options->count; i++) {
		if (i > 0)
			nanosleep(&(struct timespec){
					  .tv_sec = options->interval_s},
				  NULL);
		result = snapshot_take(&now, target);
		if (result != CTL_OK) {
			snapshot_clear(&now);
			if (!any)
				break;
			continue;
		}
		if (options->json)
			print_json(&now, out);
		else if (i % 20 == 0)
			fprintf(out, "%-5s  %-11s  %6s  %-12s  %-12s  %9s  "
				     "%8s\n", "READY", "STORE", "EPOCH",
				"ACTIVE", "NEXT KEY", "SHAKES/S", "RESUMED");
		if (!options->json)
			print_line(&now, any ? &before : &now, out);
		snapshot_clear(&before);
		before = now;
		any = true;
	}
	snapshot_clear(&before);
	return result;
}

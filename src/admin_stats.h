/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_stats.h - figures of nodes and of the farm as the documents show them:
 * what /v1/stats and the event stream have in common.
 */
#ifndef STEKD_ADMIN_STATS_H
#define STEKD_ADMIN_STATS_H

#include <jansson.h>

#include "sampler.h"

struct farm_view {
	const struct node *node;
	const struct farm_sample *farm;		/* held */
};

/* admin_stats.c: totals since the start. */
json_t *admin_stats_json(const struct farm_view *view,
			 const struct counters *c);

/* Of them: accepted, resumed, full and resumption_rate. */
json_t *admin_stats_short(const struct counters *c);
json_t *admin_stats_failures(const struct counters *c);

/* The sum over the live nodes. */
void admin_stats_sum(const struct farm_view *view, struct counters *sum);

/* Name of an issuing node, "" if nobody knows it. */
void admin_stats_issuer(const struct farm_view *view, uint32_t id, char *buf,
			size_t len);

/* Of a version: "TLSv1.2" or "TLSv1.3". */
const char *admin_stats_kind(int kind);

/* admin_rates.c: the three windows, of one node and of all. */
json_t *admin_rates_json(const struct farm_sample *farm,
			 const struct sampled *one);
json_t *admin_rates_farm(const struct farm_sample *farm);

#endif

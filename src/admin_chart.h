/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_chart.h - the parts of the event stream that the dashboard draws; all
 * NULL without memory. stekd-http(7) documents them.
 */
#ifndef STEKD_ADMIN_CHART_H
#define STEKD_ADMIN_CHART_H

#include "admin_stats.h"

/* Buckets, all or what changed last, and marks; `farm_ms`: of the sample. */
json_t *admin_chart_history(const struct farm_view *view, bool whole,
			    int64_t farm_ms);

/* Issuing node by resuming node. */
json_t *admin_chart_heat(const struct farm_view *view);

json_t *admin_chart_ages(const struct counters *c);
json_t *admin_chart_times(const struct counters *c);
json_t *admin_chart_refusals(const struct counters *c);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_chart.c - what the dashboard draws of the farm's counters: the last
 * hour, who resumes whose tickets, ticket ages and handshake times. Called by
 * admin_feed.c.
 */
#include <stdlib.h>
#include <string.h>

#include "admin_chart.h"
#include "admin_route.h"

#define BUCKETS_NEWEST 4	/* their time: more than a reader may miss */
#define STRANGERS_MAX 256	/* issuers that are no node of the last hour */

static json_t *bucket_json(const struct farm_view *view, int64_t number,
			   int64_t farm_ms)
{
	const struct rates_point *bucket =
		history_bucket(&view->farm->history, number);
	int64_t age_ms = view->farm->now_ms - number * HISTORY_BUCKET_MS;
	json_t *json = json_pack("{s:I, s:I, s:I, s:I}",
				 "n", (json_int_t)number,
				 "at_ms", (json_int_t)(farm_ms - age_ms),
				 "connections",
				 (json_int_t)bucket->connections,
				 "failures", (json_int_t)bucket->failures);
	const uint64_t *n;
	int kind;

	for (kind = 0; kind < TLS_KINDS; kind++) {
		n = bucket->shakes[kind];
		json_object_set_new(json, admin_stats_kind(kind),
			json_pack("{s:I, s:I, s:I}",
				  "none", (json_int_t)n[RATES_NONE],
				  "refused", (json_int_t)n[RATES_REFUSED],
				  "resumed", (json_int_t)n[RATES_RESUMED]));
	}
	return json;
}

static json_t *mark_json(const struct history_mark *mark)
{
	return json_pack("{s:I, s:s, s:s, s:o}",
			 "at_ms", (json_int_t)mark->at_ms,
			 "kind", mark->revoked ? "revoke" : "activate",
			 "reason", stek_reason_name(mark->reason),
			 "key", admin_hex(mark->key_id, STEK_ID_LEN));
}

json_t *admin_chart_history(const struct farm_view *view, bool whole,
			    int64_t farm_ms)
{
	const struct history *history = &view->farm->history;
	json_t *buckets = json_array(), *marks = json_array();
	int64_t number = history->first;
	size_t i;

	for (; number <= history->last; number++)
		if (whole || history_is_new(history, number, BUCKETS_NEWEST))
			json_array_append_new(buckets,
					      bucket_json(view, number,
							  farm_ms));
	for (i = 0; i < history->n_marks; i++)
		json_array_append_new(marks, mark_json(&history->marks[i]));
	return json_pack("{s:i, s:o, s:o}", "bucket_ms", HISTORY_BUCKET_MS,
			 "buckets", buckets, "marks", marks);
}

/* Rows of the heat map: the nodes, then issuers that are none of them. */
struct rows {
	const struct farm_view *view;
	json_t *names, *cells;
	struct row {
		uint32_t id;
		size_t row;
	} *nodes;			/* by id */
	uint32_t strangers[STRANGERS_MAX];
	size_t n_strangers;
};

static int by_id(const void *a, const void *b)
{
	uint32_t left = ((const struct row *)a)->id;
	uint32_t right = ((const struct row *)b)->id;

	return (left > right) - (left < right);
}

static bool rows_init(struct rows *rows, const struct farm_view *view)
{
	const struct farm_sample *farm = view->farm;
	size_t i;

	*rows = (struct rows){ .view = view };
	rows->nodes = calloc(farm->n + 1, sizeof(rows->nodes[0]));
	if (rows->nodes == NULL)
		return false;
	rows->names = json_array();
	rows->cells = json_array();
	for (i = 0; i < farm->n; i++) {
		rows->nodes[i].id = farm->nodes[i]->member.id;
		rows->nodes[i].row = i;
		json_array_append_new(rows->names, json_string(
			farm->nodes[i]->member.name));
	}
	qsort(rows->nodes, farm->n, sizeof(rows->nodes[0]), by_id);
	return true;
}

/* Of an issuer; its own row when nobody knows it, the last when all are. */
static size_t row_of(struct rows *rows, uint32_t id)
{
	struct row key = { .id = id };
	const struct row *found = bsearch(&key, rows->nodes,
					  rows->view->farm->n, sizeof(key),
					  by_id);
	char name[STEK_NAME_MAX + 1];
	size_t i;

	if (found != NULL)
		return found->row;
	for (i = 0; i < rows->n_strangers; i++)
		if (rows->strangers[i] == id)
			return rows->view->farm->n + i;
	if (i == STRANGERS_MAX)
		return SIZE_MAX;
	rows->strangers[rows->n_strangers++] = id;
	admin_stats_issuer(rows->view, id, name, sizeof(name));
	if (name[0] == '\0')
		snprintf(name, sizeof(name), "%08x", id);
	json_array_append_new(rows->names, json_string(name));
	return rows->view->farm->n + i;
}

static void add_cell(struct rows *rows, size_t issuer, size_t resumer,
		     uint64_t n)
{
	json_array_append_new(rows->cells,
		json_pack("[I, I, I]", (json_int_t)issuer,
			  (json_int_t)resumer, (json_int_t)n));
}

/* What one node resumed; returns what has no row. */
static uint64_t add_resumer(struct rows *rows, size_t resumer,
			    const struct counters *c)
{
	uint64_t other = c->issuer_resumed[ISSUERS_MAX];
	size_t i, row;

	for (i = 0; i < ISSUERS_MAX; i++) {
		if (c->issuer_resumed[i] == 0)
			continue;
		row = row_of(rows, c->issuer_id[i]);
		if (row == SIZE_MAX)
			other += c->issuer_resumed[i];
		else
			add_cell(rows, row, resumer, c->issuer_resumed[i]);
	}
	return other;
}

json_t *admin_chart_heat(const struct farm_view *view)
{
	const struct farm_sample *farm = view->farm;
	uint64_t *others = calloc(farm->n + 1, sizeof(*others));
	struct rows rows;
	size_t i;

	if (others == NULL || !rows_init(&rows, view)) {
		free(others);
		return NULL;
	}
	for (i = 0; i < farm->n; i++)
		if (farm->nodes[i]->counted)
			others[i] = add_resumer(&rows, i,
						&farm->nodes[i]->counters);
	/* "other" is the last, when all rows that have names are there. */
	json_array_append_new(rows.names, json_string("other"));
	for (i = 0; i < farm->n; i++)
		if (others[i] != 0)
			add_cell(&rows, farm->n + rows.n_strangers, i,
				 others[i]);
	free(others);
	free(rows.nodes);
	return json_pack("{s:o, s:o}", "nodes", rows.names, "cells",
			 rows.cells);
}

static json_t *bounds_json(const double *bounds, size_t n)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < n; i++)
		json_array_append_new(list, json_real(bounds[i]));
	return list;
}

static json_t *counts_json(const counter *bucket, size_t n)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < n; i++)
		json_array_append_new(list,
				      json_integer((json_int_t)bucket[i]));
	return list;
}

json_t *admin_chart_ages(const struct counters *c)
{
	return json_pack("{s:o, s:o, s:f}",
			 "bounds_s", bounds_json(age_bounds_s, AGE_BUCKETS),
			 "counts", counts_json(c->age.bucket, AGE_BUCKETS + 1),
			 "sum_s", (double)c->age.sum_ms / 1e3);
}

static json_t *time_json(const struct histogram_time *h)
{
	return json_pack("{s:o, s:f}",
			 "counts", counts_json(h->bucket, TIME_BUCKETS + 1),
			 "sum_s", (double)h->sum_us / 1e6);
}

json_t *admin_chart_times(const struct counters *c)
{
	return json_pack("{s:o, s:o, s:o}",
			 "bounds_s", bounds_json(time_bounds_s, TIME_BUCKETS),
			 "full", time_json(&c->time_full),
			 "resumed", time_json(&c->time_resumed));
}

json_t *admin_chart_refusals(const struct counters *c)
{
	json_t *all = json_object();
	uint64_t n;
	int i, kind;

	for (i = 0; i < STEK_OUTCOMES; i++) {
		if (rates_share(i) != RATES_REFUSED)
			continue;
		for (n = 0, kind = 0; kind < TLS_KINDS; kind++)
			n += c->handshakes[kind][i];
		json_object_set_new(all, stek_outcome_name(i),
				    json_integer((json_int_t)n));
	}
	return all;
}

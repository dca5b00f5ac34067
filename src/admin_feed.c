/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_feed.c - the lines of the event stream: the ring and what becomes of
 * it, the nodes, the store, figures, charts and the newest of the audit. Made
 * on the sampler's thread for all readers at once, and for each one's first.
 */
#include <stdlib.h>
#include <string.h>

#include "admin_chart.h"
#include "admin_stream.h"
#include "feed.h"

#define AUDIT_ENTRIES 20
#define AUDIT_TIMEOUT_MS 1000

struct event {
	int64_t at_ms;
	const char *kind;
	const struct stek_key_info *key;
};

#define EVENTS_MAX (3 * STEK_RING_KEYS_MAX)

static int by_time(const void *a, const void *b)
{
	int64_t left = ((const struct event *)a)->at_ms;
	int64_t right = ((const struct event *)b)->at_ms;

	return (left > right) - (left < right);
}

/* One that came late is pending when its time has come: nothing is known then. */
static bool is_ahead(const struct stek_ring_info *ring, size_t i)
{
	return ring->keys[i].state == STEK_PENDING &&
	       ring->keys[i].activate_at_ms > ring->now_ms;
}

/* A key seals until the next one does, or else until its time is over. */
static int64_t retires_at(const struct stek_ring_info *ring, size_t i)
{
	int64_t at_ms = ring->keys[i].seal_until_ms;
	size_t j;

	for (j = i + 1; j < ring->n_keys; j++)
		if (is_ahead(ring, j)) {
			if (ring->keys[j].activate_at_ms < at_ms)
				at_ms = ring->keys[j].activate_at_ms;
			break;
		}
	return at_ms;
}

static size_t events_of(const struct stek_ring_info *ring,
			struct event events[EVENTS_MAX])
{
	size_t i, n = 0;

	for (i = 0; i < ring->n_keys; i++) {
		const struct stek_key_info *key = &ring->keys[i];

		if (is_ahead(ring, i))
			events[n++] = (struct event){ key->activate_at_ms,
						      "activate", key };
		if (key->state == STEK_PENDING || key->state == STEK_ACTIVE)
			events[n++] = (struct event){ retires_at(ring, i),
						      "retire", key };
		if (key->state <= STEK_RETIRED)
			events[n++] = (struct event){ key->expire_at_ms,
						      "expire", key };
	}
	qsort(events, n, sizeof(events[0]), by_time);
	return n;
}

static json_t *next_json(const struct stek_ring_info *ring)
{
	struct event events[EVENTS_MAX];
	size_t i, n = events_of(ring, events);
	json_t *list = json_array();

	for (i = 0; i < n; i++)
		json_array_append_new(list,
			json_pack("{s:I, s:s, s:o}",
				  "at_ms", (json_int_t)events[i].at_ms,
				  "kind", events[i].kind,
				  "key", admin_hex(events[i].key->id,
						   STEK_ID_LEN)));
	return list;
}

static json_t *ring_json(const struct stek_ring_info *ring)
{
	json_t *keys = json_array();
	size_t i;

	for (i = 0; i < ring->n_keys; i++)
		json_array_append_new(keys, admin_show_key(&ring->keys[i]));
	return json_pack("{s:I, s:o, s:o, s:o, s:o}",
			 "epoch", (json_int_t)ring->version.epoch,
			 "digest", admin_hex(ring->version.digest,
					     STEK_DIGEST_LEN),
			 "revoked_before_ms",
			 admin_time_or_null(ring->revoked_before_ms),
			 "keys", keys, "next", next_json(ring));
}

static json_t *store_json(struct node *node, const struct stek_status *status)
{
	return json_pack("{s:s, s:I, s:o, s:o, s:o}",
			 "state", stek_store_state_name(status->store),
			 "since_ms", (json_int_t)status->store_since_ms,
			 "ok_at_ms",
			 admin_time_or_null(status->store_ok_at_ms),
			 "detail", admin_text(status->store_detail),
			 "stores", admin_show_stores(node, status));
}

static json_t *version_json(uint32_t version)
{
	return json_sprintf("%u.%u.%u", version / 1000000,
			    version / 1000 % 1000, version % 1000);
}

/* What a node tells of itself; of an older release nobody knows it. */
static json_t *facts_json(const struct counters_facts *facts)
{
	json_t *reasons = json_array();
	int i;

	if (!facts->known)
		return json_pack("{s:n, s:n, s:n, s:o}", "version", "open",
				 "ready", "reasons", reasons);
	for (i = 0; i < TROUBLES; i++)
		if (facts->trouble & 1u << i)
			json_array_append_new(reasons,
				json_string(trouble_name(i)));
	return json_pack("{s:o, s:I, s:b, s:o}",
			 "version", version_json(facts->version),
			 "open", (json_int_t)facts->open,
			 "ready", (facts->trouble & TROUBLE_NOT_READY) == 0,
			 "reasons", reasons);
}

static json_t *node_json(const struct farm_view *view,
			 const struct sampled *one,
			 const struct stek_version *ours)
{
	const struct stek_member *member = &one->member;
	json_t *json = admin_stats_short(&one->counters);
	char id[9];

	snprintf(id, sizeof(id), "%08x", member->id);
	json_object_update_new(json, json_pack(
		"{s:s, s:s, s:b, s:s, s:I, s:I, s:o, s:b, s:f, s:I, s:o}",
		"name", member->name,
		"id", id,
		"self", member->self,
		"state", sampled_state_name(sampled_state(view->farm, one)),
		"age_ms", (json_int_t)sampled_age_ms(view->farm, one),
		"epoch", (json_int_t)member->version.epoch,
		"digest", admin_hex(member->version.digest, STEK_DIGEST_LEN),
		"in_sync", stek_version_equal(&member->version, ours),
		"clock_offset_ms", member->clock_offset_ms,
		"started_at_ms", (json_int_t)member->started_at_ms,
		"rates", admin_rates_json(view->farm, one)));
	json_object_update_new(json, facts_json(&one->counters.facts));
	return json;
}

static json_t *nodes_json(const struct farm_view *view,
			  const struct stek_version *ours)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < view->farm->n; i++)
		json_array_append_new(list, node_json(view,
						      view->farm->nodes[i],
						      ours));
	return list;
}

/* What comes from the sample; the sampler is held. */
static json_t *figures_json(const struct farm_view *view, bool whole,
			    int64_t farm_ms, const struct stek_version *ours)
{
	struct counters sum;

	admin_stats_sum(view, &sum);
	return json_pack(
		"{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"interval_ms",
		(json_int_t)sampler_gap_ms(view->farm->n, true, true),
		"nodes", nodes_json(view, ours),
		"rates", admin_rates_farm(view->farm),
		"totals", view->farm->error == 0
			? admin_stats_json(view, &sum) : json_null(),
		"refusals", admin_chart_refusals(&sum),
		"failures", admin_stats_failures(&sum),
		"heat", admin_chart_heat(view),
		"ages", admin_chart_ages(&sum),
		"times", admin_chart_times(&sum),
		"history", admin_chart_history(view, whole, farm_ms));
}

static json_t *about_json(struct node *node, bool whole, uint64_t seq,
			  const struct stek_ring_info *ring)
{
	struct admin_reasons not_ready, degraded;
	struct stek_status status;

	admin_ready(node, &not_ready, &degraded);
	stek_farm_status(node->farm, &status);
	return json_pack("{s:s, s:I, s:I, s:s, s:s, s:s, s:b, s:o, s:o, s:o, "
			 "s:o}",
			 "type", whole ? "snapshot" : "update",
			 "seq", (json_int_t)seq,
			 "now_ms", (json_int_t)ring->now_ms,
			 "farm", stek_farm_name(node->farm),
			 "node", stek_farm_node(node->farm),
			 "version", stek_version_string(),
			 "ready", not_ready.n == 0,
			 "not_ready", admin_show_reasons(&not_ready),
			 "degraded", admin_show_reasons(&degraded),
			 "store", store_json(node, &status),
			 "ring", ring_json(ring));
}

char *admin_feed_line(struct node *node, bool whole, uint64_t seq,
		      size_t *len)
{
	json_t *audit = admin_audit_newest(node, AUDIT_ENTRIES,
					   AUDIT_TIMEOUT_MS);
	struct farm_view view = { .node = node };
	struct stek_ring_info ring;
	json_t *line;
	char *text;

	stek_farm_ring(node->farm, &ring);
	line = about_json(node, whole, seq, &ring);
	view.farm = sampler_hold(node->sampler);
	json_object_update_new(line, figures_json(&view, whole, ring.now_ms,
						  &ring.version));
	sampler_release(node->sampler);
	json_object_set_new(line, "audit", audit);
	text = admin_json_text(line, "\n");
	*len = text != NULL ? strlen(text) : 0;
	json_decref(line);
	return text;
}

void admin_feed_tick(void *user)
{
	struct node *node = user;
	size_t len;
	char *line = admin_feed_line(node, false, feed_next(node->feed), &len);

	if (line != NULL)
		feed_publish(node->feed, line, len);
}

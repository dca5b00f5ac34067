/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_stats.c - GET /v1/stats: how often clients resume, for this node from
 * its workers, for the others from the counters in their heartbeats, and
 * summed for the farm. Nodes that went silent are shown as they last were.
 */
#include <stdlib.h>
#include <string.h>

#include "admin_route.h"
#include "admin_stats.h"
#include "worker.h"

static bool is_resumed(int outcome)
{
	return outcome == STEK_RESUMED_ACTIVE ||
	       outcome == STEK_RESUMED_RETIRED ||
	       outcome == STEK_RESUMED_PENDING;
}

static const char *const kinds[TLS_KINDS] = {
	[TLS_KIND_12] = "TLSv1.2",
	[TLS_KIND_13] = "TLSv1.3",
};

const char *admin_stats_kind(int kind)
{
	return kinds[kind];
}

static json_t *handshakes_json(const struct counters *c)
{
	json_t *all = json_object(), *by;
	int kind, outcome;

	for (kind = 0; kind < TLS_KINDS; kind++) {
		by = json_object();
		for (outcome = 0; outcome < STEK_OUTCOMES; outcome++)
			json_object_set_new(by, stek_outcome_name(outcome),
				json_integer((json_int_t)
					     c->handshakes[kind][outcome]));
		json_object_set_new(all, kinds[kind], by);
	}
	return all;
}

json_t *admin_stats_failures(const struct counters *c)
{
	json_t *all = json_object();
	int i;

	for (i = FAIL_NONE + 1; i < FAILURES; i++)
		json_object_set_new(all, failure_name(i),
				    json_integer((json_int_t)c->failures[i]));
	return all;
}

/* Those that there were. */
static json_t *alerts_json(const counter *alerts)
{
	json_t *all = json_object();
	size_t i;

	for (i = 0; i < ALERTS; i++)
		if (alerts[i] != 0)
			json_object_set_new(all, alerts_slot_name(i),
				json_integer((json_int_t)alerts[i]));
	return all;
}

/* The newest first. */
static json_t *keys_json(const struct counters *c)
{
	json_t *list = json_array();
	uint64_t seen = c->keys_seen, i;
	uint32_t id;
	char name[9];

	for (i = 0; i < seen && i < KEYS_MAX; i++) {
		id = c->key_id[(seen - 1 - i) % KEYS_MAX];
		snprintf(name, sizeof(name), "%08x", id);
		json_array_append_new(list, json_pack("{s:s, s:I}", "key", name,
			"issued", (json_int_t)counters_key_issued(c, id)));
	}
	return list;
}

void admin_stats_issuer(const struct farm_view *view, uint32_t id, char *buf,
			size_t len)
{
	size_t i;

	for (i = 0; i < view->farm->n; i++)
		if (view->farm->nodes[i]->member.id == id) {
			snprintf(buf, len, "%s",
				 view->farm->nodes[i]->member.name);
			return;
		}
	node_issuer_name(view->node, id, buf, len);
}

static json_t *issuers_json(const struct farm_view *view,
			    const struct counters *c)
{
	char name[STEK_NAME_MAX + 1], id[9];
	json_t *list = json_array();
	uint64_t n;
	int i;

	for (i = 0; i < ISSUERS_MAX; i++) {
		n = c->issuer_resumed[i];
		if (n == 0)
			continue;
		snprintf(id, sizeof(id), "%08x", c->issuer_id[i]);
		admin_stats_issuer(view, c->issuer_id[i], name, sizeof(name));
		json_array_append_new(list,
			json_pack("{s:s, s:s, s:I}", "id", id, "name", name,
				  "resumed", (json_int_t)n));
	}
	n = c->issuer_resumed[ISSUERS_MAX];
	if (n != 0)
		json_array_append_new(list,
			json_pack("{s:n, s:s, s:I}", "id", "name", "other",
				  "resumed", (json_int_t)n));
	return list;
}

json_t *admin_stats_short(const struct counters *c)
{
	uint64_t full = 0, resumed = 0, offered = 0, n;
	int kind, outcome;

	for (kind = 0; kind < TLS_KINDS; kind++)
		for (outcome = 0; outcome < STEK_OUTCOMES; outcome++) {
			n = c->handshakes[kind][outcome];
			offered += outcome != STEK_NONE_OFFERED ? n : 0;
			resumed += is_resumed(outcome) ? n : 0;
			full += is_resumed(outcome) ? 0 : n;
		}
	return json_pack("{s:I, s:I, s:I, s:o}",
			 "accepted", (json_int_t)c->accepted,
			 "resumed", (json_int_t)resumed,
			 "full", (json_int_t)full,
			 "resumption_rate",
			 offered == 0 ? json_null()
				      : json_real((double)resumed /
						  (double)offered));
}

json_t *admin_stats_json(const struct farm_view *view,
			 const struct counters *c)
{
	json_t *json = admin_stats_short(c);

	json_object_update_new(json, json_pack(
		"{s:o, s:o, s:{s:I, s:I}, s:I, s:o, s:o, s:{s:o, s:o}}",
		"handshakes", handshakes_json(c),
		"failures", admin_stats_failures(c),
		"tickets_issued",
		kinds[0], (json_int_t)c->tickets_issued[0],
		kinds[1], (json_int_t)c->tickets_issued[1],
		"tickets_blank", (json_int_t)c->tickets_blank,
		"issuers", issuers_json(view, c),
		"tickets_by_key", keys_json(c),
		"alerts", "sent", alerts_json(c->alerts_sent),
		"received", alerts_json(c->alerts_received)));
	return json;
}

static bool is_live(const struct farm_view *view, const struct sampled *one)
{
	return sampled_state(view->farm, one) == SAMPLED_LIVE;
}

void admin_stats_sum(const struct farm_view *view, struct counters *sum)
{
	const struct farm_sample *farm = view->farm;
	size_t i;

	memset(sum, 0, sizeof(*sum));
	for (i = 0; i < farm->n; i++)
		if (is_live(view, farm->nodes[i]) && farm->nodes[i]->counted)
			counters_sum(sum, &farm->nodes[i]->counters);
}

static json_t *own_json(const struct farm_view *view,
			const struct sampled *self)
{
	json_t *own = admin_stats_json(view, &self->counters);
	uint64_t open = 0;
	size_t i;

	for (i = 0; i < view->node->n_workers; i++)
		open += worker_connections(view->node->workers[i]);
	json_object_set_new(own, "open", json_integer((json_int_t)open));
	json_object_set_new(own, "rates", admin_rates_json(view->farm, self));
	return own;
}

static json_t *member_json(const struct farm_view *view,
			   const struct sampled *one)
{
	json_t *json = admin_stats_json(view, &one->counters);

	json_object_set_new(json, "name", json_string(one->member.name));
	json_object_set_new(json, "live", json_boolean(is_live(view, one)));
	json_object_set_new(json, "state",
		json_string(sampled_state_name(sampled_state(view->farm,
							     one))));
	json_object_set_new(json, "age_ms",
			    json_integer(sampled_age_ms(view->farm, one)));
	json_object_set_new(json, "rates", admin_rates_json(view->farm, one));
	return json;
}

static json_t *members_json(const struct farm_view *view)
{
	const struct farm_sample *farm = view->farm;
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < farm->n; i++)
		if (farm->nodes[i]->counted)
			json_array_append_new(list,
					      member_json(view,
							  farm->nodes[i]));
	return list;
}

/* The names of all nodes in that state. */
static json_t *names_json(const struct farm_sample *farm,
			  enum sampled_state state)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < farm->n; i++)
		if (sampled_state(farm, farm->nodes[i]) == state)
			json_array_append_new(list, json_string(
				farm->nodes[i]->member.name));
	return list;
}

static json_t *farm_json(const struct farm_view *view)
{
	struct counters sum;
	json_t *json;

	if (view->farm->error != 0)
		return json_null();
	admin_stats_sum(view, &sum);
	json = admin_stats_json(view, &sum);
	json_object_set_new(json, "rates", admin_rates_farm(view->farm));
	return json;
}

static const struct sampled *self_of(const struct farm_sample *farm)
{
	size_t i;

	for (i = 0; i < farm->n; i++)
		if (farm->nodes[i]->member.self)
			return farm->nodes[i];
	return NULL;
}

void admin_show_stats(struct node *node, const struct admin_call *call,
		      struct admin_answer *answer)
{
	struct farm_view view = { .node = node };
	const struct sampled *self;
	json_t *json = NULL;

	(void)call;
	sampler_refresh(node->sampler);
	view.farm = sampler_hold(node->sampler);
	self = self_of(view.farm);
	if (self != NULL)
		json = json_pack("{s:o, s:o, s:o, s:o, s:o}",
				 "node", own_json(&view, self),
				 "farm", farm_json(&view),
				 "nodes", members_json(&view),
				 "late", names_json(view.farm, SAMPLED_LATE),
				 "missing",
				 names_json(view.farm, SAMPLED_MISSING));
	sampler_release(node->sampler);
	admin_json(answer, json);
}

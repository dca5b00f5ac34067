/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_stats.c - GET /v1/stats: how often clients resume, for this node from
 * its workers, for the others from the counters in their heartbeats, and
 * summed for the farm.
 */
#include <stdlib.h>
#include <string.h>

#include "admin_route.h"
#include "worker.h"

#define MEMBERS_TIMEOUT_MS 1000

struct farm_view {
	const struct node *node;
	const struct stek_member *members;
	size_t n;
};

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

static json_t *failures_json(const struct counters *c)
{
	json_t *all = json_object();
	int i;

	for (i = FAIL_NONE + 1; i < FAILURES; i++)
		json_object_set_new(all, failure_name(i),
				    json_integer((json_int_t)c->failures[i]));
	return all;
}

static void issuer_name(const struct farm_view *view, uint32_t id, char *buf,
			size_t len)
{
	size_t i;

	for (i = 0; i < view->n; i++)
		if (view->members[i].id == id) {
			snprintf(buf, len, "%s", view->members[i].name);
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
		issuer_name(view, c->issuer_id[i], name, sizeof(name));
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

static json_t *stats_json(const struct farm_view *view,
			  const struct counters *c)
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
	return json_pack("{s:I, s:o, s:o, s:{s:I, s:I}, s:I, s:I, s:I, s:o, "
			 "s:o}",
			 "accepted", (json_int_t)c->accepted,
			 "handshakes", handshakes_json(c),
			 "failures", failures_json(c),
			 "tickets_issued",
			 kinds[0], (json_int_t)c->tickets_issued[0],
			 kinds[1], (json_int_t)c->tickets_issued[1],
			 "tickets_blank", (json_int_t)c->tickets_blank,
			 "resumed", (json_int_t)resumed,
			 "full", (json_int_t)full,
			 "resumption_rate",
			 offered == 0 ? json_null()
				      : json_real((double)resumed /
						  (double)offered),
			 "issuers", issuers_json(view, c));
}

static json_t *own_json(const struct farm_view *view, const struct counters *c)
{
	json_t *own = stats_json(view, c);
	uint64_t open = 0;
	size_t i;

	for (i = 0; i < view->node->n_workers; i++)
		open += worker_connections(view->node->workers[i]);
	json_object_set_new(own, "open", json_integer((json_int_t)open));
	return own;
}

/* This node counts as it is now, not as its last heartbeat said. */
static int member_counters(const struct stek_member *member,
			   const struct counters *own, struct counters *out)
{
	if (!member->self)
		return counters_unpack(out, member->payload,
				       member->payload_len);
	memset(out, 0, sizeof(*out));
	counters_sum(out, own);
	return 0;
}

static json_t *members_json(const struct farm_view *view,
			    const struct counters *own, struct counters *sum)
{
	json_t *list = json_array(), *one;
	struct counters c;
	size_t i;

	for (i = 0; i < view->n; i++) {
		if (member_counters(&view->members[i], own, &c) != 0)
			continue;
		if (view->members[i].live)
			counters_sum(sum, &c);
		one = stats_json(view, &c);
		json_object_set_new(one, "name",
				    json_string(view->members[i].name));
		json_object_set_new(one, "live",
				    json_boolean(view->members[i].live));
		json_array_append_new(list, one);
	}
	return list;
}

void admin_show_stats(struct node *node, const struct admin_call *call,
		      struct admin_answer *answer)
{
	struct stek_member *members = NULL;
	struct farm_view view = { .node = node };
	struct counters own, sum;
	json_t *list, *farm;
	int error;

	(void)call;
	memset(&sum, 0, sizeof(sum));
	node_counters(node, &own);
	error = stek_farm_members(node->farm, MEMBERS_TIMEOUT_MS, &members,
				  &view.n);
	if (error != 0)
		view.n = 0;
	view.members = members;
	list = members_json(&view, &own, &sum);
	farm = error == 0 ? stats_json(&view, &sum) : json_null();
	admin_json(answer, json_pack("{s:o, s:o, s:o}", "node",
				     own_json(&view, &own), "farm", farm,
				     "nodes", list));
	free(members);
}

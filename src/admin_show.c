/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_show.c - GET /v1/status, /v1/keys and /v1/nodes. Facts of this node
 * come from snapshots; only the list of nodes asks the store.
 */
#include <stdlib.h>
#include <string.h>

#include "admin_route.h"
#include "generation.h"
#include "text.h"
#include "worker.h"

#define MEMBERS_TIMEOUT_MS 1000

static json_t *store_json(const struct settings_store *from,
			  const struct stek_store_status *status)
{
	return json_pack("{s:s, s:s, s:I, s:o, s:o, s:f, s:b}",
			 "url", from->url,
			 "state", stek_store_state_name(status->state),
			 "since_ms", (json_int_t)status->since_ms,
			 "ok_at_ms", admin_time_or_null(status->ok_at_ms),
			 "detail", admin_text(status->detail),
			 "clock_offset_ms", status->clock_offset_ms,
			 "clock_known", status->clock_known);
}

/* The one that stands for all: the first that answers. */
static json_t *first_store_json(struct node *node,
				const struct stek_status *status)
{
	size_t i;

	for (i = 0; i < status->n_stores; i++) {
		if (status->stores[i].state == STEK_STORE_OK)
			return store_json(&node->fixed->stores[i],
					  &status->stores[i]);
	}
	return store_json(&node->fixed->stores[0], &status->stores[0]);
}

/* Each of them, in the order of the configuration. */
json_t *admin_show_stores(struct node *node, const struct stek_status *status)
{
	const struct settings *settings = node->fixed;
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < status->n_stores && i < settings->n_stores; i++)
		json_array_append_new(list, store_json(&settings->stores[i],
						       &status->stores[i]));
	return list;
}

static json_t *clock_json(const struct stek_status *status)
{
	return json_pack("{s:b, s:f, s:f, s:f}",
			 "known", status->clock_known,
			 "offset_ms", status->clock_offset_ms,
			 "error_ms", status->clock_error_ms,
			 "spread_ms", status->clock_spread_ms);
}

static json_t *ring_json(const struct stek_ring_info *ring)
{
	const struct stek_key_info *active = NULL;
	int64_t next = 0;
	size_t i;

	for (i = 0; i < ring->n_keys; i++) {
		if (ring->keys[i].state == STEK_ACTIVE)
			active = &ring->keys[i];
		/* One that came late has its time behind it. */
		if (ring->keys[i].state == STEK_PENDING && next == 0 &&
		    ring->keys[i].activate_at_ms > ring->now_ms)
			next = ring->keys[i].activate_at_ms;
	}
	return json_pack("{s:I, s:o, s:I, s:o, s:o, s:o}",
			 "epoch", (json_int_t)ring->version.epoch,
			 "digest", admin_hex(ring->version.digest,
					     STEK_DIGEST_LEN),
			 "keys", (json_int_t)ring->n_keys,
			 "active", active ? admin_hex(active->id, STEK_ID_LEN)
					  : json_null(),
			 "active_until_ms",
			 active ? json_integer(active->seal_until_ms)
				: json_null(),
			 "next_activation_ms", admin_time_or_null(next));
}

static json_t *counters_json(const struct stek_status *status)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
			 "polls", (json_int_t)status->polls,
			 "poll_errors", (json_int_t)status->poll_errors,
			 "published", (json_int_t)status->published,
			 "conflicts", (json_int_t)status->conflicts,
			 "minted", (json_int_t)status->minted,
			 "restored", (json_int_t)status->restored,
			 "records_refused",
			 (json_int_t)status->records_refused,
			 "replicas_wanted",
			 (json_int_t)status->replicas_wanted,
			 "replicas_confirmed",
			 (json_int_t)status->replicas_confirmed,
			 "unconfirmed", (json_int_t)status->unconfirmed);
}

static json_t *connections_json(const struct node *node)
{
	struct counters sum;
	uint64_t open = 0;
	size_t i;

	node_counters(node, &sum);
	for (i = 0; i < node->n_workers; i++)
		open += worker_connections(node->workers[i]);
	return json_pack("{s:I, s:I}", "open", (json_int_t)open, "accepted",
			 (json_int_t)sum.accepted);
}

static json_t *configuration_json(struct node *node)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:o}",
			 "generation", (json_int_t)generation_number(node),
			 "held", (json_int_t)generation_count(node),
			 "reloads", (json_int_t)node->reloads_good,
			 "refused", (json_int_t)node->reloads_failed,
			 "reloaded_at_ms",
			 admin_time_or_null(node->reloaded_at_ms));
}

json_t *admin_show_reasons(const struct admin_reasons *reasons)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < reasons->n; i++)
		json_array_append_new(list, json_string(reasons->text[i]));
	return list;
}

void admin_show_status(struct node *node, const struct admin_call *call,
		       struct admin_answer *answer)
{
	int64_t now = stek_farm_now_ms(node->farm);
	struct stek_ring_info ring;
	struct stek_status status;
	char id[9];
	struct admin_reasons not_ready, degraded;

	(void)call;
	admin_ready(node, &not_ready, &degraded);
	stek_farm_ring(node->farm, &ring);
	stek_farm_status(node->farm, &status);
	snprintf(id, sizeof(id), "%08x", stek_farm_node_id(node->farm));
	admin_json(answer, json_pack(
		"{s:s, s:s, s:s, s:s, s:I, s:I, s:b, s:o, s:o, s:o, s:o, s:o, "
		"s:o, s:o, s:o, s:o, s:I}",
		"node", stek_farm_node(node->farm),
		"node_id", id,
		"farm", stek_farm_name(node->farm),
		"version", stek_version_string(),
		"uptime_s", (json_int_t)((now - node->started_at_ms) / 1000),
		"now_ms", (json_int_t)now,
		"ready", not_ready.n == 0,
		"not_ready", admin_show_reasons(&not_ready),
		"degraded", admin_show_reasons(&degraded),
		"store", first_store_json(node, &status),
		"stores", admin_show_stores(node, &status),
		"clock", clock_json(&status),
		"ring", ring_json(&ring),
		"counters", counters_json(&status),
		"connections", connections_json(node),
		"configuration", configuration_json(node),
		"workers", (json_int_t)node->n_workers));
}

json_t *admin_show_key(const struct stek_key_info *key)
{
	return json_pack("{s:o, s:s, s:s, s:I, s:I, s:I, s:I, s:s, s:o}",
			 "id", admin_hex(key->id, STEK_ID_LEN),
			 "state", stek_state_name(key->state),
			 "reason", stek_reason_name(key->reason),
			 "activate_at_ms", (json_int_t)key->activate_at_ms,
			 "seal_until_ms", (json_int_t)key->seal_until_ms,
			 "expire_at_ms", (json_int_t)key->expire_at_ms,
			 "made_at_ms", (json_int_t)key->made_at_ms,
			 "made_by", key->made_by,
			 "revoked_at_ms",
			 admin_time_or_null(key->revoked_at_ms));
}

void admin_show_keys(struct node *node, const struct admin_call *call,
		     struct admin_answer *answer)
{
	struct stek_ring_info ring;
	json_t *keys = json_array();
	size_t i;

	(void)call;
	stek_farm_ring(node->farm, &ring);
	for (i = 0; i < ring.n_keys; i++)
		json_array_append_new(keys, admin_show_key(&ring.keys[i]));
	admin_json(answer, json_pack(
		"{s:I, s:I, s:o, s:o, s:o}",
		"now_ms", (json_int_t)ring.now_ms,
		"epoch", (json_int_t)ring.version.epoch,
		"digest", admin_hex(ring.version.digest, STEK_DIGEST_LEN),
		"revoked_before_ms",
		admin_time_or_null(ring.revoked_before_ms),
		"keys", keys));
}

/* Handshakes and resumptions of a member, from its heartbeat's counters. */
static void totals(const struct stek_member *member, uint64_t *handshakes,
		   uint64_t *resumed)
{
	struct counters c;
	int kind, outcome;

	*handshakes = *resumed = 0;
	if (counters_unpack(&c, member->payload, member->payload_len) != 0)
		return;
	for (kind = 0; kind < TLS_KINDS; kind++)
		for (outcome = 0; outcome < STEK_OUTCOMES; outcome++) {
			uint64_t n = c.handshakes[kind][outcome];

			*handshakes += n;
			if (outcome >= STEK_RESUMED_ACTIVE &&
			    outcome <= STEK_RESUMED_PENDING)
				*resumed += n;
		}
}

static json_t *member_json(const struct stek_member *member,
			   const struct stek_version *ours)
{
	uint64_t handshakes, resumed;
	char id[9];

	snprintf(id, sizeof(id), "%08x", member->id);
	totals(member, &handshakes, &resumed);
	return json_pack("{s:s, s:s, s:b, s:b, s:I, s:I, s:o, s:b, s:f, s:I, "
			 "s:I, s:I}",
			 "name", member->name,
			 "id", id,
			 "live", member->live,
			 "self", member->self,
			 "age_ms", (json_int_t)member->age_ms,
			 "epoch", (json_int_t)member->version.epoch,
			 "digest", admin_hex(member->version.digest,
					     STEK_DIGEST_LEN),
			 "in_sync", stek_version_equal(&member->version, ours),
			 "clock_offset_ms", member->clock_offset_ms,
			 "started_at_ms", (json_int_t)member->started_at_ms,
			 "handshakes", (json_int_t)handshakes,
			 "resumed", (json_int_t)resumed);
}

void admin_show_nodes(struct node *node, const struct admin_call *call,
		      struct admin_answer *answer)
{
	struct stek_member *members = NULL;
	struct stek_ring_info ring;
	json_t *list;
	size_t i, n = 0;
	int error = stek_farm_members(node->farm, MEMBERS_TIMEOUT_MS, &members,
				      &n);

	(void)call;
	if (error != 0) {
		admin_problem(answer, 503, NULL, "the store does not say who "
			      "is in the farm: %s", stek_strerror(error));
		return;
	}
	stek_farm_ring(node->farm, &ring);
	list = json_array();
	for (i = 0; i < n; i++)
		json_array_append_new(list, member_json(&members[i],
							&ring.version));
	free(members);
	admin_json(answer, json_pack("{s:o}", "nodes", list));
}

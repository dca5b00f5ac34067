/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_change.c - POST /v1/rotate and /v1/revoke. Both wait for the farm, so
 * they run on the connection's own thread; stek_farm_rotate() and _revoke()
 * bound the wait.
 */
#include <stdlib.h>
#include <string.h>

#include "admin_route.h"
#include "log.h"
#include "text.h"

static json_t *acks_json(const struct stek_change *change)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < change->n_acks; i++)
		json_array_append_new(list,
			json_pack("{s:s, s:b, s:I}",
				  "name", change->acks[i].name,
				  "acknowledged", change->acks[i].acknowledged,
				  "after_ms",
				  (json_int_t)change->acks[i].after_ms));
	return list;
}

/* "a, b, c": the nodes that have not answered, for people. */
static void late_names(const struct stek_change *change, char *buf, size_t len)
{
	size_t i, used = 0;

	buf[0] = '\0';
	for (i = 0; i < change->n_acks && used < len; i++) {
		if (change->acks[i].acknowledged)
			continue;
		used += (size_t)snprintf(buf + used, len - used, "%s%s",
					 used == 0 ? "" : ", ",
					 change->acks[i].name);
	}
}

static json_t *change_json(const struct stek_change *change)
{
	return json_pack("{s:b, s:b, s:o, s:I, s:I, s:o, s:o}",
			 "dry_run", change->dry_run,
			 "replayed", change->replayed,
			 "key", change->dry_run || !change->activate_at_ms
			 ? json_null() : admin_hex(change->key_id, STEK_ID_LEN),
			 "activate_at_ms", (json_int_t)change->activate_at_ms,
			 "epoch", (json_int_t)change->version.epoch,
			 "digest", admin_hex(change->version.digest,
					     STEK_DIGEST_LEN),
			 "nodes", acks_json(change));
}

/* Seconds until the rate limit lets the next rotation through; 0: it does. */
static unsigned retry_after(struct node *node)
{
	int64_t interval = (int64_t)node->fixed->policy.rotate_interval_s;
	int64_t left, most = 0;
	struct stek_ring_info ring;
	size_t i;

	stek_farm_ring(node->farm, &ring);
	for (i = 0; i < ring.n_keys; i++) {
		if (ring.keys[i].reason != STEK_MADE_BY_ROTATE)
			continue;
		left = ring.keys[i].made_at_ms + interval * 1000 - ring.now_ms;
		if (left > most)
			most = left;
	}
	return (unsigned)((most + 999) / 1000);
}

static void late(struct admin_answer *answer, const struct stek_change *change,
		 const char *outcome)
{
	char names[256];

	late_names(change, names, sizeof(names));
	admin_problem(answer, 504, json_pack("{s:o}", "nodes",
					     acks_json(change)),
		      "not acknowledged in time by %s%s; %s",
		      names[0] != '\0' ? names : "a node",
		      strlen(names) + 1 == sizeof(names) ? "..." : "", outcome);
}

static void rotate_refused(struct node *node, struct admin_answer *answer,
			   const struct stek_change *change)
{
	struct stek_status status;

	stek_farm_status(node->farm, &status);
	if (status.store != STEK_STORE_OK) {
		admin_problem(answer, 503, NULL, "the store refused: %s",
			      change->detail);
		return;
	}
	admin_problem(answer, 429, NULL, "%s", change->detail[0] != '\0'
		      ? change->detail
		      : "the last manual rotation is too short ago");
	answer->retry_after_s = retry_after(node);
	if (answer->retry_after_s == 0)
		answer->retry_after_s = 1;
}

static void conflict(struct admin_answer *answer,
		     const struct admin_call *call,
		     const struct stek_change *change)
{
	const char *detail = change->detail[0] != '\0' ? change->detail
		: stek_strerror(STEK_ECONFLICT);

	if (!call->has_expect)
		admin_problem(answer, 409, NULL, "%s", detail);
	else
		admin_problem_of(answer, PROBLEM_RING_MOVED,
				 admin_ring_version(&change->version), "%s",
				 detail);
}

static void rotate_failed(struct node *node, const struct admin_call *call,
			  struct admin_answer *answer, int error,
			  const struct stek_change *change)
{
	const char *detail = change->detail[0] != '\0' ? change->detail
						       : stek_strerror(error);

	switch (error) {
	case STEK_ETIMEOUT:
		late(answer, change, "the new key was revoked before its use");
		return;
	case STEK_EREFUSED:
		rotate_refused(node, answer, change);
		return;
	case STEK_ECONFLICT:
		conflict(answer, call, change);
		return;
	case STEK_EUNAVAILABLE:
	case STEK_EABSENT:
		admin_problem(answer, 503, NULL, "%s", detail);
		return;
	case STEK_EFULL:
		admin_problem_of(answer, PROBLEM_RING_FULL, NULL, "%s",
				 detail);
		return;
	case STEK_EREUSED:
		admin_problem_of(answer, PROBLEM_NAME_REUSED, NULL, "%s",
				 detail);
		return;
	case STEK_EBUSY:
		admin_problem_of(answer, PROBLEM_UNDER_WAY, NULL, "%s",
				 detail);
		return;
	default:
		admin_problem(answer, 500, NULL, "%s", detail);
	}
}

static void log_change(const char *what, const struct admin_call *call,
		       const struct stek_change *change, unsigned status)
{
	char id[2 * STEK_ID_LEN + 1];

	text_hex(id, change->key_id, STEK_ID_LEN);
	log_event(status == 200 ? LOG_INFO : LOG_WARN, what,
		  "who", LOG_STR, call->who, "status", LOG_INT,
		  (int64_t)status, "key", LOG_STR, id, "epoch", LOG_INT,
		  (int64_t)change->version.epoch, "detail", LOG_STR,
		  change->detail, NULL);
}

void admin_change_rotate(struct node *node, const struct admin_call *call,
			 struct admin_answer *answer)
{
	const struct stek_rotate request = {
		.force = call->force,
		.expect = call->has_expect ? &call->expect : NULL,
		.epoch_only = call->epoch_only,
		.who = call->who,
		.from = call->from,
		.request = call->request,
		.dry_run = call->dry_run,
		.note = call->note[0] != '\0' ? call->note : NULL,
	};
	struct stek_change change;
	int error;

	memset(&change, 0, sizeof(change));
	error = stek_farm_rotate(node->farm, &request, &change);
	if (error == 0)
		admin_json(answer, change_json(&change));
	if (error != 0)
		rotate_failed(node, call, answer, error, &change);
	log_change("rotation asked for", call, &change, answer->status);
	stek_change_clear(&change);
}

static void revoke_failed(struct admin_answer *answer,
			  const struct admin_call *call, int error,
			  const struct stek_change *change)
{
	json_t *members = json_pack("{s:b, s:I}", "published",
				    change->published, "revoked",
				    (json_int_t)change->n_revoked);

	switch (error) {
	case STEK_ETIMEOUT:
		json_decref(members);
		late(answer, change, "the keys are revoked and the rest of the "
		     "farm follows");
		return;
	case STEK_ENOKEY:
		admin_problem_of(answer, PROBLEM_NO_SUCH_KEY, members,
				 "no such key in the ring");
		return;
	case STEK_EUNAVAILABLE:
	case STEK_EREFUSED:
	case STEK_EABSENT:
		if (call->has_expect) {
			json_decref(members);
			admin_problem(answer, 503, NULL, "nothing is revoked, "
				      "unless the store's answer was lost: "
				      "only the store knows the ring: %s",
				      change->detail);
			return;
		}
		admin_problem_of(answer, PROBLEM_REVOKED_HERE, members,
				 "revoked on this node; spreads when the "
				 "store is back: %s", change->detail);
		return;
	case STEK_EREUSED:
		json_decref(members);
		admin_problem_of(answer, PROBLEM_NAME_REUSED, NULL, "%s",
				 change->detail);
		return;
	case STEK_EBUSY:
		admin_problem_of(answer, PROBLEM_UNDER_WAY, members, "%s",
				 change->detail);
		return;
	case STEK_ECONFLICT:
		json_decref(members);
		conflict(answer, call, change);
		return;
	case STEK_EFULL:
		admin_problem(answer, 409, members, "%s", change->detail);
		return;
	default:
		admin_problem(answer, 500, members, "%s",
			      change->detail[0] != '\0' ? change->detail
			      : stek_strerror(error));
	}
}

static json_t *revoked_json(const struct stek_change *change)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < change->n_revoked; i++)
		json_array_append_new(list, admin_hex(change->revoked_ids[i],
						      STEK_ID_LEN));
	return list;
}

void admin_change_revoke(struct node *node, const struct admin_call *call,
			 struct admin_answer *answer)
{
	const struct stek_revoke request = {
		.all = call->all,
		.ids = call->ids,
		.n_ids = call->n_ids,
		.who = call->who,
		.from = call->from,
		.request = call->request,
		.dry_run = call->dry_run,
		.note = call->note[0] != '\0' ? call->note : NULL,
		.expect = call->has_expect ? &call->expect : NULL,
		.epoch_only = call->epoch_only,
	};
	struct stek_change change;
	json_t *json;
	int error;

	memset(&change, 0, sizeof(change));
	error = stek_farm_revoke(node->farm, &request, &change);
	if (error == 0) {
		json = change_json(&change);
		json_object_set_new(json, "revoked",
				    json_integer((json_int_t)change.n_revoked));
		json_object_set_new(json, "revoked_keys",
				    revoked_json(&change));
		json_object_set_new(json, "published",
				    json_boolean(change.published));
		admin_json(answer, json);
	}
	if (error != 0)
		revoke_failed(answer, call, error, &change);
	log_change("revocation asked for", call, &change, answer->status);
	stek_change_clear(&change);
}

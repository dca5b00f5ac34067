/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_farm_key.c - GET /v1/farm-key: which node holds which farm keys and
 * what an operator does next in a roll-over; POST /v1/farm-key/reload.
 */
#include <stdlib.h>
#include <string.h>

#include "admin_route.h"
#include "log.h"
#include "text.h"

#define MEMBERS_TIMEOUT_MS 1000

static json_t *ids_json(const uint8_t (*ids)[STEK_FARM_KEY_ID_LEN], size_t n)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < n; i++)
		json_array_append_new(list, admin_hex(ids[i],
						      STEK_FARM_KEY_ID_LEN));
	return list;
}

static bool same(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, STEK_FARM_KEY_ID_LEN) == 0;
}

/* Its last line is the target. */
static bool aims_at(const struct stek_member *member, const uint8_t *target)
{
	size_t n = member->n_farm_keys;

	return n > 0 && same(member->farm_keys[n - 1], target);
}

static bool seals_under(const struct stek_member *member, const uint8_t *key)
{
	return member->n_farm_keys > member->sealing_farm_key &&
	       same(member->farm_keys[member->sealing_farm_key], key);
}

/* "a, b, c": the live nodes that are not there yet; false: none. */
static bool behind(const struct stek_member *members, size_t n,
		   const uint8_t *target, char *buf, size_t len)
{
	size_t i, used = 0;

	buf[0] = '\0';
	for (i = 0; i < n && used + STEK_NAME_MAX + 3 < len; i++)
		if (members[i].live && !aims_at(&members[i], target))
			used += (size_t)snprintf(buf + used, len - used,
						 "%s%s", used ? ", " : "",
						 members[i].name);
	return used > 0;
}

static bool all_seal(const struct stek_member *members, size_t n,
		     const uint8_t *target)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (members[i].live && !seals_under(&members[i], target))
			return false;
	return true;
}

static void next_step(char *out, size_t len,
		      const struct stek_farm_key_status *status,
		      const struct stek_member *members, size_t n)
{
	const uint8_t *target = status->ids[status->n - 1];
	char names[256], old[17], new[17];

	text_hex(new, target, STEK_FARM_KEY_ID_LEN);
	text_hex(old, status->ids[0], STEK_FARM_KEY_ID_LEN);
	if (status->lacking) {
		text_hex(new, status->ring, STEK_FARM_KEY_ID_LEN);
		snprintf(out, len, "this node lacks farm key %s, under which "
			 "the ring is sealed: add its line to the file here, "
			 "then reload", new);
	} else if (behind(members, n, target, names, sizeof(names))) {
		snprintf(out, len, "farm key %s must be the last line of the "
			 "file of: %s; then reload there", new, names);
	} else if (status->n == 1) {
		snprintf(out, len, "nothing: every live node holds farm key "
			 "%s", new);
	} else if (!status->ring_known || !same(status->ring, target) ||
		   !all_seal(members, n, target)) {
		snprintf(out, len, "wait: every live node holds farm key %s, "
			 "the ring is being sealed under it", new);
	} else {
		snprintf(out, len, "remove the line of farm key %s from the "
			 "file of every node, then reload; every live node "
			 "seals under %s", old, new);
	}
}

static json_t *member_json(const struct stek_member *member,
			   const uint8_t *target)
{
	json_t *seals = member->n_farm_keys > member->sealing_farm_key
		? admin_hex(member->farm_keys[member->sealing_farm_key],
			    STEK_FARM_KEY_ID_LEN) : json_null();

	return json_pack("{s:s, s:b, s:b, s:o, s:o, s:b}",
			 "name", member->name, "live", member->live,
			 "self", member->self,
			 "keys", ids_json((const uint8_t (*)
					  [STEK_FARM_KEY_ID_LEN])
					  member->farm_keys,
					  member->n_farm_keys),
			 "seals", seals,
			 "holds_target", aims_at(member, target));
}

void admin_farm_key_show(struct node *node, const struct admin_call *call,
			 struct admin_answer *answer)
{
	struct stek_farm_key_status status;
	struct stek_member *members = NULL;
	json_t *list = json_array();
	char next[512];
	size_t i, n = 0;
	int error;

	(void)call;
	stek_farm_key_status(node->farm, &status);
	error = stek_farm_members(node->farm, MEMBERS_TIMEOUT_MS, &members,
				  &n);
	if (error != 0)
		snprintf(next, sizeof(next), "wait for the store: it does not "
			 "say which node holds which key (%s)",
			 stek_strerror(error));
	else
		next_step(next, sizeof(next), &status, members, n);
	for (i = 0; i < n; i++)
		json_array_append_new(list,
				      member_json(&members[i],
						  status.ids[status.n - 1]));
	free(members);
	admin_json(answer, json_pack(
		"{s:o, s:o, s:o, s:o, s:b, s:o, s:s}",
		"keys", ids_json((const uint8_t (*)[STEK_FARM_KEY_ID_LEN])
				 status.ids, status.n),
		"seals", admin_hex(status.ids[status.seals],
				   STEK_FARM_KEY_ID_LEN),
		"target", admin_hex(status.ids[status.n - 1],
				    STEK_FARM_KEY_ID_LEN),
		"ring", status.ring_known
			? admin_hex(status.ring, STEK_FARM_KEY_ID_LEN)
			: json_null(),
		"lacking", status.lacking,
		"nodes", list, "next", next));
}

void admin_farm_key_reload(struct node *node, const struct admin_call *call,
			   struct admin_answer *answer)
{
	char why[512] = "";
	int error = stek_farm_key_reload(node->farm, call->who, call->from,
					 why, sizeof(why));

	log_event(error == 0 ? LOG_INFO : LOG_WARN, "farm keys reloaded",
		  "who", LOG_STR, call->who, "detail", LOG_STR, why, NULL);
	if (error == 0)
		admin_farm_key_show(node, call, answer);
	else
		admin_problem_of(answer, error == STEK_EUNAVAILABLE
				 ? PROBLEM_UNAVAILABLE : PROBLEM_FARM_KEY,
				 NULL, "%s", why);
}

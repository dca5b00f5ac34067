/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_audit.c - GET /v1/audit: the newest entries, each checked, and with
 * verify=1 the whole chain. Called by admin_route.c and, for the newest, by
 * admin_feed.c.
 */
#include <stdlib.h>
#include <string.h>

#include "admin_route.h"

#define LIMIT_DEFAULT 50
#define LIMIT_MAX 10000
#define TIMEOUT_MS 10000

static bool name_good(const char *name)
{
	size_t i;

	for (i = 0; name[i] != '\0'; i++)
		if (name[i] <= ' ' || name[i] > '~')
			return false;
	return i > 0 && i <= 64;
}

bool admin_audit_query(const struct admin_request *request,
		       struct admin_call *call, struct admin_answer *answer)
{
	unsigned long limit = LIMIT_DEFAULT;
	char *end = NULL;

	if (call->request != NULL && !name_good(call->request)) {
		admin_problem(answer, 400, NULL, "Idempotency-Key must be 1 to "
			      "64 printable ASCII characters without blanks");
		return false;
	}
	if (request->limit != NULL) {
		limit = strtoul(request->limit, &end, 10);
		if (request->limit[0] < '0' || request->limit[0] > '9' ||
		    *end != '\0' || limit < 1 || limit > LIMIT_MAX) {
			admin_problem(answer, 400, NULL,
				      "limit must be 1 to %d", LIMIT_MAX);
			return false;
		}
	}
	if (request->verify != NULL && strcmp(request->verify, "0") != 0 &&
	    strcmp(request->verify, "1") != 0) {
		admin_problem(answer, 400, NULL, "verify must be 0 or 1");
		return false;
	}
	call->limit = (unsigned)limit;
	call->verify = request->verify != NULL && request->verify[0] == '1';
	return true;
}

/* Stores are counted from 1, as an operator counts the lines of the list. */
static json_t *held_json(unsigned stores)
{
	json_t *list = json_array();
	unsigned i;

	for (i = 0; i < STEK_STORES_MAX; i++)
		if (stores & 1u << i)
			json_array_append_new(list, json_integer(i + 1));
	return list;
}

static json_t *entry_json(const struct stek_audit_entry *entry)
{
	json_t *says = json_loads(entry->text, 0, NULL);

	if (says == NULL)
		says = admin_text(entry->text);
	return json_pack("{s:I, s:o, s:b, s:s, s:o, s:o}",
			 "seq", (json_int_t)entry->seq,
			 "farm_key", admin_hex(entry->farm_key_id,
					       STEK_FARM_KEY_ID_LEN),
			 "good", entry->fault[0] == '\0',
			 "fault", entry->fault, "stores",
			 held_json(entry->stores), "entry", says);
}

static json_t *broken_json(uint64_t seq, size_t at, const char *fault,
			   size_t store)
{
	return json_pack("{s:I, s:I, s:s, s:I}", "seq", (json_int_t)seq,
			 "place", (json_int_t)at + 1, "fault", fault,
			 "store", (json_int_t)store + 1);
}

static json_t *store_json(const struct stek_audit_store *store, size_t i)
{
	json_t *broken = json_null();

	if (store->broken)
		broken = broken_json(store->broken_seq, store->broken_at,
				     store->fault, i);
	return json_pack("{s:I, s:b, s:I, s:I, s:b, s:o}",
			 "store", (json_int_t)i + 1,
			 "answered", store->answered,
			 "checked", (json_int_t)store->n_checked,
			 "lacking", (json_int_t)store->n_lacking,
			 "good", store->answered && !store->broken,
			 "broken", broken);
}

static json_t *entries_json(const struct stek_audit_list *list)
{
	json_t *entries = json_array();
	size_t i;

	for (i = 0; i < list->n; i++)
		json_array_append_new(entries, entry_json(&list->entries[i]));
	return entries;
}

json_t *admin_audit_newest(struct node *node, unsigned limit,
			   uint32_t timeout_ms)
{
	struct stek_audit_list list = { .n = 0 };
	json_t *entries;

	if (stek_farm_audit(node->farm, limit, false, timeout_ms, &list) != 0)
		return json_null();
	entries = entries_json(&list);
	stek_audit_clear(&list);
	return entries;
}

void admin_audit_show(struct node *node, const struct admin_call *call,
		      struct admin_answer *answer)
{
	struct stek_audit_list list = { .n = 0 };
	json_t *entries, *stores, *broken = json_null();
	size_t i;
	int error = stek_farm_audit(node->farm, call->limit, call->verify,
				    TIMEOUT_MS, &list);

	if (error != 0) {
		admin_problem(answer, 503, NULL, "the store does not give the "
			      "audit: %s", stek_strerror(error));
		return;
	}
	entries = entries_json(&list);
	stores = json_array();
	for (i = 0; i < list.n_stores; i++)
		json_array_append_new(stores, store_json(&list.stores[i], i));
	if (list.broken)
		broken = broken_json(list.broken_seq, list.broken_at,
				     list.fault, list.broken_store);
	admin_json(answer, json_pack("{s:b, s:I, s:b, s:o, s:o, s:o}",
				     "whole", call->verify,
				     "checked", (json_int_t)list.n_checked,
				     "good", !list.broken,
				     "broken", broken, "stores", stores,
				     "entries", entries));
	stek_audit_clear(&list);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The audit and the state of the farm-key roll-over, laid out for people.
 */
#include <string.h>
#include <time.h>

#include "ctl.h"

static const char *utc(char out[CTL_TEXT_LEN], int64_t at_ms)
{
	time_t at_s = (time_t)(at_ms / 1000);
	struct tm at;

	if (at_ms <= 0 || !gmtime_r(&at_s, &at))
		return NULL;
	strftime(out, CTL_TEXT_LEN, "%Y-%m-%d %H:%M:%S", &at);
	return out;
}

/* "1 2": the stores in which it was read. */
static const char *held(char out[CTL_TEXT_LEN], const json_t *stores)
{
	size_t i, len = 0;
	json_t *store;

	out[0] = '\0';
	json_array_foreach(stores, i, store)
	{
		if (len < CTL_TEXT_LEN)
			len += (size_t)snprintf(
				out + len, CTL_TEXT_LEN - len, "%s%lld",
				i ? " " : "",
				(long long)json_integer_value(store));
	}
	return out;
}

static void show_entry(struct ctl_table *table, const json_t *row, int *bad)
{
	const json_t *says = json_object_get(row, "entry");
	const char *fault = ctl_string(row, "fault");
	char seq[CTL_TEXT_LEN], at[CTL_TEXT_LEN], epochs[64], nodes[64];
	char stores[CTL_TEXT_LEN];

	snprintf(seq, sizeof(seq), "%lld", (long long)ctl_integer(row, "seq"));
	snprintf(epochs, sizeof(epochs), "%lld -> %lld",
		 (long long)ctl_integer(says, "epoch_before"),
		 (long long)ctl_integer(says, "epoch_after"));
	snprintf(nodes, sizeof(nodes), "%lld of %lld",
		 (long long)ctl_integer(says, "acknowledged"),
		 (long long)ctl_integer(says, "live"));
	*bad |= ctl_table_add(
		table,
		(const char *[]){seq, utc(at, ctl_integer(says, "at_ms")),
				 ctl_string(says, "node"),
				 ctl_string(says, "who"),
				 ctl_string(says, "action"),
				 json_object_get(says, "epoch_after") ? epochs
								      : NULL,
				 json_object_get(says, "live") ? nodes : NULL,
				 ctl_string(says, "result"),
				 ctl_string(says, "note"),
				 held(stores, json_object_get(row, "stores")),
				 fault});
}

/* How the check of one chain ended. */
static void show_chain(const json_t *chain, bool whole, FILE *out)
{
	const json_t *broken = json_object_get(chain, "broken");

	if (json_is_object(broken))
		fprintf(out, "BROKEN at entry %lld (place %lld): %s",
			(long long)ctl_integer(broken, "seq"),
			(long long)ctl_integer(broken, "place"),
			ctl_string(broken, "fault"));
	else
		fprintf(out, "%lld entries checked%s, none broken",
			(long long)ctl_integer(chain, "checked"),
			whole ? ", the whole chain" : "");
}

/* With several stores each has a chain of its own. */
static void show_stores(const json_t *stores, bool whole, FILE *out)
{
	size_t i;
	json_t *store;

	json_array_foreach(stores, i, store)
	{
		fprintf(out, "store %lld: ",
			(long long)ctl_integer(store, "store"));
		if (!json_is_true(json_object_get(store, "answered"))) {
			fputs("NOT CHECKED, no answer\n", out);
			continue;
		}
		show_chain(store, whole, out);
		if (ctl_integer(store, "lacking") > 0)
			fprintf(out, "; lacks %lld that another store has",
				(long long)ctl_integer(store, "lacking"));
		fputc('\n', out);
	}
}

void ctl_show_audit(const json_t *audit, FILE *out)
{
	static const char *const headings[] = {
		">SEQ", "TIME (UTC)", "NODE", "WHO", "ACTION", "EPOCH",
		"CONFIRMED", "RESULT", "NOTE", "STORES", "BROKEN", NULL};
	const json_t *stores = json_object_get(audit, "stores");
	bool whole = json_is_true(json_object_get(audit, "whole"));
	struct ctl_table table;
	size_t i;
	json_t *row;
	int bad = ctl_table_init(&table, headings);

	json_array_foreach(json_object_get(audit, "entries"), i, row)
		show_entry(&table, row, &bad);
	if (bad == 0)
		ctl_table_print(&table, out);
	ctl_table_clear(&table);
	if (json_array_size(stores) > 1) {
		show_stores(stores, whole, out);
		return;
	}
	show_chain(audit, whole, out);
	fputc('\n', out);
}

void ctl_show_farm_key(const json_t *answer, FILE *out)
{
	static const char *const headings[] = {
		"NODE", "STATE", "FARM KEYS", "SEALS UNDER", NULL};
	struct ctl_table table;
	size_t i, k;
	json_t *node, *key;
	int bad = ctl_table_init(&table, headings);

	fprintf(out, "target: %s\nring:   %s%s\n",
		ctl_string(answer, "target"), ctl_string(answer, "ring"),
		json_is_true(json_object_get(answer, "lacking"))
			? " (REFUSED: not held here)" : "");
	json_array_foreach(json_object_get(answer, "nodes"), i, node) {
		char keys[64] = "";

		json_array_foreach(json_object_get(node, "keys"), k, key) {
			size_t len = strlen(keys);

			snprintf(keys + len, sizeof(keys) - len, "%s%s",
				 k ? " " : "", json_string_value(key));
		}
		bad |= ctl_table_add(
			&table,
			(const char *[]){
				ctl_string(node, "name"),
				json_is_true(json_object_get(node, "live"))
					? "live" : "away",
				keys[0] ? keys : NULL,
				ctl_string(node, "seals")});
	}
	if (bad == 0)
		ctl_table_print(&table, out);
	ctl_table_clear(&table);
	fprintf(out, "next:   %s\n", ctl_string(answer, "next"));
}

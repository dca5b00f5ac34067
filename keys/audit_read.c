// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * audit_read.c - the audit for the application: reads the newest entries of
 * each store, or all of them, says of each chain whether it is true, and makes
 * one list of what they hold. The sync thread reads and checks, since it alone
 * holds the farm key.
 */
#include <stdlib.h>
#include <string.h>

#include "sync.h"

/* A line of one store; of several true ones that say the same, one is kept. */
struct row {
	const char *line;
	size_t len, store, order;
	const char *fault;
	int64_t at_ms;
	bool parsed;
	bool is_true;		/* whatever is missing before it */
	struct stek_entry entry;
	unsigned held;		/* bit N: the store of that index has it */
};

/* What one store answered, and all the rows so far. */
struct reading {
	struct stek_blob text[STEK_STORES_MAX];
	char (*faults[STEK_STORES_MAX])[STEK_FAULT_MAX];
	struct row *rows;
	size_t n;
	unsigned answered;	/* bits, as above */
};

static void fill(struct stek_audit_entry *out, const struct row *row)
{
	memcpy(out->fault, row->fault, sizeof(out->fault));
	out->stores = row->held;
	if (!row->parsed) {
		out->text = strndup(row->line, row->len);
		return;
	}
	out->seq = row->entry.seq;
	memcpy(out->farm_key_id, row->entry.key_id, sizeof(out->farm_key_id));
	out->text = strndup(row->entry.json, row->entry.json_len);
}

static int64_t time_of(const struct row *row, int64_t before_ms)
{
	if (!row->parsed || strncmp(row->entry.json, "{\"at_ms\":", 9))
		return before_ms;
	return strtoll(row->entry.json + 9, NULL, 10);
}

/* The first fault of a chain, or what is missing at its end. */
static void name_first(struct stek_audit_store *out, const struct row *rows,
		       size_t n, const char *last)
{
	size_t i;

	out->n_checked = n;
	for (i = 0; i < n; i++) {
		if (!rows[i].fault[0])
			continue;
		out->broken = true;
		out->broken_seq = rows[i].entry.seq;
		out->broken_at = i;
		memcpy(out->fault, rows[i].fault, sizeof(out->fault));
		return;
	}
	if (!last[0])
		return;
	out->broken = true;
	out->broken_seq = n ? rows[n - 1].entry.seq + 1 : 1;
	out->broken_at = n;
	memcpy(out->fault, last, sizeof(out->fault));
}

static int add_rows(const struct stek_farm *farm, struct reading *in,
		    size_t store, size_t n, const char *last,
		    struct stek_audit_store *out)
{
	const char *text = (const char *)in->text[store].data;
	struct row *rows = realloc(in->rows, (in->n + n + 1) * sizeof(*rows));
	int64_t at_ms = 0;
	size_t i;

	if (!rows)
		return STEK_ENOMEM;
	in->rows = rows;
	rows += in->n;
	for (i = 0; i < n; i++) {
		struct row *row = &rows[i];

		memset(row, 0, sizeof(*row));
		row->line = text;
		row->len = strcspn(text, "\n");
		row->store = store;
		row->order = i;
		row->fault = in->faults[store][i];
		row->parsed = !stek__chain_parse(&row->entry, text, row->len);
		row->at_ms = at_ms = time_of(row, at_ms);
		row->is_true = row->parsed &&
			(!row->fault[0] ||
			 !stek__chain_check(&row->entry, farm->farm_keys,
					    farm->name, text));
		row->held = 1u << store;
		text += row->len + 1;
	}
	in->n += n;
	name_first(out, rows, n, last);
	out->answered = true;
	in->answered |= 1u << store;
	return 0;
}

static int read_store(struct stek_sync *sync, size_t i, size_t limit,
		      bool whole, struct reading *in,
		      struct stek_audit_store *out)
{
	const struct stek_farm *farm = sync->farm;
	struct stek_link *link = &sync->links[i];
	struct stek_chain_ends ends = { .whole = whole };
	char last[STEK_FAULT_MAX];
	size_t n = 0;
	int err;

	err = stek__audit_tail(sync, link, limit, &in->text[i]);
	if (err)
		return err;
	ends.head = link->audit_head;
	err = stek__chain_verify(farm->farm_keys, farm->name, &ends,
				 in->text[i].data ?
				 (const char *)in->text[i].data : "",
				 &in->faults[i], &n, last);
	return err ? err : add_rows(farm, in, i, n, last, out);
}

/* Each store that answers; one answer is enough. */
static int read_stores(struct stek_sync *sync, struct stek_command *command,
		       struct reading *in)
{
	size_t i, limit = command->verify ? 2 * STEK_AUDIT_KEPT + 1 :
					    command->limit + 1;
	bool reached = sync->state == STEK_STORE_OK;
	struct stek_audit_list *list = &command->audit;
	int err = STEK_EUNAVAILABLE, result;

	list->n_stores = sync->n_links;
	for (i = 0; i < sync->n_links; i++) {
		if (reached && sync->links[i].state != STEK_STORE_OK)
			continue;
		result = read_store(sync, i, limit, command->verify, in,
				    &list->stores[i]);
		if (result == STEK_ENOMEM)
			return result;
		if (result)
			err = result;
	}
	return in->answered ? 0 : err;
}

static size_t said_len(const struct row *row)
{
	return (size_t)(row->line + row->len - row->entry.request);
}

/* True ones first, those that say the same side by side, a good one first. */
static int by_said(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int order;

	if (x->is_true != y->is_true)
		return x->is_true ? -1 : 1;
	if (!x->is_true)
		return 0;
	if (said_len(x) != said_len(y))
		return said_len(x) < said_len(y) ? -1 : 1;
	order = memcmp(x->entry.request, y->entry.request, said_len(x));
	if (order)
		return order;
	if (!x->fault[0] != !y->fault[0])
		return x->fault[0] ? 1 : -1;
	return (x->store > y->store) - (x->store < y->store);
}

static int by_time(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->at_ms != y->at_ms)
		return x->at_ms < y->at_ms ? -1 : 1;
	if (x->store != y->store)
		return x->store < y->store ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

static bool same(const struct row *x, const struct row *y)
{
	return x->is_true && y->is_true && said_len(x) == said_len(y) &&
	       !memcmp(x->entry.request, y->entry.request, said_len(x));
}

/* Of one store everything is shown as it stands there. */
static void unite(struct reading *in)
{
	size_t i, used = 0;

	qsort(in->rows, in->n, sizeof(*in->rows), by_said);
	for (i = 0; i < in->n; i++) {
		if (used && same(&in->rows[used - 1], &in->rows[i])) {
			in->rows[used - 1].held |= in->rows[i].held;
			continue;
		}
		in->rows[used++] = in->rows[i];
	}
	in->n = used;
	qsort(in->rows, in->n, sizeof(*in->rows), by_time);
}

/* True entries that one store lacks; only known of whole chains. */
static void count_lacking(struct stek_sync *sync, const struct reading *in,
			  struct stek_audit_list *list)
{
	size_t i, k;

	for (i = 0; i < in->n; i++) {
		for (k = 0; k < list->n_stores; k++) {
			if (!list->stores[k].answered || !in->rows[i].is_true ||
			    (in->rows[i].held & 1u << k))
				continue;
			list->stores[k].n_lacking++;
			sync->audit.spread = true;
		}
	}
}

static void sum_up(struct stek_audit_list *list)
{
	size_t i;

	for (i = list->n_stores; i-- > 0;) {
		const struct stek_audit_store *store = &list->stores[i];

		list->n_checked += store->n_checked;
		if (!store->broken)
			continue;
		list->broken = true;
		list->broken_store = i;
		list->broken_seq = store->broken_seq;
		list->broken_at = store->broken_at;
		memcpy(list->fault, store->fault, sizeof(list->fault));
	}
}

/* The last `limit` of the rows are given out. */
static int give(struct stek_audit_list *list, const struct reading *in,
		size_t limit)
{
	size_t i = in->n > limit ? in->n - limit : 0;

	list->entries = calloc(in->n - i + 1, sizeof(*list->entries));
	if (!list->entries)
		return STEK_ENOMEM;
	for (; i < in->n; i++)
		fill(&list->entries[list->n++], &in->rows[i]);
	return 0;
}

int stek__audit_serve(struct stek_sync *sync, struct stek_command *command)
{
	struct stek_audit_list *list = &command->audit;
	struct reading in = { .n = 0 };
	size_t i;
	int err;

	stek__audit_flush(sync);
	err = read_stores(sync, command, &in);
	if (!err) {
		if (in.answered & (in.answered - 1))
			unite(&in);
		if (command->verify)
			count_lacking(sync, &in, list);
		sum_up(list);
		err = give(list, &in, command->limit);
	}
	for (i = 0; i < STEK_STORES_MAX; i++) {
		free(in.text[i].data);
		free(in.faults[i]);
	}
	free(in.rows);
	return err;
}

void stek_audit_clear(struct stek_audit_list *list)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		free(list->entries[i].text);
	free(list->entries);
	memset(list, 0, sizeof(*list));
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * audit_read.c - the audit for the application: reads the newest entries, or
 * all of them, and says of each whether it is true. The sync thread reads and
 * checks, since it alone holds the farm key.
 */
#include <stdlib.h>
#include <string.h>

#include "sync.h"

static void fill(struct stek_audit_entry *out, const char *line, size_t len,
		 const char *fault)
{
	struct stek_entry entry;

	memcpy(out->fault, fault, sizeof(out->fault));
	if (stek__chain_parse(&entry, line, len)) {
		out->text = strndup(line, len);
		return;
	}
	out->seq = entry.seq;
	memcpy(out->farm_key_id, entry.key_id, sizeof(out->farm_key_id));
	out->text = strndup(entry.json, entry.json_len);
}

static void name_first(struct stek_audit_list *list,
		       char (*faults)[STEK_FAULT_MAX], size_t n,
		       const uint64_t *seqs, const char *last)
{
	size_t i;

	list->n_checked = n;
	for (i = 0; i < n; i++) {
		if (!faults[i][0])
			continue;
		list->broken = true;
		list->broken_seq = seqs[i];
		list->broken_at = i;
		memcpy(list->fault, faults[i], sizeof(list->fault));
		return;
	}
	if (!last[0])
		return;
	list->broken = true;
	list->broken_seq = n ? seqs[n - 1] + 1 : 1;
	list->broken_at = n;
	memcpy(list->fault, last, sizeof(list->fault));
}

/* The last `limit` of the checked lines are given out. */
static int give(struct stek_audit_list *list, const char *text, size_t limit,
		char (*faults)[STEK_FAULT_MAX], size_t n, const char *last)
{
	size_t i, skip = n > limit ? n - limit : 0;
	uint64_t *seqs = calloc(n + 1, sizeof(*seqs));
	struct stek_entry entry;

	list->entries = calloc(n - skip + 1, sizeof(*list->entries));
	if (!seqs || !list->entries) {
		free(seqs);
		return STEK_ENOMEM;
	}
	for (i = 0; i < n; i++) {
		size_t len = strcspn(text, "\n");

		if (!stek__chain_parse(&entry, text, len))
			seqs[i] = entry.seq;
		if (i >= skip)
			fill(&list->entries[list->n++], text, len, faults[i]);
		text += len + 1;
	}
	name_first(list, faults, n, seqs, last);
	free(seqs);
	return 0;
}

int stek__audit_serve(struct stek_sync *sync, struct stek_command *command)
{
	const struct stek_farm *farm = sync->farm;
	struct stek_audit_list *list = &command->audit;
	size_t limit = command->verify ? 2 * STEK_AUDIT_KEPT + 1 :
					 command->limit + 1;
	struct stek_chain_ends ends = { .whole = command->verify,
					.head = sync->audit.head };
	char (*faults)[STEK_FAULT_MAX] = NULL;
	char last[STEK_FAULT_MAX];
	struct stek_blob text = { NULL, 0 };
	size_t n = 0;
	int err;

	stek__audit_flush(sync);
	ends.head = sync->audit.head;
	err = sync->store->ops->audit_read(sync->store, limit, &text);
	stek__sync_answered(sync, err);
	if (err && err != STEK_EABSENT)
		return err;
	err = stek__chain_verify(farm->farm_keys, farm->name, &ends,
				 text.data ? (const char *)text.data : "",
				 &faults, &n, last);
	if (!err)
		err = give(list, text.data ? (const char *)text.data : "",
			   command->limit, faults, n, last);
	free(faults);
	free(text.data);
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

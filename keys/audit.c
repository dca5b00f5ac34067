// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * audit.c - an entry of the audit for each change: who, from where, what, the
 * ring's epoch before and after, which nodes confirmed. An entry goes to every
 * store that answers and waits here while none does; audit_spread.c brings it to
 * those that were away. Called by change.c, roll.c and after each heartbeat.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "idem.h"
#include "sync.h"

#define TRIES_MAX 16
#define TAIL 16			/* entries among which a lost answer's is */
#define NODES_MAX 100		/* named in one entry */

/* RFC 8259 s7. What is no ASCII becomes '?': `who` is text of the caller. */
static void put_string(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fprintf(out, "\\%c", *text);
		else
			fputc((unsigned char)*text < ' ' ||
			      (unsigned char)*text > '~' ? '?' : *text, out);
	}
	fputc('"', out);
}

static void put_ids(FILE *out, const char *name,
		    const uint8_t (*ids)[STEK_ID_LEN], size_t n)
{
	size_t i;

	fprintf(out, ",\"%s\":[", name);
	for (i = 0; i < n; i++) {
		fputs(i ? ",\"" : "\"", out);
		stek__chain_hex(out, ids[i], STEK_ID_LEN);
		fputc('"', out);
	}
	fputc(']', out);
}

/* Late nodes are named first: they are what one looks for. */
static void put_nodes(FILE *out, const struct stek_change *change)
{
	size_t i, left = NODES_MAX;
	int late;

	fputs(",\"nodes\":[", out);
	for (late = 1; late >= 0; late--)
		for (i = 0; i < change->n_acks && left > 0; i++) {
			const struct stek_ack *ack = &change->acks[i];

			if (ack->acknowledged == (late == 1))
				continue;
			fprintf(out, "%s{\"name\":\"%s\",\"acknowledged\":%s,"
				"\"after_ms\":%u}", left < NODES_MAX ? "," : "",
				ack->name, late ? "false" : "true",
				ack->after_ms);
			left--;
		}
	fputc(']', out);
}

void stek__audit_id(struct stek_sync *sync, char out[STEK_AUDIT_ID_MAX])
{
	snprintf(out, STEK_AUDIT_ID_MAX, "%" PRIx64 "-%u",
		 (uint64_t)sync->started_at_ms, ++sync->audit.made);
}

void stek__audit_who(FILE *out, struct stek_sync *sync, const char *who,
		     const char *from, const char *action)
{
	char id[STEK_AUDIT_ID_MAX];

	stek__audit_id(sync, id);
	fprintf(out, "{\"at_ms\":%" PRId64 ",\"node\":\"%s\",\"id\":\"%s\","
		"\"who\":", stek__sync_farm_ms(sync), sync->farm->node, id);
	put_string(out, who);
	fputs(",\"from\":", out);
	put_string(out, from);
	fprintf(out, ",\"action\":\"%s\"", action);
}

static void put_head(FILE *out, struct stek_sync *sync, const char *who,
		     const char *from, const char *action)
{
	stek__audit_who(out, sync, who, from, action);
	if (sync->audit.lost)
		fprintf(out, ",\"lost\":%u", sync->audit.lost);
}

static void put_change(FILE *out, struct stek_sync *sync,
		       const struct stek_command *command)
{
	const struct stek_change *change = &command->change;
	bool rotate = command->kind == STEK_COMMAND_ROTATE;
	size_t i, acked = 0;

	for (i = 0; i < change->n_acks; i++)
		acked += change->acks[i].acknowledged;
	put_head(out, sync, command->who, command->from,
		 rotate ? "rotate" : "revoke");
	if (command->note[0]) {
		fputs(",\"note\":", out);
		put_string(out, command->note);
	}
	fprintf(out, ",\"force\":%s", command->force ? "true" : "false");
	if (!rotate && command->all)
		fputs(",\"keys\":\"all\"", out);
	else if (!rotate)
		put_ids(out, "keys", (const uint8_t (*)[STEK_ID_LEN])
			command->ids, command->n_ids);
	if (!rotate)
		put_ids(out, "revoked_keys", (const uint8_t (*)[STEK_ID_LEN])
			change->revoked_ids, change->n_revoked);
	fputs(",\"key\":\"", out);
	if (change->activate_at_ms)
		stek__chain_hex(out, change->key_id, STEK_ID_LEN);
	fprintf(out, "\",\"revoked\":%zu,\"epoch_before\":%" PRIu64
		",\"epoch_after\":%" PRIu64 ",\"published\":%s,"
		"\"live\":%zu,\"acknowledged\":%zu", change->n_revoked,
		command->epoch_before, stek__sync_ring(sync)->version.epoch,
		change->published ? "true" : "false", change->n_acks, acked);
	put_nodes(out, change);
	fputs(",\"result\":", out);
	put_string(out, command->result ? stek_strerror(command->result) :
		   "ok");
	fputs(",\"detail\":", out);
	put_string(out, change->detail);
	fputc('}', out);
}

static void pending_free(struct stek_pending *pending)
{
	free(pending->request);
	free(pending->outcome);
	free(pending->json);
	memset(pending, 0, sizeof(*pending));
}

static void drop(struct stek_audit *audit, size_t n)
{
	memmove(audit->queue, audit->queue + n,
		(audit->n - n) * sizeof(audit->queue[0]));
	audit->n -= n;
}

/* The first entry is lost, and with it what it told of others. */
static void lose(struct stek_audit *audit)
{
	audit->lost += 1 + audit->queue[0].lost;
	pending_free(&audit->queue[0]);
	drop(audit, 1);
}

/* put_head() has told of those that were lost. */
static void enqueue(struct stek_sync *sync, char *json, char *request,
		    char *outcome)
{
	struct stek_audit *audit = &sync->audit;
	unsigned told = audit->lost;

	audit->lost = 0;
	if (audit->n == STEK_AUDIT_QUEUE)
		lose(audit);
	audit->queue[audit->n++] = (struct stek_pending){
		.json = json, .request = request, .outcome = outcome,
		.lost = told,
	};
	if (sync->state == STEK_STORE_OK)
		stek__audit_flush(sync);
}

void stek__audit_close(struct stek_sync *sync)
{
	size_t i;

	for (i = 0; i < sync->audit.n; i++)
		pending_free(&sync->audit.queue[i]);
	sync->audit.n = 0;
}

/* Into one store, unless it is there: the answer to a write may be lost. */
static int append_once(struct stek_sync *sync, struct stek_link *link,
		       const struct stek_entry_text *text)
{
	struct stek_blob tail = { NULL, 0 };
	char *last = NULL;
	int err;

	err = stek__audit_tail(sync, link, TAIL, &tail);
	if (!err && !stek__audit_has(sync, &tail, text)) {
		last = stek__audit_last(&tail);
		err = last ? stek__audit_append(sync, link, &last, text) :
			     STEK_ENOMEM;
	}
	free(last);
	free(tail.data);
	return err;
}

static int append(struct stek_sync *sync, struct stek_link *link,
		  const struct stek_entry_text *text)
{
	int err = STEK_ECONFLICT;
	unsigned tries;

	for (tries = 0; err == STEK_ECONFLICT && tries < TRIES_MAX; tries++)
		err = append_once(sync, link, text);
	return err;
}

/*
 * Into every store that answers. 0 when one took it: the others get it from
 * there. STEK_EREFUSED when it would be refused for ever.
 */
static int append_all(struct stek_sync *sync,
		      const struct stek_pending *pending)
{
	const struct stek_entry_text text = {
		.request = pending->request ? pending->request : "-",
		.outcome = pending->outcome ? pending->outcome : "-",
		.json = pending->json,
	};
	bool took = false, later = sync->state != STEK_STORE_OK, opens = false;
	size_t i;
	int err;

	for (i = 0; i < sync->n_links; i++) {
		struct stek_link *link = &sync->links[i];

		if (link->state != STEK_STORE_OK)
			continue;
		err = append(sync, link, &text);
		if (!err)
			took = true;
		else if (err == STEK_EUNAVAILABLE || err == STEK_ECONFLICT ||
			 err == STEK_ENOMEM)
			later = true;
		opens = opens || (link->audit_shut && !err);
		link->audit_shut = err == STEK_EREFUSED;
	}
	/* One that refused and takes them again lacks those in between. */
	if (took && (later || opens))
		sync->audit.spread = true;
	if (took)
		return 0;
	return later ? STEK_EUNAVAILABLE : STEK_EREFUSED;
}

void stek__audit_flush(struct stek_sync *sync)
{
	struct stek_audit *audit = &sync->audit;
	int err;

	while (audit->n > 0) {
		err = append_all(sync, &audit->queue[0]);
		/* What is refused would be refused for ever: told, gone. */
		if (err == STEK_EUNAVAILABLE)
			return;
		if (err) {
			lose(audit);
			continue;
		}
		pending_free(&audit->queue[0]);
		drop(audit, 1);
	}
}

void stek__audit_add(struct stek_sync *sync,
		     const struct stek_command *command)
{
	char *line = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&line, &len);

	if (!out)
		return;
	put_change(out, sync, command);
	if (fclose(out)) {
		free(line);
		return;
	}
	enqueue(sync, line, stek__idem_request(sync, command, true),
		stek__idem_outcome(command));
}

void stek__audit_note(struct stek_sync *sync, const char *who,
		      const char *from, const char *action, const char *text)
{
	char *line = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&line, &len);

	if (!out)
		return;
	put_head(out, sync, who, from, action);
	fprintf(out, "%s}", text);
	if (fclose(out)) {
		free(line);
		return;
	}
	enqueue(sync, line, NULL, NULL);
}

void stek__audit_told(struct stek_sync *sync,
		      const struct stek_command *command)
{
	char *line = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&line, &len);

	if (!out)
		return;
	put_head(out, sync, command->who, command->from, command->action);
	fputs(",\"result\":", out);
	put_string(out, command->outcome);
	fputs(",\"detail\":", out);
	put_string(out, command->detail);
	fputc('}', out);
	if (fclose(out)) {
		free(line);
		return;
	}
	enqueue(sync, line, NULL, NULL);
}

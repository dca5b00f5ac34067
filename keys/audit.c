// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * audit.c - an entry of the audit for each change: who, from where, what, the
 * ring's epoch before and after, which nodes confirmed. Entries wait here
 * while no store answers. Called by change.c, roll.c and after each heartbeat.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk.h"
#include "idem.h"
#include "sync.h"

#define TRIES_MAX 16
#define NODES_MAX 100		/* named in one entry */

static void put_hex(FILE *out, const uint8_t *bytes, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		fprintf(out, "%02x", bytes[i]);
}

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
		put_hex(out, ids[i], STEK_ID_LEN);
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

static void put_head(FILE *out, struct stek_sync *sync, const char *who,
		     const char *from, const char *action)
{
	fprintf(out, "{\"at_ms\":%" PRId64 ",\"node\":\"%s\",\"who\":",
		stek__sync_farm_ms(sync), sync->farm->node);
	put_string(out, who);
	fputs(",\"from\":", out);
	put_string(out, from);
	fprintf(out, ",\"action\":\"%s\"", action);
	if (sync->audit.lost)
		fprintf(out, ",\"lost\":%u", sync->audit.lost);
	sync->audit.lost = 0;
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
		put_hex(out, change->key_id, STEK_ID_LEN);
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

static void enqueue(struct stek_sync *sync, char *json, char *request,
		    char *outcome)
{
	struct stek_audit *audit = &sync->audit;

	if (audit->n == STEK_AUDIT_QUEUE) {
		pending_free(&audit->queue[0]);
		drop(audit, 1);
		audit->lost++;
	}
	audit->queue[audit->n++] = (struct stek_pending){
		.json = json, .request = request, .outcome = outcome,
	};
	if (sync->state == STEK_STORE_OK)
		stek__audit_flush(sync);
}

/* Where the last line begins, and its length; 0 when there is none. */
static size_t last_line(const struct stek_blob *tail, const char **line)
{
	size_t at, end = tail->len ? tail->len - 1 : 0;

	if (!tail->data)
		return 0;
	for (at = end; at > 0 && tail->data[at - 1] != '\n'; at--)
		;
	*line = (const char *)tail->data + at;
	return end - at;
}

/*
 * What the next entry follows: the store's last entry if it is true and not
 * older than what we remember. Otherwise what we remember: the store was
 * wiped, put back or tampered with, and the gap shall show.
 */
static struct stek_head follow(struct stek_sync *sync, const char *line,
			       size_t len)
{
	const struct stek_farm *farm = sync->farm;
	const struct stek_head *head = &sync->audit.head;
	struct stek_head last;
	struct stek_entry entry;
	int tag;

	if (!len || stek__chain_parse(&entry, line, len) ||
	    stek__chain_link(&last, entry.seq, line, len))
		return *head;
	tag = stek__chain_check(&entry, farm->farm_keys, farm->name, line);
	if (tag == 0 && last.seq > head->seq)
		return last;
	return *head;
}

static void keep_head(struct stek_sync *sync)
{
	struct stek_part body = { NULL, 0 }, none = { NULL, 0 };
	char name[STEK_NAME_MAX + 16], aside[STEK_NAME_MAX + 24];
	char *text = NULL;
	size_t len = 0;
	FILE *f;
	int dir;

	if (!sync->state_dir)
		return;
	f = open_memstream(&text, &len);
	if (!f)
		return;
	fprintf(f, "%" PRIu64 " ", sync->audit.head.seq);
	put_hex(f, sync->audit.head.hash, STEK_DIGEST_LEN);
	fputc('\n', f);
	dir = fclose(f) ? -1 : open(sync->state_dir,
				    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(name, sizeof(name), "audit.%s", sync->farm->name);
	snprintf(aside, sizeof(aside), "%s.new", name);
	body.data = (const uint8_t *)text;
	body.len = len;
	/* keep.c tells of a directory that cannot be written. */
	if (dir >= 0) {
		(void)stek__disk_replace(dir, aside, name, &none, &body, true);
		close(dir);
	}
	free(text);
}

static bool parse_head(struct stek_head *out, const char *text)
{
	unsigned byte;
	int used = 0;
	size_t i;

	if (sscanf(text, "%" SCNu64 " %n", &out->seq, &used) != 1 || !used ||
	    strlen(text + used) < 2 * STEK_DIGEST_LEN)
		return false;
	text += used;
	for (i = 0; i < STEK_DIGEST_LEN; i++) {
		if (sscanf(text + 2 * i, "%2x", &byte) != 1)
			return false;
		out->hash[i] = (uint8_t)byte;
	}
	return true;
}

void stek__audit_open(struct stek_sync *sync)
{
	struct stek_head head = { .seq = 0 };
	char name[STEK_NAME_MAX + 16];
	uint8_t buf[128] = { 0 };
	size_t len;
	int dir;

	if (!sync->state_dir)
		return;
	snprintf(name, sizeof(name), "audit.%s", sync->farm->name);
	dir = open(sync->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return;
	if (!stek__disk_read(dir, name, buf, sizeof(buf) - 1, &len) &&
	    parse_head(&head, (const char *)buf))
		sync->audit.head = head;
	close(dir);
}

void stek__audit_close(struct stek_sync *sync)
{
	size_t i;

	for (i = 0; i < sync->audit.n; i++)
		pending_free(&sync->audit.queue[i]);
	sync->audit.n = 0;
}

void stek__audit_learn(struct stek_sync *sync, uint64_t seq,
		       const uint8_t hash[STEK_DIGEST_LEN])
{
	if (seq <= sync->audit.head.seq)
		return;
	sync->audit.head.seq = seq;
	memcpy(sync->audit.head.hash, hash, STEK_DIGEST_LEN);
	keep_head(sync);
}

int stek__audit_append(struct stek_sync *sync, const struct stek_blob *tail,
		       const struct stek_entry_text *text)
{
	const struct stek_farm *farm = sync->farm;
	struct stek_head after, head;
	const char *last = "";
	size_t len = last_line(tail, &last);
	char *line = NULL, *expect;
	int err;

	expect = strndup(last, len);
	if (!expect)
		return STEK_ENOMEM;
	after = follow(sync, last, len);
	err = stek__chain_seal(&line, farm->farm_keys, farm->name, &after,
			       text);
	if (!err)
		err = stek__chain_link(&head, after.seq + 1, line,
				       strlen(line));
	if (!err) {
		err = sync->store->ops->audit(sync->store, expect, line);
		stek__sync_answered(sync, err);
	}
	if (!err)
		stek__audit_learn(sync, head.seq, head.hash);
	free(line);
	free(expect);
	return err;
}

static int append_once(struct stek_sync *sync,
		       const struct stek_pending *pending)
{
	const struct stek_entry_text text = {
		.request = pending->request ? pending->request : "-",
		.outcome = pending->outcome ? pending->outcome : "-",
		.json = pending->json,
	};
	struct stek_blob tail = { NULL, 0 };
	int err;

	err = sync->store->ops->audit_read(sync->store, 1, &tail);
	stek__sync_answered(sync, err);
	if (err == STEK_EABSENT)
		err = 0;
	if (!err)
		err = stek__audit_append(sync, &tail, &text);
	free(tail.data);
	return err;
}

void stek__audit_flush(struct stek_sync *sync)
{
	struct stek_audit *audit = &sync->audit;
	unsigned tries;
	int err;

	while (audit->n > 0) {
		err = STEK_ECONFLICT;
		for (tries = 0; err == STEK_ECONFLICT && tries < TRIES_MAX;
		     tries++)
			err = append_once(sync, &audit->queue[0]);
		/* What is refused would be refused for ever: told, gone. */
		if (err == STEK_EUNAVAILABLE || err == STEK_ECONFLICT ||
		    err == STEK_ENOMEM)
			return;
		if (err)
			audit->lost++;
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
		      const char *action, const char *text)
{
	char *line = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&line, &len);

	if (!out)
		return;
	put_head(out, sync, who, "", action);
	fprintf(out, "%s}", text);
	if (fclose(out)) {
		free(line);
		return;
	}
	enqueue(sync, line, NULL, NULL);
}

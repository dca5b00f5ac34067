// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * audit.c - one line of JSON for each rotation and revocation: who, what, and
 * the ring's epoch before and after. Lines wait here while no store answers.
 * Called by change.c and after each heartbeat.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sync.h"

static void put_hex(FILE *out, const uint8_t *bytes, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		fprintf(out, "%02x", bytes[i]);
}

/* RFC 8259 s7. What is no ASCII becomes '?': `who` is text of the caller. */
static void put_string(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fprintf(out, "\\%c", *text);
		else
			fputc((unsigned char)*text < ' ' ||
			      (unsigned char)*text > '~' ? '?' : *text, out);
	}
}

static void put_keys(FILE *out, const struct stek_command *command)
{
	size_t i;

	if (command->kind == STEK_COMMAND_ROTATE)
		return;
	if (command->all) {
		fputs(",\"keys\":\"all\"", out);
		return;
	}
	fputs(",\"keys\":[", out);
	for (i = 0; i < command->n_ids; i++) {
		fputs(i ? ",\"" : "\"", out);
		put_hex(out, command->ids[i], STEK_ID_LEN);
		fputc('"', out);
	}
	fputc(']', out);
}

static void put_line(FILE *out, struct stek_sync *sync,
		     const struct stek_command *command)
{
	const struct stek_change *change = &command->change;
	bool rotate = command->kind == STEK_COMMAND_ROTATE;
	size_t i, acked = 0;

	for (i = 0; i < change->n_acks; i++)
		acked += change->acks[i].acknowledged;
	fprintf(out, "{\"at_ms\":%" PRId64 ",\"node\":\"%s\",\"who\":\"",
		stek__sync_farm_ms(sync), sync->farm->node);
	put_string(out, command->who);
	fprintf(out, "\",\"action\":\"%s\",\"force\":%s",
		rotate ? "rotate" : "revoke",
		command->force ? "true" : "false");
	put_keys(out, command);
	fputs(",\"key\":\"", out);
	if (change->activate_at_ms)
		put_hex(out, change->key_id, STEK_ID_LEN);
	fprintf(out, "\",\"revoked\":%zu,\"epoch_before\":%" PRIu64
		",\"epoch_after\":%" PRIu64 ",\"published\":%s,"
		"\"live\":%zu,\"acknowledged\":%zu,\"result\":\"",
		change->n_revoked, command->epoch_before,
		stek__sync_ring(sync)->version.epoch,
		change->published ? "true" : "false", change->n_acks, acked);
	put_string(out, stek_strerror(command->result));
	fputs("\"}", out);
}

void stek__audit_flush(struct stek_sync *sync)
{
	size_t i;
	int err;

	for (i = 0; i < sync->n_audit; i++) {
		err = sync->store->ops->audit(sync->store, "", sync->audit[i]);
		stek__sync_answered(sync, err);
		/* What is refused would be refused for ever: told, gone. */
		if (err == STEK_EUNAVAILABLE)
			break;
		free(sync->audit[i]);
	}
	memmove(sync->audit, sync->audit + i,
		(sync->n_audit - i) * sizeof(sync->audit[0]));
	sync->n_audit -= i;
}

void stek__audit_add(struct stek_sync *sync,
		     const struct stek_command *command)
{
	char *line = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&line, &len);

	if (!out)
		return;
	put_line(out, sync, command);
	if (fclose(out)) {
		free(line);
		return;
	}
	if (sync->n_audit == STEK_AUDIT_QUEUE) {
		free(sync->audit[0]);
		memmove(sync->audit, sync->audit + 1,
			(STEK_AUDIT_QUEUE - 1) * sizeof(sync->audit[0]));
		sync->n_audit--;
	}
	sync->audit[sync->n_audit++] = line;
	if (sync->state == STEK_STORE_OK)
		stek__audit_flush(sync);
}

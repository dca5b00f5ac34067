/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * audit.h - the audit as the sync thread keeps it: entries that wait for a
 * store, and the head of the chain, which outlives the store's copy. audit.c
 * writes, audit_read.c reads and checks for the application.
 */
#ifndef STEK_AUDIT_H
#define STEK_AUDIT_H

#include "chain.h"

#define STEK_AUDIT_QUEUE 64

struct stek_sync;
struct stek_command;

struct stek_pending {
	char *request, *outcome, *json;
};

struct stek_audit {
	struct stek_head head;	/* the last entry that we know of */
	struct stek_pending queue[STEK_AUDIT_QUEUE];
	size_t n;
	unsigned lost;		/* entries, for want of room */
};

/* At opening: the head that was remembered on disk, if any. */
void stek__audit_open(struct stek_sync *sync);
void stek__audit_close(struct stek_sync *sync);

/* A heartbeat of ours or another node's says how far the chain goes. */
void stek__audit_learn(struct stek_sync *sync, uint64_t seq,
		       const uint8_t hash[STEK_DIGEST_LEN]);

/* The entry of a finished change. */
void stek__audit_add(struct stek_sync *sync,
		     const struct stek_command *command);
/* The entry of what no command did: `text` is JSON members, from a comma on. */
void stek__audit_note(struct stek_sync *sync, const char *who,
		      const char *action, const char *text);
void stek__audit_flush(struct stek_sync *sync);

/*
 * Appends one entry after the last line of `tail` (as audit_read() gave it; no
 * data: there is none). STEK_ECONFLICT when the store has another by now.
 */
int stek__audit_append(struct stek_sync *sync, const struct stek_blob *tail,
		       const struct stek_entry_text *text) STEK_CHECKED;

/* audit_read.c: answers a command of kind STEK_COMMAND_AUDIT. */
int stek__audit_serve(struct stek_sync *sync, struct stek_command *command)
	STEK_CHECKED;

#endif

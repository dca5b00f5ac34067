/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * audit.h - the audit as the sync thread keeps it. Each store has a chain of
 * its own, and every entry goes to every store that answers: audit.c makes the
 * entries, which wait while no store does, audit_head.c ties them to a chain
 * and remembers its head, which outlives the store's copy, audit_spread.c
 * brings entries to the stores that missed them, audit_read.c reads and checks
 * for the application. What an entry says (request, outcome, JSON) is the same
 * in every chain and, for the id in its JSON, different from every other's: by
 * that the same entry is known.
 */
#ifndef STEK_AUDIT_H
#define STEK_AUDIT_H

#include <stdio.h>

#include "chain.h"

#define STEK_AUDIT_QUEUE 64
#define STEK_AUDIT_ID_MAX 32
#define STEK_PLACE_LEN 8

struct stek_sync;
struct stek_link;
struct stek_command;

struct stek_pending {
	char *request, *outcome, *json;
	unsigned lost;		/* entries before it: it says so */
};

struct stek_audit {
	struct stek_pending queue[STEK_AUDIT_QUEUE];
	size_t n;
	unsigned lost;		/* entries, that no entry tells of yet */
	unsigned made;		/* entries, by this process */
	bool spread;		/* some store may lack what another has */
};

void stek__audit_close(struct stek_sync *sync);
/* What no other entry has: of the node that makes it, its start and a count. */
void stek__audit_id(struct stek_sync *sync, char out[STEK_AUDIT_ID_MAX]);

/* How an entry begins: when, where, who, what; the caller closes it. */
void stek__audit_who(FILE *out, struct stek_sync *sync, const char *who,
		     const char *from, const char *action);

/* The entry of a finished change. */
void stek__audit_add(struct stek_sync *sync,
		     const struct stek_command *command);
/* The entry of what no command did: `text` is JSON members, from a comma on. */
void stek__audit_note(struct stek_sync *sync, const char *who,
		      const char *from, const char *action, const char *text);
/* The entry of a command of kind STEK_COMMAND_NOTE. */
void stek__audit_told(struct stek_sync *sync,
		      const struct stek_command *command);
void stek__audit_flush(struct stek_sync *sync);

/*
 * audit_head.c. At opening: the heads that were remembered on disk, each by
 * the place of its store, which is made of the store's URL.
 */
void stek__audit_open(struct stek_sync *sync);
int stek__audit_place(uint8_t out[STEK_PLACE_LEN], const char *url)
	STEK_CHECKED;
/* A heartbeat of ours or another node's there says how far the chain goes. */
void stek__audit_learn(struct stek_sync *sync, struct stek_link *link,
		       uint64_t seq, const uint8_t hash[STEK_DIGEST_LEN]);
/* The newest lines of a store; no data when it has none. */
int stek__audit_tail(struct stek_sync *sync, struct stek_link *link,
		     size_t limit, struct stek_blob *out) STEK_CHECKED;
/* The last of them, "" for none; freed with free(), NULL without memory. */
char *stek__audit_last(const struct stek_blob *tail);
/* True if a true entry among them says just this. */
bool stek__audit_has(struct stek_sync *sync, const struct stek_blob *tail,
		     const struct stek_entry_text *text);
/*
 * Appends one entry after `*last`, and puts the new line in its place.
 * STEK_ECONFLICT when the store has another by now.
 */
int stek__audit_append(struct stek_sync *sync, struct stek_link *link,
		       char **last, const struct stek_entry_text *text)
	STEK_CHECKED;

/* audit_spread.c: when two stores answer and it may be needed. */
void stek__audit_spread(struct stek_sync *sync);

/* audit_read.c: answers a command of kind STEK_COMMAND_AUDIT. */
int stek__audit_serve(struct stek_sync *sync, struct stek_command *command)
	STEK_CHECKED;

#endif

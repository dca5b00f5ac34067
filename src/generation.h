/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * generation.h - one reading of the configuration with the TLS contexts made
 * of it. A reload makes another one; connections hold the one that they began
 * with, and it goes when the last of them has ended.
 */
#ifndef STEKD_GENERATION_H
#define STEKD_GENERATION_H

#include <stdatomic.h>

#include "admin_auth.h"
#include "node.h"

struct tls_hosts;

struct generation {
	const struct settings *settings;
	struct tls_hosts *hosts;	/* tls.h: contexts by host */
	uint64_t number;		/* the first is 1 */
	/* SHA-256 of the admin token, where one is asked for. */
	uint8_t token[AUTH_DIGEST_LEN];

	/* generation.c's */
	struct settings *own;		/* to be freed with it, or NULL */
	struct node *node;
	struct generation *next;
	atomic_uint refs;
};

/*
 * Makes the contexts of all hosts; may take long, changes nothing. `own` is the
 * settings too, if they are to be freed with it, or NULL. 0, or -1 and why.
 */
int generation_new(struct generation **out, struct node *node,
		   const struct settings *settings, struct settings *own,
		   char *why, size_t why_len);

/* Never installed: frees it. NULL is legal. */
void generation_free(struct generation *generation);

/*
 * From now on generation_take() gives this one, and the node refuses the
 * certificates of its client_deny. 0; or -1 with `why` when that file cannot
 * be read any more: nothing has changed then. Any thread.
 */
int generation_install(struct node *node, struct generation *generation,
		       char *why, size_t why_len);

/* The present one, held for the caller; and one more hold. Any thread. */
struct generation *generation_take(struct node *node);
struct generation *generation_hold(struct generation *generation);

/* Ends a hold. What nobody holds any more waits for generation_reap(). */
void generation_release(struct generation *generation);

/* True while no later one was installed; of one that the caller holds. */
bool generation_is_present(const struct generation *generation);

/*
 * Frees what nobody holds: contexts by the thousand take their time, which is
 * the main thread's and no worker's. Returns how many were freed.
 */
size_t generation_reap(struct node *node);

/* Of the present one. */
uint64_t generation_number(struct node *node);

/* Those that are still in memory, the present one included. */
unsigned generation_count(const struct node *node);

/* At the end, when no connection is left: all of them. */
void generation_end(struct node *node);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker.h - one thread, one loop, and the connections that it owns.
 */
#ifndef STEKD_WORKER_H
#define STEKD_WORKER_H

#include "node.h"

/*
 * Binds all listeners of the node (SO_REUSEPORT: each worker its own socket),
 * in the calling thread, so that a failure is told before anything starts:
 * `why` names the address. 0 or -1.
 */
int worker_new(struct worker **out, struct node *node, unsigned index,
	       char *why, size_t why_len);

/* Starts the thread, on its processor if it is to have one. 0, or -1 and errno. */
int worker_start(struct worker *worker);

/* Any thread: stop accepting, let connections end, at most for the bound. */
void worker_drain(struct worker *worker);

void worker_join(struct worker *worker);
void worker_free(struct worker *worker);	/* after join, or never started */

/*
 * One thread, again and again: true if the worker's loop has turned since it
 * was asked before, and asks again.
 */
bool worker_turns(struct worker *worker);

const struct counters *worker_counters(const struct worker *worker);
uint64_t worker_connections(const struct worker *worker);	/* open now */

/* Any thread, before start: the n-th listener's bound address (port 0 solved). */
int worker_address(const struct worker *worker, size_t n,
		   struct settings_address *out);

#endif

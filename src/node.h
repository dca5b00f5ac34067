/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * node.h - one running node: what main (stekd.c), the workers and the admin
 * endpoint share. Built by stekd.c before any thread starts; read-only after,
 * but for the counters inside the workers.
 */
#ifndef STEKD_NODE_H
#define STEKD_NODE_H

#include <stdbool.h>

#include "counters.h"
#include "settings.h"

struct worker;
struct tls_hosts;
struct node_names;

struct node {
	const struct settings *settings;
	struct stek_farm *farm;
	struct tls_hosts *hosts;	/* tls.h: contexts by host */
	struct worker **workers;	/* worker.h; n_workers 0: key keeper */
	size_t n_workers;
	int64_t started_at_ms;		/* farm time */
	_Atomic bool draining;
	struct node_names *names;	/* node.c's; NULL at first */
	unsigned learn_wait, learn_gap;	/* the main thread's, in turns */
};

/* Sum over the workers. */
void node_counters(const struct node *node, struct counters *sum);

/* Completed handshakes of all workers. */
uint64_t node_handshakes(const struct node *node);

/* Name of a ticket's issuing node by its 4-byte id, "" if not known here. */
void node_issuer_name(const struct node *node, uint32_t id, char *buf,
		      size_t len);

/*
 * One turn of learning the farm's names from the store: asks only if a name
 * was missed since, and ever more rarely while that does not help; blocks for
 * at most a second. One thread, every second; a failure keeps what was known.
 * 0 or a negative enum stek_error.
 */
int node_learn_names(struct node *node);

/* After the workers and the admin endpoint ended. */
void node_forget_names(struct node *node);

#endif

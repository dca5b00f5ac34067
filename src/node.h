/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * node.h - one running node: what main (stekd.c), the workers and the admin
 * endpoint share. Built by stekd.c before any thread starts; read-only after,
 * but for the counters inside the workers and the present generation.
 */
#ifndef STEKD_NODE_H
#define STEKD_NODE_H

#include <stdbool.h>

#include "counters.h"
#include "refused.h"
#include "settings.h"

struct deny;
struct worker;
struct admin;
struct generation;
struct activation;
struct node_names;
struct quota;
struct sampler;
struct feed;

struct node {
	/*
	 * As started: what no reload changes, see reload.c. All the rest is
	 * read from a generation (generation.h), which is a connection's own.
	 */
	const struct settings *fixed;
	struct activation *activation;	/* systemd's sockets, or NULL */
	const char *config;		/* path; NULL: cannot reload */
	struct stek_farm *farm;
	_Atomic(struct generation *) present;	/* generation.c's */
	struct generation *unheld;
	_Atomic unsigned generations;
	_Atomic uint64_t reloads_good, reloads_failed;
	_Atomic int64_t reloaded_at_ms;	/* farm time; 0: never */
	struct deny *deny;		/* deny.h: certificates refused here */
	struct admin *admin;		/* admin.h; of the hosts that lead there */
	struct worker **workers;	/* worker.h; n_workers 0: key keeper */
	size_t n_workers;
	int64_t started_at_ms;		/* farm time */
	_Atomic bool draining;
	_Atomic unsigned trouble;	/* admin_note()'s; bits of enum trouble */
	struct refusals refused;	/* refused.h: by the admin endpoint */
	struct quota *quota;		/* quota.h; NULL only without workers */
	struct sampler *sampler;	/* sampler.h: the farm over time */
	struct feed *feed;		/* feed.h: for those who watch it */
	struct node_names *names;	/* node.c's; NULL at first */
	unsigned learn_wait, learn_gap;	/* the main thread's, in turns */
};

/* Sum over the workers. */
void node_counters(const struct node *node, struct counters *sum);

/* What the node tells of itself beside its counters. */
void node_facts(const struct node *node, struct counters_facts *out);

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

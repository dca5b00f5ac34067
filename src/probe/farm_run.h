/* SPDX-License-Identifier: GPL-2.0-or-later */
/* farm_run.h - one run of stekprobe farm, as its files share it. */
#ifndef PROBE_FARM_RUN_H
#define PROBE_FARM_RUN_H

#include "farm.h"

#define PURSE_MAX 16

/* Unspent tickets of one node; the newest last. */
struct purse {
	size_t n;
	SSL_SESSION *tickets[PURSE_MAX];
};

/* A ticket put aside in one round, to be offered in later ones. */
struct kept {
	SSL_SESSION *ticket;
	size_t node;
	enum tls_version version;
	unsigned round;
	int64_t at_us;
};

struct run {
	const struct farm_plan *plan;
	struct farm_result *out;
	SSL_CTX *ctx[TLS_VERSIONS];
	enum tls_version version;	/* that is measured now */
	struct conn *conn;
	int64_t begun_us;
	unsigned round;
	/* rounds.c: */
	size_t n_kept;
	struct kept *kept;
	unsigned stride;		/* only each so many-th round is kept */
	size_t n_before;		/* of the round before: */
	enum farm_state (*before)[TLS_VERSIONS];
	uint8_t (*before_key)[TLS_VERSIONS][KEY_NAME_LEN];	/* zero: none */
	/* balanced.c: */
	struct purse *purses;		/* by node */
	uint64_t random;
	bool told;			/* who has answered, not only inferred */
	bool named;			/* a node has told its name */
	bool keys_off;			/* key names tell nothing here */
};

/* farm.c: one whole connection, waiting for it; true if it did not fail. */
bool run_converse(struct run *run, const struct address *address,
		  SSL_SESSION *offer);

/*
 * What the page says about the node that answered, and its ticket. `told`: that
 * it was this node is known from the answer.
 */
void run_note(struct run *run, size_t node, bool told);

/* One node more, of zero cells; FARM_NO_CLASS: no memory, or too many. */
size_t run_add_node(struct run *run);

/* Takes the connection's tickets; what has no place is freed. */
void purse_fill(struct purse *purse, struct conn *conn);
void purse_empty(struct purse *purse);

/* direct.c, balanced.c: measures run->version; 0, or -1 without memory. */
int direct_measure(struct run *run);
int balanced_measure(struct run *run);

/* balanced.c: the node that has answered run->conn; `row` gave the ticket. */
size_t balanced_node(struct run *run, size_t row);

/* rounds.c: puts a copy aside for later rounds, one a node and version. */
void rounds_keep(struct run *run, size_t node, SSL_SESSION *ticket);

/* Offers the kept ones, and notes the round. 0, or -1 without memory. */
int rounds_end(struct run *run);
void rounds_clear(struct run *run);

#endif

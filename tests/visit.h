/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * visit.h - one connection of a client that tallies what it saw of it: what it
 * offered and whether it resumed, the tickets, the alerts each way, the bytes.
 */
#ifndef TESTS_VISIT_H
#define TESTS_VISIT_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "visit_count.h"

struct visit {
	unsigned node;
	int version;
	const char *name;		/* server name */
	SSL_CTX *ctx;
	SSL_SESSION *session;		/* to offer, or NULL; not used up */
	unsigned issuer;		/* the node that gave it */
	const char *outcome;		/* what the offer must come to, or: */
	const char *failure;		/* why there must be no handshake, */
	int alert;			/* and what the server says; -1: none */
	bool goodbye;			/* the client's first, and no request */
	void (*prepare)(SSL *ssl);	/* or NULL */
	/* Out: the newest ticket, the caller's; NULL: none came. */
	SSL_SESSION *ticket;
};

/* Ends the program when the client sees anything but what was to be. */
void visit(struct visit *visit);

/* Sends `bytes`, and ends the own direction if `last`. */
int visit_say(unsigned node, const void *bytes, size_t len, bool last);

/*
 * Reads what a server says in the clear until it ends: counts its alerts. How
 * many bytes of anything else.
 */
size_t visit_hear(unsigned node, int fd);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch.h - how a talk listens in on its own connection (talk.c only). */
#ifndef PROBE_WATCH_H
#define PROBE_WATCH_H

#include "talk.h"

struct watch {
	struct talk *talk;
	int64_t begun_us;
	bool must_verify;	/* a certificate that does not verify ends it */
	const char *name;	/* that a certificate should have */
	bool literal;		/* it is an address */
	int keylog;		/* descriptor, or -1 */
};

/* For the context; it may be the context of many connections. */
void watch_context(SSL_CTX *ctx, const struct offer *offer);

/* Call it once the socket is set; `watch` must outlive `ssl`. */
void watch_start(struct watch *watch, SSL *ssl);

/* Fills in what was negotiated. */
void watch_negotiated(struct talk *talk, SSL *ssl);

/* Fills in whether the CA of our certificate is among those asked for. */
void watch_ca_list(struct talk *talk, SSL *ssl);

/* Keeps the session if it brings a ticket; takes over the reference. */
void watch_keep(struct talk *talk, SSL_SESSION *session);

#endif

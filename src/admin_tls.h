/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_tls.h - who may ask over a host with `backend: admin`. A browser shows
 * its certificate to whatever page makes it ask, so what a request says about
 * where it comes from decides too (REQ-38). Pure but for the judgement.
 */
#ifndef STEKD_ADMIN_TLS_H
#define STEKD_ADMIN_TLS_H

#include "admin_peer.h"
#include "admin_route.h"

/* Headers of one request; NULL: not there. */
struct admin_site {
	const char *method;
	bool file;		/* the path is of the dashboard's files */
	const char *host, *origin, *fetch_site, *fetch_mode, *fetch_dest;
	const char *content_type, *request;	/* Idempotency-Key */
};

/* Fills `grant` in every case; false with a problem in `answer`. */
bool admin_tls_may_ask(struct node *node, const struct admin_peer *peer,
		       const struct admin_site *site,
		       struct admin_grant *grant, struct admin_answer *answer);

#endif

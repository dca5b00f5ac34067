/* SPDX-License-Identifier: GPL-2.0-or-later */
/* audit_private.h - what the files of the audit share (audit*.c only). */
#ifndef PROBE_AUDIT_PRIVATE_H
#define PROBE_AUDIT_PRIVATE_H

#include "audit.h"

/* ---- looking ---------------------------------------------------------------- */

struct audit {
	const struct audit_plan *plan;
	struct audit_seen *seen;
	struct offer offers[TLS_VERSIONS];	/* one version, no certificate */
	SSL_CTX *ctx[TLS_VERSIONS];
	SSL_CTX *auth_ctx[TLS_VERSIONS];	/* with it; or NULL */
	SSL_SESSION *kept[TLS_VERSIONS];	/* to be offered */
	SSL_SESSION *aside[TLS_VERSIONS];	/* for beyond its lifetime */
	char prints[TLS_VERSIONS][AUDIT_BASE][65];	/* of certificates */
	const char *name;	/* of the server as a client would call it */
	bool literal;
	FILE *err;
};

/* One connection, counted; `at` NULL: the plan's address. TRY_NONE: stopped. */
enum audit_try audit_try(struct audit *audit, struct talk *talk,
			 const struct offer *offer, SSL_CTX *ctx,
			 const struct address *at, SSL_SESSION *session,
			 bool request);

/*
 * A ticket of this version that the server should take: the kept one while it
 * is young and the server takes tickets twice, else a new one. The caller frees
 * it; NULL: none came.
 */
SSL_SESSION *audit_ticket(struct audit *audit, enum tls_version version);

/* One more full handshake, whose tickets count as those of `round`. */
enum audit_try audit_look(struct audit *audit, enum tls_version version,
			  unsigned round, struct talk *talk);

/* audit_form.c: one version's own ticket, in every form. */
void audit_form(struct audit *audit, enum tls_version version);

/* audit_other.c: other names and addresses; then the time. */
void audit_others(struct audit *audit, enum tls_version version);
void audit_watch(struct audit *audit);

/* ---- sessions --------------------------------------------------------------- */

/* A copy with one bit of the ticket changed; NULL if there is no such place. */
SSL_SESSION *audit_altered(const SSL_SESSION *session, enum audit_place place);

/* A copy that our library still offers at `age_s`; NULL if it cannot be. */
SSL_SESSION *audit_outlived(const SSL_SESSION *session, uint32_t age_s);

/* What of these is found in a ticket; lengths 0: not looked for. */
struct audit_marks {
	const uint8_t *secret;
	size_t secret_len;
	const uint8_t *certificate;
	size_t certificate_len;
	const char *name;		/* or NULL */
};
unsigned audit_reveals(const struct audit_marks *marks, const uint8_t *ticket,
		       size_t len);

/* The longest run of bytes that two tickets share at one place past the 64th. */
size_t audit_same_run(const uint8_t *a, size_t a_len, const uint8_t *b,
		      size_t b_len);

/* ---- judging ---------------------------------------------------------------- */

/* A finding in the making: what speaks for each outcome. */
struct draft {
	const struct audit_seen *seen;
	struct audit_finding *to;
	char text[3][512];		/* by outcome */
};

void draft_found(struct draft *draft, enum severity severity, const char *form,
		 ...) __attribute__((format(printf, 3, 4)));
void draft_fine(struct draft *draft, const char *form, ...)
	__attribute__((format(printf, 2, 3)));
void draft_open(struct draft *draft, const char *form, ...)
	__attribute__((format(printf, 2, 3)));

/* audit_judge_form.c: the later five. */
void audit_judge_unprotected(struct draft *draft);
void audit_judge_breaks(struct draft *draft);
void audit_judge_weak(struct draft *draft);
void audit_judge_early(struct draft *draft);
void audit_judge_size(struct draft *draft);

#endif

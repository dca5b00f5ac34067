/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls.h - OpenSSL as the probe uses it: contexts, errors by name, tickets. */
#ifndef PROBE_TLS_H
#define PROBE_TLS_H

#include <openssl/ssl.h>

#include "address.h"
#include "stats.h"

enum tls_version { TLS_V12, TLS_V13, TLS_VERSIONS };

const char *tls_version_name(enum tls_version version);

struct tls_options {
	const char *sni;	/* NULL: the host part of each address */
	const char *ca;		/* PEM file; NULL: certificates are not verified */
	bool send_proxy;	/* a PROXY v2 LOCAL header first */
	const char *groups;	/* in order, by colons; NULL: OpenSSL's */
	const char *suites;	/* so, of both versions; NULL: OpenSSL's */
};

/*
 * A context for exactly one version that keeps no sessions itself. `on_ticket`
 * gets each TLS 1.3 session (and owns it when it returns 1). NULL, with a line
 * on standard error, when the CA file cannot be read or a group is unknown.
 */
SSL_CTX *tls_context(enum tls_version version, const struct tls_options *options,
		     int (*on_ticket)(SSL *ssl, SSL_SESSION *session));

/* Sets a list of both versions' suites: what has TLS_ before it is of 1.3. */
bool tls_set_suites(SSL_CTX *ctx, const char *list);

/* True for a list of groups that OpenSSL knows, say "X25519:P-256". */
bool tls_groups_valid(const char *groups);

/* The same for suites. */
bool tls_suites_valid(const char *suites);

/* The group of the key exchange; "none" where there was none. */
const char *tls_group_name(SSL *ssl);

/* A client connection object with server name and name check set up. */
SSL *tls_new(SSL_CTX *ctx, const struct tls_options *options,
	     const struct address *address);

/*
 * Names what went wrong after a call returned `ret`: alert_X for an alert that
 * came, certificate, reset, closed, or tls_X for our own refusal.
 */
void tls_failure(const SSL *ssl, int ret, int saved_errno,
		 char out[REASON_LEN]);

/* The ticket's first 16 bytes. False if there is no ticket that long. */
bool tls_ticket_name(const SSL_SESSION *session, uint8_t out[KEY_NAME_LEN]);

/* What the server said: how long the client may keep the ticket. */
uint32_t tls_lifetime_s(const SSL_SESSION *session);

bool tls_same_ticket(const SSL_SESSION *a, const SSL_SESSION *b);

/* A number that a session carries on, copies too; 0: none was set. */
void tls_session_set_era(SSL_SESSION *session, unsigned era);
unsigned tls_session_era(const SSL_SESSION *session);

/* True if the client may still offer this session at `now_s`. */
bool tls_session_fresh(const SSL_SESSION *session, long now_s);

#endif

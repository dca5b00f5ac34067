/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * offer.h - offers a real ticket in a ClientHello written by hand: extensions
 * in any order, under any server name and session id, with an honest binder.
 * What the server makes of it shows in its first flight. And whole handshakes
 * with OpenSSL, to get tickets and to ask the page. Whatever fails otherwise
 * ends the program.
 */
#ifndef TESTS_OFFER_H
#define TESTS_OFFER_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OFFER_ID_LEN 32

enum offer_answer { OFFER_FULL, OFFER_RESUMED, OFFER_REFUSED, OFFER_ANSWERS };

struct offer {
	int port;
	const char *name;		/* server name */
	const SSL_SESSION *session;	/* of either version; NULL: none */
	const SSL_SESSION *second;	/* TLS 1.3: one more identity, honest */
	bool no_ticket;			/* TLS 1.2: the session id alone */
	const uint8_t *id;		/* legacy_session_id; NULL: random */
	int version;			/* without a session */
	bool psk_ke;			/* no psk_dhe_ke: without a key exchange */
	unsigned order;			/* of the extensions */
};

/*
 * Sends the hello and waits for the answer. RESUMED: of TLS 1.3 when a
 * pre_shared_key was selected (*selected says which), of TLS 1.2 when the
 * server goes on without a certificate.
 */
enum offer_answer offer(const struct offer *what, unsigned *selected);

/* The DER of everything that the client sends first; for replays. */
struct offer_trace {
	uint8_t bytes[65536];
	size_t len;
	uint8_t id[OFFER_ID_LEN];	/* that went over the wire */
	size_t id_len;
};

struct offer_client {
	int port, version;
	const char *name;
	SSL_CTX *ctx;			/* of offer_context() */
	SSL_SESSION *session;		/* to resume; or NULL */
	SSL_SESSION *second;		/* TLS 1.3: a second identity */
};

/* A context for one client; cert and key may be NULL. */
SSL_CTX *offer_context(const char *ca, const char *cert, const char *key);

/*
 * A handshake and the page's JSON, in a static buffer; NULL when it was
 * refused. `ticket` gets the newest session, `trace` what the client sent;
 * both may be NULL.
 */
const char *offer_page(const struct offer_client *client, SSL_SESSION **ticket,
		       struct offer_trace *trace);

/* Sends these bytes and reads to the end; how many application data came. */
size_t offer_replay(int port, const struct offer_trace *trace);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memhs.h - whole TLS handshakes in memory: a wolfSSL server under test and an
 * OpenSSL client as the judge, joined by two byte queues. A client's session is
 * handled as OpenSSL's DER, so that a test may put any ticket into it; the
 * client then computes honest binders over the altered ticket.
 */
#ifndef MEMHS_H
#define MEMHS_H

#include <stek_wolfssl.h>

#define MEMHS_TLS12 0x0303
#define MEMHS_TLS13 0x0304
#define MEMHS_TICKETS_MAX 8
#define MEMHS_SESSION_MAX 20000

/* A client's session, with its ticket, as i2d_SSL_SESSION() writes it. */
struct memhs_session {
	int64_t age_s;		/* when it is offered, however long that took */
	size_t len;
	uint8_t der[MEMHS_SESSION_MAX];
};

/* What the client does. Zero is a plain full handshake of either version. */
struct memhs_client {
	int version;			/* 0: TLS 1.2 or 1.3 */
	const struct memhs_session *session;
	bool no_ems;
	bool no_ticket;			/* TLS 1.2: resumes by session id only */
	/*
	 * A second PSK identity behind the session's, with a binder under a
	 * key that nobody knows: what an attacker saw on the wire.
	 */
	const uint8_t *stolen;
	size_t stolen_len;
	const char *stolen_suite;	/* OpenSSL's name */
	const char *groups;		/* OpenSSL's list; a first one that the
					   server lacks makes it say retry */
	const char *ciphers;		/* TLS 1.2 */
	const char *suites;		/* TLS 1.3 */
};

struct memhs_result {
	bool done;			/* both sides finished, data went through */
	bool resumed;			/* the client says so */
	bool server_resumed;
	int version;
	int server_error;		/* wolfSSL's, when not done */
	size_t sent, writes;		/* the server's bytes, in how many */
	struct stek_session record;	/* settled */
	size_t n_sessions;		/* tickets that the client received */
	struct memhs_session sessions[MEMHS_TICKETS_MAX];
};

/* A server context with a fresh P-256 certificate, any TLS 1.2 and 1.3. */
struct WOLFSSL_CTX *memhs_server_ctx(void);

/*
 * One handshake, a byte each way. `with_record` gives the connection a
 * struct stek_session; `identity` (may be NULL) is what it is to seal. *out is
 * large: keep it off the stack.
 */
void memhs_run(struct WOLFSSL_CTX *server, const struct memhs_client *client,
	       bool with_record, const struct stek_identity *identity,
	       struct memhs_result *out);

/* The ticket within a session; NULL when there is none. */
const uint8_t *memhs_ticket(const struct memhs_session *session, size_t *len);

/* Copies `in` with another ticket; len 0 leaves none. */
void memhs_set_ticket(struct memhs_session *out, const struct memhs_session *in,
		      const uint8_t *ticket, size_t len);

/* Makes the client believe that it got the ticket `seconds` earlier. */
void memhs_age(struct memhs_session *session, int64_t seconds);

/* Another master secret: the binder then does not fit the ticket. */
void memhs_spoil_secret(struct memhs_session *session);

/* ticket_age_add of a TLS 1.3 session. */
uint32_t memhs_age_add(const struct memhs_session *session);

/* ticket_lifetime_hint, s. */
unsigned long memhs_lifetime_hint(const struct memhs_session *session);

/* True if the session is offered with early data allowed. */
bool memhs_early_data(const struct memhs_session *session);

#endif

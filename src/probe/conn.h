/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conn.h - one connection of the probe: TCP connect, handshake, one HTTP
 * request, the answer until the server closes. Never blocks: load.c drives many
 * by epoll, farm.c one by poll. Deadlines go by the time that is passed in; only
 * the handshake's duration is measured here.
 */
#ifndef PROBE_CONN_H
#define PROBE_CONN_H

#include "page.h"
#include "tls.h"

#define CONN_TICKETS_MAX 8
#define CONN_REPLY_MAX 8192
#define CONN_DEADLINE_US 10000000	/* for the whole connection */
#define CONN_CLOSE_US 1000000	/* for closing after a complete answer */

enum conn_want { CONN_READ, CONN_WRITE, CONN_DONE };

enum conn_stage {
	CONN_IDLE,
	CONN_CONNECTING,
	CONN_HANDSHAKE,
	CONN_REQUEST,
	CONN_REPLY,
	CONN_ENDED,
};

struct conn {
	enum conn_stage stage;
	enum tls_version version;
	int fd;
	SSL *ssl;
	SSL_SESSION *offered;		/* the session offered; NULL: none */
	const struct tls_options *options;
	const struct address *address;
	int64_t deadline_us;
	int64_t hello_us;		/* first ClientHello written */
	uint32_t handshake_us;		/* 0: not completed */
	bool reached;			/* TCP was connected */
	bool resumed;
	struct page page;
	size_t n_tickets;
	SSL_SESSION *tickets[CONN_TICKETS_MAX];	/* received; oldest first */
	char failure[REASON_LEN];	/* "" when all went well */
	size_t reply_len, reply_total;
	char reply[CONN_REPLY_MAX];
};

/* For tls_context(): files a TLS 1.3 ticket with its connection. */
int conn_on_ticket(SSL *ssl, SSL_SESSION *session);

/*
 * Starts a connection; `offer` (NULL: none) is the session to resume, whose
 * reference the connection takes over. Then conn_step() as if the descriptor
 * were ready.
 */
void conn_start(struct conn *conn, SSL_CTX *ctx, enum tls_version version,
		const struct tls_options *options,
		const struct address *address, SSL_SESSION *offer,
		int64_t now_us);

/*
 * Goes on as far as it can. CONN_DONE: finished, `failure` says how. Also to be
 * called once the deadline has passed, which ends the connection.
 */
enum conn_want conn_step(struct conn *conn, int64_t now_us);

/* Closes and frees; tickets that the caller has not taken (NULLed) too. */
void conn_end(struct conn *conn);

/* Microseconds of a clock that only goes forward. */
int64_t conn_now_us(void);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tls_private.h - one connection's TLS, as the tls*.c files share it: tls.c
 * (its life), tls_wire.c (records), tls_ask.c (certificates after the
 * handshake), tls_fail.c (how it is lost), tls_facts.c (what was agreed).
 */
#ifndef STEKD_TLS_PRIVATE_H
#define STEKD_TLS_PRIVATE_H

#include "tls_client.h"

#include <stek_wolfssl.h>

/* How far the client's records and messages have been read in the clear. */
struct tls_peek {
	uint8_t record[5], message[4];
	uint8_t record_have, message_have;	/* bytes of these */
	bool over;
	size_t record_left, message_left, kept;
	uint8_t body[1 + 133];	/* the greatest ClientKeyExchange */
};

/* What the callbacks that read records refuse by themselves. Static. */
struct tls_verdict {
	enum failure failure;
	uint8_t alert;
	const char *why;
};

struct tls {
	WOLFSSL *ssl;
	const struct tls_host *own;
	struct tls_wire *wire;
	bool awaits_hello;	/* a HelloRetryRequest went out last */
	bool hello_sent;	/* a real ServerHello went out */
	bool ciphers_on;	/* our records are encrypted from here on */
	bool done;		/* the handshake */
	/* Of TLS 1.3, due when the handshake has ended; see send_tickets(). */
	unsigned tickets_at_full, tickets_at_resumption;
	struct stek_session *session;
	struct tls_client_view client;
	enum stek_outcome unseen;	/* if the callback is not asked */
	/* tls_wire.c: where in a record of the client's the library reads. */
	uint8_t header[5];
	size_t header_len, body_left;
	unsigned idle_records;	/* since the last application data */
	uint32_t records_max;	/* under one key; 0: no limit of ours */
	uint32_t sent, received;	/* records since we changed keys */
	bool asks;		/* the host asks, and this client can be asked */
	bool demands;		/* and no certificate is no answer */
	bool asks_again;	/* and will be asked later */
	struct buf kept;	/* plaintext that came before the answer */
	bool no_memory;		/* the send callback found none */
	int error;		/* wolfSSL's code of the first failure */
	const char *why;
	enum failure failure;
	uint8_t alert;		/* that we put in the library's place */
	uint8_t heard;		/* an alert that the library would not read */
	int last_heard;		/* the last that it did read; NO_ALERT: none */
	int sending;		/* an alert that it is about to send, or NO_ALERT */
	unsigned issued, blank;	/* tickets that were counted */
	bool swallowed;		/* one of its own that must not go out */
	const struct tls_verdict *verdict;	/* the wire's own; NULL: none */
	struct tls_peek peek;
	bool lacks_scheme;	/* the client verifies no signature of ours */
};

/* Notes why, and corrects the alert in `out` where it still can. TLS_FAILED. */
enum tls_result tls__fail(struct tls *tls, int error);

/*
 * Counts what the library has heard since it was asked last. It says only what
 * came last: a warning that is repeated counts once.
 */
void tls__hear(struct tls *tls);
void tls__count_heard(const struct tls *tls, int alert);
void tls__count_sent(const struct tls_wire *wire, int alert);

/* Has every alert that the library sends noted in `sending`. */
void tls__watch_alerts(WOLFSSL *ssl);

/* What wolfSSL_read() has returned. */
enum tls_result tls__read_result(struct tls *tls, int got);

/* False when a ClientKeyExchange ends in these bytes whose point is none. */
bool tls__peek(struct tls_peek *peek, const uint8_t *bytes, size_t len);

/*
 * The library takes any number of KeyUpdates and empty records in a row, each
 * for a key derivation (REQ-10).
 */
#define TLS_IDLE_RECORDS_MAX 32

/* The bits of a list of groups; 0 when one of them has none. */
unsigned tls__groups(const char *list);

/* A shared group for which the hello has no share, as a number of wolfSSL's; 0
 * when there is none. */
int tls__group_without_share(const struct tls_hosts *hosts,
			     const struct gate_hello *hello);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * raw13.h - a TLS 1.3 client that says after its handshake whatever a test
 * wants. OpenSSL shakes hands over memory BIOs; from then on the test writes
 * and reads single records under the keys that it saw, which no TLS library
 * would let it. And certificates for clients, by a CA of their own.
 */
#ifndef RAW13_H
#define RAW13_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ssl_st;
struct ssl_session_st;

enum {
	RAW13_ALERT = 21,
	RAW13_HANDSHAKE = 22,
	RAW13_DATA = 23,
	RAW13_CLIENT_HELLO = 1,
	RAW13_TICKET = 4,
	RAW13_CERTIFICATE = 11,
	RAW13_REQUEST = 13,
	RAW13_VERIFY = 15,
	RAW13_FINISHED = 20,
	RAW13_KEY_UPDATE = 24,
	RAW13_RECORD_MAX = 16384 + 256,
	RAW13_ANSWER_MAX = 8192,
};

/* Who a client may be. */
enum raw13_who {
	RAW13_NOBODY,		/* an empty Certificate: declines */
	RAW13_ALICE,		/* P-256 */
	RAW13_BOB,		/* P-256 */
	RAW13_RSA,		/* RSA-2048 */
	RAW13_STRANGER,		/* P-256, of a CA that nobody trusts */
	RAW13_EXPIRED,		/* P-256 */
	RAW13_WHO
};

/* The DER of one's certificate, or with RAW13_NOBODY that of the CA. */
const uint8_t *raw13_certificate(enum raw13_who who, size_t *len);

/* The DER of one's key. */
const uint8_t *raw13_key(enum raw13_who who, size_t *len);

/* SHA-256 of one's certificate, hexadecimal, in a static buffer. */
const char *raw13_fingerprint(enum raw13_who who);

/* Writes the CA's certificate as PEM. */
void raw13_write_ca(const char *path);

/* Makes an ordinary client of OpenSSL answer as `who`, whenever asked. */
void raw13_be(struct ssl_st *ssl, enum raw13_who who);

/*
 * An ordinary client of OpenSSL over memory BIOs, which offers
 * post_handshake_auth. `session` (may be NULL) is resumed.
 */
struct ssl_st *raw13_client(struct ssl_session_st *session);
void raw13_client_free(struct ssl_st *ssl);
struct ssl_session_st *raw13_session(struct ssl_st *ssl);
void raw13_session_free(struct ssl_session_st *session);
bool raw13_resumed(const struct ssl_st *ssl);

/* 1 done, 0 wants more bytes, -1 failed. */
int raw13_connect(struct ssl_st *ssl);
int raw13_read(struct ssl_st *ssl, void *buf, size_t len, size_t *n);
bool raw13_write(struct ssl_st *ssl, const void *buf, size_t len);

/* Moves ciphertext: how much, or not above 0 for none. */
int raw13_take(struct ssl_st *ssl, void *buf, int len);
int raw13_give(struct ssl_st *ssl, const void *buf, int len);

struct raw13;

/*
 * Before the handshake. The connection is then of TLS 1.3 with
 * TLS_AES_128_GCM_SHA256, and offers post_handshake_auth. Outlives `ssl`.
 */
struct raw13 *raw13_new(struct ssl_st *ssl);

/* Right after the handshake, before anything else was read or written. */
void raw13_take_over(struct raw13 *raw);

/*
 * The same, but the client's last flight is thrown away: the test writes its
 * own, made by raw13_answer() without a request.
 */
void raw13_take_over_flight(struct raw13 *raw);
void raw13_free(struct raw13 *raw);

/* One record to the server. */
void raw13_put(struct raw13 *raw, uint8_t type, const void *bytes, size_t len);

/* The same bytes with their header, as a record that is in the clear. */
void raw13_put_plain(struct raw13 *raw, uint8_t type, const void *bytes,
		     size_t len);

/* A KeyUpdate; the keys that it speaks of are changed with it. */
void raw13_put_update(struct raw13 *raw, bool wants_answer);

/*
 * The next whole record from the server; false when none is there. `buf` has
 * RAW13_RECORD_MAX bytes. A KeyUpdate is followed by new keys of itself.
 */
bool raw13_next(struct raw13 *raw, uint8_t *type, uint8_t *buf, size_t *len);

struct raw13_answer {
	enum raw13_who who;
	enum raw13_who signer;	/* RAW13_NOBODY: `who` */
	bool no_certificate, no_verify, no_finished;
	bool spoil_context, spoil_verify, spoil_finished;
};

/*
 * The messages that answer the CertificateRequest `request` (with its header),
 * one behind the other; how many bytes in `out`, of RAW13_ANSWER_MAX. Without
 * one (NULL) those of the client's last flight in the handshake.
 */
size_t raw13_answer(struct raw13 *raw, const uint8_t *request, size_t len,
		    const struct raw13_answer *how, uint8_t *out);

#endif

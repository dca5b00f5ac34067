/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * postauth.h - what the tests of post-handshake authentication share: a wolfSSL
 * server and a client of raw13.h in one process.
 */
#ifndef TESTS_POSTAUTH_H
#define TESTS_POSTAUTH_H

#include <wolfssl/options.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>

#include "memnode.h"
#include "raw13.h"

#define REQUESTS_MAX 3
#define OPTIONAL (WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_POST_HANDSHAKE)
#define REQUIRED (OPTIONAL | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT)

static struct memnode *node;
static WOLFSSL *server;
static struct ssl_st *client;
static struct raw13 *raw;
static struct ssl_session_st *session;	/* of the first connection */
static struct stek_session record;

/* What the raw client has read: the requests, and an alert. */
static uint8_t requests[REQUESTS_MAX][1024];
static size_t request_lens[REQUESTS_MAX];
static size_t n_requests;
static uint8_t alert;
static uint8_t answer[RAW13_ANSWER_MAX];

static inline int server_send(WOLFSSL *ssl, char *buf, int len, void *user)
{
	(void)ssl;
	(void)user;
	return raw13_give(client, buf, len);
}

static inline int server_recv(WOLFSSL *ssl, char *buf, int len, void *user)
{
	int n = raw13_take(client, buf, len);

	(void)ssl;
	(void)user;
	return n > 0 ? n : WOLFSSL_CBIO_ERR_WANT_READ;
}

static inline void set_up(void)
{
	struct stek_ring *ring = memnode_ring_default();
	size_t len;
	const uint8_t *ca = raw13_certificate(RAW13_NOBODY, &len);

	node = memnode_new("A", ring, NULL);
	stek__ring_unref(ring);
	ck_assert_int_eq(wolfSSL_CTX_load_verify_buffer(node->ctx, ca,
							(long)len,
							WOLFSSL_FILETYPE_ASN1),
			 WOLFSSL_SUCCESS);
}

static inline void hang_up(void)
{
	wolfSSL_free(server);
	server = NULL;
	if (client)
		raw13_client_free(client);
	client = NULL;
	raw13_free(raw);
	raw = NULL;
}

static inline void tear_down(void)
{
	hang_up();
	raw13_session_free(session);
	session = NULL;
	memnode_free(node);
}

/* Reads what waits; 0 when all is taken, else the library's error. */
static inline int serve(void)
{
	char buf[256];
	int n;

	while ((n = wolfSSL_read(server, buf, sizeof(buf))) > 0)
		;
	n = wolfSSL_get_error(server, n);
	return n == WOLFSSL_ERROR_WANT_READ ? 0 : n;
}

static inline void open_server(int mode)
{
	memset(&record, 0, sizeof(record));
	server = wolfSSL_new(node->ctx);
	ck_assert_ptr_nonnull(server);
	wolfSSL_SSLSetIORecv(server, server_recv);
	wolfSSL_SSLSetIOSend(server, server_send);
	wolfSSL_set_verify(server, mode, NULL);
	ck_assert_int_eq(stek_wolfssl_session(server, &record), 0);
}

/* With `by_hand` the test has the client from the end of its handshake on. */
static inline void open_both(int mode, bool by_hand)
{
	int i;

	open_server(mode);
	client = raw13_client(session);
	raw = by_hand ? raw13_new(client) : NULL;
	for (i = 0; i < 4 && raw13_connect(client) != 1; i++)
		(void)wolfSSL_accept(server);
	if (raw)
		raw13_take_over(raw);
	ck_assert_int_eq(wolfSSL_accept(server), WOLFSSL_SUCCESS);
	n_requests = 0;
	alert = 0;
}

/* One full connection, whose ticket the next one resumes with. */
static inline void keep_session(void)
{
	char data;
	size_t n;

	open_both(WOLFSSL_VERIFY_NONE, false);
	ck_assert_int_eq(wolfSSL_write(server, "x", 1), 1);
	ck_assert_int_eq(raw13_read(client, &data, 1, &n), 1);
	session = raw13_session(client);
	hang_up();
}

static inline void ask(void)
{
	ck_assert_int_eq(wolfSSL_request_certificate(server), WOLFSSL_SUCCESS);
}

/* Is what the library holds as the client's certificate this one's? */
static inline bool is(enum raw13_who who)
{
	WOLFSSL_X509 *cert = wolfSSL_get_peer_certificate(server);
	size_t len;
	const uint8_t *expected = raw13_certificate(who, &len);
	int have = 0;
	const unsigned char *der = cert ? wolfSSL_X509_get_der(cert, &have) :
		NULL;
	bool same = der && (size_t)have == len && !memcmp(der, expected, len);

	wolfSSL_X509_free(cert);
	return same;
}

/* OpenSSL reads requests, and answers them, within SSL_read(). */
static inline void client_turn(void)
{
	char data;
	size_t n;

	ck_assert_int_eq(raw13_read(client, &data, 1, &n), 0);
}

/* Reads all records at the raw client; notes requests and alerts. */
static inline void raw_turn(void)
{
	static uint8_t buf[RAW13_RECORD_MAX];
	uint8_t type;
	size_t len;

	while (raw13_next(raw, &type, buf, &len)) {
		if (type == RAW13_ALERT)
			alert = buf[1];
		if (type != RAW13_HANDSHAKE || buf[0] != RAW13_REQUEST)
			continue;
		ck_assert_uint_lt(n_requests, REQUESTS_MAX);
		ck_assert_uint_le(len, sizeof(requests[0]));
		memcpy(requests[n_requests], buf, len);
		request_lens[n_requests++] = len;
	}
}

/* Answers request `i`; the library's error, 0: none. */
static inline int reply(size_t i, const struct raw13_answer *how)
{
	size_t len = raw13_answer(raw, requests[i], request_lens[i], how,
				  answer);
	int error;

	raw13_put(raw, RAW13_HANDSHAKE, answer, len);
	error = serve();
	raw_turn();
	return error;
}

#endif

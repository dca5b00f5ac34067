/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * raw13_client.c - the ordinary client of raw13.h: OpenSSL over memory BIOs,
 * hidden from tests that see wolfSSL's headers.
 */
#include "raw13.h"

#include <stdlib.h>
#include <time.h>

#include <openssl/ssl.h>

static void must(bool ok)
{
	if (!ok)
		abort();
}

SSL *raw13_client(SSL_SESSION *session)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	SSL *ssl;

	must(ctx && in && out);
	SSL_CTX_set_post_handshake_auth(ctx, 1);
	ssl = SSL_new(ctx);
	SSL_CTX_free(ctx);
	must(ssl != NULL);
	BIO_set_mem_eof_return(in, -1);
	BIO_set_mem_eof_return(out, -1);
	SSL_set_bio(ssl, in, out);
	if (session) {
		/* As young as it was: the nodes' clocks stand still. */
		SSL_SESSION_set_time(session, (long)time(NULL));
		must(SSL_set_session(ssl, session));
	}
	return ssl;
}

void raw13_client_free(SSL *ssl)
{
	/* Or SSL_free() would declare the tickets unusable. */
	SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(ssl);
}

SSL_SESSION *raw13_session(SSL *ssl)
{
	return SSL_get1_session(ssl);
}

void raw13_session_free(SSL_SESSION *session)
{
	SSL_SESSION_free(session);
}

bool raw13_resumed(const SSL *ssl)
{
	return SSL_session_reused(ssl) == 1;
}

int raw13_connect(SSL *ssl)
{
	int ret = SSL_connect(ssl);

	if (ret == 1)
		return 1;
	return SSL_get_error(ssl, ret) == SSL_ERROR_WANT_READ ? 0 : -1;
}

int raw13_read(SSL *ssl, void *buf, size_t len, size_t *n)
{
	if (SSL_read_ex(ssl, buf, len, n) == 1)
		return 1;
	return SSL_get_error(ssl, 0) == SSL_ERROR_WANT_READ ? 0 : -1;
}

bool raw13_write(SSL *ssl, const void *buf, size_t len)
{
	return SSL_write(ssl, buf, (int)len) == (int)len;
}

int raw13_take(SSL *ssl, void *buf, int len)
{
	return BIO_read(SSL_get_wbio(ssl), buf, len);
}

int raw13_give(SSL *ssl, const void *buf, int len)
{
	return BIO_write(SSL_get_rbio(ssl), buf, len);
}

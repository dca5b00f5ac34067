/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memhs.c - runs the handshakes of memhs.h: owns the wolfSSL server and moves
 * bytes between it and the OpenSSL client of memhs_peer.c. Any failure of the
 * set-up itself aborts: only the handshake may fail.
 */
#include <wolfssl/options.h>

#include <stdlib.h>
#include <string.h>

#include <wolfssl/ssl.h>

#include "memhs.h"
#include "memhs_peer.h"

#define ROUNDS_MAX 20

struct wire {
	WOLFSSL *server;
	struct memhs_peer *client;
	struct memhs_result *out;
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

static int server_send(WOLFSSL *ssl, char *buf, int len, void *user)
{
	struct wire *wire = user;

	(void)ssl;
	wire->out->sent += (size_t)len;
	wire->out->writes++;
	return memhs_peer_give(wire->client, buf, len);
}

static int server_recv(WOLFSSL *ssl, char *buf, int len, void *user)
{
	struct wire *wire = user;
	int n = memhs_peer_take(wire->client, buf, len);

	(void)ssl;
	return n > 0 ? n : WOLFSSL_CBIO_ERR_WANT_READ;
}

WOLFSSL_CTX *memhs_server_ctx(void)
{
	WOLFSSL_CTX *ctx = wolfSSL_CTX_new(wolfSSLv23_server_method());
	struct memhs_pair pair;

	memhs_peer_certificate(&pair);
	must(ctx != NULL);
	must(wolfSSL_CTX_use_certificate_buffer(ctx, pair.cert, pair.cert_len,
						WOLFSSL_FILETYPE_ASN1) ==
	     WOLFSSL_SUCCESS);
	must(wolfSSL_CTX_use_PrivateKey_buffer(ctx, pair.key, pair.key_len,
					       WOLFSSL_FILETYPE_ASN1) ==
	     WOLFSSL_SUCCESS);
	wolfSSL_CTX_SetIOSend(ctx, server_send);
	wolfSSL_CTX_SetIORecv(ctx, server_recv);
	return ctx;
}

static bool server_waits(struct wire *wire, int ret)
{
	int error = wolfSSL_get_error(wire->server, ret);

	if (error == WOLFSSL_ERROR_WANT_READ)
		return true;
	wire->out->server_error = error;
	return false;
}

/* True once both have finished and a byte has gone each way. */
static bool shake_hands(struct wire *wire)
{
	int connected = 0, accepted = 0;
	char data = 0;

	for (int i = 0; i < ROUNDS_MAX; i++) {
		if (connected != 1)
			connected = memhs_peer_connect(wire->client);
		if (accepted != WOLFSSL_SUCCESS)
			accepted = wolfSSL_accept(wire->server);
		if (accepted != WOLFSSL_SUCCESS &&
		    !server_waits(wire, accepted))
			return false;
		if (connected < 0)
			return false;
		if (connected == 1 && accepted == WOLFSSL_SUCCESS)
			break;
	}
	if (connected != 1 || accepted != WOLFSSL_SUCCESS)
		return false;
	return wolfSSL_write(wire->server, "s", 1) == 1 &&
	       memhs_peer_read(wire->client, &data) && data == 's' &&
	       memhs_peer_write(wire->client, 'c') &&
	       wolfSSL_read(wire->server, &data, 1) == 1 && data == 'c';
}

void memhs_run(WOLFSSL_CTX *server, const struct memhs_client *client,
	       bool with_record, const struct stek_identity *identity,
	       struct memhs_result *out)
{
	struct wire wire = { .out = out };

	memset(out, 0, sizeof(*out));
	if (identity)
		out->record.identity = *identity;
	wire.client = memhs_peer_new(client, out);
	wire.server = wolfSSL_new(server);
	must(wire.server != NULL);
	wolfSSL_SetIOReadCtx(wire.server, &wire);
	wolfSSL_SetIOWriteCtx(wire.server, &wire);
	if (with_record)
		must(!stek_wolfssl_session(wire.server, &out->record));
	out->done = shake_hands(&wire);
	memhs_peer_collect(wire.client);
	stek_wolfssl_settle(wire.server);
	out->resumed = out->done && memhs_peer_reused(wire.client);
	out->server_resumed = out->done && wolfSSL_session_reused(wire.server);
	out->version = memhs_peer_version(wire.client);
	wolfSSL_free(wire.server);
	memhs_peer_free(wire.client);
}

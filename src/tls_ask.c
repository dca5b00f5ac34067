/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tls_ask.c - certificates asked for after the handshake (RFC 8446 s4.6.2), for
 * conn_tls.c. The handshake itself asks nobody. The library is patched for it
 * (deploy/wolfssl): what a client proves then is bound to this request alone.
 */
#include "tls_private.h"

#include <string.h>

bool tls_can_ask(const struct tls_hosts *hosts,
		 const struct gate_hello *hello)
{
	return hosts->settings->tls13 && hello->offers_tls13 &&
		hello->has_post_handshake_auth;
}

enum tls_result tls_ask(struct tls *tls)
{
	int ret;

	if (!tls->asks)
		return TLS_OK;
	/* REQ-11: what a ticket may have brought is no answer. */
	memset(&tls->session->identity, 0, sizeof(tls->session->identity));
	tls_client_ask(&tls->client, tls->ssl, tls->demands);
	ret = wolfSSL_request_certificate(tls->ssl);
	if (ret != WOLFSSL_SUCCESS)
		return tls__fail(tls, ret);
	return TLS_AGAIN;
}

/* More than a client sends before it has read our request. */
static enum tls_result refuse_more(struct tls *tls)
{
	tls->failure = FAIL_TOO_BIG;
	tls->why = "too much data before the certificate";
	tls_close_notify(tls);
	return TLS_FAILED;
}

static enum tls_result answered(struct tls *tls)
{
	tls->asks = false;
	tls->idle_records = 0;
	if (!tls->asks_again || !tls->session->identity.status)
		wolfSSL_FreeArrays(tls->ssl);
	return TLS_OK;
}

int tls_ask_again(struct tls *tls)
{
	if (!tls->asks_again || !tls->session->identity.status)
		return -1;
	tls->client.again = true;
	tls_client_ask(&tls->client, tls->ssl, true);
	return wolfSSL_request_certificate(tls->ssl) == WOLFSSL_SUCCESS ?
		0 : -1;
}

bool tls_awaits_answer(const struct tls *tls)
{
	return wolfSSL_certificate_requests(tls->ssl) > 0;
}

enum tls_result tls_answer(struct tls *tls, void *buf, size_t len)
{
	enum tls_result result;
	int got;

	do {
		got = wolfSSL_read(tls->ssl, buf, (int)len);
		result = tls__read_result(tls, got);
		if (result == TLS_OK) {
			if (tls->kept.len + (size_t)got > TLS_KEPT_MAX)
				return refuse_more(tls);
			if (buf_append(&tls->kept, buf, (size_t)got) < 0)
				return tls__fail(tls, MEMORY_E);
		}
		if (result == TLS_FAILED)
			return result;
		if (wolfSSL_certificate_requests(tls->ssl) == 0)
			return answered(tls);
	} while (result == TLS_OK);
	/* It will never answer. */
	return result == TLS_CLOSED ? tls__fail(tls, ZERO_RETURN) : result;
}

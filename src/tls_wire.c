/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tls_wire.c - how wolfSSL reads and writes a connection's records: from the
 * bytes that conn.c has read, into the buffer that it will send. tls_hosts.c
 * sets these callbacks on every context.
 */
#include "tls_private.h"

#include <string.h>

/* RFC 8446 s4.1.3: a ServerHello with this random asks for another hello. */
static const uint8_t retry_random[32] = {
	0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11,
	0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91,
	0xC2, 0xA2, 0x11, 0x16, 0x7A, 0xBB, 0x8C, 0x5E,
	0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C,
};

enum {
	RECORD_HEADER = 5,
	PLAIN_ALERT = RECORD_HEADER + 2,
	LEVEL_FATAL = 2,
	RECORD_CHANGE_CIPHER = 20,
	RECORD_ALERT = 21,
	RECORD_HANDSHAKE = 22,
	MESSAGE_SERVER_HELLO = 2,
	RANDOM_AT = RECORD_HEADER + 4 + 2,
	SUITE_BYTES_AT_LEAST = RANDOM_AT + sizeof(retry_random),
};

static void end_record(struct tls *tls)
{
	tls->header_len = 0;
	if (!tls->done)
		return;
	tls->idle_records++;
	tls->received++;
}

/* Follows the records that the library reads, however it comes to them. */
static void follow(struct tls *tls, const uint8_t *p, size_t len)
{
	size_t n;

	while (len) {
		if (tls->header_len < RECORD_HEADER) {
			tls->header[tls->header_len++] = *p;
			n = 1;
			if (tls->header_len == RECORD_HEADER)
				tls->body_left = (size_t)tls->header[3] << 8 |
					tls->header[4];
		} else {
			n = len < tls->body_left ? len : tls->body_left;
			tls->body_left -= n;
		}
		if (tls->header_len == RECORD_HEADER && !tls->body_left)
			end_record(tls);
		p += n;
		len -= n;
	}
}

/*
 * OpenSSL's clients, in TLS 1.3, send the alert for a certificate that they do
 * not trust before they write under keys. The library takes it for a breach of
 * the order; what it says is that the client is leaving.
 */
static bool hears_plain_alert(struct tls *tls, size_t n)
{
	const uint8_t *in = tls->wire->in;

	if (tls->done || !tls->ciphers_on || n != RECORD_HEADER ||
	    tls->wire->in_len < PLAIN_ALERT || in[0] != RECORD_ALERT ||
	    in[3] != 0 || in[4] != 2 || in[5] != LEVEL_FATAL ||
	    wolfSSL_version(tls->ssl) != TLS1_3_VERSION)
		return false;
	tls->heard = in[6];
	tls__count_heard(tls, in[6]);
	return true;
}

static const struct tls_verdict off_curve = {
	FAIL_MALFORMED, illegal_parameter, "a key share is not a point"
};

static int wire_recv(WOLFSSL *ssl, char *buf, int sz, void *ctx)
{
	struct tls *tls = ctx;
	struct tls_wire *wire = tls->wire;
	size_t n = sz > 0 ? (size_t)sz : 0;

	(void)ssl;
	/* What it has read before it asks for more, it has understood. */
	tls__hear(tls);
	if (!wire->in_len)
		return WOLFSSL_CBIO_ERR_WANT_READ;
	if (tls->idle_records > TLS_IDLE_RECORDS_MAX)
		return WOLFSSL_CBIO_ERR_GENERAL;
	if (hears_plain_alert(tls, n))
		return WOLFSSL_CBIO_ERR_CONN_CLOSE;
	if (n > wire->in_len)
		n = wire->in_len;
	if (!tls->done && !tls__peek(&tls->peek, wire->in, n)) {
		tls->verdict = &off_curve;
		return WOLFSSL_CBIO_ERR_GENERAL;
	}
	memcpy(buf, wire->in, n);
	follow(tls, wire->in, n);
	wire->in += n;
	wire->in_len -= n;
	return (int)n;
}

/*
 * Notes what the library says in the clear: whether a second ClientHello is
 * due, which has to pass the gate too, and whether an alert of ours could still
 * be read. The library hands over whole records.
 */
static void watch_flight(struct tls *tls, const uint8_t *p, size_t len)
{
	while (!tls->ciphers_on && len > RECORD_HEADER) {
		size_t record = RECORD_HEADER + ((size_t)p[3] << 8 | p[4]);

		if (record > len)
			return;
		if (p[0] == RECORD_HANDSHAKE && record >= SUITE_BYTES_AT_LEAST &&
		    p[RECORD_HEADER] == MESSAGE_SERVER_HELLO) {
			tls->awaits_hello = !memcmp(p + RANDOM_AT, retry_random,
						    sizeof(retry_random));
			tls->hello_sent = !tls->awaits_hello;
			if (tls->hello_sent &&
			    wolfSSL_version(tls->ssl) == TLS1_3_VERSION)
				tls->ciphers_on = true;
		}
		/* In TLS 1.3 this record means nothing (RFC 8446 D.4). */
		if (p[0] == RECORD_CHANGE_CIPHER && tls->hello_sent)
			tls->ciphers_on = true;
		p += record;
		len -= record;
	}
}

/*
 * In a resumed TLS 1.2 handshake the library sends its alerts in the clear
 * until the client's change_cipher_spec, though our records are encrypted by
 * then. The client could only take such a one for a forgery.
 */
static bool is_out_of_place(const struct tls *tls, const uint8_t *record,
			    size_t len)
{
	return !tls->done && tls->ciphers_on && len == PLAIN_ALERT &&
		record[0] == RECORD_ALERT;
}

static uint32_t records_in(const uint8_t *p, size_t len)
{
	uint32_t n = 0;
	size_t record;

	while (len > RECORD_HEADER) {
		record = RECORD_HEADER + ((size_t)p[3] << 8 | p[4]);
		if (record > len)
			break;
		n++;
		p += record;
		len -= record;
	}
	return n;
}

static int wire_send(WOLFSSL *ssl, char *buf, int sz, void *ctx)
{
	struct tls *tls = ctx;
	int alert = tls->sending;

	(void)ssl;
	tls->sending = NO_ALERT;
	if (sz < 0)
		return WOLFSSL_CBIO_ERR_GENERAL;
	if (is_out_of_place(tls, (const uint8_t *)buf, (size_t)sz)) {
		tls->swallowed = true;
		return sz;
	}
	if (!tls->done)
		watch_flight(tls, (const uint8_t *)buf, (size_t)sz);
	else
		tls->sent += records_in((const uint8_t *)buf, (size_t)sz);
	if (buf_append(tls->wire->out, buf, (size_t)sz) < 0) {
		tls->no_memory = true;
		return WOLFSSL_CBIO_ERR_GENERAL;
	}
	if (alert != NO_ALERT)
		tls__count_sent(tls->wire, alert);
	return sz;
}

/* The library calls it right before it builds the alert's record. */
static void on_info(const WOLFSSL *ssl, int what, int alert)
{
	struct tls *tls = wolfSSL_GetIOWriteCtx((WOLFSSL *)(uintptr_t)ssl);

	if (what & SSL_CB_ALERT)
		tls->sending = alert;
}

void tls__watch_alerts(WOLFSSL *ssl)
{
	wolfSSL_set_info_callback(ssl, on_info);
}

void tls__wire_callbacks(WOLFSSL_CTX *ctx)
{
	wolfSSL_CTX_SetIORecv(ctx, wire_recv);
	wolfSSL_CTX_SetIOSend(ctx, wire_send);
}

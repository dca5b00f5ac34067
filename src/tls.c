/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tls.c - one connection's TLS over byte buffers, for conn*.c. What wolfSSL
 * gets wrong by itself and src/ has to know about stands here; the contexts of
 * the hosts stand in tls_hosts.c. Everything runs on the connection's worker.
 */
#include "tls_hosts.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <stek_wolfssl.h>

struct tls {
	WOLFSSL *ssl;
	struct tls_wire *wire;
	bool awaits_hello;	/* a HelloRetryRequest went out last */
	bool hello_sent;	/* a real ServerHello went out */
	bool ciphers_on;	/* our records are encrypted from here on */
	bool done;		/* the handshake */
	unsigned more_tickets;	/* due after a resumption, see there */
	struct stek_session *session;
	enum stek_outcome unseen;	/* if the callback is not asked */
	unsigned idle_records;	/* since the last application data */
	bool no_memory;		/* the send callback found none */
	int error;		/* wolfSSL's code of the first failure */
	const char *why;
	enum failure failure;
};

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
	RECORD_CHANGE_CIPHER = 20,
	RECORD_ALERT = 21,
	RECORD_HANDSHAKE = 22,
	MESSAGE_SERVER_HELLO = 2,
	RANDOM_AT = RECORD_HEADER + 4 + 2,
	SUITE_BYTES_AT_LEAST = RANDOM_AT + sizeof(retry_random),
};

/* What became of a wolfSSL error: one reason, and the standard's alert. */
static const struct reason {
	int error;
	enum failure failure;
	uint8_t alert;		/* sent where the library sends none, or a
				   wrong one; 0: as it does */
} reasons[] = {
	{ VERSION_ERROR, FAIL_VERSION, 70 },
	{ UNSUPPORTED_PROTO_VERSION, FAIL_VERSION, 70 },
	{ MATCH_SUITE_ERROR, FAIL_SUITE, 40 },
	{ UNSUPPORTED_SUITE, FAIL_SUITE, 40 },
	{ SUITES_ERROR, FAIL_SUITE, 40 },
	{ ECC_CURVE_ERROR, FAIL_SUITE, 40 },
	{ KEY_SHARE_ERROR, FAIL_SUITE, 40 },
	/* The gate has seen to it that shares belong to offered groups. */
	{ BAD_KEY_SHARE_DATA, FAIL_SUITE, 40 },
	{ NO_PEER_KEY, FAIL_SUITE, 40 },
	{ PSK_KEY_ERROR, FAIL_SUITE, 47 },
	{ EXT_MASTER_SECRET_NEEDED_E, FAIL_SUITE, 40 },
	{ UNKNOWN_ALPN_PROTOCOL_NAME_E, FAIL_ALPN, 120 },
	{ UNKNOWN_SNI_HOST_NAME_E, FAIL_UNKNOWN_HOST, 112 },
	{ EXT_MISSING, FAIL_MALFORMED, 109 },
	{ UNSUPPORTED_EXTENSION, FAIL_MALFORMED, 110 },
	{ BUFFER_ERROR, FAIL_MALFORMED, 50 },
	{ BUFFER_E, FAIL_MALFORMED, 50 },
	{ INCOMPLETE_DATA, FAIL_MALFORMED, 50 },
	{ PARSE_ERROR, FAIL_MALFORMED, 50 },
	{ LENGTH_ERROR, FAIL_MALFORMED, 50 },
	{ INVALID_PARAMETER, FAIL_MALFORMED, 47 },
	{ DUPLICATE_TLS_EXT_E, FAIL_MALFORMED, 47 },
	{ EXT_NOT_ALLOWED, FAIL_MALFORMED, 47 },
	{ HRR_COOKIE_ERROR, FAIL_MALFORMED, 47 },
	{ BAD_TICKET_MSG_SZ, FAIL_MALFORMED, 50 },
	{ BAD_BINDER, FAIL_MALFORMED, 51 },
	{ VERIFY_FINISHED_ERROR, FAIL_MALFORMED, 51 },
	{ VERIFY_MAC_ERROR, FAIL_MALFORMED, 20 },
	{ DECRYPT_ERROR, FAIL_MALFORMED, 20 },
	{ AES_GCM_AUTH_E, FAIL_MALFORMED, 20 },
	{ MAC_CMP_FAILED_E, FAIL_MALFORMED, 20 },
	{ ECC_PEERKEY_ERROR, FAIL_MALFORMED, 47 },
	{ OUT_OF_ORDER_E, FAIL_MALFORMED, 10 },
	{ SANITY_MSG_E, FAIL_MALFORMED, 10 },
	{ DUPLICATE_MSG_E, FAIL_MALFORMED, 10 },
	{ UNKNOWN_RECORD_TYPE, FAIL_MALFORMED, 10 },
	{ UNKNOWN_HANDSHAKE_TYPE, FAIL_MALFORMED, 10 },
	{ NO_CHANGE_CIPHER_E, FAIL_MALFORMED, 10 },
	{ HANDSHAKE_SIZE_ERROR, FAIL_TOO_BIG, 50 },
	{ MEMORY_E, FAIL_MEMORY, 80 },
	{ MEMORY_ERROR, FAIL_MEMORY, 80 },
	{ FATAL_ERROR, FAIL_ALERT, 0 },
	{ SOCKET_PEER_CLOSED_E, FAIL_CLOSED, 0 },
	{ ZERO_RETURN, FAIL_CLOSED, 0 },
	/* As wolfSSL_get_error() calls it. */
	{ WOLFSSL_ERROR_ZERO_RETURN, FAIL_CLOSED, 0 },
};

static const struct reason *find_reason(int error)
{
	static const struct reason other = { 0, FAIL_OTHER, 80 };
	size_t i;

	for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].error == error)
			return &reasons[i];
	return &other;
}

/*
 * The library takes any number of KeyUpdates and empty records in a row, each
 * for a key derivation. It asks for one record header at a time.
 */
#define IDLE_RECORDS_MAX 32

static int wire_recv(WOLFSSL *ssl, char *buf, int sz, void *ctx)
{
	struct tls *tls = ctx;
	struct tls_wire *wire = tls->wire;
	size_t n = sz > 0 ? (size_t)sz : 0;

	(void)ssl;
	if (!wire->in_len)
		return WOLFSSL_CBIO_ERR_WANT_READ;
	if (tls->done && n == RECORD_HEADER &&
	    tls->idle_records++ > IDLE_RECORDS_MAX)
		return WOLFSSL_CBIO_ERR_GENERAL;
	if (n > wire->in_len)
		n = wire->in_len;
	memcpy(buf, wire->in, n);
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

static int wire_send(WOLFSSL *ssl, char *buf, int sz, void *ctx)
{
	struct tls *tls = ctx;

	(void)ssl;
	if (sz < 0)
		return WOLFSSL_CBIO_ERR_GENERAL;
	if (!tls->done)
		watch_flight(tls, (const uint8_t *)buf, (size_t)sz);
	if (buf_append(tls->wire->out, buf, (size_t)sz) < 0) {
		tls->no_memory = true;
		return WOLFSSL_CBIO_ERR_GENERAL;
	}
	return sz;
}

void tls__wire_callbacks(WOLFSSL_CTX *ctx)
{
	wolfSSL_CTX_SetIORecv(ctx, wire_recv);
	wolfSSL_CTX_SetIOSend(ctx, wire_send);
}

static bool will_be_tls13(const struct settings *settings,
			  const struct gate_hello *hello)
{
	return hello->offers_tls13 && settings->tls13;
}

/*
 * Chooses the context without tickets where the library would fail the
 * handshake, or resume what must not be: psk_ke alone (RFC 9325 s3.4), a TLS
 * 1.2 session without extended_master_secret (RFC 7627 s5.3), and, in a library
 * that is not patched for it (deploy/wolfssl), another server's session_ticket.
 */
static bool must_do_without_tickets(const struct settings *settings,
				    const struct gate_hello *hello)
{
	if (hello->n_psk && !hello->psk_dhe_ke)
		return true;
	if (!will_be_tls13(settings, hello) && !hello->has_ems)
		return true;
#ifndef WOLFSSL_STEKD_TICKET_REISSUE
	if (hello->session_ticket_len &&
	    hello->session_ticket_len != stek_wolfssl_ticket_len())
		return true;
#endif
	return false;
}

/*
 * What to report when the client offers tickets and the library never shows
 * them to libstek: by our own choice, or for their length alone.
 */
static enum stek_outcome unseen_outcome(const struct settings *settings,
					const struct gate_hello *hello,
					bool plain)
{
	bool offers = will_be_tls13(settings, hello) ?
		hello->n_psk > 0 : hello->session_ticket_len > 0;

	if (!offers)
		return STEK_NONE_OFFERED;
	return plain ? STEK_REFUSED_POLICY : STEK_REFUSED_FORMAT;
}

/*
 * A ticket that is due when no key may seal would be a blank one, which costs
 * the client the good one that it may hold: none is given. In TLS 1.2 the
 * library takes that for "open none" too, so who brings a ticket gets a blank.
 */
static void spare_tickets(struct tls *tls, struct stek_farm *farm,
			  const struct gate_hello *hello)
{
	if (stek_farm_can_seal(farm))
		return;
	tls->more_tickets = 0;
	(void)wolfSSL_no_ticket_TLSv13(tls->ssl);
	if (!hello->session_ticket_len)
		(void)wolfSSL_NoTicketTLSv12(tls->ssl);
}

/*
 * The library is built without early data and would take the records that
 * follow the hello for garbage. RFC 8446 s4.2.10 lets a server ask for another
 * hello instead and skip what comes between. It asks when the client's shares
 * are of no group of ours, and P-384 is what clients know but do not share.
 * (Its cookies would serve too, but they break pre_shared_key's place as the
 * last extension in the library's list.)
 */
static int refuse_early_data(struct tls *tls)
{
	int group = WOLFSSL_ECC_SECP384R1;

	return wolfSSL_set_groups(tls->ssl, &group, 1) == WOLFSSL_SUCCESS ?
		0 : -1;
}

static int set_up(struct tls *tls, const struct tls_hosts *hosts,
		  const struct tls_host *own, const struct gate_hello *hello,
		  struct stek_session *session)
{
	wolfSSL_SetIOReadCtx(tls->ssl, tls);
	wolfSSL_SetIOWriteCtx(tls->ssl, tls);
	if (stek_wolfssl_session(tls->ssl, session) < 0)
		return -1;
	spare_tickets(tls, hosts->farm, hello);
	if (own->alpn && hello->has_alpn &&
	    wolfSSL_UseALPN(tls->ssl, own->alpn, (word32)strlen(own->alpn),
			    WOLFSSL_ALPN_FAILED_ON_MISMATCH) != WOLFSSL_SUCCESS)
		return -1;
	if (hello->has_early_data && will_be_tls13(hosts->settings, hello))
		return refuse_early_data(tls);
	return 0;
}

struct tls *tls_new(const struct tls_hosts *hosts,
		    const struct settings_host *host,
		    const struct gate_hello *hello, struct tls_wire *wire,
		    struct stek_session *session)
{
	const struct tls_host *own = &hosts->host[host - hosts->settings->hosts];
	struct tls *tls = calloc(1, sizeof(*tls));
	bool plain;

	if (!tls)
		return NULL;
	tls->wire = wire;
	plain = must_do_without_tickets(hosts->settings, hello);
	if (!plain && host->tickets && will_be_tls13(hosts->settings, hello))
		tls->more_tickets = host->tickets - 1;
	tls->session = session;
	tls->unseen = unseen_outcome(hosts->settings, hello, plain);
	tls->ssl = wolfSSL_new(plain ? own->plain : own->ticketed);
	if (!tls->ssl || set_up(tls, hosts, own, hello, session) < 0) {
		tls_free(tls);
		return NULL;
	}
	return tls;
}

void tls_free(struct tls *tls)
{
	if (!tls)
		return;
	wolfSSL_free(tls->ssl);
	free(tls);
}

static bool alert_sent(struct tls *tls)
{
	WOLFSSL_ALERT_HISTORY history;

	memset(&history, 0, sizeof(history));
	return wolfSSL_get_alert_history(tls->ssl, &history) ==
		WOLFSSL_SUCCESS && history.last_tx.code > 0;
}

/* Says why to the peer, while records are in the clear. */
static void correct_alert(struct tls *tls, uint8_t alert)
{
	struct buf *out = tls->wire->out;

	if (!alert || tls->ciphers_on)
		return;
	if (!alert_sent(tls)) {
		(void)tls_plain_alert(out, alert);
		return;
	}
	if (out->len >= PLAIN_ALERT)
		out->data[out->off + out->len - 1] = alert;
}

/* Remembers why. */
static enum tls_result fail(struct tls *tls, int error)
{
	const struct reason *reason = find_reason(error);

	tls->error = error;
	tls->failure = tls->no_memory ? FAIL_MEMORY : reason->failure;
	tls->why = wolfSSL_ERR_reason_error_string((unsigned long)error);
	correct_alert(tls, reason->alert);
	return TLS_FAILED;
}

/*
 * On a resumption the library sends one ticket, however many are set. A client
 * that spends each once (RFC 8446 C.4) and opens two connections at a time
 * would then run dry.
 */
static enum tls_result top_up_tickets(struct tls *tls)
{
	if (!wolfSSL_session_reused(tls->ssl))
		return TLS_OK;
	for (; tls->more_tickets; tls->more_tickets--)
		if (wolfSSL_send_SessionTicket(tls->ssl) != WOLFSSL_SUCCESS)
			return fail(tls, wolfSSL_get_error(tls->ssl,
						WOLFSSL_FATAL_ERROR));
	return TLS_OK;
}

enum tls_result tls_handshake(struct tls *tls)
{
	enum tls_result result;
	int error;

	tls->awaits_hello = false;
	if (wolfSSL_accept(tls->ssl) == WOLFSSL_SUCCESS) {
		tls->done = true;
		stek_wolfssl_settle(tls->ssl);
		if (tls->session->outcome == STEK_NONE_OFFERED)
			tls->session->outcome = tls->unseen;
		result = top_up_tickets(tls);
		wolfSSL_FreeArrays(tls->ssl);
		return result;
	}
	error = wolfSSL_get_error(tls->ssl, WOLFSSL_FATAL_ERROR);
	if (error == WOLFSSL_ERROR_WANT_READ)
		return TLS_AGAIN;
	return fail(tls, error);
}

bool tls_awaits_hello(const struct tls *tls)
{
	return tls->awaits_hello;
}

enum tls_result tls_read(struct tls *tls, void *buf, size_t len, size_t *n)
{
	int got = wolfSSL_read(tls->ssl, buf, (int)len);
	int error;

	if (got > 0) {
		tls->idle_records = 0;
		*n = (size_t)got;
		return TLS_OK;
	}
	error = wolfSSL_get_error(tls->ssl, got);
	if (error == WOLFSSL_ERROR_WANT_READ)
		return TLS_AGAIN;
	if (error == WOLFSSL_ERROR_ZERO_RETURN)
		return TLS_CLOSED;
	return fail(tls, error);
}

enum tls_result tls_write(struct tls *tls, const void *buf, size_t len)
{
	int put = wolfSSL_write(tls->ssl, buf, (int)len);

	if (put >= 0 && (size_t)put == len)
		return TLS_OK;
	return fail(tls, wolfSSL_get_error(tls->ssl, put));
}

void tls_close_notify(struct tls *tls)
{
	(void)wolfSSL_shutdown(tls->ssl);
}

enum failure tls_failure(const struct tls *tls, const char **why, int *code)
{
	*why = tls->why ? tls->why : "";
	*code = tls->error;
	return tls->failure;
}

static void copy_lower(char *to, size_t cap, const void *from, size_t len)
{
	const unsigned char *bytes = from;
	size_t i;

	if (len >= cap)
		len = cap - 1;
	for (i = 0; i < len; i++)
		to[i] = (char)tolower(bytes[i]);
	to[len] = '\0';
}

void tls_facts(const struct tls *tls, struct tls_facts *out)
{
	bool tls13 = wolfSSL_version(tls->ssl) == TLS1_3_VERSION;
	int suite = wolfSSL_get_current_cipher_suite(tls->ssl);
	void *name = NULL;
	char *alpn = NULL;
	word16 len = 0;

	memset(out, 0, sizeof(*out));
	out->kind = tls13 ? TLS_KIND_13 : TLS_KIND_12;
	out->version = tls13 ? "TLSv1.3" : "TLSv1.2";
	out->suite = wolfSSL_get_cipher_name_iana_from_suite(
		(unsigned char)(suite >> 8), (unsigned char)suite);
	if (wolfSSL_ALPN_GetProtocol(tls->ssl, &alpn, &len) == WOLFSSL_SUCCESS)
		/* Not lower-cased: protocol names are bytes (RFC 7301). */
		memcpy(out->alpn, alpn, len < sizeof(out->alpn) ?
		       len : sizeof(out->alpn) - 1);
	len = wolfSSL_SNI_GetRequest(tls->ssl, WOLFSSL_SNI_HOST_NAME, &name);
	if (name)
		copy_lower(out->server_name, sizeof(out->server_name), name,
			   len);
}

int tls_plain_alert(struct buf *out, uint8_t alert)
{
	const uint8_t record[] = { RECORD_ALERT, 3, 3, 0, 2, 2, alert };

	return buf_append(out, record, sizeof(record));
}

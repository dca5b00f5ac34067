/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tls.c - one connection's TLS over byte buffers, for conn*.c. What wolfSSL
 * gets wrong by itself and src/ has to know about stands here; the contexts of
 * the hosts stand in tls_hosts.c. Everything runs on the connection's worker.
 */
#include "tls_private.h"

#include <stdlib.h>
#include <string.h>

/* Of a connection, whatever it wishes. */
#define TICKETS_MOST 4

static bool will_be_tls13(const struct settings *settings,
			  const struct gate_hello *hello)
{
	return hello->offers_tls13 && settings->tls13;
}

/* By its length and the name of its key; only opening it would prove it. */
static bool may_be_ours(struct stek_farm *farm, const struct gate_hello *hello)
{
	return hello->session_ticket_len == stek_wolfssl_ticket_len() &&
		stek_farm_has_key(farm, hello->session_ticket_name);
}

/* A group to ask another hello for, or none: see refuse_early_data(). */
static bool must_retry_by_cookie(const struct tls_hosts *hosts,
				 const struct gate_hello *hello)
{
	return hello->has_early_data && will_be_tls13(hosts->settings, hello) &&
		!tls__group_without_share(hosts, hello);
}

/*
 * Chooses the context without tickets where the library would fail the
 * handshake, or resume what must not be: psk_ke alone (RFC 9325 s3.4), a TLS
 * 1.2 session without extended_master_secret (RFC 7627 s5.3), a cookie before
 * pre_shared_key, and, in a library that is not patched for it
 * (deploy/wolfssl), another server's session_ticket.
 *
 * Who offers a ticket of ours without extended_master_secret is shown to the
 * library with it: all ours have it, so that such a handshake is aborted, as
 * RFC 7627 s5.3 demands.
 */
static bool must_do_without_tickets(const struct tls_hosts *hosts,
				    const struct gate_hello *hello)
{
	const struct settings *settings = hosts->settings;

	if (hello->n_psk && !hello->psk_dhe_ke)
		return true;
	if (must_retry_by_cookie(hosts, hello))
		return true;
	if (!will_be_tls13(settings, hello) && !hello->has_ems)
		return !may_be_ours(hosts->farm, hello);
#ifndef WOLFSSL_STEKD_TICKET_REISSUE
	if (hello->session_ticket_len &&
	    hello->session_ticket_len != stek_wolfssl_ticket_len())
		return true;
#endif
	return false;
}

/* What the client could verify: only to tell why the library matches nothing. */
static bool shares_scheme(const struct tls_host *own,
			  const struct gate_hello *hello, bool tls13)
{
	if (!hello->has_schemes)
		return true;
	if (!strncmp(own->key, "EC", 2))
		return hello->schemes & GATE_ECDSA;
	/* RFC 8446 s4.2.3: TLS 1.3 signs no handshake by PKCS #1 v1.5. */
	return hello->schemes & (GATE_RSA_PSS | (tls13 ? 0 : GATE_RSA_PKCS1));
}

/*
 * What to report when the client offers tickets and the library never shows
 * them to libstek: by our own choice, or for their length alone.
 */
static enum stek_outcome unseen_outcome(const struct settings *settings,
					const struct gate_hello *hello,
					bool plain)
{
	bool tls13 = will_be_tls13(settings, hello);
	size_t len = tls13 ? hello->psk_longest : hello->session_ticket_len;

	if (!len)
		return STEK_NONE_OFFERED;
	if (tls13 && !hello->psk_dhe_ke)
		return STEK_REFUSED_PSK_KE;
	return plain && len == stek_wolfssl_ticket_len() ?
		STEK_REFUSED_POLICY : STEK_REFUSED_FORMAT;
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
	tls->tickets_at_full = tls->tickets_at_resumption = 0;
	(void)wolfSSL_no_ticket_TLSv13(tls->ssl);
	if (!hello->session_ticket_len)
		(void)wolfSSL_NoTicketTLSv12(tls->ssl);
}

/*
 * The library is built without early data and would take the records that
 * follow the hello for garbage. RFC 8446 s4.2.10 lets a server ask for another
 * hello instead and skip what comes between. It asks when its groups are those
 * alone for which the client has no share, and else by a cookie, which only
 * serves without tickets: it breaks pre_shared_key's place as the last
 * extension in the library's list.
 */
static int refuse_early_data(struct tls *tls, const struct tls_hosts *hosts,
			     const struct gate_hello *hello)
{
	int group = tls__group_without_share(hosts, hello);
	int ret = group ? wolfSSL_set_groups(tls->ssl, &group, 1) :
		wolfSSL_send_hrr_cookie(tls->ssl, NULL, 0);

	return ret == WOLFSSL_SUCCESS ? 0 : -1;
}

static bool offers(const struct gate_hello *hello, const char *protocol)
{
	size_t len = strlen(protocol), at;

	for (at = 0; at < hello->alpn_len; at += 1u + hello->alpn[at])
		if (hello->alpn[at] == len &&
		    !memcmp(hello->alpn + at + 1, protocol, len))
			return true;
	return false;
}

/*
 * RFC 7301 s3.2 lets the server prefer; the library would take the client's
 * first, so it is shown one name alone. Without a common one it is shown all,
 * and refuses.
 */
static int choose_protocol(struct tls *tls, const struct settings_host *host,
			   const struct gate_hello *hello)
{
	const char *chosen = tls->own->alpn;
	size_t i;

	if (!chosen || !hello->has_alpn)
		return 0;
	for (i = 0; i < host->n_alpn; i++) {
		if (offers(hello, host->alpn[i])) {
			chosen = host->alpn[i];
			break;
		}
	}
	/* Only its prototype lacks the const: it copies. */
	return wolfSSL_UseALPN(tls->ssl, (char *)(uintptr_t)chosen,
			       (word32)strlen(chosen),
			       WOLFSSL_ALPN_FAILED_ON_MISMATCH) ==
		WOLFSSL_SUCCESS ? 0 : -1;
}

static int set_up(struct tls *tls, const struct tls_hosts *hosts,
		  const struct settings_host *host,
		  const struct gate_hello *hello,
		  struct stek_session *session)
{
	wolfSSL_SetIOReadCtx(tls->ssl, tls);
	wolfSSL_SetIOWriteCtx(tls->ssl, tls);
	tls__watch_alerts(tls->ssl);
	if (stek_wolfssl_session(tls->ssl, session) < 0)
		return -1;
	tls->client.client = tls->own->client;
	tls->client.session = session;
	tls_client_watch(&tls->client, tls->ssl);
	spare_tickets(tls, hosts->farm, hello);
	if (choose_protocol(tls, host, hello) < 0)
		return -1;
	if (hello->has_early_data && will_be_tls13(hosts->settings, hello))
		return refuse_early_data(tls, hosts, hello);
	return 0;
}

static unsigned at_most(unsigned wanted)
{
	return wanted < TICKETS_MOST ? wanted : TICKETS_MOST;
}

/* The client's wish, up to a bound; who has none gets what the host gives. */
static void set_tickets(struct tls *tls, const struct settings_host *host,
			const struct gate_hello *hello)
{
	tls->tickets_at_full = tls->tickets_at_resumption = host->tickets;
	if (!hello->has_ticket_request)
		return;
	tls->tickets_at_full = at_most(hello->tickets_at_full);
	tls->tickets_at_resumption = at_most(hello->tickets_at_resumption);
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
	tls->own = own;
	tls->last_heard = tls->sending = NO_ALERT;
	tls->lacks_scheme = !shares_scheme(own, hello,
				will_be_tls13(hosts->settings, hello));
	plain = must_do_without_tickets(hosts, hello);
	if (!plain && host->tickets && will_be_tls13(hosts->settings, hello))
		set_tickets(tls, host, hello);
	tls->session = session;
	if (will_be_tls13(hosts->settings, hello))
		tls->records_max = hosts->settings->records_per_key;
	tls->asks = host->client_auth == CLIENT_AFTER_HANDSHAKE &&
		tls_can_ask(hosts, hello);
	tls->demands = host->client_decline == CLIENT_CLOSE;
	tls->asks_again = host->client_reauth_s > 0;
	tls->unseen = unseen_outcome(hosts->settings, hello, plain);
	tls->ssl = wolfSSL_new(plain ? own->plain : own->ticketed);
	if (!tls->ssl || set_up(tls, hosts, host, hello, session) < 0) {
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
	buf_free(&tls->kept);
	free(tls->client.names);
	free(tls);
}

/*
 * One after the other, so that each counts under the key that sealed it; also
 * of a handshake that is lost after its ticket went out.
 */
static void count_tickets(struct tls *tls)
{
	struct counters *counters = tls->wire->counters;
	const struct stek_session *session = tls->session;
	enum tls_kind kind = wolfSSL_version(tls->ssl) == TLS1_3_VERSION ?
		TLS_KIND_13 : TLS_KIND_12;
	unsigned issued = session->issued - tls->issued;

	count_by(&counters->tickets_blank, session->blank - tls->blank);
	tls->blank = session->blank;
	if (!issued)
		return;
	tls->issued = session->issued;
	count_by(&counters->tickets_issued[kind], issued);
	counters_key(counters, session->issued_key, issued);
}

/*
 * All of them here, and none by the library (see fill_host()): it cannot tell
 * what the client wants of a full handshake from what it wants of a resumption
 * (RFC 9149 s3), of which it gives one ticket alone, so that a client that
 * spends each once (RFC 8446 C.4) and opens two connections would run dry.
 */
static enum tls_result send_tickets(struct tls *tls)
{
	unsigned n = wolfSSL_session_reused(tls->ssl) ?
		tls->tickets_at_resumption : tls->tickets_at_full;

	for (; n; n--) {
		if (wolfSSL_send_SessionTicket(tls->ssl) != WOLFSSL_SUCCESS)
			return tls__fail(tls, wolfSSL_get_error(tls->ssl,
						WOLFSSL_FATAL_ERROR));
		count_tickets(tls);
	}
	return TLS_OK;
}

enum tls_result tls_handshake(struct tls *tls)
{
	enum tls_result result;
	int error, ret;

	tls->awaits_hello = false;
	ret = wolfSSL_accept(tls->ssl);
	count_tickets(tls);
	if (ret == WOLFSSL_SUCCESS) {
		tls->done = true;
		stek_wolfssl_settle(tls->ssl);
		if (tls->session->outcome == STEK_NONE_OFFERED)
			tls->session->outcome = tls->unseen;
		result = send_tickets(tls);
		/* They hold a message that comes in pieces: tls_ask.c. */
		if (!tls->asks)
			wolfSSL_FreeArrays(tls->ssl);
		return result;
	}
	error = wolfSSL_get_error(tls->ssl, WOLFSSL_FATAL_ERROR);
	if (error == WOLFSSL_ERROR_WANT_READ)
		return TLS_AGAIN;
	return tls__fail(tls, error);
}

bool tls_awaits_hello(const struct tls *tls)
{
	return tls->awaits_hello;
}

enum tls_result tls__read_result(struct tls *tls, int got)
{
	int error;

	if (got > 0) {
		tls->idle_records = 0;
		return TLS_OK;
	}
	error = wolfSSL_get_error(tls->ssl, got);
	if (error == WOLFSSL_ERROR_WANT_READ)
		return tls->idle_records > TLS_IDLE_RECORDS_MAX ?
			tls__fail(tls, SOCKET_ERROR_E) : TLS_AGAIN;
	if (error == WOLFSSL_ERROR_ZERO_RETURN) {
		tls__hear(tls);
		return TLS_CLOSED;
	}
	return tls__fail(tls, error);
}

/*
 * RFC 8446 s5.5: a key is good for so many records. Ours ends with a KeyUpdate
 * that asks for the client's, which ends its own (s4.6.3).
 */
static enum tls_result renew_keys(struct tls *tls)
{
	int ret;

	if (!tls->records_max || (tls->sent < tls->records_max &&
				  tls->received < tls->records_max))
		return TLS_OK;
	ret = wolfSSL_update_keys(tls->ssl);
	if (ret != WOLFSSL_SUCCESS)
		return tls__fail(tls, ret);
	tls->sent = tls->received = 0;
	return TLS_OK;
}

enum tls_result tls_read(struct tls *tls, void *buf, size_t len, size_t *n)
{
	enum tls_result result;
	int got;

	if (tls->kept.len) {
		*n = len < tls->kept.len ? len : tls->kept.len;
		memcpy(buf, buf_head(&tls->kept), *n);
		buf_consume(&tls->kept, *n);
		return TLS_OK;
	}
	got = wolfSSL_read(tls->ssl, buf, (int)len);
	if (got > 0)
		*n = (size_t)got;
	result = tls__read_result(tls, got);
	if ((result == TLS_OK || result == TLS_AGAIN) &&
	    renew_keys(tls) != TLS_OK)
		return TLS_FAILED;
	return result;
}

enum tls_result tls_write(struct tls *tls, const void *buf, size_t len)
{
	int put;

	if (renew_keys(tls) != TLS_OK)
		return TLS_FAILED;
	put = wolfSSL_write(tls->ssl, buf, (int)len);
	if (put >= 0 && (size_t)put == len)
		return TLS_OK;
	return tls__fail(tls, wolfSSL_get_error(tls->ssl, put));
}

void tls_close_notify(struct tls *tls)
{
	(void)wolfSSL_shutdown(tls->ssl);
}

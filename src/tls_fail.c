/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tls_fail.c - how a handshake is lost: its one reason, and the alert, which
 * must be the standard's also where the library sends none or another one.
 */
#include "tls_private.h"

#include <string.h>

#include "tls_reason.h"

enum {
	RECORD_ALERT = 21,
	PLAIN_ALERT = 7,	/* bytes, with the record's header */
	LEVEL_WARNING = 1,
	LEVEL_FATAL = 2,
};

static int fatal_code(const WOLFSSL_ALERT *alert)
{
	/* A close_notify is none, and the library begins with -1. */
	return alert->level == alert_fatal && alert->code > 0 ?
		alert->code : NO_ALERT;
}

struct tls_alerts tls_alerts(const struct tls *tls)
{
	struct tls_alerts alerts = { NO_ALERT, NO_ALERT };
	WOLFSSL_ALERT_HISTORY history;

	memset(&history, 0, sizeof(history));
	/* What it notes as sent is what it would have sent. */
	if (wolfSSL_get_alert_history(tls->ssl, &history) == WOLFSSL_SUCCESS)
		alerts.received = fatal_code(&history.last_rx);
	if (tls->alert)
		alerts.sent = tls->alert;
	if (tls->swallowed)
		alerts.sent = NO_ALERT;
	if (tls->heard)
		alerts.received = tls->heard;
	return alerts;
}

void tls__count_sent(const struct tls_wire *wire, int alert)
{
	count(&wire->counters->alerts_sent[alerts_slot(alert)]);
}

void tls__hear(struct tls *tls)
{
	WOLFSSL_ALERT_HISTORY history;

	memset(&history, 0, sizeof(history));
	if (wolfSSL_get_alert_history(tls->ssl, &history) != WOLFSSL_SUCCESS ||
	    history.last_rx.code < 0 || history.last_rx.code == tls->last_heard)
		return;
	tls->last_heard = history.last_rx.code;
	tls__count_heard(tls, tls->last_heard);
}

void tls__count_heard(const struct tls *tls, int alert)
{
	count(&tls->wire->counters->alerts_received[alerts_slot(alert)]);
}

static int plain_alert(struct tls_wire *wire, uint8_t level, uint8_t alert)
{
	const uint8_t record[PLAIN_ALERT] = {
		RECORD_ALERT, 3, 3, 0, 2, level, alert
	};

	if (buf_append(wire->out, record, sizeof(record)) < 0)
		return -1;
	tls__count_sent(wire, alert);
	return 0;
}

int tls_plain_alert(struct tls_wire *wire, uint8_t alert)
{
	return plain_alert(wire, LEVEL_FATAL, alert);
}

void tls_plain_cancel(struct tls_wire *wire)
{
	(void)plain_alert(wire, LEVEL_WARNING, user_canceled);
	(void)plain_alert(wire, LEVEL_WARNING, close_notify);
}

/* RFC 8446 s6.1: canceled for a reason that is no failure of the protocol. */
void tls_cancel(struct tls *tls)
{
	if (wolfSSL_SendUserCanceled(tls->ssl) != WOLFSSL_FAILURE)
		tls->alert = user_canceled;
}

/* Says why to the peer, under the keys that it expects by now. */
static void say_alert(struct tls *tls, uint8_t alert)
{
	if (alert && wolfSSL_send_alert(tls->ssl, alert_fatal, alert) ==
	    WOLFSSL_SUCCESS)
		tls->alert = alert;
}

/* Of what we have found ourselves; 0: the library's error decides. */
static uint8_t alert_of(enum failure failure, bool tls13)
{
	switch (failure) {
	case FAIL_CERT_NONE:		/* RFC 8446 s6.2, RFC 5246 s7.4.6 */
		return tls13 ? certificate_required : handshake_failure;
	case FAIL_SIGNATURE_SCHEME:
		return handshake_failure;
	case FAIL_CERT_UNKNOWN_CA:
		return unknown_ca;
	case FAIL_CERT_DENIED:
		return access_denied;
	default:
		return 0;
	}
}

static const struct tls_verdict flood = {
	FAIL_UNEXPECTED, unexpected_message, "too many records without data"
};

static enum failure own_finding(const struct tls *tls, int error)
{
	if (tls->no_memory)
		return FAIL_MEMORY;
	if (tls->heard)
		return FAIL_ALERT;
	if (tls->verdict)
		return tls->verdict->failure;
	if (error == NO_PEER_CERT)
		return FAIL_CERT_NONE;
	if (error == VERIFY_CERT_ERROR)
		return tls->client.refused;
	if (error == MATCH_SUITE_ERROR && tls->lacks_scheme)
		return FAIL_SIGNATURE_SCHEME;
	return FAIL_NONE;
}

static uint8_t alert_for(const struct tls *tls, enum failure found,
			 const struct tls_reason *reason)
{
	uint8_t alert;

	if (tls->verdict)
		return tls->verdict->alert;
	if (found == FAIL_ALERT)
		return 0;
	alert = alert_of(found, wolfSSL_version(tls->ssl) == TLS1_3_VERSION);
	return alert ? alert : reason->alert;
}

enum tls_result tls__fail(struct tls *tls, int error)
{
	const struct tls_reason *reason = tls_reason_find(error);
	enum failure found;

	tls__hear(tls);
	if (tls->idle_records > TLS_IDLE_RECORDS_MAX)
		tls->verdict = &flood;
	found = own_finding(tls, error);
	tls->error = error;
	tls->failure = found ? found : reason->failure;
	tls->why = tls->verdict ? tls->verdict->why :
		wolfSSL_ERR_reason_error_string((unsigned long)error);
	say_alert(tls, alert_for(tls, found, reason));
	return TLS_FAILED;
}

enum failure tls_failure(const struct tls *tls, const char **why, int *code)
{
	*why = tls->why ? tls->why : "";
	*code = tls->error;
	return tls->failure;
}

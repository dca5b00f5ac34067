/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From what was seen to its cause. The same alert means different things at
 * different places, so it goes by how far the connection came, by what was sent
 * last, by the client's own certificate, and by what trials have shown; only
 * then by the alert's name.
 */
#include <assert.h>

#include "alert.h"
#include "causes.h"

#define CLOCK_OFF_S 300

static void add(struct causes *out, const char *name)
{
	const struct cause *cause = cause_of(name);

	assert(cause);
	for (size_t i = 0; i < out->n; i++) {
		if (out->list[i] == cause)
			return;
	}
	if (out->n < CAUSES_MAX)
		out->list[out->n++] = cause;
}

/* True if the certificate message that we sent had a certificate in it. */
static bool sent_certificate(const struct talk *talk, bool *asked)
{
	int at = flight_find(&talk->flight, false, HS_CERTIFICATE);

	*asked = flight_find(&talk->flight, true, HS_CERTIFICATE_REQUEST) >= 0;
	return at >= 0 && !talk->flight.events[at].empty;
}

static bool starts(const struct talk *talk, const char *text)
{
	for (size_t i = 0; text[i]; i++) {
		if (i >= talk->n_first || talk->first[i] != (uint8_t)text[i])
			return false;
	}
	return true;
}

static void not_tls(struct causes *out, const struct talk *talk)
{
	bool greets = starts(talk, "220") || starts(talk, "* OK") ||
		      starts(talk, "+OK") || starts(talk, "* PREAUTH");

	if (starts(talk, "HTTP/") || starts(talk, "<"))
		add(out, "plain_http");
	else
		add(out, greets ? "starttls" : "not_tls");
}

/* ---- certificates ----------------------------------------------------------- */

/* The alerts about certificates that name one cause; else NULL. */
static const char *by_certificate_alert(int alert, const struct talk *talk,
					const struct cert_own *own)
{
	switch (alert) {
	case ALERT_UNSUPPORTED_CERTIFICATE:
		return "certificate_usage";
	case ALERT_CERTIFICATE_REVOKED:
		return "certificate_revoked";
	case ALERT_CERTIFICATE_UNKNOWN:
		return "certificate_status";
	case ALERT_UNKNOWN_CA:
		/* The CA is one of those asked for: it is what is between. */
		return talk->ca_listed && own->n > 2 ? "certificate_chain"
						     : "unknown_ca";
	case ALERT_ACCESS_DENIED:
		return "access_denied";
	default:
		return NULL;
	}
}

/* What can be told from the certificate itself; else NULL. */
static const char *by_certificate(const struct talk *talk,
				  const struct cert_own *own)
{
	if (talk->begun_s > own->not_after_s)
		return "certificate_expired";
	if (talk->begun_s < own->not_before_s)
		return "certificate_not_yet_valid";
	if (talk->alert == ALERT_CERTIFICATE_EXPIRED)
		return "server_clock";
	if (talk->alert == ALERT_CERTIFICATE_REVOKED)
		return "certificate_revoked";
	if (!own->for_clients)
		return "certificate_usage";
	if (talk->ca_known && !talk->ca_listed)
		return "unknown_ca";
	return NULL;
}

static void client_certificate(struct causes *out, const struct talk *talk,
			       const struct cert_own *own,
			       const struct trials *trials)
{
	const char *cause = by_certificate(talk, own);

	if (!cause)
		cause = by_certificate_alert(talk->alert, talk, own);
	/* Many servers are more exact in the other version. */
	if (!cause)
		cause = by_certificate_alert(trials->other_alert, talk, own);
	if (!cause && own->n > 2)
		cause = "certificate_chain";
	if (cause)
		add(out, cause);
	add(out, "bad_certificate");
	if (!cause)
		add(out, "certificate_status");
	if (cause && talk->alert == ALERT_CERTIFICATE_EXPIRED)
		add(out, "server_clock");
}

static void server_certificate(struct causes *out, const struct talk *talk,
			       const struct trials *trials)
{
	bool off = trials->clock_known &&
		   (trials->clock_off_s > CLOCK_OFF_S ||
		    trials->clock_off_s < -CLOCK_OFF_S);
	bool dates = talk->verify_error == X509_V_ERR_CERT_HAS_EXPIRED ||
		     talk->verify_error == X509_V_ERR_CERT_NOT_YET_VALID;

	if (dates && off)
		add(out, "own_clock");
	switch (talk->verify_error) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		add(out, "server_certificate_expired");
		break;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		add(out, "server_certificate_not_yet_valid");
		break;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		add(out, "server_name");
		break;
	case X509_V_ERR_EE_KEY_TOO_SMALL:
	case X509_V_ERR_CA_KEY_TOO_SMALL:
	case X509_V_ERR_CA_MD_TOO_WEAK:
		add(out, "weak_server");
		break;
	default:
		add(out, "untrusted_server");
	}
	if (dates && !trials->clock_known)
		add(out, "own_clock");
}

/* ---- alerts ----------------------------------------------------------------- */

static const char *by_aspect(enum aspect aspect)
{
	static const char *const names[ASPECTS] = {
		[ASPECT_VERSION] = "version",
		[ASPECT_SUITE] = "suite",
		[ASPECT_GROUP] = "group",
		[ASPECT_SCHEME] = "signature_scheme",
		[ASPECT_ALPN] = "alpn",
		[ASPECT_PROXY] = "proxy_header",
		[ASPECT_NAME] = "unknown_host",
		[ASPECT_LEGACY] = "legacy",
	};

	return names[aspect];
}

/* Alerts that mean the same wherever they come; else NULL. */
static const char *by_alert(int alert)
{
	switch (alert) {
	case ALERT_PROTOCOL_VERSION:
		return "version";
	case ALERT_INAPPROPRIATE_FALLBACK:
		return "fallback";
	case ALERT_UNRECOGNIZED_NAME:
		return "unknown_host";
	case ALERT_CERTIFICATE_REQUIRED:
		return "no_certificate";
	case ALERT_NO_APPLICATION_PROTOCOL:
		return "alpn";
	case ALERT_INTERNAL_ERROR:
		return "server_fault";
	case ALERT_USER_CANCELED:
		return "middlebox_lost";
	case ALERT_UNEXPECTED_MESSAGE:
	case ALERT_BAD_RECORD_MAC:
	case ALERT_RECORD_OVERFLOW:
	case ALERT_ILLEGAL_PARAMETER:
	case ALERT_DECODE_ERROR:
	case ALERT_DECRYPT_ERROR:
		return "middlebox_altered";
	default:
		return NULL;
	}
}

static bool about_certificates(int alert)
{
	return alert >= ALERT_BAD_CERTIFICATE && alert <= ALERT_ACCESS_DENIED &&
	       alert != ALERT_ILLEGAL_PARAMETER;
}

/* handshake_failure and insufficient_security, when no trial told which. */
static void no_common_ground(struct causes *out)
{
	add(out, "suite");
	add(out, "group");
	add(out, "signature_scheme");
	add(out, "version");
}

static void alerted(struct causes *out, const struct talk *talk,
		    const struct cert_own *own, const struct trials *trials)
{
	bool asked, sent = sent_certificate(talk, &asked);
	bool hello = talk->stage == TALK_HELLO;

	if (hello && talk->offered && talk->flight.n > 0 &&
	    talk->alert == ALERT_DECRYPT_ERROR)
		add(out, "bad_binder");
	if (by_alert(talk->alert)) {
		add(out, by_alert(talk->alert));
		return;
	}
	if (hello && trials->helped != ASPECT_NONE) {
		add(out, by_aspect(trials->helped));
		return;
	}
	if (sent && about_certificates(talk->alert)) {
		client_certificate(out, talk, own, trials);
		return;
	}
	if (asked && !sent && (about_certificates(talk->alert) ||
			       talk->alert == ALERT_HANDSHAKE_FAILURE)) {
		add(out, "no_certificate");
		return;
	}
	if (talk->alert == ALERT_HANDSHAKE_FAILURE ||
	    talk->alert == ALERT_INSUFFICIENT_SECURITY)
		no_common_ground(out);
	else
		add(out, "alert");
}

/* We refused: the certificate, or what the server chose. */
static void declined(struct causes *out, const struct talk *talk,
		     const struct trials *trials)
{
	if (about_certificates(talk->alert) && talk->verify_error != X509_V_OK)
		server_certificate(out, talk, trials);
	else if (talk->alert == ALERT_PROTOCOL_VERSION)
		add(out, "version");
	else if (talk->alert == ALERT_HANDSHAKE_FAILURE ||
		 talk->alert == ALERT_INSUFFICIENT_SECURITY)
		add(out, "weak_server");
	else
		add(out, "middlebox_altered");
}

/* ---- ends without an alert -------------------------------------------------- */

static void timed_out(struct causes *out, const struct talk *talk)
{
	if (talk->stage <= TALK_CONNECT)
		add(out, "filtered");
	else
		add(out, talk->stage == TALK_HELLO ? "no_answer"
						   : "middlebox_lost");
}

static void ended(struct causes *out, const struct talk *talk,
		  const struct trials *trials)
{
	bool asked, sent = sent_certificate(talk, &asked);

	if (talk->stage == TALK_HELLO && trials->helped != ASPECT_NONE)
		add(out, by_aspect(trials->helped));
	if (talk->stage == TALK_HELLO && trials->plain)
		add(out, "plain_http");
	add(out, talk->stage == TALK_HELLO ? "silent_close" : "middlebox_cut");
	if (asked)
		add(out, sent ? "bad_certificate" : "no_certificate");
}

void explain(struct causes *out, const struct talk *talk,
	     const struct cert_own *own, const struct trials *trials)
{
	*out = (struct causes){0};
	switch (talk->end) {
	case TALK_GOOD:
		return;
	case TALK_UNKNOWN_HOST:
		add(out, "dns");
		return;
	case TALK_REFUSED:
		add(out, "connect_refused");
		return;
	case TALK_UNREACHABLE:
		add(out, "unreachable");
		return;
	case TALK_TIMEOUT:
		timed_out(out, talk);
		return;
	case TALK_CLOSED:
	case TALK_RESET:
		ended(out, talk, trials);
		return;
	case TALK_ALERTED:
		alerted(out, talk, own, trials);
		return;
	case TALK_DECLINED:
		declined(out, talk, trials);
		return;
	case TALK_NOT_TLS:
		not_tls(out, talk);
		return;
	case TALK_BROKEN:
		add(out, "broken_here");
		return;
	}
}

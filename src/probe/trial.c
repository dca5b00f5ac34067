/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Experiments after a failure: the same connection with one thing changed. What
 * the server answers then tells what the alert does not: handshake_failure names
 * neither suite nor group, and TLS 1.3 servers say bad_certificate of much that
 * they tell apart in TLS 1.2.
 */
#include <string.h>

#include "alert.h"
#include "handshake.h"
#include "stop.h"

const char *trial_aspect_name(enum aspect aspect)
{
	static const char *const names[ASPECTS] = {
		[ASPECT_NONE] = "",
		[ASPECT_VERSION] = "both versions (--tls both)",
		[ASPECT_SUITE] = "the usual suites (no --suites)",
		[ASPECT_GROUP] = "the usual groups (no --groups)",
		[ASPECT_SCHEME] = "the usual signature schemes (no --schemes)",
		[ASPECT_ALPN] = "no application protocol (no --alpn)",
		[ASPECT_PROXY] = "--send-proxy the other way round",
		[ASPECT_NAME] = "no server name",
		[ASPECT_LEGACY] = "versions from TLS 1.0 on and weak suites",
	};

	return names[aspect];
}

/* Changes one aspect; false if the offer does not restrict it anyway. */
static bool change(struct offer *offer, enum aspect aspect, bool silent)
{
	struct offer was = *offer;

	switch (aspect) {
	case ASPECT_VERSION:
		offer->versions[TLS_V12] = offer->versions[TLS_V13] = true;
		return !was.versions[TLS_V12] || !was.versions[TLS_V13];
	case ASPECT_SUITE:
		offer->suites = NULL;
		return was.suites != NULL;
	case ASPECT_GROUP:
		offer->tls.groups = NULL;
		return was.tls.groups != NULL;
	case ASPECT_SCHEME:
		offer->schemes = NULL;
		return was.schemes != NULL;
	case ASPECT_ALPN:
		offer->alpn = NULL;
		return was.alpn != NULL;
	case ASPECT_PROXY:
		offer->tls.send_proxy = !was.tls.send_proxy;
		return silent || was.tls.send_proxy;
	case ASPECT_NAME:
		offer->no_name = true;
		return true;
	default:
		offer->legacy = true;
		offer->versions[TLS_V12] = offer->versions[TLS_V13] = true;
		return true;
	}
}

/* One connection of another offer; false if that could not be made. */
static bool once(struct trials *out, const struct handshake_plan *plan,
		 const struct offer *offer, bool request, struct talk *talk)
{
	FILE *quiet = fopen("/dev/null", "we");
	SSL_CTX *ctx = quiet ? talk_context(offer, quiet) : NULL;

	if (quiet)
		fclose(quiet);
	if (!ctx || stop_asked()) {
		SSL_CTX_free(ctx);
		return false;
	}
	talk_run(talk, offer, ctx, &plan->address, NULL, request);
	out->n++;
	talk_clear(talk);
	SSL_CTX_free(ctx);
	return true;
}

/* The server did not answer the ClientHello: what of it is to blame? */
static void by_offer(struct trials *out, const struct handshake_plan *plan,
		     const struct talk *failed)
{
	bool silent = failed->end != TALK_ALERTED;

	if (silent) {
		out->n++;
		out->plain = plain_http(&plan->address, plan->offer.timeout_s);
	}
	if (out->plain)
		return;
	for (int a = ASPECT_NONE + 1; a < ASPECTS; a++) {
		struct offer offer = plan->offer;
		struct talk talk;

		/* Only an answer is wanted, and weak versions show it. */
		offer.cert = offer.key = NULL;
		if (!change(&offer, (enum aspect)a, silent) ||
		    !once(out, plan, &offer, false, &talk))
			continue;
		if (talk.stage <= TALK_HELLO)
			continue;
		out->helped = (enum aspect)a;
		return;
	}
}

static void by_other_version(struct trials *out,
			     const struct handshake_plan *plan,
			     const struct talk *failed)
{
	struct offer offer = plan->offer;
	struct talk talk;

	/* TLS 1.2 shows the certificate to the network: only if allowed. */
	if (!offer.versions[failed->flight.tls13 ? TLS_V12 : TLS_V13])
		return;
	offer.versions[TLS_V12] = failed->flight.tls13;
	offer.versions[TLS_V13] = !failed->flight.tls13;
	offer.suites = NULL;
	if (once(out, plan, &offer, false, &talk) && talk.stage > TALK_HELLO &&
	    talk.end == TALK_ALERTED)
		out->other_alert = talk.alert;
}

/* What time is it there? Asked without looking at the certificate. */
static void by_date(struct trials *out, const struct handshake_plan *plan)
{
	struct offer offer = plan->offer;
	struct talk talk;

	offer.tls.ca = NULL;
	/* Nor is ours shown to a server that is not trusted. */
	offer.cert = offer.key = NULL;
	if (!once(out, plan, &offer, true, &talk) || talk.server_date_s == 0)
		return;
	out->clock_known = true;
	out->clock_off_s = talk.begun_s - talk.server_date_s;
}

static bool worth_trying(const struct talk *failed)
{
	if (failed->stage != TALK_HELLO)
		return false;
	if (failed->end == TALK_CLOSED || failed->end == TALK_RESET)
		return true;
	return failed->end == TALK_ALERTED &&
	       (failed->alert == ALERT_HANDSHAKE_FAILURE ||
		failed->alert == ALERT_INSUFFICIENT_SECURITY ||
		failed->alert == ALERT_PROTOCOL_VERSION);
}

void trial_run(struct trials *out, const struct handshake_plan *plan,
	       const struct talk *failed)
{
	if (worth_trying(failed))
		by_offer(out, plan, failed);
	else if (failed->end == TALK_ALERTED && plan->offer.cert &&
		 failed->alert >= ALERT_BAD_CERTIFICATE &&
		 failed->alert <= ALERT_UNKNOWN_CA)
		by_other_version(out, plan, failed);
	else if (failed->end == TALK_DECLINED &&
		 (failed->verify_error == X509_V_ERR_CERT_HAS_EXPIRED ||
		  failed->verify_error == X509_V_ERR_CERT_NOT_YET_VALID))
		by_date(out, plan);
}

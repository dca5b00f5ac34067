/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stekprobe audit: one connection after another, never two at a time, and never
 * more than audit_most() says beforehand. audit_form.c and audit_other.c say
 * what each is for; this file makes them, keeps the tickets, and has the whole
 * judged at the end.
 */
#include <stdlib.h>
#include <string.h>

#include "audit_private.h"
#include "stop.h"

/* Of each version: see audit_form(), audit_others() and audit_watch(). */
enum {
	MOST_OWN = AUDIT_BASE + 2,	/* and its ticket twice */
	MOST_ALTERED = 2 * PLACES,
	MOST_WEAK = 6,			/* psk_ke; without EMS it is two */
	MOST_EARLY = 2,
	MOST_OTHER = 2,
	MOST_AUTH = 4,
	MOST_WATCH = AUDIT_ROUNDS - 1 + AUDIT_BASE + 1,
};

unsigned audit_most(const struct audit_plan *plan)
{
	unsigned each = MOST_OWN + MOST_WEAK + MOST_EARLY + MOST_ALTERED +
			MOST_OTHER * (unsigned)(plan->n_others +
						plan->n_hosts);
	unsigned versions = plan->offer.versions[TLS_V12] +
			    plan->offer.versions[TLS_V13];

	if (plan->auth)
		each += MOST_AUTH;
	if (plan->watch_s)
		each += MOST_WATCH;
	/* Where tickets go once only, each of these needs another first. */
	return 2 * each * versions;
}

/* ---- connections ------------------------------------------------------------ */

enum audit_try audit_try(struct audit *audit, struct talk *talk,
			 const struct offer *offer, SSL_CTX *ctx,
			 const struct address *at, SSL_SESSION *session,
			 bool request)
{
	/* OpenSSL lets a session of TLS 1.3 be offered once; a copy is another. */
	SSL_SESSION *copy = session ? SSL_SESSION_dup(session) : NULL;

	*talk = (struct talk){.alert = -1};
	if (stop_asked() || !ctx || (session && !copy)) {
		SSL_SESSION_free(copy);
		return TRY_NONE;
	}
	audit->seen->connections++;
	talk_run(talk, offer, ctx, at ? at : &audit->plan->address, copy,
		 request);
	SSL_SESSION_free(copy);
	if (talk->stage > TALK_CONNECT)
		audit->seen->reached = true;
	/* What was interrupted says nothing. */
	if (stop_asked())
		return TRY_NONE;
	if (talk->end != TALK_GOOD)
		return TRY_FAILED;
	return talk->resumed ? TRY_RESUMED : TRY_FULL;
}

static void keep(SSL_SESSION **place, SSL_SESSION *session)
{
	SSL_SESSION_up_ref(session);
	SSL_SESSION_free(*place);
	*place = session;
}

enum audit_try audit_look(struct audit *audit, enum tls_version v,
			  unsigned round, struct talk *talk)
{
	struct audit_version *version = &audit->seen->versions[v];
	enum audit_try one = audit_try(audit, talk, &audit->offers[v],
				       audit->ctx[v], NULL, NULL, false);

	if (one != TRY_FULL)
		return one;
	version->spoken = true;
	version->fulls++;
	memcpy(audit->seen->peer, talk->peer, sizeof(talk->peer));
	for (size_t i = 0; i < talk->flight.n_tickets; i++) {
		if (version->n_tickets == AUDIT_TICKETS_MAX)
			break;
		version->tickets[version->n_tickets++] = (struct audit_ticket){
			.connection = version->fulls,
			.round = round,
			.seen = talk->flight.tickets[i],
		};
	}
	if (talk->session)
		keep(&audit->kept[v], talk->session);
	return one;
}

/* Still good, with time for what it is wanted for. */
static bool young(const SSL_SESSION *session)
{
	unsigned long hint = SSL_SESSION_get_ticket_lifetime_hint(session);
	long age_s = (long)time(NULL) - (long)SSL_SESSION_get_time(session);

	return SSL_SESSION_is_resumable(session) == 1 &&
	       (hint == 0 || age_s < (long)(hint / 2));
}

SSL_SESSION *audit_ticket(struct audit *audit, enum tls_version v)
{
	SSL_SESSION **kept = &audit->kept[v];
	struct talk *talk;

	if (*kept && audit->seen->versions[v].reusable && young(*kept)) {
		SSL_SESSION_up_ref(*kept);
		return *kept;
	}
	talk = malloc(sizeof(*talk));
	if (!talk)
		return NULL;
	SSL_SESSION_free(*kept);
	*kept = NULL;
	/* It is not of a round: what it brings is not counted as seen then. */
	if (audit_try(audit, talk, &audit->offers[v], audit->ctx[v], NULL, NULL,
		      false) == TRY_FULL && talk->session)
		keep(kept, talk->session);
	talk_clear(talk);
	free(talk);
	if (*kept)
		SSL_SESSION_up_ref(*kept);
	return *kept;
}

/* ---- the whole -------------------------------------------------------------- */

static int set_up(struct audit *audit, FILE *err)
{
	const struct audit_plan *plan = audit->plan;

	for (int v = 0; v < TLS_VERSIONS; v++) {
		struct offer with = plan->offer;

		if (!plan->offer.versions[v])
			continue;
		audit->seen->versions[v].wanted = true;
		with.versions[TLS_V12] = v == TLS_V12;
		with.versions[TLS_V13] = v == TLS_V13;
		audit->offers[v] = with;
		audit->offers[v].cert = audit->offers[v].key = NULL;
		audit->ctx[v] = talk_context(&audit->offers[v], err);
		if (!audit->ctx[v])
			return -1;
		if (!with.cert)
			continue;
		audit->auth_ctx[v] = talk_context(&with, err);
		if (!audit->auth_ctx[v])
			return -1;
	}
	return 0;
}

static void tear_down(struct audit *audit)
{
	for (int v = 0; v < TLS_VERSIONS; v++) {
		SSL_CTX_free(audit->ctx[v]);
		SSL_CTX_free(audit->auth_ctx[v]);
		SSL_SESSION_free(audit->kept[v]);
		SSL_SESSION_free(audit->aside[v]);
	}
}

static void note_others(struct audit_seen *seen, const struct audit_plan *plan)
{
	seen->n_names = plan->n_others;
	for (size_t i = 0; i < plan->n_others; i++)
		snprintf(seen->names[i].name, sizeof(seen->names[i].name), "%s",
			 plan->others[i]);
	seen->n_hosts = plan->n_hosts;
	for (size_t i = 0; i < plan->n_hosts; i++)
		snprintf(seen->hosts[i].name, sizeof(seen->hosts[i].name), "%s",
			 plan->hosts[i].text);
	seen->auth_wanted = plan->auth != NULL;
	seen->cert_given = plan->offer.cert != NULL;
	seen->watch_s = plan->watch_s;
}

int audit_run(const struct audit_plan *plan, struct audit_result *out,
	      FILE *err)
{
	struct audit audit = {
		.plan = plan,
		.seen = &out->seen,
		.name = plan->offer.tls.sni ? plan->offer.tls.sni
					    : plan->address.host,
		.literal = !plan->offer.tls.sni && plan->address.literal,
		.err = err,
	};
	int rc;

	memset(out, 0, sizeof(*out));
	note_others(&out->seen, plan);
	rc = set_up(&audit, err);
	if (rc == 0) {
		fprintf(err, "stekprobe: at most %u connections, one after "
			"another\n", audit_most(plan));
		for (int v = 0; v < TLS_VERSIONS; v++) {
			if (!out->seen.versions[v].wanted)
				continue;
			audit_form(&audit, (enum tls_version)v);
			audit_others(&audit, (enum tls_version)v);
		}
		audit_watch(&audit);
	}
	tear_down(&audit);
	audit_judge(&out->seen, out->findings);
	return rc;
}

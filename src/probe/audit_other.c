/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where else the audit takes a ticket: to other names of the server, to other
 * addresses, past client authentication, and through time.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/x509v3.h>

#include "audit_private.h"
#include "conn.h"
#include "stop.h"

#define PAST_S 2	/* beyond a lifetime: past any rounding */

/* ---- other names, other addresses ------------------------------------------- */

static bool same_certificate(const struct audit *audit, enum tls_version v,
			     const struct talk *talk)
{
	for (int i = 0; i < AUDIT_BASE; i++) {
		if (talk->n_certs && audit->prints[v][i][0] &&
		    strcmp(audit->prints[v][i], talk->certs[0].fingerprint) ==
		    0)
			return true;
	}
	return false;
}

/* Is the certificate of the first name good for this one? */
static bool covered(const SSL_SESSION *session, const char *name, bool literal)
{
	X509 *own = SSL_SESSION_get0_peer((SSL_SESSION *)session);

	if (!own)
		return false;
	return literal ? X509_check_ip_asc(own, name, 0) == 1
		       : X509_check_host(own, name, 0, 0, NULL) == 1;
}

/* `name` and `at` are what a client of that server would use. */
static void other(struct audit *audit, struct audit_other *out,
		  enum tls_version v, const char *name, bool literal,
		  const struct address *at, struct talk *talk)
{
	struct offer offer = audit->offers[v];
	SSL_SESSION *session;
	bool right;

	if (audit->seen->versions[v].again != TRY_RESUMED)
		return;
	offer.tls.sni = literal ? NULL : name;
	out->full[v] = audit_try(audit, talk, &offer, audit->ctx[v], at, NULL,
				 false);
	out->same_certificate[v] = same_certificate(audit, v, talk);
	right = talk->name_matches;
	talk_clear(talk);
	if (out->full[v] != TRY_FULL)
		return;
	session = audit_ticket(audit, v);
	if (!session)
		return;
	out->covered[v] = right && covered(session, name, literal);
	out->resumed[v] = audit_try(audit, talk, &offer, audit->ctx[v], at,
				    session, false);
	talk_clear(talk);
	SSL_SESSION_free(session);
}

/* ---- client certificates ---------------------------------------------------- */

static void barred(struct audit *audit, enum tls_version v,
		   const struct offer *offer, struct talk *talk)
{
	struct audit_auth *auth = &audit->seen->auth[v];
	SSL_SESSION *session;

	auth->bare = audit_try(audit, talk, offer, audit->ctx[v], NULL, NULL,
			       true);
	auth->bare_status = talk->page.status;
	auth->asked = flight_find(&talk->flight, true,
				  HS_CERTIFICATE_REQUEST) >= 0;
	talk_clear(talk);
	if (!auth->asked || audit->seen->versions[v].again != TRY_RESUMED)
		return;
	session = audit_ticket(audit, v);
	if (!session)
		return;
	auth->entered = audit_try(audit, talk, offer, audit->ctx[v], NULL,
				  session, true);
	auth->entered_status = talk->page.status;
	talk_clear(talk);
	SSL_SESSION_free(session);
}

/* Our certificate in the form in which it stands in a ticket, if it does. */
static unsigned certificate_in(const SSL_CTX *ctx, const SSL_SESSION *session)
{
	X509 *own = SSL_CTX_get0_certificate(ctx);
	struct audit_marks marks = {0};
	const unsigned char *ticket = NULL;
	unsigned char *der = NULL;
	int len = own ? i2d_X509(own, &der) : 0;
	size_t ticket_len = 0;
	unsigned out;

	marks.certificate = der;
	marks.certificate_len = len > 0 ? (size_t)len : 0;
	SSL_SESSION_get0_ticket(session, &ticket, &ticket_len);
	out = audit_reveals(&marks, ticket, ticket_len);
	OPENSSL_free(der);
	return out;
}

static void carried(struct audit *audit, enum tls_version v,
		    const struct offer *offer, struct talk *talk)
{
	struct audit_version *version = &audit->seen->versions[v];
	struct audit_auth *auth = &audit->seen->auth[v];
	SSL_SESSION *session = NULL;
	const unsigned char *ticket;

	auth->with = audit_try(audit, talk, offer, audit->auth_ctx[v], NULL,
			       NULL, true);
	if (auth->with == TRY_FULL && talk->session) {
		session = talk->session;
		SSL_SESSION_up_ref(session);
		SSL_SESSION_get0_ticket(session, &ticket, &version->auth_size);
		version->reveals |= certificate_in(audit->auth_ctx[v], session);
	}
	talk_clear(talk);
	if (!session)
		return;
	auth->carried = audit_try(audit, talk, &audit->offers[v],
				  audit->ctx[v], NULL, session, true);
	talk_clear(talk);
	SSL_SESSION_free(session);
}

void audit_others(struct audit *audit, enum tls_version v)
{
	const struct audit_plan *plan = audit->plan;
	struct talk *talk = calloc(1, sizeof(*talk));
	struct offer offer = audit->offers[v];

	if (!talk)
		return;
	for (size_t i = 0; i < plan->n_others; i++)
		other(audit, &audit->seen->names[i], v, plan->others[i], false,
		      NULL, talk);
	for (size_t i = 0; i < plan->n_hosts; i++) {
		const struct address *at = &plan->hosts[i];
		bool own = at->literal && !audit->literal;

		other(audit, &audit->seen->hosts[i], v,
		      own ? audit->name : at->host, at->literal && !own, at,
		      talk);
	}
	if (plan->auth && audit->seen->versions[v].spoken) {
		offer.tls.sni = plan->auth;
		barred(audit, v, &offer, talk);
		if (audit->auth_ctx[v] && audit->seen->auth[v].asked)
			carried(audit, v, &offer, talk);
	}
	free(talk);
}

/* ---- time ------------------------------------------------------------------- */

/* When the ticket put aside is past its lifetime; 0: not in this watch. */
static int64_t past_due_s(const struct audit *audit, enum tls_version v,
			  int64_t end_s)
{
	const SSL_SESSION *session = audit->aside[v];
	unsigned long hint;
	int64_t due_s;

	if (!session || audit->seen->versions[v].past != TRY_NONE ||
	    audit->seen->versions[v].again != TRY_RESUMED)
		return 0;
	hint = SSL_SESSION_get_ticket_lifetime_hint(session);
	if (hint == 0 || hint > UINT32_MAX)
		return 0;
	due_s = (int64_t)SSL_SESSION_get_time(session) + (int64_t)hint + PAST_S;
	return due_s <= end_s ? due_s : 0;
}

static void past(struct audit *audit, enum tls_version v, struct talk *talk)
{
	struct audit_version *version = &audit->seen->versions[v];
	const SSL_SESSION *aside = audit->aside[v];
	int64_t age_s = time(NULL) - SSL_SESSION_get_time(aside);
	SSL_SESSION *session = audit_outlived(aside, (uint32_t)age_s);

	version->past_hint_s =
		(uint32_t)SSL_SESSION_get_ticket_lifetime_hint(aside);
	version->past_age_s = (uint32_t)age_s;
	version->past = TRY_FAILED;
	if (!session)
		return;
	version->past = audit_try(audit, talk, &audit->offers[v],
				  audit->ctx[v], NULL, session, false);
	talk_clear(talk);
	SSL_SESSION_free(session);
}

/* One look, and at the end as many as at the begin. */
static void look_round(struct audit *audit, enum tls_version v, unsigned round,
		       struct talk *talk)
{
	int times = round == AUDIT_ROUNDS ? AUDIT_BASE : 1;

	if (audit->seen->versions[v].n_tickets == 0)
		return;
	for (int i = 0; i < times; i++) {
		audit_look(audit, v, round, talk);
		talk_clear(talk);
	}
}

static void watch_on(struct audit *audit, int64_t begun_s, struct talk *talk)
{
	int64_t watch_s = audit->plan->watch_s, end_s = begun_s + watch_s;
	unsigned round = 1;

	while (round <= AUDIT_ROUNDS && !stop_asked()) {
		int64_t now_s = time(NULL);
		bool due = now_s >= begun_s + watch_s * round / AUDIT_ROUNDS;

		audit->seen->watched_s = (unsigned)(now_s - begun_s);
		for (int v = 0; v < TLS_VERSIONS; v++) {
			int64_t past_s = past_due_s(audit, (enum tls_version)v,
						    end_s);

			if (past_s && now_s >= past_s)
				past(audit, (enum tls_version)v, talk);
			if (due)
				look_round(audit, (enum tls_version)v, round,
					   talk);
		}
		round += due;
		poll(NULL, 0, due ? 0 : 100);
	}
}

void audit_watch(struct audit *audit)
{
	struct talk *talk = calloc(1, sizeof(*talk));
	int64_t begun_s = time(NULL);

	if (talk && audit->plan->watch_s && audit->seen->reached) {
		fprintf(audit->err, "stekprobe: watching for %u s\n",
			audit->plan->watch_s);
		watch_on(audit, begun_s, talk);
	}
	free(talk);
}

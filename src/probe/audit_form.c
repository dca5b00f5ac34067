/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the audit does with a server's own tickets of one version: takes some,
 * comes back with one, with one altered, without what makes a resumption safe,
 * and with early data twice. Every refusal that is to mean something has a
 * control: `again`, the ticket as it came.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit_private.h"

/* ---- what came -------------------------------------------------------------- */

static void read_ticket(struct audit *audit, enum tls_version v,
			const SSL_SESSION *session)
{
	struct audit_version *version = &audit->seen->versions[v];
	struct audit_marks marks = {.name = audit->literal ? NULL :
						    audit->name};
	const unsigned char *ticket = NULL;
	uint8_t secret[SSL_MAX_MASTER_KEY_LENGTH];
	size_t len = 0;

	SSL_SESSION_get0_ticket(session, &ticket, &len);
	marks.secret = secret;
	marks.secret_len = SSL_SESSION_get_master_key(session, secret,
						      sizeof(secret));
	version->reveals |= audit_reveals(&marks, ticket, len);
	OPENSSL_cleanse(secret, sizeof(secret));
}

static void compare(struct audit_version *version, const SSL_SESSION *a,
		    const SSL_SESSION *b)
{
	const unsigned char *at[2] = {NULL, NULL};
	size_t len[2] = {0, 0}, run;

	SSL_SESSION_get0_ticket(a, &at[0], &len[0]);
	SSL_SESSION_get0_ticket(b, &at[1], &len[1]);
	run = audit_same_run(at[0], len[0], at[1], len[1]);
	if (run > version->same_run)
		version->same_run = run;
}

static size_t hello_size(const struct talk *talk)
{
	int at = flight_find(&talk->flight, false, HS_CLIENT_HELLO);

	return at < 0 ? 0 : talk->flight.events[at].size;
}

/* One of the full handshakes to begin with; `before`: the ticket until then. */
static void base_one(struct audit *audit, enum tls_version v, int i,
		     struct talk *talk, SSL_SESSION **before)
{
	struct audit_version *version = &audit->seen->versions[v];

	if (audit_look(audit, v, 0, talk) != TRY_FULL)
		return;
	memcpy(audit->prints[v][i], talk->certs[0].fingerprint,
	       sizeof(audit->prints[v][i]));
	version->hello_without = hello_size(talk);
	version->ems = talk->ems;
	if (!talk->session)
		return;
	read_ticket(audit, v, talk->session);
	if (*before)
		compare(version, *before, talk->session);
	/* The first is for beyond its lifetime. */
	if (!*before) {
		SSL_SESSION_up_ref(talk->session);
		audit->aside[v] = talk->session;
	}
	SSL_SESSION_free(*before);
	SSL_SESSION_up_ref(talk->session);
	*before = talk->session;
}

static void base(struct audit *audit, enum tls_version v, struct talk *talk)
{
	struct audit_version *version = &audit->seen->versions[v];
	SSL_SESSION *before = NULL;

	for (int i = 0; i < AUDIT_BASE; i++) {
		base_one(audit, v, i, talk, &before);
		talk_clear(talk);
		/* A version that is not spoken is asked for once. */
		if (!version->spoken)
			break;
	}
	SSL_SESSION_free(before);
}

/* ---- coming back ------------------------------------------------------------ */

/* With a session of ours, whose reference it takes over; NULL: not tried. */
static enum audit_try with(struct audit *audit, enum tls_version v,
			   SSL_CTX *ctx, SSL_SESSION *session,
			   struct talk *talk)
{
	enum audit_try one = TRY_NONE;

	if (session)
		one = audit_try(audit, talk, &audit->offers[v], ctx, NULL,
				session, false);
	SSL_SESSION_free(session);
	if (session)
		talk_clear(talk);
	return one;
}

static void again(struct audit *audit, enum tls_version v, struct talk *talk)
{
	struct audit_version *version = &audit->seen->versions[v];
	SSL_SESSION *session = audit->kept[v];
	const unsigned char *ticket;

	if (!session)
		return;
	SSL_SESSION_get0_ticket(session, &ticket, &version->ticket_in_hello);
	SSL_SESSION_up_ref(session);
	version->again = with(audit, v, audit->ctx[v], session, talk);
	if (version->again != TRY_NONE)
		version->hello_with = hello_size(talk);
	if (version->again != TRY_RESUMED)
		return;
	SSL_SESSION_up_ref(session);
	version->reusable = with(audit, v, audit->ctx[v], session, talk) ==
			    TRY_RESUMED;
}

static void altered(struct audit *audit, enum tls_version v, struct talk *talk)
{
	struct audit_version *version = &audit->seen->versions[v];

	for (int p = 0; p < PLACES; p++) {
		version->alert[p] = -1;
		/* What fails once may have had bad luck. */
		for (int i = 0; i < 2; i++) {
			SSL_SESSION *own = audit_ticket(audit, v), *other;

			if (!own)
				return;
			other = audit_altered(own, (enum audit_place)p);
			SSL_SESSION_free(own);
			version->altered[p] = with(audit, v, audit->ctx[v],
						   other, talk);
			if (version->altered[p] != TRY_FAILED)
				break;
			version->alert[p] = talk->alert;
		}
	}
}

/* ---- what a resumption is worth --------------------------------------------- */

static void without_ems(struct audit *audit, struct talk *talk)
{
	struct audit_version *version = &audit->seen->versions[TLS_V12];
	const struct offer *offer = &audit->offers[TLS_V12];
	SSL_CTX *ctx = talk_context(offer, audit->err);
	SSL_SESSION *session = NULL;

	if (!ctx)
		return;
	SSL_CTX_set_options(ctx, SSL_OP_NO_EXTENDED_MASTER_SECRET);
	/* Refusing the client, or giving it no ticket, is as good. */
	version->no_ems = audit_try(audit, talk, offer, ctx, NULL, NULL, false);
	if (version->no_ems == TRY_FULL && talk->session) {
		session = talk->session;
		talk->session = NULL;
	}
	talk_clear(talk);
	if (session)
		version->no_ems = with(audit, TLS_V12, ctx, session, talk);
	SSL_CTX_free(ctx);
}

/* A context that offers psk_ke too, and these groups. */
static SSL_CTX *psk_ke_context(const struct offer *base_offer,
			       const char *groups, FILE *err)
{
	struct offer offer = *base_offer;
	SSL_CTX *ctx;

	if (groups)
		offer.tls.groups = groups;
	ctx = talk_context(&offer, err);
	if (ctx)
		SSL_CTX_set_options(ctx, SSL_OP_ALLOW_NO_DHE_KEX);
	return ctx;
}

/* RESUMED only where there was no key exchange. */
static enum audit_try try_psk_ke(struct audit *audit, SSL_CTX *ctx,
				 struct talk *talk)
{
	enum audit_try one = with(audit, TLS_V13, ctx,
				  audit_ticket(audit, TLS_V13), talk);

	return one == TRY_RESUMED && talk->flight.key_share ? TRY_FULL : one;
}

/*
 * A server that prefers psk_dhe_ke may still take psk_ke, and shows it when it
 * has no group in common with the client.
 */
static void psk_ke(struct audit *audit, struct talk *talk)
{
	static const char *const rare[] = {"X448", "P-521", "ffdhe8192",
					   "ffdhe2048"};
	struct audit_version *version = &audit->seen->versions[TLS_V13];
	const struct offer *offer = &audit->offers[TLS_V13];
	SSL_CTX *ctx = psk_ke_context(offer, NULL, audit->err);

	if (ctx)
		version->psk_ke = try_psk_ke(audit, ctx, talk);
	SSL_CTX_free(ctx);
	for (size_t i = 0; i < sizeof(rare) / sizeof(rare[0]) &&
	     version->psk_ke != TRY_RESUMED && !version->psk_ke_forced; i++) {
		enum audit_try full;

		ctx = psk_ke_context(offer, rare[i], audit->err);
		full = audit_try(audit, talk, offer, ctx, NULL, NULL, false);
		talk_clear(talk);
		/* The server has it: no use. */
		if (full == TRY_FAILED && talk->end == TALK_ALERTED) {
			version->psk_ke = try_psk_ke(audit, ctx, talk);
			version->psk_ke_forced = true;
		}
		SSL_CTX_free(ctx);
	}
}

/* ---- early data ------------------------------------------------------------- */

static bool early_once(struct audit *audit, const struct offer *offer,
		       SSL_SESSION *session, struct talk *talk)
{
	enum audit_try one = audit_try(audit, talk, offer, audit->ctx[TLS_V13],
				       NULL, session, false);

	talk_clear(talk);
	return one == TRY_RESUMED && talk->early_accepted;
}

/* A GET of "/", which is safe to carry out twice (RFC 9110 s9.2.1). */
static void early(struct audit *audit, struct talk *talk)
{
	struct audit_version *version = &audit->seen->versions[TLS_V13];
	struct offer offer = audit->offers[TLS_V13];
	bool v6 = strchr(audit->name, ':') != NULL;
	SSL_SESSION *session = audit_ticket(audit, TLS_V13);
	char request[400];

	if (session)
		version->early_max = SSL_SESSION_get_max_early_data(session);
	snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: %s%s%s\r\n"
		 "User-Agent: stekprobe\r\nConnection: close\r\n\r\n",
		 v6 ? "[" : "", audit->name, v6 ? "]" : "");
	if (version->early_max >= strlen(request)) {
		offer.early = request;
		version->early_tried = true;
		version->early_first = early_once(audit, &offer, session, talk);
		version->early_second = version->early_first &&
			early_once(audit, &offer, session, talk);
	}
	SSL_SESSION_free(session);
}

void audit_form(struct audit *audit, enum tls_version v)
{
	struct audit_version *version = &audit->seen->versions[v];
	struct talk *talk = calloc(1, sizeof(*talk));

	if (!talk)
		return;
	base(audit, v, talk);
	again(audit, v, talk);
	if (version->again == TRY_RESUMED)
		altered(audit, v, talk);
	if (v == TLS_V12 && version->n_tickets > 0)
		without_ems(audit, talk);
	if (v == TLS_V13 && version->again == TRY_RESUMED) {
		psk_ke(audit, talk);
		early(audit, talk);
	}
	free(talk);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Judges the form of tickets: protection, what a bad one does, what a resumed
 * connection is worth, early data, size. Pure, as audit_judge.c.
 */
#include <stdio.h>

#include "alert.h"
#include "audit_private.h"

#define RUN_MAX 16		/* bytes that two sealed tickets never share */
#define PACKET_ROOM 1448	/* TCP's share of an Ethernet frame, with options */

static const char *name_of(int version)
{
	return tls_version_name((enum tls_version)version);
}

/* ---- protection ------------------------------------------------------------- */

static void judge_readable(struct draft *draft, int v)
{
	const struct audit_version *version = &draft->seen->versions[v];

	if (version->reveals & REVEALS_SECRET)
		draft_found(draft, SEVERITY_CRITICAL, "%s: the ticket has the "
			    "session's secret in the clear", name_of(v));
	if (version->reveals & REVEALS_CERTIFICATE)
		draft_found(draft, SEVERITY_CRITICAL, "%s: the ticket has the "
			    "client's certificate in the clear", name_of(v));
	if (version->reveals & REVEALS_NAME)
		draft_found(draft, SEVERITY_CRITICAL, "%s: the ticket has the "
			    "server name in the clear", name_of(v));
	if (version->reveals & REVEALS_RUN)
		draft_found(draft, SEVERITY_CRITICAL, "%s: the ticket has one "
			    "byte 16 times in a row, which nothing sealed has",
			    name_of(v));
	if (version->same_run >= RUN_MAX)
		draft_found(draft, SEVERITY_CRITICAL, "%s: two tickets have %zu "
			    "bytes in common at one place", name_of(v),
			    version->same_run);
}

static void judge_altered(struct draft *draft, int v)
{
	const struct audit_version *version = &draft->seen->versions[v];
	unsigned tried = 0;

	/* A server with one key need not look at its name. */
	for (int p = PLACE_NONCE; p < PLACES; p++) {
		tried += version->altered[p] != TRY_NONE;
		if (version->altered[p] == TRY_RESUMED)
			draft_found(draft, SEVERITY_CRITICAL, "%s: a ticket "
				    "resumed with one bit of its %s byte "
				    "changed", name_of(v),
				    audit_place_name((enum audit_place)p));
	}
	if (version->again != TRY_RESUMED || tried == 0)
		draft_open(draft, "%s: whether altered tickets resume",
			   name_of(v));
	else
		draft_fine(draft, "%s: %zu tickets look sealed, and none "
			   "resumed altered", name_of(v), version->n_tickets);
}

static bool same_nonce(const struct flight_ticket *a,
		       const struct flight_ticket *b)
{
	if (a->nonce_len != b->nonce_len)
		return false;
	for (int i = 0; i < a->nonce_len; i++) {
		if (a->nonce[i] != b->nonce[i])
			return false;
	}
	return true;
}

static void judge_values(struct draft *draft,
			 const struct audit_version *version)
{
	unsigned ages = 0, nonces = 0;

	for (size_t i = 0; i < version->n_tickets; i++) {
		const struct audit_ticket *a = &version->tickets[i];

		for (size_t k = 0; k < i; k++) {
			const struct audit_ticket *b = &version->tickets[k];

			ages += a->seen.age_add == b->seen.age_add;
			/* Unique on one connection, RFC 8446 s4.6.1. */
			nonces += a->connection == b->connection &&
				  same_nonce(&a->seen, &b->seen);
		}
	}
	if (ages)
		draft_found(draft, SEVERITY_MEDIUM, "TLSv1.3: ticket_age_add is "
			    "the same in %u pair%s of tickets", ages,
			    ages == 1 ? "" : "s");
	if (nonces)
		draft_found(draft, SEVERITY_MEDIUM, "TLSv1.3: ticket_nonce comes "
			    "twice on one connection");
}

void audit_judge_unprotected(struct draft *draft)
{
	for (int v = 0; v < TLS_VERSIONS; v++) {
		const struct audit_version *version = &draft->seen->versions[v];

		if (!version->wanted)
			continue;
		if (version->n_tickets == 0) {
			draft_open(draft, "%s: no ticket came", name_of(v));
			continue;
		}
		judge_readable(draft, v);
		judge_altered(draft, v);
		if (v == TLS_V13)
			judge_values(draft, version);
	}
}

/* ---- a bad ticket ----------------------------------------------------------- */

void audit_judge_breaks(struct draft *draft)
{
	for (int v = 0; v < TLS_VERSIONS; v++) {
		const struct audit_version *version = &draft->seen->versions[v];
		unsigned good = 0, failed = 0;

		if (!version->wanted)
			continue;
		for (int p = 0; p < PLACES; p++) {
			enum audit_try one = version->altered[p];
			int alert = version->alert[p];

			good += one == TRY_FULL || one == TRY_RESUMED;
			if (one != TRY_FAILED)
				continue;
			failed++;
			draft_found(draft, SEVERITY_MEDIUM, "%s: with its %s "
				    "byte changed, twice %s", name_of(v),
				    audit_place_name((enum audit_place)p),
				    alert < 0 ? "closed" : alert_name(alert));
		}
		if (good == 0 && failed == 0)
			draft_open(draft, "%s: no ticket to alter", name_of(v));
		else if (failed == 0)
			draft_fine(draft, "%s: %u altered tickets, each a good "
				   "handshake", name_of(v), good);
	}
}

/* ---- what a resumption is worth --------------------------------------------- */

static void judge_ems(struct draft *draft, const struct audit_version *version)
{
	if (version->again == TRY_RESUMED && !version->ems)
		draft_found(draft, SEVERITY_MEDIUM, "TLSv1.2: sessions resume "
			    "and the server has no extended_master_secret");
	else if (version->no_ems == TRY_RESUMED)
		draft_found(draft, SEVERITY_LOW, "TLSv1.2: sessions of clients "
			    "without extended_master_secret resume");
	else if (version->no_ems == TRY_NONE)
		draft_open(draft, "TLSv1.2: no session without "
			   "extended_master_secret was had");
	else
		draft_fine(draft, "TLSv1.2: without extended_master_secret "
			   "nothing resumes");
}

static void judge_psk_ke(struct draft *draft,
			 const struct audit_version *version)
{
	if (version->psk_ke == TRY_RESUMED)
		draft_found(draft, SEVERITY_MEDIUM, "TLSv1.3: resumed under "
			    "psk_ke, without a key exchange");
	else if (version->again != TRY_RESUMED || version->psk_ke == TRY_NONE)
		draft_open(draft, "TLSv1.3: its own ticket did not resume");
	else
		draft_fine(draft, version->psk_ke_forced ?
			   "TLSv1.3: psk_ke is not taken" :
			   "TLSv1.3: psk_dhe_ke is preferred");
	/* Only without a common group could more be seen. */
	if (version->psk_ke == TRY_FULL && !version->psk_ke_forced)
		draft_open(draft, "TLSv1.3: psk_ke alone, as the server has "
			   "every group");
}

void audit_judge_weak(struct draft *draft)
{
	const struct audit_version *v12 = &draft->seen->versions[TLS_V12];
	const struct audit_version *v13 = &draft->seen->versions[TLS_V13];

	if (v12->wanted && !v12->spoken)
		draft_open(draft, "TLSv1.2: no handshake");
	else if (v12->wanted)
		judge_ems(draft, v12);
	if (v13->wanted && !v13->spoken)
		draft_open(draft, "TLSv1.3: no handshake");
	else if (v13->wanted)
		judge_psk_ke(draft, v13);
}

/* ---- early data ------------------------------------------------------------- */

void audit_judge_early(struct draft *draft)
{
	const struct audit_version *version = &draft->seen->versions[TLS_V13];

	if (!version->spoken || version->n_tickets == 0)
		draft_open(draft, "TLSv1.3: no ticket came");
	else if (version->early_max == 0)
		draft_fine(draft, "no early data is offered");
	else if (!version->early_tried || !version->early_first)
		draft_open(draft, "early data up to %u bytes is offered, but "
			   "was not accepted", version->early_max);
	else if (version->early_second)
		draft_found(draft, SEVERITY_HIGH, "the same ticket's early data "
			    "was accepted twice (up to %u bytes)",
			    version->early_max);
	else
		draft_fine(draft, "early data up to %u bytes was accepted once, "
			   "and not again", version->early_max);
}

/* ---- size ------------------------------------------------------------------- */

void audit_judge_size(struct draft *draft)
{
	for (int v = 0; v < TLS_VERSIONS; v++) {
		const struct audit_version *version = &draft->seen->versions[v];
		size_t most = version->auth_size, hello;

		if (!version->wanted)
			continue;
		for (size_t i = 0; i < version->n_tickets; i++) {
			if (version->tickets[i].seen.size > most)
				most = version->tickets[i].seen.size;
		}
		if (version->hello_with == 0) {
			draft_open(draft, "%s: no ticket was offered",
				   name_of(v));
			continue;
		}
		/* As if the largest ticket had been offered. */
		hello = version->hello_with - version->ticket_in_hello + most;
		if (hello > PACKET_ROOM && version->hello_without <= PACKET_ROOM)
			draft_found(draft, SEVERITY_LOW, "%s: a ticket of %zu "
				    "bytes%s makes a ClientHello of %zu, over "
				    "%d", name_of(v), most,
				    most == version->auth_size ?
				    " (after client authentication)" : "",
				    hello, PACKET_ROOM);
		else
			draft_fine(draft, "%s: %zu bytes", name_of(v), most);
	}
}

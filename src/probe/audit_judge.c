/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Judges what the audit has seen: lifetime, rotation, other names and hosts,
 * client certificates. Pure. Nothing is held against a server that may have
 * another reason: where no control shows that a ticket would have been taken,
 * a refusal proves nothing, and the finding is not judged.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "audit_private.h"

#define SHORT_NAME 4	/* bytes that random tickets do not begin with alike */

/* ---- drafts ----------------------------------------------------------------- */

__attribute__((format(printf, 3, 0)))
static void say(struct draft *draft, enum audit_outcome outcome,
		const char *form, va_list list)
{
	char *text = draft->text[outcome];
	size_t room = sizeof(draft->text[outcome]), len = strlen(text);

	if (len > 0 && len + 3 < room) {
		strcpy(text + len, "; ");
		len += 2;
	}
	vsnprintf(text + len, room - len, form, list);
}

void draft_found(struct draft *draft, enum severity severity, const char *form,
		 ...)
{
	va_list list;

	if (draft->text[AUDIT_FOUND][0] == '\0' ||
	    severity > draft->to->severity)
		draft->to->severity = severity;
	va_start(list, form);
	say(draft, AUDIT_FOUND, form, list);
	va_end(list);
}

void draft_fine(struct draft *draft, const char *form, ...)
{
	va_list list;

	va_start(list, form);
	say(draft, AUDIT_NOT_FOUND, form, list);
	va_end(list);
}

void draft_open(struct draft *draft, const char *form, ...)
{
	va_list list;

	va_start(list, form);
	say(draft, AUDIT_NOT_JUDGED, form, list);
	va_end(list);
}

/* The first of the outcomes that anything speaks for. */
static void finish(struct draft *draft)
{
	struct audit_finding *to = draft->to;
	const char *left = draft->text[AUDIT_NOT_JUDGED];

	to->outcome = AUDIT_FOUND;
	while (to->outcome < AUDIT_NOT_JUDGED &&
	       draft->text[to->outcome][0] == '\0')
		to->outcome++;
	snprintf(to->evidence, sizeof(to->evidence), "%s",
		 draft->text[to->outcome]);
	if (to->outcome != AUDIT_NOT_JUDGED && left[0])
		snprintf(to->evidence, sizeof(to->evidence), "%.300s (not "
			 "judged: %.300s)", draft->text[to->outcome], left);
}

/* ---- lifetime --------------------------------------------------------------- */

static void lifetime_past(struct draft *draft, const char *name,
			  const struct audit_version *version)
{
	if (version->past == TRY_RESUMED)
		draft_found(draft, SEVERITY_MEDIUM, "%s: a ticket with a "
			    "lifetime of %u s resumed after %u s", name,
			    version->past_hint_s, version->past_age_s);
	else if (version->past == TRY_FULL)
		draft_fine(draft, "%s: after %u s it did not resume", name,
			   version->past_age_s);
	else
		draft_open(draft, "%s: its end, which takes a longer --watch",
			   name);
}

static void judge_lifetime(struct draft *draft)
{
	for (int v = 0; v < TLS_VERSIONS; v++) {
		const struct audit_version *version = &draft->seen->versions[v];
		const char *name = tls_version_name((enum tls_version)v);
		uint32_t least = UINT32_MAX, most = 0;

		if (!version->wanted)
			continue;
		for (size_t i = 0; i < version->n_tickets; i++) {
			uint32_t s = version->tickets[i].seen.lifetime_s;

			most = s > most ? s : most;
			least = s < least ? s : least;
		}
		if (version->n_tickets == 0) {
			draft_open(draft, "%s: no ticket came", name);
			continue;
		}
		if (most > AUDIT_WEEK_S)
			draft_found(draft, SEVERITY_HIGH, "%s: a lifetime of "
				    "%u s (%.1f days) is hinted", name, most,
				    most / 86400.0);
		else if (least == 0)
			draft_found(draft, SEVERITY_LOW, "%s: a lifetime of 0 "
				    "is hinted, %s", name, v == TLS_V12 ?
				    "so each client sets its own" :
				    "so clients throw the ticket away");
		else
			draft_fine(draft, "%s: %u s", name, most);
		lifetime_past(draft, name, version);
	}
}

/* ---- rotation --------------------------------------------------------------- */

static size_t alike(const struct audit_ticket *a, const struct audit_ticket *b)
{
	size_t n = 0;

	if (!a->seen.named || !b->seen.named)
		return 0;
	while (n < KEY_NAME_LEN && a->seen.name[n] == b->seen.name[n])
		n++;
	return n;
}

/*
 * The longest beginning that a ticket of one round shares with one of the other,
 * of another connection; `which`: the former.
 */
static size_t shared(const struct audit_version *version, unsigned one,
		     unsigned other, const struct audit_ticket **which)
{
	size_t most = 0;

	for (size_t i = 0; i < version->n_tickets; i++) {
		const struct audit_ticket *a = &version->tickets[i];

		for (size_t k = 0; k < version->n_tickets; k++) {
			const struct audit_ticket *b = &version->tickets[k];
			size_t n;

			if (a->round != one || b->round != other ||
			    a->connection == b->connection)
				continue;
			n = alike(a, b);
			if (n > most) {
				most = n;
				*which = a;
			}
		}
	}
	return most;
}

/* Distinct first bytes. */
static unsigned names_of(const struct audit_version *version)
{
	unsigned n = 0;

	for (size_t i = 0; i < version->n_tickets; i++) {
		size_t k = 0;

		while (k < i && alike(&version->tickets[k],
				      &version->tickets[i]) < KEY_NAME_LEN)
			k++;
		n += k == i;
	}
	return n;
}

static void rotation_of(struct draft *draft, const char *name,
			const struct audit_version *version)
{
	const struct audit_ticket *which = NULL;
	size_t before = shared(version, 0, 0, &which);
	size_t after = shared(version, AUDIT_ROUNDS, AUDIT_ROUNDS, &which);
	size_t kept = shared(version, 0, AUDIT_ROUNDS, &which);
	char hex[9] = "";

	for (int i = 0; which && i < 4; i++)
		snprintf(hex + 2 * i, 3, "%02x", which->seen.name[i]);
	if (version->n_tickets == 0)
		draft_open(draft, "%s: no ticket came", name);
	else if (kept == KEY_NAME_LEN)
		draft_found(draft, SEVERITY_MEDIUM, "%s: key %s... sealed at the "
			    "begin and at the end of %u s (%zu tickets, %u key "
			    "name%s)", name, hex, draft->seen->watched_s,
			    version->n_tickets, names_of(version),
			    names_of(version) == 1 ? "" : "s");
	else if (before == KEY_NAME_LEN && after == KEY_NAME_LEN)
		draft_fine(draft, "%s: %u key names in %u s, none of the first "
			   "at the end", name, names_of(version),
			   draft->seen->watched_s);
	else if (kept >= SHORT_NAME)
		draft_open(draft, "%s: tickets have %zu bytes in common at their "
			   "begin, a key's name or the format's mark", name,
			   kept);
	else
		draft_open(draft, "%s: tickets do not begin with the name of a "
			   "key", name);
}

static void judge_rotation(struct draft *draft)
{
	const struct audit_seen *seen = draft->seen;

	if (seen->watch_s == 0) {
		draft_open(draft, "needs --watch with a time in which the keys "
			   "should have changed");
		return;
	}
	if (seen->watched_s < seen->watch_s) {
		draft_open(draft, "the watch ended after %u of %u s",
			   seen->watched_s, seen->watch_s);
		return;
	}
	for (int v = 0; v < TLS_VERSIONS; v++) {
		if (seen->versions[v].wanted)
			rotation_of(draft,
				    tls_version_name((enum tls_version)v),
				    &seen->versions[v]);
	}
}

/* ---- other names and hosts -------------------------------------------------- */

static void judge_other(struct draft *draft, const struct audit_other *other,
			enum tls_version v)
{
	const char *name = tls_version_name(v);

	if (draft->seen->versions[v].again != TRY_RESUMED)
		draft_open(draft, "%s: its own ticket did not resume", name);
	else if (other->full[v] != TRY_FULL)
		draft_open(draft, "%s: no handshake at %.64s", name,
			   other->name);
	else if (other->resumed[v] == TRY_FULL)
		draft_fine(draft, "%s: refused at %.64s", name, other->name);
	else if (other->resumed[v] != TRY_RESUMED)
		draft_open(draft, "%s: with the ticket the handshake at %.64s "
			   "failed", name, other->name);
	else if (other->same_certificate[v])
		draft_fine(draft, "%s: resumed at %.64s, which has the same "
			   "certificate", name, other->name);
	else if (other->covered[v])
		draft_fine(draft, "%s: resumed at %.64s, for which both "
			   "certificates are valid", name, other->name);
	else
		draft_found(draft, SEVERITY_HIGH, "%s: a ticket resumed at "
			    "%.64s, which has another certificate", name,
			    other->name);
}

static void judge_others(struct draft *draft, const struct audit_other *others,
			 size_t n, const char *option)
{
	if (n == 0)
		draft_open(draft, "needs %s", option);
	for (size_t i = 0; i < n; i++) {
		for (int v = 0; v < TLS_VERSIONS; v++) {
			if (draft->seen->versions[v].wanted)
				judge_other(draft, &others[i],
					    (enum tls_version)v);
		}
	}
}

static void judge_names(struct draft *draft)
{
	judge_others(draft, draft->seen->names, draft->seen->n_names,
		     "--other-sni with another name of this server");
}

static void judge_hosts(struct draft *draft)
{
	judge_others(draft, draft->seen->hosts, draft->seen->n_hosts,
		     "--also with another server's address");
}

/* ---- client certificates ---------------------------------------------------- */

/* A ticket got without a certificate, where one is demanded. */
static void judge_entered(struct draft *draft, const char *name,
			  const struct audit_version *version,
			  const struct audit_auth *auth)
{
	bool barred = auth->bare == TRY_FAILED || auth->bare_status >= 400;

	if (version->again != TRY_RESUMED)
		draft_open(draft, "%s: its own ticket did not resume", name);
	else if (!barred)
		draft_fine(draft, "%s: clients without a certificate are let in "
			   "anyway", name);
	else if (auth->entered == TRY_NONE)
		draft_open(draft, "%s: no ticket to try without a certificate",
			   name);
	else if (auth->entered != TRY_RESUMED)
		draft_fine(draft, "%s: a ticket without a certificate did not "
			   "resume", name);
	else if (auth->entered_status >= 400)
		draft_fine(draft, "%s: resumed without a certificate, but "
			   "refused by HTTP %d", name, auth->entered_status);
	else
		draft_found(draft, SEVERITY_CRITICAL, "%s: a ticket got without "
			    "a certificate resumed where one is demanded, and "
			    "was let in", name);
}

/* A ticket got with one, where none is asked for. */
static void judge_carried(struct draft *draft, const char *name, bool given,
			  const struct audit_auth *auth)
{
	if (!given)
		draft_open(draft, "%s: tickets of clients with a certificate, "
			   "which needs --cert and --key", name);
	else if (auth->with != TRY_FULL)
		draft_open(draft, "%s: the certificate was not accepted", name);
	else if (auth->carried == TRY_RESUMED)
		draft_found(draft, SEVERITY_HIGH, "%s: a ticket got with a "
			    "certificate resumed at the first name without one",
			    name);
	else if (auth->carried == TRY_FULL)
		draft_fine(draft, "%s: a ticket got with a certificate did not "
			   "resume at the first name", name);
	else
		draft_open(draft, "%s: no ticket of a client with a certificate "
			   "could be tried", name);
}

static void judge_auth(struct draft *draft)
{
	const struct audit_seen *seen = draft->seen;

	if (!seen->auth_wanted) {
		draft_open(draft, "needs --auth-name with a name that asks for "
			   "client certificates");
		return;
	}
	for (int v = 0; v < TLS_VERSIONS; v++) {
		const struct audit_auth *auth = &seen->auth[v];
		const char *name = tls_version_name((enum tls_version)v);

		if (!seen->versions[v].wanted)
			continue;
		if (!auth->asked) {
			draft_open(draft, "%s: it did not ask for a certificate",
				   name);
			continue;
		}
		judge_entered(draft, name, &seen->versions[v], auth);
		judge_carried(draft, name, seen->cert_given, auth);
	}
}

void audit_judge(const struct audit_seen *seen,
		 struct audit_finding out[AUDIT_FINDINGS])
{
	/* In the order of audit_rules. */
	static void (*const judges[AUDIT_FINDINGS])(struct draft *) = {
		judge_lifetime, judge_rotation, judge_names, judge_hosts,
		judge_auth, audit_judge_unprotected, audit_judge_breaks,
		audit_judge_weak, audit_judge_early, audit_judge_size,
	};

	for (int i = 0; i < AUDIT_FINDINGS; i++) {
		struct draft draft = {.seen = seen, .to = &out[i]};

		out[i] = (struct audit_finding){
			.rule = &audit_rules[i],
			.severity = audit_rules[i].severity,
		};
		judges[i](&draft);
		finish(&draft);
	}
}

int audit_verdict(const struct audit_result *result, enum severity fail_on)
{
	const struct audit_seen *seen = &result->seen;

	if (!seen->reached)
		return 3;
	if (!seen->versions[TLS_V12].spoken && !seen->versions[TLS_V13].spoken)
		return 1;
	for (int i = 0; i < AUDIT_FINDINGS; i++) {
		if (result->findings[i].outcome == AUDIT_FOUND &&
		    result->findings[i].severity >= fail_on)
			return 1;
	}
	return 0;
}

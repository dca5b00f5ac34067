/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * audit_seen.h - what stekprobe audit would have seen of a server with nothing to
 * find. The tests change one thing, and ask what becomes of each finding.
 */
#ifndef TESTS_AUDIT_SEEN_H
#define TESTS_AUDIT_SEEN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "probe/audit_private.h"

static struct audit_result *result;
static struct audit_seen *seen;

static void add_ticket(struct audit_version *version, unsigned connection,
		       unsigned round, uint8_t name)
{
	struct audit_ticket *ticket = &version->tickets[version->n_tickets++];

	*ticket = (struct audit_ticket){
		.connection = connection, .round = round,
		.seen = {.lifetime_s = 3600, .size = 200, .named = true,
			 .age_add = 1000 + (uint32_t)version->n_tickets,
			 .nonce = {(uint8_t)version->n_tickets},
			 .nonce_len = 8},
	};
	memset(ticket->seen.name, name, sizeof(ticket->seen.name));
}

/* A server with nothing to find, watched for an hour, with all options. */
static void set_up(void)
{
	result = calloc(1, sizeof(*result));
	ck_assert_ptr_nonnull(result);
	seen = &result->seen;
	*seen = (struct audit_seen){
		.reached = true, .watch_s = 3600, .watched_s = 3600,
		.n_names = 1, .names = {{.name = "b.example.test"}},
		.n_hosts = 1, .hosts = {{.name = "192.0.2.2:443"}},
		.auth_wanted = true, .cert_given = true,
	};
	for (int v = 0; v < TLS_VERSIONS; v++) {
		struct audit_version *version = &seen->versions[v];

		*version = (struct audit_version){
			.spoken = true, .wanted = true, .fulls = 6,
			.again = TRY_RESUMED, .reusable = true,
			.altered = {TRY_FULL, TRY_FULL, TRY_FULL, TRY_FULL},
			.alert = {-1, -1, -1, -1},
			.ems = true, .no_ems = TRY_FULL, .psk_ke = TRY_FAILED,
			.psk_ke_forced = true, .hello_with = 500,
			.hello_without = 300, .ticket_in_hello = 200,
			.past = TRY_FULL, .past_hint_s = 3600,
			.past_age_s = 3602,
		};
		for (unsigned c = 1; c <= 6; c++)
			add_ticket(version, c, c <= 3 ? 0 : AUDIT_ROUNDS,
				   c <= 3 ? 'a' : 'b');
		seen->names[0].full[v] = seen->hosts[0].full[v] = TRY_FULL;
		seen->names[0].resumed[v] = TRY_FULL;
		seen->hosts[0].resumed[v] = TRY_FULL;
		seen->auth[v] = (struct audit_auth){
			.asked = true, .bare = TRY_FAILED,
			.entered = TRY_FAILED, .with = TRY_FULL,
			.carried = TRY_FULL,
		};
	}
}

static void tear_down(void)
{
	free(result);
}

static const struct audit_finding *finding(const char *id)
{
	audit_judge(seen, result->findings);
	for (int i = 0; i < AUDIT_FINDINGS; i++) {
		if (strcmp(result->findings[i].rule->id, id) == 0)
			return &result->findings[i];
	}
	ck_abort_msg("no finding %s", id);
}

/* Only this one changed, to `outcome`; `part` stands in its evidence. */
static void expect(const char *id, enum audit_outcome outcome, const char *part)
{
	const struct audit_finding *one = finding(id);

	ck_assert_msg(one->outcome == outcome, "%s: %s", id, one->evidence);
	ck_assert_msg(strstr(one->evidence, part), "%s: %s", id, one->evidence);
	for (int i = 0; i < AUDIT_FINDINGS; i++) {
		const struct audit_finding *other = &result->findings[i];

		if (other != one)
			ck_assert_msg(other->outcome != AUDIT_FOUND, "%s: %s",
				      other->rule->id, other->evidence);
	}
}

static void expect_found(const char *id, enum severity severity,
			 const char *part)
{
	expect(id, AUDIT_FOUND, part);
	ck_assert_int_eq(finding(id)->severity, severity);
	ck_assert_int_eq(audit_verdict(result, severity), 1);
	if (severity < SEVERITY_CRITICAL)
		ck_assert_int_eq(audit_verdict(result, severity + 1), 0);
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ten findings of the audit: what each means, what to change, and the RFC
 * that says so. Ids are for programs and do not change.
 */
#include <string.h>

#include "audit.h"

const struct audit_rule audit_rules[AUDIT_FINDINGS] = {
	{"lifetime", "tickets live too long", SEVERITY_HIGH,
	 "Whoever gets the ticket key later reads and resumes sessions that old; "
	 "clients can be tracked as long.",
	 "Hint at most seven days, better hours, say so in TLS 1.2 too, and "
	 "refuse tickets that are older.",
	 "RFC 8446 section 4.6.1 (MUST NOT be over 604800 s); RFC 9325 section "
	 "3.4; RFC 5077 section 5.6"},
	{"key_not_rotated", "the ticket key does not change", SEVERITY_MEDIUM,
	 "One key that leaks opens every ticket of that time, and in TLS 1.2 "
	 "every recorded connection: forward secrecy is lost for as long.",
	 "Rotate ticket keys, on all servers together, and destroy old ones; a "
	 "key made at start-up is not rotated until a restart.",
	 "RFC 9325 section 3.4 (MUST be changed regularly); RFC 5077 section "
	 "5.5"},
	{"shared_across_names", "tickets of one name resume at another",
	 SEVERITY_HIGH,
	 "A client that is led to the other name is not shown that name's "
	 "certificate: hosts are not told apart, and what applies to one can be "
	 "had through the other.",
	 "Bind tickets to the host: a ticket key or a session id context for "
	 "each.",
	 "RFC 6066 section 3 (MUST NOT resume under another name); RFC 8446 "
	 "section 4.6.1"},
	{"shared_across_hosts", "tickets resume at a host of another identity",
	 SEVERITY_HIGH,
	 "Both have the same ticket key: who breaks into the lesser host can "
	 "read and resume the sessions of the other.",
	 "Share ticket keys among the nodes of one service only.",
	 "RFC 8446 section 4.6.1; RFC 9325 section 3.4; RFC 5077 section 5.5"},
	{"client_auth", "tickets get around client certificates",
	 SEVERITY_CRITICAL,
	 "A resumption asks for no certificate. So whoever holds such a ticket "
	 "enters without one, or takes an identity to where it was not shown.",
	 "Bind tickets to the host and to its rules for client certificates, or "
	 "give none where certificates are asked for.",
	 "RFC 6066 section 3; RFC 8446 sections 2.2 and 4.6.1; RFC 5246 "
	 "appendix F.1.4"},
	{"unprotected", "tickets can be read, altered or linked",
	 SEVERITY_CRITICAL,
	 "A ticket travels in the clear. What is not sealed in it gives the "
	 "session away, and what is not authenticated can be forged.",
	 "Seal tickets with an AEAD under random keys and a fresh nonce each; "
	 "draw ticket_age_add and ticket_nonce anew for each.",
	 "RFC 9325 section 3.4 (MUST be authenticated and encrypted); RFC 5077 "
	 "section 4; RFC 8446 section 4.6.1"},
	{"bad_ticket_fails", "a ticket that does not open breaks the handshake",
	 SEVERITY_MEDIUM,
	 "After a rotation, a restart or at another node clients fail to "
	 "connect, where they should only lose the resumption.",
	 "Take the client through a full handshake whatever its ticket is.",
	 "RFC 5077 section 3.1; RFC 8446 section 4.2.11"},
	{"weak_resumption", "resumed connections are weaker than full ones",
	 SEVERITY_MEDIUM,
	 "Without a fresh key exchange the ticket key opens the connection, "
	 "past ones too; without the extended master secret sessions can be "
	 "synchronised (triple handshake).",
	 "TLS 1.3: do not take psk_ke. TLS 1.2: negotiate "
	 "extended_master_secret, and do not resume sessions without it.",
	 "RFC 8446 sections 2.2 and 4.2.9; RFC 7627 sections 5.3 and 5.4"},
	{"early_data_replay", "early data is accepted twice", SEVERITY_HIGH,
	 "Whoever records a request in early data can send it again, and the "
	 "server carries it out again.",
	 "Turn early data off, or accept each ticket's once; let only safe "
	 "requests through (425 Too Early).",
	 "RFC 8446 section 8 (MUST at least limit it); RFC 8470 section 3"},
	{"ticket_size", "tickets are large", SEVERITY_LOW,
	 "The ClientHello does not fit one packet because of its ticket: a "
	 "resumption waits for a second one, and is lost with either.",
	 "Keep certificates and data out of tickets: a hash is enough.",
	 "RFC 5077 section 4; RFC 8446 section 4.2.11"},
};

static const char *const severities[SEVERITIES] = {
	[SEVERITY_LOW] = "low",
	[SEVERITY_MEDIUM] = "medium",
	[SEVERITY_HIGH] = "high",
	[SEVERITY_CRITICAL] = "critical",
};

const char *severity_name(enum severity severity)
{
	return severities[severity];
}

int severity_parse(const char *text, enum severity *out)
{
	for (int i = 0; i < SEVERITIES; i++) {
		if (strcmp(text, severities[i]) != 0)
			continue;
		*out = (enum severity)i;
		return 0;
	}
	return -1;
}

const char *audit_outcome_name(enum audit_outcome outcome)
{
	static const char *const names[] = {
		[AUDIT_FOUND] = "found",
		[AUDIT_NOT_FOUND] = "not_found",
		[AUDIT_NOT_JUDGED] = "not_judged",
	};

	return names[outcome];
}

const char *audit_place_name(enum audit_place place)
{
	static const char *const names[PLACES] = {
		[PLACE_NAME] = "first",
		[PLACE_NONCE] = "21st",
		[PLACE_MIDDLE] = "middle",
		[PLACE_END] = "last",
	};

	return names[place];
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * audit.h - stekprobe audit: what any TLS server does with its tickets, seen
 * from outside, and ten findings about it. audit.c and audit_other.c look,
 * audit_judge.c and audit_judge_form.c judge what was seen and nothing else.
 */
#ifndef PROBE_AUDIT_H
#define PROBE_AUDIT_H

#include "load.h"
#include "talk.h"

#define AUDIT_OTHERS_MAX 16	/* names and addresses, each */
#define AUDIT_TICKETS_MAX 64	/* of a version */
#define AUDIT_BASE 3		/* full handshakes to begin and to end with */
#define AUDIT_ROUNDS 8		/* looks during --watch, the first left out */
#define AUDIT_WEEK_S 604800	/* RFC 8446 s4.6.1 */

enum severity {
	SEVERITY_LOW,
	SEVERITY_MEDIUM,
	SEVERITY_HIGH,
	SEVERITY_CRITICAL,
	SEVERITIES,
};

/* ---- what was seen ---------------------------------------------------------- */

enum audit_try {
	TRY_NONE,		/* not made */
	TRY_FAILED,
	TRY_FULL,
	TRY_RESUMED,
};

struct audit_ticket {
	unsigned connection;	/* that brought it, from 1 */
	unsigned round;		/* 0: before the watch; AUDIT_ROUNDS: its end */
	struct flight_ticket seen;
};

/* What can be read in a ticket without any key. */
enum audit_reveals {
	REVEALS_SECRET = 1,	/* the session's own secret */
	REVEALS_CERTIFICATE = 2,	/* our certificate */
	REVEALS_NAME = 4,	/* the server name */
	REVEALS_RUN = 8,	/* the same byte, 16 times in a row */
};

/* Where one bit of a ticket was changed. */
enum audit_place { PLACE_NAME, PLACE_NONCE, PLACE_MIDDLE, PLACE_END, PLACES };

struct audit_version {
	bool spoken;		/* a full handshake ended well */
	bool wanted;		/* --tls allows it */
	size_t n_tickets;
	struct audit_ticket tickets[AUDIT_TICKETS_MAX];
	unsigned fulls;		/* connections that those came from */
	enum audit_try again;	/* its own ticket, once */
	bool reusable;		/* and once more */
	unsigned reveals;
	size_t same_run;	/* bytes alike in two, past the first 64 */
	enum audit_try altered[PLACES];
	int alert[PLACES];	/* that came of it, or -1 */
	bool ems;		/* agreed on when offered; TLS 1.2 */
	enum audit_try no_ems;	/* a session without it */
	enum audit_try psk_ke;	/* RESUMED: without a key exchange */
	bool psk_ke_forced;	/* tried without a group in common, too */
	uint32_t early_max;	/* 0: no early data offered */
	bool early_first, early_second;	/* accepted, of the same ticket */
	bool early_tried;
	size_t hello_with, hello_without;	/* bytes of a ClientHello */
	size_t ticket_in_hello;	/* of the former */
	size_t auth_size;	/* a ticket after client authentication */
	enum audit_try past;	/* beyond its lifetime */
	uint32_t past_hint_s, past_age_s;
};

/* The tickets at another name, or at another address. */
struct audit_other {
	char name[300];
	enum audit_try full[TLS_VERSIONS], resumed[TLS_VERSIONS];
	bool same_certificate[TLS_VERSIONS];
	bool covered[TLS_VERSIONS];	/* both certificates are for that name */
};

struct audit_auth {
	enum audit_try bare, entered;	/* no certificate: no ticket; ours */
	int bare_status, entered_status;	/* of HTTP; 0: none */
	bool asked;			/* for a certificate */
	enum audit_try with;		/* our certificate */
	enum audit_try carried;		/* that ticket at the first name */
};

struct audit_seen {
	bool reached;
	char peer[64];
	unsigned connections;
	unsigned watch_s, watched_s;	/* asked for, and done */
	struct audit_version versions[TLS_VERSIONS];
	size_t n_names, n_hosts;
	struct audit_other names[AUDIT_OTHERS_MAX], hosts[AUDIT_OTHERS_MAX];
	bool auth_wanted, cert_given;
	struct audit_auth auth[TLS_VERSIONS];
};

/* ---- what it means ---------------------------------------------------------- */

enum audit_outcome { AUDIT_FOUND, AUDIT_NOT_FOUND, AUDIT_NOT_JUDGED };

struct audit_rule {
	const char *id, *title;
	enum severity severity;		/* the worst that it can have */
	const char *means, *change, *rfc;
};

#define AUDIT_FINDINGS 10
extern const struct audit_rule audit_rules[AUDIT_FINDINGS];

struct audit_finding {
	const struct audit_rule *rule;
	enum audit_outcome outcome;
	enum severity severity;		/* of what was found */
	char evidence[640];
};

struct audit_plan {
	struct offer offer;		/* its certificate is for `auth` alone */
	struct address address;
	const char *others[AUDIT_OTHERS_MAX];
	size_t n_others;
	struct address *hosts;
	size_t n_hosts;
	const char *auth;		/* a name that wants a certificate */
	unsigned watch_s;
	enum severity fail_on;
};

struct audit_result {
	struct audit_seen seen;
	struct audit_finding findings[AUDIT_FINDINGS];
};

/* The most connections that this plan can take. */
unsigned audit_most(const struct audit_plan *plan);

/* 0, or -1 when the offer cannot be made (said on `err`). */
int audit_run(const struct audit_plan *plan, struct audit_result *out,
	      FILE *err);

/* Pure. Fills in all ten. */
void audit_judge(const struct audit_seen *seen,
		 struct audit_finding out[AUDIT_FINDINGS]);

/* 0; 1: found at or above `fail_on`, or no handshake; 3: not reached. */
int audit_verdict(const struct audit_result *result, enum severity fail_on);

const char *severity_name(enum severity severity);
int severity_parse(const char *text, enum severity *out);
const char *audit_outcome_name(enum audit_outcome outcome);
const char *audit_place_name(enum audit_place place);

/* audit_show.c: by `format`. */
void audit_print(const struct audit_plan *plan,
		 const struct audit_result *result, enum report_format format,
		 FILE *out);

#endif

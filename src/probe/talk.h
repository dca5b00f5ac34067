/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * talk.h - one connection, watched: what was offered, which messages went by,
 * what was negotiated, how it ended. It blocks until then.
 */
#ifndef PROBE_TALK_H
#define PROBE_TALK_H

#include "cert.h"
#include "flight.h"
#include "page.h"
#include "tls.h"

/* What the client offers; a NULL list is OpenSSL's own. */
struct offer {
	struct tls_options tls;
	bool versions[TLS_VERSIONS];
	const char *suites;	/* of both versions, by ':' */
	const char *schemes;	/* signature schemes, by ':' */
	const char *alpn;	/* by ',' */
	const char *cert, *key;	/* PEM files, or NULL */
	const char *keylog;	/* appended to, or NULL */
	bool fallback;		/* TLS_FALLBACK_SCSV, RFC 7507 */
	bool legacy;		/* TLS 1.0 on, and what is weak too */
	bool no_name;		/* no server_name */
	const char *early;	/* sent as early data, or NULL */
	unsigned timeout_s;
};

enum talk_stage {
	TALK_LOOKUP,
	TALK_CONNECT,
	TALK_HELLO,		/* no message of the server's yet */
	TALK_HANDSHAKE,
	TALK_ACCEPTANCE,	/* done here; has the server accepted? */
	TALK_ANSWER,
};

enum talk_end {
	TALK_GOOD,
	TALK_UNKNOWN_HOST,
	TALK_REFUSED,
	TALK_UNREACHABLE,
	TALK_TIMEOUT,
	TALK_CLOSED,		/* without an alert */
	TALK_RESET,
	TALK_ALERTED,		/* by the server */
	TALK_DECLINED,		/* by us */
	TALK_NOT_TLS,
	TALK_BROKEN,		/* memory, descriptors */
};

struct talk {
	enum talk_stage stage;	/* how far it came */
	enum talk_end end;
	bool accepted;		/* the server has shown that it goes on */
	int64_t connect_us, handshake_us, total_us;	/* 0: not done */
	struct flight flight;
	int alert;		/* that ended it, or -1 */
	enum flight_keys alert_keys;
	char error[160];	/* OpenSSL's word for it, or "" */
	uint8_t first[64];	/* the server's first bytes */
	size_t n_first;
	char peer[64];		/* the address that was connected to */

	bool resumed, offered;	/* a session */
	bool early_accepted;	/* the early data */
	bool ems;
	char version[16], suite[64], group[32], scheme[64];
	char alpn[64];		/* "" if none was agreed on */
	bool ca_known, ca_listed;	/* is our certificate's CA asked for? */
	size_t n_certs;
	struct cert certs[CERT_CHAIN_MAX];
	bool name_matches;	/* the first certificate has the host's name */
	long verify_error;	/* X509_V_ERR_..., of the first one */
	int verify_depth;

	struct page page;
	int64_t server_date_s;	/* the answer's Date; 0: none */
	int64_t begun_s;	/* wall clock */
	SSL_SESSION *session;	/* the newest with a ticket, or NULL */
};

/* A context for `offer`; NULL, with why on `err`, when it cannot be had. */
SSL_CTX *talk_context(const struct offer *offer, FILE *err);

/* Takes no reference to `resume` (NULL: none). `request`: ask for "/" too. */
void talk_run(struct talk *out, const struct offer *offer, SSL_CTX *ctx,
	      const struct address *address, SSL_SESSION *resume, bool request);
void talk_clear(struct talk *talk);

/* "closed", "alert_sent": the ends by name. */
const char *talk_end_name(enum talk_end end);
const char *talk_stage_name(enum talk_stage stage);

#endif

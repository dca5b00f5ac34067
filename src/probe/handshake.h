/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * handshake.h - stekprobe handshake: one connection explained, then one more
 * with its ticket, and what changed.
 */
#ifndef PROBE_HANDSHAKE_H
#define PROBE_HANDSHAKE_H

#include "explain.h"

struct handshake_plan {
	struct offer offer;
	struct address address;
	bool trials;		/* further connections, to find a cause */
};

struct handshake_result {
	struct talk first;
	bool twice;		/* there was a ticket to come back with */
	struct talk second;
	struct cert_own own;
	struct trials trials;
	struct causes causes;	/* of the connection that failed */
};

/* 0, or -1 when the offer cannot be made (said on `err`). */
int handshake_run(const struct handshake_plan *plan,
		  struct handshake_result *out, FILE *err);
void handshake_clear(struct handshake_result *result);

/*
 * 0; 1: a connection failed, or `expect` and the ticket did not resume; 3: the
 * server was not reached.
 */
int handshake_verdict(const struct handshake_result *result, bool expect);

/* trial.c: finds out more about `failed`; adds to `out`. */
void trial_run(struct trials *out, const struct handshake_plan *plan,
	       const struct talk *failed);

/* plain.c: true if the server speaks HTTP without TLS. */
bool plain_http(const struct address *address, unsigned timeout_s);

/* show.c, show_json.c, show_csv.c */
void handshake_print(const struct handshake_plan *plan,
		     const struct handshake_result *result, FILE *out);
void handshake_print_json(const struct handshake_plan *plan,
			  const struct handshake_result *result, FILE *out);
void handshake_print_csv(const struct handshake_result *result, FILE *out);

/* trial.c: the option that the trial changed, for people. */
const char *trial_aspect_name(enum aspect aspect);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dash.h - the parts of stekctl dashboard: the session (dash_session.c), what
 * of a request is let through (dash_gate.c), asking stekd (dash_forward.c), how
 * the token comes to the browser (dash_hand.c), the server (ctl_dashboard.c).
 */
#ifndef STEKCTL_DASH_H
#define STEKCTL_DASH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ctl.h"

/* ---- dash_session.c ------------------------------------------------------- */

#define DASH_TOKEN_LEN 64	/* 256 bits in hexadecimal */
#define DASH_UNUSED_MS (2 * 60 * 1000)
#define DASH_IDLE_MS (15 * 60 * 1000)

/*
 * One for the life of the program. The one-time token is exchanged for the
 * session's token; both are known by their SHA-256. Any thread may call; the
 * time is passed in, in milliseconds of any steady clock.
 */
struct dash_session;

enum dash_state {
	DASH_WAITING,	/* for the one-time token */
	DASH_OPEN,
	DASH_UNUSED,	/* ended: nobody came in time */
	DASH_IDLE,	/* ended: nobody asked for long */
	DASH_TWICE,	/* ended: the one-time token came again */
};

/* Writes the one-time token. NULL: no memory or no randomness. */
struct dash_session *dash_session_new(char once[DASH_TOKEN_LEN + 1],
				      int64_t now_ms);
void dash_session_free(struct dash_session *session);

/*
 * True if `given` is the one-time token and comes for the first time; `token`
 * gets the session's. A second time ends the session (RFC 6749 s4.1.2 does so
 * with its codes): one of the two was not the user.
 */
bool dash_session_exchange(struct dash_session *session, const char *given,
			   char token[DASH_TOKEN_LEN + 1], int64_t now_ms);

/* True if the Authorization header (may be NULL) has the session's token. */
bool dash_session_good(struct dash_session *session, const char *header,
		       int64_t now_ms);

/* A request, or a stream, that keeps the session from being idle. */
void dash_session_enter(struct dash_session *session);
void dash_session_leave(struct dash_session *session, int64_t now_ms);

/* Its state now; *next_ms: when to look again. */
enum dash_state dash_session_state(struct dash_session *session,
				   int64_t now_ms, int64_t *next_ms);

/* ---- dash_gate.c ---------------------------------------------------------- */

#define DASH_URI_MAX 512

struct dash_ask {
	const char *method, *uri;	/* as it came, with the query */
	const char *host, *origin, *type;	/* these and below: or NULL */
	const char *fetch_site, *fetch_mode, *fetch_dest;
};

enum dash_verdict {
	DASH_FILE,	/* a file of the page: to stekd, needs no token */
	DASH_FORWARD,	/* to stekd, with the session's token */
	DASH_FORM,	/* the one-time token, from the file we wrote */
	DASH_EXCHANGE,	/* the one-time token, typed into the page */
	DASH_BAD_HOST,
	DASH_BAD_SITE,
	DASH_BAD_METHOD,
	DASH_BAD_PATH,
	DASH_VERDICTS,
};

/* Pure. `port` is ours. */
enum dash_verdict dash_judge(const struct dash_ask *ask, unsigned port);

/* ---- dash_forward.c ------------------------------------------------------- */

#define DASH_STREAM "/v1/stream"
#define DASH_HEADERS_MAX 24

struct dash_header {
	char *name, *value;
};

/* An answer of stekd on its way. */
struct dash_answer;

struct dash_request {
	const char *method, *uri;
	const char *const *headers;	/* lines; NULL ends them */
	const char *body;
	size_t body_len;
	bool stream;		/* has no end of its own */
	int client_fd;		/* when it closes, so does a stream */
	const atomic_bool *stop;
};

/* Asks, and returns when the headers are there; NULL and `why` if not. */
struct dash_answer *dash_ask_stekd(const struct ctl_target *target,
				   const struct dash_request *request,
				   char *why, size_t why_len);
unsigned dash_answer_status(const struct dash_answer *answer);
const struct dash_header *dash_answer_headers(const struct dash_answer *answer,
					      size_t *n);

/* Waits for bytes of the body. Their number, 0 at the end, -1: broken off. */
ssize_t dash_answer_read(struct dash_answer *answer, char *out, size_t cap);
void dash_answer_free(struct dash_answer *answer);

/* ---- dash_hand.c ---------------------------------------------------------- */

struct dash_hand {
	char dir[128], file[160];
};

/* A page, for this user alone, that gives the token to our port. */
int dash_hand_write(struct dash_hand *hand, const char *once, unsigned port,
		    char *why, size_t why_len);
void dash_hand_remove(struct dash_hand *hand);

/* Shows the file in the user's browser, if there is a screen. */
bool dash_hand_open(const struct dash_hand *hand);

/*
 * True if the process that has the other end of a connection to our loopback
 * port is this user's, root's, or that of who logged in here.
 */
bool dash_peer_good(unsigned peer_port, unsigned port);

/* ---- ctl_dashboard.c ------------------------------------------------------ */

struct dash_options {
	unsigned port;		/* 0: any free one */
	bool no_open, json;
};

enum ctl_exit ctl_dashboard(const struct ctl_target *target,
			    const struct dash_options *options, FILE *out);

#endif

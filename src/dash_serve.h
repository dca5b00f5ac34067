/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dash_serve.h - the server of stekctl dashboard, for ctl_dashboard.c, which
 * starts and ends it: libmicrohttpd's callbacks.
 */
#ifndef STEKCTL_DASH_SERVE_H
#define STEKCTL_DASH_SERVE_H

#include <pthread.h>

#include <microhttpd.h>

#include "dash.h"
#include "deadline.h"

struct dash {
	const struct ctl_target *target;
	struct dash_session *session;
	struct deadlines *deadlines;
	struct MHD_Daemon *daemon;
	unsigned port;
	char url[64];
	char once[DASH_TOKEN_LEN + 1];	/* wiped when it was used */
	pthread_t waiter;	/* gets SIGUSR1 when the session changes */
	atomic_bool stop;
	atomic_uint streams;
	atomic_uint refused[DASH_VERDICTS];
	atomic_uint untold;	/* DASH_FORWARD without the session's token */
	atomic_uint strangers;	/* connections of other users */
};

int64_t dash_now_ms(void);

/* CTL_OK if stekd can be asked and has the page. */
enum ctl_exit dash_page_there(struct dash *dash, char *why, size_t why_len);

/* `cls` is the struct dash. */
enum MHD_Result dash_on_accept(void *cls, const struct sockaddr *address,
			       socklen_t len);
void *dash_on_uri(void *cls, const char *uri,
		  struct MHD_Connection *connection);
enum MHD_Result dash_on_request(void *cls, struct MHD_Connection *connection,
				const char *path, const char *method,
				const char *version, const char *data,
				size_t *len, void **context);
void dash_on_completed(void *cls, struct MHD_Connection *connection,
		       void **context, enum MHD_RequestTerminationCode code);
void dash_on_connection(void *cls, struct MHD_Connection *connection,
			void **context,
			enum MHD_ConnectionNotificationCode code);

/* ---- dash_say.c ----------------------------------------------------------- */

const char *dash_header(struct MHD_Connection *connection, const char *name);
struct deadline *dash_deadline(struct MHD_Connection *connection);

/* Answers with a copy of the text. */
enum MHD_Result dash_say(struct MHD_Connection *connection, unsigned status,
			 const char *type, const char *text, size_t len);

/* RFC 9457, as stekd's own. */
enum MHD_Result dash_problem(struct MHD_Connection *connection,
			     unsigned status, const char *title,
			     const char *detail);

/* Each is counted, and the first are told at the terminal. */
enum MHD_Result dash_refuse(struct dash *dash,
			    struct MHD_Connection *connection,
			    enum dash_verdict verdict);
enum MHD_Result dash_refuse_token(struct dash *dash,
				  struct MHD_Connection *connection);
enum MHD_Result dash_refuse_once(struct dash *dash,
				 struct MHD_Connection *connection);
void dash_refuse_peer(struct dash *dash);

/* How many requests were refused, if any. */
void dash_report(const struct dash *dash, FILE *out);

#endif

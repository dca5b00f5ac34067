/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dash_say.c - what stekctl dashboard answers by itself: refusals, which the
 * user at the terminal is told of, and short texts. Called by dash_serve.c.
 */
#include <stdlib.h>
#include <string.h>

#include "dash_serve.h"
#include "page_policy.h"
#include "text.h"

#define TELL_MAX 10		/* refusals that are told one by one */

const char *dash_header(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

struct deadline *dash_deadline(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info != NULL ? info->socket_context : NULL;
}

/* ---- answers of our own --------------------------------------------------- */

enum MHD_Result dash_say(struct MHD_Connection *connection, unsigned status,
			   const char *type, const char *text, size_t len)
{
	static const char *const headers[][2] = {
		{ "Cache-Control", "no-store" },
		{ "Content-Security-Policy", PAGE_POLICY },
		{ "Cross-Origin-Opener-Policy", "same-origin" },
		{ "Cross-Origin-Resource-Policy", "same-origin" },
		{ "Referrer-Policy", "no-referrer" },
		{ "X-Content-Type-Options", "nosniff" },
	};
	struct MHD_Response *response = MHD_create_response_from_buffer(
		len, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result;
	size_t i;

	if (response == NULL)
		return MHD_NO;
	MHD_add_response_header(response, "Content-Type", type);
	for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		MHD_add_response_header(response, headers[i][0], headers[i][1]);
	if (status == 405)
		MHD_add_response_header(response, "Allow", "GET, HEAD, POST");
	if (status == 503)
		MHD_add_response_header(response, "Retry-After", "5");
	deadline_restart(dash_deadline(connection));
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

enum MHD_Result dash_problem(struct MHD_Connection *connection,
			       unsigned status, const char *title,
			       const char *detail)
{
	json_t *json = json_pack("{s:s, s:s, s:i, s:s}", "type", "about:blank",
				 "title", title, "status", (int)status,
				 "detail", detail);
	char *text = json ? text_json(json, JSON_COMPACT) : NULL;
	enum MHD_Result result = MHD_NO;

	if (text != NULL)
		result = dash_say(connection, status, "application/problem+json",
			     text, strlen(text));
	free(text);
	json_decref(json);
	return result;
}

/* ---- refusals ------------------------------------------------------------- */

/* Said to the user at the terminal, the first few of them. */
static void tell(atomic_uint *count, const char *what, const char *value)
{
	char shown[64];
	size_t i;

	if (atomic_fetch_add(count, 1) >= TELL_MAX)
		return;
	for (i = 0; value[i] != '\0' && i + 1 < sizeof(shown); i++)
		shown[i] = value[i] > ' ' && value[i] <= '~' ? value[i] : '?';
	shown[i] = '\0';
	fprintf(stderr, "stekctl: refused %s%s%s\n", what, i ? ": " : "",
		shown);
}

enum MHD_Result dash_refuse(struct dash *dash,
			      struct MHD_Connection *connection,
			      enum dash_verdict verdict)
{
	const char *host = dash_header(connection, "Host");
	const char *origin = dash_header(connection, "Origin");
	atomic_uint *count = &dash->refused[verdict];

	switch (verdict) {
	case DASH_BAD_HOST:
		tell(count, "a request for another host", host ? host : "");
		return dash_problem(connection, 403, "Forbidden", "Host must be "
			       "127.0.0.1 or localhost, with the port");
	case DASH_BAD_SITE:
		tell(count, "a request of another site's page",
		     origin ? origin : "");
		return dash_problem(connection, 403, "Forbidden", "requests of "
			       "other sites' pages are refused");
	case DASH_BAD_METHOD:
		tell(count, "a request by another method", "");
		return dash_problem(connection, 405, "Method Not Allowed",
			       "only GET, HEAD and POST");
	default:
		tell(count, "a request for no good path", "");
		return dash_problem(connection, 404, "Not Found", "there is nothing "
			       "at this path");
	}
}

enum MHD_Result dash_refuse_token(struct dash *dash,
				    struct MHD_Connection *connection)
{
	tell(&dash->untold, "a request without the session's token", "");
	return dash_problem(connection, 401, "Unauthorized", "this needs the token "
		       "of the session that stekctl dashboard has begun");
}

enum MHD_Result dash_refuse_once(struct dash *dash,
			    struct MHD_Connection *connection)
{
	tell(&dash->untold, "a one-time token that is not good", "");
	return dash_problem(connection, 403, "Forbidden", "this one-time token is "
		       "wrong, was used, or is too old: start stekctl "
		       "dashboard again");
}

void dash_refuse_peer(struct dash *dash)
{
	tell(&dash->strangers, "a connection of another user", "");
}

void dash_report(const struct dash *dash, FILE *out)
{
	const unsigned counts[] = {
		atomic_load(&dash->refused[DASH_BAD_HOST]),
		atomic_load(&dash->refused[DASH_BAD_SITE]),
		atomic_load(&dash->refused[DASH_BAD_METHOD]) +
			atomic_load(&dash->refused[DASH_BAD_PATH]),
		atomic_load(&dash->untold), atomic_load(&dash->strangers),
	};

	if (counts[0] + counts[1] + counts[2] + counts[3] + counts[4] > 0)
		fprintf(out, "stekctl: refused: %u for another host, %u of "
			"other sites' pages, %u by method or path, %u without "
			"the token, %u connections of other users\n",
			counts[0], counts[1], counts[2], counts[3], counts[4]);
}


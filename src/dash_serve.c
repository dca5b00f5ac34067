/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dash_serve.c - the requests that come to stekctl dashboard: refused, answered
 * with the page and its session, or passed on to stekd. Called by libmicrohttpd,
 * a thread for each connection, as ctl_dashboard.c set it up.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dash_serve.h"

#define BODY_MAX (16 * 1024)	/* as stekd */
#define PAGE_MAX (1024 * 1024)
#define BLOCK (16 * 1024)
#define STREAMS_MAX 4

/* Where the page has its session's token, or "ask"; stekd leaves it empty. */
#define MARK "<meta name=\"stekd-session\" content=\""

/* One request while its body comes in. */
struct exchange {
	enum dash_verdict verdict;
	bool begun, over;
	size_t len;
	char uri[DASH_URI_MAX];
	char body[BODY_MAX + 1];
};

/* An answer of stekd on its way to the browser. */
struct passing {
	struct dash *dash;
	struct dash_answer *answer;
	struct deadline *deadline;
	bool stream, inside;
};

/* ---- passing on ----------------------------------------------------------- */

static void passing_free(void *cls)
{
	struct passing *passing = cls;

	dash_answer_free(passing->answer);
	if (passing->stream)
		atomic_fetch_sub(&passing->dash->streams, 1);
	if (passing->inside)
		dash_session_leave(passing->dash->session, dash_now_ms());
	free(passing);
}

/* Waits as long as stekd does; the browser must take it in its time. */
static ssize_t passing_read(void *cls, uint64_t at, char *out, size_t cap)
{
	struct passing *passing = cls;
	ssize_t n;

	(void)at;
	deadline_pause(passing->deadline);
	n = dash_answer_read(passing->answer, out, cap);
	deadline_restart(passing->deadline);
	if (n == 0)
		return MHD_CONTENT_READER_END_OF_STREAM;
	return n > 0 ? n : MHD_CONTENT_READER_END_WITH_ERROR;
}

/* Takes over `passing`. */
static enum MHD_Result pass(struct MHD_Connection *connection,
			    struct passing *passing)
{
	unsigned status = dash_answer_status(passing->answer);
	const struct dash_header *headers;
	struct MHD_Response *response;
	enum MHD_Result result;
	size_t i, n;

	response = MHD_create_response_from_callback(
		status != 304 ? MHD_SIZE_UNKNOWN : 0, BLOCK, passing_read, passing,
		passing_free);
	if (response == NULL) {
		passing_free(passing);
		return MHD_NO;
	}
	headers = dash_answer_headers(passing->answer, &n);
	for (i = 0; i < n; i++)
		MHD_add_response_header(response, headers[i].name,
					headers[i].value);
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

#define HEADER_MAX 400
#define CARRIED 6

static const char *const carried[CARRIED] = {
	"Accept", "Accept-Encoding", "Content-Type", "Idempotency-Key",
	"If-Match", "If-None-Match",
};

/* A condition that did not pass would be one that nobody has made. */
static bool can_carry(struct MHD_Connection *connection)
{
	const char *value;
	size_t i;

	for (i = 0; i < CARRIED; i++) {
		value = dash_header(connection, carried[i]);
		if (value != NULL && strlen(value) > HEADER_MAX)
			return false;
	}
	return true;
}

/* The headers that stekd looks at; `lines` points into `text`. */
static void carry(struct MHD_Connection *connection, char text[CARRIED][512],
		  const char *lines[CARRIED + 1])
{
	size_t i, n = 0;

	for (i = 0; i < CARRIED; i++) {
		const char *value = dash_header(connection, carried[i]);

		if (value == NULL)
			continue;
		/* libcurl leaves out an empty one, but for this form. */
		snprintf(text[n], 512, "%s%s%s", carried[i],
			 value[0] != '\0' ? ": " : ";", value);
		lines[n] = text[n];
		n++;
	}
	lines[n] = NULL;
}

static struct dash_answer *ask_stekd(struct dash *dash,
				     struct MHD_Connection *connection,
				     const char *method,
				     const struct exchange *exchange,
				     bool stream, char *why, size_t why_len)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	char text[CARRIED][512];
	const char *lines[CARRIED + 1];
	const struct dash_request request = {
		.method = method,
		.uri = exchange->uri,
		.headers = lines,
		.body = exchange->body,
		.body_len = exchange->len,
		.stream = stream,
		.client_fd = info != NULL ? info->connect_fd : -1,
		.stop = &dash->stop,
	};

	carry(connection, text, lines);
	return dash_ask_stekd(dash->target, &request, why, why_len);
}

static enum MHD_Result forward(struct dash *dash,
			       struct MHD_Connection *connection,
			       const char *method,
			       const struct exchange *exchange)
{
	size_t path_len = strcspn(exchange->uri, "?");
	struct passing *passing = calloc(1, sizeof(*passing));
	char why[512];

	if (passing == NULL)
		return MHD_NO;
	passing->dash = dash;
	passing->deadline = dash_deadline(connection);
	passing->inside = exchange->verdict == DASH_FORWARD;
	passing->stream = path_len == strlen(DASH_STREAM) &&
		strncmp(exchange->uri, DASH_STREAM, path_len) == 0;
	if (passing->inside)
		dash_session_enter(dash->session);
	if (passing->stream &&
	    atomic_fetch_add(&dash->streams, 1) >= STREAMS_MAX) {
		passing_free(passing);
		return dash_problem(connection, 503, "Service Unavailable",
			       "as many streams are open as may be");
	}
	passing->answer = ask_stekd(dash, connection, method, exchange,
				    passing->stream, why, sizeof(why));
	if (passing->answer == NULL) {
		passing_free(passing);
		return dash_problem(connection, 502, "Bad Gateway", why);
	}
	if (dash_answer_status(passing->answer) == 401) {
		passing_free(passing);
		return dash_problem(connection, 502, "Bad Gateway", "stekd does not "
			       "take the token of stekctl's --token-file");
	}
	return pass(connection, passing);
}

/* ---- the session ---------------------------------------------------------- */

/* The page as stekd has it; the caller frees. NULL: see `why`. */
static char *fetch_page(struct dash *dash, size_t *len, char *why,
			size_t why_len)
{
	const char *const none[] = { NULL };
	const struct dash_request request = { .method = "GET", .uri = "/",
		.headers = none, .client_fd = -1, .stop = &dash->stop };
	struct dash_answer *answer = dash_ask_stekd(dash->target, &request,
						    why, why_len);
	char *page = NULL;
	ssize_t n = -1;

	if (answer == NULL)
		return NULL;
	if (dash_answer_status(answer) == 200)
		page = malloc(PAGE_MAX);
	for (*len = 0; page != NULL && *len < PAGE_MAX - 1; *len += (size_t)n) {
		n = dash_answer_read(answer, page + *len, PAGE_MAX - 1 - *len);
		if (n <= 0)
			break;
	}
	if (page != NULL)
		page[*len] = '\0';
	if (n != 0 || strstr(page, MARK) == NULL) {
		snprintf(why, why_len, "this stekd has no dashboard at its "
			 "admin endpoint (status %u)",
			 dash_answer_status(answer));
		free(page);
		page = NULL;
	}
	dash_answer_free(answer);
	return page;
}

enum ctl_exit dash_page_there(struct dash *dash, char *why, size_t why_len)
{
	struct ctl_reply reply;
	enum ctl_exit result;
	char *page;
	size_t len;

	result = ctl_request(dash->target, "/v1/status", NULL, &reply, why,
			     why_len);
	if (result != CTL_OK)
		return result;
	if (reply.status != 200) {
		ctl_show_problem(&reply, stderr);
		snprintf(why, why_len, "stekd does not answer this user");
		result = CTL_REFUSED;
	}
	ctl_reply_clear(&reply);
	if (result != CTL_OK)
		return result;
	page = fetch_page(dash, &len, why, why_len);
	free(page);
	return page != NULL ? CTL_OK : CTL_REFUSED;
}

/* The page with this in the place of its session's token. */
static enum MHD_Result fill_page(struct dash *dash,
				 struct MHD_Connection *connection,
				 const char *content)
{
	enum MHD_Result result = MHD_NO;
	size_t len, content_len = strlen(content);
	char *page, *whole, *at;
	char why[512];

	page = fetch_page(dash, &len, why, sizeof(why));
	if (page == NULL)
		return dash_problem(connection, 502, "Bad Gateway", why);
	at = strstr(page, MARK) + strlen(MARK);
	whole = malloc(len + content_len + 1);
	if (whole != NULL) {
		snprintf(whole, len + content_len + 1, "%.*s%s%s",
			 (int)(at - page), page, content, at);
		result = dash_say(connection, 200, "text/html; charset=utf-8",
				  whole, len + content_len);
		explicit_bzero(whole, len + content_len);
	}
	free(whole);
	free(page);
	return result;
}

/* For the form of the file we wrote: the page with the session in it. */
static enum MHD_Result give_page(struct dash *dash,
				 struct MHD_Connection *connection,
				 const struct exchange *exchange)
{
	char token[DASH_TOKEN_LEN + 1];
	enum MHD_Result result;

	if (strncmp(exchange->body, "once=", 5) != 0 ||
	    !dash_session_exchange(dash->session, exchange->body + 5, token,
				   dash_now_ms()))
		return dash_refuse_once(dash, connection);
	result = fill_page(dash, connection, token);
	explicit_bzero(token, sizeof(token));
	return result;
}

/* Whoever comes without the file's form is to be asked for the token. */
static bool is_page(const char *method, const char *uri)
{
	size_t len = strcspn(uri, "?");

	return strcmp(method, "GET") == 0 &&
	       (len == 1 || (len == 11 && strncmp(uri, "/index.html", 11) == 0));
}

/* The session for a page into which the user typed the one-time token. */
static enum MHD_Result give_token(struct dash *dash,
				  struct MHD_Connection *connection)
{
	const char *given = dash_header(connection, "Authorization");
	char token[DASH_TOKEN_LEN + 1], text[DASH_TOKEN_LEN + 32];
	enum MHD_Result result;

	if (given == NULL || strncasecmp(given, "Bearer ", 7) != 0 ||
	    !dash_session_exchange(dash->session, given + 7, token,
				   dash_now_ms()))
		return dash_refuse_once(dash, connection);
	snprintf(text, sizeof(text), "{\"token\":\"%s\"}", token);
	result = dash_say(connection, 200, "application/json", text, strlen(text));
	explicit_bzero(token, sizeof(token));
	explicit_bzero(text, sizeof(text));
	return result;
}

/* ---- libmicrohttpd's callbacks -------------------------------------------- */

enum MHD_Result dash_on_accept(void *cls, const struct sockaddr *address,
			       socklen_t len)
{
	const struct sockaddr_in *peer = (const void *)address;
	struct dash *dash = cls;

	(void)len;
	if (dash_peer_good(ntohs(peer->sin_port), dash->port))
		return MHD_YES;
	dash_refuse_peer(dash);
	return MHD_NO;
}

/* The target as it came; what is too long is none. */
void *dash_on_uri(void *cls, const char *uri, struct MHD_Connection *connection)
{
	struct exchange *exchange = calloc(1, sizeof(*exchange));

	(void)cls;
	(void)connection;
	if (exchange != NULL && strlen(uri) < sizeof(exchange->uri))
		strcpy(exchange->uri, uri);
	return exchange;
}

/* The headers are there. Refuses early, or lets the body come. */
static enum MHD_Result begin(struct dash *dash,
			     struct MHD_Connection *connection,
			     const char *method, struct exchange *exchange)
{
	const char *length = dash_header(connection, "Content-Length");
	const struct dash_ask ask = {
		.method = method,
		.uri = exchange->uri,
		.host = dash_header(connection, "Host"),
		.origin = dash_header(connection, "Origin"),
		.type = dash_header(connection, "Content-Type"),
		.fetch_site = dash_header(connection, "Sec-Fetch-Site"),
		.fetch_mode = dash_header(connection, "Sec-Fetch-Mode"),
		.fetch_dest = dash_header(connection, "Sec-Fetch-Dest"),
	};

	exchange->begun = true;
	exchange->verdict = dash_judge(&ask, dash->port);
	if (exchange->verdict >= DASH_BAD_HOST)
		return dash_refuse(dash, connection, exchange->verdict);
	if (exchange->verdict == DASH_FORWARD &&
	    !dash_session_good(dash->session,
			       dash_header(connection, "Authorization"),
			       dash_now_ms()))
		return dash_refuse_token(dash, connection);
	if (length != NULL && strtoull(length, NULL, 10) > BODY_MAX)
		return dash_problem(connection, 413, "Content Too Large",
			       "the body is too long");
	if (!can_carry(connection))
		return dash_problem(connection, 431,
				    "Request Header Fields Too Large",
				    "a header is too long");
	return MHD_YES;
}

static enum MHD_Result finish(struct dash *dash,
			      struct MHD_Connection *connection,
			      const char *method, struct exchange *exchange)
{
	if (exchange->over)
		return dash_problem(connection, 413, "Content Too Large",
			       "the body is too long");
	exchange->body[exchange->len] = '\0';
	deadline_pause(dash_deadline(connection));
	if (exchange->verdict == DASH_FILE && is_page(method, exchange->uri))
		return fill_page(dash, connection, "ask");
	if (exchange->verdict == DASH_FILE || exchange->verdict == DASH_FORWARD)
		return forward(dash, connection, method, exchange);
	return exchange->verdict == DASH_FORM
		? give_page(dash, connection, exchange)
		: give_token(dash, connection);
}

enum MHD_Result dash_on_request(void *cls, struct MHD_Connection *connection,
				const char *path, const char *method,
				const char *version, const char *data,
				size_t *len, void **context)
{
	struct exchange *exchange = *context;

	(void)path;
	(void)version;
	if (exchange == NULL)
		return MHD_NO;
	if (!exchange->begun)
		return begin(cls, connection, method, exchange);
	if (*len == 0)
		return finish(cls, connection, method, exchange);
	if (*len > BODY_MAX - exchange->len) {
		exchange->over = true;
	} else {
		memcpy(exchange->body + exchange->len, data, *len);
		exchange->len += *len;
	}
	*len = 0;
	return MHD_YES;
}

void dash_on_completed(void *cls, struct MHD_Connection *connection,
		       void **context, enum MHD_RequestTerminationCode code)
{
	struct exchange *exchange = *context;
	struct dash *dash = cls;

	(void)code;
	if (exchange != NULL) {
		explicit_bzero(exchange->body, exchange->len);
		/* The answer is out: the session may have begun, or ended. */
		if (exchange->verdict == DASH_FORM ||
		    exchange->verdict == DASH_EXCHANGE)
			pthread_kill(dash->waiter, SIGUSR1);
	}
	free(exchange);
	*context = NULL;
	deadline_restart(dash_deadline(connection));
}

void dash_on_connection(void *cls, struct MHD_Connection *connection,
			void **context,
			enum MHD_ConnectionNotificationCode code)
{
	const union MHD_ConnectionInfo *info;
	struct dash *dash = cls;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		deadline_remove(*context);
		*context = NULL;
		return;
	}
	info = MHD_get_connection_info(connection,
				       MHD_CONNECTION_INFO_CONNECTION_FD);
	if (info != NULL)
		*context = deadline_add(dash->deadlines, info->connect_fd);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin.c - the HTTP endpoints by libmicrohttpd: up to three listeners, a
 * thread for each connection, so that a rotation that waits for the farm does
 * not hold up a scrape. Decides who may ask, collects the body, and lets
 * admin_route.c answer. Called by stekd.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "admin_auth.h"
#include "admin_http.h"
#include "admin_route.h"
#include "asset.h"
#include "generation.h"
#include "log.h"
#include "quota.h"
#include "sampler.h"

#define CONNECTIONS_MAX 128	/* of one listener */
#define CONNECTION_MEMORY (32 * 1024)

enum endpoint_kind { ENDPOINT_UNIX, ENDPOINT_TCP, ENDPOINT_OPEN, ENDPOINTS };

struct endpoint {
	struct admin *admin;
	enum endpoint_kind kind;
	struct MHD_Daemon *daemon;
	int fd;			/* -1: none; the daemon closes it */
	bool kept;		/* by systemd, with its path */
	struct settings_address bound;
};

struct admin {
	struct node *node;
	struct deadlines *deadlines;
	uint32_t deadline_ms;
	struct endpoint endpoints[ENDPOINTS];
};

/* One request while its body comes in. */
struct exchange {
	char who[32];
	size_t len;
	bool over;		/* the body is too big; the rest is dropped */
	char body[ADMIN_BODY_MAX + 1];
};

static const char *header(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static struct deadline *deadline_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info != NULL ? info->socket_context : NULL;
}

static void add_headers(struct MHD_Response *response,
			const struct admin_answer *answer)
{
	struct admin_headers headers;
	size_t i;

	admin_headers(answer, &headers);
	for (i = 0; i < headers.n; i++)
		MHD_add_response_header(response, headers.list[i].name,
					headers.list[i].value);
}

/* Takes over the answer's body. */
static enum MHD_Result respond(struct MHD_Connection *connection,
			       struct admin_answer *answer)
{
	struct MHD_Response *response;
	enum MHD_Result result;

	if (answer->body == NULL && answer->fixed == NULL)
		return MHD_NO;
	response = MHD_create_response_from_buffer(
		answer->len,
		answer->fixed ? (void *)(uintptr_t)answer->fixed : answer->body,
		answer->fixed ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_FREE);
	if (response == NULL) {
		admin_answer_clear(answer);
		return MHD_NO;
	}
	answer->body = NULL;
	add_headers(response, answer);
	deadline_restart(deadline_of(connection));
	result = MHD_queue_response(connection, answer->status, response);
	MHD_destroy_response(response);
	return result;
}

static bool peer_good(struct MHD_Connection *connection, char *who,
		      size_t who_len)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (info == NULL || getsockopt(info->connect_fd, SOL_SOCKET,
				       SO_PEERCRED, &peer, &len) != 0)
		return false;
	snprintf(who, who_len, "uid:%u", (unsigned)peer.uid);
	return peer.uid == 0 || peer.uid == geteuid();
}

/* The token is the present configuration's: a reload takes a new one. */
static bool token_good(struct node *node, const char *given)
{
	struct generation *generation = generation_take(node);
	bool good = auth_token_good(generation->token, given);

	generation_release(generation);
	return good;
}

/* RFC 6750 s3: who sent no token is not told that it was wrong. */
static void refuse_token(struct admin_answer *answer, const char *given)
{
	if (auth_is_bearer(given)) {
		admin_problem(answer, 401, NULL, "the bearer token is not "
			      "this node's");
		answer->challenge = "Bearer realm=\"stekd\", "
			"error=\"invalid_token\", error_description=\"the "
			"token is not this node's\"";
		return;
	}
	admin_problem(answer, 401, NULL, "a bearer token is needed, in the "
		      "Authorization header");
	answer->challenge = "Bearer realm=\"stekd\"";
}

static bool from_here(struct MHD_Connection *connection, unsigned port,
		      bool file)
{
	const char *origin = header(connection, "Origin");
	const char *site = header(connection, "Sec-Fetch-Site");
	const char *mode = header(connection, "Sec-Fetch-Mode");
	const char *dest = header(connection, "Sec-Fetch-Dest");

	/* A link from elsewhere may open the page, which then tells it nothing. */
	if (file && origin == NULL && mode != NULL && dest != NULL &&
	    strcmp(mode, "navigate") == 0 && strcmp(dest, "document") == 0)
		return true;
	return auth_origin_good(origin, site, port);
}

/* True if this peer may ask here; otherwise `answer` says no. */
static bool may_ask(const struct endpoint *endpoint,
		    struct MHD_Connection *connection,
		    const struct admin_request *request, char *who,
		    size_t who_len, struct admin_answer *answer)
{
	unsigned port = admin_socket_port(&endpoint->bound);
	/* The page asks for the token: it is shown before there is one. */
	bool file = strcmp(request->method, "POST") != 0 &&
		asset_find(request->path) != NULL;

	if (endpoint->kind == ENDPOINT_OPEN)
		return true;
	if (endpoint->kind == ENDPOINT_UNIX) {
		port = 0;
		if (!peer_good(connection, who, who_len)) {
			admin_problem_of(answer, PROBLEM_FORBIDDEN_PEER, NULL,
					 "only root and stekd's own user may "
					 "ask");
			return false;
		}
	}
	if (endpoint->kind == ENDPOINT_TCP &&
	    !auth_host_good(header(connection, "Host"), port)) {
		admin_problem_of(answer, PROBLEM_FORBIDDEN_HOST, NULL,
				 "Host must be 127.0.0.1, [::1] or localhost, "
				 "with the port");
		return false;
	}
	if (!from_here(connection, port, file)) {
		admin_problem_of(answer, PROBLEM_FORBIDDEN_ORIGIN, NULL,
				 "requests of other sites' pages are refused");
		return false;
	}
	if (endpoint->kind == ENDPOINT_TCP && !file) {
		snprintf(who, who_len, "token");
		if (!token_good(endpoint->admin->node,
				header(connection, "Authorization"))) {
			refuse_token(answer, header(connection,
						    "Authorization"));
			return false;
		}
	}
	return true;
}

static bool length_good(struct MHD_Connection *connection,
			struct admin_answer *answer)
{
	const char *length = header(connection, "Content-Length");

	if (length == NULL || strtoull(length, NULL, 10) <= ADMIN_BODY_MAX)
		return true;
	admin_problem(answer, 413, NULL, "the body must not exceed %d bytes",
		      ADMIN_BODY_MAX);
	return false;
}

static struct admin_request describe(const struct endpoint *endpoint,
				     struct MHD_Connection *connection,
				     const char *method, const char *path)
{
	return (struct admin_request){
		.method = method,
		.path = path,
		.content_type = header(connection, "Content-Type"),
		.from = endpoint->kind == ENDPOINT_UNIX ? "unix"
							: "loopback TCP",
		.request = header(connection, "Idempotency-Key"),
		.limit = MHD_lookup_connection_value(connection,
						     MHD_GET_ARGUMENT_KIND,
						     "limit"),
		.verify = MHD_lookup_connection_value(connection,
						      MHD_GET_ARGUMENT_KIND,
						      "verify"),
		.accept_encoding = header(connection, "Accept-Encoding"),
		.if_none_match = header(connection, "If-None-Match"),
		.open_only = endpoint->kind == ENDPOINT_OPEN,
	};
}

/* The headers are there. Refuses early, or makes room for the body. */
static enum MHD_Result begin(const struct endpoint *endpoint,
			     struct MHD_Connection *connection,
			     const char *method, const char *path,
			     struct exchange **out)
{
	struct admin_request request = describe(endpoint, connection, method,
						path);
	struct admin_answer answer = { 0 };
	struct exchange *exchange = malloc(sizeof(*exchange));

	if (exchange == NULL)
		return MHD_NO;
	exchange->len = 0;
	exchange->over = false;
	exchange->who[0] = '\0';
	if (may_ask(endpoint, connection, &request, exchange->who,
		    sizeof(exchange->who), &answer) &&
	    admin_parse_head(&request, &answer) &&
	    length_good(connection, &answer)) {
		*out = exchange;
		return MHD_YES;
	}
	free(exchange);
	return respond(connection, &answer);
}

static void collect(struct exchange *exchange, const char *data, size_t len)
{
	if (len > ADMIN_BODY_MAX - exchange->len) {
		exchange->over = true;
		return;
	}
	memcpy(exchange->body + exchange->len, data, len);
	exchange->len += len;
}

static enum MHD_Result finish(const struct endpoint *endpoint,
			      struct MHD_Connection *connection,
			      const char *method, const char *path,
			      const struct exchange *exchange)
{
	struct admin_request request = describe(endpoint, connection, method,
						path);
	struct admin_answer answer = { 0 };

	request.who = exchange->who;
	request.body = exchange->body;
	request.body_len = exchange->over ? ADMIN_BODY_MAX + 1 : exchange->len;
	deadline_pause(deadline_of(connection));
	admin_route(endpoint->admin->node, &request, &answer);
	if (answer.instance[0] != '\0')
		log_event(LOG_WARN, "request failed", "path", LOG_STR, path,
			  "status", LOG_INT, (int64_t)answer.status, "who",
			  LOG_STR, exchange->who, "instance", LOG_STR,
			  answer.instance, NULL);
	return respond(connection, &answer);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection,
				  const char *path, const char *method,
				  const char *version, const char *data,
				  size_t *len, void **context)
{
	const struct endpoint *endpoint = cls;
	struct exchange *exchange = *context;

	(void)version;
	if (exchange == NULL)
		return begin(endpoint, connection, method, path,
			     (struct exchange **)context);
	if (*len != 0) {
		collect(exchange, data, *len);
		*len = 0;
		return MHD_YES;
	}
	return finish(endpoint, connection, method, path, exchange);
}

static void on_completed(void *cls, struct MHD_Connection *connection,
			 void **context,
			 enum MHD_RequestTerminationCode code)
{
	(void)cls;
	(void)code;
	free(*context);
	*context = NULL;
	/* The next request on this connection has its own time. */
	deadline_restart(deadline_of(connection));
}

static void on_connection(void *cls, struct MHD_Connection *connection,
			  void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	const struct endpoint *endpoint = cls;
	const union MHD_ConnectionInfo *info;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		deadline_remove(*context);
		*context = NULL;
		return;
	}
	info = MHD_get_connection_info(connection,
				       MHD_CONNECTION_INFO_CONNECTION_FD);
	if (info != NULL)
		*context = deadline_add(endpoint->admin->deadlines,
					info->connect_fd);
}

static unsigned connections_most(void)
{
	unsigned share = quota_admin_share();

	return share < CONNECTIONS_MAX ? share : CONNECTIONS_MAX;
}

static int serve(struct endpoint *endpoint, char *why, size_t why_len)
{
	static const char *const roles[ENDPOINTS] = {
		[ENDPOINT_UNIX] = "admin",
		[ENDPOINT_TCP] = "admin",
		[ENDPOINT_OPEN] = "metrics",
	};

	endpoint->daemon = MHD_start_daemon(
		MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_THREAD_PER_CONNECTION |
			MHD_USE_ITC,
		0, NULL, NULL, on_request, endpoint,
		MHD_OPTION_LISTEN_SOCKET, (MHD_socket)endpoint->fd,
		MHD_OPTION_CONNECTION_LIMIT, connections_most(),
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, endpoint,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
	if (endpoint->daemon == NULL) {
		snprintf(why, why_len, "cannot start the HTTP server on %s: "
			 "%s", endpoint->bound.text, strerror(errno));
		return -1;
	}
	log_event(LOG_INFO, "listening", "address", LOG_STR,
		  endpoint->bound.text, "role", LOG_STR,
		  roles[endpoint->kind], NULL);
	return 0;
}

static int open_all(struct admin *admin, char *why, size_t why_len)
{
	const struct settings *settings = admin->node->fixed;
	struct endpoint *local = &admin->endpoints[ENDPOINT_UNIX];
	struct endpoint *tcp = &admin->endpoints[ENDPOINT_TCP];
	struct endpoint *open = &admin->endpoints[ENDPOINT_OPEN];

	if (settings->admin_socket != NULL) {
		local->fd = admin_socket_local(admin->node, &local->bound,
					       &local->kept, why, why_len);
		if (local->fd < 0)
			return -1;
	}
	if (settings->admin_listen.len != 0) {
		tcp->fd = admin_socket_net(admin->node, "admin-tcp",
					   &settings->admin_listen,
					   &tcp->bound, why, why_len);
		if (tcp->fd < 0)
			return -1;
	}
	if (settings->metrics_listen.len != 0) {
		open->fd = admin_socket_net(admin->node, "metrics",
					    &settings->metrics_listen,
					    &open->bound, why, why_len);
		if (open->fd < 0)
			return -1;
	}
	return 0;
}

static int open_with(struct admin **out, struct node *node,
		     uint32_t deadline_ms, char *why, size_t why_len)
{
	struct admin *admin = calloc(1, sizeof(*admin));
	int kind;

	if (admin == NULL) {
		snprintf(why, why_len, "out of memory");
		return -1;
	}
	admin->node = node;
	admin->deadline_ms = deadline_ms;
	for (kind = 0; kind < ENDPOINTS; kind++) {
		admin->endpoints[kind].admin = admin;
		admin->endpoints[kind].kind = (enum endpoint_kind)kind;
		admin->endpoints[kind].fd = -1;
	}
	if (open_all(admin, why, why_len) != 0) {
		admin_stop(admin);
		return -1;
	}
	*out = admin;
	return 0;
}

int admin_open(struct admin **out, struct node *node, char *why,
	       size_t why_len)
{
	return open_with(out, node, ADMIN_DEADLINE_MS, why, why_len);
}

int admin_serve(struct admin *admin, char *why, size_t why_len)
{
	int kind;

	admin->deadlines = deadlines_new(admin->deadline_ms);
	if (admin->deadlines == NULL ||
	    sampler_start(admin->node->sampler, NULL, NULL) != 0) {
		snprintf(why, why_len, "cannot start the admin endpoint's "
			 "thread");
		return -1;
	}
	for (kind = 0; kind < ENDPOINTS; kind++)
		if (admin->endpoints[kind].fd >= 0 &&
		    serve(&admin->endpoints[kind], why, why_len) != 0)
			return -1;
	return 0;
}

int admin_start_with(struct admin **out, struct node *node,
		     uint32_t deadline_ms, char *why, size_t why_len)
{
	if (open_with(out, node, deadline_ms, why, why_len) != 0)
		return -1;
	if (admin_serve(*out, why, why_len) == 0)
		return 0;
	admin_stop(*out);
	*out = NULL;
	return -1;
}

unsigned admin_port(const struct admin *admin, bool open)
{
	const struct endpoint *endpoint =
		&admin->endpoints[open ? ENDPOINT_OPEN : ENDPOINT_TCP];

	return endpoint->daemon ? admin_socket_port(&endpoint->bound) : 0;
}

void admin_stop(struct admin *admin)
{
	int kind;

	if (admin == NULL)
		return;
	if (admin->endpoints[ENDPOINT_UNIX].fd >= 0 &&
	    !admin->endpoints[ENDPOINT_UNIX].kept)
		unlink(admin->node->fixed->admin_socket);
	for (kind = 0; kind < ENDPOINTS; kind++)
		if (admin->endpoints[kind].daemon != NULL)
			MHD_stop_daemon(admin->endpoints[kind].daemon);
		else if (admin->endpoints[kind].fd >= 0)
			close(admin->endpoints[kind].fd);
	if (admin->deadlines != NULL)
		sampler_stop(admin->node->sampler);
	deadlines_free(admin->deadlines);
	free(admin);
}

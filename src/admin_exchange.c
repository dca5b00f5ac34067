/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_exchange.c - connections of the HTTP endpoints and the requests on them:
 * decides who may ask, collects the body, and lets admin_route.c answer. Called
 * by libmicrohttpd, for admin.c.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "admin_auth.h"
#include "admin_endpoint.h"
#include "admin_flow.h"
#include "admin_route.h"
#include "admin_tls.h"
#include "asset.h"
#include "generation.h"
#include "log.h"

/* One connection. */
struct link {
	struct deadline *deadline;
	bool verified;		/* ENDPOINT_TLS: by a host, as */
	struct admin_peer peer;
};

/* One request while its body comes in. */
struct exchange {
	char who[ADMIN_WHO_MAX];
	struct admin_grant grant;	/* of ENDPOINT_TLS */
	size_t len;
	bool over;		/* the body is too big; the rest is dropped */
	char body[ADMIN_BODY_MAX + 1];
};

static const char *header(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static struct link *link_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info != NULL ? info->socket_context : NULL;
}

static struct deadline *deadline_of(struct MHD_Connection *connection)
{
	const struct link *link = link_of(connection);

	return link != NULL ? link->deadline : NULL;
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
	admin_flow_headers(response, answer);
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
	return auth_origin_good(origin, site, port) &&
	       auth_origin_same(origin, header(connection, "Host"));
}

static bool may_ask_by_tls(const struct endpoint *endpoint,
			   struct MHD_Connection *connection,
			   const struct admin_request *request, bool file,
			   struct admin_grant *grant,
			   struct admin_answer *answer)
{
	const struct link *link = link_of(connection);
	const struct admin_site site = {
		.method = request->method,
		.file = file,
		.host = header(connection, "Host"),
		.origin = header(connection, "Origin"),
		.fetch_site = header(connection, "Sec-Fetch-Site"),
		.fetch_mode = header(connection, "Sec-Fetch-Mode"),
		.fetch_dest = header(connection, "Sec-Fetch-Dest"),
		.content_type = request->content_type,
		.request = request->request,
	};

	if (link != NULL && link->verified)
		return admin_tls_may_ask(endpoint->admin->node, &link->peer,
					 &site, grant, answer);
	admin_problem_of(answer, PROBLEM_FORBIDDEN_PEER, NULL,
			 "no host has verified who asks");
	return false;
}

/* True if this peer may ask here; otherwise `answer` says no. */
static bool may_ask(const struct endpoint *endpoint,
		    struct MHD_Connection *connection,
		    const struct admin_request *request,
		    struct exchange *exchange, struct admin_answer *answer)
{
	char *who = exchange->who;
	size_t who_len = sizeof(exchange->who);
	unsigned port = admin_socket_port(&endpoint->bound);
	/* The page asks for the token: it is shown before there is one. */
	bool file = strcmp(request->method, "POST") != 0 &&
		asset_find(request->path) != NULL;

	if (endpoint->kind == ENDPOINT_OPEN)
		return true;
	if (endpoint->kind == ENDPOINT_TLS)
		return may_ask_by_tls(endpoint, connection, request, file,
				      &exchange->grant, answer);
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
		.if_match = header(connection, "If-Match"),
		.if_none_match = header(connection, "If-None-Match"),
		.open_only = endpoint->kind == ENDPOINT_OPEN,
	};
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Who may not ask is counted and told, with what spoke against it. */
static void note_refusal(struct node *node, struct MHD_Connection *connection,
			 const struct admin_request *request,
			 const struct admin_answer *answer)
{
	static const struct {
		enum admin_problem problem;
		enum refused_kind kind;
		const char *header;
	} kinds[] = {
		{ PROBLEM_FORBIDDEN_PEER, REFUSED_PEER, NULL },
		{ PROBLEM_FORBIDDEN_HOST, REFUSED_HOST, "Host" },
		{ PROBLEM_FORBIDDEN_ORIGIN, REFUSED_ORIGIN, "Origin" },
		{ PROBLEM_UNAUTHORIZED, REFUSED_TOKEN, NULL },
		{ PROBLEM_FORBIDDEN_CERTIFICATE, REFUSED_CERTIFICATE, NULL },
		{ PROBLEM_FORBIDDEN_ROLE, REFUSED_ROLE, NULL },
	};
	const struct admin_grant *grant = request->grant;
	const char *value;
	char shown[80];
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (kinds[i].problem != answer->problem ||
		    !refused_count(&node->refused, kinds[i].kind, now_ms()))
			continue;
		value = kinds[i].header != NULL
			? header(connection, kinds[i].header) : NULL;
		snprintf(shown, sizeof(shown), "%s", value ? value : "");
		log_event(LOG_WARN, "request refused", "reason", LOG_STR,
			  refusal_name(kinds[i].kind), "method", LOG_STR,
			  request->method, "path", LOG_STR, request->path,
			  "who", LOG_SOME, grant != NULL ? grant->who : "",
			  "from", LOG_SOME, grant != NULL ? grant->from : "",
			  "found", LOG_SOME, shown,
			  "so_far", LOG_INT,
			  (int64_t)node->refused.counts[kinds[i].kind], NULL);
	}
}

static bool let_in(const struct endpoint *endpoint,
		   struct MHD_Connection *connection,
		   const struct admin_request *request,
		   struct exchange *exchange, struct admin_answer *answer)
{
	if (may_ask(endpoint, connection, request, exchange, answer) &&
	    admin_parse_head(request, answer))
		return true;
	note_refusal(endpoint->admin->node, connection, request, answer);
	return false;
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
	memset(&exchange->grant, 0, sizeof(exchange->grant));
	if (endpoint->kind == ENDPOINT_TLS)
		request.grant = &exchange->grant;
	if (let_in(endpoint, connection, &request, exchange, &answer) &&
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

/* Judged anew for each line of a stream, as if it were asked for now. */
static bool may_still(const void *cls, struct MHD_Connection *connection)
{
	const struct endpoint *endpoint = cls;
	struct admin_request request = describe(endpoint, connection, "GET",
						"/v1/stream");
	struct admin_answer answer = { 0 };
	struct exchange exchange;
	bool may;

	if (endpoint->kind == ENDPOINT_TLS)
		request.grant = &exchange.grant;
	may = may_ask(endpoint, connection, &request, &exchange, &answer) &&
	      admin_parse_head(&request, &answer);
	admin_answer_clear(&answer);
	return may;
}

static enum MHD_Result flow(const struct endpoint *endpoint,
			    struct MHD_Connection *connection,
			    struct admin_answer *answer)
{
	const struct admin_flow flow = {
		.connection = connection,
		.deadline = deadline_of(connection),
		.limit_ms = endpoint->admin->deadline_ms,
		.may = may_still,
		.endpoint = endpoint,
	};

	return admin_flow_begin(&flow, answer);
}

static enum MHD_Result finish(const struct endpoint *endpoint,
			      struct MHD_Connection *connection,
			      const char *method, const char *path,
			      struct exchange *exchange)
{
	struct admin_request request = describe(endpoint, connection, method,
						path);
	struct admin_answer answer = { 0 };

	request.who = exchange->who;
	if (endpoint->kind == ENDPOINT_TLS) {
		request.grant = &exchange->grant;
		request.who = exchange->grant.who;
		request.from = exchange->grant.from;
	}
	/* Again: who was denied while the body came must not undo it. */
	if (!let_in(endpoint, connection, &request, exchange, &answer))
		return respond(connection, &answer);
	request.body = exchange->body;
	request.body_len = exchange->over ? ADMIN_BODY_MAX + 1 : exchange->len;
	deadline_pause(deadline_of(connection));
	admin_route(endpoint->admin->node, &request, &answer);
	if (answer.instance[0] != '\0')
		log_event(LOG_WARN, "request failed", "path", LOG_STR, path,
			  "status", LOG_INT, (int64_t)answer.status, "who",
			  LOG_STR, request.who, "instance", LOG_STR,
			  answer.instance, NULL);
	if (answer.stream != NULL)
		return flow(endpoint, connection, &answer);
	return respond(connection, &answer);
}

enum MHD_Result admin_on_request(void *cls, struct MHD_Connection *connection,
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

void admin_on_completed(void *cls, struct MHD_Connection *connection,
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

void admin_on_connection(void *cls, struct MHD_Connection *connection,
			 void **context,
			 enum MHD_ConnectionNotificationCode code)
{
	const struct endpoint *endpoint = cls;
	const union MHD_ConnectionInfo *info;
	struct link *link = *context;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (link != NULL)
			deadline_remove(link->deadline);
		free(link);
		*context = NULL;
		return;
	}
	info = MHD_get_connection_info(connection,
				       MHD_CONNECTION_INFO_CONNECTION_FD);
	link = calloc(1, sizeof(*link));
	if (info == NULL || link == NULL) {
		free(link);
		return;
	}
	if (endpoint->kind == ENDPOINT_TLS)
		link->verified = admin_peer_receive(&link->peer,
						    info->connect_fd) == 0;
	link->deadline = deadline_add(endpoint->admin->deadlines,
				      info->connect_fd);
	*context = link;
}

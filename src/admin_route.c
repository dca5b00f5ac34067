/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_route.c - which request means what: the table of routes, methods and
 * content types. Called by admin.c with a whole request; knows no transport.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "admin_peer.h"
#include "admin_route.h"
#include "admin_stream.h"
#include "asset.h"
#include "metrics.h"

struct route {
	const char *path;
	bool change;	/* POST; otherwise GET and HEAD */
	bool open;	/* also on the tokenless listener */
	enum admin_role needs;	/* of a client certificate */
	void (*run)(struct node *node, const struct admin_call *call,
		    struct admin_answer *answer);
	bool (*body)(json_t *body, struct admin_call *call,
		     struct admin_answer *answer);
};

static void plain(struct admin_answer *answer, unsigned status,
		  const char *text)
{
	answer->status = status;
	answer->type = "text/plain; charset=utf-8";
	answer->body = strdup(text);
	answer->len = answer->body != NULL ? strlen(answer->body) : 0;
}

static void run_metrics(struct node *node, const struct admin_call *call,
			struct admin_answer *answer)
{
	FILE *out = open_memstream(&answer->body, &answer->len);

	(void)call;
	if (out == NULL) {
		admin_problem(answer, 500, NULL, "out of memory");
		return;
	}
	metrics_write(out, node);
	answer->status = 200;
	answer->type = "text/plain; version=0.0.4; charset=utf-8";
	if (fclose(out) != 0)
		admin_problem(answer, 500, NULL, "out of memory");
}

static void run_healthz(struct node *node, const struct admin_call *call,
			struct admin_answer *answer)
{
	(void)node;
	(void)call;
	plain(answer, 200, "ok\n");
}

static void run_readyz(struct node *node, const struct admin_call *call,
		       struct admin_answer *answer)
{
	struct admin_reasons not_ready, degraded;
	char text[2 * sizeof(not_ready.text)] = "";
	size_t i, len = 0;

	(void)call;
	admin_ready(node, &not_ready, &degraded);
	if (not_ready.n == 0)
		len += (size_t)snprintf(text, sizeof(text), "ready\n");
	for (i = 0; i < not_ready.n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s\n",
					not_ready.text[i]);
	/* Room for all is certain but for the prefix of very long ones. */
	for (i = 0; i < degraded.n && len < sizeof(text) - 128; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"degraded: %s\n", degraded.text[i]);
	plain(answer, not_ready.n == 0 ? 200 : 503, text);
}

static const struct route routes[] = {
	{ "/healthz", false, true, ROLE_READ, run_healthz, NULL },
	{ "/metrics", false, true, ROLE_READ, run_metrics, NULL },
	{ "/readyz", false, true, ROLE_READ, run_readyz, NULL },
	{ "/v1/audit", false, false, ROLE_READ, admin_audit_show, NULL },
	{ "/v1/deny", false, false, ROLE_READ, admin_deny_show, NULL },
	{ "/v1/deny", true, false, ROLE_REVOKE,
	  admin_deny_change, admin_body_deny },
	{ "/v1/farm-key", false, false, ROLE_READ, admin_farm_key_show, NULL },
	{ "/v1/farm-key/reload", true, false, ROLE_REVOKE,
	  admin_farm_key_reload, admin_body_empty },
	{ "/v1/keys", false, false, ROLE_READ, admin_show_keys, NULL },
	{ "/v1/nodes", false, false, ROLE_READ, admin_show_nodes, NULL },
	{ "/v1/openapi.json", false, false, ROLE_READ, admin_openapi_show,
	  NULL },
	{ "/v1/reload", true, false, ROLE_REVOKE,
	  admin_reload, admin_body_empty },
	{ "/v1/revoke", true, false, ROLE_REVOKE,
	  admin_change_revoke, admin_body_revoke },
	{ "/v1/ring", false, false, ROLE_READ, admin_ring_show, NULL },
	{ "/v1/rotate", true, false, ROLE_ROTATE,
	  admin_change_rotate, admin_body_rotate },
	{ "/v1/stats", false, false, ROLE_READ, admin_show_stats, NULL },
	{ "/v1/status", false, false, ROLE_READ, admin_show_status, NULL },
	{ "/v1/stream", false, false, ROLE_READ, admin_stream_show, NULL },
};

/* Every file of the dashboard; its path is in the call. */
static const struct route file_route = {
	"this", false, false, ROLE_READ, admin_asset_show, NULL,
};

static bool takes(const struct route *route, const char *method)
{
	if (route->change)
		return strcmp(method, "POST") == 0;
	return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

static const struct route *find(const struct admin_request *request,
				struct admin_answer *answer)
{
	const struct route *found = NULL;
	size_t i;

	for (i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		if (strcmp(routes[i].path, request->path) != 0 ||
		    (request->open_only && !routes[i].open))
			continue;
		/* A path that is read and changed has two routes. */
		if (takes(&routes[i], request->method))
			return &routes[i];
		found = &routes[i];
	}
	if (!request->open_only && asset_find(request->path) != NULL)
		found = &file_route;
	if (found == NULL)
		admin_problem(answer, 404, NULL,
			      "there is nothing at this path");
	return found;
}

static bool method_good(const struct route *route, const char *method,
			struct admin_answer *answer)
{
	bool both = route != &file_route && route > routes &&
		strcmp(route[-1].path, route->path) == 0;

	if (takes(route, method))
		return true;
	admin_problem(answer, 405, NULL, "%s takes %s only", route->path,
		      both ? "GET, HEAD and POST" :
		      route->change ? "POST" : "GET and HEAD");
	answer->allow = both ? "GET, HEAD, POST" :
		route->change ? "POST" : "GET, HEAD";
	return false;
}

/* "application/json", perhaps with parameters, or nothing at all. */
static bool type_good(const struct route *route, const char *type,
		      struct admin_answer *answer)
{
	static const char wanted[] = "application/json";
	size_t len = sizeof(wanted) - 1;

	if (!route->change || type == NULL ||
	    (strncasecmp(type, wanted, len) == 0 &&
	     (type[len] == '\0' || type[len] == ';' || type[len] == ' ')))
		return true;
	admin_problem(answer, 415, NULL, "the body must be %s", wanted);
	return false;
}

static bool role_good(const struct route *route,
		      const struct admin_grant *grant,
		      struct admin_answer *answer)
{
	if (grant == NULL || grant->role >= route->needs)
		return true;
	admin_problem_of(answer, PROBLEM_FORBIDDEN_ROLE,
			 json_pack("{s:s, s:s}", "role",
				   role_name(grant->role), "needs",
				   role_name(route->needs)),
			 "%s needs the role %s, and this certificate has %s",
			 route->path, role_name(route->needs),
			 role_name(grant->role));
	return false;
}

bool admin_parse_head(const struct admin_request *request,
		      struct admin_answer *answer)
{
	const struct route *route = find(request, answer);

	return route != NULL && method_good(route, request->method, answer) &&
	       role_good(route, request->grant, answer) &&
	       type_good(route, request->content_type, answer);
}

/* The body as an object; an empty one is {}. */
static json_t *body_object(const struct admin_request *request,
			   struct admin_answer *answer)
{
	json_error_t error;
	json_t *body;

	if (request->body_len > ADMIN_BODY_MAX) {
		admin_problem(answer, 413, NULL,
			      "the body must not exceed %d bytes",
			      ADMIN_BODY_MAX);
		return NULL;
	}
	if (request->body_len == 0)
		return json_object();
	body = json_loadb(request->body, request->body_len,
			  JSON_REJECT_DUPLICATES, &error);
	if (json_is_object(body))
		return body;
	json_decref(body);
	/* Whatever is wrong with a body has a text. */
	if (body == NULL && error.text[0] == '\0')
		admin_problem(answer, 500, NULL, "out of memory");
	else
		admin_problem(answer, 400, NULL,
			      "the body must be a JSON object");
	return NULL;
}

bool admin_parse(const struct admin_request *request, struct admin_call *call,
		 struct admin_answer *answer)
{
	const struct route *route;
	bool good = true;
	json_t *body;

	memset(call, 0, sizeof(*call));
	memset(answer, 0, sizeof(*answer));
	if (!admin_parse_head(request, answer))
		return false;
	route = find(request, answer);
	call->run = route->run;
	call->who = request->who;
	call->from = request->from;
	call->request = request->request;
	call->path = request->path;
	call->accept_encoding = request->accept_encoding;
	call->if_none_match = request->if_none_match;
	if (!admin_audit_query(request, call, answer) ||
	    !admin_ring_match(request, call, answer))
		return false;
	if (route->body != NULL) {
		body = body_object(request, answer);
		good = body != NULL && route->body(body, call, answer);
		json_decref(body);
	}
	return good;
}

void admin_route(struct node *node, const struct admin_request *request,
		 struct admin_answer *answer)
{
	struct admin_call call;

	if (admin_parse(request, &call, answer))
		call.run(node, &call, answer);
}

bool admin_route_list(size_t number, struct admin_route_facts *out)
{
	if (number >= sizeof(routes) / sizeof(routes[0]))
		return false;
	out->path = routes[number].path;
	out->method = routes[number].change ? "POST" : "GET";
	out->open = routes[number].open;
	out->needs = routes[number].needs;
	return true;
}

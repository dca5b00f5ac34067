/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_problem.c - errors as problem details (RFC 9457), from a table of
 * their kinds. Called by the routes and, for what is refused before routing,
 * by admin.c.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "admin_route.h"

#define RETRY_S 5	/* the store is asked every second or two */

static const struct {
	unsigned status;
	const char *name;
	const char *title;
} kinds[PROBLEMS] = {
	[PROBLEM_BAD_REQUEST] = { 400, "bad-request",
				  "The request is not understood" },
	[PROBLEM_UNAUTHORIZED] = { 401, "unauthorized",
				   "A bearer token is needed" },
	[PROBLEM_FORBIDDEN_PEER] = { 403, "forbidden-peer",
				     "This user may not ask" },
	[PROBLEM_FORBIDDEN_HOST] = { 403, "forbidden-host",
				     "The Host is another one" },
	[PROBLEM_FORBIDDEN_ORIGIN] = { 403, "forbidden-origin",
				       "The request comes from another site" },
	[PROBLEM_FORBIDDEN_CERTIFICATE] = { 403, "forbidden-certificate",
					    "The certificate is no longer "
					    "taken" },
	[PROBLEM_FORBIDDEN_ROLE] = { 403, "forbidden-role",
				     "The certificate's role does not allow "
				     "this" },
	[PROBLEM_NOT_FOUND] = { 404, "not-found",
				"There is nothing at this path" },
	[PROBLEM_NO_SUCH_KEY] = { 404, "no-such-key",
				  "The ring has no such key" },
	[PROBLEM_METHOD] = { 405, "method-not-allowed",
			     "The path does not take this method" },
	[PROBLEM_CONFLICT] = { 409, "conflict",
			       "The farm's state does not allow this" },
	[PROBLEM_RING_FULL] = { 409, "ring-full", "The ring is full" },
	[PROBLEM_UNDER_WAY] = { 409, "request-under-way",
				"The request of this name is under way" },
	[PROBLEM_CONFIGURATION] = { 409, "refused-configuration",
				    "The configuration is refused" },
	[PROBLEM_FARM_KEY] = { 409, "refused-farm-key",
			       "The farm-key file is refused" },
	[PROBLEM_PRECONDITION] = { 412, "precondition-failed",
				   "No such entity tag is here" },
	[PROBLEM_RING_MOVED] = { 412, "ring-moved",
				 "The ring is another than expected" },
	[PROBLEM_TOO_LARGE] = { 413, "content-too-large",
				"The body is too large" },
	[PROBLEM_MEDIA_TYPE] = { 415, "unsupported-media-type",
				 "The body is not JSON" },
	[PROBLEM_NAME_REUSED] = { 422, "idempotency-key-reused",
				  "The name was used for another request" },
	[PROBLEM_RATE_LIMITED] = { 429, "rate-limited",
				   "The last rotation is too short ago" },
	[PROBLEM_INTERNAL] = { 500, "internal", "The node failed" },
	[PROBLEM_DENY_NOT_STORED] = { 500, "deny-not-stored",
				      "The denial is not in the file" },
	[PROBLEM_UNAVAILABLE] = { 503, "unavailable",
				  "The store does not answer" },
	[PROBLEM_BUSY] = { 503, "busy", "The node serves no more of these" },
	[PROBLEM_REVOKED_HERE] = { 503, "revoked-here",
				   "Revoked on this node only" },
	[PROBLEM_NODES_LATE] = { 504, "nodes-late",
				 "Not every node answered in time" },
};

const char *admin_problem_name(enum admin_problem kind)
{
	return kinds[kind].name;
}

const char *admin_problem_title(enum admin_problem kind)
{
	return kinds[kind].title;
}

unsigned admin_problem_status(enum admin_problem kind)
{
	return kinds[kind].status;
}

static enum admin_problem kind_of(unsigned status)
{
	int kind;

	for (kind = 0; kind < PROBLEMS; kind++)
		if (kinds[kind].status == status)
			return (enum admin_problem)kind;
	return PROBLEM_INTERNAL;
}

/* RFC 9562 s5.4: 122 random bits, so that no two answers share one. */
static void name_instance(struct admin_answer *answer)
{
	unsigned char b[16];

	if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
		return;
	b[6] = (unsigned char)(0x40 | (b[6] & 0x0f));
	b[8] = (unsigned char)(0x80 | (b[8] & 0x3f));
	snprintf(answer->instance, sizeof(answer->instance),
		 "urn:uuid:%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
		 "%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4],
		 b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
		 b[14], b[15]);
}

__attribute__((format(printf, 4, 0)))
static void write_problem(struct admin_answer *answer, enum admin_problem kind,
			  json_t *members, const char *detail, va_list args)
{
	char text[512], type[96];
	json_t *problem;

	vsnprintf(text, sizeof(text), detail, args);
	snprintf(type, sizeof(type), "%s%s", ADMIN_PROBLEM_TYPE,
		 kinds[kind].name);
	problem = json_pack("{s:s, s:s, s:i, s:o}", "type", type, "title",
			    kinds[kind].title, "status",
			    (int)kinds[kind].status, "detail",
			    admin_text(text));
	answer->instance[0] = '\0';
	if (kinds[kind].status >= 500)
		name_instance(answer);
	if (problem != NULL && answer->instance[0] != '\0')
		json_object_set_new(problem, "instance",
				    json_string(answer->instance));
	if (problem != NULL && members != NULL)
		json_object_update_missing(problem, members);
	json_decref(members);
	answer->problem = kind;
	if (kind == PROBLEM_UNAVAILABLE || kind == PROBLEM_BUSY)
		answer->retry_after_s = RETRY_S;
	admin_document(answer, kinds[kind].status, "application/problem+json",
		       problem);
}

void admin_problem_of(struct admin_answer *answer, enum admin_problem kind,
		      json_t *members, const char *detail, ...)
{
	va_list args;

	va_start(args, detail);
	write_problem(answer, kind, members, detail, args);
	va_end(args);
}

void admin_problem(struct admin_answer *answer, unsigned status,
		   json_t *members, const char *detail, ...)
{
	va_list args;

	va_start(args, detail);
	write_problem(answer, kind_of(status), members, detail, args);
	va_end(args);
}

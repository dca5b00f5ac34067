/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_problem.h - the kinds of errors that the admin endpoint answers with.
 * `type` of their document (RFC 9457) is urn:stekd:problem:NAME, which stays
 * the same whatever the words say. stekd-http(7) and the OpenAPI document list
 * them.
 */
#ifndef STEKD_ADMIN_PROBLEM_H
#define STEKD_ADMIN_PROBLEM_H

#include <jansson.h>

#define ADMIN_PROBLEM_TYPE "urn:stekd:problem:"

/* Of one status, the first is what admin_problem() picks. */
enum admin_problem {
	PROBLEM_BAD_REQUEST,
	PROBLEM_UNAUTHORIZED,
	PROBLEM_FORBIDDEN_PEER,
	PROBLEM_FORBIDDEN_HOST,
	PROBLEM_FORBIDDEN_ORIGIN,
	PROBLEM_FORBIDDEN_CERTIFICATE,
	PROBLEM_FORBIDDEN_ROLE,
	PROBLEM_NOT_FOUND,
	PROBLEM_NO_SUCH_KEY,
	PROBLEM_METHOD,
	PROBLEM_CONFLICT,
	PROBLEM_RING_FULL,
	PROBLEM_UNDER_WAY,
	PROBLEM_CONFIGURATION,
	PROBLEM_FARM_KEY,
	PROBLEM_PRECONDITION,
	PROBLEM_RING_MOVED,
	PROBLEM_TOO_LARGE,
	PROBLEM_MEDIA_TYPE,
	PROBLEM_NAME_REUSED,
	PROBLEM_RATE_LIMITED,
	PROBLEM_INTERNAL,
	PROBLEM_DENY_NOT_STORED,
	PROBLEM_UNAVAILABLE,
	PROBLEM_REVOKED_HERE,
	PROBLEM_BUSY,
	PROBLEM_NODES_LATE,
	PROBLEMS,
};

struct admin_answer;

/* "rate-limited", "Too many rotations", 429 */
const char *admin_problem_name(enum admin_problem kind);
const char *admin_problem_title(enum admin_problem kind);
unsigned admin_problem_status(enum admin_problem kind);

/*
 * A document of this kind. `members` (stolen, may be NULL) joins the object.
 * 503 says when to ask again; of 5xx `instance` names the answer, which the
 * log does too.
 */
void admin_problem_of(struct admin_answer *answer, enum admin_problem kind,
		      json_t *members, const char *detail, ...)
	__attribute__((format(printf, 4, 5)));

/* The same of the kind that the status alone tells. */
void admin_problem(struct admin_answer *answer, unsigned status,
		   json_t *members, const char *detail, ...)
	__attribute__((format(printf, 4, 5)));

#endif

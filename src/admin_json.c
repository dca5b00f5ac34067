/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_json.c - answers: JSON documents and problem details (RFC 9457).
 * Called by the routes and, for what is refused before routing, by admin.c.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin_route.h"
#include "text.h"

/* Nine digits: the rest of a double would be noise. */
#define JSON_FLAGS \
	(JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9))

static const struct {
	unsigned status;
	const char *title;
} titles[] = {
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 409, "Conflict" },
	{ 412, "Precondition Failed" },
	{ 413, "Content Too Large" },
	{ 415, "Unsupported Media Type" },
	{ 422, "Unprocessable Content" },
	{ 429, "Too Many Requests" },
	{ 500, "Internal Server Error" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
};

static const char *title_of(unsigned status)
{
	size_t i;

	for (i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		if (titles[i].status == status)
			return titles[i].title;
	return "Error";
}

static void dump(struct admin_answer *answer, unsigned status,
		 const char *type, json_t *json)
{
	free(answer->body);
	answer->status = status;
	answer->type = type;
	answer->body = json != NULL
		? json_dumps(json, JSON_FLAGS) : NULL;
	answer->len = answer->body != NULL ? strlen(answer->body) : 0;
	json_decref(json);
}

json_t *admin_text(const char *text)
{
	json_t *json = json_string(text);
	char plain[512];
	size_t i;

	if (json != NULL)
		return json;
	for (i = 0; text[i] != '\0' && i + 1 < sizeof(plain); i++)
		plain[i] = (unsigned char)text[i] > 0x7e ? '?' : text[i];
	plain[i] = '\0';
	return json_string(plain);
}

void admin_problem(struct admin_answer *answer, unsigned status,
		   json_t *members, const char *detail, ...)
{
	char text[512];
	json_t *problem;
	va_list args;

	va_start(args, detail);
	vsnprintf(text, sizeof(text), detail, args);
	va_end(args);
	problem = json_pack("{s:s, s:s, s:i, s:o}", "type", "about:blank",
			    "title", title_of(status), "status", (int)status,
			    "detail", admin_text(text));
	if (problem != NULL && members != NULL)
		json_object_update_missing(problem, members);
	json_decref(members);
	dump(answer, status, "application/problem+json", problem);
}

void admin_json(struct admin_answer *answer, json_t *json)
{
	if (json == NULL) {
		admin_problem(answer, 500, NULL, "out of memory");
		return;
	}
	dump(answer, 200, "application/json", json);
}

void admin_answer_clear(struct admin_answer *answer)
{
	free(answer->body);
	answer->body = NULL;
}

json_t *admin_hex(const uint8_t *bytes, size_t len)
{
	char text[2 * STEK_DIGEST_LEN + 1];

	text_hex(text, bytes, len);
	return json_string(text);
}

json_t *admin_time_or_null(int64_t ms)
{
	return ms != 0 ? json_integer(ms) : json_null();
}

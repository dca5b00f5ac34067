/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_json.c - answers as JSON documents, and the values in them. Called by
 * the routes; admin_problem.c makes its documents with it.
 */
#include <stdlib.h>
#include <string.h>

#include "admin_route.h"
#include "admin_stream.h"
#include "text.h"

/* Nine digits: the rest of a double would be noise. */
#define JSON_FLAGS \
	(JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9))

void admin_document(struct admin_answer *answer, unsigned status,
		    const char *type, json_t *json)
{
	free(answer->body);
	answer->status = status;
	answer->type = type;
	answer->body = json != NULL ? text_json(json, JSON_FLAGS) : NULL;
	answer->len = answer->body != NULL ? strlen(answer->body) : 0;
	json_decref(json);
}

void admin_empty(struct admin_answer *answer, unsigned status)
{
	free(answer->body);
	answer->status = status;
	answer->type = NULL;
	answer->body = calloc(1, 1);
	answer->len = 0;
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

void admin_json(struct admin_answer *answer, json_t *json)
{
	if (json == NULL) {
		admin_problem(answer, 500, NULL, "out of memory");
		return;
	}
	admin_document(answer, 200, "application/json", json);
}

char *admin_json_text(const json_t *json, const char *end)
{
	size_t len, more = strlen(end) + 1;
	char *text = text_json(json, JSON_FLAGS), *longer;

	if (text == NULL)
		return NULL;
	len = strlen(text);
	longer = realloc(text, len + more);
	if (longer == NULL) {
		free(text);
		return NULL;
	}
	memcpy(longer + len, end, more);
	return longer;
}

void admin_answer_clear(struct admin_answer *answer)
{
	free(answer->body);
	answer->body = NULL;
	admin_stream_free(answer->stream);
	answer->stream = NULL;
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

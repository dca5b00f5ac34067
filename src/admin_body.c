/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_body.c - the JSON bodies of rotate and revoke. Strict: an unknown
 * member, a wrong type or a word too many is refused, so that a misspelt
 * "keys" never revokes something else. Pure; called by admin_route.c.
 */
#include <string.h>

#include "admin_route.h"
#include "text.h"

/* False with a 400 if the object has a member that is not in `known`. */
static bool members_known(json_t *body, const char *const *known,
			  struct admin_answer *answer)
{
	const char *name;
	json_t *value;
	size_t i;

	json_object_foreach(body, name, value) {
		for (i = 0; known[i] != NULL; i++)
			if (strcmp(known[i], name) == 0)
				break;
		if (known[i] != NULL)
			continue;
		admin_problem(answer, 400, NULL, "unknown member \"%.60s\"",
			      name);
		return false;
	}
	return true;
}

/* Lower-case hexadecimal of exactly `len` bytes. */
static bool unhex(const json_t *text, uint8_t *out, size_t len)
{
	const char *c = json_string_value(text);

	return c != NULL && json_string_length(text) == 2 * len &&
	       text_unhex(out, c, len);
}

static bool flag(json_t *body, const char *name, bool *out,
		 struct admin_answer *answer)
{
	const json_t *value = json_object_get(body, name);

	if (value == NULL)
		return true;
	*out = json_is_true(value);
	if (json_is_boolean(value))
		return true;
	admin_problem(answer, 400, NULL, "\"%s\" must be true or false", name);
	return false;
}

static bool expectation(json_t *expect, struct admin_call *call,
			struct admin_answer *answer)
{
	static const char *const known[] = { "epoch", "digest", NULL };
	const json_t *epoch = json_object_get(expect, "epoch");

	if (!json_is_object(expect)) {
		admin_problem(answer, 400, NULL,
			      "\"expect\" must be an object");
		return false;
	}
	if (!members_known(expect, known, answer))
		return false;
	if (call->has_expect) {
		admin_problem(answer, 400, NULL, "\"expect\" and If-Match say "
			      "the same: give one of them");
		return false;
	}
	if (!json_is_integer(epoch) || json_integer_value(epoch) < 0 ||
	    !unhex(json_object_get(expect, "digest"), call->expect.digest,
		   STEK_DIGEST_LEN)) {
		admin_problem(answer, 400, NULL, "\"expect\" must have "
			      "\"epoch\", an integer, and \"digest\", %d "
			      "lower-case hexadecimal digits",
			      2 * STEK_DIGEST_LEN);
		return false;
	}
	call->expect.epoch = (uint64_t)json_integer_value(epoch);
	call->has_expect = true;
	return true;
}

/* Why it is changed, for the audit, whose text is ASCII. */
static bool note(json_t *body, struct admin_call *call,
		 struct admin_answer *answer)
{
	const json_t *value = json_object_get(body, "note");
	const char *text = json_string_value(value);
	size_t i = 0, len = json_string_length(value);

	if (value == NULL)
		return true;
	while (i < len && text[i] >= ' ' && text[i] <= '~')
		i++;
	if (i < len || len == 0 || len > STEK_NOTE_MAX) {
		admin_problem(answer, 400, NULL, "\"note\" must be 1 to %d "
			      "printable ASCII characters", STEK_NOTE_MAX);
		return false;
	}
	memcpy(call->note, text, len + 1);
	return true;
}

bool admin_body_rotate(json_t *body, struct admin_call *call,
		       struct admin_answer *answer)
{
	static const char *const known[] = { "force", "expect", "dry_run",
					     "note", NULL };
	json_t *expect = json_object_get(body, "expect");

	return members_known(body, known, answer) &&
	       flag(body, "force", &call->force, answer) &&
	       flag(body, "dry_run", &call->dry_run, answer) &&
	       note(body, call, answer) &&
	       (expect == NULL || expectation(expect, call, answer));
}

static bool key_ids(json_t *keys, struct admin_call *call,
		    struct admin_answer *answer)
{
	size_t i, n = json_array_size(keys);

	if (!json_is_array(keys) || n == 0 || n > ADMIN_KEYS_MAX) {
		admin_problem(answer, 400, NULL,
			      "\"keys\" must be a list of 1 to %d key ids",
			      ADMIN_KEYS_MAX);
		return false;
	}
	for (i = 0; i < n; i++) {
		if (unhex(json_array_get(keys, i), call->ids[i], STEK_ID_LEN))
			continue;
		admin_problem(answer, 400, NULL, "\"keys\"[%zu] must be %d "
			      "lower-case hexadecimal digits", i,
			      2 * STEK_ID_LEN);
		return false;
	}
	call->n_ids = n;
	return true;
}

bool admin_body_revoke(json_t *body, struct admin_call *call,
		       struct admin_answer *answer)
{
	static const char *const known[] = { "all", "keys", "expect", "dry_run",
					     "note", NULL };
	json_t *keys = json_object_get(body, "keys");
	json_t *expect = json_object_get(body, "expect");

	if (!members_known(body, known, answer) ||
	    !flag(body, "all", &call->all, answer) ||
	    !flag(body, "dry_run", &call->dry_run, answer) ||
	    !note(body, call, answer) ||
	    (expect != NULL && !expectation(expect, call, answer)))
		return false;
	if (call->all == (keys != NULL)) {
		admin_problem(answer, 400, NULL, "expected either \"all\": "
			      "true or \"keys\", a list of key ids");
		return false;
	}
	return keys == NULL || key_ids(keys, call, answer);
}

bool admin_body_empty(json_t *body, struct admin_call *call,
		      struct admin_answer *answer)
{
	static const char *const known[] = { NULL };

	(void)call;
	return members_known(body, known, answer);
}

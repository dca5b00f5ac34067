/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_deny.c - GET and POST /v1/deny: the client certificates that this node
 * refuses. A change is in force when the answer is given, here and nowhere
 * else; the audit, which is the farm's, tells of it. Called by admin_route.c.
 */
#include <stdlib.h>
#include <string.h>

#include "admin_route.h"
#include "log.h"
#include "text.h"

void admin_deny_show(struct node *node, const struct admin_call *call,
		     struct admin_answer *answer)
{
	uint8_t (*all)[DENY_LEN] = NULL;
	json_t *list;
	char *path = NULL;
	size_t i, n = 0;

	(void)call;
	if (deny_list(node->deny, &all, &n, &path) != 0) {
		admin_problem(answer, 500, NULL, "out of memory");
		return;
	}
	list = json_array();
	for (i = 0; i < n; i++)
		json_array_append_new(list, admin_hex(all[i], DENY_LEN));
	admin_json(answer, json_pack("{s:s?, s:I, s:o}", "file", path, "n",
				     (json_int_t)n, "fingerprints", list));
	free(all);
	free(path);
}

static bool fingerprint_good(const json_t *value, struct admin_call *call,
			     struct admin_answer *answer)
{
	if (json_is_string(value) &&
	    deny_parse(call->fingerprint, json_string_value(value),
		       json_string_length(value)))
		return true;
	admin_problem(answer, 400, NULL, "expected the SHA-256 fingerprint of "
		      "a certificate, 64 hexadecimal digits");
	return false;
}

bool admin_body_deny(json_t *body, struct admin_call *call,
		     struct admin_answer *answer)
{
	const json_t *add = json_object_get(body, "add");
	const json_t *remove = json_object_get(body, "remove");

	if (json_object_size(body) != 1 || (!add && !remove)) {
		admin_problem(answer, 400, NULL, "expected either \"add\" or "
			      "\"remove\", with one fingerprint");
		return false;
	}
	call->add = add != NULL;
	return fingerprint_good(add ? add : remove, call, answer);
}

/* What stands in the audit and in the log. */
static void tell(struct node *node, const struct admin_call *call,
		 enum deny_result result, const char *why)
{
	char hex[2 * DENY_LEN + 1];
	const struct stek_note note = {
		.who = call->who, .from = call->from, .detail = hex,
		.result = result == DENY_DONE ? "ok" : "not in the file",
		.action = call->add ? "deny add" : "deny remove",
	};
	int error = 0;

	text_hex(hex, call->fingerprint, DENY_LEN);
	if (result == DENY_DONE || result == DENY_NOT_WRITTEN)
		error = stek_farm_audit_note(node->farm, &note);
	log_event(result <= DENY_ALREADY ? LOG_INFO : LOG_ERROR,
		  call->add ? "client certificate denied"
			    : "client certificate no longer denied",
		  "who", LOG_STR, call->who, "fingerprint", LOG_STR, hex,
		  "changed", LOG_STR, result == DENY_DONE ||
		  result == DENY_NOT_WRITTEN ? "yes" : "no",
		  "detail", LOG_STR, why, "audit", LOG_STR,
		  error == 0 ? "" : stek_strerror(error), NULL);
}

void admin_deny_change(struct node *node, const struct admin_call *call,
		       struct admin_answer *answer)
{
	char why[512] = "";
	enum deny_result result = deny_change(node->deny, call->fingerprint,
					      call->add, why, sizeof(why));

	tell(node, call, result, why);
	if (result == DENY_FAILED)
		admin_problem(answer, 500, NULL, "nothing has changed: %s",
			      why);
	else if (result == DENY_NOT_WRITTEN)
		admin_problem_of(answer, PROBLEM_DENY_NOT_STORED, NULL,
				 "refused from now on, but not after a "
				 "restart or reload: %s", why);
	else
		admin_json(answer, json_pack(
			"{s:o, s:b, s:b}", "fingerprint",
			admin_hex(call->fingerprint, DENY_LEN), "denied",
			call->add, "changed", result == DENY_DONE));
}

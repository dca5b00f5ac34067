// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_admin.c - requests to the admin endpoint. The input is "METHOD PATH
 * TYPE\n" and the body; TYPE is tried as an entity tag too. What parses is one
 * of the known calls with values in their ranges; what does not is a problem
 * with a status and a document. The header values that decide who may ask are
 * tried with the same bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin_auth.h"
#include "admin_route.h"
#include "asset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(int fact)
{
	if (!fact)
		abort();
}

static void must_be_problem(const struct admin_answer *answer)
{
	json_t *json = json_loads(answer->body, JSON_REJECT_DUPLICATES, NULL);

	must(answer->status >= 400 && answer->status < 500);
	must(strcmp(answer->type, "application/problem+json") == 0);
	must(json_integer_value(json_object_get(json, "status")) ==
	     answer->status);
	must(json_is_string(json_object_get(json, "detail")));
	must(strncmp(json_string_value(json_object_get(json, "type")),
		     ADMIN_PROBLEM_TYPE, strlen(ADMIN_PROBLEM_TYPE)) == 0);
	must((answer->allow != NULL) == (answer->status == 405));
	json_decref(json);
}

static void must_be_call(const struct admin_request *request,
			 const struct admin_call *call)
{
	must(call->run != NULL);
	must(call->n_ids <= ADMIN_KEYS_MAX);
	if (call->run == admin_change_revoke)
		must(call->all == (call->n_ids == 0));
	must((strcmp(request->method, "POST") == 0) ==
	     (call->run == admin_change_revoke ||
	      call->run == admin_change_rotate ||
	      call->run == admin_deny_change ||
	      call->run == admin_reload ||
	      call->run == admin_farm_key_reload));
}

/* What If-Match is taken for is exactly what we would write for it. */
static void must_be_tag(const struct admin_request *request,
			const struct admin_call *call)
{
	char tag[ADMIN_TAG_LEN];

	if (request->if_match == NULL || strcmp(request->if_match, "*") == 0)
		return;
	must(call->has_expect || call->run == admin_asset_show ||
	     call->run == admin_openapi_show);
	if (!call->has_expect)
		return;
	admin_ring_tag(tag, &call->expect);
	if (call->epoch_only)
		strcpy(strchr(tag, '-'), "\"");
	must(strcmp(tag, request->if_match) == 0);
}

static void ask(struct admin_request *request)
{
	struct admin_answer answer;
	static struct admin_call call;

	if (admin_parse(request, &call, &answer)) {
		must(answer.body == NULL);
		must_be_call(request, &call);
		must_be_tag(request, &call);
		return;
	}
	must_be_problem(&answer);
	admin_answer_clear(&answer);
}

/* None of these bytes are the token, or a name of ours. */
static void knock(const char *text)
{
	static const uint8_t digest[AUTH_DIGEST_LEN] = { 1 };

	must(!auth_token_good(digest, text));
	if (auth_host_good(text, 8081))
		must(strlen(text) <= strlen("127.0.0.1:8081"));
	if (auth_origin_good(text, NULL, 8081))
		must(strncmp(text, "http://", 7) == 0);
	must(!auth_origin_good(text, NULL, 0));
	if (asset_known(&(struct asset_form){ .etag = "\"7\"" }, text))
		must(strchr(text, '*') != NULL || strstr(text, "\"7\""));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t *newline = memchr(data, '\n', len);
	size_t head_len = newline ? (size_t)(newline - data) : len;
	char *head = strndup((const char *)data, head_len);
	struct admin_request request = { .who = "uid:0" };
	char *rest = head;

	if (head == NULL)
		return 0;
	knock(head);
	request.method = strsep(&rest, " ");
	request.path = rest ? strsep(&rest, " ") : "";
	request.content_type = rest;
	if (newline != NULL) {
		request.body = (const char *)newline + 1;
		request.body_len = len - head_len - 1;
	}
	ask(&request);
	request.if_match = request.if_none_match = request.content_type;
	request.content_type = NULL;
	ask(&request);
	request.open_only = true;
	ask(&request);
	free(head);
	return 0;
}

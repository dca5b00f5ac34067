// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * helper_api.c - prints what the admin endpoint can be asked and may answer, as
 * JSON: routes, kinds of problems, and the names of which its documents are
 * made. check_openapi.py compares the OpenAPI document with it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "admin_route.h"
#include "alerts.h"
#include "counters.h"
#include "sampler.h"

static json_t *routes(void)
{
	struct admin_route_facts facts;
	json_t *list = json_array();
	size_t i;

	for (i = 0; admin_route_list(i, &facts); i++)
		json_array_append_new(list, json_pack(
			"{s:s, s:s, s:b, s:s}", "path", facts.path,
			"method", facts.method, "open", facts.open, "role",
			role_name(facts.needs)));
	return list;
}

static json_t *problems(void)
{
	json_t *list = json_array();
	int kind;

	for (kind = 0; kind < PROBLEMS; kind++) {
		enum admin_problem one = (enum admin_problem)kind;

		json_array_append_new(list, json_pack(
			"{s:s, s:s, s:i}", "name", admin_problem_name(one),
			"title", admin_problem_title(one), "status",
			(int)admin_problem_status(one)));
	}
	return list;
}

/* From `first` up to, but without, `end`. */
#define NAMES(first, end, type, name_of) __extension__({ \
	json_t *list_ = json_array(); \
	int i_; \
	for (i_ = (int)(first); i_ < (int)(end); i_++) \
		json_array_append_new(list_, \
				      json_string(name_of((type)i_))); \
	list_; \
})

int main(void)
{
	json_t *all = json_pack(
		"{s:o, s:o, s:s, s:s, s:i, s:i}", "routes", routes(),
		"problems", problems(), "problem_type", ADMIN_PROBLEM_TYPE,
		"version", stek_version_string(), "body_max", ADMIN_BODY_MAX,
		"keys_max", ADMIN_KEYS_MAX);

	if (all == NULL)
		return EXIT_FAILURE;
	json_object_set_new(all, "Outcome", NAMES(0, STEK_OUTCOMES,
		enum stek_outcome, stek_outcome_name));
	json_object_set_new(all, "Failure", NAMES(FAIL_NONE + 1, FAILURES,
		enum failure, failure_name));
	json_object_set_new(all, "Alert", NAMES(0, ALERTS, size_t,
		alerts_slot_name));
	json_object_set_new(all, "KeyState", NAMES(0, STEK_GONE + 1,
		enum stek_state, stek_state_name));
	json_object_set_new(all, "KeyReason", NAMES(0, STEK_MADE_BY_REVOKE + 1,
		enum stek_reason, stek_reason_name));
	json_object_set_new(all, "NodeState", NAMES(0, SAMPLED_MISSING + 1,
		enum sampled_state, sampled_state_name));
	json_object_set_new(all, "StoreState", NAMES(0,
		STEK_STORE_REFUSED + 1, enum stek_store_state,
		stek_store_state_name));
	json_object_set_new(all, "Role", NAMES(ROLE_NONE, ROLE_REVOKE + 1,
		enum admin_role, role_name));
	json_dumpf(all, stdout, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(all);
	return EXIT_SUCCESS;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_reload.c - POST /v1/reload: the configuration read again. On the
 * connection's own thread, so that a thousand certificates hold up nobody.
 */
#include <string.h>

#include "admin_route.h"
#include "reload.h"

#define FAULTS_MAX 100

static json_t *faults_json(const char *faults)
{
	json_t *list = json_array();
	const char *line = faults, *end;
	char text[512];

	for (; *line != '\0' && json_array_size(list) < FAULTS_MAX;
	     line = end + (*end == '\n')) {
		end = strchrnul(line, '\n');
		snprintf(text, sizeof(text), "%.*s", (int)(end - line), line);
		json_array_append_new(list, admin_text(text));
	}
	return list;
}

void admin_reload(struct node *node, const struct admin_call *call,
		  struct admin_answer *answer)
{
	struct reload reload;

	reload_run(node, call->who, call->from, &reload);
	if (reload.good)
		admin_json(answer, json_pack(
			"{s:I, s:I, s:I}",
			"generation", (json_int_t)reload.generation,
			"at_ms", (json_int_t)reload.at_ms,
			"took_ms", (json_int_t)reload.took_ms));
	else
		admin_problem_of(answer, PROBLEM_CONFIGURATION, json_pack(
			"{s:o, s:I}", "errors",
			faults_json(reload.faults ? reload.faults : ""),
			"generation", (json_int_t)reload.generation),
			"the configuration is refused; the one before goes on");
	reload_clear(&reload);
}

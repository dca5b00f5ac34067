/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The list of refused client certificates: what stekctl deny asks, and its
 * answers laid out for people.
 */
#include <string.h>

#include "ctl.h"

json_t *ctl_deny_body(int n, char **args, const char **wrong)
{
	*wrong = NULL;
	if (n == 0)
		return NULL;
	if (n == 2 && (strcmp(args[0], "add") == 0 ||
		       strcmp(args[0], "remove") == 0))
		return json_pack("{s:s}", args[0], args[1]);
	*wrong = "deny takes add or remove, each with one FINGERPRINT";
	return NULL;
}

static void show_list(const json_t *answer, const json_t *list, FILE *out)
{
	const char *file = json_string_value(json_object_get(answer, "file"));
	size_t i;
	json_t *row;

	fprintf(out, "# %zu refused on this node; %s%s\n",
		json_array_size(list), file ? "kept in " :
		"kept nowhere: client_deny is not set", file ? file : "");
	json_array_foreach(list, i, row)
		fprintf(out, "%s\n", json_string_value(row));
}

void ctl_show_deny(const json_t *answer, FILE *out)
{
	const json_t *list = json_object_get(answer, "fingerprints");
	bool denied = json_is_true(json_object_get(answer, "denied"));
	bool changed = json_is_true(json_object_get(answer, "changed"));

	if (json_is_array(list)) {
		show_list(answer, list, out);
		return;
	}
	fprintf(out, "%s is %s%srefused on this node\n",
		ctl_string(answer, "fingerprint"),
		changed ? "now " : "already ", denied ? "" : "not ");
	if (changed)
		fputs("other nodes have lists of their own: tell each\n", out);
}

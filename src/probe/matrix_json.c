/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The JSON of stekprobe farm, for matrix.c: the matrix with its intervals, the
 * classes, the findings. The names of its members are in stekprobe.1.
 */
#include <jansson.h>

#include "farm.h"

static json_t *cell_json(const struct farm_cell *cell)
{
	double low, high;

	share_interval(cell->resumed, cell->tried, &low, &high);
	return json_pack("{s:i, s:i, s:i, s:o, s:o, s:o}", "tried",
			 (int)cell->tried, "resumed", (int)cell->resumed,
			 "failed", (int)cell->failed, "rate",
			 cell->tried ? json_real((double)cell->resumed /
						 cell->tried)
				     : json_null(),
			 "low", cell->tried ? json_real(low) : json_null(),
			 "high", cell->tried ? json_real(high) : json_null());
}

static json_t *classes_json(const struct farm_plan *plan,
			    const struct farm_result *result, int version)
{
	json_t *classes = json_array();

	for (size_t class = 0; class < result->classes[version]; class++) {
		json_t *names = json_array();

		for (size_t i = 0; i < result->n; i++) {
			if (result->nodes[i].class[version] == class)
				json_array_append_new(
					names, json_string(farm_node_name(
						       plan, result, i)));
		}
		json_array_append_new(classes, names);
	}
	return classes;
}

static json_t *version_json(const struct farm_plan *plan,
			    const struct farm_result *result, int version)
{
	struct farm_cell sum = farm_whole(result, version);
	json_t *object = cell_json(&sum), *cells = json_array();
	json_t *rows = json_array(), *columns = json_array();

	for (size_t row = 0; row < result->n; row++) {
		struct farm_cell given = farm_row(result, version, row, false);
		struct farm_cell taken = farm_column(result, version, row,
						     false);
		json_t *line = json_array();

		for (size_t column = 0; column < result->n; column++)
			json_array_append_new(
				line, cell_json(&result->cells[version]
						[row * result->n + column]));
		json_array_append_new(cells, line);
		json_array_append_new(rows, cell_json(&given));
		json_array_append_new(columns, cell_json(&taken));
	}
	json_object_set_new(object, "cells", cells);
	json_object_set_new(object, "rows", rows);
	json_object_set_new(object, "columns", columns);
	json_object_set_new(object, "classes",
			    classes_json(plan, result, version));
	json_object_set_new(object, "tied",
			    json_boolean(result->tied[version]));
	return object;
}

static json_t *node_json(const struct farm_plan *plan,
			 const struct farm_result *result, size_t node)
{
	const struct farm_node *about = &result->nodes[node];
	json_t *state = json_object(), *class = json_object();

	for (int v = 0; v < TLS_VERSIONS; v++) {
		const char *name = tls_version_name((enum tls_version)v);

		if (!result->cells[v])
			continue;
		json_object_set_new(state, name, json_string(
			farm_cause(about->state[v])->name));
		json_object_set_new(
			class, name,
			about->class[v] == FARM_NO_CLASS
				? json_null()
				: json_integer((json_int_t)about->class[v]));
	}
	return json_pack("{s:s, s:s, s:b, s:b, s:s, s:s, s:s, s:o, s:o}",
			 "address", plan->nodes[node].text, "node",
			 farm_node_name(plan, result, node), "reached",
			 (int)about->reached, "several", (int)about->several,
			 "farm", about->farm, "refusal", about->refusal,
			 "failure", about->failure, "state", state, "class",
			 class);
}

static json_t *checks_json(const struct farm_cause *cause)
{
	json_t *checks = json_array();

	for (size_t i = 0; i < FARM_CHECKS_MAX && cause->check[i]; i++)
		json_array_append_new(checks, json_string(cause->check[i]));
	return checks;
}

static json_t *finding_json(const struct farm_plan *plan,
			    const struct farm_result *result,
			    const struct farm_finding *finding)
{
	const struct farm_cause *cause = farm_cause(finding->what);
	json_t *object = json_pack("{s:s, s:s, s:o}", "name", cause->name,
				   "what", cause->what, "check",
				   checks_json(cause));
	json_t *versions = json_array();

	for (int v = 0; v < TLS_VERSIONS; v++) {
		if (finding->versions[v])
			json_array_append_new(
				versions, json_string(tls_version_name(
						  (enum tls_version)v)));
	}
	json_object_set_new(object, "versions", versions);
	json_object_set_new(object, "node", json_string(farm_node_name(
		plan, result, finding->column)));
	if (finding->pair) {
		json_object_set_new(object, "issuer", json_string(
			farm_node_name(plan, result, finding->row)));
		json_object_set_new(object, "pair", cell_json(&finding->own));
		return object;
	}
	json_object_set_new(object, "given", cell_json(&finding->given));
	json_object_set_new(object, "taken", cell_json(&finding->taken));
	json_object_set_new(object, "own", cell_json(&finding->own));
	return object;
}

void farm_print_json(const struct farm_plan *plan,
		     const struct farm_result *result, FILE *out)
{
	json_t *nodes = json_array(), *versions = json_object();
	json_t *failures = json_object(), *findings = json_array();
	json_t *strays = json_array(), *root;

	for (size_t i = 0; i < result->n; i++) {
		json_array_append_new(nodes, node_json(plan, result, i));
		if (farm_is_stray(result, i))
			json_array_append_new(strays, json_string(
				farm_node_name(plan, result, i)));
	}
	for (int v = 0; v < TLS_VERSIONS; v++) {
		if (result->cells[v])
			json_object_set_new(
				versions,
				tls_version_name((enum tls_version)v),
				version_json(plan, result, v));
	}
	for (size_t i = 0; i < result->failures.n; i++)
		json_object_set_new(
			failures, result->failures.list[i].name,
			json_integer((json_int_t)result->failures.list[i].count));
	for (size_t i = 0; i < result->n_findings; i++)
		json_array_append_new(findings,
				      finding_json(plan, result,
						   &result->findings[i]));
	root = json_pack("{s:o, s:o, s:o, s:o, s:o, s:f}", "nodes", nodes,
			 "versions", versions, "failures", failures,
			 "findings", findings, "strays", strays, "seconds",
			 result->seconds);
	json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	fputc('\n', out);
	json_decref(root);
}

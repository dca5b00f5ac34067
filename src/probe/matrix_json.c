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

static json_t *classes_json(const struct farm_result *result, int version)
{
	json_t *classes = json_array();

	for (size_t class = 0; class < result->classes[version]; class++) {
		json_t *names = json_array();

		for (size_t i = 0; i < result->n; i++) {
			if (result->nodes[i].class[version] == class)
				json_array_append_new(
					names, json_string(farm_node_name(result, i)));
		}
		json_array_append_new(classes, names);
	}
	return classes;
}

static json_t *version_json(const struct farm_result *result, int version)
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
			    classes_json(result, version));
	json_object_set_new(object, "tied",
			    json_boolean(result->tied[version]));
	return object;
}

static json_t *node_json(const struct farm_result *result, size_t node)
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
	return json_pack("{s:s, s:s, s:s, s:I, s:b, s:b, s:s, s:s, s:s, s:o, "
			 "s:o}",
			 "address", result->nodes[node].address, "node",
			 farm_node_name(result, node), "evidence",
			 who_evidence_name(about->who.evidence), "answered",
			 (json_int_t)about->answered, "reached",
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

static json_t *finding_json(const struct farm_result *result,
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
	json_object_set_new(object, "node", json_string(
		farm_node_name(result, finding->column)));
	if (finding->pair) {
		json_object_set_new(object, "issuer", json_string(
			farm_node_name(result, finding->row)));
		json_object_set_new(object, "pair", cell_json(&finding->own));
		return object;
	}
	json_object_set_new(object, "given", cell_json(&finding->given));
	json_object_set_new(object, "taken", cell_json(&finding->taken));
	json_object_set_new(object, "own", cell_json(&finding->own));
	return object;
}

static json_t *changes_json(const struct farm_result *result,
			    const struct farm_round *round)
{
	json_t *changes = json_array();

	for (size_t i = 0; i < round->n_changes; i++) {
		const struct farm_change *change = &round->changes[i];
		json_t *object = json_pack(
			"{s:s, s:s, s:s}", "node",
			farm_node_name(result, change->node), "version",
			tls_version_name(change->version), "what",
			change->key ? "key" : "state");

		if (!change->key) {
			json_object_set_new(object, "before", json_string(
				farm_cause(change->before)->name));
			json_object_set_new(object, "now", json_string(
				farm_cause(change->now)->name));
		}
		json_array_append_new(changes, object);
	}
	return changes;
}

static json_t *age_json(int64_t age_s)
{
	return age_s < 0 ? json_null() : json_integer((json_int_t)age_s);
}

static json_t *rounds_json(const struct farm_result *result)
{
	json_t *rounds = json_array();

	for (size_t i = 0; i < result->n_rounds; i++) {
		const struct farm_round *round = &result->rounds[i];
		json_t *versions = json_object(), *old = json_object();

		for (int v = 0; v < TLS_VERSIONS; v++) {
			const char *name =
				tls_version_name((enum tls_version)v);

			if (!result->cells[v])
				continue;
			json_object_set_new(versions, name,
					    cell_json(&round->sums[v]));
			json_object_set_new(old, name,
					    cell_json(&round->old[v]));
		}
		json_array_append_new(rounds, json_pack(
			"{s:f, s:I, s:b, s:I, s:I, s:o, s:o, s:o, s:o, s:o}",
			"at_s", round->at_s, "time_s",
			(json_int_t)round->time_s, "good", (int)round->good,
			"nodes", (json_int_t)round->nodes, "strays",
			(json_int_t)round->strays, "versions", versions,
			"old_tickets", old, "oldest_resumed_s",
			age_json(round->oldest_s), "youngest_lost_s",
			age_json(round->lost_s), "changes",
			changes_json(result, round)));
	}
	return rounds;
}

static json_t *coverage_json(const struct farm_result *result)
{
	struct farm_coverage coverage;

	if (!result->balanced)
		return json_null();
	farm_coverage(result, &coverage);
	return json_pack("{s:I, s:I, s:f, s:f}", "connections",
			 (json_int_t)coverage.connections, "nodes",
			 (json_int_t)coverage.nodes, "missed_probability",
			 coverage.missed, "unseen_share", coverage.unseen);
}

void farm_print_json(const struct farm_result *result, FILE *out)
{
	json_t *nodes = json_array(), *versions = json_object();
	json_t *failures = json_object(), *findings = json_array();
	json_t *strays = json_array(), *root;

	for (size_t i = 0; i < result->n; i++) {
		json_array_append_new(nodes, node_json(result, i));
		if (farm_is_stray(result, i))
			json_array_append_new(strays, json_string(
				farm_node_name(result, i)));
	}
	for (int v = 0; v < TLS_VERSIONS; v++) {
		if (result->cells[v])
			json_object_set_new(
				versions,
				tls_version_name((enum tls_version)v),
				version_json(result, v));
	}
	for (size_t i = 0; i < result->failures.n; i++)
		json_object_set_new(
			failures, result->failures.list[i].name,
			json_integer((json_int_t)result->failures.list[i].count));
	for (size_t i = 0; i < result->n_findings; i++)
		json_array_append_new(findings,
				      finding_json(result,
						   &result->findings[i]));
	root = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:f}",
			 "mode", result->balanced ? "balanced" : "direct",
			 "nodes", nodes, "versions", versions, "failures",
			 failures, "findings", findings, "strays", strays,
			 "coverage", coverage_json(result), "rounds",
			 rounds_json(result), "ended_early",
			 (int)result->stopped, "seconds", result->seconds);
	json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	fputc('\n', out);
	json_decref(root);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prints what farm.c measured: as a matrix for people, as JSON or CSV for
 * programs. Rates are cut, never rounded up: 99.99 % is not "100%".
 */
#include <string.h>

#include <jansson.h>

#include "farm.h"

static const char *node_name(const struct farm_plan *plan,
			     const struct farm_result *result, size_t node)
{
	const char *name = result->nodes[node].name;

	return name[0] ? name : plan->nodes[node].text;
}

static void rate_text(char out[16], unsigned resumed, unsigned tried)
{
	unsigned tenths;

	if (tried == 0) {
		strcpy(out, "-");
		return;
	}
	tenths = (unsigned)((uint64_t)resumed * 1000 / tried);
	if (tenths % 10 == 0)
		snprintf(out, 16, "%u%%", tenths / 10);
	else
		snprintf(out, 16, "%u.%u%%", tenths / 10, tenths % 10);
}

static struct farm_cell total(const struct farm_result *result, int version)
{
	struct farm_cell sum = {0};

	for (size_t i = 0; i < result->n * result->n; i++) {
		sum.tried += result->cells[version][i].tried;
		sum.resumed += result->cells[version][i].resumed;
		sum.failed += result->cells[version][i].failed;
	}
	return sum;
}

static void print_matrix(const struct farm_plan *plan,
			 const struct farm_result *result, int version,
			 FILE *out)
{
	struct farm_cell sum = total(result, version);
	char rate[16];
	int first = 6;

	fprintf(out, "%s: issued at the row's node, resumed at the column's\n",
		tls_version_name((enum tls_version)version));
	for (size_t i = 0; i < result->n; i++) {
		int len = (int)strlen(node_name(plan, result, i));

		first = len > first ? len : first;
	}
	fprintf(out, "%-*s", first, "");
	for (size_t i = 0; i < result->n; i++)
		fprintf(out, "  %6s", node_name(plan, result, i));
	fputc('\n', out);
	for (size_t row = 0; row < result->n; row++) {
		fprintf(out, "%-*s", first, node_name(plan, result, row));
		for (size_t column = 0; column < result->n; column++) {
			const struct farm_cell *cell =
				&result->cells[version][row * result->n + column];
			int width = (int)strlen(node_name(plan, result, column));

			rate_text(rate, cell->resumed, cell->tried);
			fprintf(out, "  %*s", width > 6 ? width : 6, rate);
		}
		if (result->nodes[row].down[version])
			fprintf(out, "  %s: %s", plan->nodes[row].text,
				result->nodes[row].failure);
		fputc('\n', out);
	}
	rate_text(rate, sum.resumed, sum.tried);
	fprintf(out, "resumed %u of %u (%s), failed %u\n\n", sum.resumed,
		sum.tried, rate, sum.failed);
}

static void print_text(const struct farm_plan *plan,
		       const struct farm_result *result, FILE *out)
{
	for (int v = 0; v < TLS_VERSIONS; v++) {
		if (result->cells[v])
			print_matrix(plan, result, v, out);
	}
	for (size_t i = 0; i < result->failures.n; i++)
		fprintf(out, "%s%s %llu%s", i ? ", " : "failures: ",
			result->failures.list[i].name,
			(unsigned long long)result->failures.list[i].count,
			i + 1 == result->failures.n ? "\n" : "");
}

static json_t *rate_json(const struct farm_cell *cell)
{
	return cell->tried ? json_real((double)cell->resumed / cell->tried)
			   : json_null();
}

static json_t *cell_json(const struct farm_cell *cell)
{
	return json_pack("{s:i, s:i, s:i, s:o}", "tried", (int)cell->tried,
			 "resumed", (int)cell->resumed, "failed",
			 (int)cell->failed, "rate", rate_json(cell));
}

static json_t *version_json(const struct farm_result *result, int version)
{
	struct farm_cell sum = total(result, version);
	json_t *object = cell_json(&sum);
	json_t *rows = json_array();

	for (size_t row = 0; row < result->n; row++) {
		json_t *cells = json_array();

		for (size_t column = 0; column < result->n; column++)
			json_array_append_new(
				cells, cell_json(&result->cells[version]
						 [row * result->n + column]));
		json_array_append_new(rows, cells);
	}
	json_object_set_new(object, "cells", rows);
	return object;
}

static void print_json(const struct farm_plan *plan,
		       const struct farm_result *result, FILE *out)
{
	json_t *nodes = json_array(), *versions = json_object();
	json_t *failures = json_object(), *root;

	for (size_t i = 0; i < result->n; i++)
		json_array_append_new(
			nodes, json_pack("{s:s, s:s, s:b}", "address",
					 plan->nodes[i].text, "node",
					 node_name(plan, result, i), "reached",
					 (int)result->nodes[i].reached));
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
	root = json_pack("{s:o, s:o, s:o, s:f}", "nodes", nodes, "versions",
			 versions, "failures", failures, "seconds",
			 result->seconds);
	json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	fputc('\n', out);
	json_decref(root);
}

static void print_csv(const struct farm_plan *plan,
		      const struct farm_result *result, FILE *out)
{
	fputs("version,issued_address,issued_node,resumed_address,"
	      "resumed_node,tried,resumed,failed\n", out);
	for (int v = 0; v < TLS_VERSIONS; v++) {
		for (size_t i = 0; result->cells[v] && i < result->n * result->n;
		     i++) {
			const struct farm_cell *cell = &result->cells[v][i];
			size_t row = i / result->n, column = i % result->n;

			fprintf(out, "%s,%s,%s,%s,%s,%u,%u,%u\n",
				tls_version_name((enum tls_version)v),
				plan->nodes[row].text,
				node_name(plan, result, row),
				plan->nodes[column].text,
				node_name(plan, result, column), cell->tried,
				cell->resumed, cell->failed);
		}
	}
}

void farm_print(const struct farm_plan *plan, const struct farm_result *result,
		enum report_format format, FILE *out)
{
	if (format == REPORT_JSON)
		print_json(plan, result, out);
	else if (format == REPORT_CSV)
		print_csv(plan, result, out);
	else
		print_text(plan, result, out);
}

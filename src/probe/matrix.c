/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prints what farm.c measured and judge.c found: as matrices and sentences for
 * people; matrix_json.c has the JSON, matrix_round.c what is printed round by
 * round. Rates are cut, never rounded up: 99.99 % is not "100%".
 */
#include <string.h>

#include "farm.h"

#define PAIRS_SHOWN 20

const char *farm_node_name(const struct farm_result *result, size_t node)
{
	const char *name = result->nodes[node].name;

	return name[0] ? name : result->nodes[node].address;
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

/* "20/20 [83.8, 100]": of how many, and the 95 % interval of the rate. */
static const char *share_text(char out[64], const struct farm_cell *cell)
{
	double low, high;

	if (cell->tried == 0)
		return "-";
	share_interval(cell->resumed, cell->tried, &low, &high);
	snprintf(out, 64, "%u/%u [%.1f, %.1f]", cell->resumed, cell->tried,
		 100 * low, 100 * high);
	return out;
}

static int first_width(const struct farm_result *result)
{
	int first = 6;

	for (size_t i = 0; i < result->n; i++) {
		int len = (int)strlen(farm_node_name(result, i));

		first = len > first ? len : first;
	}
	return first;
}

static void print_matrix(const struct farm_result *result, int version,
			 FILE *out)
{
	struct farm_cell sum = farm_whole(result, version);
	int first = first_width(result);
	double low, high;
	char rate[16];

	fprintf(out, "%s: issued at the row's node, resumed at the column's\n",
		tls_version_name((enum tls_version)version));
	fprintf(out, "%-*s", first, "");
	for (size_t i = 0; i < result->n; i++)
		fprintf(out, "  %6s", farm_node_name(result, i));
	fputc('\n', out);
	for (size_t row = 0; row < result->n; row++) {
		fprintf(out, "%-*s", first, farm_node_name(result, row));
		for (size_t column = 0; column < result->n; column++) {
			const struct farm_cell *cell =
				&result->cells[version][row * result->n + column];
			int width = (int)strlen(
				farm_node_name(result, column));

			rate_text(rate, cell->resumed, cell->tried);
			fprintf(out, "  %*s", width > 6 ? width : 6, rate);
		}
		if (result->nodes[row].down[version])
			fprintf(out, "  %s: %s", result->nodes[row].address,
				result->nodes[row].failure);
		fputc('\n', out);
	}
	rate_text(rate, sum.resumed, sum.tried);
	share_interval(sum.resumed, sum.tried, &low, &high);
	fprintf(out, "resumed %u of %u (%s; 95 %% interval %.1f to %.1f %%), "
		"failed %u\n\n", sum.resumed, sum.tried, rate, 100 * low,
		100 * high, sum.failed);
}

/* Of each node: its tickets elsewhere, the others' there, its own. */
static void print_nodes(const struct farm_result *result, int version,
			FILE *out)
{
	int first = first_width(result);

	fprintf(out, "%-*s  %-22s  %-22s  %-22s  class\n", first,
		tls_version_name((enum tls_version)version),
		"its tickets elsewhere", "others' tickets there",
		"its own there");
	for (size_t i = 0; i < result->n; i++) {
		struct farm_cell given = farm_row(result, version, i, true);
		struct farm_cell taken = farm_column(result, version, i, true);
		const struct farm_cell *own =
			&result->cells[version][i * result->n + i];
		size_t class = result->nodes[i].class[version];
		char a[64], b[64], c[64];

		fprintf(out, "%-*s  %-22s  %-22s  %-22s  ", first,
			farm_node_name(result, i), share_text(a, &given),
			share_text(b, &taken), share_text(c, own));
		if (class == FARM_NO_CLASS)
			fputs("-\n", out);
		else
			fprintf(out, "%zu\n", class + 1);
	}
}

static const char *versions_text(const struct farm_result *result,
				 const struct farm_finding *finding)
{
	bool both = result->cells[TLS_V12] && result->cells[TLS_V13];

	if (finding->versions[TLS_V12] && finding->versions[TLS_V13])
		return " in both versions";
	if (!both)
		return "";
	return finding->versions[TLS_V12] ? " in TLSv1.2 only"
					  : " in TLSv1.3 only";
}

static void print_finding(const struct farm_result *result,
			  const struct farm_finding *finding, FILE *out)
{
	const struct farm_node *node = &result->nodes[finding->row];
	const struct farm_cause *cause = farm_cause(finding->what);
	char a[64], b[64], c[64];

	if (finding->pair) {
		fprintf(out, "%s, with tickets of %s: %s%s: %s\n",
			farm_node_name(result, finding->column),
			farm_node_name(result, finding->row), cause->what,
			versions_text(result, finding),
			share_text(a, &finding->own));
		return;
	}
	fprintf(out, "%s: %s%s\n", farm_node_name(result, finding->row),
		cause->what, versions_text(result, finding));
	if (finding->what == FARM_UNREACHABLE || finding->what == FARM_FAILING)
		fprintf(out, "  %s: %s\n", node->address,
			node->failure);
	else if (finding->what != FARM_SEVERAL)
		fprintf(out, "  resumed: its tickets elsewhere %s, others' "
			"tickets there %s, its own %s\n",
			share_text(a, &finding->given),
			share_text(b, &finding->taken),
			share_text(c, &finding->own));
	if (node->farm[0])
		fprintf(out, "  it says: farm %s%s%s\n", node->farm,
			node->refusal[0] ? ", of the tickets it refused " : "",
			node->refusal);
}

static void print_checks(const struct farm_result *result, FILE *out)
{
	bool told[FARM_STATES] = {false};

	for (size_t i = 0; i < result->n_findings; i++) {
		const struct farm_cause *cause =
			farm_cause(result->findings[i].what);

		if (told[result->findings[i].what])
			continue;
		told[result->findings[i].what] = true;
		fprintf(out, "check (%s):\n", cause->name);
		for (size_t c = 0; c < FARM_CHECKS_MAX && cause->check[c]; c++)
			fprintf(out, "  - %s\n", cause->check[c]);
	}
}

/* Who shares with whom, where that is not one class of all. */
static void print_classes(const struct farm_result *result, int version,
			  FILE *out)
{
	if (result->classes[version] < 2)
		return;
	fprintf(out, "%s: %zu classes share no keys with each other%s\n",
		tls_version_name((enum tls_version)version),
		result->classes[version],
		result->tied[version] ? ", and none is the largest" : "");
	for (size_t class = 0; class < result->classes[version]; class++) {
		fprintf(out, "  class %zu:", class + 1);
		for (size_t i = 0; i < result->n; i++) {
			if (result->nodes[i].class[version] == class)
				fprintf(out, " %s",
					farm_node_name(result, i));
		}
		fputc('\n', out);
	}
}

static void print_verdict(const struct farm_result *result, FILE *out)
{
	size_t pairs = 0;

	for (int v = 0; v < TLS_VERSIONS; v++) {
		if (result->cells[v])
			print_classes(result, v, out);
	}
	for (size_t i = 0; i < result->n_findings; i++) {
		pairs += result->findings[i].pair;
		if (pairs <= PAIRS_SHOWN || !result->findings[i].pair)
			print_finding(result, &result->findings[i], out);
	}
	if (pairs > PAIRS_SHOWN)
		fprintf(out, "and %zu pairs more\n", pairs - PAIRS_SHOWN);
	print_checks(result, out);
	if (result->n_findings == 0 && result->n > 0)
		fprintf(out, "all of %zu nodes share keys\n", result->n);
	if (result->n_rounds > 1)
		farm_print_course(result, out);
}

static void print_coverage(const struct farm_result *result, FILE *out)
{
	struct farm_coverage coverage;

	farm_coverage(result, &coverage);
	if (coverage.connections == 0)
		return;
	fprintf(out, "%zu nodes told apart by %s, in %llu connections\n",
		coverage.nodes,
		who_evidence_name(result->nodes[0].who.evidence),
		(unsigned long long)coverage.connections);
	fprintf(out, "one more, of an equal share, was missed with probability "
		"%.2g; with 95 %% one not seen gets less than %.2g %%\n",
		coverage.missed, 100 * coverage.unseen);
	if (result->nodes[0].who.evidence == WHO_KEY)
		fputs("so each may be several nodes that share everything: let "
		      "nodes name themselves (--node-header)\n", out);
	fputc('\n', out);
}

static void print_text(const struct farm_result *result, FILE *out)
{
	for (int v = 0; v < TLS_VERSIONS; v++) {
		if (result->cells[v])
			print_matrix(result, v, out);
	}
	for (int v = 0; v < TLS_VERSIONS; v++) {
		if (result->cells[v])
			print_nodes(result, v, out);
	}
	for (size_t i = 0; i < result->failures.n; i++)
		fprintf(out, "%s%s %llu%s", i ? ", " : "failures: ",
			result->failures.list[i].name,
			(unsigned long long)result->failures.list[i].count,
			i + 1 == result->failures.n ? "\n" : "");
	fputs("(resumed/tried, and the 95 % interval of the rate)\n\n", out);
	if (result->balanced)
		print_coverage(result, out);
	print_verdict(result, out);
}

void farm_print(const struct farm_result *result, enum report_format format,
		FILE *out)
{
	if (format == REPORT_JSON)
		farm_print_json(result, out);
	else if (format == REPORT_TEXT)
		print_text(result, out);
}

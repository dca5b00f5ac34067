/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stekprobe farm prints while it measures, for farm.c: a line for each
 * round with what has changed, or as CSV the round's matrix.
 */
#include <string.h>
#include <time.h>

#include "farm.h"

/* As RFC 4180 wants it: names come from servers. */
static void csv_field(const char *text, FILE *out)
{
	if (!strpbrk(text, ",\"\r\n")) {
		fputs(text, out);
		return;
	}
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

static void csv_cell(const struct farm_result *result, int version, size_t i,
		     FILE *out)
{
	const struct farm_cell *cell = &result->cells[version][i];
	const struct farm_round *round = &result->rounds[result->n_rounds - 1];
	size_t ends[] = {i / result->n, i % result->n};
	double low, high;

	fputs(tls_version_name((enum tls_version)version), out);
	for (int end = 0; end < 2; end++) {
		fputc(',', out);
		csv_field(result->nodes[ends[end]].address, out);
		fputc(',', out);
		csv_field(farm_node_name(result, ends[end]), out);
	}
	fprintf(out, ",%u,%u,%u,", cell->tried, cell->resumed, cell->failed);
	share_interval(cell->resumed, cell->tried, &low, &high);
	if (cell->tried)
		fprintf(out, "%.4f,%.4f,%.4f",
			(double)cell->resumed / cell->tried, low, high);
	else
		fputs(",,", out);
	fprintf(out, ",%zu,%.3f\n", result->n_rounds, round->at_s);
}

static void print_csv(const struct farm_result *result, FILE *out)
{
	if (result->n_rounds == 1)
		fputs("version,issued_address,issued_node,resumed_address,"
		      "resumed_node,tried,resumed,failed,rate,low,high,round,"
		      "at_s\n", out);
	for (int v = 0; v < TLS_VERSIONS; v++) {
		for (size_t i = 0; result->cells[v] && i < result->n * result->n;
		     i++)
			csv_cell(result, v, i, out);
	}
}

static void print_changes(const struct farm_result *result,
			  const struct farm_round *round, FILE *out)
{
	for (size_t i = 0; i < round->n_changes; i++) {
		const struct farm_change *change = &round->changes[i];

		fprintf(out, "  ! %s, %s: ",
			farm_node_name(result, change->node),
			tls_version_name(change->version));
		if (change->key)
			fputs("gives tickets under another key\n", out);
		else
			fprintf(out, "%s, was %s\n",
				farm_cause(change->now)->name,
				farm_cause(change->before)->name);
	}
}

static void print_old(const struct farm_round *round, FILE *out)
{
	struct farm_cell old = round->old[TLS_V12];

	old.tried += round->old[TLS_V13].tried;
	old.resumed += round->old[TLS_V13].resumed;
	if (old.tried == 0)
		return;
	fprintf(out, ", old tickets %u/%u", old.resumed, old.tried);
	if (round->oldest_s >= 0)
		fprintf(out, " (to %lld s old)", (long long)round->oldest_s);
	if (round->lost_s >= 0)
		fprintf(out, " (lost from %lld s)", (long long)round->lost_s);
}

static void print_line(const struct farm_result *result, FILE *out)
{
	const struct farm_round *round = &result->rounds[result->n_rounds - 1];
	time_t at = (time_t)round->time_s;
	struct tm local;
	size_t strays = 0;
	char clock[16];

	localtime_r(&at, &local);
	strftime(clock, sizeof(clock), "%H:%M:%S", &local);
	fprintf(out, "round %zu, %s, %zu nodes", result->n_rounds, clock,
		round->nodes);
	for (int v = 0; v < TLS_VERSIONS; v++) {
		if (result->cells[v])
			fprintf(out, ", %s %u/%u",
				tls_version_name((enum tls_version)v),
				round->sums[v].resumed, round->sums[v].tried);
	}
	print_old(round, out);
	fprintf(out, ": %s", round->good ? "good" : "not good");
	for (size_t i = 0; i < result->n; i++) {
		if (!farm_is_stray(result, i))
			continue;
		fprintf(out, "%s %s", strays++ ? "," : "; astray:",
			farm_node_name(result, i));
	}
	fputc('\n', out);
	print_changes(result, round, out);
	fflush(out);
}

void farm_print_round(const struct farm_result *result,
		      enum report_format format, FILE *out)
{
	if (format == REPORT_CSV)
		print_csv(result, out);
	else if (format == REPORT_TEXT)
		print_line(result, out);
}

void farm_print_course(const struct farm_result *result, FILE *out)
{
	size_t good = 0, changes = 0;

	for (size_t i = 0; i < result->n_rounds; i++) {
		good += result->rounds[i].good;
		changes += result->rounds[i].n_changes;
	}
	fprintf(out, "%zu of %zu rounds good, %zu changes; the matrices are of "
		"the last\n", good, result->n_rounds, changes);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prints what stekprobe load measured: tables for people, CSV for programs
 * (report_json.c has the JSON). Times are milliseconds.
 */
#include <string.h>

#include "report.h"

const struct lifetime_class lifetime_classes[LIFETIME_CLASSES] = {
	{0, 600, "to 10 min"},	{600, 3600, "to 1 h"},
	{3600, 7200, "to 2 h"}, {7200, 43200, "to 12 h"},
	{43200, 86400, "to 1 d"},
	/* RFC 8446 s4.6.1 allows no more than seven days. */
	{86400, 604800, "to 7 d"}, {604800, UINT32_MAX, "above 7 d"},
};

struct load_counts load_sum(const struct load_result *result)
{
	struct load_counts sum = {0};

	for (int v = 0; v < TLS_VERSIONS; v++) {
		const struct load_counts *c = &result->counts[v];

		sum.connections += c->connections;
		sum.failed += c->failed;
		sum.wanted += c->wanted;
		sum.offered += c->offered;
		sum.resumed += c->resumed;
		sum.full += c->full;
		sum.elsewhere += c->elsewhere;
		sum.tickets += c->tickets;
		sum.lost += c->lost;
	}
	return sum;
}

size_t load_keys(const struct load_result *result)
{
	struct key_names all = {0};
	size_t n;

	for (int v = 0; v < TLS_VERSIONS; v++) {
		if (key_names_merge(&all, &result->keys[v]) != 0)
			break;
	}
	n = all.n;
	key_names_clear(&all);
	return n;
}

double load_per_second(const struct load_result *result,
		       const struct load_counts *sum)
{
	uint64_t good = sum->resumed + sum->full;

	return result->seconds > 0 ? (double)good / result->seconds : 0;
}

static double ms(const struct samples *samples, unsigned percent)
{
	return samples_percentile(samples, percent) / 1000.0;
}

const char *load_percent(char out[32], uint64_t part, uint64_t whole)
{
	/* It loses sight of a sum that load_sum() returns. */
	/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
	uint64_t cut = whole ? part * 10000 / whole : 0;

	if (whole == 0)
		strcpy(out, "-");
	else
		snprintf(out, 32, "%llu.%02llu%%",
			 (unsigned long long)(cut / 100),
			 (unsigned long long)(cut % 100));
	return out;
}

static void print_row(const char *name, const struct load_counts *c, size_t keys,
		      FILE *out)
{
	char rate[32];

	fprintf(out, "%-8s %11llu %7llu %9llu %9llu %9llu %8s %10llu %5zu\n",
		name, (unsigned long long)c->connections,
		(unsigned long long)c->failed, (unsigned long long)c->full,
		(unsigned long long)c->offered, (unsigned long long)c->resumed,
		load_percent(rate, c->resumed, c->offered),
		(unsigned long long)c->elsewhere, keys);
}

static void print_latency(const char *name, const struct samples *s, FILE *out)
{
	if (s->n == 0)
		return;
	fprintf(out, "%-8s %11zu %9.2f %9.2f %9.2f %9.2f\n", name, s->n,
		ms(s, 50), ms(s, 90), ms(s, 99), ms(s, 100));
}

static void print_lifetimes(const char *name, const struct samples *s, FILE *out)
{
	size_t zero = s->n, rest;

	if (s->n == 0)
		return;
	fprintf(out, "%s lifetimes: %u to %u s, median %u s (", name,
		(unsigned)samples_percentile(s, 0),
		(unsigned)samples_percentile(s, 100),
		(unsigned)samples_percentile(s, 50));
	for (size_t i = 0; i < LIFETIME_CLASSES; i++)
		zero -= samples_between(s, lifetime_classes[i].above,
					lifetime_classes[i].most);
	rest = s->n - zero;
	if (zero > 0)
		fprintf(out, "none hinted %zu%s", zero, rest ? ", " : "");
	for (size_t i = 0; i < LIFETIME_CLASSES; i++) {
		size_t n = samples_between(s, lifetime_classes[i].above,
					   lifetime_classes[i].most);

		rest -= n;
		if (n > 0)
			fprintf(out, "%s %zu%s", lifetime_classes[i].name, n,
				rest ? ", " : "");
	}
	fputs(")\n", out);
}

static void print_reasons(const char *title, const struct reasons *reasons,
			  FILE *out)
{
	for (size_t i = 0; i < reasons->n; i++)
		fprintf(out, "%s%s %llu%s", i ? ", " : title,
			reasons->list[i].name,
			(unsigned long long)reasons->list[i].count,
			i + 1 == reasons->n ? "\n" : "");
}

double load_cpu_us(const struct load_plan *plan,
		   const struct load_result *result)
{
	uint64_t n = load_sum(result).connections;
	double user_s, system_s;

	if (!load_cpu(plan, result, &user_s, &system_s) || n == 0)
		return -1;
	return (user_s + system_s) * 1e6 / (double)n;
}

static void print_cpu(const struct load_plan *plan,
		      const struct load_result *result, FILE *out)
{
	double user_s, system_s;

	if (load_cpu(plan, result, &user_s, &system_s))
		fprintf(out, "server CPU %.2f s user, %.2f s system: %.0f us "
			"for each connection\n", user_s, system_s,
			load_cpu_us(plan, result));
	for (size_t i = 0; i < plan->n_servers; i++) {
		if (!result->servers[i].known)
			fprintf(out, "server CPU not known: process %ld was "
				"not there all the time\n",
				(long)plan->servers[i]);
	}
}

/* Since the moment at which the rate wanted the connection. */
static void print_due(const struct load_plan *plan,
		      const struct load_result *result, FILE *out)
{
	if (!plan->rate)
		return;
	fprintf(out, "\nfrom the moment that --rate set, %s loop\n",
		plan->open_loop ? "open" : "closed");
	print_latency("full", &result->full_due, out);
	print_latency("resumed", &result->resumed_due, out);
	print_latency("begun", &result->late, out);
	if (result->unstarted > 0)
		fprintf(out, "%llu connections were due and had found no place "
			"at the end\n", (unsigned long long)result->unstarted);
}

static void print_text(const struct load_plan *plan,
		       const struct load_result *result, FILE *out)
{
	struct load_counts sum = load_sum(result);
	char wanted[32], actual[32];

	fprintf(out, "%-8s %11s %7s %9s %9s %9s %8s %10s %5s\n", "version",
		"connections", "failed", "full", "offered", "resumed", "rate",
		"elsewhere", "keys");
	for (int v = 0; v < TLS_VERSIONS; v++) {
		if (plan->versions[v])
			print_row(tls_version_name((enum tls_version)v),
				  &result->counts[v], result->keys[v].n, out);
	}
	print_row("total", &sum, load_keys(result), out);
	fprintf(out, "\n%-8s %11s %9s %9s %9s %9s\n", "ms", "handshakes", "p50",
		"p90", "p99", "max");
	print_latency("full", &result->full, out);
	print_latency("resumed", &result->resumed, out);
	print_latency("warm-up", &result->warm, out);
	print_due(plan, result, out);
	fprintf(out, "\n%.1f handshakes/s for %.2f s after a warm-up of %llu"
		"%s\n", load_per_second(result, &sum), result->seconds,
		(unsigned long long)result->warm_connections,
		result->stopped ? ", ended early" : "");
	fprintf(out, "resumption expected %s, actual %s of all connections\n",
		load_percent(wanted, sum.wanted, sum.connections),
		load_percent(actual, sum.resumed, sum.connections));
	if (sum.wanted > sum.offered)
		fprintf(out, "%llu of them had no ticket left, or never "
			"sent it\n",
			(unsigned long long)(sum.wanted - sum.offered));
	for (int v = 0; v < TLS_VERSIONS; v++)
		print_lifetimes(tls_version_name((enum tls_version)v),
				&result->lifetimes[v], out);
	print_reasons("groups: ", &result->groups, out);
	print_cpu(plan, result, out);
	print_reasons("failures: ", &result->failures, out);
	print_reasons("failures of the warm-up: ", &result->warm_failures, out);
}

static void csv_row(const char *name, const struct load_counts *c, size_t keys,
		    const struct load_result *result, FILE *out)
{
	struct load_counts own = *c;

	fprintf(out,
		"%s,%llu,%llu,%llu,%llu,%llu,%llu,%llu,%zu,%.3f,%.1f,%llu\n",
		name, (unsigned long long)c->connections,
		(unsigned long long)c->failed, (unsigned long long)c->wanted,
		(unsigned long long)c->offered, (unsigned long long)c->resumed,
		(unsigned long long)c->full, (unsigned long long)c->elsewhere,
		keys, result->seconds, load_per_second(result, &own),
		(unsigned long long)c->lost);
}

static void print_csv(const struct load_plan *plan,
		      const struct load_result *result, FILE *out)
{
	struct load_counts sum = load_sum(result);

	fputs("version,connections,failed,wanted,offered,resumed,full,"
	      "resumed_elsewhere,ticket_keys,seconds,handshakes_per_s,lost\n",
	      out);
	for (int v = 0; v < TLS_VERSIONS; v++) {
		if (plan->versions[v])
			csv_row(tls_version_name((enum tls_version)v),
				&result->counts[v], result->keys[v].n, result,
				out);
	}
	csv_row("total", &sum, load_keys(result), result, out);
}

void load_print(const struct load_plan *plan, const struct load_result *result,
		enum report_format format, FILE *out)
{
	if (format == REPORT_JSON) {
		json_t *root = load_json(plan, result);

		json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
		fputc('\n', out);
		json_decref(root);
		return;
	}
	if (format == REPORT_CSV)
		print_csv(plan, result, out);
	else
		print_text(plan, result, out);
}

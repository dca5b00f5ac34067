/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prints what stekprobe load measured: tables for people, JSON and CSV for
 * programs. Times are milliseconds of the handshake alone.
 */
#include <string.h>

#include <jansson.h>

#include "load.h"

static struct load_counts sum_counts(const struct load_result *result)
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
	}
	return sum;
}

/* A key that sealed tickets of both versions counts once. */
static size_t sum_keys(const struct load_result *result)
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

static double per_second(const struct load_result *result,
			 const struct load_counts *sum)
{
	uint64_t good = sum->resumed + sum->full;

	return result->seconds > 0 ? (double)good / result->seconds : 0;
}

static double ms(const struct samples *samples, unsigned percent)
{
	return samples_percentile(samples, percent) / 1000.0;
}

/* A percentage cut to two decimals, so that 100 means all of them. */
static const char *percent(char out[32], uint64_t part, uint64_t whole)
{
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
		percent(rate, c->resumed, c->offered),
		(unsigned long long)c->elsewhere, keys);
}

static void print_latency(const char *name, const struct samples *s, FILE *out)
{
	if (s->n == 0)
		return;
	fprintf(out, "%-8s %11zu %9.2f %9.2f %9.2f %9.2f\n", name, s->n,
		ms(s, 50), ms(s, 90), ms(s, 99), ms(s, 100));
}

static void print_text(const struct load_plan *plan,
		       const struct load_result *result, FILE *out)
{
	struct load_counts sum = sum_counts(result);
	char wanted[32], actual[32];

	fprintf(out, "%-8s %11s %7s %9s %9s %9s %8s %10s %5s\n", "version",
		"connections", "failed", "full", "offered", "resumed", "rate",
		"elsewhere", "keys");
	for (int v = 0; v < TLS_VERSIONS; v++) {
		if (plan->versions[v])
			print_row(tls_version_name((enum tls_version)v),
				  &result->counts[v], result->keys[v].n, out);
	}
	print_row("total", &sum, sum_keys(result), out);
	fprintf(out, "\n%-8s %11s %9s %9s %9s %9s\n", "ms", "handshakes", "p50",
		"p90", "p99", "max");
	print_latency("full", &result->full, out);
	print_latency("resumed", &result->resumed, out);
	fprintf(out, "\n%.1f handshakes/s for %.2f s after a warm-up of %llu"
		"%s\n", per_second(result, &sum), result->seconds,
		(unsigned long long)result->warm_connections,
		result->stopped ? ", ended early" : "");
	fprintf(out, "resumption expected %s, actual %s of all connections\n",
		percent(wanted, sum.wanted, sum.connections),
		percent(actual, sum.resumed, sum.connections));
	if (sum.wanted > sum.offered)
		fprintf(out, "%llu of them had no ticket left, or never "
			"sent it\n",
			(unsigned long long)(sum.wanted - sum.offered));
	for (size_t i = 0; i < result->failures.n; i++)
		fprintf(out, "%s%s %llu%s", i ? ", " : "failures: ",
			result->failures.list[i].name,
			(unsigned long long)result->failures.list[i].count,
			i + 1 == result->failures.n ? "\n" : "");
}

static json_t *counts_json(const struct load_counts *c, size_t keys)
{
	json_t *object = json_object();
	const struct {
		const char *name;
		uint64_t value;
	} members[] = {
		{"connections", c->connections}, {"failed", c->failed},
		{"wanted", c->wanted},		 {"offered", c->offered},
		{"resumed", c->resumed},	 {"full", c->full},
		{"resumed_elsewhere", c->elsewhere}, {"tickets", c->tickets},
		{"ticket_keys", keys},
	};

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		json_object_set_new(object, members[i].name,
				    json_integer((json_int_t)members[i].value));
	json_object_set_new(object, "resumption_rate",
			    c->offered ? json_real((double)c->resumed /
						   (double)c->offered)
				       : json_null());
	return object;
}

static json_t *latency_json(const struct samples *s)
{
	if (s->n == 0)
		return json_null();
	return json_pack("{s:I, s:f, s:f, s:f, s:f}", "n", (json_int_t)s->n,
			 "p50", ms(s, 50), "p90", ms(s, 90), "p99", ms(s, 99),
			 "max", ms(s, 100));
}

static void print_json(const struct load_plan *plan,
		       const struct load_result *result, FILE *out)
{
	struct load_counts sum = sum_counts(result);
	json_t *root = counts_json(&sum, sum_keys(result));
	json_t *versions = json_object(), *failures = json_object();

	for (int v = 0; v < TLS_VERSIONS; v++) {
		if (plan->versions[v])
			json_object_set_new(
				versions, tls_version_name((enum tls_version)v),
				counts_json(&result->counts[v],
					    result->keys[v].n));
	}
	for (size_t i = 0; i < result->failures.n; i++)
		json_object_set_new(
			failures, result->failures.list[i].name,
			json_integer((json_int_t)result->failures.list[i].count));
	json_object_set_new(root, "versions", versions);
	json_object_set_new(root, "failures", failures);
	json_object_set_new(root, "latency_ms",
			    json_pack("{s:o, s:o}", "full",
				      latency_json(&result->full), "resumed",
				      latency_json(&result->resumed)));
	json_object_set_new(root, "warmup",
			    json_pack("{s:I, s:I}", "connections",
				      (json_int_t)result->warm_connections,
				      "failed",
				      (json_int_t)result->warm_failed));
	json_object_set_new(root, "handshakes_per_s",
			    json_real(per_second(result, &sum)));
	json_object_set_new(root, "seconds", json_real(result->seconds));
	json_object_set_new(root, "ended_early", json_boolean(result->stopped));
	json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	fputc('\n', out);
	json_decref(root);
}

static void csv_row(const char *name, const struct load_counts *c, size_t keys,
		    const struct load_result *result, FILE *out)
{
	struct load_counts own = *c;

	fprintf(out, "%s,%llu,%llu,%llu,%llu,%llu,%llu,%llu,%zu,%.3f,%.1f\n",
		name, (unsigned long long)c->connections,
		(unsigned long long)c->failed, (unsigned long long)c->wanted,
		(unsigned long long)c->offered, (unsigned long long)c->resumed,
		(unsigned long long)c->full, (unsigned long long)c->elsewhere,
		keys, result->seconds, per_second(result, &own));
}

static void print_csv(const struct load_plan *plan,
		      const struct load_result *result, FILE *out)
{
	struct load_counts sum = sum_counts(result);

	fputs("version,connections,failed,wanted,offered,resumed,full,"
	      "resumed_elsewhere,ticket_keys,seconds,handshakes_per_s\n", out);
	for (int v = 0; v < TLS_VERSIONS; v++) {
		if (plan->versions[v])
			csv_row(tls_version_name((enum tls_version)v),
				&result->counts[v], result->keys[v].n, result,
				out);
	}
	csv_row("total", &sum, sum_keys(result), result, out);
}

void load_print(const struct load_plan *plan, const struct load_result *result,
		enum report_format format, FILE *out)
{
	if (format == REPORT_JSON)
		print_json(plan, result, out);
	else if (format == REPORT_CSV)
		print_csv(plan, result, out);
	else
		print_text(plan, result, out);
}

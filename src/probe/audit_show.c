/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The audit's report: for people the findings by severity, with what to do; for
 * programs all ten in the order of the manual.
 */
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "audit.h"

#define WIDTH 79

static unsigned count(const struct audit_result *result,
		      enum audit_outcome outcome)
{
	unsigned n = 0;

	for (int i = 0; i < AUDIT_FINDINGS; i++)
		n += result->findings[i].outcome == outcome;
	return n;
}

static bool any_spoken(const struct audit_seen *seen)
{
	return seen->versions[TLS_V12].spoken || seen->versions[TLS_V13].spoken;
}

/* What the whole comes to, for programs. */
static const char *verdict(const struct audit_result *result)
{
	if (!result->seen.reached)
		return "unreachable";
	if (!any_spoken(&result->seen))
		return "no_handshake";
	return count(result, AUDIT_FOUND) ? "found" : "clean";
}

/* Of a version's tickets: the least and the most. */
static void spread(const struct audit_version *version, bool of_size,
		   uint32_t *least, uint32_t *most)
{
	*least = UINT32_MAX;
	*most = 0;
	for (size_t i = 0; i < version->n_tickets; i++) {
		const struct flight_ticket *ticket = &version->tickets[i].seen;
		uint32_t value = of_size ? ticket->size : ticket->lifetime_s;

		*least = value < *least ? value : *least;
		*most = value > *most ? value : *most;
	}
}

/* ---- text ------------------------------------------------------------------- */

/* Words of `text`, at most WIDTH wide, behind `indent` spaces. */
static void wrapped(const char *label, const char *text, FILE *out)
{
	int at = fprintf(out, "  %-7s", label);

	while (*text) {
		int len = (int)strcspn(text, " ");

		if (at + 1 + len > WIDTH)
			at = fprintf(out, "\n%9s", "") - 1;
		at += fprintf(out, " %.*s", len, text);
		text += len + (text[len] == ' ');
	}
	fputc('\n', out);
}

static void print_version(const struct audit_version *version,
			  const char *name, FILE *out)
{
	uint32_t lifetime[2], size[2];

	if (!version->wanted)
		return;
	if (!version->spoken || version->n_tickets == 0) {
		fprintf(out, "  %s  %s\n", name, version->spoken ?
			"no tickets" : "no handshake");
		return;
	}
	spread(version, false, &lifetime[0], &lifetime[1]);
	spread(version, true, &size[0], &size[1]);
	fprintf(out, "  %s  %zu tickets in %u connections, lifetime %u",
		name, version->n_tickets, version->fulls, lifetime[0]);
	if (lifetime[1] != lifetime[0])
		fprintf(out, " to %u", lifetime[1]);
	fprintf(out, " s, size %u", size[0]);
	if (size[1] != size[0])
		fprintf(out, " to %u", size[1]);
	fprintf(out, " bytes%s\n", version->again != TRY_RESUMED ?
		", not resumed" : version->reusable ? "" : ", resumed once only");
}

static void print_finding(const struct audit_finding *finding, FILE *out)
{
	const struct audit_rule *rule = finding->rule;

	if (finding->outcome != AUDIT_FOUND) {
		fprintf(out, "  %s\n", rule->id);
		wrapped("", finding->evidence, out);
		return;
	}
	fprintf(out, "\n%s  %s: %s\n", severity_name(finding->severity),
		rule->id, rule->title);
	wrapped("seen", finding->evidence, out);
	wrapped("means", rule->means, out);
	wrapped("change", rule->change, out);
	wrapped("see", rule->rfc, out);
}

static void print_outcome(const struct audit_result *result,
			  enum audit_outcome outcome, const char *title,
			  FILE *out)
{
	if (count(result, outcome) == 0)
		return;
	fprintf(out, "\n%s\n", title);
	for (int i = 0; i < AUDIT_FINDINGS; i++) {
		if (result->findings[i].outcome == outcome)
			print_finding(&result->findings[i], out);
	}
}

static void print_text(const struct audit_plan *plan,
		       const struct audit_result *result, FILE *out)
{
	const struct audit_seen *seen = &result->seen;

	fprintf(out, "%s%s%s%s: %u connections", plan->address.text,
		seen->peer[0] ? " (" : "", seen->peer, seen->peer[0] ? ")" : "",
		seen->connections);
	if (seen->watch_s)
		fprintf(out, ", watched for %u s", seen->watched_s);
	fputs("\n", out);
	for (int v = 0; v < TLS_VERSIONS; v++)
		print_version(&seen->versions[v],
			      tls_version_name((enum tls_version)v), out);
	if (!any_spoken(seen)) {
		fputs("\nNothing to judge: stekprobe handshake tells why.\n",
		      out);
		return;
	}
	for (int s = SEVERITIES - 1; s >= 0; s--) {
		for (int i = 0; i < AUDIT_FINDINGS; i++) {
			const struct audit_finding *one = &result->findings[i];

			if (one->outcome == AUDIT_FOUND &&
			    (int)one->severity == s)
				print_finding(one, out);
		}
	}
	print_outcome(result, AUDIT_NOT_FOUND, "Not found", out);
	print_outcome(result, AUDIT_NOT_JUDGED, "Not judged", out);
	fprintf(out, "\n%u of %d found, %u not found, %u not judged\n",
		count(result, AUDIT_FOUND), AUDIT_FINDINGS,
		count(result, AUDIT_NOT_FOUND),
		count(result, AUDIT_NOT_JUDGED));
}

/* ---- for programs ----------------------------------------------------------- */

static json_t *version_json(const struct audit_version *version)
{
	uint32_t lifetime[2], size[2];

	if (!version->wanted)
		return json_null();
	spread(version, false, &lifetime[0], &lifetime[1]);
	spread(version, true, &size[0], &size[1]);
	return json_pack("{s:b,s:i,s:i,s:o,s:o,s:b,s:b,s:I}",
		"spoken", version->spoken,
		"connections", (int)version->fulls,
		"tickets", (int)version->n_tickets,
		"lifetime_s", version->n_tickets == 0 ? json_null() :
		json_pack("{s:I,s:I}", "min", (json_int_t)lifetime[0],
			  "max", (json_int_t)lifetime[1]),
		"bytes", version->n_tickets == 0 ? json_null() :
		json_pack("{s:i,s:i}", "min", (int)size[0], "max",
			  (int)size[1]),
		"resumed", version->again == TRY_RESUMED,
		"resumed_twice", version->reusable,
		"early_data_bytes", (json_int_t)version->early_max);
}

static json_t *finding_json(const struct audit_finding *finding)
{
	const struct audit_rule *rule = finding->rule;

	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s}",
		"id", rule->id, "title", rule->title,
		"result", audit_outcome_name(finding->outcome),
		"severity", severity_name(finding->severity),
		"evidence", finding->evidence, "means", rule->means,
		"change", rule->change, "rfc", rule->rfc);
}

static void print_json(const struct audit_plan *plan,
		       const struct audit_result *result, FILE *out)
{
	const struct audit_seen *seen = &result->seen;
	json_t *list = json_array(), *root;

	for (int i = 0; i < AUDIT_FINDINGS; i++)
		json_array_append_new(list,
				      finding_json(&result->findings[i]));
	root = json_pack("{s:s,s:o,s:s,s:s,s:i,s:i,s:{s:o,s:o},s:o,s:i,s:i,s:i}",
		"address", plan->address.text,
		"peer", seen->peer[0] ? json_string(seen->peer) : json_null(),
		"verdict", verdict(result),
		"fail_on", severity_name(plan->fail_on),
		"connections", (int)seen->connections,
		"watched_s", (int)seen->watched_s,
		"versions",
		"TLSv1.2", version_json(&seen->versions[TLS_V12]),
		"TLSv1.3", version_json(&seen->versions[TLS_V13]),
		"findings", list,
		"found", (int)count(result, AUDIT_FOUND),
		"not_found", (int)count(result, AUDIT_NOT_FOUND),
		"not_judged", (int)count(result, AUDIT_NOT_JUDGED));
	json_dumpf(root, out, JSON_INDENT(2));
	fputc('\n', out);
	json_decref(root);
}

/* RFC 4180: no field has a quote in it. */
static void print_csv(const struct audit_result *result, FILE *out)
{
	fputs("id,result,severity,evidence,rfc\n", out);
	for (int i = 0; i < AUDIT_FINDINGS; i++) {
		const struct audit_finding *finding = &result->findings[i];

		fprintf(out, "%s,%s,%s,\"%s\",\"%s\"\n", finding->rule->id,
			audit_outcome_name(finding->outcome),
			severity_name(finding->severity), finding->evidence,
			finding->rule->rfc);
	}
}

void audit_print(const struct audit_plan *plan,
		 const struct audit_result *result, enum report_format format,
		 FILE *out)
{
	if (format == REPORT_JSON)
		print_json(plan, result, out);
	else if (format == REPORT_CSV)
		print_csv(result, out);
	else
		print_text(plan, result, out);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stekctl stats: who resumed how much, with what outcome, and whose tickets
 * were used. The farm's sums when the daemon has them, else this node's.
 */
#include <string.h>

#include "ctl.h"

static int64_t sum_members(const json_t *object)
{
	const char *name;
	json_t *value;
	int64_t sum = 0;

	json_object_foreach((json_t *)object, name, value)
		sum += (int64_t)json_integer_value(value);
	return sum;
}

static void add_node(struct ctl_table *table, const char *name,
		     const json_t *s, int *bad)
{
	const json_t *rate = json_object_get(s, "resumption_rate");
	char resumed[CTL_TEXT_LEN], full[CTL_TEXT_LEN], share[CTL_TEXT_LEN];
	char tickets[CTL_TEXT_LEN], failures[CTL_TEXT_LEN];

	snprintf(resumed, sizeof(resumed), "%lld",
		 (long long)ctl_integer(s, "resumed"));
	snprintf(full, sizeof(full), "%lld", (long long)ctl_integer(s, "full"));
	/* In millionths: a share of integers is cut, never rounded up. */
	ctl_percent(share, (int64_t)(json_number_value(rate) * 1e6 + 0.5),
		    1000000);
	snprintf(tickets, sizeof(tickets), "%lld",
		 (long long)sum_members(json_object_get(s, "tickets_issued")));
	snprintf(failures, sizeof(failures), "%lld",
		 (long long)sum_members(json_object_get(s, "failures")));
	*bad |= ctl_table_add(
		table, (const char *[]){name, resumed, full,
					json_is_number(rate) ? share : NULL,
					tickets, failures});
}

static void show_totals(const json_t *stats, FILE *out)
{
	static const char *const headings[] = {
		"NODE", ">RESUMED", ">FULL", ">RATE", ">TICKETS", ">FAILED",
		NULL};
	const json_t *farm = json_object_get(stats, "farm");
	const json_t *nodes = json_object_get(stats, "nodes");
	struct ctl_table table;
	size_t i;
	json_t *node;
	int bad = ctl_table_init(&table, headings);

	json_array_foreach(nodes, i, node)
		add_node(&table, ctl_string(node, "name"), node, &bad);
	if (json_array_size(nodes) == 0)
		add_node(&table, "this node", json_object_get(stats, "node"),
			 &bad);
	if (json_is_object(farm))
		add_node(&table, "farm", farm, &bad);
	if (bad == 0)
		ctl_table_print(&table, out);
	ctl_table_clear(&table);
}

static void show_outcomes(const json_t *s, FILE *out)
{
	static const char *const headings[] = {"OUTCOME", ">TLSv1.2",
					       ">TLSv1.3", NULL};
	const json_t *both = json_object_get(s, "handshakes");
	const json_t *v12 = json_object_get(both, "TLSv1.2");
	const json_t *v13 = json_object_get(both, "TLSv1.3");
	char a[CTL_TEXT_LEN], b[CTL_TEXT_LEN];
	struct ctl_table table;
	json_t *names = json_object(), *value;
	const char *name;
	int bad = ctl_table_init(&table, headings);

	/* The daemon may leave zeroes out of either version. */
	json_object_update(names, (json_t *)v12);
	json_object_update(names, (json_t *)v13);
	json_object_foreach(names, name, value) {
		int64_t n12 = ctl_integer(v12, name);
		int64_t n13 = ctl_integer(v13, name);

		if (n12 == 0 && n13 == 0)
			continue;
		snprintf(a, sizeof(a), "%lld", (long long)n12);
		snprintf(b, sizeof(b), "%lld", (long long)n13);
		bad |= ctl_table_add(&table, (const char *[]){name, a, b});
	}
	if (bad == 0 && table.rows > 1) {
		fputc('\n', out);
		ctl_table_print(&table, out);
	}
	ctl_table_clear(&table);
	json_decref(names);
}

static void show_named(const json_t *object, const char *heading, FILE *out)
{
	char count[CTL_TEXT_LEN];
	const char *const headings[] = {heading, ">COUNT", NULL};
	struct ctl_table table;
	const char *name;
	json_t *value;
	int bad = ctl_table_init(&table, headings);

	json_object_foreach((json_t *)object, name, value) {
		if (json_integer_value(value) == 0)
			continue;
		snprintf(count, sizeof(count), "%lld",
			 (long long)json_integer_value(value));
		bad |= ctl_table_add(&table, (const char *[]){name, count});
	}
	if (bad == 0 && table.rows > 1) {
		fputc('\n', out);
		ctl_table_print(&table, out);
	}
	ctl_table_clear(&table);
}

static void show_issuers(const json_t *issuers, FILE *out)
{
	static const char *const headings[] = {"TICKETS OF", "ID", ">RESUMED",
					       NULL};
	char count[CTL_TEXT_LEN];
	struct ctl_table table;
	size_t i;
	json_t *issuer;
	int bad;

	if (json_array_size(issuers) == 0)
		return;
	bad = ctl_table_init(&table, headings);
	json_array_foreach(issuers, i, issuer) {
		snprintf(count, sizeof(count), "%lld",
			 (long long)ctl_integer(issuer, "resumed"));
		bad |= ctl_table_add(
			&table, (const char *[]){ctl_string(issuer, "name"),
						 ctl_string(issuer, "id"),
						 count});
	}
	if (bad == 0) {
		fputc('\n', out);
		ctl_table_print(&table, out);
	}
	ctl_table_clear(&table);
}

void ctl_show_stats(const json_t *stats, FILE *out)
{
	const json_t *s = json_object_get(stats, "farm");

	if (!json_is_object(s))
		s = json_object_get(stats, "node");
	show_totals(stats, out);
	show_outcomes(s, out);
	show_named(json_object_get(s, "failures"), "FAILURE", out);
	show_issuers(json_object_get(s, "issuers"), out);
}

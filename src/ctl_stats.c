/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stekctl stats: who resumed how much, with what outcome, and whose tickets
 * were used, and how fast. The farm's sums when the daemon has them, else this
 * node's.
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

/* Each with how many tickets went out under it, the newest first. */
static void show_keys(const json_t *keys, FILE *out)
{
	static const char *const headings[] = {"TICKETS UNDER", ">ISSUED", NULL};
	char count[CTL_TEXT_LEN];
	struct ctl_table table;
	size_t i;
	json_t *key;
	int bad;

	if (json_array_size(keys) == 0)
		return;
	bad = ctl_table_init(&table, headings);
	json_array_foreach(keys, i, key) {
		snprintf(count, sizeof(count), "%lld",
			 (long long)ctl_integer(key, "issued"));
		bad |= ctl_table_add(
			&table,
			(const char *[]){ctl_string(key, "key"), count});
	}
	if (bad == 0) {
		fputc('\n', out);
		ctl_table_print(&table, out);
	}
	ctl_table_clear(&table);
}

static const char *const windows[] = {"1m", "5m", "60m"};

#define WINDOWS 3

/* `by` names a TLS version; NULL: all of them. */
static void add_rates(struct ctl_table *table, const char *name,
		      const char *state, const json_t *rates, const char *by,
		      int *bad)
{
	char shakes[WINDOWS][CTL_TEXT_LEN], shares[WINDOWS][CTL_TEXT_LEN];
	const char *cells[2 + 2 * WINDOWS] = {name, state};

	for (size_t i = 0; i < WINDOWS; i++) {
		const json_t *rate = json_object_get(rates, windows[i]);
		double over_s = json_number_value(
			json_object_get(rate, "over_s"));
		const json_t *share, *speed;

		if (by != NULL)
			rate = json_object_get(
				json_object_get(rate, "by_version"), by);
		speed = json_object_get(rate, "handshakes_per_s");
		share = json_object_get(rate, "resumption_rate");
		snprintf(shakes[i], CTL_TEXT_LEN, "%.1f",
			 json_number_value(speed));
		ctl_percent(shares[i],
			    (int64_t)(json_number_value(share) * 1e6 + 0.5),
			    1000000);
		cells[2 + i] = over_s > 0 ? shakes[i] : NULL;
		cells[2 + WINDOWS + i] = json_is_number(share) ? shares[i]
							       : NULL;
	}
	*bad |= ctl_table_add(table, cells);
}

static void add_farm_rates(struct ctl_table *table, const json_t *farm,
			   int *bad)
{
	const json_t *rates = json_object_get(farm, "rates");

	if (!json_is_object(rates))
		return;
	add_rates(table, "farm", NULL, rates, NULL, bad);
	add_rates(table, "farm, TLSv1.2", NULL, rates, "TLSv1.2", bad);
	add_rates(table, "farm, TLSv1.3", NULL, rates, "TLSv1.3", bad);
}

static void show_rates(const json_t *stats, FILE *out)
{
	static const char *const headings[] = {
		"RATES", "STATE", ">SHAKES/S 1M", ">5M", ">60M", ">RESUMED 1M",
		">5M", ">60M", NULL};
	struct ctl_table table;
	size_t i;
	json_t *node;
	int bad = ctl_table_init(&table, headings);

	json_array_foreach(json_object_get(stats, "nodes"), i, node)
		if (json_is_object(json_object_get(node, "rates")))
			add_rates(&table, ctl_string(node, "name"),
				  ctl_string(node, "state"),
				  json_object_get(node, "rates"), NULL, &bad);
	add_farm_rates(&table, json_object_get(stats, "farm"), &bad);
	if (bad == 0 && table.rows > 1) {
		fputc('\n', out);
		ctl_table_print(&table, out);
	}
	ctl_table_clear(&table);
}

/* Whose figures are old, so that nobody takes them for present ones. */
static void show_silent(const json_t *names, const char *what, FILE *out)
{
	size_t i;
	json_t *name;

	if (json_array_size(names) == 0)
		return;
	fprintf(out, "\n%s:", what);
	json_array_foreach(names, i, name)
		if (json_is_string(name))
			fprintf(out, " %s", json_string_value(name));
	fputc('\n', out);
}

void ctl_show_stats(const json_t *stats, FILE *out)
{
	const json_t *s = json_object_get(stats, "farm"), *alerts;

	if (!json_is_object(s))
		s = json_object_get(stats, "node");
	alerts = json_object_get(s, "alerts");
	show_totals(stats, out);
	show_rates(stats, out);
	show_silent(json_object_get(stats, "late"),
		    "late (as their last heartbeats said)", out);
	show_silent(json_object_get(stats, "missing"),
		    "no longer in the farm", out);
	show_outcomes(s, out);
	show_named(json_object_get(s, "failures"), "FAILURE", out);
	show_named(json_object_get(alerts, "sent"), "ALERT SENT", out);
	show_named(json_object_get(alerts, "received"), "ALERT RECEIVED", out);
	show_issuers(json_object_get(s, "issuers"), out);
	show_keys(json_object_get(s, "tickets_by_key"), out);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stekprobe load measured, as JSON. stekprobe(1) lists the members; none
 * is ever taken away, for scripts read them.
 */
#include <math.h>

#include "report.h"

static double in_ms(const struct samples *samples, unsigned percent)
{
	return samples_percentile(samples, percent) / 1000.0;
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
		{"ticket_keys", keys}, {"lost", c->lost},
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
			 "p50", in_ms(s, 50), "p90", in_ms(s, 90), "p99", in_ms(s, 99),
			 "max", in_ms(s, 100));
}

/* Ten classes a decade from 50 us on; the last takes what is above it. */
#define CLASSES 54
#define CLASS_FIRST_US 50.0

static uint32_t class_bound_us(size_t i)
{
	return (uint32_t)(CLASS_FIRST_US * pow(10.0, (double)i / 10) + 0.5);
}

static json_t *classes_json(const struct samples *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < CLASSES; i++) {
		uint32_t low = i ? class_bound_us(i - 1) : 0;
		uint32_t high = i + 1 < CLASSES ? class_bound_us(i)
						: UINT32_MAX;
		size_t n = samples_between(s, low, high);

		if (i == 0)	/* those of no time at all, too */
			n = s->n - samples_between(s, high, UINT32_MAX);
		json_array_append_new(list, json_integer((json_int_t)n));
	}
	return list;
}

static json_t *distribution_json(const struct load_result *result)
{
	json_t *bounds = json_array();

	for (size_t i = 0; i < CLASSES; i++)
		json_array_append_new(bounds,
				      json_real(class_bound_us(i) / 1000.0));
	return json_pack("{s:o, s:o, s:o}", "bounds_ms", bounds, "full",
			 classes_json(&result->full), "resumed",
			 classes_json(&result->resumed));
}

static json_t *reasons_json(const struct reasons *reasons)
{
	json_t *object = json_object();

	for (size_t i = 0; i < reasons->n; i++)
		json_object_set_new(
			object, reasons->list[i].name,
			json_integer((json_int_t)reasons->list[i].count));
	return object;
}

static json_t *lifetimes_json(const struct samples *s)
{
	json_t *object, *classes;
	uint64_t hinted = 0;

	if (s->n == 0)
		return json_null();
	classes = json_array();
	for (size_t i = 0; i < LIFETIME_CLASSES; i++) {
		const struct lifetime_class *class = &lifetime_classes[i];
		size_t n = samples_between(s, class->above, class->most);
		json_t *most = class->most == UINT32_MAX
				       ? json_null() : json_integer(class->most);

		hinted += n;
		json_array_append_new(classes,
				      json_pack("{s:I, s:o, s:I}", "above",
						(json_int_t)class->above,
						"most", most, "n",
						(json_int_t)n));
	}
	object = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "n",
			   (json_int_t)s->n, "min",
			   (json_int_t)samples_percentile(s, 0), "p10",
			   (json_int_t)samples_percentile(s, 10), "p50",
			   (json_int_t)samples_percentile(s, 50), "p90",
			   (json_int_t)samples_percentile(s, 90), "max",
			   (json_int_t)samples_percentile(s, 100));
	json_object_set_new(object, "not_hinted",
			    json_integer((json_int_t)(s->n - hinted)));
	json_object_set_new(object, "classes", classes);
	return object;
}

void moment_json(json_t *object, const struct moment *m)
{
	const struct {
		const char *name;
		uint64_t value;
	} members[] = {
		{"connections", m->connections}, {"failed", m->failed},
		{"full", m->full}, {"resumed", m->resumed}, {"lost", m->lost},
		{"no_ticket", m->bare}, {"resumed_by_old", m->old},
		{"resumed_by_fresh", m->fresh}, {"fresh_lost", m->fresh_lost},
	};

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		json_object_set_new(object, members[i].name,
				    json_integer((json_int_t)members[i].value));
}

static json_t *course_json(const struct course *course)
{
	json_t *list = json_array();

	for (size_t i = 0; i < course->n; i++) {
		json_t *object = json_pack("{s:I}", "second", (json_int_t)i);

		moment_json(object, &course->list[i]);
		json_array_append_new(list, object);
	}
	return list;
}

static json_t *cpu_json(const struct load_plan *plan,
			const struct load_result *result)
{
	double each = load_cpu_us(plan, result);
	json_t *list;

	if (plan->n_servers == 0)
		return json_null();
	list = json_array();
	for (size_t i = 0; i < plan->n_servers; i++) {
		const struct cpu_server *server = &result->servers[i];
		json_t *object = json_pack("{s:I, s:b}", "pid",
					   (json_int_t)plan->servers[i],
					   "known", (int)server->known);

		if (server->known) {
			json_object_set_new(object, "user_s",
					    json_real(server->user_s));
			json_object_set_new(object, "system_s",
					    json_real(server->system_s));
		}
		json_array_append_new(list, object);
	}
	return json_pack("{s:o, s:o}", "us_per_connection",
			 each < 0 ? json_null() : json_real(each), "servers",
			 list);
}

static json_t *warmup_json(const struct load_result *result)
{
	return json_pack("{s:I, s:I, s:o, s:o}", "connections",
			 (json_int_t)result->warm_connections, "failed",
			 (json_int_t)result->warm_failed, "latency_ms",
			 latency_json(&result->warm), "failures",
			 reasons_json(&result->warm_failures));
}

static json_t *versions_json(const struct load_plan *plan,
			     const struct load_result *result)
{
	json_t *versions = json_object();

	for (int v = 0; v < TLS_VERSIONS; v++) {
		json_t *one;

		if (!plan->versions[v])
			continue;
		one = counts_json(&result->counts[v], result->keys[v].n);
		json_object_set_new(one, "ticket_lifetime_s",
				    lifetimes_json(&result->lifetimes[v]));
		json_object_set_new(versions,
				    tls_version_name((enum tls_version)v), one);
	}
	return versions;
}

json_t *load_json(const struct load_plan *plan,
		  const struct load_result *result)
{
	struct load_counts sum = load_sum(result);
	json_t *root = counts_json(&sum, load_keys(result)), *due;
	const struct {
		const char *name;
		json_t *value;
	} members[] = {
		{"versions", versions_json(plan, result)},
		{"failures", reasons_json(&result->failures)},
		{"groups", reasons_json(&result->groups)},
		{"latency_ms", json_pack("{s:o, s:o}", "full",
					 latency_json(&result->full), "resumed",
					 latency_json(&result->resumed))},
		{"distribution", distribution_json(result)},
		{"loop", json_string(plan->open_loop ? "open" : "closed")},
		{"warmup", warmup_json(result)},
		{"server_cpu", cpu_json(plan, result)},
		{"course", course_json(&result->course)},
		{"unstarted", json_integer((json_int_t)result->unstarted)},
		{"handshakes_per_s", json_real(load_per_second(result, &sum))},
		{"seconds", json_real(result->seconds)},
		{"ended_early", json_boolean(result->stopped)},
	};

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		json_object_set_new(root, members[i].name, members[i].value);
	due = plan->rate ? json_pack("{s:o, s:o, s:o}", "full",
				     latency_json(&result->full_due), "resumed",
				     latency_json(&result->resumed_due),
				     "begun", latency_json(&result->late))
			 : json_null();
	json_object_set_new(root, "latency_due_ms", due);
	return root;
}

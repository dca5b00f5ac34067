/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prints what stekprobe rotate-test measured: for each event what its clients
 * lost, and the course of the whole by seconds with the events marked.
 */
#include <string.h>

#include "report.h"
#include "rotate.h"

#define MARKS_LEN 200

static double in_s(int64_t us)
{
	return (double)us / 1e6;
}

/* True if the event's moment `at_us` lies in this second. */
static bool falls_in(int64_t at_us, size_t second)
{
	return at_us > 0 && (size_t)(at_us / 1000000) == second;
}

static void add_mark(char marks[MARKS_LEN], const char *word, size_t i,
		     const char *what)
{
	size_t used = strlen(marks);

	snprintf(marks + used, MARKS_LEN - used, "%s%s %zu %s",
		 used ? "; " : "", word, i + 1, what);
}

/* "rotation 1 asked; rotation 1 active" */
static void marks_of(const struct rotate_plan *plan,
		     const struct rotate_result *result, size_t second,
		     char marks[MARKS_LEN])
{
	const char *word = rotate_word(plan->kind);

	marks[0] = '\0';
	for (size_t i = 0; i < result->n; i++) {
		const struct rotate_event *event = &result->events[i];

		if (falls_in(event->asked_us, second))
			add_mark(marks, word, i, "asked");
		if (event->done && falls_in(event->answered_us, second))
			add_mark(marks, word, i, "done");
		if (event->done && plan->kind != ROTATE_LOSE &&
		    falls_in(event->active_us, second))
			add_mark(marks, word, i, "key active");
	}
}

/* Seconds from the request until the last bad connection; 0: none was. */
static double whole_after(const struct rotate_event *event,
			  const struct moment *since)
{
	return since->bad_us > event->asked_us
		       ? in_s(since->bad_us - event->asked_us) : 0;
}

static void print_event(const struct rotate_plan *plan,
			const struct rotate_result *result, size_t i, FILE *out)
{
	const struct rotate_event *event = &result->events[i];
	struct moment since = rotate_since(result, i);

	fprintf(out, "%s %zu: asked at %.3f s, ", rotate_word(plan->kind), i + 1,
		in_s(event->asked_us));
	if (!event->done) {
		fprintf(out, "refused: %s\n", event->detail);
		return;
	}
	fprintf(out, "done at %.3f s", in_s(event->answered_us));
	if (plan->kind != ROTATE_LOSE)
		fprintf(out, " by %u nodes (%u late), the slowest after %lld "
			"ms; key active at %.3f s", event->nodes, event->late,
			(long long)event->slowest_ms, in_s(event->active_us));
	fprintf(out, "\n  %llu connections: resumed %llu, lost %llu, no ticket "
		"%llu, failed %llu; by tickets from before: %llu\n",
		(unsigned long long)since.connections,
		(unsigned long long)since.resumed,
		(unsigned long long)since.lost, (unsigned long long)since.bare,
		(unsigned long long)since.failed,
		(unsigned long long)since.old);
	if (since.bad_us > event->asked_us)
		fprintf(out, "  whole again after %.3f s\n",
			whole_after(event, &since));
}

static void print_text(const struct rotate_plan *plan,
		       const struct rotate_result *result, FILE *out)
{
	struct moment before = rotate_before(result);
	struct load_counts sum = load_sum(&result->load);
	char marks[MARKS_LEN];

	fprintf(out, "before: %llu connections, resumed %llu, lost %llu, "
		"failed %llu\n", (unsigned long long)before.connections,
		(unsigned long long)before.resumed,
		(unsigned long long)before.lost,
		(unsigned long long)before.failed);
	for (size_t i = 0; i < result->n; i++)
		print_event(plan, result, i, out);
	fprintf(out, "\n%6s %11s %7s %9s %9s %9s\n", "second", "connections",
		"failed", "full", "resumed", "lost");
	for (size_t i = 0; i < result->load.course.n; i++) {
		const struct moment *m = &result->load.course.list[i];

		marks_of(plan, result, i, marks);
		fprintf(out, "%6zu %11llu %7llu %9llu %9llu %9llu%s%s\n", i,
			(unsigned long long)m->connections,
			(unsigned long long)m->failed,
			(unsigned long long)m->full,
			(unsigned long long)m->resumed,
			(unsigned long long)m->lost, marks[0] ? "  " : "",
			marks);
	}
	fputc('\n', out);
	load_print(&plan->load, &result->load, REPORT_TEXT, out);
	fprintf(out, "%llu of %llu tickets offered were lost in %zu %s%s\n",
		(unsigned long long)sum.lost, (unsigned long long)sum.offered,
		result->n, rotate_word(plan->kind), result->n == 1 ? "" : "s");
}

static json_t *event_json(const struct rotate_plan *plan,
			  const struct rotate_result *result, size_t i)
{
	const struct rotate_event *event = &result->events[i];
	struct moment since = rotate_since(result, i);
	bool farm = plan->kind != ROTATE_LOSE && event->done;
	json_t *object = json_pack(
		"{s:b, s:f, s:I, s:f}", "done", (int)event->done, "asked_s",
		in_s(event->asked_us), "status", (json_int_t)event->status,
		"whole_after_s", whole_after(event, &since));

	json_object_set_new(object, "done_s",
			    event->done ? json_real(in_s(event->answered_us))
					: json_null());
	json_object_set_new(object, "active_s",
			    farm ? json_real(in_s(event->active_us))
				 : json_null());
	json_object_set_new(object, "nodes", json_integer(event->nodes));
	json_object_set_new(object, "late", json_integer(event->late));
	json_object_set_new(object, "slowest_ms",
			    json_integer((json_int_t)event->slowest_ms));
	json_object_set_new(object, "detail",
			    event->done ? json_null()
					: json_string(event->detail));
	moment_json(object, &since);
	return object;
}

static void print_json(const struct rotate_plan *plan,
		       const struct rotate_result *result, FILE *out)
{
	json_t *root = json_object(), *events = json_array();
	json_t *before = json_object();
	struct moment first = rotate_before(result);
	struct load_counts sum = load_sum(&result->load);

	for (size_t i = 0; i < result->n; i++)
		json_array_append_new(events, event_json(plan, result, i));
	moment_json(before, &first);
	json_object_set_new(root, "kind", json_string(rotate_word(plan->kind)));
	json_object_set_new(root, "lost", json_integer((json_int_t)sum.lost));
	json_object_set_new(root, "failed",
			    json_integer((json_int_t)sum.failed));
	json_object_set_new(root, "before", before);
	json_object_set_new(root, "events", events);
	json_object_set_new(root, "load", load_json(&plan->load, &result->load));
	json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	fputc('\n', out);
	json_decref(root);
}

static void print_csv(const struct rotate_plan *plan,
		      const struct rotate_result *result, FILE *out)
{
	char marks[MARKS_LEN];

	fputs("second,connections,failed,full,resumed,lost,no_ticket,marks\n",
	      out);
	for (size_t i = 0; i < result->load.course.n; i++) {
		const struct moment *m = &result->load.course.list[i];

		marks_of(plan, result, i, marks);
		fprintf(out, "%zu,%llu,%llu,%llu,%llu,%llu,%llu,%s\n", i,
			(unsigned long long)m->connections,
			(unsigned long long)m->failed,
			(unsigned long long)m->full,
			(unsigned long long)m->resumed,
			(unsigned long long)m->lost,
			(unsigned long long)m->bare, marks);
	}
}

void rotate_print(const struct rotate_plan *plan,
		  const struct rotate_result *result, enum report_format format,
		  FILE *out)
{
	if (format == REPORT_JSON)
		print_json(plan, result, out);
	else if (format == REPORT_CSV)
		print_csv(plan, result, out);
	else
		print_text(plan, result, out);
}

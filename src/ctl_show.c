/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The admin endpoint's answers, laid out for people. The JSON is taken as it
 * comes: what an older or newer daemon leaves out prints as "-".
 */
#include <math.h>
#include <string.h>
#include <time.h>

#include "ctl.h"

const char *ctl_string(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text && *text ? text : "-";
}

int64_t ctl_integer(const json_t *object, const char *name)
{
	return (int64_t)json_integer_value(json_object_get(object, name));
}

static const char *number(char out[CTL_TEXT_LEN], const json_t *object,
			  const char *name)
{
	const json_t *value = json_object_get(object, name);

	if (!json_is_integer(value))
		return NULL;
	snprintf(out, CTL_TEXT_LEN, "%lld",
		 (long long)json_integer_value(value));
	return out;
}

/* A time member relative to now; NULL when there is none, or it is zero. */
static const char *when(char out[CTL_TEXT_LEN], const json_t *object,
			const char *name, int64_t now_ms)
{
	int64_t at_ms = ctl_integer(object, name);

	if (at_ms == 0)
		return NULL;
	ctl_when(out, at_ms, now_ms);
	return out;
}

static const char *or_dash(const char *text)
{
	return text ? text : "-";
}

static void show_ring(const json_t *ring, int64_t now_ms, FILE *out)
{
	char until[CTL_TEXT_LEN], next[CTL_TEXT_LEN];

	fprintf(out, "ring:     epoch %lld, %lld keys, digest %.16s\n",
		(long long)ctl_integer(ring, "epoch"),
		(long long)ctl_integer(ring, "keys"),
		ctl_string(ring, "digest"));
	fprintf(out, "active:   %s, seals until %s\n",
		ctl_string(ring, "active"),
		or_dash(when(until, ring, "active_until_ms", now_ms)));
	fprintf(out, "next key: %s\n",
		or_dash(when(next, ring, "next_activation_ms", now_ms)));
}

static void show_store(const json_t *store, int64_t now_ms, FILE *out)
{
	const json_t *detail = json_object_get(store, "detail");
	char since[CTL_TEXT_LEN], ok_at[CTL_TEXT_LEN];

	fprintf(out, "store:    %s, %s since %s, last answer %s\n",
		ctl_string(store, "url"), ctl_string(store, "state"),
		or_dash(when(since, store, "since_ms", now_ms)),
		or_dash(when(ok_at, store, "ok_at_ms", now_ms)));
	if (json_is_true(json_object_get(store, "clock_known")))
		fprintf(out, "          clock %+.1f ms to ours\n",
			json_number_value(json_object_get(store,
							  "clock_offset_ms")));
	if (json_string_length(detail) > 0)
		fprintf(out, "          %s\n", json_string_value(detail));
}

/* The stores' clock against this machine's, and what is left of it. */
static void show_clock(const json_t *clock, FILE *out)
{
	if (!json_is_true(json_object_get(clock, "known")))
		return;
	fprintf(out, "clock:    %+.1f ms to the store's, farm time within "
		"%.1f ms\n",
		json_number_value(json_object_get(clock, "offset_ms")),
		fabs(json_number_value(json_object_get(clock, "error_ms"))));
}

/* Only where the store is told to wait for replicas. */
static void show_replicas(const json_t *counters, FILE *out)
{
	long long wanted = (long long)ctl_integer(counters, "replicas_wanted");

	if (wanted == 0)
		return;
	fprintf(out, "replicas: %lld of %lld confirmed the last ring from "
		     "here, too few for %lld rings\n",
		(long long)ctl_integer(counters, "replicas_confirmed"), wanted,
		(long long)ctl_integer(counters, "unconfirmed"));
}

/* Left out while it is as it was started with. */
static void show_configuration(const json_t *of, int64_t now_ms, FILE *out)
{
	char at[CTL_TEXT_LEN];

	if (ctl_integer(of, "reloads") + ctl_integer(of, "refused") == 0)
		return;
	fprintf(out, "config:   number %lld, reloaded %s, %lld refused, %lld "
		"held\n", (long long)ctl_integer(of, "generation"),
		or_dash(when(at, of, "reloaded_at_ms", now_ms)),
		(long long)ctl_integer(of, "refused"),
		(long long)ctl_integer(of, "held"));
}

void ctl_show_status(const json_t *status, FILE *out)
{
	int64_t now_ms = ctl_integer(status, "now_ms");
	const json_t *open = json_object_get(status, "connections");
	const json_t *reasons = json_object_get(status, "not_ready");
	char up[CTL_TEXT_LEN];
	size_t i;
	json_t *reason, *store;

	ctl_duration(up, ctl_integer(status, "uptime_s") * 1000);
	fprintf(out, "node:     %s (%s) of farm %s, stekd %s, up %s\n",
		ctl_string(status, "node"), ctl_string(status, "node_id"),
		ctl_string(status, "farm"), ctl_string(status, "version"), up);
	fprintf(out, "ready:    %s",
		json_is_true(json_object_get(status, "ready")) ? "yes" : "no");
	json_array_foreach(reasons, i, reason)
		fprintf(out, "%s%s", i ? ", " : ": ",
			or_dash(json_string_value(reason)));
	json_array_foreach(json_object_get(status, "degraded"), i, reason)
		fprintf(out, "%s%s", i ? ", " : "; degraded: ",
			or_dash(json_string_value(reason)));
	fputc('\n', out);
	show_ring(json_object_get(status, "ring"), now_ms, out);
	json_array_foreach(json_object_get(status, "stores"), i, store)
		show_store(store, now_ms, out);
	show_clock(json_object_get(status, "clock"), out);
	show_replicas(json_object_get(status, "counters"), out);
	show_configuration(json_object_get(status, "configuration"), now_ms,
			   out);
	fprintf(out, "load:     %lld connections open, %lld accepted, "
		     "%lld workers\n", (long long)ctl_integer(open, "open"),
		(long long)ctl_integer(open, "accepted"),
		(long long)ctl_integer(status, "workers"));
}

void ctl_show_keys(const json_t *keys, FILE *out)
{
	static const char *const headings[] = {
		"KEY", "STATE", "MADE FOR", "MADE BY", "ACTIVE",
		"SEALS UNTIL", "OPENS UNTIL", "REVOKED", NULL};
	int64_t now_ms = ctl_integer(keys, "now_ms");
	char active[CTL_TEXT_LEN], seal[CTL_TEXT_LEN], expire[CTL_TEXT_LEN];
	char revoked[CTL_TEXT_LEN];
	struct ctl_table table;
	size_t i;
	json_t *key;
	int bad = ctl_table_init(&table, headings);

	json_array_foreach(json_object_get(keys, "keys"), i, key) {
		const char *row[] = {
			ctl_string(key, "id"),
			ctl_string(key, "state"),
			ctl_string(key, "reason"),
			ctl_string(key, "made_by"),
			when(active, key, "activate_at_ms", now_ms),
			when(seal, key, "seal_until_ms", now_ms),
			when(expire, key, "expire_at_ms", now_ms),
			when(revoked, key, "revoked_at_ms", now_ms),
		};

		bad |= ctl_table_add(&table, row);
	}
	if (bad == 0)
		ctl_table_print(&table, out);
	ctl_table_clear(&table);
	fprintf(out, "epoch %lld, digest %s\n",
		(long long)ctl_integer(keys, "epoch"),
		ctl_string(keys, "digest"));
}

static void show_node(struct ctl_table *table, const json_t *node, int *bad)
{
	char age[CTL_TEXT_LEN], epoch[CTL_TEXT_LEN], clock[CTL_TEXT_LEN];
	char done[CTL_TEXT_LEN], resumed[CTL_TEXT_LEN], name[80];
	const json_t *offset = json_object_get(node, "clock_offset_ms");
	bool self = json_is_true(json_object_get(node, "self"));
	bool live = json_is_true(json_object_get(node, "live"));
	bool sync = json_is_true(json_object_get(node, "in_sync"));

	snprintf(name, sizeof(name), "%.70s%s", ctl_string(node, "name"),
		 self ? " *" : "");
	ctl_when(age, -ctl_integer(node, "age_ms"), 0);
	snprintf(clock, sizeof(clock), "%+.1f ms", json_number_value(offset));
	bad[0] |= ctl_table_add(
		table,
		(const char *[]){name, ctl_string(node, "id"),
				 live ? "live" : "away", age,
				 number(epoch, node, "epoch"),
				 sync ? "yes" : "NO",
				 json_is_number(offset) ? clock : NULL,
				 number(done, node, "handshakes"),
				 number(resumed, node, "resumed")});
}

void ctl_show_nodes(const json_t *nodes, FILE *out)
{
	static const char *const headings[] = {
		"NODE", "ID", "STATE", "HEARD", ">EPOCH", "IN SYNC", ">CLOCK",
		">HANDSHAKES", ">RESUMED", NULL};
	struct ctl_table table;
	size_t i;
	json_t *node;
	int bad = ctl_table_init(&table, headings);

	json_array_foreach(json_object_get(nodes, "nodes"), i, node)
		show_node(&table, node, &bad);
	if (bad == 0)
		ctl_table_print(&table, out);
	ctl_table_clear(&table);
}

static void show_acks(const json_t *acks, FILE *out)
{
	static const char *const headings[] = {"NODE", "ACKNOWLEDGED", NULL};
	struct ctl_table table;
	size_t i;
	json_t *ack;
	int bad;

	if (json_array_size(acks) == 0)
		return;
	bad = ctl_table_init(&table, headings);
	json_array_foreach(acks, i, ack) {
		bool done = json_is_true(json_object_get(ack, "acknowledged"));
		char text[64] = "LATE";

		if (done)
			snprintf(text, sizeof(text), "after %lld ms",
				 (long long)ctl_integer(ack, "after_ms"));
		bad |= ctl_table_add(
			&table,
			(const char *[]){ctl_string(ack, "name"), text});
	}
	if (bad == 0)
		ctl_table_print(&table, out);
	ctl_table_clear(&table);
}

void ctl_show_change(const json_t *change, FILE *out)
{
	const json_t *revoked = json_object_get(change, "revoked");
	time_t at_s = (time_t)(ctl_integer(change, "activate_at_ms") / 1000);
	struct tm at;

	if (json_is_true(json_object_get(change, "dry_run")))
		fputs("dry run:  nothing was changed; this would happen\n",
		      out);
	if (json_is_true(json_object_get(change, "replayed")))
		fputs("repeated: the answer to an earlier, equal request\n",
		      out);
	if (revoked)
		fprintf(out, "revoked:  %lld keys\n",
			(long long)json_integer_value(revoked));
	fprintf(out, "new key:  %s", ctl_string(change, "key"));
	if (at_s > 0 && gmtime_r(&at_s, &at))
		fprintf(out, ", active at %02d:%02d:%02d UTC", at.tm_hour,
			at.tm_min, at.tm_sec);
	fputc('\n', out);
	fprintf(out, "ring:     epoch %lld, digest %.16s\n",
		(long long)ctl_integer(change, "epoch"),
		ctl_string(change, "digest"));
	show_acks(json_object_get(change, "nodes"), out);
}

void ctl_show_reload(const json_t *answer, FILE *out)
{
	fprintf(out, "configuration %lld is in force, after %lld ms\n",
		(long long)ctl_integer(answer, "generation"),
		(long long)ctl_integer(answer, "took_ms"));
}

static void show_errors(const json_t *errors, FILE *out)
{
	size_t i;
	json_t *error;

	json_array_foreach(errors, i, error)
		if (json_is_string(error))
			fprintf(out, "  %s\n", json_string_value(error));
}

void ctl_show_problem(const struct ctl_reply *reply, FILE *out)
{
	const json_t *detail = json_object_get(reply->body, "detail");
	const json_t *title = json_object_get(reply->body, "title");
	const json_t *instance = json_object_get(reply->body, "instance");

	fprintf(out, "stekctl: %ld", reply->status);
	if (json_string_length(title) > 0)
		fprintf(out, " %s", json_string_value(title));
	if (json_string_length(detail) > 0)
		fprintf(out, ": %s", json_string_value(detail));
	fputc('\n', out);
	if (reply->status == 401)
		fputs("stekctl: the token is missing or wrong "
		      "(--token-file)\n", out);
	if (reply->retry_after_s > 0)
		fprintf(out, "stekctl: try again in %ld s\n",
			reply->retry_after_s);
	if (json_string_length(instance) > 0)
		fprintf(out, "stekctl: the node's log names it %s\n",
			json_string_value(instance));
	show_errors(json_object_get(reply->body, "errors"), out);
	show_acks(json_object_get(reply->body, "nodes"), out);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * metrics.c - writes the node's figures for Prometheus: counters of the
 * workers, the ring, the store, the clock. Label values come from fixed lists,
 * but for the issuing nodes, of which a worker counts ISSUERS_MAX at most.
 * Called by admin_route.c.
 */
#include <inttypes.h>
#include <string.h>

#include "feed.h"
#include "generation.h"
#include "metrics.h"
#include "worker.h"

static const char *const kinds[TLS_KINDS] = {
	[TLS_KIND_12] = "TLSv1.2",
	[TLS_KIND_13] = "TLSv1.3",
};

static void head(FILE *out, const char *name, const char *type,
		 const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void total(FILE *out, const char *name, uint64_t value,
		  const char *help)
{
	head(out, name, "counter", help);
	fprintf(out, "%s %" PRIu64 "\n", name, value);
}

static void gauge(FILE *out, const char *name, double value, const char *help)
{
	head(out, name, "gauge", help);
	fprintf(out, "%s %.15g\n", name, value);
}

/* A label's value, escaped as the format asks. */
static void label(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\\' || *text == '"')
			fputc('\\', out);
		if (*text == '\n')
			fputs("\\n", out);
		if (*text != '\n')
			fputc(*text, out);
	}
}

static void write_handshakes(FILE *out, const struct counters *c)
{
	int kind, outcome, i;

	head(out, "stekd_handshakes_total", "counter",
	     "Completed handshakes by TLS version and what became of the "
	     "client's ticket.");
	for (kind = 0; kind < TLS_KINDS; kind++)
		for (outcome = 0; outcome < STEK_OUTCOMES; outcome++)
			fprintf(out, "stekd_handshakes_total{version=\"%s\","
				"outcome=\"%s\"} %" PRIu64 "\n", kinds[kind],
				stek_outcome_name(outcome),
				(uint64_t)c->handshakes[kind][outcome]);
	head(out, "stekd_handshake_failures_total", "counter",
	     "Connections that ended before their handshake did, by reason.");
	for (i = FAIL_NONE + 1; i < FAILURES; i++)
		fprintf(out, "stekd_handshake_failures_total{reason=\"%s\"} %"
			PRIu64 "\n", failure_name(i),
			(uint64_t)c->failures[i]);
}

static void write_tickets(FILE *out, const struct counters *c)
{
	int kind;

	head(out, "stekd_tickets_issued_total", "counter",
	     "Tickets sealed under a key of the ring.");
	for (kind = 0; kind < TLS_KINDS; kind++)
		fprintf(out, "stekd_tickets_issued_total{version=\"%s\"} %"
			PRIu64 "\n", kinds[kind],
			(uint64_t)c->tickets_issued[kind]);
	total(out, "stekd_tickets_blank_total", c->tickets_blank,
	      "Tickets that nothing opens, given because no key might seal.");
}

static void write_alerts(FILE *out, const char *direction,
			 const counter *alerts)
{
	size_t i;

	for (i = 0; i < ALERTS; i++)
		fprintf(out, "stekd_alerts_total{direction=\"%s\",alert=\"%s\"} "
			"%" PRIu64 "\n", direction, alerts_slot_name(i),
			(uint64_t)alerts[i]);
}

/* Only keys of the ring, so that there are never more than it holds. */
static void write_keys(FILE *out, const struct counters *c,
		       const struct stek_ring_info *ring)
{
	uint32_t id;
	size_t i;

	if (ring->n_keys == 0)
		return;
	head(out, "stekd_key_tickets_issued_total", "counter",
	     "Tickets sealed under each key of the ring, by the first eight "
	     "digits of its id.");
	for (i = 0; i < ring->n_keys; i++) {
		id = counters_key_id(ring->keys[i].id);
		fprintf(out, "stekd_key_tickets_issued_total{key=\"%08" PRIx32
			"\"} %" PRIu64 "\n", id, counters_key_issued(c, id));
	}
}

static void write_issuers(FILE *out, const struct node *node,
			  const struct counters *c)
{
	char name[STEK_NAME_MAX + 1];
	int i;

	head(out, "stekd_resumptions_total", "counter",
	     "Resumed handshakes by the node that issued the ticket; other: "
	     "issuers beyond the first 64.");
	for (i = 0; i < ISSUERS_MAX; i++) {
		if (c->issuer_resumed[i] == 0)
			continue;
		node_issuer_name(node, c->issuer_id[i], name, sizeof(name));
		fprintf(out, "stekd_resumptions_total{issuer_id=\"%08" PRIx32
			"\",issuer=\"", (uint32_t)c->issuer_id[i]);
		label(out, name);
		fprintf(out, "\"} %" PRIu64 "\n",
			(uint64_t)c->issuer_resumed[i]);
	}
	fprintf(out, "stekd_resumptions_total{issuer_id=\"other\","
		"issuer=\"other\"} %" PRIu64 "\n",
		(uint64_t)c->issuer_resumed[ISSUERS_MAX]);
}

/* One histogram; `labels` is "" or ends in ",". */
static void histogram(FILE *out, const char *name, const char *labels,
		      const counter *bucket, const double *bounds, size_t n,
		      double sum_s)
{
	size_t i, len = strlen(labels);
	uint64_t below = 0;

	for (i = 0; i < n; i++) {
		below += bucket[i];
		fprintf(out, "%s_bucket{%sle=\"%g\"} %" PRIu64 "\n", name,
			labels, bounds[i], below);
	}
	below += bucket[n];
	fprintf(out, "%s_bucket{%sle=\"+Inf\"} %" PRIu64 "\n", name, labels,
		below);
	if (len == 0) {
		fprintf(out, "%s_sum %.9g\n%s_count %" PRIu64 "\n", name,
			sum_s, name, below);
		return;
	}
	len--;
	fprintf(out, "%s_sum{%.*s} %.9g\n%s_count{%.*s} %" PRIu64 "\n", name,
		(int)len, labels, sum_s, name, (int)len, labels, below);
}

static void write_histograms(FILE *out, const struct counters *c)
{
	head(out, "stekd_ticket_age_seconds", "histogram",
	     "Age of tickets at resumption.");
	histogram(out, "stekd_ticket_age_seconds", "", c->age.bucket,
		  age_bounds_s, AGE_BUCKETS, (double)c->age.sum_ms / 1e3);
	head(out, "stekd_handshake_duration_seconds", "histogram",
	     "From the first byte to the end of the handshake.");
	histogram(out, "stekd_handshake_duration_seconds", "kind=\"full\",",
		  c->time_full.bucket, time_bounds_s, TIME_BUCKETS,
		  (double)c->time_full.sum_us / 1e6);
	histogram(out, "stekd_handshake_duration_seconds",
		  "kind=\"resumed\",", c->time_resumed.bucket, time_bounds_s,
		  TIME_BUCKETS, (double)c->time_resumed.sum_us / 1e6);
}

static void write_connections(FILE *out, const struct counters *c,
			      uint64_t open)
{
	gauge(out, "stekd_connections", (double)open, "Open connections.");
	total(out, "stekd_connections_accepted_total", c->accepted,
	      "Accepted connections.");
	total(out, "stekd_received_bytes_total", c->bytes_in,
	      "Plaintext from clients.");
	total(out, "stekd_sent_bytes_total", c->bytes_out,
	      "Plaintext to clients.");
	total(out, "stekd_backend_errors_total", c->backend_errors,
	      "Backends that could not be reached or failed.");
}

/* What the kernel, or pin_workers, makes of the load. */
static void write_workers(FILE *out, const struct node *node)
{
	size_t i;

	if (node->n_workers == 0)
		return;
	head(out, "stekd_worker_connections_accepted_total", "counter",
	     "Connections accepted, by worker.");
	for (i = 0; i < node->n_workers; i++)
		fprintf(out, "stekd_worker_connections_accepted_total"
			"{worker=\"%zu\"} %" PRIu64 "\n", i,
			(uint64_t)worker_counters(node->workers[i])->accepted);
}

static void write_timeouts(FILE *out, const struct counters *c)
{
	static const char *const names[TIMEOUTS] = {
		[TIMEOUT_IDLE] = "idle",
		[TIMEOUT_TOTAL] = "total",
	};
	int i;

	head(out, "stekd_connection_timeouts_total", "counter",
	     "Connections ended by a deadline after their handshake.");
	for (i = 0; i < TIMEOUTS; i++)
		fprintf(out, "stekd_connection_timeouts_total{kind=\"%s\"} %"
			PRIu64 "\n", names[i], (uint64_t)c->timeouts[i]);
}

static void write_ring(FILE *out, const struct stek_ring_info *ring)
{
	uint64_t by_state[STEK_GONE + 1] = { 0 };
	int64_t next_ms = 0, until_ms = 0, last_ms = 0;
	size_t i;

	for (i = 0; i < ring->n_keys; i++) {
		const struct stek_key_info *key = &ring->keys[i];

		by_state[key->state]++;
		if (key->state == STEK_PENDING && next_ms == 0 &&
		    key->activate_at_ms > ring->now_ms)
			next_ms = key->activate_at_ms;
		if (key->state == STEK_ACTIVE)
			until_ms = key->seal_until_ms;
		if ((key->state == STEK_ACTIVE ||
		     key->state == STEK_PENDING) &&
		    key->seal_until_ms > last_ms)
			last_ms = key->seal_until_ms;
	}
	gauge(out, "stekd_ring_epoch", (double)ring->version.epoch,
	      "Epoch of the installed ring.");
	head(out, "stekd_keys", "gauge", "Keys of the ring by state.");
	for (i = 0; i <= STEK_GONE; i++)
		fprintf(out, "stekd_keys{state=\"%s\"} %" PRIu64 "\n",
			stek_state_name((enum stek_state)i), by_state[i]);
	gauge(out, "stekd_key_next_activation_timestamp_seconds",
	      (double)next_ms / 1e3,
	      "When the next pending key becomes active; 0: there is none.");
	gauge(out, "stekd_key_seal_until_timestamp_seconds",
	      (double)until_ms / 1e3,
	      "When the active key stops sealing; 0: no key is active.");
	gauge(out, "stekd_key_last_seal_until_timestamp_seconds",
	      (double)last_ms / 1e3,
	      "Until when keys seal if no store takes another; 0: none does.");
}

/* When the key becomes something else; of one that came late it is not known. */
static int64_t next_event_ms(const struct stek_key_info *key, int64_t now_ms)
{
	if (key->state == STEK_PENDING && key->activate_at_ms > now_ms)
		return key->activate_at_ms;
	return key->state <= STEK_ACTIVE ? key->seal_until_ms :
		key->expire_at_ms;
}

/* Not of those that are gone: nothing more happens to them. */
static void write_next_events(FILE *out, const struct stek_ring_info *ring)
{
	int64_t next_ms[STEK_GONE] = { 0 }, pending_ms, at_ms;
	size_t i;

	for (i = 0; i < ring->n_keys; i++) {
		const struct stek_key_info *key = &ring->keys[i];

		if (key->state >= STEK_GONE)
			continue;
		at_ms = next_event_ms(key, ring->now_ms);
		if (!next_ms[key->state] || at_ms < next_ms[key->state])
			next_ms[key->state] = at_ms;
	}
	/* The active key yields to the next, or stops by itself. */
	pending_ms = next_ms[STEK_PENDING];
	if (next_ms[STEK_ACTIVE] && pending_ms &&
	    pending_ms < next_ms[STEK_ACTIVE])
		next_ms[STEK_ACTIVE] = pending_ms;
	head(out, "stekd_key_next_event_timestamp_seconds", "gauge",
	     "When the first key of this state changes it; 0: there is none.");
	for (i = 0; i < STEK_GONE; i++)
		fprintf(out, "stekd_key_next_event_timestamp_seconds{state="
			"\"%s\"} %.15g\n", stek_state_name((enum stek_state)i),
			(double)next_ms[i] / 1e3);
}

static void write_store_states(FILE *out, const struct stek_status *status)
{
	size_t i;
	int state;

	head(out, "stekd_store_state", "gauge",
	     "1 for the state that this store is in.");
	for (i = 0; i < status->n_stores; i++)
		for (state = 0; state <= STEK_STORE_REFUSED; state++)
			fprintf(out, "stekd_store_state{store=\"%zu\",state="
				"\"%s\"} %d\n", i + 1,
				stek_store_state_name(
					(enum stek_store_state)state),
				status->stores[i].state ==
					(enum stek_store_state)state);
}

/* By their place in the configuration, from 1. */
static void write_stores(FILE *out, const struct stek_status *status)
{
	size_t i;

	head(out, "stekd_store_reached", "gauge",
	     "1 while this store answers.");
	for (i = 0; i < status->n_stores; i++)
		fprintf(out, "stekd_store_reached{store=\"%zu\"} %d\n", i + 1,
			status->stores[i].state == STEK_STORE_OK);
	write_store_states(out, status);
	head(out, "stekd_store_clock_offset_seconds", "gauge",
	     "This store's clock minus this node's.");
	for (i = 0; i < status->n_stores; i++)
		fprintf(out, "stekd_store_clock_offset_seconds{store=\"%zu\"}"
			" %.6f\n", i + 1,
			status->stores[i].clock_offset_ms / 1e3);
}

static void write_sync(FILE *out, const struct stek_status *status)
{
	gauge(out, "stekd_store_up", status->store == STEK_STORE_OK,
	      "1 while a store answers.");
	write_stores(out, status);
	gauge(out, "stekd_store_last_answer_timestamp_seconds",
	      (double)status->store_ok_at_ms / 1e3,
	      "When the store last answered; 0: never.");
	total(out, "stekd_store_polls_total", status->polls,
	      "Polls of the store.");
	total(out, "stekd_store_poll_errors_total", status->poll_errors,
	      "Polls that the store did not answer or refused.");
	total(out, "stekd_ring_published_total", status->published,
	      "Rings that this node published.");
	total(out, "stekd_ring_conflicts_total", status->conflicts,
	      "Rings that another node had published first.");
	total(out, "stekd_ring_restored_total", status->restored,
	      "Rings put back that the store had lost.");
	total(out, "stekd_ring_records_refused_total",
	      status->records_refused,
	      "Documents of the store that were refused.");
	total(out, "stekd_ring_unconfirmed_total", status->unconfirmed,
	      "Rings that too few replicas of the store confirmed.");
	gauge(out, "stekd_nodes_lagging", status->lagging,
	      "Live nodes that have not acknowledged a ring some time old.");
	gauge(out, "stekd_node_name_used_twice", status->same_name,
	      "1 while another process beats under this node's name.");
	total(out, "stekd_keys_minted_total", status->minted,
	      "Keys that this node made.");
	gauge(out, "stekd_clock_offset_seconds",
	      status->clock_offset_ms / 1e3,
	      "The stores' clock minus this node's.");
	gauge(out, "stekd_clock_error_seconds", status->clock_error_ms / 1e3,
	      "What farm time still lacks of that.");
	gauge(out, "stekd_clock_spread_seconds", status->clock_spread_ms / 1e3,
	      "By which the stores' clocks differ.");
	gauge(out, "stekd_clock_known", status->clock_known,
	      "1 once the offset was measured.");
}

static void write_node(FILE *out, struct node *node)
{
	head(out, "stekd_build_info", "gauge",
	     "Constant 1; the labels say what runs.");
	fputs("stekd_build_info{version=\"", out);
	label(out, stek_version_string());
	fputs("\",farm=\"", out);
	label(out, stek_farm_name(node->farm));
	fputs("\",node=\"", out);
	label(out, stek_farm_node(node->farm));
	fputs("\"} 1\n", out);
	gauge(out, "stekd_start_time_seconds",
	      (double)node->started_at_ms / 1e3,
	      "When this process started, in farm time.");
	gauge(out, "stekd_workers", (double)node->n_workers,
	      "Event loops; 0: a key keeper.");
	gauge(out, "stekd_can_seal", stek_farm_can_seal(node->farm),
	      "1 while a key may seal tickets.");
	gauge(out, "stekd_draining", node->draining,
	      "1 once the node lets its connections end.");
}

static void write_reloads(FILE *out, struct node *node)
{
	head(out, "stekd_reloads_total", "counter",
	     "Readings of the configuration while serving, by result.");
	fprintf(out, "stekd_reloads_total{result=\"ok\"} %" PRIu64 "\n"
		"stekd_reloads_total{result=\"refused\"} %" PRIu64 "\n",
		(uint64_t)node->reloads_good, (uint64_t)node->reloads_failed);
	gauge(out, "stekd_reload_timestamp_seconds",
	      (double)node->reloaded_at_ms / 1e3,
	      "When the configuration was last reloaded; 0: never.");
	gauge(out, "stekd_configuration_generation",
	      (double)generation_number(node),
	      "Number of the present configuration; 1: as started.");
	gauge(out, "stekd_configurations_held", generation_count(node),
	      "Configurations that connections still live by.");
}

static void write_refused(FILE *out, const struct node *node)
{
	int i;

	head(out, "stekd_admin_refused_total", "counter",
	     "Requests that the admin endpoint turned away, by reason.");
	for (i = 0; i < REFUSALS; i++)
		fprintf(out, "stekd_admin_refused_total{reason=\"%s\"} %"
			PRIu64 "\n", refusal_name(i),
			(uint64_t)node->refused.counts[i]);
}

static void write_streams(FILE *out, struct node *node)
{
	struct feed_counts counts;

	feed_counts(node->feed, &counts);
	gauge(out, "stekd_streams", counts.readers,
	      "Open event streams of the admin endpoint.");
	total(out, "stekd_streams_refused_total", counts.refused,
	      "Event streams refused because enough were open.");
	total(out, "stekd_streams_dropped_total", counts.dropped,
	      "Event streams ended because their reader was too slow.");
}

void metrics_write_counters(FILE *out, const struct node *node,
			    const struct counters *c, uint64_t open)
{
	write_connections(out, c, open);
	write_workers(out, node);
	write_timeouts(out, c);
	write_handshakes(out, c);
	write_tickets(out, c);
	write_issuers(out, node, c);
	write_histograms(out, c);
	head(out, "stekd_alerts_total", "counter",
	     "TLS alerts by the standard's name; a warning that a client "
	     "repeats counts once.");
	write_alerts(out, "sent", c->alerts_sent);
	write_alerts(out, "received", c->alerts_received);
}

void metrics_write(FILE *out, struct node *node)
{
	struct stek_ring_info ring;
	struct stek_status status;
	struct counters c;
	uint64_t open = 0;
	size_t i;

	node_counters(node, &c);
	for (i = 0; i < node->n_workers; i++)
		open += worker_connections(node->workers[i]);
	stek_farm_ring(node->farm, &ring);
	stek_farm_status(node->farm, &status);
	write_node(out, node);
	write_reloads(out, node);
	write_refused(out, node);
	write_streams(out, node);
	metrics_write_counters(out, node, &c, open);
	write_keys(out, &c, &ring);
	write_ring(out, &ring);
	write_next_events(out, &ring);
	write_sync(out, &status);
}

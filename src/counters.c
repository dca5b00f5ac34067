// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * counters.c - counting, summing, and the compact form in which a node's
 * heartbeat carries its counters to the farm. Workers count, the admin endpoint
 * sums its own workers and unpacks what other nodes sent.
 */
#include "counters.h"

#include <string.h>

#include "cursor.h"

#define PACK_VERSION 2
#define PACK_ISSUERS 32
/* Far above what is ever counted; sums over a farm stay below 2^63. */
#define PACK_VALUE_MAX (UINT64_C(1) << 56)

const double age_bounds_s[AGE_BUCKETS] = {
	1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 10800, 21600, 43200,
};

const double time_bounds_s[TIME_BUCKETS] = {
	0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25,
	0.5, 1, 2.5,
};

const char *failure_name(enum failure failure)
{
	static const char *const names[FAILURES] = {
		[FAIL_NONE] = "none",
		[FAIL_CLOSED] = "closed",
		[FAIL_TIMEOUT] = "timeout",
		[FAIL_NOT_TLS] = "not_tls",
		[FAIL_MALFORMED] = "malformed",
		[FAIL_TOO_BIG] = "too_big",
		[FAIL_UNKNOWN_HOST] = "unknown_host",
		[FAIL_VERSION] = "version",
		[FAIL_SUITE] = "suite",
		[FAIL_ALPN] = "alpn",
		[FAIL_ALERT] = "alert",
		[FAIL_PROXY] = "proxy",
		[FAIL_MEMORY] = "memory",
		[FAIL_OTHER] = "other",
		[FAIL_GROUP] = "group",
		[FAIL_SIGNATURE_SCHEME] = "signature_scheme",
		[FAIL_FALLBACK] = "fallback",
		[FAIL_MASTER_SECRET] = "master_secret",
		[FAIL_PLAIN_HTTP] = "plain_http",
		[FAIL_UNEXPECTED] = "unexpected_message",
		[FAIL_RECORD] = "bad_record",
		[FAIL_FINISHED] = "bad_finished",
		[FAIL_SIGNATURE] = "bad_signature",
		[FAIL_CERT_NONE] = "no_certificate",
		[FAIL_CERT_BAD] = "bad_certificate",
		[FAIL_CERT_EXPIRED] = "certificate_expired",
		[FAIL_CERT_EARLY] = "certificate_not_yet_valid",
		[FAIL_CERT_REVOKED] = "certificate_revoked",
		[FAIL_CERT_UNKNOWN_CA] = "unknown_ca",
		[FAIL_CERT_USAGE] = "certificate_usage",
		[FAIL_CERT_CHAIN] = "certificate_chain",
		[FAIL_CERT_STATUS] = "certificate_status",
		[FAIL_CERT_DENIED] = "certificate_denied",
		[FAIL_ADDRESS_LIMIT] = "address_limit",
		[FAIL_DESCRIPTORS] = "descriptors",
	};

	if ((size_t)failure >= FAILURES)
		return "unknown";
	return names[failure];
}

static size_t bucket_of(const double *bounds_s, size_t n, double value_s)
{
	size_t i = 0;

	while (i < n && value_s > bounds_s[i])
		i++;
	return i;
}

/* A clock may run behind the issuing node's: such a ticket is just made. */
void counters_age(struct counters *c, int64_t age_ms)
{
	if (age_ms < 0)
		age_ms = 0;
	count(&c->age.bucket[bucket_of(age_bounds_s, AGE_BUCKETS,
				       (double)age_ms / 1000)]);
	count_by(&c->age.sum_ms, (uint64_t)age_ms);
}

void counters_time(struct histogram_time *h, int64_t time_us)
{
	if (time_us < 0)
		time_us = 0;
	count(&h->bucket[bucket_of(time_bounds_s, TIME_BUCKETS,
				   (double)time_us / 1000000)]);
	count_by(&h->sum_us, (uint64_t)time_us);
}

static uint64_t value_of(const counter *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

static uint32_t issuer_of(const struct counters *c, size_t slot)
{
	return atomic_load_explicit(&c->issuer_id[slot], memory_order_relaxed);
}

/* A free slot has the id 0, so a node of that id is counted with the rest. */
static void issuer_add(struct counters *c, uint32_t node_id, uint64_t n)
{
	size_t slot = 0;

	if (node_id == 0)
		slot = ISSUERS_MAX;
	while (slot < ISSUERS_MAX && issuer_of(c, slot) != node_id &&
	       issuer_of(c, slot) != 0)
		slot++;
	if (slot < ISSUERS_MAX)
		atomic_store_explicit(&c->issuer_id[slot], node_id,
				      memory_order_relaxed);
	count_by(&c->issuer_resumed[slot], n);
}

void counters_issuer(struct counters *c, uint32_t node_id)
{
	issuer_add(c, node_id, 1);
}

/* Counters that lie together, in their packed order. */
struct run {
	counter *first;
	uint8_t n;
	uint8_t spare;	/* takes what a build that counts more has sent */
	bool whole;	/* of another length it means something else */
};

#define RUNS 15

/* Other nodes know a run by its place: new ones come last. */
static void runs_of(struct counters *c, struct run runs[RUNS])
{
	const struct run all[RUNS] = {
		{ .first = &c->accepted, .n = 1 },
		{ .first = &c->closed, .n = 1 },
		{ .first = c->handshakes[TLS_KIND_12], .n = STEK_OUTCOMES },
		{ .first = c->handshakes[TLS_KIND_13], .n = STEK_OUTCOMES },
		{ .first = c->failures, .n = FAILURES, .spare = FAIL_OTHER },
		{ .first = c->tickets_issued, .n = TLS_KINDS },
		{ .first = &c->tickets_blank, .n = 1 },
		{ .first = &c->bytes_in, .n = 1 },
		{ .first = &c->bytes_out, .n = 1 },
		{ .first = &c->backend_errors, .n = 1 },
		/* The histograms with the sums behind their buckets. */
		{ .first = c->age.bucket, .n = AGE_BUCKETS + 2, .whole = true },
		{ .first = c->time_full.bucket, .n = TIME_BUCKETS + 2,
		  .whole = true },
		{ .first = c->time_resumed.bucket, .n = TIME_BUCKETS + 2,
		  .whole = true },
		{ .first = &c->issuer_resumed[ISSUERS_MAX], .n = 1 },
		{ .first = c->timeouts, .n = TIMEOUTS },
	};

	memcpy(runs, all, sizeof(all));
}

/* Only to share the table: nothing is written through it. */
static void runs_read(const struct counters *c, struct run runs[RUNS])
{
	runs_of((struct counters *)(uintptr_t)c, runs);
}

void counters_sum(struct counters *into, const struct counters *from)
{
	struct run sums[RUNS], runs[RUNS];

	runs_of(into, sums);
	runs_read(from, runs);
	for (size_t run = 0; run < RUNS; run++)
		for (size_t i = 0; i < runs[run].n; i++)
			count_by(&sums[run].first[i],
				 value_of(&runs[run].first[i]));
	for (size_t slot = 0; slot < ISSUERS_MAX; slot++)
		if (issuer_of(from, slot) != 0)
			issuer_add(into, issuer_of(from, slot),
				   value_of(&from->issuer_resumed[slot]));
}

struct writer {
	uint8_t *buf;
	size_t cap, len;
	bool failed;
};

static void put(struct writer *w, uint8_t byte)
{
	if (w->len == w->cap) {
		w->failed = true;
		return;
	}
	w->buf[w->len++] = byte;
}

/* Seven bits a byte, the least first, the high bit on all but the last. */
static void put_value(struct writer *w, uint64_t value)
{
	if (value > PACK_VALUE_MAX)
		value = PACK_VALUE_MAX;
	while (value >= 0x80) {
		put(w, (uint8_t)(value | 0x80));
		value >>= 7;
	}
	put(w, (uint8_t)value);
}

static void put_u32(struct writer *w, uint32_t value)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		put(w, (uint8_t)(value >> shift));
}

struct issuer {
	uint32_t id;
	uint64_t resumed;
};

/* The greatest first; of equal ones the lesser id, so that it is stable. */
static size_t issuers_sorted(const struct counters *c,
			     struct issuer sorted[ISSUERS_MAX])
{
	size_t n = 0;

	for (size_t slot = 0; slot < ISSUERS_MAX; slot++) {
		struct issuer new = { issuer_of(c, slot),
				      value_of(&c->issuer_resumed[slot]) };
		size_t at = n;

		if (new.id == 0)
			continue;
		while (at > 0 && (sorted[at - 1].resumed < new.resumed ||
				  (sorted[at - 1].resumed == new.resumed &&
				   sorted[at - 1].id > new.id))) {
			sorted[at] = sorted[at - 1];
			at--;
		}
		sorted[at] = new;
		n++;
	}
	return n;
}

size_t counters_pack(const struct counters *c, uint8_t *buf, size_t cap)
{
	struct writer w = { .buf = buf, .cap = cap };
	struct issuer issuers[ISSUERS_MAX];
	size_t n = issuers_sorted(c, issuers);
	const counter *rest = &c->issuer_resumed[ISSUERS_MAX];
	struct run runs[RUNS];
	uint64_t unnamed = 0;

	runs_read(c, runs);
	for (size_t i = PACK_ISSUERS; i < n; i++)
		unnamed += issuers[i].resumed;
	if (n > PACK_ISSUERS)
		n = PACK_ISSUERS;
	put(&w, PACK_VERSION);
	put(&w, RUNS);
	for (size_t run = 0; run < RUNS; run++)
		put(&w, runs[run].n);
	for (size_t run = 0; run < RUNS; run++)
		for (size_t i = 0; i < runs[run].n; i++)
			put_value(&w, value_of(&runs[run].first[i]) +
				  (runs[run].first == rest ? unnamed : 0));
	put(&w, (uint8_t)n);
	for (size_t i = 0; i < n; i++) {
		put_u32(&w, issuers[i].id);
		put_value(&w, issuers[i].resumed);
	}
	return w.failed ? 0 : w.len;
}

static uint64_t take_value(struct cursor *c)
{
	uint64_t value = 0;
	unsigned shift = 0;
	uint8_t byte;

	do {
		byte = cursor_u8(c);
		value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80 && shift < 63);
	/* One form for each number, and none too great to add up. */
	if (byte & 0x80 || (shift > 7 && byte == 0) || value > PACK_VALUE_MAX)
		cursor_fail(c);
	return value;
}

static void add_bounded(counter *c, uint64_t value)
{
	value += value_of(c);
	if (value > PACK_VALUE_MAX)
		value = PACK_VALUE_MAX;
	atomic_store_explicit(c, value, memory_order_relaxed);
}

/* `n` values of another node's run; `own` is NULL for one that is not ours. */
static void unpack_run(const struct run *own, uint8_t n, struct cursor *data)
{
	for (size_t i = 0; i < n && !data->failed; i++) {
		uint64_t value = take_value(data);

		if (!own || (own->whole && n != own->n))
			continue;
		if (i < own->n)
			add_bounded(&own->first[i], value);
		else if (own->spare)
			add_bounded(&own->first[own->spare], value);
	}
}

static bool unpack(struct counters *c, struct cursor *data)
{
	uint8_t version = cursor_u8(data);
	uint8_t n = cursor_u8(data);
	const uint8_t *lengths = cursor_take(data, n);
	struct run runs[RUNS];

	if (version != PACK_VERSION || !lengths)
		return false;
	runs_of(c, runs);
	for (size_t run = 0; run < n; run++)
		unpack_run(run < RUNS ? &runs[run] : NULL, lengths[run], data);
	n = cursor_u8(data);
	if (n > PACK_ISSUERS)
		return false;
	for (size_t i = 0; i < n; i++) {
		uint32_t id = cursor_u32(data);
		uint64_t resumed = take_value(data);

		if (id == 0 || data->failed)
			return false;
		issuer_add(c, id, resumed);
		/* A new id takes the next slot: another place, one twice. */
		if (issuer_of(c, i) != id)
			return false;
	}
	return cursor_done(data);
}

int counters_unpack(struct counters *c, const uint8_t *buf, size_t len)
{
	struct cursor data = cursor_over(buf, len);

	memset(c, 0, sizeof(*c));
	if (unpack(c, &data))
		return 0;
	memset(c, 0, sizeof(*c));
	return -1;
}

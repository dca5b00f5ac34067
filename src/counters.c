// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * counters.c - counting and summing. Workers count, the admin endpoint sums its
 * own workers and what other nodes sent; counters_pack.c has the form in which
 * it is sent.
 */
#include "counters_private.h"

#include <string.h>

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

const char *trouble_name(enum trouble trouble)
{
	static const char *const names[TROUBLES] = {
		[TROUBLE_DRAINING] = "draining",
		[TROUBLE_CLOCK] = "clock off",
		[TROUBLE_NO_RING] = "no ring",
		[TROUBLE_NO_KEY] = "no key may seal",
		[TROUBLE_STORE] = "store not reached",
		[TROUBLE_LAGGING] = "live nodes lag",
		[TROUBLE_NAME] = "name used twice",
	};

	return (size_t)trouble < TROUBLES ? names[trouble] : "unknown";
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

/* A free slot has the id 0, so a node of that id is counted with the rest. */
void counters__issuer_add(struct counters *c, uint32_t node_id, uint64_t n)
{
	size_t slot = 0;

	if (node_id == 0)
		slot = ISSUERS_MAX;
	while (slot < ISSUERS_MAX && counters__issuer(c, slot) != node_id &&
	       counters__issuer(c, slot) != 0)
		slot++;
	if (slot < ISSUERS_MAX)
		atomic_store_explicit(&c->issuer_id[slot], node_id,
				      memory_order_relaxed);
	count_by(&c->issuer_resumed[slot], n);
}

void counters_issuer(struct counters *c, uint32_t node_id)
{
	counters__issuer_add(c, node_id, 1);
}

/* The newest first: it is nearly always the one. */
static size_t key_slot(const struct counters *c, uint32_t id)
{
	uint64_t seen = counters__value(&c->keys_seen), i;
	size_t slot;

	for (i = 0; i < seen && i < KEYS_MAX; i++) {
		slot = (size_t)((seen - 1 - i) % KEYS_MAX);
		if (counters__key(c, slot) == id)
			return slot;
	}
	return KEYS_MAX;
}

/*
 * A slot changes hands while others read it: it is nobody's until its count is
 * the new key's. counters__key_read() is the reader.
 */
void counters__key_add(struct counters *c, uint32_t id, uint64_t n)
{
	uint64_t seen = counters__value(&c->keys_seen);
	size_t slot = key_slot(c, id);

	if (slot == KEYS_MAX) {
		slot = (size_t)(seen % KEYS_MAX);
		atomic_store(&c->key_id[slot], 0);
		atomic_store(&c->key_issued[slot], 0);
		atomic_store(&c->key_id[slot], id);
		atomic_store(&c->keys_seen, seen + 1);
	}
	count_by(&c->key_issued[slot], n);
}

uint64_t counters__key_read(const struct counters *c, size_t slot, uint32_t *id)
{
	uint32_t before = atomic_load(&c->key_id[slot]);
	uint64_t issued = atomic_load(&c->key_issued[slot]);

	*id = atomic_load(&c->key_id[slot]) == before ? before : 0;
	return issued;
}

uint32_t counters_key_id(const uint8_t id[STEK_ID_LEN])
{
	uint32_t name = (uint32_t)id[0] << 24 | (uint32_t)id[1] << 16 |
		(uint32_t)id[2] << 8 | id[3];

	return name ? name : 1;
}

void counters_key(struct counters *c, const uint8_t id[STEK_ID_LEN], uint64_t n)
{
	counters__key_add(c, counters_key_id(id), n);
}

uint64_t counters_key_issued(const struct counters *c, uint32_t key_id)
{
	size_t slot = key_slot(c, key_id);

	return slot < KEYS_MAX ? counters__value(&c->key_issued[slot]) : 0;
}

/* Other nodes know a run by its place: new ones come last. */
void counters__runs(struct counters *c, struct run runs[RUNS])
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
		{ .first = c->alerts_sent, .n = ALERTS, .spare = ALERTS_OTHER,
		  .cut = true },
		{ .first = c->alerts_received, .n = ALERTS,
		  .spare = ALERTS_OTHER, .cut = true },
	};

	memcpy(runs, all, sizeof(all));
}

/* Only to share the table: nothing is written through it. */
void counters__runs_read(const struct counters *c, struct run runs[RUNS])
{
	counters__runs((struct counters *)(uintptr_t)c, runs);
}

void counters_sum(struct counters *into, const struct counters *from)
{
	uint64_t seen = counters__value(&from->keys_seen), issued, key;
	struct run sums[RUNS], runs[RUNS];
	uint32_t id;

	counters__runs(into, sums);
	counters__runs_read(from, runs);
	for (size_t run = 0; run < RUNS; run++)
		for (size_t i = 0; i < runs[run].n; i++)
			count_by(&sums[run].first[i],
				 counters__value(&runs[run].first[i]));
	for (size_t slot = 0; slot < ISSUERS_MAX; slot++)
		if (counters__issuer(from, slot) != 0)
			counters__issuer_add(into, counters__issuer(from, slot),
				   counters__value(&from->issuer_resumed[slot]));
	/* The oldest first, so that the newest stay the newest. */
	for (key = seen > KEYS_MAX ? seen - KEYS_MAX : 0; key < seen; key++) {
		issued = counters__key_read(from, key % KEYS_MAX, &id);
		if (id != 0)
			counters__key_add(into, id, issued);
	}
}

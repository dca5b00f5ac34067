/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * counters_pack.c - the compact form in which a node's heartbeat carries its
 * counters to the farm. stekd.c packs for the heartbeat, the admin endpoint
 * unpacks what other nodes sent.
 *
 * The version, the number of runs, how long each is, their values, and last the
 * issuers. A run that a build does not know it passes over.
 */
#include "counters_private.h"

#include <string.h>

#include "cursor.h"

#define PACK_VERSION 2
#define PACK_ISSUERS 32
#define PACK_KEYS 4
/* Far above what is ever counted; sums over a farm stay below 2^63. */
#define PACK_VALUE_MAX (UINT64_C(1) << 56)

/* One more run: the newest keys, the newest first, each with its count. */
#define KEYS_RUN RUNS
#define PACK_RUNS (RUNS + 1)
/* And then, if they are known, the facts. */
#define FACTS_RUN PACK_RUNS
/* Other releases know these by their numbers: a new run goes behind them. */
_Static_assert(KEYS_RUN == 17 && FACTS_RUN == 18, "runs keep their numbers");
#define PACK_FACTS 3

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
		struct issuer new = { counters__issuer(c, slot),
				      counters__value(&c->issuer_resumed[slot]) };
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

/* How much of a run travels. */
static uint8_t length_of(const struct run *run)
{
	uint8_t n = run->n;

	while (run->cut && n > 0 && counters__value(&run->first[n - 1]) == 0)
		n--;
	return n;
}

struct key {
	uint32_t id;
	uint64_t issued;
};

/* The newest first. */
static uint8_t keys_newest(const struct counters *c, struct key keys[PACK_KEYS])
{
	uint64_t seen = counters__value(&c->keys_seen), i;
	uint8_t n = 0;

	for (i = 0; i < seen && i < KEYS_MAX && n < PACK_KEYS; i++) {
		struct key *key = &keys[n];

		key->issued = counters__key_read(c, (seen - 1 - i) % KEYS_MAX,
						 &key->id);
		n += key->id != 0;
	}
	return n;
}

static void put_facts(struct writer *w, const struct counters_facts *facts)
{
	if (!facts->known)
		return;
	put_value(w, facts->open);
	put_value(w, facts->trouble);
	put_value(w, facts->version);
}

/* The first `n` issuers by name, and all that are not among them as the rest. */
static size_t pack(const struct counters *c, const struct issuer *issuers,
		   size_t n, uint64_t unnamed, uint8_t *buf, size_t cap)
{
	struct writer w = { .buf = buf, .cap = cap };
	const counter *rest = &c->issuer_resumed[ISSUERS_MAX];
	struct key keys[PACK_KEYS];
	uint8_t n_keys = keys_newest(c, keys), lengths[RUNS];
	struct run runs[RUNS];

	counters__runs_read(c, runs);
	put(&w, PACK_VERSION);
	put(&w, PACK_RUNS + (c->facts.known ? 1 : 0));
	for (size_t run = 0; run < RUNS; run++) {
		lengths[run] = length_of(&runs[run]);
		put(&w, lengths[run]);
	}
	put(&w, (uint8_t)(2 * n_keys));
	if (c->facts.known)
		put(&w, PACK_FACTS);
	for (size_t run = 0; run < RUNS; run++)
		for (size_t i = 0; i < lengths[run]; i++)
			put_value(&w, counters__value(&runs[run].first[i]) +
				  (runs[run].first == rest ? unnamed : 0));
	for (size_t i = 0; i < n_keys; i++) {
		put_value(&w, keys[i].id);
		put_value(&w, keys[i].issued);
	}
	put_facts(&w, &c->facts);
	put(&w, (uint8_t)n);
	for (size_t i = 0; i < n; i++) {
		put_u32(&w, issuers[i].id);
		put_value(&w, issuers[i].resumed);
	}
	return w.failed ? 0 : w.len;
}

size_t counters_pack(const struct counters *c, uint8_t *buf, size_t cap)
{
	struct issuer issuers[ISSUERS_MAX];
	size_t n = issuers_sorted(c, issuers), len = 0;
	uint64_t unnamed = 0;

	while (n > PACK_ISSUERS)
		unnamed += issuers[--n].resumed;
	while ((len = pack(c, issuers, n, unnamed, buf, cap)) == 0 && n > 0)
		unnamed += issuers[--n].resumed;
	return len;
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
	value += counters__value(c);
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

/* False unless they are `n` / 2 keys, each once, with their counts. */
static bool unpack_keys(struct counters *c, uint8_t n, struct cursor *data)
{
	struct key keys[KEYS_MAX];
	size_t n_keys = n / 2;

	if (n % 2 != 0 || n_keys > KEYS_MAX)
		return false;
	for (size_t i = 0; i < n_keys; i++) {
		uint64_t id = take_value(data);

		keys[i].issued = take_value(data);
		if (id == 0 || id > UINT32_MAX)
			return false;
		keys[i].id = (uint32_t)id;
	}
	for (size_t i = n_keys; i > 0; i--)
		counters__key_add(c, keys[i - 1].id, keys[i - 1].issued);
	return counters__value(&c->keys_seen) == n_keys;
}

/* A later build may tell more; what it tells beyond 32 bits is not for us. */
static void unpack_facts(struct counters *c, uint8_t n, struct cursor *data)
{
	uint64_t facts[UINT8_MAX];

	for (size_t i = 0; i < n && !data->failed; i++)
		facts[i] = take_value(data);
	if (n < PACK_FACTS || data->failed)
		return;
	c->facts = (struct counters_facts){
		.known = true,
		.open = facts[0],
		.trouble = (uint32_t)facts[1],
		.version = (uint32_t)facts[2],
	};
}

static bool unpack(struct counters *c, struct cursor *data)
{
	uint8_t version = cursor_u8(data);
	uint8_t n = cursor_u8(data);
	const uint8_t *lengths = cursor_take(data, n);
	struct run runs[RUNS];

	if (version != PACK_VERSION || !lengths)
		return false;
	counters__runs(c, runs);
	for (size_t run = 0; run < n; run++) {
		if (run == FACTS_RUN)
			unpack_facts(c, lengths[run], data);
		else if (run != KEYS_RUN)
			unpack_run(run < RUNS ? &runs[run] : NULL,
				   lengths[run], data);
		else if (!unpack_keys(c, lengths[run], data))
			return false;
	}
	n = cursor_u8(data);
	if (n > PACK_ISSUERS)
		return false;
	for (size_t i = 0; i < n; i++) {
		uint32_t id = cursor_u32(data);
		uint64_t resumed = take_value(data);

		if (id == 0 || data->failed)
			return false;
		counters__issuer_add(c, id, resumed);
		/* A new id takes the next slot: another place, one twice. */
		if (counters__issuer(c, i) != id)
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

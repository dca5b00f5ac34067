// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * offer_hello.c - writes the ClientHello of offer.c: its extensions in the
 * order that a number names, and the binders of its tickets.
 */
#include "offer_hello.h"

#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <time.h>

#include "memhs.h"

enum { HASH = SHA256_DIGEST_LENGTH, BINDER = 1 + HASH, PARTS = 12 };

struct part {
	uint16_t type;
	uint8_t bytes[1024];
	size_t len;
};

struct parts {
	struct part part[PARTS];
	size_t n;
};

static void must(bool fact)
{
	if (!fact)
		abort();
}

static void add(struct parts *parts, uint16_t type, const void *bytes,
		size_t len)
{
	struct part *part = &parts->part[parts->n++];

	must(parts->n <= PARTS && len <= sizeof(part->bytes));
	part->type = type;
	memcpy(part->bytes, bytes, len);
	part->len = len;
}

static void add_name(struct parts *parts, const char *name)
{
	size_t len = strlen(name);
	uint8_t bytes[300] = {
		(uint8_t)((len + 3) >> 8), (uint8_t)(len + 3), 0,
		(uint8_t)(len >> 8), (uint8_t)len,
	};

	must(len < 256);
	memcpy(bytes + 5, name, len);
	add(parts, 0, bytes, len + 5);
}

static void add_share(struct parts *parts)
{
	uint8_t bytes[38] = { 0, 36, 0, 29, 0, 32 };

	must(RAND_bytes(bytes + 6, 32) == 1);
	add(parts, 51, bytes, sizeof(bytes));
}

static const uint8_t *ticket_of(const SSL_SESSION *session, size_t *len)
{
	const unsigned char *ticket = NULL;

	SSL_SESSION_get0_ticket(session, &ticket, len);
	must(ticket != NULL);
	return ticket;
}

static void collect(struct parts *parts, const struct offer *what, bool tls13)
{
	const uint8_t *ticket;
	size_t len;

	parts->n = 0;
	add_name(parts, what->name);
	add(parts, 10, "\x00\x04\x00\x1d\x00\x17", 6);
	add(parts, 13, "\x00\x08\x04\x03\x08\x04\x04\x01\x05\x03", 10);
	add(parts, 16, "\x00\x09\x08http/1.1", 11);
	add(parts, 23, "", 0);
	if (!tls13) {
		add(parts, 11, "\x01\x00", 2);
		add(parts, 0xff01, "\x00", 1);
		if (what->session && !what->no_ticket) {
			ticket = ticket_of(what->session, &len);
			add(parts, 35, ticket, len);
		}
		return;
	}
	add(parts, 35, "", 0);
	add(parts, 43, "\x02\x03\x04", 3);
	add_share(parts);
	add(parts, 45, what->psk_ke ? "\x01\x00" : "\x01\x01", 2);
}

/* The same order for the same number, on every machine. */
static void shuffle(struct parts *parts, unsigned order)
{
	uint32_t state = order * 2654435761u + 1;
	struct part swap;
	size_t i, j;

	for (i = parts->n - 1; order > 0 && i > 0; i--) {
		state = state * 1664525u + 1013904223u;
		j = (state >> 8) % (i + 1);
		swap = parts->part[i];
		parts->part[i] = parts->part[j];
		parts->part[j] = swap;
	}
}

static void hmac(uint8_t out[HASH], const uint8_t *key, const void *bytes,
		 size_t len)
{
	unsigned n = HASH;

	must(HMAC(EVP_sha256(), key, HASH, bytes, len, out, &n) != NULL);
}

/* HKDF-Expand-Label of one block, RFC 8446 s7.1. */
static void expand(uint8_t out[HASH], const uint8_t secret[HASH],
		   const char *label, const uint8_t *context, size_t len)
{
	uint8_t info[128] = { 0, HASH, (uint8_t)(6 + strlen(label)) };
	size_t at = 3;

	memcpy(info + at, "tls13 ", 6);
	memcpy(info + at + 6, label, strlen(label));
	at += 6 + strlen(label);
	info[at++] = (uint8_t)len;
	if (len)
		memcpy(info + at, context, len);
	at += len;
	info[at++] = 1;
	hmac(out, secret, info, at);
}

static void bind(uint8_t out[HASH], const SSL_SESSION *session,
		 const uint8_t *hello, size_t len)
{
	static const uint8_t zeros[HASH];
	uint8_t psk[64], early[HASH], key[HASH], finished[HASH], hash[HASH];
	size_t n = SSL_SESSION_get_master_key(session, psk, sizeof(psk));

	must(n == HASH);
	hmac(early, zeros, psk, n);
	SHA256((const uint8_t *)"", 0, hash);
	expand(key, early, "res binder", hash, HASH);
	expand(finished, key, "finished", NULL, 0);
	SHA256(hello, len, hash);
	hmac(out, finished, hash, HASH);
}

static uint32_t shown_age(const SSL_SESSION *session)
{
	static struct memhs_session der;
	unsigned char *at = der.der;
	int len = i2d_SSL_SESSION((SSL_SESSION *)(uintptr_t)session, NULL);
	int64_t age_s = time(NULL) - SSL_SESSION_get_time(session);

	must(len > 0 && (size_t)len <= sizeof(der.der));
	der.len = (size_t)i2d_SSL_SESSION((SSL_SESSION *)(uintptr_t)session,
					  &at);
	return (uint32_t)(age_s * 1000) + memhs_age_add(&der);
}

static void put_identity(struct hello *h, const SSL_SESSION *session)
{
	size_t len;
	const uint8_t *ticket = ticket_of(session, &len);

	hello_number(h, len, 2);
	hello_put(h, ticket, len);
	hello_number(h, shown_age(session), 4);
}

/* The last extension; its binders cover all that stands before them. */
static void put_psk(struct hello *h, const struct offer *what)
{
	const SSL_SESSION *all[] = { what->session, what->second };
	size_t n = what->second ? 2 : 1, at, list, binders, i;
	uint8_t binder[HASH];

	hello_extension(h, 41, "", 0);
	at = h->len;
	list = hello_open(h, 2);
	for (i = 0; i < n; i++)
		put_identity(h, all[i]);
	hello_close(h, list, 2);
	binders = h->len;
	hello_number(h, n * BINDER, 2);
	hello_fill(h, 0, n * BINDER);
	hello_close(h, at, 2);
	hello_end(h);
	for (i = 0; i < n; i++) {
		bind(binder, all[i], h->bytes, binders);
		h->bytes[binders + 2 + i * BINDER] = HASH;
		memcpy(h->bytes + binders + 3 + i * BINDER, binder, HASH);
	}
}

static void put_head(struct hello *h, const struct offer *what, bool tls13)
{
	uint8_t id[OFFER_ID_LEN];

	hello_begin(h, 0x0303, OFFER_ID_LEN);
	must(RAND_bytes(h->bytes + 6, 32) == 1 &&
	     RAND_bytes(id, sizeof(id)) == 1);
	memcpy(h->bytes + 39, what->id ? what->id : id, OFFER_ID_LEN);
	hello_suites(h, tls13 ? "\x13\x01" : "\xc0\x2b", 2);
	hello_compression(h, "\0", 1);
}

bool offer_build(struct hello *out, const struct offer *what)
{
	static struct parts parts;
	bool tls13 = (what->session ?
		      SSL_SESSION_get_protocol_version(what->session) :
		      what->version) == TLS1_3_VERSION;
	size_t i;

	put_head(out, what, tls13);
	collect(&parts, what, tls13);
	shuffle(&parts, what->order);
	for (i = 0; i < parts.n; i++)
		hello_extension(out, parts.part[i].type, parts.part[i].bytes,
				parts.part[i].len);
	if (tls13 && what->session && !what->no_ticket)
		put_psk(out, what);
	return tls13;
}

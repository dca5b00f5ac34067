/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sessions that a well-behaved client would not have: with an altered ticket, or
 * one that it ought to have thrown away. They are made by editing OpenSSL's own
 * ASN.1 form of a session in place, so that no length changes. And what can be
 * read in a ticket without any key.
 */
#include <string.h>

#include <openssl/err.h>

#include "audit_private.h"

#define HINT_TAG 0xa9		/* [9]: ticket_lifetime_hint */
#define PAST_HEADER 64		/* key name, IV, and what a format may add */
#define RUN 16

/* Takes over `der`, which is `len` bytes of an edited session. */
static SSL_SESSION *session_of(unsigned char *der, int len)
{
	const unsigned char *at = der;
	SSL_SESSION *session = d2i_SSL_SESSION(NULL, &at, len);

	OPENSSL_clear_free(der, (size_t)len);
	ERR_clear_error();
	return session;
}

static size_t place_of(enum audit_place place, size_t len)
{
	switch (place) {
	case PLACE_NAME:
		return 0;
	case PLACE_NONCE:
		return KEY_NAME_LEN + 4;
	case PLACE_MIDDLE:
		return len / 2;
	default:
		return len - 1;
	}
}

SSL_SESSION *audit_altered(const SSL_SESSION *session, enum audit_place place)
{
	const unsigned char *ticket = NULL;
	unsigned char *der = NULL, *found;
	size_t len = 0;
	int der_len;

	SSL_SESSION_get0_ticket(session, &ticket, &len);
	if (len <= 2 * (KEY_NAME_LEN + 4))
		return NULL;
	der_len = i2d_SSL_SESSION(session, &der);
	if (der_len <= 0)
		return NULL;
	found = memmem(der, (size_t)der_len, ticket, len);
	if (!found) {
		OPENSSL_clear_free(der, (size_t)der_len);
		return NULL;
	}
	found[place_of(place, len)] ^= 0x10;
	return session_of(der, der_len);
}

/* The length in the header at `at`, and the header's own; X.690 s8.1.3. */
static size_t der_header(const unsigned char *at, size_t *body)
{
	size_t n = at[1] & 0x7f;

	*body = n;
	if (!(at[1] & 0x80))
		return 2;
	*body = 0;
	for (size_t i = 0; i < n; i++)
		*body = *body << 8 | at[2 + i];
	return 2 + n;
}

/* Makes the hint as large as its bytes can hold; the bytes are OpenSSL's own. */
static bool enlarge_hint(unsigned char *der, size_t len)
{
	unsigned char *at = der, *end = der + len;
	size_t body, head;

	for (at += der_header(der, &body); at < end; at += head + body) {
		head = der_header(at, &body);
		if (at[0] != HINT_TAG)
			continue;
		/* An INTEGER of a single-byte length stands in it. */
		memset(at + head + 2, 0xff, body - 2);
		at[head + 2] = 0x7f;
		return true;
	}
	return false;
}

SSL_SESSION *audit_outlived(const SSL_SESSION *session, uint32_t age_s)
{
	unsigned char *der = NULL;
	int len = i2d_SSL_SESSION(session, &der);
	SSL_SESSION *out;

	if (len <= 0)
		return NULL;
	if (!enlarge_hint(der, (size_t)len)) {
		OPENSSL_clear_free(der, (size_t)len);
		return NULL;
	}
	out = session_of(der, len);
	/* Else our library would leave the ticket out, and that proves nothing. */
	if (out && SSL_SESSION_get_ticket_lifetime_hint(out) > age_s + 60UL)
		return out;
	SSL_SESSION_free(out);
	return NULL;
}

static bool has_run(const uint8_t *ticket, size_t len)
{
	size_t run = 1;

	for (size_t i = 2 * KEY_NAME_LEN + 1; i < len; i++) {
		run = ticket[i] == ticket[i - 1] ? run + 1 : 1;
		if (run == RUN)
			return true;
	}
	return false;
}

static bool has(const uint8_t *ticket, size_t len, const void *part,
		size_t part_len)
{
	return part && part_len > 0 && part_len <= len &&
	       memmem(ticket, len, part, part_len);
}

unsigned audit_reveals(const struct audit_marks *marks, const uint8_t *ticket,
		       size_t len)
{
	size_t name_len = marks->name ? strlen(marks->name) : 0;
	size_t part = marks->certificate_len < 32 ? marks->certificate_len : 32;
	unsigned out = has_run(ticket, len) ? REVEALS_RUN : 0;

	/* Short ones stand in random bytes by chance. */
	if (marks->secret_len >= 16 &&
	    has(ticket, len, marks->secret, marks->secret_len))
		out |= REVEALS_SECRET;
	/* Certificates begin alike: it is the end, the signature, that counts. */
	if (part == 32 && has(ticket, len, marks->certificate +
			      marks->certificate_len - part, part))
		out |= REVEALS_CERTIFICATE;
	if (name_len >= 6 && has(ticket, len, marks->name, name_len))
		out |= REVEALS_NAME;
	return out;
}

size_t audit_same_run(const uint8_t *a, size_t a_len, const uint8_t *b,
		      size_t b_len)
{
	size_t len = a_len < b_len ? a_len : b_len, run = 0, most = 0;

	for (size_t i = PAST_HEADER; i < len; i++) {
		run = a[i] == b[i] ? run + 1 : 0;
		if (run > most)
			most = run;
	}
	return most;
}

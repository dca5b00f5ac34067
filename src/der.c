/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * der.c - reads certificates and revocation lists as far as der.h says, over a
 * bounded cursor. tls_client.c calls it for what clients and the operator's
 * files bring.
 */
#include "der_private.h"

#include <stdint.h>
#include <string.h>
#include <time.h>

/* A definite length in its shortest form, X.690 s10.1. */
static size_t take_length(struct cursor *c)
{
	uint8_t first = cursor_u8(c);
	size_t len;

	if (first < 0x80)
		return first;
	len = (size_t)cursor_number(c, first & 0x7f);
	if (first == 0x80 || first > 0x83 ||
	    (first == 0x81 ? len < 0x80 : len >> 8 * (first - 0x81) == 0))
		cursor_fail(c);
	return len;
}

struct cursor der__take_any(struct cursor *c, uint8_t *tag)
{
	struct cursor inner = { .failed = true };
	const uint8_t *at;
	size_t len;

	*tag = cursor_u8(c);
	len = take_length(c);
	at = cursor_take(c, len);
	return at ? cursor_over(at, len) : inner;
}

struct cursor der__take(struct cursor *c, uint8_t tag)
{
	uint8_t found;
	struct cursor inner = der__take_any(c, &found);

	if (found == tag)
		return inner;
	cursor_fail(c);
	cursor_fail(&inner);
	return inner;
}

bool der__next_is(const struct cursor *c, uint8_t tag)
{
	return !c->failed && c->left > 0 && *c->at == tag;
}

/* The same with its header, as names are compared and hashed. */
static struct der_span take_whole(struct cursor *c, uint8_t tag)
{
	struct der_span span = { .at = c->at };

	der__take(c, tag);
	if (!c->failed)
		span.len = (size_t)(c->at - span.at);
	return span;
}

static struct der_span span_of(const struct cursor *c)
{
	return (struct der_span){ c->at, c->left };
}

static int two_digits(struct cursor *c)
{
	uint8_t tens = cursor_u8(c), ones = cursor_u8(c);

	if (tens < '0' || tens > '9' || ones < '0' || ones > '9')
		cursor_fail(c);
	return (tens - '0') * 10 + ones - '0';
}

/* Both forms as RFC 5280 s4.1.2.5 has them: seconds, and Z. */
static int64_t take_time(struct cursor *c)
{
	bool utc = der__next_is(c, DER_UTC_TIME);
	struct cursor text = der__take(c, utc ? DER_UTC_TIME
					      : DER_GENERALIZED_TIME);
	struct tm tm = { 0 };
	int year = two_digits(&text);

	tm.tm_year = utc ? year + (year < 50 ? 100 : 0)
			 : (year - 19) * 100 + two_digits(&text);
	tm.tm_mon = two_digits(&text) - 1;
	tm.tm_mday = two_digits(&text);
	tm.tm_hour = two_digits(&text);
	tm.tm_min = two_digits(&text);
	tm.tm_sec = two_digits(&text);
	if (cursor_u8(&text) != 'Z' || tm.tm_mon < 0 || tm.tm_mon > 11)
		cursor_fail(&text);
	cursor_close(c, &text);
	return c->failed ? 0 : timegm(&tm);
}

int der__certificate(struct der_certificate *out, struct cursor *rest,
		     const uint8_t *der, size_t len)
{
	struct cursor all = cursor_over(der, len);
	struct cursor certificate = der__take(&all, DER_SEQUENCE);
	struct cursor body = der__take(&certificate, DER_SEQUENCE);
	struct cursor serial, validity;

	memset(out, 0, sizeof(*out));
	if (der__next_is(&body, DER_EXPLICIT_0))
		der__take(&body, DER_EXPLICIT_0);
	serial = der__take(&body, DER_INTEGER);
	out->serial = span_of(&serial);
	der__take(&body, DER_SEQUENCE);		/* the signature's algorithm */
	out->issuer = take_whole(&body, DER_SEQUENCE);
	validity = der__take(&body, DER_SEQUENCE);
	out->not_before_s = take_time(&validity);
	out->not_after_s = take_time(&validity);
	cursor_close(&body, &validity);
	out->subject = take_whole(&body, DER_SEQUENCE);
	*rest = body;
	return body.failed || !cursor_done(&all) ? -1 : 0;
}

int der_certificate(struct der_certificate *out, const uint8_t *der,
		    size_t len)
{
	struct cursor rest;

	return der__certificate(out, &rest, der, len);
}

int der_list(struct der_list *out, const uint8_t *der, size_t len)
{
	struct cursor all = cursor_over(der, len);
	struct cursor list = der__take(&all, DER_SEQUENCE);
	struct cursor body = der__take(&list, DER_SEQUENCE);

	memset(out, 0, sizeof(*out));
	if (der__next_is(&body, DER_INTEGER))
		der__take(&body, DER_INTEGER);	/* version */
	der__take(&body, DER_SEQUENCE);		/* the signature's algorithm */
	out->issuer = take_whole(&body, DER_SEQUENCE);
	take_time(&body);		/* thisUpdate */
	out->next_update_s = INT64_MAX;
	if (der__next_is(&body, DER_UTC_TIME) || der__next_is(&body, DER_GENERALIZED_TIME))
		out->next_update_s = take_time(&body);
	if (der__next_is(&body, DER_SEQUENCE))
		out->entries = der__take(&body, DER_SEQUENCE);
	return body.failed || !cursor_done(&all) ? -1 : 0;
}

int der_list_next(struct der_list *list, struct der_span *serial)
{
	struct cursor entry, number;

	if (cursor_done(&list->entries))
		return 0;
	entry = der__take(&list->entries, DER_SEQUENCE);
	number = der__take(&entry, DER_INTEGER);
	if (list->entries.failed || entry.failed)
		return -1;
	*serial = span_of(&number);
	return 1;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * der.c - reads certificates and revocation lists as far as der.h says, over a
 * bounded cursor. tls_client.c calls it for what clients and the operator's
 * files bring.
 */
#include "der.h"

#include <stdint.h>
#include <string.h>
#include <time.h>

enum {
	INTEGER = 0x02,
	UTC_TIME = 0x17,
	GENERALIZED_TIME = 0x18,
	SEQUENCE = 0x30,
	EXPLICIT_0 = 0xa0,		/* [0] EXPLICIT, of a certificate */
};

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

/* The content of the next element, which must have this tag. */
static struct cursor take(struct cursor *c, uint8_t tag)
{
	struct cursor inner = { .failed = true };
	const uint8_t *at;
	size_t len;

	if (cursor_u8(c) != tag)
		cursor_fail(c);
	len = take_length(c);
	at = cursor_take(c, len);
	return at ? cursor_over(at, len) : inner;
}

static bool next_is(const struct cursor *c, uint8_t tag)
{
	return !c->failed && c->left > 0 && *c->at == tag;
}

/* The same with its header, as names are compared and hashed. */
static struct der_span take_whole(struct cursor *c, uint8_t tag)
{
	struct der_span span = { .at = c->at };

	take(c, tag);
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
	bool utc = next_is(c, UTC_TIME);
	struct cursor text = take(c, utc ? UTC_TIME : GENERALIZED_TIME);
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

int der_certificate(struct der_certificate *out, const uint8_t *der,
		    size_t len)
{
	struct cursor all = cursor_over(der, len);
	struct cursor certificate = take(&all, SEQUENCE);
	struct cursor body = take(&certificate, SEQUENCE);
	struct cursor serial, validity;

	memset(out, 0, sizeof(*out));
	if (next_is(&body, EXPLICIT_0))
		take(&body, EXPLICIT_0);
	serial = take(&body, INTEGER);
	out->serial = span_of(&serial);
	take(&body, SEQUENCE);		/* the signature's algorithm */
	out->issuer = take_whole(&body, SEQUENCE);
	validity = take(&body, SEQUENCE);
	out->not_before_s = take_time(&validity);
	out->not_after_s = take_time(&validity);
	cursor_close(&body, &validity);
	out->subject = take_whole(&body, SEQUENCE);
	return body.failed || !cursor_done(&all) ? -1 : 0;
}

int der_list(struct der_list *out, const uint8_t *der, size_t len)
{
	struct cursor all = cursor_over(der, len);
	struct cursor list = take(&all, SEQUENCE);
	struct cursor body = take(&list, SEQUENCE);

	memset(out, 0, sizeof(*out));
	if (next_is(&body, INTEGER))
		take(&body, INTEGER);	/* version */
	take(&body, SEQUENCE);		/* the signature's algorithm */
	out->issuer = take_whole(&body, SEQUENCE);
	take_time(&body);		/* thisUpdate */
	out->next_update_s = INT64_MAX;
	if (next_is(&body, UTC_TIME) || next_is(&body, GENERALIZED_TIME))
		out->next_update_s = take_time(&body);
	if (next_is(&body, SEQUENCE))
		out->entries = take(&body, SEQUENCE);
	return body.failed || !cursor_done(&all) ? -1 : 0;
}

int der_list_next(struct der_list *list, struct der_span *serial)
{
	struct cursor entry, number;

	if (cursor_done(&list->entries))
		return 0;
	entry = take(&list->entries, SEQUENCE);
	number = take(&entry, INTEGER);
	if (list->entries.failed || entry.failed)
		return -1;
	*serial = span_of(&number);
	return 1;
}

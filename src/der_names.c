/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * der_names.c - the names in a client's certificate that an operator can give
 * a role to. tls_verify.c asks for them where they count; the library, which
 * has checked the signature, hands them out without their kinds.
 */
#include "der_private.h"

#include <string.h>

/* GeneralName, RFC 5280 s4.2.1.6: context tags of IMPLICIT IA5Strings. */
enum { RFC822_NAME = 0x81, DNS_NAME = 0x82, URI = 0x86 };

static const uint8_t subject_alt_name[] = { 0x55, 0x1d, 0x11 };
static const uint8_t common_name[] = { 0x55, 0x04, 0x03 };

/* What is written; one byte is kept for the last zero. */
struct names {
	char *out;
	size_t cap, len;
};

static bool is(const struct cursor *c, const uint8_t *oid, size_t len)
{
	return !c->failed && c->left == len && memcmp(c->at, oid, len) == 0;
}

/*
 * A name with a zero byte in it, the old trick to look like another, is none;
 * nor is any whose letters could be mistaken.
 */
static void add(struct names *names, const char *kind, struct cursor value)
{
	size_t kind_len = strlen(kind), i;

	if (value.failed || value.left == 0 ||
	    names->cap - names->len < kind_len + value.left + 2)
		return;
	for (i = 0; i < value.left; i++)
		if (value.at[i] < ' ' || value.at[i] > '~')
			return;
	memcpy(names->out + names->len, kind, kind_len);
	memcpy(names->out + names->len + kind_len, value.at, value.left);
	names->len += kind_len + value.left;
	names->out[names->len++] = '\0';
}

/* Each name of the subject; a set mostly has one. */
static void add_subject(struct names *names, struct der_span subject)
{
	struct cursor whole = cursor_over(subject.at, subject.len);
	struct cursor name = der__take(&whole, DER_SEQUENCE);
	struct cursor set, pair, oid, value;
	uint8_t tag;

	while (!name.failed && name.left > 0) {
		set = der__take(&name, DER_SET);
		while (!set.failed && set.left > 0) {
			pair = der__take(&set, DER_SEQUENCE);
			oid = der__take(&pair, DER_OID);
			value = der__take_any(&pair, &tag);
			/* Of UTF8String, PrintableString, IA5String and
			   T61String ASCII is a part, of the others not. */
			if (is(&oid, common_name, sizeof(common_name)) &&
			    (tag == 0x0c || tag == 0x13 || tag == 0x14 ||
			     tag == 0x16))
				add(names, "cn:", value);
		}
	}
}

static void add_alternatives(struct names *names, struct cursor octets)
{
	struct cursor all = der__take(&octets, DER_SEQUENCE);
	struct cursor value;
	uint8_t tag;

	while (!all.failed && all.left > 0) {
		value = der__take_any(&all, &tag);
		if (tag == DNS_NAME)
			add(names, "dns:", value);
		if (tag == RFC822_NAME)
			add(names, "email:", value);
		if (tag == URI)
			add(names, "uri:", value);
	}
}

/* Behind the subject's name: its key, two ids that nobody has, extensions. */
static void add_extensions(struct names *names, struct cursor *rest)
{
	struct cursor outer, list, extension, oid;
	uint8_t tag;

	der__take(rest, DER_SEQUENCE);
	while (!rest->failed && rest->left > 0 &&
	       !der__next_is(rest, DER_EXPLICIT_3))
		der__take_any(rest, &tag);
	if (!der__next_is(rest, DER_EXPLICIT_3))
		return;
	outer = der__take(rest, DER_EXPLICIT_3);
	list = der__take(&outer, DER_SEQUENCE);
	while (!list.failed && list.left > 0) {
		extension = der__take(&list, DER_SEQUENCE);
		oid = der__take(&extension, DER_OID);
		if (der__next_is(&extension, DER_BOOLEAN))
			der__take(&extension, DER_BOOLEAN);
		if (is(&oid, subject_alt_name, sizeof(subject_alt_name)))
			add_alternatives(names,
					 der__take(&extension, DER_OCTETS));
	}
}

int der_names(char *out, size_t cap, const uint8_t *der, size_t len)
{
	struct names names = { .out = out, .cap = cap };
	struct der_certificate cert;
	struct cursor rest;

	memset(out, 0, cap);
	if (der__certificate(&cert, &rest, der, len) < 0)
		return -1;
	add_extensions(&names, &rest);
	add_subject(&names, cert.subject);
	return 0;
}

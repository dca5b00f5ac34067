// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * redis_peer.c - whether a certificate names an address: wolfSSL, built without
 * WOLFSSL_IP_ALT_NAME, looks at names alone. Reads DER that the library has
 * already verified, and trusts no length in it. Called by redis_tls.c.
 */
#include <string.h>

#include "redis_conn.h"

#define TAG_OCTETS 0x04
#define TAG_OID 0x06
#define TAG_SEQUENCE 0x30
#define TAG_EXTENSIONS 0xa3	/* of a TBSCertificate, RFC 5280 s4.1 */
#define TAG_IP_ADDRESS 0x87	/* of a GeneralName, RFC 5280 s4.2.1.6 */

struct der {
	const uint8_t *at, *end;
};

/* The next element: its tag, its content in *out. False at the end. */
static bool next(struct der *in, uint8_t *tag, struct der *out)
{
	size_t len, n;

	if (in->end - in->at < 2)
		return false;
	*tag = *in->at++;
	len = *in->at++;
	if (len >= 0x80) {
		n = len & 0x7f;
		if (n < 1 || n > 3 || (size_t)(in->end - in->at) < n)
			return false;
		for (len = 0; n; n--)
			len = len << 8 | *in->at++;
	}
	if ((size_t)(in->end - in->at) < len)
		return false;
	out->at = in->at;
	out->end = in->at + len;
	in->at += len;
	return true;
}

/* The content of the first element with this tag, those before it skipped. */
static bool find(struct der in, uint8_t wanted, struct der *out)
{
	uint8_t tag;

	while (next(&in, &tag, out)) {
		if (tag == wanted)
			return true;
	}
	return false;
}

static bool is_alt_name(struct der extension)
{
	static const uint8_t oid[] = { 0x55, 0x1d, 0x11 };
	struct der id;

	return find(extension, TAG_OID, &id) &&
	       id.end - id.at == sizeof(oid) &&
	       !memcmp(id.at, oid, sizeof(oid));
}

static bool alt_names(const uint8_t *der, size_t len, struct der *out)
{
	struct der in = { der, der + len }, list, extension, value;
	uint8_t tag;

	/* NOLINTNEXTLINE(misc-redundant-expression): one within the other */
	if (!find(in, TAG_SEQUENCE, &in) || !find(in, TAG_SEQUENCE, &in) ||
	    !find(in, TAG_EXTENSIONS, &in) || !find(in, TAG_SEQUENCE, &list))
		return false;
	while (next(&list, &tag, &extension)) {
		if (tag == TAG_SEQUENCE && is_alt_name(extension))
			return find(extension, TAG_OCTETS, &value) &&
			       find(value, TAG_SEQUENCE, out);
	}
	return false;
}

bool stek__redis_peer_has(const uint8_t *der, size_t len, const uint8_t *ip,
			  size_t ip_len)
{
	struct der names, name;
	uint8_t tag;

	if (!alt_names(der, len, &names))
		return false;
	while (next(&names, &tag, &name)) {
		if (tag == TAG_IP_ADDRESS &&
		    (size_t)(name.end - name.at) == ip_len &&
		    !memcmp(name.at, ip, ip_len))
			return true;
	}
	return false;
}

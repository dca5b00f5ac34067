// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gate_ext.c - the extensions of a ClientHello: one table of those that stekd
 * or the library acts on. The others are skipped, as TLS wants it. gate_hello.c
 * calls it and judges afterwards what concerns several of them.
 */
#include <arpa/inet.h>
#include <string.h>

#include "gate_private.h"

#define VERSION_TLS12 0x0303
#define VERSION_TLS13 0x0304

#define NAME_HOST 0
#define BINDER_MIN 32

enum {
	EXT_SERVER_NAME = 0,
	EXT_SUPPORTED_GROUPS = 10,
	EXT_POINT_FORMATS = 11,
	EXT_SIGNATURES = 13,
	EXT_ALPN = 16,
	EXT_ENCRYPT_THEN_MAC = 22,
	EXT_MASTER_SECRET = 23,
	EXT_SESSION_TICKET = 35,
	EXT_PRE_SHARED_KEY = 41,
	EXT_EARLY_DATA = 42,
	EXT_VERSIONS = 43,
	EXT_COOKIE = 44,
	EXT_PSK_MODES = 45,
	EXT_POST_HANDSHAKE_AUTH = 49,
	EXT_SIGNATURES_CERT = 50,
	EXT_KEY_SHARE = 51,
	EXT_TICKET_REQUEST = 58,
	EXT_RENEGOTIATION = 65281,
};

static bool is_address(const char *name)
{
	struct in6_addr addr;
	char bare[sizeof(((struct gate_hello *)NULL)->server_name)];
	size_t len = strlen(name);

	if (name[0] == '[' && name[len - 1] == ']') {
		memcpy(bare, name + 1, len - 2);
		bare[len - 2] = '\0';
		name = bare;
	}
	return inet_pton(AF_INET, name, &addr) == 1 ||
	       inet_pton(AF_INET6, name, &addr) == 1;
}

/* RFC 6066 s3: ASCII, no trailing dot, no address. */
static bool host_name(struct gate_hello *out, const uint8_t *name, size_t len)
{
	if (out->server_name[0] || out->name_is_address)
		return gate__illegal(out, "more than one host name");
	if (len >= sizeof(out->server_name))
		return gate__refuse(out, ALERT_UNRECOGNIZED_NAME,
				    FAIL_UNKNOWN_HOST,
				    "a host name over 255 bytes");
	if (name[len - 1] == '.')
		return gate__illegal(out, "a host name with a trailing dot");
	for (size_t i = 0; i < len; i++) {
		if (name[i] <= ' ' || name[i] >= 0x7f)
			return gate__illegal(out, "a host name that is not one");
		out->server_name[i] = (char)name[i];
		if (name[i] >= 'A' && name[i] <= 'Z')
			out->server_name[i] = (char)(name[i] - 'A' + 'a');
	}
	if (is_address(out->server_name)) {
		memset(out->server_name, 0, sizeof(out->server_name));
		out->name_is_address = true;
	}
	return true;
}

static bool server_name(struct gate_walk *walk, struct cursor *data)
{
	struct cursor list = cursor_vector(data, 2, 1);

	while (list.left > 0) {
		uint8_t type = cursor_u8(&list);
		/* Types to come begin with a length too. */
		struct cursor name = cursor_vector(&list, 2, 1);

		if (list.failed)
			break;
		if (type == NAME_HOST &&
		    !host_name(walk->out, name.at, name.left))
			return false;
	}
	cursor_close(data, &list);
	return true;
}

static bool alpn(struct gate_walk *walk, struct cursor *data)
{
	struct cursor list = cursor_vector(data, 2, 2);
	struct gate_hello *out = walk->out;

	out->has_alpn = true;
	while (list.left > 0) {
		struct cursor name = cursor_vector(&list, 1, 1);

		out->n_alpn++;
		if (list.failed || out->alpn_len + 1 + name.left >
		    sizeof(out->alpn))
			continue;
		memcpy(out->alpn + out->alpn_len, name.at - 1, name.left + 1);
		out->alpn_len += name.left + 1;
	}
	cursor_close(data, &list);
	return true;
}

static bool versions(struct gate_walk *walk, struct cursor *data)
{
	struct cursor list = cursor_vector(data, 1, 2);

	walk->has_versions = true;
	while (list.left > 0) {
		uint16_t version = cursor_u16(&list);

		if (version == VERSION_TLS13)
			walk->out->offers_tls13 = true;
		if (version == VERSION_TLS12)
			walk->out->offers_tls12 = true;
	}
	cursor_close(data, &list);
	return true;
}

static bool psk_modes(struct gate_walk *walk, struct cursor *data)
{
	struct cursor list = cursor_vector(data, 1, 1);

	walk->has_modes = true;
	while (list.left > 0) {
		uint8_t mode = cursor_u8(&list);

		if (mode == 0)
			walk->out->psk_ke = true;
		if (mode == 1)
			walk->out->psk_dhe_ke = true;
	}
	cursor_close(data, &list);
	return true;
}

static void first_bytes(uint8_t out[16], const uint8_t *bytes, size_t len)
{
	if (len >= 16)
		memcpy(out, bytes, 16);
}

static bool identities(struct gate_hello *out, struct cursor *list)
{
	while (list->left > 0) {
		struct cursor identity = cursor_vector(list, 2, 1);

		cursor_u32(list);	/* obfuscated_ticket_age */
		if (list->failed)
			return false;
		if (out->n_psk++ == 0)
			first_bytes(out->psk_name, identity.at, identity.left);
		if (identity.left > out->psk_longest)
			out->psk_longest = identity.left;
	}
	return !list->failed;
}

static bool pre_shared_key(struct gate_walk *walk, struct cursor *data)
{
	struct cursor list = cursor_vector(data, 2, 7);
	struct cursor binders = cursor_vector(data, 2, BINDER_MIN + 1);
	size_t n = 0;

	walk->has_psk = true;
	if (!identities(walk->out, &list))
		cursor_fail(data);
	while (binders.left > 0) {
		cursor_vector(&binders, 1, BINDER_MIN);
		n++;
	}
	cursor_close(data, &binders);
	if (!data->failed && n != walk->out->n_psk)
		return gate__illegal(walk->out,
				     "identities and binders differ in number");
	return true;
}

static bool session_ticket(struct gate_walk *walk, struct cursor *data)
{
	size_t len = data->left;

	walk->out->has_session_ticket = true;
	walk->out->session_ticket_len = len;
	first_bytes(walk->out->session_ticket_name, cursor_take(data, len), len);
	return true;
}

unsigned gate__group(uint16_t code)
{
	switch (code) {
	case 23:
		return GATE_P256;
	case 24:
		return GATE_P384;
	case 25:
		return GATE_P521;
	case 29:
		return GATE_X25519;
	default:
		return 0;
	}
}

static bool supported_groups(struct gate_walk *walk, struct cursor *data)
{
	struct cursor list = cursor_vector(data, 2, 2);

	walk->out->has_groups = true;
	walk->groups = list;
	if (list.left % 2)
		cursor_fail(data);
	while (list.left > 1)
		walk->out->groups |= gate__group(cursor_u16(&list));
	return true;
}

static bool key_share(struct gate_walk *walk, struct cursor *data)
{
	struct cursor list = cursor_vector(data, 2, 0);

	walk->has_shares = true;
	walk->shares = list;
	while (list.left > 0) {
		walk->out->shares |= gate__group(cursor_u16(&list));
		cursor_vector(&list, 2, 1);
		walk->out->n_key_shares++;
	}
	cursor_close(data, &list);
	return true;
}

/* RFC 8446 s4.2.3; in RFC 5246 s7.4.1.4.1 the second byte is the algorithm. */
static unsigned scheme_kind(uint16_t scheme)
{
	uint8_t hash = scheme >> 8, algorithm = scheme & 0xff;

	if (hash == 8)
		return algorithm >= 4 && algorithm <= 6 ? GATE_RSA_PSS : 0;
	if (hash < 2 || hash > 6)
		return 0;
	return algorithm == 3 ? GATE_ECDSA : algorithm == 1 ?
		GATE_RSA_PKCS1 : 0;
}

static bool signatures(struct gate_walk *walk, struct cursor *data)
{
	struct cursor list = cursor_vector(data, 2, 2);

	walk->out->has_schemes = true;
	if (list.left % 2)
		cursor_fail(data);
	while (list.left > 1)
		walk->out->schemes |= scheme_kind(cursor_u16(&list));
	return true;
}

static bool signatures_cert(struct gate_walk *walk, struct cursor *data)
{
	struct cursor list = cursor_vector(data, 2, 2);

	(void)walk;
	if (list.left % 2)
		cursor_fail(data);
	return true;
}

static bool point_formats(struct gate_walk *walk, struct cursor *data)
{
	struct cursor list = cursor_vector(data, 1, 1);

	walk->lacks_uncompressed = list.left == 0 ||
				   !memchr(list.at, 0, list.left);
	return true;
}

static bool cookie(struct gate_walk *walk, struct cursor *data)
{
	cursor_vector(data, 2, 1);
	walk->out->has_cookie = true;
	return true;
}

/* RFC 5746 s3.6: nothing was negotiated yet. */
static bool renegotiation(struct gate_walk *walk, struct cursor *data)
{
	struct cursor list = cursor_vector(data, 1, 0);

	if (!data->failed && list.left > 0)
		return gate__refuse(walk->out, ALERT_HANDSHAKE_FAILURE,
				    FAIL_MALFORMED,
				    "renegotiation_info in a first handshake");
	return true;
}

static bool master_secret(struct gate_walk *walk, struct cursor *data)
{
	(void)data;
	walk->out->has_ems = true;
	return true;
}

/* RFC 9149 s3: new_session_count, resumption_count. */
static bool ticket_request(struct gate_walk *walk, struct cursor *data)
{
	walk->out->has_ticket_request = true;
	walk->out->tickets_at_full = cursor_u8(data);
	walk->out->tickets_at_resumption = cursor_u8(data);
	return true;
}

static bool early_data(struct gate_walk *walk, struct cursor *data)
{
	(void)data;
	walk->out->has_early_data = true;
	return true;
}

static bool post_handshake_auth(struct gate_walk *walk, struct cursor *data)
{
	(void)data;
	walk->out->has_post_handshake_auth = true;
	return true;
}

/* Only a flag: the body must be empty, which the caller sees to. */
static bool flag(struct gate_walk *walk, struct cursor *data)
{
	(void)walk;
	(void)data;
	return true;
}

/*
 * Each handler reads `data` to its end. It returns false after a refusal; what
 * does not decode it leaves to the cursor's sticky error.
 */
static const struct extension {
	uint16_t type;
	bool may_change;	/* in the second hello, RFC 8446 s4.1.2 */
	bool (*parse)(struct gate_walk *walk, struct cursor *data);
	const char *malformed;
} extensions[] = {
	{ EXT_SERVER_NAME, false, server_name, "server_name is malformed" },
	{ EXT_SUPPORTED_GROUPS, false, supported_groups,
	  "supported_groups is malformed" },
	{ EXT_POINT_FORMATS, false, point_formats,
	  "ec_point_formats is malformed" },
	{ EXT_SIGNATURES, false, signatures,
	  "signature_algorithms is malformed" },
	{ EXT_ALPN, false, alpn, "ALPN is malformed" },
	{ EXT_ENCRYPT_THEN_MAC, false, flag, "encrypt_then_mac is malformed" },
	{ EXT_MASTER_SECRET, false, master_secret,
	  "extended_master_secret is malformed" },
	{ EXT_SESSION_TICKET, false, session_ticket,
	  "session_ticket is malformed" },
	{ EXT_PRE_SHARED_KEY, true, pre_shared_key,
	  "pre_shared_key is malformed" },
	{ EXT_EARLY_DATA, true, early_data, "early_data is malformed" },
	{ EXT_VERSIONS, false, versions, "supported_versions is malformed" },
	{ EXT_COOKIE, true, cookie, "cookie is malformed" },
	{ EXT_PSK_MODES, false, psk_modes,
	  "psk_key_exchange_modes is malformed" },
	{ EXT_POST_HANDSHAKE_AUTH, false, post_handshake_auth,
	  "post_handshake_auth is malformed" },
	{ EXT_SIGNATURES_CERT, false, signatures_cert,
	  "signature_algorithms_cert is malformed" },
	{ EXT_TICKET_REQUEST, false, ticket_request,
	  "ticket_request is malformed" },
	{ EXT_KEY_SHARE, true, key_share, "key_share is malformed" },
	{ EXT_RENEGOTIATION, false, renegotiation,
	  "renegotiation_info is malformed" },
};

static const struct extension *extension_find(uint16_t type)
{
	for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++)
		if (extensions[i].type == type)
			return &extensions[i];
	return NULL;
}

static bool extension(struct gate_walk *walk, uint16_t type, struct cursor data)
{
	const struct extension *known = extension_find(type);

	if (!known)
		return true;
	/* A sum, so that a client may put them in another order. */
	if (!known->may_change)
		walk->out->digest += gate__digest(data.at, data.left) ^ type;
	if (!known->parse(walk, &data))
		return false;
	if (!cursor_done(&data))
		return gate__malformed(walk->out, known->malformed);
	return true;
}

bool gate__extensions(struct gate_walk *walk, struct cursor data)
{
	struct gate_set seen = { { 0 } };

	while (data.left > 0) {
		uint16_t type = cursor_u16(&data);
		struct cursor body = cursor_vector(&data, 2, 0);

		if (data.failed)
			break;
		if (gate__set_has(&seen, type))
			return gate__illegal(walk->out,
					     "an extension stands twice");
		gate__set_add(&seen, type);
		if (!extension(walk, type, body))
			return false;
		/* RFC 8446 s4.2.11: the binders cover all before them. */
		if (type == EXT_PRE_SHARED_KEY && data.left > 0)
			return gate__illegal(walk->out,
					     "pre_shared_key is not the last");
	}
	if (data.failed)
		return gate__malformed(walk->out, "an extension is cut off");
	return true;
}

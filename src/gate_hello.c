// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gate_hello.c - the ClientHello message: its fixed fields, and the rules that
 * tie its parts together. gate.c calls it with a whole message.
 */
#include <string.h>

#include "gate_private.h"

#define RANDOM_LEN 32
#define SESSION_ID_MAX 32

#define SUITE_NULL 0x0000
#define SUITE_RENEGOTIATION_SCSV 0x00ff
#define SUITE_FALLBACK_SCSV 0x5600

#define VERSION_SSL3 0x0300
#define VERSION_TLS12 0x0303

static bool suites(struct gate_hello *out, struct cursor *data)
{
	struct cursor list = cursor_vector(data, 2, 2);

	if (data->failed || list.left % 2)
		return gate__malformed(out, "cipher suites are malformed");
	while (list.left > 0) {
		uint16_t suite = cursor_u16(&list);

		if (suite == SUITE_RENEGOTIATION_SCSV)
			out->has_scsv = true;
		else if (suite == SUITE_FALLBACK_SCSV)
			out->has_fallback_scsv = true;
		else if (suite != SUITE_NULL && !gate__is_grease(suite))
			out->n_suites++;
	}
	return true;
}

static bool compression(struct gate_walk *walk, struct cursor *data)
{
	struct cursor list = cursor_vector(data, 1, 1);

	if (data->failed)
		return gate__malformed(walk->out,
				       "compression methods are malformed");
	if (!memchr(list.at, 0, list.left))
		return gate__illegal(walk->out,
				     "compression methods lack null");
	walk->null_compression_only = list.left == 1;
	return true;
}

static bool fixed_fields(struct gate_walk *walk, struct cursor *data)
{
	struct gate_hello *out = walk->out;
	struct cursor id;

	out->legacy_version = cursor_u16(data);
	cursor_take(data, RANDOM_LEN);
	id = cursor_vector(data, 1, 0);
	if (data->failed || id.left > SESSION_ID_MAX)
		return gate__malformed(out, "the ClientHello is malformed");
	out->session_id_len = id.left;
	return suites(out, data) && compression(walk, data);
}

/* Without supported_versions the legacy field is the highest one offered. */
static bool versions(struct gate_walk *walk)
{
	struct gate_hello *out = walk->out;

	if (!walk->has_versions)
		out->offers_tls12 = out->legacy_version >= VERSION_TLS12;
	/* RFC 8446 appendix D.5. */
	if (out->legacy_version <= VERSION_SSL3)
		return gate__refuse(out, ALERT_PROTOCOL_VERSION, FAIL_VERSION,
				    "SSL 3.0 or older");
	if (!out->offers_tls12 && !out->offers_tls13)
		return gate__refuse(out, ALERT_PROTOCOL_VERSION, FAIL_VERSION,
				    "neither TLS 1.2 nor TLS 1.3 is offered");
	return true;
}

static bool missing(struct gate_hello *out, const char *why)
{
	return gate__refuse(out, ALERT_MISSING_EXTENSION, FAIL_MALFORMED, why);
}

/* RFC 8446 s9.2, s4.2.9 to s4.2.11. */
static bool tls13_rules(struct gate_walk *walk)
{
	struct gate_hello *out = walk->out;

	if (!walk->null_compression_only)
		return gate__illegal(out, "compression offered in TLS 1.3");
	if (out->has_groups != walk->has_shares)
		return missing(out, "supported_groups and key_share belong "
				    "together");
	if (!walk->has_psk && !out->has_schemes)
		return missing(out, "no signature_algorithms");
	if (walk->has_psk && !walk->has_modes)
		return missing(out, "pre_shared_key without "
				    "psk_key_exchange_modes");
	/* Only psk_ke could go on from here, and stekd never takes it. */
	if (!out->has_groups)
		return gate__refuse(out, ALERT_MISSING_EXTENSION, FAIL_GROUP,
				    "no supported_groups");
	if (out->has_early_data && !walk->has_psk)
		return gate__illegal(out, "early_data without pre_shared_key");
	return gate__shares(walk);
}

static bool rules(struct gate_walk *walk)
{
	struct gate_hello *out = walk->out;

	if (!versions(walk))
		return false;
	if (out->n_suites == 0)
		return gate__refuse(out, ALERT_HANDSHAKE_FAILURE, FAIL_SUITE,
				    "no cipher suite is offered");
	if (out->offers_tls13)
		return tls13_rules(walk);
	/* RFC 8422 s5.1.2; TLS 1.3 knows no point formats. */
	if (walk->lacks_uncompressed)
		return gate__illegal(out, "ec_point_formats lacks uncompressed");
	return true;
}

bool gate__hello(struct gate_hello *out, const uint8_t *body, size_t len)
{
	struct gate_walk walk = { .out = out };
	struct cursor data = cursor_over(body, len);
	struct cursor list;

	if (!fixed_fields(&walk, &data))
		return false;
	out->digest = gate__digest(body, len - data.left);
	if (data.left > 0) {
		list = cursor_vector(&data, 2, 0);
		if (!cursor_done(&data))
			return gate__malformed(out,
				"the length of the extensions is wrong");
		if (!gate__extensions(&walk, list))
			return false;
	}
	return rules(&walk);
}

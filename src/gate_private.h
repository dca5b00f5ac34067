/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gate_private.h - what the gate's files share: gate.c (records), gate_hello.c
 * (the message), gate_ext.c (its extensions), gate_share.c (key shares).
 */
#ifndef STEKD_GATE_PRIVATE_H
#define STEKD_GATE_PRIVATE_H

#include "cursor.h"
#include "gate.h"

/* RFC 8446 s6, RFC 5246 s7.2, RFC 6066 s3. */
enum gate_alert {
	ALERT_NONE = 0,		/* stay silent: the peer does not speak TLS */
	ALERT_UNEXPECTED_MESSAGE = 10,
	ALERT_RECORD_OVERFLOW = 22,
	ALERT_HANDSHAKE_FAILURE = 40,
	ALERT_ILLEGAL_PARAMETER = 47,
	ALERT_DECODE_ERROR = 50,
	ALERT_PROTOCOL_VERSION = 70,
	ALERT_MISSING_EXTENSION = 109,
	ALERT_UNRECOGNIZED_NAME = 112,
};

/* What the extensions said that is judged only when all are known. */
struct gate_walk {
	struct gate_hello *out;
	bool has_versions, has_shares;
	bool has_modes, has_psk;
	bool lacks_uncompressed;	/* ec_point_formats without it */
	bool null_compression_only;
	struct cursor groups, shares;
};

/* One bit for each 16-bit code point. */
struct gate_set {
	uint64_t bits[65536 / 64];
};

static inline bool gate__set_has(const struct gate_set *set, uint16_t value)
{
	return set->bits[value / 64] >> value % 64 & 1;
}

static inline void gate__set_add(struct gate_set *set, uint16_t value)
{
	set->bits[value / 64] |= UINT64_C(1) << value % 64;
}

static inline void gate__set_remove(struct gate_set *set, uint16_t value)
{
	set->bits[value / 64] &= ~(UINT64_C(1) << value % 64);
}

/* Notes the refusal; always false, so that a check can end with it. */
static inline bool gate__refuse(struct gate_hello *out, enum gate_alert alert,
				enum failure failure, const char *why)
{
	out->alert = (uint8_t)alert;
	out->failure = failure;
	out->why = why;
	return false;
}

static inline bool gate__malformed(struct gate_hello *out, const char *why)
{
	return gate__refuse(out, ALERT_DECODE_ERROR, FAIL_MALFORMED, why);
}

static inline bool gate__illegal(struct gate_hello *out, const char *why)
{
	return gate__refuse(out, ALERT_ILLEGAL_PARAMETER, FAIL_MALFORMED, why);
}

/* RFC 8701: values that nobody implements, sent to keep servers honest. */
static inline bool gate__is_grease(uint16_t value)
{
	return (value & 0x0f0f) == 0x0a0a && value >> 8 == (value & 0xff);
}

/* FNV-1a: tells an honest client's slip; nothing rests on its strength. */
static inline uint64_t gate__digest(const uint8_t *bytes, size_t len)
{
	uint64_t digest = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++)
		digest = (digest ^ bytes[i]) * UINT64_C(0x100000001b3);
	return digest;
}

/* The message body without its header of 4 bytes. */
bool gate__hello(struct gate_hello *out, const uint8_t *body, size_t len);

/* The bit of a group's code point; 0 for one that no host may be given. */
unsigned gate__group(uint16_t code);

/* All extensions, `data` past the length of the list. */
bool gate__extensions(struct gate_walk *walk, struct cursor data);

/* The shares of a TLS 1.3 hello, against its supported_groups. */
bool gate__shares(struct gate_walk *walk);

#endif

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gate_share.c - the key shares of a TLS 1.3 hello, RFC 8446 s4.2.8. wolfSSL
 * multiplies a peer's point without looking whether it lies on the curve, and
 * takes X25519 shares of low order (its build flags against both would cost
 * every handshake, or are not ours to rely on), so both are refused here.
 * gate_hello.c calls it.
 */
#include <string.h>

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/ecc.h>

#include "gate_private.h"

#define GROUP_X25519 29
#define X25519_LEN 32
#define POINT_UNCOMPRESSED 4

/*
 * The points of order 1, 2, 4 and 8 of Curve25519 and its twist, in their
 * canonical encodings and the two others below 2^255 (RFC 7748 s6.1 asks for
 * the zero check that they all fail). Little-endian.
 */
static const uint8_t low_order[][X25519_LEN] = {
	{ 0 },
	{ 1 },
	{ 0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3,
	  0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32,
	  0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00 },
	{ 0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1,
	  0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c,
	  0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57 },
	{ 0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
	{ 0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
	{ 0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
};

/* The top bit of an X25519 share carries nothing, RFC 7748 s5. */
static bool x25519_is_sound(const uint8_t *share)
{
	uint8_t masked[X25519_LEN];

	memcpy(masked, share, sizeof(masked));
	masked[X25519_LEN - 1] &= 0x7f;
	for (size_t i = 0; i < sizeof(low_order) / sizeof(low_order[0]); i++)
		if (!memcmp(masked, low_order[i], X25519_LEN))
			return false;
	return true;
}

static const struct curve {
	uint16_t group;
	int id;
	size_t field_len;
} curves[] = {
	{ 23, ECC_SECP256R1, 32 },
	{ 24, ECC_SECP384R1, 48 },
	{ 25, ECC_SECP521R1, 66 },
};

/* True when the library does not have the curve: then it takes no such share. */
static bool point_is_on_curve(const struct curve *curve, const uint8_t *share)
{
	int index = wc_ecc_get_curve_idx(curve->id);
	word32 len = (word32)curve->field_len;
	ecc_point point;
	int rc;

	if (index < 0)
		return true;
	memset(&point, 0, sizeof(point));
	if (mp_init_multi(point.x, point.y, point.z, NULL, NULL, NULL))
		return false;
	rc = mp_read_unsigned_bin(point.x, share + 1, len);
	if (!rc)
		rc = mp_read_unsigned_bin(point.y, share + 1 + len, len);
	if (!rc)
		rc = mp_set(point.z, 1);
	if (!rc)
		rc = wc_ecc_point_is_on_curve(&point, index);
	return rc == 0;
}

static bool share_is_sound(uint16_t group, const struct cursor *share)
{
	if (group == GROUP_X25519)
		return share->left == X25519_LEN && x25519_is_sound(share->at);
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
		if (curves[i].group != group)
			continue;
		return share->left == 1 + 2 * curves[i].field_len &&
		       /* Not 0: NOLINTNEXTLINE(clang-analyzer-core.*) */
		       share->at[0] == POINT_UNCOMPRESSED &&
		       point_is_on_curve(&curves[i], share->at);
	}
	return true;
}

bool gate_share_is_sound(uint16_t group, const uint8_t *share, size_t len)
{
	struct cursor cursor = cursor_over(share, len);

	return share_is_sound(group, &cursor);
}

bool gate__shares(struct gate_walk *walk)
{
	struct gate_set offered = { { 0 } };
	struct cursor groups = walk->groups;
	struct cursor shares = walk->shares;

	while (groups.left > 0)
		gate__set_add(&offered, cursor_u16(&groups));
	while (shares.left > 0) {
		uint16_t group = cursor_u16(&shares);
		struct cursor share = cursor_vector(&shares, 2, 1);

		/* A second share finds its group taken. */
		if (!gate__set_has(&offered, group))
			return gate__illegal(walk->out,
				"a key share twice or of a group not offered");
		gate__set_remove(&offered, group);
		if (!share_is_sound(group, &share))
			return gate__illegal(walk->out,
					     "a key share is not a point");
	}
	return true;
}

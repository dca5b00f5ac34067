/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tls_peek.c - looks at the ClientKeyExchange of TLS 1.2 on its way to wolfSSL,
 * which multiplies the client's point without asking whether it lies on the
 * curve (RFC 8422 s5.11 wants it asked). tls_wire.c shows all bytes of the
 * client's that are in the clear.
 */
#include "tls_private.h"

#include <string.h>

enum {
	RECORD_HEADER = 5,
	MESSAGE_HEADER = 4,
	RECORD_CHANGE_CIPHER = 20,
	RECORD_HANDSHAKE = 22,
	MESSAGE_KEY_EXCHANGE = 16,
};

/* What a share of this length must be of; a point names no curve. */
static uint16_t group_of(size_t len)
{
	switch (len) {
	case 32:
		return 29;	/* X25519 */
	case 65:
		return 23;	/* P-256 */
	case 97:
		return 24;	/* P-384 */
	case 133:
		return 25;	/* P-521 */
	default:
		return 0;	/* the library knows the right length */
	}
}

/* A whole ClientKeyExchange: the point behind a byte for its length. */
static bool is_sound(const uint8_t *body, size_t len)
{
	uint16_t group = len ? group_of(len - 1) : 0;

	return !group || body[0] != len - 1 ||
		gate_share_is_sound(group, body + 1, len - 1);
}

/* One byte of the handshake messages that the records carry. */
static bool message_byte(struct tls_peek *peek, uint8_t value)
{
	if (peek->message_have < MESSAGE_HEADER) {
		peek->message[peek->message_have++] = value;
		if (peek->message_have == MESSAGE_HEADER) {
			peek->message_left = (size_t)peek->message[1] << 16 |
				(size_t)peek->message[2] << 8 |
				peek->message[3];
			peek->kept = 0;
		}
	} else {
		if (peek->kept < sizeof(peek->body))
			peek->body[peek->kept] = value;
		peek->kept++;
		peek->message_left--;
	}
	if (peek->message_have < MESSAGE_HEADER || peek->message_left > 0)
		return true;
	peek->message_have = 0;
	return peek->message[0] != MESSAGE_KEY_EXCHANGE ||
		peek->kept > sizeof(peek->body) ||
		is_sound(peek->body, peek->kept);
}

bool tls__peek(struct tls_peek *peek, const uint8_t *bytes, size_t len)
{
	for (; len > 0 && !peek->over; bytes++, len--) {
		if (peek->record_have < RECORD_HEADER) {
			peek->record[peek->record_have++] = *bytes;
			if (peek->record_have < RECORD_HEADER)
				continue;
			/* What follows is encrypted. */
			peek->over = peek->record[0] == RECORD_CHANGE_CIPHER;
			peek->record_left = (size_t)peek->record[3] << 8 |
				peek->record[4];
		} else {
			peek->record_left--;
			if (peek->record[0] == RECORD_HANDSHAKE &&
			    !message_byte(peek, *bytes))
				return false;
		}
		if (!peek->record_left)
			peek->record_have = 0;
	}
	return true;
}

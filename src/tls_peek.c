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

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Fills a header of `size` bytes, of which it has *have; how many it took. */
static size_t fill(uint8_t *header, uint8_t *have, size_t size,
		   const uint8_t *bytes, size_t len)
{
	size_t n = least(size - *have, len);

	memcpy(header + *have, bytes, n);
	*have = (uint8_t)(*have + n);
	return n;
}

/* The message has ended. */
static bool end_message(struct tls_peek *peek)
{
	peek->message_have = 0;
	return peek->message[0] != MESSAGE_KEY_EXCHANGE ||
		peek->kept > sizeof(peek->body) ||
		is_sound(peek->body, peek->kept);
}

/* A piece of the handshake messages that the records carry. */
static bool peek_messages(struct tls_peek *peek, const uint8_t *bytes,
			  size_t len)
{
	for (size_t n; len > 0; bytes += n, len -= n) {
		if (peek->message_have < MESSAGE_HEADER) {
			n = fill(peek->message, &peek->message_have,
				 MESSAGE_HEADER, bytes, len);
			if (peek->message_have < MESSAGE_HEADER)
				continue;
			peek->message_left = (size_t)peek->message[1] << 16 |
				(size_t)peek->message[2] << 8 |
				peek->message[3];
			peek->kept = 0;
		} else {
			n = least(peek->message_left, len);
			if (peek->kept < sizeof(peek->body))
				memcpy(peek->body + peek->kept, bytes,
				       least(n, sizeof(peek->body) -
						peek->kept));
			peek->kept += n;
			peek->message_left -= n;
		}
		if (!peek->message_left && !end_message(peek))
			return false;
	}
	return true;
}

bool tls__peek(struct tls_peek *peek, const uint8_t *bytes, size_t len)
{
	for (size_t n; len > 0 && !peek->over; bytes += n, len -= n) {
		if (peek->record_have < RECORD_HEADER) {
			n = fill(peek->record, &peek->record_have,
				 RECORD_HEADER, bytes, len);
			if (peek->record_have < RECORD_HEADER)
				continue;
			/* What follows is encrypted. */
			peek->over = peek->record[0] == RECORD_CHANGE_CIPHER;
			peek->record_left = (size_t)peek->record[3] << 8 |
				peek->record[4];
		} else {
			n = least(peek->record_left, len);
			peek->record_left -= n;
			if (peek->record[0] == RECORD_HANDSHAKE &&
			    !peek_messages(peek, bytes, n))
				return false;
		}
		if (!peek->record_left)
			peek->record_have = 0;
	}
	return true;
}

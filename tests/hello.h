/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hello.h - writes ClientHellos byte by byte, right ones and wrong ones, for
 * the gate's tests and for tests/helper_hello.c. No TLS library would send the
 * wrong ones.
 */
#ifndef TESTS_HELLO_H
#define TESTS_HELLO_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define HELLO_CAP (40 * 1024)

struct hello {
	uint8_t bytes[HELLO_CAP];	/* the message, header included */
	size_t len;
	size_t extensions;		/* where their length stands; 0: none */
};

static inline void hello_put(struct hello *h, const void *bytes, size_t len)
{
	if (len > HELLO_CAP - h->len)
		return;
	memcpy(h->bytes + h->len, bytes, len);
	h->len += len;
}

static inline void hello_number(struct hello *h, uint64_t value, size_t width)
{
	while (width-- > 0) {
		uint8_t octet = (uint8_t)(value >> 8 * width);

		hello_put(h, &octet, 1);
	}
}

static inline void hello_fill(struct hello *h, uint8_t octet, size_t len)
{
	while (len-- > 0)
		hello_put(h, &octet, 1);
}

static inline void hello_set(struct hello *h, size_t at, size_t value,
			     size_t width)
{
	while (width-- > 0) {
		h->bytes[at + width] = (uint8_t)value;
		value >>= 8;
	}
}

/* Begins a vector; hello_close() writes its length. */
static inline size_t hello_open(struct hello *h, size_t width)
{
	hello_fill(h, 0, width);
	return h->len;
}

static inline void hello_close(struct hello *h, size_t at, size_t width)
{
	hello_set(h, at - width, h->len - at, width);
}

static inline void hello_begin(struct hello *h, uint16_t version,
			       size_t session_id_len)
{
	h->len = 0;
	h->extensions = 0;
	hello_number(h, 1, 1);
	hello_number(h, 0, 3);
	hello_number(h, version, 2);
	hello_fill(h, 0x5a, 32);
	hello_number(h, session_id_len, 1);
	hello_fill(h, 0xc3, session_id_len);
}

static inline void hello_suites(struct hello *h, const void *suites, size_t len)
{
	hello_number(h, len, 2);
	hello_put(h, suites, len);
}

static inline void hello_compression(struct hello *h, const void *methods,
				     size_t len)
{
	hello_number(h, len, 1);
	hello_put(h, methods, len);
}

static inline void hello_end(struct hello *h)
{
	if (h->extensions)
		hello_close(h, h->extensions, 2);
	hello_set(h, 1, h->len - 4, 3);
}

static inline void hello_extension(struct hello *h, uint16_t type,
				   const void *bytes, size_t len)
{
	if (!h->extensions)
		h->extensions = hello_open(h, 2);
	hello_number(h, type, 2);
	hello_number(h, len, 2);
	hello_put(h, bytes, len);
	hello_end(h);
}

/* Frames the message in records of at most `chunk` bytes; their length. */
static inline size_t hello_frame(const uint8_t *message, size_t len,
				 size_t chunk, uint8_t *out)
{
	size_t n = 0;

	for (size_t at = 0; at < len; at += chunk) {
		size_t body = len - at < chunk ? len - at : chunk;

		out[n++] = 22;
		out[n++] = 3;
		out[n++] = 1;
		out[n++] = (uint8_t)(body >> 8);
		out[n++] = (uint8_t)body;
		memcpy(out + n, message + at, body);
		n += body;
	}
	return n;
}

/* The extensions of the two model hellos, in their order. */
struct hello_part {
	uint16_t type;
	const char *bytes;
	size_t len;
};

#define HELLO_PART(type, literal) { type, literal, sizeof(literal) - 1 }

#define HELLO_X25519_SHARE						\
	"\x09\x11\x22\x33\x44\x55\x66\x77\x09\x11\x22\x33\x44\x55\x66"	\
	"\x77\x09\x11\x22\x33\x44\x55\x66\x77\x09\x11\x22\x33\x44\x55"	\
	"\x66\x77"

static const struct hello_part hello_tls13[] = {
	HELLO_PART(43, "\x02\x03\x04"),
	HELLO_PART(10, "\x00\x04\x00\x1d\x00\x17"),
	HELLO_PART(13, "\x00\x04\x04\x03\x08\x04"),
	HELLO_PART(51, "\x00\x24\x00\x1d\x00\x20" HELLO_X25519_SHARE),
	HELLO_PART(45, "\x01\x01"),
	{ 0, NULL, 0 },
};

static const struct hello_part hello_tls12[] = {
	HELLO_PART(10, "\x00\x04\x00\x1d\x00\x17"),
	HELLO_PART(13, "\x00\x04\x04\x03\x08\x04"),
	HELLO_PART(23, ""),
	{ 0, NULL, 0 },
};

/* A model hello without the extension `omit` (pass 0xffff for none). */
static inline void hello_model(struct hello *h, const struct hello_part *parts,
			       uint16_t omit)
{
	hello_begin(h, 0x0303, 32);
	hello_suites(h, "\x13\x01\xc0\x2b", 4);
	hello_compression(h, "\0", 1);
	for (; parts->bytes; parts++)
		if (parts->type != omit)
			hello_extension(h, parts->type, parts->bytes,
					parts->len);
	hello_end(h);
}

#endif

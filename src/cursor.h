/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cursor.h - one bounds-checked big-endian cursor for the bytes that strangers
 * send to stekd: the gate, the PROXY header and other nodes' counters. An error
 * sticks: later reads give zeros, so a parser runs straight through and checks
 * once, at the end.
 */
#ifndef STEKD_CURSOR_H
#define STEKD_CURSOR_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cursor {
	const uint8_t *at;
	size_t left;
	bool failed;
};

static inline struct cursor cursor_over(const uint8_t *bytes, size_t len)
{
	return (struct cursor){ .at = bytes, .left = len };
}

static inline void cursor_fail(struct cursor *c)
{
	c->failed = true;
	c->left = 0;
}

/* The next `len` bytes in place, or NULL when they are not there. */
static inline const uint8_t *cursor_take(struct cursor *c, size_t len)
{
	const uint8_t *at = c->at;

	if (c->failed || len > c->left) {
		cursor_fail(c);
		return NULL;
	}
	/* Only no bytes at all may be nowhere. */
	assert(at != NULL || len == 0);
	if (len > 0)
		c->at += len;
	c->left -= len;
	return at;
}

static inline uint64_t cursor_number(struct cursor *c, size_t width)
{
	const uint8_t *at = cursor_take(c, width);
	uint64_t value = 0;

	for (size_t i = 0; at && i < width; i++)
		value = value << 8 | at[i];
	return value;
}

static inline uint8_t cursor_u8(struct cursor *c)
{
	return (uint8_t)cursor_number(c, 1);
}

static inline uint16_t cursor_u16(struct cursor *c)
{
	return (uint16_t)cursor_number(c, 2);
}

static inline uint32_t cursor_u32(struct cursor *c)
{
	return (uint32_t)cursor_number(c, 4);
}

/*
 * A vector of RFC 8446 s3.4 that a length of `width` bytes precedes, of at
 * least `least` bytes. A failure is the outer cursor's too.
 */
static inline struct cursor cursor_vector(struct cursor *c, size_t width,
					  size_t least)
{
	size_t len = (size_t)cursor_number(c, width);
	const uint8_t *at = cursor_take(c, len);
	struct cursor inner = cursor_over(at, at ? len : 0);

	if (len < least)
		cursor_fail(c);
	inner.failed = c->failed;
	if (inner.failed)
		inner.left = 0;
	return inner;
}

static inline bool cursor_done(const struct cursor *c)
{
	return !c->failed && c->left == 0;
}

/* Ends the reading of an inner vector: it must have been read to its end. */
static inline void cursor_close(struct cursor *c, const struct cursor *inner)
{
	if (!cursor_done(inner))
		cursor_fail(c);
}

#endif

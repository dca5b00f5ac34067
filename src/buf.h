/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * buf.h - bytes that wait for their turn. Memory is held only while some do,
 * so an idle connection has none. Owned by one worker's connection.
 */
#ifndef STEKD_BUF_H
#define STEKD_BUF_H

#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *data;
	size_t off, len, cap;	/* the bytes stand in data[off .. off + len) */
};

/* 0, or -1 without memory; then the buffer is unchanged. */
int buf_append(struct buf *buf, const void *bytes, size_t len);

/* Drops the first `len` bytes; frees the memory when none are left. */
void buf_consume(struct buf *buf, size_t len);

void buf_free(struct buf *buf);

static inline const uint8_t *buf_head(const struct buf *buf)
{
	return buf->data ? buf->data + buf->off : (const uint8_t *)"";
}

#endif

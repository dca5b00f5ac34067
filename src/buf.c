/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * buf.c - bytes that wait, for conn*.c, page.c and tls.c. What is consumed at
 * the head is only moved when room is needed, so a slow reader costs no
 * quadratic copying.
 */
#include "buf.h"

#include <stdlib.h>
#include <string.h>

#define BUF_LEAST 1024

static int make_room(struct buf *buf, size_t len)
{
	size_t cap = buf->cap ? buf->cap : BUF_LEAST;
	uint8_t *data;

	if (buf->off && buf->off + buf->len + len > buf->cap) {
		memmove(buf->data, buf->data + buf->off, buf->len);
		buf->off = 0;
	}
	if (buf->off + buf->len + len <= buf->cap)
		return 0;
	while (cap < buf->len + len)
		cap *= 2;
	data = realloc(buf->data, cap);
	if (!data)
		return -1;
	buf->data = data;
	buf->cap = cap;
	return 0;
}

int buf_append(struct buf *buf, const void *bytes, size_t len)
{
	if (!len)
		return 0;
	if (make_room(buf, len) < 0)
		return -1;
	memcpy(buf->data + buf->off + buf->len, bytes, len);
	buf->len += len;
	return 0;
}

void buf_consume(struct buf *buf, size_t len)
{
	buf->off += len;
	buf->len -= len;
	if (!buf->len)
		buf_free(buf);
}

void buf_free(struct buf *buf)
{
	free(buf->data);
	memset(buf, 0, sizeof(*buf));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pool.h - sessions waiting to be resumed, the newest first: what the probe
 * measures is resumption, not how long tickets keep. One thread's own.
 */
#ifndef PROBE_POOL_H
#define PROBE_POOL_H

#include "tls.h"

struct pool {
	size_t first, n, cap;	/* a ring; `first` is the oldest */
	SSL_SESSION **slots;
};

int pool_init(struct pool *pool, size_t cap);

/* Takes over the reference; the oldest gives way when the pool is full. */
void pool_put(struct pool *pool, SSL_SESSION *session);

/* The newest session that may still be offered, or NULL; the caller owns it. */
SSL_SESSION *pool_take(struct pool *pool, long now_s);
void pool_clear(struct pool *pool);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ring of sessions that each thread of load.c keeps for each version. */
#include <stdlib.h>

#include "pool.h"

int pool_init(struct pool *pool, size_t cap)
{
	*pool = (struct pool){.cap = cap};
	pool->slots = calloc(cap, sizeof(*pool->slots));
	return pool->slots ? 0 : -1;
}

void pool_put(struct pool *pool, SSL_SESSION *session)
{
	if (pool->n == pool->cap) {
		SSL_SESSION_free(pool->slots[pool->first]);
		pool->first = (pool->first + 1) % pool->cap;
		pool->n--;
	}
	pool->slots[(pool->first + pool->n) % pool->cap] = session;
	pool->n++;
}

SSL_SESSION *pool_take(struct pool *pool, long now_s)
{
	while (pool->n > 0) {
		SSL_SESSION *session;

		pool->n--;
		session = pool->slots[(pool->first + pool->n) % pool->cap];
		if (tls_session_fresh(session, now_s))
			return session;
		SSL_SESSION_free(session);
	}
	return NULL;
}

void pool_clear(struct pool *pool)
{
	for (size_t i = 0; i < pool->n; i++)
		SSL_SESSION_free(pool->slots[(pool->first + i) % pool->cap]);
	free(pool->slots);
	*pool = (struct pool){0};
}

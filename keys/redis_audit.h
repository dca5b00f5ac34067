/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * redis_audit.h - the audit operations of store.h on a Redis stream. Called by
 * store_redis.c.
 */
#ifndef STEK_REDIS_AUDIT_H
#define STEK_REDIS_AUDIT_H

#include "redis_conn.h"

/* The script that appends. */
extern const char stek__redis_audit_text[];
int stek__redis_audit(struct stek_redis *redis,
		      struct stek_redis_script *script, const char *key,
		      const char *after, const char *line) STEK_CHECKED;
int stek__redis_audit_read(struct stek_redis *redis, const char *key,
			   size_t limit, struct stek_blob *out) STEK_CHECKED;

#endif

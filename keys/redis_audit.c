// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * redis_audit.c - the audit stream in Redis: one Lua script appends a line if
 * the last one is still the one that the writer's line follows, so two nodes
 * never write the same place of the chain. Called by store_redis.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_audit.h"

/*
 * KEYS audit. ARGV the line that must be the last ("" for none), the new line,
 * how many to keep. 1: appended, 0: another line is the last. Trimmed exactly,
 * so that a stream with fewer lines that starts late has been cut. What is no
 * line of text counts as an empty one, as it does where it is read.
 */
const char stek__redis_audit_text[] =
	"local e = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1) "
	"local last = '' "
	"if e[1] then last = e[1][2][2] end "
	"if string.find(last, '[%z\\n]') then last = '' end "
	"if last ~= ARGV[1] then return 0 end "
	"redis.call('XADD', KEYS[1], 'MAXLEN', '=', ARGV[3], '*',"
	" 'line', ARGV[2]) "
	"return 1";

int stek__redis_audit(struct stek_redis *redis,
		      struct stek_redis_script *script, const char *key,
		      const char *after, const char *line)
{
	struct stek_redis_args args = { .n = 2 };
	redisReply *reply = NULL;
	char keep[16];
	long long appended;
	int err;

	snprintf(keep, sizeof(keep), "%d", STEK_AUDIT_KEPT);
	stek__redis_text(&args, "1");
	stek__redis_text(&args, key);
	stek__redis_text(&args, after);
	stek__redis_text(&args, line);
	stek__redis_text(&args, keep);
	err = stek__redis_script(redis, script, &args, &reply);
	if (err)
		return err;
	if (reply->type != REDIS_REPLY_INTEGER)
		return stek__redis_odd(redis, "audit", reply);
	appended = reply->integer;
	freeReplyObject(reply);
	return appended ? 0 : STEK_ECONFLICT;
}

/* The line of one stream entry, or NULL when it is none of ours. */
static const redisReply *line_of(const redisReply *entry)
{
	const redisReply *fields;

	if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2)
		return NULL;
	fields = entry->element[1];
	if (fields->type != REDIS_REPLY_ARRAY || fields->elements < 2 ||
	    fields->element[1]->type != REDIS_REPLY_STRING)
		return NULL;
	return fields->element[1];
}

/* Newest first in the reply, oldest first in the text. */
static int join(const redisReply *all, struct stek_blob *out)
{
	size_t i, len = 1;
	char *at;

	for (i = 0; i < all->elements; i++) {
		const redisReply *line = line_of(all->element[i]);

		len += 1 + (line ? line->len : 0);
	}
	at = malloc(len);
	if (!at)
		return STEK_ENOMEM;
	out->data = (uint8_t *)at;
	for (i = all->elements; i-- > 0;) {
		const redisReply *line = line_of(all->element[i]);

		/* What would read as two or as none: one place each. */
		if (line && !memchr(line->str, '\n', line->len) &&
		    !memchr(line->str, '\0', line->len)) {
			memcpy(at, line->str, line->len);
			at += line->len;
		}
		*at++ = '\n';
	}
	*at = '\0';
	out->len = (size_t)(at - (char *)out->data);
	return 0;
}

int stek__redis_audit_read(struct stek_redis *redis, const char *key,
			   size_t limit, struct stek_blob *out)
{
	struct stek_redis_args args = { 0 };
	redisReply *reply = NULL;
	char count[24];
	int err;

	snprintf(count, sizeof(count), "%zu", limit);
	stek__redis_text(&args, "XREVRANGE");
	stek__redis_text(&args, key);
	stek__redis_text(&args, "+");
	stek__redis_text(&args, "-");
	stek__redis_text(&args, "COUNT");
	stek__redis_text(&args, count);
	err = stek__redis_call(redis, &args, &reply);
	if (err)
		return err;
	if (reply->type != REDIS_REPLY_ARRAY)
		return stek__redis_odd(redis, "XREVRANGE", reply);
	err = reply->elements ? join(reply, out) : STEK_EABSENT;
	freeReplyObject(reply);
	return err;
}

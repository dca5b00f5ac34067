// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * redis_hint.c - the second connection of the Redis store, which subscribes to
 * the ring's channel so that a node hears of a new ring before its next poll.
 * Nothing depends on it. Called by store_redis.c alone.
 */
#include <poll.h>
#include <string.h>

#include "redis_conn.h"

#define GAP_MIN_MS 500
#define GAP_MAX_MS 30000

void stek__redis_hints_close(struct stek_redis_hints *hints)
{
	if (hints->conn)
		redisFree(hints->conn);
	hints->conn = NULL;
}

/* A hint is worth no outage: attempts to subscribe get rarer. */
static void later(struct stek_redis_hints *hints)
{
	stek__redis_hints_close(hints);
	hints->gap_ms = hints->gap_ms ? hints->gap_ms * 2 : GAP_MIN_MS;
	if (hints->gap_ms > GAP_MAX_MS)
		hints->gap_ms = GAP_MAX_MS;
	hints->next_ms = stek__redis_now_ms() + hints->gap_ms;
}

/* The reply is not awaited here: it comes like a message, or an error does. */
int stek__redis_hints_fd(struct stek_redis_hints *hints)
{
	struct stek_redis_args args = { 0 };
	char detail[160];
	int done = 0;

	if (hints->conn)
		return hints->conn->fd;
	if (stek__redis_now_ms() < hints->next_ms)
		return -1;
	stek__redis_text(&args, "SUBSCRIBE");
	stek__redis_text(&args, hints->channel);
	if (stek__redis_connect(&hints->conn, hints->place, detail,
				sizeof(detail)) ||
	    stek__redis_send(hints->conn, &args) ||
	    redisBufferWrite(hints->conn, &done) != REDIS_OK || !done) {
		later(hints);
		return -1;
	}
	return hints->conn->fd;
}

static bool is_message(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_ARRAY && reply->elements == 3 &&
	       reply->element[0]->type == REDIS_REPLY_STRING &&
	       !strcmp(reply->element[0]->str, "message");
}

bool stek__redis_hints_take(struct stek_redis_hints *hints)
{
	struct pollfd pfd = { .events = POLLIN };
	bool hint = false, broken = false;
	void *reply;

	if (!hints->conn)
		return false;
	pfd.fd = hints->conn->fd;
	if (poll(&pfd, 1, 0) <= 0)
		return false;
	if (redisBufferRead(hints->conn) != REDIS_OK) {
		later(hints);
		return true;	/* the beat that follows finds out more */
	}
	for (;;) {
		reply = NULL;
		if (redisGetReplyFromReader(hints->conn, &reply) != REDIS_OK)
			broken = true;
		if (!reply)
			break;
		if (((redisReply *)reply)->type == REDIS_REPLY_ERROR)
			broken = true;
		else
			hints->gap_ms = 0;
		hint = hint || is_message(reply);
		freeReplyObject(reply);
	}
	if (broken)
		later(hints);
	return hint;
}

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

/*
 * The reply is not awaited here: it comes like a message, or an error does. A
 * Cluster tells every node of a message, so any would do; behind Sentinels only
 * the primary knows it first.
 */
static int subscribe(struct stek_redis_hints *hints)
{
	const struct stek_redis *redis = hints->redis;
	const struct stek_redis_place *place = &redis->place;
	int64_t deadline_ms = stek__redis_now_ms() + place->timeout_ms;
	struct stek_redis_args args = { 0 };
	char detail[160];
	int done = 0, err;

	err = stek__redis_connect(&hints->conn, place,
				  place->n_addrs ? &redis->at : NULL,
				  &place->login, deadline_ms, detail,
				  sizeof(detail));
	if (err)
		return err;
	hints->connects = redis->connects;
	stek__redis_text(&args, "SUBSCRIBE");
	stek__redis_text(&args, hints->channel);
	err = stek__redis_send(hints->conn, &args);
	if (!err && (redisBufferWrite(hints->conn, &done) != REDIS_OK || !done))
		err = STEK_EUNAVAILABLE;
	return err;
}

int stek__redis_hints_fd(struct stek_redis_hints *hints)
{
	/* No attempt of its own while the server is not known to answer. */
	if (!hints->redis->conn)
		return hints->conn ? hints->conn->fd : -1;
	/* Perhaps to another server: the one before may live on unheard. */
	if (hints->conn && hints->connects != hints->redis->connects)
		stek__redis_hints_close(hints);
	if (hints->conn)
		return hints->conn->fd;
	if (stek__redis_now_ms() < hints->next_ms)
		return -1;
	if (subscribe(hints)) {
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

/* What has come whole; false when the connection is of no more use. */
static bool take_replies(struct stek_redis_hints *hints, bool *hint)
{
	redisReply *reply;
	void *next;

	for (;;) {
		next = NULL;
		if (redisGetReplyFromReader(hints->conn, &next) != REDIS_OK)
			return false;
		reply = next;
		if (!reply)
			return true;
		if (reply->type == REDIS_REPLY_ERROR) {
			freeReplyObject(reply);
			return false;
		}
		hints->gap_ms = 0;
		*hint = *hint || is_message(reply);
		freeReplyObject(reply);
	}
}

bool stek__redis_hints_take(struct stek_redis_hints *hints)
{
	struct pollfd pfd = { .events = POLLIN };
	bool hint = false;

	if (!hints->conn)
		return false;
	pfd.fd = hints->conn->fd;
	if (poll(&pfd, 1, 0) <= 0)
		return false;
	do {
		if (redisBufferRead(hints->conn) != REDIS_OK) {
			later(hints);
			return true;	/* the beat that follows finds out more */
		}
		if (!take_replies(hints, &hint)) {
			later(hints);
			return hint;
		}
	} while (stek__redis_tls_pending(hints->conn));
	return hint;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * redis_find.c - connects to whichever server is the one now: the primary that
 * the Sentinels name, the Cluster node that another named, or the first of the
 * URL's that answers. Nothing is remembered but where to begin, so after a
 * failover the next connection finds the new primary; a primary that was cut
 * off with this node and lost its place goes on answering for ten seconds and
 * more, so the Sentinels are asked again and again. Called by redis_call.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_conn.h"

#define FOLLOW_EVERY_MS 1000

/* So that none of `shares` uses up the time of those after it. */
static int64_t share(int64_t deadline_ms, size_t shares)
{
	int64_t now_ms = stek__redis_now_ms();

	return now_ms + (deadline_ms - now_ms) / (int64_t)shares;
}

static bool parse_primary(const redisReply *reply, struct stek_redis_addr *out)
{
	const redisReply *host, *port;
	long number;

	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2)
		return false;
	host = reply->element[0];
	port = reply->element[1];
	if (host->type != REDIS_REPLY_STRING || host->len == 0 ||
	    host->len >= sizeof(out->host) || strlen(host->str) != host->len ||
	    port->type != REDIS_REPLY_STRING || port->len > 5)
		return false;
	number = strtol(port->str, NULL, 10);
	if (number < 1 || number > 65535)
		return false;
	memcpy(out->host, host->str, host->len + 1);
	out->port = (int)number;
	return true;
}

static int dial_sentinel(struct stek_redis *s, redisContext **out,
			 const struct stek_redis_addr *sentinel,
			 int64_t deadline_ms)
{
	return stek__redis_connect(out, &s->place, sentinel,
				   &s->place.sentinel_login, deadline_ms,
				   s->detail, sizeof(s->detail));
}

/* Which server is the primary, in the eyes of one Sentinel. */
static int ask(struct stek_redis *s, redisContext *conn,
	       const struct stek_redis_addr *sentinel,
	       struct stek_redis_addr *out, int64_t deadline_ms)
{
	struct stek_redis_args args = { 0 };
	redisReply *reply = NULL;
	int err;

	stek__redis_text(&args, "SENTINEL");
	stek__redis_text(&args, "get-master-addr-by-name");
	stek__redis_text(&args, s->place.master);
	err = stek__redis_send(conn, &args);
	if (!err)
		err = stek__redis_reply(conn, deadline_ms, &reply);
	if (err) {
		snprintf(s->detail, sizeof(s->detail), "sentinel %.80s:%d: no"
			 " answer", sentinel->host, sentinel->port);
	} else if (reply->type == REDIS_REPLY_ERROR) {
		err = stek__redis_classify(reply->str);
		snprintf(s->detail, sizeof(s->detail), "sentinel %.80s:%d:"
			 " %.*s", sentinel->host, sentinel->port,
			 (int)strcspn(reply->str, " "), reply->str);
	} else if (!parse_primary(reply, out)) {
		err = STEK_EUNAVAILABLE;
		snprintf(s->detail, sizeof(s->detail), "sentinel %.80s:%d:"
			 " knows no primary '%.40s'", sentinel->host,
			 sentinel->port, s->place.master);
	}
	if (reply)
		freeReplyObject(reply);
	return err;
}

static int enter(struct stek_redis *s, const struct stek_redis_addr *addr,
		 int64_t deadline_ms)
{
	int err;

	err = stek__redis_server(&s->conn, &s->place, addr, deadline_ms,
				 s->detail, sizeof(s->detail));
	if (err)
		return err;
	if (addr && addr != &s->at)
		s->at = *addr;
	s->connects++;
	return 0;
}

/* One of the URL's: a server, or a Sentinel and then the server it names. */
static int try(struct stek_redis *s, const struct stek_redis_addr *addr,
	       int64_t deadline_ms)
{
	struct stek_redis_addr primary = { .port = 0 };
	redisContext *conn = NULL;
	int64_t half_ms = share(deadline_ms, 2);
	int err;

	if (!s->place.master[0])
		return enter(s, addr, deadline_ms);
	err = dial_sentinel(s, &conn, addr, half_ms);
	if (err)
		return err;
	err = ask(s, conn, addr, &primary, half_ms);
	redisFree(conn);
	return err ? err : enter(s, &primary, deadline_ms);
}

int stek__redis_find(struct stek_redis *s, int64_t deadline_ms)
{
	size_t i, at, n = s->place.n_addrs;
	int err = STEK_EUNAVAILABLE;

	if (n == 0)
		return enter(s, NULL, deadline_ms);
	if (s->moved) {
		if (!enter(s, &s->at, share(deadline_ms, n + 1)))
			return 0;
		s->moved = false;
	}
	for (i = 0; i < n; i++) {
		at = (s->first + i) % n;
		err = try(s, &s->place.addr[at], share(deadline_ms, n - i));
		if (!err) {
			s->first = at;
			return 0;
		}
	}
	return err;
}

static bool same_addr(const struct stek_redis_addr *a,
		      const struct stek_redis_addr *b)
{
	return a->port == b->port && !strcmp(a->host, b->host);
}

/* A Sentinel that does not answer costs a part of the time, and its turn. */
void stek__redis_follow(struct stek_redis *s, int64_t deadline_ms)
{
	int64_t now_ms = stek__redis_now_ms(), part_ms = share(deadline_ms, 4);
	const struct stek_redis_addr *sentinel = &s->place.addr[s->first];
	struct stek_redis_addr primary = { .port = 0 };
	int err = 0;

	if (!s->place.master[0] || !s->conn || now_ms < s->follow_ms)
		return;
	s->follow_ms = now_ms + FOLLOW_EVERY_MS;
	if (!s->sentinel)
		err = dial_sentinel(s, &s->sentinel, sentinel, part_ms);
	if (!err)
		err = ask(s, s->sentinel, sentinel, &primary, part_ms);
	if (err) {
		redisFree(s->sentinel);
		s->sentinel = NULL;
		s->first = (s->first + 1) % s->place.n_addrs;
		return;
	}
	if (!same_addr(&primary, &s->at))
		stek__redis_close(s);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * redis_call.c - one command or script and its answer, the server's error
 * replies told apart, over a connection that is made when it is needed and that
 * goes where a Cluster points. Called by store_redis.c alone.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "redis_conn.h"

#define HOPS_MAX 4
#define AGAIN_MS 20		/* between tries while a slot is on its way */

static void detour_end(struct stek_redis *s)
{
	redisFree(s->detour);
	s->detour = NULL;
}

void stek__redis_close(struct stek_redis *s)
{
	redisFree(s->conn);
	s->conn = NULL;
	redisFree(s->sentinel);
	s->sentinel = NULL;
	detour_end(s);
}

/* The connection is unusable: its next reply would be an old command's. */
static void lost(struct stek_redis *s, const redisContext *conn,
		 const char *what)
{
	snprintf(s->detail, sizeof(s->detail), "%s: %.100s", what,
		 conn->err ? conn->errstr : "no answer in time");
	stek__redis_close(s);
}

/* Text of the server for people: control characters would forge log lines. */
static int refusal(struct stek_redis *s, const char *what, const char *error)
{
	char *p;

	snprintf(s->detail, sizeof(s->detail), "%s: %.120s", what, error);
	for (p = s->detail; *p; p++) {
		if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
			*p = '?';
	}
	return stek__redis_classify(error);
}

static bool redirected(struct stek_redis *s, const redisReply *reply,
		       struct stek_redis_redirect *out)
{
	return reply->type == REDIS_REPLY_ERROR &&
	       stek__redis_redirected(reply->str, &s->at, out);
}

/*
 * The slot is on its way to another node, which answers for it only to who
 * says ASKING. A connection for this once: soon everyone is told MOVED. It is
 * kept until the next call, for WAIT counts what its own connection wrote.
 */
static int call_asking(struct stek_redis *s, const struct stek_redis_addr *addr,
		       const struct stek_redis_args *args, int64_t deadline_ms,
		       redisReply **out)
{
	struct stek_redis_args asking = { 0 };
	redisContext *conn = NULL;
	redisReply *reply = NULL;
	int err;

	err = stek__redis_server(&conn, &s->place, addr, deadline_ms,
				 s->detail, sizeof(s->detail));
	if (err)
		return err;
	stek__redis_text(&asking, "ASKING");
	err = stek__redis_send(conn, &asking);
	if (!err)
		err = stek__redis_send(conn, args);
	if (!err)
		err = stek__redis_reply(conn, deadline_ms, &reply);
	if (!err && reply->type != REDIS_REPLY_ERROR) {
		freeReplyObject(reply);
		err = stek__redis_reply(conn, deadline_ms, &reply);
	}
	if (err) {
		snprintf(s->detail, sizeof(s->detail), "ASKING: no answer");
		redisFree(conn);
		return err;
	}
	*out = reply;
	s->detour = conn;
	return 0;
}

static int exchange(struct stek_redis *s, const struct stek_redis_args *args,
		    int64_t deadline_ms, redisReply **out)
{
	int err = 0;

	stek__redis_follow(s, deadline_ms);
	if (!s->conn)
		err = stek__redis_find(s, deadline_ms);
	if (err)
		return err;
	err = stek__redis_send(s->conn, args);
	if (!err)
		err = stek__redis_reply(s->conn, deadline_ms, out);
	if (err)
		lost(s, s->conn, args->arg[0]);
	return err;
}

/*
 * A primary that is one no more answers all the same; whoever asks again at
 * the same connection never finds its successor.
 */
static bool demoted(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_ERROR &&
	       (stek__redis_is(reply->str, "READONLY") ||
		stek__redis_is(reply->str, "MASTERDOWN"));
}

/* Where the answer is, however often a Cluster sends us on. */
static int call_through(struct stek_redis *s,
			const struct stek_redis_args *args,
			int64_t deadline_ms, redisReply **out)
{
	struct stek_redis_redirect to;
	redisReply *reply = NULL;
	int err, hops;

	detour_end(s);
	for (hops = 0;; hops++) {
		err = exchange(s, args, deadline_ms, &reply);
		if (err)
			return err;
		if (!redirected(s, reply, &to))
			break;
		freeReplyObject(reply);
		if (hops == HOPS_MAX) {
			snprintf(s->detail, sizeof(s->detail), "%s: sent from"
				 " node to node %d times", args->arg[0], hops);
			return STEK_EUNAVAILABLE;
		}
		if (to.ask) {
			err = call_asking(s, &to.addr, args, deadline_ms,
					  &reply);
			if (err)
				return err;
			break;
		}
		stek__redis_close(s);
		s->at = to.addr;
		s->moved = true;
	}
	if (demoted(reply)) {
		stek__redis_close(s);
		s->moved = false;
	}
	*out = reply;
	return 0;
}

/*
 * While a slot is on its way, some of the keys of a command may be there
 * already and some not yet: nobody can answer, until the rest has followed.
 * False when that would be too late.
 */
static bool try_again(const redisReply *reply, int64_t deadline_ms)
{
	if (reply->type != REDIS_REPLY_ERROR ||
	    !stek__redis_is(reply->str, "TRYAGAIN") ||
	    stek__redis_now_ms() + AGAIN_MS >= deadline_ms)
		return false;
	poll(NULL, 0, AGAIN_MS);
	return true;
}

/* The last try may end by the time that is left: why there were several. */
static void tell_apart(struct stek_redis *s)
{
	char last[96];

	snprintf(last, sizeof(last), "%.*s", (int)sizeof(last) - 1, s->detail);
	snprintf(s->detail, sizeof(s->detail), "TRYAGAIN, then %s", last);
}

static int call_once(struct stek_redis *s, const struct stek_redis_args *args,
		     redisReply **out)
{
	int64_t deadline_ms = stek__redis_now_ms() + s->place.timeout_ms;
	redisReply *reply = NULL;
	bool apart = false;
	int err;

	for (;;) {
		err = call_through(s, args, deadline_ms, &reply);
		if (err && apart)
			tell_apart(s);
		if (err)
			return err;
		if (!try_again(reply, deadline_ms))
			break;
		freeReplyObject(reply);
		apart = true;
	}
	*out = reply;
	return 0;
}

int stek__redis_call(struct stek_redis *s, const struct stek_redis_args *args,
		     redisReply **out)
{
	redisReply *reply = NULL;
	int err;

	err = call_once(s, args, &reply);
	if (err)
		return err;
	if (reply->type == REDIS_REPLY_ERROR) {
		err = refusal(s, args->arg[0], reply->str);
		freeReplyObject(reply);
		return err;
	}
	*out = reply;
	return 0;
}

/* An answer of a shape that this program never asked for. */
int stek__redis_odd(struct stek_redis *s, const char *what, redisReply *reply)
{
	snprintf(s->detail, sizeof(s->detail), "%s: unexpected reply of type"
		 " %d", what, reply->type);
	freeReplyObject(reply);
	return STEK_EREFUSED;
}

/*
 * The digest by which the server will know the script; it computes it. A user
 * that may not ask still gets on: EVAL carries the text each time.
 */
static int script_load(struct stek_redis *s, struct stek_redis_script *script)
{
	struct stek_redis_args args = { 0 };
	redisReply *reply = NULL;
	int err;

	stek__redis_text(&args, "SCRIPT");
	stek__redis_text(&args, "LOAD");
	stek__redis_text(&args, script->text);
	err = stek__redis_call(s, &args, &reply);
	if (err == STEK_EUNAVAILABLE)
		return err;
	script->asked = true;
	if (err)
		return 0;
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): refusal() is no 0 */
	if (reply->type != REDIS_REPLY_STRING || reply->len != 40)
		return stek__redis_odd(s, "SCRIPT", reply);
	memcpy(script->sha1, reply->str, 41);
	freeReplyObject(reply);
	return 0;
}

int stek__redis_script(struct stek_redis *s, struct stek_redis_script *script,
		       struct stek_redis_args *args, redisReply **out)
{
	redisReply *reply = NULL;
	int err;

	err = script->asked ? 0 : script_load(s, script);
	if (err)
		return err;
	if (script->sha1[0]) {
		args->arg[0] = "EVALSHA";
		args->len[0] = 7;
		args->arg[1] = script->sha1;
		args->len[1] = 40;
		err = call_once(s, args, &reply);
		if (err)
			return err;
		if (reply->type != REDIS_REPLY_ERROR) {
			*out = reply;
			return 0;
		}
		if (strncmp(reply->str, "NOSCRIPT", 8)) {
			err = refusal(s, "EVALSHA", reply->str);
			freeReplyObject(reply);
			return err;
		}
		freeReplyObject(reply);
	}
	args->arg[0] = "EVAL";
	args->len[0] = 4;
	args->arg[1] = script->text;
	args->len[1] = strlen(script->text);
	return stek__redis_call(s, args, out);
}

uint32_t stek__redis_wait(struct stek_redis *s)
{
	int64_t deadline_ms = stek__redis_now_ms() + s->place.wait_ms +
			      s->place.timeout_ms;
	struct stek_redis_args args = { 0 };
	char replicas[16], limit_ms[16];
	redisReply *reply = NULL;
	redisContext *conn = s->detour ? s->detour : s->conn;
	uint32_t confirmed = 0;
	int err;

	if (!conn)
		return 0;
	snprintf(replicas, sizeof(replicas), "%u", s->place.wait_replicas);
	snprintf(limit_ms, sizeof(limit_ms), "%u", s->place.wait_ms);
	stek__redis_text(&args, "WAIT");
	stek__redis_text(&args, replicas);
	stek__redis_text(&args, limit_ms);
	err = stek__redis_send(conn, &args);
	if (!err)
		err = stek__redis_reply(conn, deadline_ms, &reply);
	if (err) {
		lost(s, conn, "WAIT");
		return 0;
	}
	if (reply->type == REDIS_REPLY_INTEGER && reply->integer > 0)
		confirmed = (uint32_t)reply->integer;
	freeReplyObject(reply);
	return confirmed;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * redis_call.c - one command or script and its answer, the server's error
 * replies told apart, over a connection that is made when it is needed. Called
 * by store_redis.c alone.
 */
#include <stdio.h>
#include <string.h>

#include "redis_conn.h"

void stek__redis_close(struct stek_redis *s)
{
	if (s->conn)
		redisFree(s->conn);
	s->conn = NULL;
}

/* The connection is unusable: its next reply would be an old command's. */
static int lost(struct stek_redis *s, const char *what)
{
	snprintf(s->detail, sizeof(s->detail), "%s: %.100s", what,
		 s->conn->err ? s->conn->errstr : "no answer in time");
	stek__redis_close(s);
	return STEK_EUNAVAILABLE;
}

static int connected(struct stek_redis *s)
{
	if (s->conn)
		return 0;
	return stek__redis_connect(&s->conn, &s->place, s->detail,
				   sizeof(s->detail));
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

static int call_once(struct stek_redis *s, const struct stek_redis_args *args,
		     redisReply **out)
{
	int64_t deadline_ms = stek__redis_now_ms() + s->place.timeout_ms;
	redisReply *reply = NULL;
	int err;

	err = connected(s);
	if (err)
		return err;
	if (stek__redis_send(s->conn, args) ||
	    stek__redis_reply(s->conn, deadline_ms, &reply))
		return lost(s, args->arg[0]);
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

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * redis_conn.h - what the files of the Redis store share: where the server is,
 * how to log in, commands that end by a deadline, and the subscription.
 */
#ifndef STEK_REDIS_CONN_H
#define STEK_REDIS_CONN_H

#include <hiredis/hiredis.h>

#include "store.h"

#define STEK_REDIS_PASSWORD_MAX 512

/* Where the server is; parsed once, from the store's URL. */
struct stek_redis_place {
	char host[256];		/* "" for a Unix socket */
	int port;
	char path[108];		/* "" for TCP */
	unsigned db;
	char user[128];		/* "" for the default user */
	char password_file[1024];	/* "" for none */
	uint32_t timeout_ms;
};

int stek__redis_place(struct stek_redis_place *out,
		      const struct stek_store_options *options, char *why,
		      size_t why_len) STEK_CHECKED;

/*
 * Connects, logs in and selects the database, all by the place's time-out. The
 * password is read from its file each time and wiped. On failure *out is
 * untouched and `detail` says why.
 */
int stek__redis_connect(redisContext **out, const struct stek_redis_place *place,
			char *detail, size_t detail_len) STEK_CHECKED;

/* A command of binary arguments. */
struct stek_redis_args {
	int n;
	const char *arg[16];
	size_t len[16];
};

void stek__redis_arg(struct stek_redis_args *args, const void *data, size_t len);
void stek__redis_text(struct stek_redis_args *args, const char *text);

/* Appends a command to those that the next call of _reply() sends. */
int stek__redis_send(redisContext *conn, const struct stek_redis_args *args)
	STEK_CHECKED;

/*
 * The next reply, an error reply included, by `deadline_ms` of the monotonic
 * clock; STEK_EUNAVAILABLE then or when the connection broke. The caller frees
 * *out with freeReplyObject().
 */
int stek__redis_reply(redisContext *conn, int64_t deadline_ms,
		      redisReply **out) STEK_CHECKED;

/*
 * STEK_EUNAVAILABLE for the error replies of a server that cannot answer just
 * now (loading, a replica, a cluster that is down), otherwise STEK_EREFUSED.
 */
int stek__redis_classify(const char *error);

int64_t stek__redis_now_ms(void);

/* A server that answers commands; connects when it must. */
struct stek_redis {
	struct stek_redis_place place;
	redisContext *conn;	/* NULL: not connected */
	char detail[160];	/* what went wrong last */
};

struct stek_redis_script {
	const char *text;
	bool asked;		/* for the digest */
	char sha1[41];		/* "": not known */
};

void stek__redis_close(struct stek_redis *redis);

/* An answer that is no error; STEK_EUNAVAILABLE, STEK_EREFUSED, see detail. */
int stek__redis_call(struct stek_redis *redis,
		     const struct stek_redis_args *args, redisReply **out)
	STEK_CHECKED;

/*
 * Runs a script by its digest, or in full when the server has lost it. `args`
 * has two free places in front.
 */
int stek__redis_script(struct stek_redis *redis,
		       struct stek_redis_script *script,
		       struct stek_redis_args *args, redisReply **out)
	STEK_CHECKED;

/* Frees an answer of a shape that was never asked for; STEK_EREFUSED. */
int stek__redis_odd(struct stek_redis *redis, const char *what,
		    redisReply *reply) STEK_CHECKED;

/* A connection of its own that subscribes to a channel: hints, nothing else. */
struct stek_redis_hints {
	const struct stek_redis_place *place;
	const char *channel;
	redisContext *conn;
	int64_t next_ms;	/* no attempt before */
	int64_t gap_ms;		/* between attempts; 0 at first */
};

/* Its descriptor, or -1 while there is none; tries to subscribe when due. */
int stek__redis_hints_fd(struct stek_redis_hints *hints);
/* Reads what came. True if there was a message, or the connection broke. */
bool stek__redis_hints_take(struct stek_redis_hints *hints);
void stek__redis_hints_close(struct stek_redis_hints *hints);

#endif

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * redis_conn.c - owns one connection to a Redis server: the login and the
 * deadlines of a command. Every wait ends, also when the server is stopped in
 * the middle of a reply. Called by store_redis.c and redis_hint.c.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "redis_conn.h"
#include "secret.h"

int64_t stek__redis_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void stek__redis_arg(struct stek_redis_args *args, const void *data, size_t len)
{
	args->arg[args->n] = data;
	args->len[args->n++] = len;
}

void stek__redis_text(struct stek_redis_args *args, const char *text)
{
	stek__redis_arg(args, text, strlen(text));
}

int stek__redis_send(redisContext *conn, const struct stek_redis_args *args)
{
	if (redisAppendCommandArgv(conn, args->n, (const char **)args->arg,
				   args->len) != REDIS_OK)
		return STEK_EUNAVAILABLE;
	return 0;
}

/* Waits for one direction of the socket; false when the deadline came first. */
static bool await(redisContext *conn, short events, int64_t deadline_ms)
{
	struct pollfd pfd = { .fd = conn->fd, .events = events };
	int64_t left;
	int n;

	do {
		left = deadline_ms - stek__redis_now_ms();
		if (left < 0)
			left = 0;
		n = poll(&pfd, 1, (int)left);
	} while (n < 0 && errno == EINTR);
	return n > 0;
}

int stek__redis_reply(redisContext *conn, int64_t deadline_ms, redisReply **out)
{
	void *reply = NULL;
	int done = 0;

	while (!done) {
		if (!await(conn, POLLOUT, deadline_ms) ||
		    redisBufferWrite(conn, &done) != REDIS_OK)
			return STEK_EUNAVAILABLE;
	}
	for (;;) {
		if (redisGetReplyFromReader(conn, &reply) != REDIS_OK)
			return STEK_EUNAVAILABLE;
		if (reply)
			break;
		if (!await(conn, POLLIN, deadline_ms) ||
		    redisBufferRead(conn) != REDIS_OK)
			return STEK_EUNAVAILABLE;
	}
	*out = reply;
	return 0;
}

int stek__redis_classify(const char *error)
{
	static const char *const away[] = {
		"LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN",
		"BUSY", "NOREPLICAS", "MOVED", "ASK", "UNKILLABLE",
	};
	size_t i, len;
	const char *at;

	/* Redis before 7 wraps an error in a script: "ERR ...: -OOM ...". */
	at = strncmp(error, "ERR ", 4) ? NULL : strstr(error, ": -");
	if (at)
		error = at + 3;
	for (i = 0; i < sizeof(away) / sizeof(away[0]); i++) {
		len = strlen(away[i]);
		if (!strncmp(error, away[i], len) &&
		    (error[len] == ' ' || error[len] == '\0'))
			return STEK_EUNAVAILABLE;
	}
	return STEK_EREFUSED;
}

/*
 * One reply that must not be an error. Only the first word of an error is
 * told: a server that does not know AUTH repeats its arguments in the rest.
 */
static int expect_status(redisContext *conn, int64_t deadline_ms,
			 const char *what, char *detail, size_t detail_len)
{
	redisReply *reply = NULL;
	int err;

	err = stek__redis_reply(conn, deadline_ms, &reply);
	if (err) {
		snprintf(detail, detail_len, "%s: no answer in time", what);
		return err;
	}
	if (reply->type == REDIS_REPLY_ERROR) {
		err = stek__redis_classify(reply->str);
		snprintf(detail, detail_len, "%s: %.*s", what,
			 (int)strcspn(reply->str, " "), reply->str);
	}
	freeReplyObject(reply);
	return err;
}

/*
 * Sends AUTH past hiredis' output buffer, which is freed without being wiped.
 * The command is far smaller than a socket buffer, so a short write means that
 * the connection is gone.
 */
static int login(redisContext *conn, const struct stek_redis_place *place,
		 int64_t deadline_ms, char *detail, size_t detail_len)
{
	const size_t cap = 2 * STEK_REDIS_PASSWORD_MAX;
	char *password = stek__secret_alloc(STEK_REDIS_PASSWORD_MAX);
	char *command = stek__secret_alloc(cap);
	int n, err = STEK_EUNAVAILABLE;

	if (!password || !command) {
		snprintf(detail, detail_len, "no locked memory for a login");
		goto out;
	}
	err = stek__store_password_read(place->password_file, password,
					STEK_REDIS_PASSWORD_MAX, detail,
					detail_len);
	if (err) {
		err = STEK_EREFUSED;
		goto out;
	}
	if (place->user[0])
		n = snprintf(command, cap, "*3\r\n$4\r\nAUTH\r\n$%zu\r\n%s\r\n"
			     "$%zu\r\n%s\r\n", strlen(place->user), place->user,
			     strlen(password), password);
	else
		n = snprintf(command, cap, "*2\r\n$4\r\nAUTH\r\n$%zu\r\n%s\r\n",
			     strlen(password), password);
	if (send(conn->fd, command, (size_t)n, MSG_NOSIGNAL) != n) {
		snprintf(detail, detail_len, "AUTH: connection lost");
		err = STEK_EUNAVAILABLE;
		goto out;
	}
	err = expect_status(conn, deadline_ms, "AUTH", detail, detail_len);
out:
	stek__secret_free(password, STEK_REDIS_PASSWORD_MAX);
	stek__secret_free(command, cap);
	return err;
}

static int select_db(redisContext *conn, unsigned db, int64_t deadline_ms,
		     char *detail, size_t detail_len)
{
	struct stek_redis_args args = { 0 };
	char text[16];
	int err;

	snprintf(text, sizeof(text), "%u", db);
	stek__redis_text(&args, "SELECT");
	stek__redis_text(&args, text);
	err = stek__redis_send(conn, &args);
	if (err)
		return err;
	return expect_status(conn, deadline_ms, "SELECT", detail, detail_len);
}

static redisContext *dial(const struct stek_redis_place *place)
{
	struct timeval limit = {
		.tv_sec = place->timeout_ms / 1000,
		.tv_usec = (place->timeout_ms % 1000) * 1000,
	};
	redisOptions options = { 0 };

	options.connect_timeout = &limit;
	options.command_timeout = &limit;
	if (place->path[0])
		REDIS_OPTIONS_SET_UNIX(&options, place->path);
	else
		REDIS_OPTIONS_SET_TCP(&options, place->host, place->port);
	return redisConnectWithOptions(&options);
}

int stek__redis_connect(redisContext **out,
			const struct stek_redis_place *place, char *detail,
			size_t detail_len)
{
	int64_t deadline_ms = stek__redis_now_ms() + place->timeout_ms;
	redisContext *conn = dial(place);
	int err = STEK_EUNAVAILABLE;

	if (!conn || conn->err) {
		snprintf(detail, detail_len, "connect: %.100s",
			 conn ? conn->errstr : "out of memory");
		goto out;
	}
	/* A peer that vanished without a word is noticed in the end. */
	if (!place->path[0] && redisEnableKeepAlive(conn) != REDIS_OK) {
		snprintf(detail, detail_len, "connect: %.100s", conn->errstr);
		goto out;
	}
	err = 0;
	if (place->password_file[0])
		err = login(conn, place, deadline_ms, detail, detail_len);
	if (!err && place->db)
		err = select_db(conn, place->db, deadline_ms, detail,
				detail_len);
out:
	if (err) {
		if (conn)
			redisFree(conn);
		return err;
	}
	*out = conn;
	return 0;
}

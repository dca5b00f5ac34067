// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * redis_conn.c - owns one connection to a Redis server or a Sentinel: the login
 * and the deadlines of a command. Every wait ends, also when the server is
 * stopped in the middle of a reply. Called by redis_find.c, redis_call.c and
 * redis_hint.c.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "redis_conn.h"
#include "secret.h"

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

/* What TLS ended was refused by one side or the other; see redis_tls.c. */
static int broken(const redisContext *conn)
{
	return conn->err == REDIS_ERR_OTHER ? STEK_EREFUSED :
					      STEK_EUNAVAILABLE;
}

static bool await_reply(const redisContext *conn, int64_t deadline_ms)
{
	return stek__redis_tls_pending(conn) ||
	       stek__redis_await(conn->fd, POLLIN, deadline_ms);
}

int stek__redis_reply(redisContext *conn, int64_t deadline_ms, redisReply **out)
{
	void *reply = NULL;
	int done = 0;

	while (!done) {
		if (!stek__redis_await(conn->fd, POLLOUT, deadline_ms) ||
		    redisBufferWrite(conn, &done) != REDIS_OK)
			return broken(conn);
	}
	for (;;) {
		if (redisGetReplyFromReader(conn, &reply) != REDIS_OK)
			return STEK_EUNAVAILABLE;
		if (reply)
			break;
		if (!await_reply(conn, deadline_ms) ||
		    redisBufferRead(conn) != REDIS_OK)
			return broken(conn);
	}
	*out = reply;
	return 0;
}

bool stek__redis_is(const char *error, const char *word)
{
	size_t len = strlen(word);
	const char *at;

	/* Redis before 7 wraps an error in a script: "ERR ...: -OOM ...". */
	at = strncmp(error, "ERR ", 4) ? NULL : strstr(error, ": -");
	if (at)
		error = at + 3;
	return !strncmp(error, word, len) &&
	       (error[len] == ' ' || error[len] == '\0');
}

int stek__redis_classify(const char *error)
{
	static const char *const away[] = {
		"LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN",
		"BUSY", "NOREPLICAS", "MOVED", "ASK", "UNKILLABLE",
	};
	size_t i;

	for (i = 0; i < sizeof(away) / sizeof(away[0]); i++) {
		if (stek__redis_is(error, away[i]))
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
		snprintf(detail, detail_len, "%s: %.100s", what,
			 conn->err ? conn->errstr : "no answer in time");
		return err;
	}
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): broken() is no 0 */
	if (reply->type == REDIS_REPLY_ERROR) {
		err = stek__redis_classify(reply->str);
		snprintf(detail, detail_len, "%s: %.*s", what,
			 (int)strcspn(reply->str, " "), reply->str);
	}
	freeReplyObject(reply);
	return err;
}

/* Past hiredis' output buffer, which is freed without being wiped. */
static bool write_past(redisContext *conn, const char *data, size_t len)
{
	if (conn->privctx)
		return stek__redis_tls_write(conn, data, len) == (int)len;
	return send(conn->fd, data, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/*
 * AUTH is far smaller than a socket's buffer, so a short write means that the
 * connection is gone.
 */
static int login(redisContext *conn, const struct stek_redis_login *as,
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
	err = stek__store_password_read(as->password_file, password,
					STEK_REDIS_PASSWORD_MAX, detail,
					detail_len);
	if (err) {
		err = STEK_EREFUSED;
		goto out;
	}
	if (as->user[0])
		n = snprintf(command, cap, "*3\r\n$4\r\nAUTH\r\n$%zu\r\n%s\r\n"
			     "$%zu\r\n%s\r\n", strlen(as->user), as->user,
			     strlen(password), password);
	else
		n = snprintf(command, cap, "*2\r\n$4\r\nAUTH\r\n$%zu\r\n%s\r\n",
			     strlen(password), password);
	if (!write_past(conn, command, (size_t)n)) {
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

/* A Sentinel may be late: what it called the primary must say so itself. */
static int verify_role(redisContext *conn, int64_t deadline_ms, char *detail,
		       size_t detail_len)
{
	struct stek_redis_args args = { 0 };
	const char *role = "nothing";
	redisReply *reply = NULL;
	int err;

	stek__redis_text(&args, "ROLE");
	err = stek__redis_send(conn, &args);
	if (!err)
		err = stek__redis_reply(conn, deadline_ms, &reply);
	if (err) {
		snprintf(detail, detail_len, "ROLE: no answer in time");
		return err;
	}
	if (reply->type == REDIS_REPLY_ERROR) {
		err = stek__redis_classify(reply->str);
		role = reply->str;
	} else if (reply->type == REDIS_REPLY_ARRAY && reply->elements &&
		   reply->element[0]->type == REDIS_REPLY_STRING) {
		role = reply->element[0]->str;
		err = strcmp(role, "master") ? STEK_EUNAVAILABLE : 0;
	} else {
		err = STEK_EREFUSED;
	}
	if (err)
		snprintf(detail, detail_len, "ROLE: %.*s, expected master",
			 (int)strcspn(role, " "), role);
	freeReplyObject(reply);
	return err;
}

static int dial(redisContext **out, const struct stek_redis_place *place,
		const struct stek_redis_addr *addr, int64_t deadline_ms,
		char *detail, size_t detail_len)
{
	redisOptions options = { 0 };
	redisContext *conn;
	int fd = -1, err;

	if (addr)
		err = stek__redis_dial(&fd, addr, deadline_ms, detail,
				       detail_len);
	else
		err = stek__redis_dial_unix(&fd, place->path, deadline_ms,
					    detail, detail_len);
	if (err)
		return err;
	options.type = REDIS_CONN_USERFD;
	options.endpoint.fd = fd;
	options.options = REDIS_OPT_NONBLOCK;
	conn = redisConnectWithOptions(&options);
	if (!conn || conn->err) {
		snprintf(detail, detail_len, "connect: out of memory");
		if (conn)
			redisFree(conn);
		else
			close(fd);
		return STEK_ENOMEM;
	}
	*out = conn;
	return 0;
}

int stek__redis_connect(redisContext **out,
			const struct stek_redis_place *place,
			const struct stek_redis_addr *addr,
			const struct stek_redis_login *as, int64_t deadline_ms,
			char *detail, size_t detail_len)
{
	redisContext *conn = NULL;
	int err;

	err = dial(&conn, place, addr, deadline_ms, detail, detail_len);
	if (!err && place->tls.on)
		err = stek__redis_tls_start(conn, &place->tls, addr->host,
					    deadline_ms, detail, detail_len);
	if (!err && as->password_file[0])
		err = login(conn, as, deadline_ms, detail, detail_len);
	if (err) {
		if (conn)
			redisFree(conn);
		return err;
	}
	*out = conn;
	return 0;
}

int stek__redis_server(redisContext **out,
		       const struct stek_redis_place *place,
		       const struct stek_redis_addr *addr, int64_t deadline_ms,
		       char *detail, size_t detail_len)
{
	redisContext *conn = NULL;
	int err;

	err = stek__redis_connect(&conn, place, addr, &place->login,
				  deadline_ms, detail, detail_len);
	if (err)
		return err;
	if (place->master[0])
		err = verify_role(conn, deadline_ms, detail, detail_len);
	if (!err && place->db)
		err = select_db(conn, place->db, deadline_ms, detail,
				detail_len);
	if (err) {
		redisFree(conn);
		return err;
	}
	*out = conn;
	return 0;
}

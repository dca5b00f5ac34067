/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * redis_conn.h - what the files of the Redis store share: where the server is
 * and how it is found, how to log in, commands that end by a deadline, and the
 * subscription. Deadlines are of the monotonic clock, in milliseconds.
 */
#ifndef STEK_REDIS_CONN_H
#define STEK_REDIS_CONN_H

#include <hiredis/hiredis.h>

#include "store.h"

#define STEK_REDIS_PASSWORD_MAX 512
#define STEK_REDIS_ADDRS_MAX 8
#define STEK_REDIS_PATH_MAX 1024
#define STEK_REDIS_WAIT_REPLICAS_MAX 16
#define STEK_REDIS_WAIT_MS_MAX 800

struct stek_redis_addr {
	char host[256];
	int port;
};

struct stek_redis_login {
	char user[128];		/* "" for the default user */
	char password_file[STEK_REDIS_PATH_MAX];	/* "" for none */
};

struct stek_redis_tls {
	bool on;
	char ca[STEK_REDIS_PATH_MAX];
	char certificate[STEK_REDIS_PATH_MAX];	/* "" for none */
	char key[STEK_REDIS_PATH_MAX];
	char server_name[256];	/* "": the name that was dialled */
};

/* Where the server is; parsed once, from the store's URL and options. */
struct stek_redis_place {
	struct stek_redis_addr addr[STEK_REDIS_ADDRS_MAX];
	size_t n_addrs;		/* 0: a Unix socket */
	char path[108];
	char master[128];	/* its name; "": the addresses are servers */
	unsigned db;
	struct stek_redis_login login, sentinel_login;
	struct stek_redis_tls tls;
	uint32_t wait_replicas, wait_ms;
	uint32_t timeout_ms;
};

/* redis_url.c */
int stek__redis_place(struct stek_redis_place *out,
		      const struct stek_store_options *options, char *why,
		      size_t why_len) STEK_CHECKED;

/* redis_dial.c: a connected, non-blocking socket by the deadline. */
int stek__redis_dial(int *out, const struct stek_redis_addr *addr,
		     int64_t deadline_ms, char *detail, size_t detail_len)
	STEK_CHECKED;
int stek__redis_dial_unix(int *out, const char *path, int64_t deadline_ms,
			  char *detail, size_t detail_len) STEK_CHECKED;
/* False when the deadline came first. */
bool stek__redis_await(int fd, short events, int64_t deadline_ms);
int64_t stek__redis_now_ms(void);

/*
 * redis_tls.c: puts TLS under a connection. The server's certificate must be
 * signed by the CA and be for server_name, or else for `host`. STEK_EREFUSED
 * when one side does not accept the other, `detail` says why.
 */
int stek__redis_tls_start(redisContext *conn, const struct stek_redis_tls *tls,
			  const char *host, int64_t deadline_ms, char *detail,
			  size_t detail_len) STEK_CHECKED;
/* STEK_EINVAL, STEK_EIO or STEK_EMODE with `why` when a file is not right. */
int stek__redis_tls_check(const struct stek_redis_tls *tls, char *why,
			  size_t why_len) STEK_CHECKED;
/* True if there is something to read that poll() does not know of. */
bool stek__redis_tls_pending(const redisContext *conn);
/* Past hiredis' buffers; the number of bytes written, or -1. */
int stek__redis_tls_write(redisContext *conn, const void *data, size_t len);

/* redis_peer.c: whether a certificate (DER) is for an address in binary. */
bool stek__redis_peer_has(const uint8_t *der, size_t len, const uint8_t *ip,
			  size_t ip_len);

/*
 * redis_conn.c: connects to `addr` (NULL: the Unix socket) and logs in. The
 * password is read from its file each time and wiped. On failure *out is
 * untouched and `detail` says why.
 */
int stek__redis_connect(redisContext **out,
			const struct stek_redis_place *place,
			const struct stek_redis_addr *addr,
			const struct stek_redis_login *login,
			int64_t deadline_ms, char *detail, size_t detail_len)
	STEK_CHECKED;
/*
 * The same for a server that will take commands: behind Sentinels its role is
 * verified to be the primary's, and the database is selected.
 */
int stek__redis_server(redisContext **out,
		       const struct stek_redis_place *place,
		       const struct stek_redis_addr *addr, int64_t deadline_ms,
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
 * The next reply, an error reply included; STEK_EUNAVAILABLE at the deadline
 * or when the connection broke, STEK_EREFUSED when TLS ended it. The caller
 * frees *out with freeReplyObject().
 */
int stek__redis_reply(redisContext *conn, int64_t deadline_ms,
		      redisReply **out) STEK_CHECKED;

/*
 * STEK_EUNAVAILABLE for the error replies of a server that cannot answer just
 * now (loading, a replica, a cluster that is down), otherwise STEK_EREFUSED.
 */
int stek__redis_classify(const char *error);
/* True if the error reply, of a script too, begins with the word. */
bool stek__redis_is(const char *error, const char *word);

/* A server that answers commands; connects when it must. */
struct stek_redis {
	struct stek_redis_place place;
	redisContext *conn;	/* NULL: not connected */
	struct stek_redis_addr at;	/* unless a Unix socket: where to */
	bool moved;		/* a Cluster named `at`: go there first */
	redisContext *detour;	/* where the last answer came from (ASK), or
				   NULL: until the next call */
	unsigned connects;	/* so far */
	size_t first;		/* of the place's addresses to try */
	redisContext *sentinel;	/* that is asked now and then, or NULL */
	int64_t follow_ms;	/* not before */
	char detail[160];	/* what went wrong last */
};

struct stek_redis_script {
	const char *text;
	bool asked;		/* for the digest */
	char sha1[41];		/* "": not known */
};

/* redis_find.c: connects, asking the Sentinels or trying each server. */
int stek__redis_find(struct stek_redis *redis, int64_t deadline_ms)
	STEK_CHECKED;

/*
 * Asks a Sentinel, when it is time, whether the server that we are connected
 * to is still the primary; closes the connection when it names another.
 */
void stek__redis_follow(struct stek_redis *redis, int64_t deadline_ms);

/* Where a Cluster says to go. */
struct stek_redis_redirect {
	bool ask;		/* only this once */
	struct stek_redis_addr addr;
};

/*
 * redis_cluster.c: reads "MOVED SLOT HOST:PORT" or "ASK ...", an empty host
 * being that of `from`. False for any other error reply.
 */
bool stek__redis_redirected(const char *error,
			    const struct stek_redis_addr *from,
			    struct stek_redis_redirect *out);

/* redis_call.c */
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

/*
 * How many replicas of the server that took it have what was last written, for
 * which it waits as the place says; 0 when that cannot be known.
 */
uint32_t stek__redis_wait(struct stek_redis *redis);

/* Frees an answer of a shape that was never asked for; STEK_EREFUSED. */
int stek__redis_odd(struct stek_redis *redis, const char *what,
		    redisReply *reply) STEK_CHECKED;

/*
 * redis_audit.c: appends a line where `after` is the last one ("": none yet),
 * else STEK_ECONFLICT; reads the last `limit` of them, oldest first, each with
 * a newline, STEK_EABSENT when there is none.
 */
extern const char stek__redis_audit_text[];
int stek__redis_audit(struct stek_redis *redis,
		      struct stek_redis_script *script, const char *key,
		      const char *after, const char *line) STEK_CHECKED;
int stek__redis_audit_read(struct stek_redis *redis, const char *key,
			   size_t limit, struct stek_blob *out) STEK_CHECKED;

/* A connection of its own that subscribes to a channel: hints, nothing else. */
struct stek_redis_hints {
	const struct stek_redis *redis;	/* subscribes where this is connected */
	const char *channel;
	redisContext *conn;
	unsigned connects;	/* of `redis`, when subscribed */
	int64_t next_ms;	/* no attempt before */
	int64_t gap_ms;		/* between attempts; 0 at first */
};

/* Its descriptor, or -1 while there is none; tries to subscribe when due. */
int stek__redis_hints_fd(struct stek_redis_hints *hints);
/* Reads what came. True if there was a message, or the connection broke. */
bool stek__redis_hints_take(struct stek_redis_hints *hints);
void stek__redis_hints_close(struct stek_redis_hints *hints);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * redis_server.h - a real redis-server for one test: its own directory, a Unix
 * socket and, if wanted, a TCP port. It dies with the test.
 */
#ifndef STEK_TESTS_REDIS_SERVER_H
#define STEK_TESTS_REDIS_SERVER_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <sys/types.h>

struct redis_server {
	pid_t pid;
	char dir[64];
	char socket[96];
	char url[128];		/* unix:/... */
	int port;		/* 0: none */
	bool sentinel, cluster, tls;
	bool started;		/* its port is known to others */
};

/* True if there is a redis-server to run. */
bool redis_server_exists(void);
/* Ends the test when the server does not answer within half a minute. */
void redis_server_start(struct redis_server *server, bool tcp);
/* With a TCP port: a Sentinel that watches nothing yet, a node of a Cluster. */
void redis_server_start_sentinel(struct redis_server *server);
void redis_server_start_cluster(struct redis_server *server);
/*
 * With a TCP port that speaks TLS alone and asks for client certificates; the
 * files ca.pem, redis.pem and redis.key are made by `certify`.
 */
void redis_server_start_tls(struct redis_server *server,
			    void (*certify)(const char *dir));
/* After redis_server_kill(): empty, at the same place. */
void redis_server_restart(struct redis_server *server);
void redis_server_kill(struct redis_server *server);	/* SIGKILL, reaped */
void redis_server_stop(struct redis_server *server);	/* and its directory */
/* A command outside of the store; the caller frees the reply. */
redisReply *redis_server_do(struct redis_server *server, int argc,
			    const char **argv, const size_t *len);
/* The same of words in one string, the reply must be no error and is freed. */
void redis_server_tell(struct redis_server *server, const char *words);

#endif

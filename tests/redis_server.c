// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * redis_server.c - starts and ends a real redis-server, by its pid alone.
 */
#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "redis_server.h"

#define READY_TRIES 6000	/* of 5 ms */
#define CLUSTER_BUS 10000	/* its port is that of the clients and this */

bool redis_server_exists(void)
{
	return system("redis-server --version >/dev/null 2>&1") == 0;
}

/* `port` or, for 0, any one, that was free a moment ago on the loopback; -1. */
static int free_port(int port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool bound;

	ck_assert_int_ge(fd, 0);
	bound = bind(fd, (struct sockaddr *)&addr, len) == 0;
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	close(fd);
	return bound ? ntohs(addr.sin_port) : -1;
}

/* A member of a cluster, if it becomes one, takes another port too. */
static int free_ports(void)
{
	int port;

	do
		port = free_port(0);
	while (port < 0 || port > 65535 - CLUSTER_BUS ||
	       free_port(port + CLUSTER_BUS) < 0);
	return port;
}

/* Sentinel insists on a file that it can write to. */
static void write_conf(const struct redis_server *server)
{
	char path[96];
	FILE *f;

	snprintf(path, sizeof(path), "%s/redis.conf", server->dir);
	f = fopen(path, "w");
	if (!f)
		_exit(127);
	fprintf(f, "%sport %d\nbind 127.0.0.1\nunixsocket %s\ndir %s\n",
		server->tls ? "tls-" : "", server->port, server->socket,
		server->dir);
	if (server->tls)
		fprintf(f, "port 0\ntls-ca-cert-file %s/ca.pem\n"
			"tls-cert-file %s/redis.pem\n"
			"tls-key-file %s/redis.key\n", server->dir,
			server->dir, server->dir);
	if (!server->sentinel)
		fprintf(f, "save \"\"\nappendonly no\nrdbcompression no\n");
	if (server->cluster)
		fprintf(f, "cluster-enabled yes\n");
	fclose(f);
}

static void run(const struct redis_server *server)
{
	int null = open("/dev/null", O_RDWR);
	char path[96];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(null, 1);
	write_conf(server);
	snprintf(path, sizeof(path), "%s/redis.conf", server->dir);
	execlp("redis-server", "redis-server", path,
	       server->sentinel ? "--sentinel" : (char *)NULL, (char *)NULL);
	_exit(127);
}

static bool answers(const struct redis_server *server)
{
	redisContext *conn = redisConnectUnix(server->socket);
	redisReply *reply = NULL;
	bool ok = false;

	if (conn && !conn->err)
		reply = redisCommand(conn, "PING");
	if (reply)
		ok = reply->type == REDIS_REPLY_STATUS;
	freeReplyObject(reply);
	if (conn)
		redisFree(conn);
	return ok;
}

static void begin(struct redis_server *server)
{
	server->pid = fork();
	ck_assert_int_ge(server->pid, 0);
	if (server->pid == 0)
		run(server);
}

/* Somebody else may have come to its port meanwhile: then it ends at once. */
void redis_server_restart(struct redis_server *server)
{
	int i;

	begin(server);
	for (i = 0; i < READY_TRIES && !answers(server); i++) {
		poll(NULL, 0, 5);
		if (waitpid(server->pid, NULL, WNOHANG) != server->pid)
			continue;
		if (server->port && !server->started)
			server->port = free_ports();
		begin(server);
	}
	ck_assert_msg(i < READY_TRIES, "redis-server did not come up");
	server->started = true;
}

static void start(struct redis_server *server, bool tcp,
		  void (*certify)(const char *dir))
{
	strcpy(server->dir, "/tmp/stek-redis-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(server->dir));
	snprintf(server->socket, sizeof(server->socket), "%s/sock",
		 server->dir);
	snprintf(server->url, sizeof(server->url), "unix:%s", server->socket);
	server->port = tcp ? free_ports() : 0;
	signal(SIGPIPE, SIG_IGN);
	if (certify)
		certify(server->dir);
	redis_server_restart(server);
}

void redis_server_start(struct redis_server *server, bool tcp)
{
	memset(server, 0, sizeof(*server));
	start(server, tcp, NULL);
}

void redis_server_start_tls(struct redis_server *server,
			    void (*certify)(const char *dir))
{
	memset(server, 0, sizeof(*server));
	server->tls = true;
	start(server, true, certify);
}

void redis_server_start_sentinel(struct redis_server *server)
{
	memset(server, 0, sizeof(*server));
	server->sentinel = true;
	start(server, true, NULL);
}

void redis_server_start_cluster(struct redis_server *server)
{
	memset(server, 0, sizeof(*server));
	server->cluster = true;
	start(server, true, NULL);
}

void redis_server_kill(struct redis_server *server)
{
	if (server->pid <= 0)
		return;
	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
	server->pid = 0;
}

void redis_server_stop(struct redis_server *server)
{
	char command[128];

	redis_server_kill(server);
	if (!server->dir[0])
		return;
	snprintf(command, sizeof(command), "rm -rf %s", server->dir);
	ck_assert_int_eq(system(command), 0);
	server->dir[0] = '\0';
}

redisReply *redis_server_do(struct redis_server *server, int argc,
			    const char **argv, const size_t *len)
{
	redisContext *conn = redisConnectUnix(server->socket);
	redisReply *reply;

	ck_assert(conn && !conn->err);
	reply = redisCommandArgv(conn, argc, argv, len);
	ck_assert_ptr_nonnull(reply);
	redisFree(conn);
	return reply;
}

void redis_server_tell(struct redis_server *server, const char *words)
{
	const char *argv[32];
	char copy[512], *word, *rest = NULL;
	redisReply *reply;
	int argc = 0;

	snprintf(copy, sizeof(copy), "%s", words);
	for (word = strtok_r(copy, " ", &rest); word && argc < 32;
	     word = strtok_r(NULL, " ", &rest))
		argv[argc++] = word;
	reply = redis_server_do(server, argc, argv, NULL);
	ck_assert_msg(reply->type != REDIS_REPLY_ERROR, "%s: %s", words,
		      reply->type == REDIS_REPLY_ERROR ? reply->str : "");
	freeReplyObject(reply);
}

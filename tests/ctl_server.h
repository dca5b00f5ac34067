/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctl_server.h - stekctl against a small HTTP server in a thread, on a Unix
 * socket or on loopback TCP, for check_ctl.c and check_ctl_change.c.
 */
#ifndef STEKCTL_TESTS_CTL_SERVER_H
#define STEKCTL_TESTS_CTL_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <check.h>

#include "ctl.h"

#define ID "00112233445566778899aabbccddeeff"

static char dir[64];
static char socket_path[128], out_path[128], err_path[128], token_path[128];

/* What the server answers, and what it was asked last. */
static struct {
	int fd;
	pthread_t thread;
	const char *status, *extra, *body;
	char request[4096];
} server;

static inline void path_in(char out[128], const char *name)
{
	snprintf(out, 128, "%s/%s", dir, name);
}

static inline void set_up(void)
{
	strcpy(dir, "/tmp/check_ctl.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	path_in(socket_path, "sock");
	path_in(out_path, "out");
	path_in(err_path, "err");
	path_in(token_path, "token");
	unsetenv("STEKCTL_SOCKET");
}

static inline void tear_down(void)
{
	unlink(socket_path);
	unlink(out_path);
	unlink(err_path);
	unlink(token_path);
	rmdir(dir);
}

/* Headers, and as many bytes as Content-Length says. */
static inline bool request_complete(const char *request)
{
	const char *end = strstr(request, "\r\n\r\n");
	const char *length = strcasestr(request, "content-length:");

	if (!end)
		return false;
	return !length || strlen(end + 4) >= strtoul(length + 15, NULL, 10);
}

/* Answers one connection. */
static inline void *serve(void *arg)
{
	int fd = accept(server.fd, NULL, NULL);
	size_t len = 0;
	char head[512];

	(void)arg;
	while (!request_complete(server.request)) {
		ssize_t n = read(fd, server.request + len,
				 sizeof(server.request) - 1 - len);

		if (n <= 0)
			break;
		len += (size_t)n;
		server.request[len] = '\0';
	}
	snprintf(head, sizeof(head),
		 "HTTP/1.1 %s\r\nConnection: close\r\n%s"
		 "Content-Length: %zu\r\n\r\n", server.status, server.extra,
		 strlen(server.body));
	(void)!write(fd, head, strlen(head));
	(void)!write(fd, server.body, strlen(server.body));
	close(fd);
	return NULL;
}

static inline void answer_with(const char *status, const char *extra, const char *body)
{
	server.status = status;
	server.extra = extra;
	server.body = body;
	memset(server.request, 0, sizeof(server.request));
	ck_assert_int_eq(listen(server.fd, 1), 0);
	ck_assert_int_eq(pthread_create(&server.thread, NULL, serve, NULL), 0);
}

static inline void serve_unix(const char *status, const char *extra, const char *body)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	strcpy(addr.sun_path, socket_path);
	unlink(socket_path);
	server.fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(server.fd, (struct sockaddr *)&addr,
			      sizeof(addr)), 0);
	answer_with(status, extra, body);
}

static inline unsigned serve_tcp(const char *status, const char *body)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	socklen_t len = sizeof(addr);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server.fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(server.fd, (struct sockaddr *)&addr, len), 0);
	getsockname(server.fd, (struct sockaddr *)&addr, &len);
	answer_with(status, "", body);
	return ntohs(addr.sin_port);
}

static inline void served(void)
{
	pthread_join(server.thread, NULL);
	close(server.fd);
}

/* Runs stekctl with its output in files; words are split at spaces. */
static inline enum ctl_exit ctl(const char *line)
{
	char text[1024], *argv[24] = {NULL}, *save = NULL;
	int saved_out, saved_err, argc = 0;
	enum ctl_exit result;

	snprintf(text, sizeof(text), "stekctl %s", line);
	for (char *word = strtok_r(text, " ", &save); word && argc < 23;
	     word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	fflush(NULL);
	saved_out = dup(1);
	saved_err = dup(2);
	ck_assert_ptr_nonnull(freopen(out_path, "w", stdout));
	ck_assert_ptr_nonnull(freopen(err_path, "w", stderr));
	result = ctl_run(argc, argv);
	fflush(NULL);
	dup2(saved_out, 1);
	dup2(saved_err, 2);
	close(saved_out);
	close(saved_err);
	return result;
}

/* On the test's own socket. */
static inline enum ctl_exit ctl_here(const char *command)
{
	char line[512];

	snprintf(line, sizeof(line), "--socket %s %s", socket_path, command);
	return ctl(line);
}

static inline bool file_has(const char *path, const char *text)
{
	static char all[65536];
	FILE *file = fopen(path, "r");
	size_t len;

	ck_assert_ptr_nonnull(file);
	len = fread(all, 1, sizeof(all) - 1, file);
	all[len] = '\0';
	fclose(file);
	return strstr(all, text) != NULL;
}

static inline void write_token(const char *text, mode_t mode)
{
	FILE *file = fopen(token_path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
	ck_assert_int_eq(chmod(token_path, mode), 0);
}

#endif

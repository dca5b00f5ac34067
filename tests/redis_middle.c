// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * redis_middle.c - one connection at a time, relayed by a thread.
 */
#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "redis_middle.h"

static struct sockaddr_in loopback(int port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	addr.sin_port = htons((uint16_t)port);
	return addr;
}

static int dial(int port)
{
	struct sockaddr_in addr = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Closed without reading what came: the kernel answers with a reset. */
static void reset(int fd)
{
	const struct linger now = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static bool all_sent(int fd, const char *data, size_t len)
{
	ssize_t n;

	for (; len; data += n, len -= (size_t)n) {
		n = send(fd, data, len, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
	}
	return true;
}

static bool drip(int fd, const char *data, size_t len)
{
	const int on = 1;
	size_t i;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	for (i = 0; i < len; i++) {
		if (!all_sent(fd, data + i, 1))
			return false;
	}
	return true;
}

/*
 * Where in a TLS record the next byte stands. True for the version in its header,
 * which nobody looks at (RFC 8446 s5.1): to change it there changes nothing.
 */
static bool is_version(struct redis_middle *m, char c)
{
	enum { HEADER = 5 };
	if (m->head == HEADER && m->left == 0)
		m->head = 0;
	if (m->head == HEADER) {
		m->left--;
		return false;
	}
	m->left = (m->left << 8 | (uint8_t)c) & 0xffff;
	m->head++;
	return m->head == 2 || m->head == 3;
}

/* One bit of the first byte from `at` on in which it counts. */
static void flip(struct redis_middle *m, char *data, size_t len, size_t passed)
{
	size_t at = atomic_load(&m->at), i;
	bool version;

	for (i = 0; i < len; i++) {
		version = is_version(m, data[i]);
		if (passed + i < at || version || atomic_load(&m->struck))
			continue;
		data[i] ^= 4;
		atomic_store(&m->struck, true);
	}
}

/* What the server said; false when the connection is to end. */
static bool pass(struct redis_middle *m, int client, char *data, size_t len)
{
	size_t at = atomic_load(&m->at), passed = atomic_load(&m->passed);
	enum middle_fault fault = atomic_load(&m->fault);
	bool hit = passed + len > at;

	atomic_store(&m->passed, passed + len);
	if (fault == MIDDLE_DRIP)
		return drip(client, data, len);
	if (fault == MIDDLE_FLIP)
		flip(m, data, len, passed);
	if (!hit || fault == MIDDLE_NONE || fault == MIDDLE_FLIP)
		return all_sent(client, data, len);
	/* Up to the byte; of what comes after it nothing. */
	atomic_store(&m->struck, true);
	if (at > passed && !all_sent(client, data, at - passed))
		return false;
	if (fault == MIDDLE_RESET)
		reset(client);
	return fault == MIDDLE_STALL;
}

static void relay(struct redis_middle *m, int client, int server)
{
	struct pollfd pfds[] = { { m->stop[0], POLLIN, 0 },
				 { client, POLLIN, 0 },
				 { server, POLLIN, 0 } };
	char data[4096];
	ssize_t n;

	while (poll(pfds, 3, -1) > 0 && !pfds[0].revents) {
		if (pfds[1].revents) {
			n = recv(client, data, sizeof(data), 0);
			if (n <= 0 || !all_sent(server, data, (size_t)n))
				return;
		}
		if (pfds[2].revents) {
			n = recv(server, data, sizeof(data), 0);
			if (n <= 0 || !pass(m, client, data, (size_t)n))
				return;
		}
	}
}

static void *run(void *arg)
{
	struct redis_middle *m = arg;
	struct pollfd pfds[] = { { m->stop[0], POLLIN, 0 },
				 { m->listener, POLLIN, 0 } };
	int client, server;

	while (poll(pfds, 2, -1) > 0 && !pfds[0].revents) {
		client = accept(m->listener, NULL, NULL);
		server = client < 0 ? -1 : dial(m->to_port);
		atomic_store(&m->passed, 0);
		m->head = m->left = 0;
		atomic_store(&m->struck, false);
		if (server >= 0)
			relay(m, client, server);
		if (server >= 0)
			close(server);
		if (client >= 0)
			close(client);
	}
	return NULL;
}

void redis_middle_start(struct redis_middle *m, int to_port)
{
	struct sockaddr_in addr = loopback(0);
	socklen_t len = sizeof(addr);

	memset(m, 0, sizeof(*m));
	m->to_port = to_port;
	m->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(m->listener, (struct sockaddr *)&addr, len), 0);
	ck_assert_int_eq(listen(m->listener, 16), 0);
	ck_assert_int_eq(getsockname(m->listener, (struct sockaddr *)&addr,
				     &len), 0);
	m->port = ntohs(addr.sin_port);
	ck_assert_int_eq(pipe2(m->stop, O_CLOEXEC), 0);
	ck_assert_int_eq(pthread_create(&m->thread, NULL, run, m), 0);
}

void redis_middle_stop(struct redis_middle *m)
{
	close(m->stop[1]);
	ck_assert_int_eq(pthread_join(m->thread, NULL), 0);
	close(m->stop[0]);
	close(m->listener);
}

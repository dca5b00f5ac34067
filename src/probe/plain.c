/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asks a server in plain HTTP. Many an HTTP server closes on a ClientHello as on
 * any rubbish, or its answer is lost to the reset that follows it, so that trial.c
 * asks once more in a way that it understands.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "handshake.h"
#include "stop.h"

static bool ready(int fd, short events, int64_t until_us)
{
	struct pollfd one = {.fd = fd, .events = events};

	while (conn_now_us() < until_us && !stop_asked()) {
		int n = poll(&one, 1, 100);

		if (n > 0)
			return true;
		if (n < 0 && errno != EINTR)
			return false;
	}
	return false;
}

/*
 * True if the answer begins as one of HTTP. But TLS servers say 400 to those who
 * come without TLS.
 */
static bool ask(int fd, int64_t until_us)
{
	static const char request[] = "GET / HTTP/1.0\r\n\r\n";
	char first[12];
	size_t have = 0;

	if (!ready(fd, POLLOUT, until_us) ||
	    send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) !=
		    (ssize_t)(sizeof(request) - 1))
		return false;
	while (have < sizeof(first) && ready(fd, POLLIN, until_us)) {
		ssize_t n = recv(fd, first + have, sizeof(first) - have, 0);

		if (n <= 0)
			return false;
		have += (size_t)n;
	}
	return have == sizeof(first) && memcmp(first, "HTTP/", 5) == 0 &&
	       memcmp(first + 8, " 400", 4) != 0;
}

bool plain_http(const struct address *address, unsigned timeout_s)
{
	const struct sockaddr *to = (const void *)&address->addr;
	int64_t until_us = conn_now_us() + timeout_s * 1000000LL;
	int fd = socket(to->sa_family,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool speaks;

	if (fd < 0)
		return false;
	speaks = (connect(fd, to, address->len) == 0 || errno == EINPROGRESS) &&
		 ask(fd, until_us);
	close(fd);
	return speaks;
}

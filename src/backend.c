/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * backend.c - the socket towards a host's backend, for conn_relay.c.
 */
#include "backend.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * One on this machine has answered before connect(2) returns, which does not
 * say so. What has failed meanwhile, backend_error() will tell.
 */
static bool is_up(int sock)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	return getpeername(sock, (struct sockaddr *)&peer, &len) == 0;
}

enum backend_result backend_connect(const struct settings_address *address,
				    int *fd)
{
	int family = address->addr.ss_family;
	int sock = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1;
	int saved;

	if (sock < 0)
		return BACKEND_ERROR;
	if (family != AF_UNIX)
		(void)setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &one,
				 sizeof(one));
	if (connect(sock, (const struct sockaddr *)&address->addr,
		    address->len) == 0) {
		*fd = sock;
		return BACKEND_READY;
	}
	/* On a Unix socket EAGAIN means a full queue: refused, not pending. */
	if (errno == EINPROGRESS || (errno == EINTR && family != AF_UNIX)) {
		*fd = sock;
		return is_up(sock) ? BACKEND_READY : BACKEND_PENDING;
	}
	saved = errno;
	close(sock);
	errno = saved;
	return BACKEND_ERROR;
}

int backend_error(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return errno;
	return error;
}

void backend_reset(int fd)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

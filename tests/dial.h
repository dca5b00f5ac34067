/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dial.h - a blocking connection to a host and port, for the helper clients.
 */
#ifndef STEKD_TESTS_DIAL_H
#define STEKD_TESTS_DIAL_H

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* -1, or a socket that waits for an answer so long. */
static inline int dial(const char *host, const char *port, unsigned wait_ms)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct timeval patience = {
		.tv_sec = wait_ms / 1000,
		.tv_usec = wait_ms % 1000 * 1000,
	};
	struct addrinfo *found = NULL;
	int fd = -1;

	if (getaddrinfo(host, port, &hints, &found))
		return -1;
	fd = socket(found->ai_family, SOCK_STREAM, 0);
	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
			   sizeof(patience));
		if (connect(fd, found->ai_addr, found->ai_addrlen)) {
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(found);
	return fd;
}

#endif

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * disk.c - reads and replaces small files. Called by the file store and for
 * the kept ring.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "disk.h"

int stek__disk_read(int dir, const char *name, uint8_t *buf, size_t cap,
		    size_t *len)
{
	size_t used = 0;
	ssize_t n = 1;
	int fd, error;

	fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -1;
	while (used < cap && n > 0) {
		n = read(fd, buf + used, cap - used);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			used += (size_t)n;
	}
	error = n < 0 ? errno : used == cap ? EFBIG : 0;
	close(fd);
	errno = error;
	if (error)
		return -1;
	*len = used;
	return 0;
}

int stek__disk_write(int fd, const uint8_t *data, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(fd, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int stek__disk_replace(int dir, const char *aside, const char *name,
		       const struct stek_part *head,
		       const struct stek_part *body, bool durable)
{
	int fd, error = 0;

	fd = openat(dir, aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC |
		    O_NOFOLLOW, 0600);
	if (fd < 0)
		return -1;
	if (stek__disk_write(fd, head->data, head->len) < 0 ||
	    stek__disk_write(fd, body->data, body->len) < 0 ||
	    (durable && fsync(fd) < 0))
		error = errno;
	if (close(fd) < 0 && !error)
		error = errno;
	if (!error && renameat(dir, aside, dir, name) < 0)
		error = errno;
	if (error)
		unlinkat(dir, aside, 0);
	else if (durable && fsync(dir) < 0)
		error = errno;
	errno = error;
	return error ? -1 : 0;
}

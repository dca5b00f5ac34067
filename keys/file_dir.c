// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * file_dir.c - owns the directory of a file store: makes it, opens it anew for
 * each call (somebody may have removed it), and locks it. Called by
 * store_file.c alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file_dir.h"

#define LOCK_STEP_NS 2000000

int64_t stek__file_clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/*
 * What a failed system call says: no when the file system forbids it or has
 * something else in its place, otherwise no answer.
 */
int stek__file_failed(struct stek_file *s, const char *what)
{
	int error = errno;

	snprintf(s->detail, sizeof(s->detail), "%s: %.100s", what,
		 strerror(error));
	switch (error) {
	case EACCES:
	case EPERM:
	case EROFS:
	case ENOTDIR:
	case EISDIR:
	case ELOOP:
		return STEK_EREFUSED;
	case ENOMEM:
		return STEK_ENOMEM;
	default:
		return STEK_EUNAVAILABLE;
	}
}

static int make_dir(int at, const char *name)
{
	if (mkdirat(at, name, 0700) < 0 && errno != EEXIST)
		return -1;
	return 0;
}

int stek__file_dir(struct stek_file *s, int *out)
{
	int top, dir = -1, err = 0;

	if (make_dir(AT_FDCWD, s->dir) < 0)
		return stek__file_failed(s, "make the directory");
	top = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top < 0)
		return stek__file_failed(s, "open the directory");
	if (make_dir(top, s->farm_dir) == 0)
		dir = openat(top, s->farm_dir,
			     O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0 || make_dir(dir, "nodes") < 0)
		err = stek__file_failed(s, "open the farm's directory");
	close(top);
	if (err && dir >= 0)
		close(dir);
	if (!err)
		*out = dir;
	return err;
}

/*
 * The lock, by the time-out: its holder may be a stopped process. A lock file
 * that was removed meanwhile locks nothing.
 */
int stek__file_lock(struct stek_file *s, int dir, int *out)
{
	const struct timespec step = { .tv_nsec = LOCK_STEP_NS };
	int64_t deadline = stek__file_clock_ns(CLOCK_MONOTONIC) +
			   (int64_t)s->timeout_ms * 1000000;
	struct stat st;
	int fd;

	for (;;) {
		fd = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC |
			    O_NOFOLLOW, 0600);
		if (fd < 0)
			return stek__file_failed(s, "open the lock");
		if (flock(fd, LOCK_EX | LOCK_NB) == 0 &&
		    fstat(fd, &st) == 0 && st.st_nlink > 0)
			break;
		close(fd);
		if (stek__file_clock_ns(CLOCK_MONOTONIC) >= deadline) {
			snprintf(s->detail, sizeof(s->detail),
				 "another process holds the lock");
			return STEK_EUNAVAILABLE;
		}
		nanosleep(&step, NULL);
	}
	*out = fd;
	return 0;
}

int stek__file_read(struct stek_file *s, int dir, const char *name,
		    uint8_t *buf, size_t cap, size_t *len)
{
	if (stek__disk_read(dir, name, buf, cap, len) == 0)
		return 0;
	if (errno == ENOENT)
		return STEK_EABSENT;
	if (errno != EFBIG)
		return stek__file_failed(s, "read");
	snprintf(s->detail, sizeof(s->detail), "%s: too long", name);
	return STEK_EFORMAT;
}

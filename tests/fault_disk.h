/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fault_disk.h - the n-th call about a file fails, in the thread that arms it
 * and between disk_on() and disk_off() alone. A test that includes it is linked
 * with $(DISK_WRAP), so the calls of the code under test come here first.
 */
#ifndef STEK_TESTS_FAULT_DISK_H
#define STEK_TESTS_FAULT_DISK_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum disk_fault {
	DISK_EIO,	/* the call fails; what is closed is closed */
	DISK_EINTR,	/* so, and asks to be tried again: read and write alone */
	DISK_SHORT,	/* only one byte is read or written */
	DISK_FAULTS
};

static _Thread_local enum disk_fault disk_kind;
static _Thread_local unsigned disk_left;	/* 0: unarmed, or met */
static _Thread_local bool disk_armed, disk_hit;

static inline void disk_begin(enum disk_fault kind, unsigned n)
{
	disk_kind = kind;
	disk_left = n;
	disk_hit = false;
}

static inline void disk_on(void)
{
	disk_armed = true;
}

static inline void disk_off(void)
{
	disk_armed = false;
}

/* True if the fault was met. */
static inline bool disk_end(void)
{
	disk_armed = false;
	disk_left = 0;
	return disk_hit;
}

/* True for the n-th call, of those that this kind of fault is about. */
static inline bool disk_now(bool transfer)
{
	if (!disk_armed || disk_left == 0 ||
	    (disk_kind != DISK_EIO && !transfer) || --disk_left > 0)
		return false;
	disk_hit = true;
	errno = disk_kind == DISK_EINTR ? EINTR : EIO;
	return true;
}

#define DISK_WRAPPED(result, name, parameters, arguments, failed) \
	result __real_##name parameters; \
	result __wrap_##name parameters; \
	result __wrap_##name parameters \
	{ \
		if (disk_now(false)) \
			return failed; \
		return __real_##name arguments; \
	}

DISK_WRAPPED(int, fchmod, (int fd, mode_t mode), (fd, mode), -1)
DISK_WRAPPED(int, fstatat, (int dir, const char *name, struct stat *st,
			    int flags), (dir, name, st, flags), -1)
DISK_WRAPPED(int, mkdirat, (int dir, const char *name, mode_t mode),
	     (dir, name, mode), -1)
DISK_WRAPPED(int, rename, (const char *from, const char *to), (from, to), -1)
DISK_WRAPPED(int, renameat, (int dir, const char *from, int other,
			     const char *to), (dir, from, other, to), -1)
DISK_WRAPPED(int, stat, (const char *name, struct stat *st), (name, st), -1)
DISK_WRAPPED(DIR *, fdopendir, (int fd), (fd), NULL)

/* That it is called is looked at; the disk itself would only take its time. */
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	(void)fd;
	return disk_now(false) ? -1 : 0;
}

int __real_open(const char *name, int flags, ...);
int __real_openat(int dir, const char *name, int flags, ...);
int __real_close(int fd);
ssize_t __real_read(int fd, void *buf, size_t len);
ssize_t __real_write(int fd, const void *buf, size_t len);
int __wrap_open(const char *name, int flags, ...);
int __wrap_openat(int dir, const char *name, int flags, ...);
int __wrap_close(int fd);
ssize_t __wrap_read(int fd, void *buf, size_t len);
ssize_t __wrap_write(int fd, const void *buf, size_t len);

/* The mode is there if a file may be made. */
static inline mode_t disk_mode(int flags, va_list *args)
{
	return flags & O_CREAT ? va_arg(*args, mode_t) : 0;
}

int __wrap_open(const char *name, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = disk_mode(flags, &args);
	va_end(args);
	return disk_now(false) ? -1 : __real_open(name, flags, mode);
}

int __wrap_openat(int dir, const char *name, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = disk_mode(flags, &args);
	va_end(args);
	return disk_now(false) ? -1 : __real_openat(dir, name, flags, mode);
}

int __wrap_close(int fd)
{
	int result = __real_close(fd);

	return disk_now(false) ? -1 : result;
}

ssize_t __wrap_read(int fd, void *buf, size_t len)
{
	if (!disk_now(true))
		return __real_read(fd, buf, len);
	return disk_kind == DISK_SHORT && len ? __real_read(fd, buf, 1) : -1;
}

ssize_t __wrap_write(int fd, const void *buf, size_t len)
{
	if (!disk_now(true))
		return __real_write(fd, buf, len);
	return disk_kind == DISK_SHORT && len ? __real_write(fd, buf, 1) : -1;
}

#endif

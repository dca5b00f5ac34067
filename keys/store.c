// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * store.c - chooses a store by its URL and holds what both of them need: the
 * password file is read here, checked for its mode, and nowhere else. Called
 * by farm.c when a farm is opened and by redis_conn.c for each connection.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "secret.h"
#include "secret_file.h"
#include "store.h"

int stek__store_password_read(const char *path, char *buf, size_t cap,
			      char *why, size_t why_len)
{
	struct stat st;
	ssize_t n = -1;
	int fd, err = STEK_EIO;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0) {
		snprintf(why, why_len, "password file %s: %s", path,
			 strerror(errno));
		goto out;
	}
	if (!S_ISREG(st.st_mode) || !stek__secret_file_good(&st, path)) {
		snprintf(why, why_len, "password file %s: mode %04o, expected a"
			 " file that only its owner can read (0600)", path,
			 (unsigned)(st.st_mode & 07777));
		err = STEK_EMODE;
		goto out;
	}
	n = read(fd, buf, cap);
	if (n < 0) {
		snprintf(why, why_len, "password file %s: %s", path,
			 strerror(errno));
		goto out;
	}
	while (n > 0 && (buf[n - 1] == '\n' || buf[n - 1] == '\r'))
		n--;
	if (n == 0 || (size_t)n == cap || memchr(buf, 0, (size_t)n)) {
		snprintf(why, why_len, "password file %s: expected one line of"
			 " 1 to %zu characters", path, cap - 1);
		err = STEK_EINVAL;
		goto out;
	}
	memset(buf + n, 0, cap - (size_t)n);
	err = 0;
out:
	if (err)
		stek__wipe(buf, cap);
	if (fd >= 0)
		close(fd);
	return err;
}

int stek__store_open(struct stek_store **out,
		     const struct stek_store_options *options, char *why,
		     size_t why_len)
{
	if (!strncmp(options->url, "file:", 5))
		return stek__store_file_open(out, options, why, why_len);
	return stek__store_redis_open(out, options, why, why_len);
}

void stek__store_close(struct stek_store *store)
{
	if (store)
		store->ops->close(store);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * keep.c - this node's own copy of the ring on disk, sealed as in the store: a
 * restart without the store resumes at once, and an old copy in the store
 * cannot fool a node that knows better. Read by farm.c, written by sync.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sync.h"

#define RETRY_MS 10000

static int slurp(const char *path, uint8_t *buf, size_t cap, size_t *len)
{
	size_t used = 0;
	ssize_t n = 0;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? STEK_EABSENT : STEK_EIO;
	while (used < cap && (n = read(fd, buf + used, cap - used)) > 0)
		used += (size_t)n;
	close(fd);
	*len = used;
	return n < 0 ? STEK_EIO : 0;
}

/* Kept for whoever wants to find out, out of the way of the next one. */
static int set_aside(struct stek_sync *sync, int err)
{
	size_t len = strlen(sync->state_path) + 128;
	char *text = malloc(len);

	if (!text)
		return STEK_ENOMEM;
	snprintf(text, len, "%s.bad", sync->state_path);
	(void)rename(sync->state_path, text);
	snprintf(text, len, "%s: %s; ignored, kept as .bad", sync->state_path,
		 stek_strerror(err));
	sync->state_fault = text;
	return 0;
}

int stek__keep_read(struct stek_sync *sync, struct stek_ring **out)
{
	struct stek_farm *farm = sync->farm;
	struct stek_ring *ring = NULL;
	size_t len = 0;
	uint8_t *buf;
	int err;

	if (!sync->state_path)
		return 0;
	buf = malloc(STEK_RECORD_MAX);
	if (!buf)
		return STEK_ENOMEM;
	err = slurp(sync->state_path, buf, STEK_RECORD_MAX, &len);
	if (!err)
		err = stek__record_open(&ring, farm->farm_keys, farm->name,
					buf, len);
	free(buf);
	if (err == STEK_EABSENT)
		return 0;
	if (err == STEK_ENOMEM)
		return err;
	if (err)
		return set_aside(sync, err);
	*out = ring;
	return 0;
}

static bool write_all(int fd, const uint8_t *data, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(fd, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

/* The rename itself must reach the disk: sync the directory. */
static bool sync_parent(const char *path)
{
	char *copy = strdup(path);
	bool ok = false;
	int fd;

	if (!copy)
		return false;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		ok = fsync(fd) == 0;
		close(fd);
	}
	free(copy);
	return ok;
}

static bool replace(const char *path, const struct stek_blob *doc)
{
	size_t len = strlen(path) + 8;
	char *aside = malloc(len);
	bool ok = false;
	int fd = -1;

	if (!aside)
		return false;
	snprintf(aside, len, "%s.new", path);
	fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
		  0600);
	if (fd < 0)
		goto out;
	ok = write_all(fd, doc->data, doc->len) && fsync(fd) == 0;
	ok = close(fd) == 0 && ok;
	ok = ok && rename(aside, path) == 0 && sync_parent(path);
out:
	free(aside);
	return ok;
}

void stek__keep_write(struct stek_sync *sync)
{
	struct stek_farm *farm = sync->farm;
	int64_t mono_ms = stek__sync_mono(sync);
	struct stek_blob doc = { NULL, 0 };
	bool ok = false;

	if (!sync->state_path || !sync->keep_due ||
	    (sync->keep_failed && mono_ms < sync->keep_retry_ms))
		return;
	if (!stek__record_seal(&doc, farm->farm_keys, farm->name,
			       stek__sync_ring(sync)))
		ok = replace(sync->state_path, &doc);
	stek__blob_free(&doc);
	if (!ok && !sync->keep_failed)
		stek__sync_event(sync, STEK_EVENT_STATE_FILE, STEK_EIO, NULL,
				 sync->state_path);
	sync->keep_due = !ok;
	sync->keep_failed = !ok;
	sync->keep_retry_ms = mono_ms + RETRY_MS;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * keep.c - this node's own copy of the ring on disk, sealed as in the store: a
 * restart without the store resumes at once, and an old copy in the store
 * cannot fool a node that knows better. Read by farm.c, written by sync.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk.h"
#include "sync.h"

#define RETRY_MS 10000

/* Kept for whoever wants to find out, out of the way of the next one. */
static int set_aside(struct stek_sync *sync, int dir, int err)
{
	char bad[sizeof(sync->state_name) + 4], text[192];

	snprintf(bad, sizeof(bad), "%s.bad", sync->state_name);
	(void)renameat(dir, sync->state_name, dir, bad);
	snprintf(text, sizeof(text), "%s: %s; ignored, kept as %s",
		 sync->state_name, stek_strerror(err), bad);
	sync->state_fault = strdup(text);
	return sync->state_fault ? 0 : STEK_ENOMEM;
}

static int open_kept(struct stek_sync *sync, int dir, struct stek_ring **out)
{
	const size_t cap = STEK_RECORD_MAX + 1;
	struct stek_farm *farm = sync->farm;
	uint8_t *buf = malloc(cap);
	size_t len = 0;
	int err;

	if (!buf)
		return STEK_ENOMEM;
	if (stek__disk_read(dir, sync->state_name, buf, cap, &len) < 0)
		err = errno == ENOENT ? STEK_EABSENT :
		      errno == EFBIG ? STEK_EFORMAT : STEK_EIO;
	else
		err = stek__record_open(out, farm->farm_keys, farm->name, buf,
					len);
	free(buf);
	return err;
}

int stek__keep_read(struct stek_sync *sync, struct stek_ring **out)
{
	struct stek_ring *ring = NULL;
	int dir, err;

	if (!sync->state_dir)
		return 0;
	dir = open(sync->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = dir < 0 ? STEK_EIO : open_kept(sync, dir, &ring);
	if (err && err != STEK_EABSENT && err != STEK_ENOMEM)
		err = set_aside(sync, dir, err);
	if (dir >= 0)
		close(dir);
	if (err == STEK_ENOMEM)
		return err;
	*out = ring;
	return 0;
}

static bool replace(struct stek_sync *sync, const struct stek_blob *doc)
{
	const struct stek_part body = { doc->data, doc->len };
	const struct stek_part head = { NULL, 0 };
	int dir = open(sync->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok;

	if (dir < 0)
		return false;
	ok = stek__disk_replace(dir, sync->state_aside, sync->state_name, &head,
				&body, true) == 0;
	close(dir);
	return ok;
}

void stek__keep_write(struct stek_sync *sync)
{
	struct stek_farm *farm = sync->farm;
	int64_t mono_ms = stek__sync_mono(sync);
	struct stek_blob doc = { NULL, 0 };
	bool ok = false;

	if (!sync->state_dir || !sync->keep_due ||
	    (sync->keep_failed && mono_ms < sync->keep_retry_ms))
		return;
	if (!stek__record_seal(&doc, farm->farm_keys, farm->name,
			       stek__sync_ring(sync)))
		ok = replace(sync, &doc);
	stek__blob_free(&doc);
	if (!ok && !sync->keep_failed)
		stek__sync_event(sync, STEK_EVENT_STATE_FILE, STEK_EIO, NULL,
				 "the ring could not be kept on disk");
	sync->keep_due = !ok;
	sync->keep_failed = !ok;
	sync->keep_retry_ms = mono_ms + RETRY_MS;
}

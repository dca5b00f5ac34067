/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_dir.h - the directory of a file store: opened, locked, read, with the
 * store's answers in place of errno. Seen by store_file.c and file_dir.c.
 */
#ifndef STEK_FILE_DIR_H
#define STEK_FILE_DIR_H

#include <limits.h>
#include <time.h>

#include "disk.h"
#include "store.h"

struct stek_file {
	struct stek_store base;
	char dir[PATH_MAX];
	char farm_dir[STEK_NAME_MAX + 8];
	uint32_t timeout_ms;
	int hints;		/* inotify, -1 while there is no directory */
	char detail[160];
	uint8_t tail[STEK_BEAT_TAIL];	/* of the last heartbeat written */
	size_t tail_len;
};

int64_t stek__file_clock_ns(clockid_t id);

/* The answer that errno stands for; says `what` in the detail. */
int stek__file_failed(struct stek_file *s, const char *what);

/* The farm's directory, made when it is missing. The caller closes it. */
int stek__file_dir(struct stek_file *s, int *out) STEK_CHECKED;

/* Waits for the lock by the time-out; closing *out gives it back. */
int stek__file_lock(struct stek_file *s, int dir, int *out) STEK_CHECKED;

/* A small file; STEK_EABSENT, or STEK_EFORMAT when it is too long. */
int stek__file_read(struct stek_file *s, int dir, const char *name,
		    uint8_t *buf, size_t cap, size_t *len) STEK_CHECKED;

/* file_audit.c: as the operations of the same names in store.h. */
int stek__file_audit(struct stek_file *s, const char *after, const char *line)
	STEK_CHECKED;
int stek__file_audit_read(struct stek_file *s, size_t limit,
			  struct stek_blob *out) STEK_CHECKED;

#endif

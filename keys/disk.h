/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * disk.h - small files, read whole and replaced whole, in a directory that is
 * held open. -1 with errno on failure.
 */
#ifndef STEK_DISK_H
#define STEK_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stek_part {
	const uint8_t *data;
	size_t len;
};

/* The whole file, fewer than `cap` bytes; EFBIG. Never follows a link. */
int stek__disk_read(int dir, const char *name, uint8_t *buf, size_t cap,
		    size_t *len);

/*
 * Writes head and body to `aside` (mode 0600) and renames it: readers see all
 * or nothing. `durable`: file and directory have reached the disk on return.
 */
int stek__disk_replace(int dir, const char *aside, const char *name,
		       const struct stek_part *head,
		       const struct stek_part *body, bool durable);

/* All of it, or -1. */
int stek__disk_write(int fd, const uint8_t *data, size_t len);

#endif

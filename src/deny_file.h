/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * deny_file.h - a sorted set of fingerprints, and the file that keeps one, as
 * deny.c and deny_file.c share them.
 */
#ifndef STEKD_DENY_FILE_H
#define STEKD_DENY_FILE_H

#include "deny.h"

struct deny_set {
	uint8_t (*all)[DENY_LEN];	/* sorted, each once */
	size_t n;
};

bool deny_set_has(const struct deny_set *set,
		  const uint8_t fingerprint[DENY_LEN]);
void deny_set_clear(struct deny_set *set);

/* `from` with one more, or one less. 0, or -1: no memory, or too many. */
int deny_set_copy(struct deny_set *out, const struct deny_set *from,
		  const uint8_t fingerprint[DENY_LEN], bool add);

int deny_file_read(struct deny_set *out, const char *path, char *why,
		   size_t why_len);

/*
 * Adds a line, or takes out all lines of that fingerprint; other lines and
 * comments stay as they are. Written aside and renamed, with the file's mode.
 * *out is then what the file holds. A change that is there already writes
 * nothing.
 */
int deny_file_change(struct deny_set *out, const char *path,
		     const uint8_t fingerprint[DENY_LEN], bool add, char *why,
		     size_t why_len);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * farmkey.h - the farm keys in memory, as record.c uses them, and the parser
 * of their file as its tests and fuzz target call it.
 */
#ifndef STEK_FARMKEY_H
#define STEK_FARMKEY_H

#include "record.h"
#include "secret.h"

#define STEK_FARM_KEY_TAG "stek-farm-key-1"
#define STEK_FARM_SECRET_LEN 32
#define STEK_FARM_KEY_FILE_MAX 4096

struct stek_farm_key {
	uint8_t id[STEK_FARM_KEY_ID_LEN];
	uint8_t secret[STEK_FARM_SECRET_LEN];
};

/* Lives in locked memory as a whole. */
struct stek_farm_keys {
	size_t n;
	size_t seals;	/* which of them: 0, or the last after a roll-over */
	struct stek_farm_key keys[STEK_FARM_KEYS_MAX];
};

/*
 * Parses the text of a farm-key file; `path` is for messages only. `text`
 * should lie in locked memory. STEK_EFORMAT with `why`.
 */
int stek__farm_keys_parse(struct stek_farm_keys **out, const char *path,
			  const char *text, size_t len, char *why,
			  size_t why_len) STEK_CHECKED;

#endif

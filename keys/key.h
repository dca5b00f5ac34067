/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * key.h - one session-ticket encryption key. The metadata is immutable; the
 * secret lives in locked memory (secret.h) and is dropped, never changed, once
 * the key is revoked or gone. Shared by rings through a reference count.
 */
#ifndef STEK_KEY_H
#define STEK_KEY_H

#include <stdatomic.h>

#include <stek.h>

#define STEK_SECRET_LEN 32

struct stek_key {
	uint8_t id[STEK_ID_LEN];
	uint8_t *secret;	/* STEK_SECRET_LEN bytes; NULL: wiped */
	int64_t activate_at_ms;
	int64_t expire_at_ms;
	int64_t made_at_ms;
	enum stek_reason reason;
	char made_by[STEK_NAME_MAX + 1];
	atomic_uint refs;
};

/* A random key; id and secret come from the system's generator. */
int stek__key_mint(struct stek_key **out, const char *made_by,
		   enum stek_reason reason, int64_t made_at_ms,
		   int64_t activate_at_ms, int64_t expire_at_ms) STEK_CHECKED;

/*
 * A key from its parts, for record.c and tests. `secret` is copied, NULL makes
 * a key that is known by its metadata only.
 */
int stek__key_new(struct stek_key **out, const uint8_t id[STEK_ID_LEN],
		  const uint8_t *secret, const char *made_by,
		  enum stek_reason reason, int64_t made_at_ms,
		  int64_t activate_at_ms, int64_t expire_at_ms) STEK_CHECKED;

/* The same metadata without the secret. */
int stek__key_without_secret(struct stek_key **out,
			     const struct stek_key *key) STEK_CHECKED;

/* By activation, then by id: less than 0 when the turn of `a` comes first. */
int stek__key_order(const struct stek_key *a, const struct stek_key *b);

struct stek_key *stek__key_ref(struct stek_key *key);

/* Wipes the secret with the last reference. NULL is legal. */
void stek__key_unref(struct stek_key *key);

#endif

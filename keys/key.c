// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * key.c - makes and frees keys. Rings share them by reference count, so a key
 * that two snapshots hold has one secret in memory and is wiped with the last.
 */
#include "key.h"

#include <stdlib.h>
#include <string.h>

#include "secret.h"

/* Far enough for any clock, near enough that sums of times never overflow. */
#define TIME_MAX_MS (INT64_C(1) << 52)

static bool plausible(const char *made_by, enum stek_reason reason,
		      int64_t made_at_ms, int64_t activate_at_ms,
		      int64_t expire_at_ms)
{
	if (!made_by || strlen(made_by) > STEK_NAME_MAX)
		return false;
	if ((int)reason < 0 || reason > STEK_MADE_BY_REVOKE)
		return false;
	return activate_at_ms >= 0 && activate_at_ms < expire_at_ms &&
	       made_at_ms >= 0 && made_at_ms < expire_at_ms &&
	       expire_at_ms <= TIME_MAX_MS;
}

/* Everything but the secret. */
static int make(struct stek_key **out, const uint8_t id[STEK_ID_LEN],
		const char *made_by, enum stek_reason reason,
		int64_t made_at_ms, int64_t activate_at_ms,
		int64_t expire_at_ms)
{
	struct stek_key *key;

	if (!plausible(made_by, reason, made_at_ms, activate_at_ms,
		       expire_at_ms))
		return STEK_EINVAL;
	/* wolfSSL refuses an all-zero key_name, and so do we, at the source. */
	if (stek__is_zero(id, STEK_ID_LEN))
		return STEK_EINVAL;
	key = calloc(1, sizeof(*key));
	if (!key)
		return STEK_ENOMEM;
	memcpy(key->id, id, STEK_ID_LEN);
	key->made_at_ms = made_at_ms;
	key->activate_at_ms = activate_at_ms;
	key->expire_at_ms = expire_at_ms;
	key->reason = reason;
	memcpy(key->made_by, made_by, strlen(made_by) + 1);
	atomic_init(&key->refs, 1);
	*out = key;
	return 0;
}

int stek__key_new(struct stek_key **out, const uint8_t id[STEK_ID_LEN],
		  const uint8_t *secret, const char *made_by,
		  enum stek_reason reason, int64_t made_at_ms,
		  int64_t activate_at_ms, int64_t expire_at_ms)
{
	struct stek_key *key;
	int ret;

	/* CVE-2020-13777: a server that sealed for weeks under a zero key. */
	if (secret && stek__is_zero(secret, STEK_SECRET_LEN))
		return STEK_EINVAL;
	ret = make(&key, id, made_by, reason, made_at_ms, activate_at_ms,
		   expire_at_ms);
	if (ret < 0)
		return ret;
	if (secret) {
		key->secret = stek__secret_alloc(STEK_SECRET_LEN);
		if (!key->secret) {
			stek__key_unref(key);
			return STEK_ENOMEM;
		}
		memcpy(key->secret, secret, STEK_SECRET_LEN);
	}
	*out = key;
	return 0;
}

int stek__key_mint(struct stek_key **out, const char *made_by,
		   enum stek_reason reason, int64_t made_at_ms,
		   int64_t activate_at_ms, int64_t expire_at_ms)
{
	uint8_t id[STEK_ID_LEN];
	struct stek_key *key;
	int ret;

	ret = stek__random(id, sizeof(id));
	if (ret < 0)
		return ret;
	ret = make(&key, id, made_by, reason, made_at_ms, activate_at_ms,
		   expire_at_ms);
	if (ret < 0)
		return ret;
	/* Straight into locked memory: no copy of the secret on the stack. */
	key->secret = stek__secret_alloc(STEK_SECRET_LEN);
	ret = key->secret ? stek__random(key->secret, STEK_SECRET_LEN) :
			    STEK_ENOMEM;
	if (ret == 0 && stek__is_zero(key->secret, STEK_SECRET_LEN))
		ret = STEK_ERANDOM;
	if (ret < 0) {
		stek__key_unref(key);
		return ret;
	}
	*out = key;
	return 0;
}

int stek__key_without_secret(struct stek_key **out, const struct stek_key *key)
{
	return make(out, key->id, key->made_by, key->reason, key->made_at_ms,
		    key->activate_at_ms, key->expire_at_ms);
}

int stek__key_order(const struct stek_key *a, const struct stek_key *b)
{
	if (a->activate_at_ms != b->activate_at_ms)
		return a->activate_at_ms < b->activate_at_ms ? -1 : 1;
	return memcmp(a->id, b->id, STEK_ID_LEN);
}

struct stek_key *stek__key_ref(struct stek_key *key)
{
	atomic_fetch_add_explicit(&key->refs, 1, memory_order_relaxed);
	return key;
}

void stek__key_unref(struct stek_key *key)
{
	if (!key)
		return;
	if (atomic_fetch_sub_explicit(&key->refs, 1, memory_order_acq_rel) != 1)
		return;
	stek__secret_free(key->secret, STEK_SECRET_LEN);
	free(key);
}

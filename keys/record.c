// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * record.c - foreign bytes in and out: ring documents and heartbeats, sealed
 * under the farm key. Stores carry what this file seals and understand none of
 * it; the sync thread alone calls here.
 */
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/chacha20_poly1305.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#include "record.h"

#include <stdlib.h>
#include <string.h>

#include "farmkey.h"
#include "wire.h"

#define FORMAT 1
#define KIND_RING 1
#define KIND_BEAT 2
#define HEAD_LEN (2 + STEK_FARM_KEY_ID_LEN + 8)
#define NONCE_LEN 24
#define TAG_LEN 16
#define PREFIX_LEN (HEAD_LEN + NONCE_LEN)
#define OVERHEAD (PREFIX_LEN + TAG_LEN)
#define PLAIN_MAX \
	(STEK_CANONICAL_MAX + STEK_RING_KEYS_MAX * (1 + STEK_SECRET_LEN))
#define AAD_MAX (HEAD_LEN + STEK_NAME_MAX + 1 + STEK_NAME_MAX)

_Static_assert(PLAIN_MAX + OVERHEAD <= STEK_RECORD_MAX, "a ring fits");
_Static_assert(PLAIN_MAX <= STEK_SECRET_MAX, "and opens in locked memory");
_Static_assert(STEK_BEAT_PLAIN_MAX + OVERHEAD <= STEK_BEAT_MAX, "a beat fits");

struct aad {
	uint8_t data[AAD_MAX];
	size_t len;
};

void stek__blob_free(struct stek_blob *blob)
{
	if (blob->data)
		stek__wipe(blob->data, blob->len);
	free(blob->data);
	blob->data = NULL;
	blob->len = 0;
}

/* `node` is NULL for a ring. Farm names hold no zero byte, so it separates. */
static int make_aad(struct aad *aad, const uint8_t *head, const char *farm,
		    const char *node)
{
	struct stek_writer writer;

	if (strlen(farm) > STEK_NAME_MAX ||
	    (node && strlen(node) > STEK_NAME_MAX))
		return STEK_EINVAL;
	stek__writer_init(&writer, aad->data, sizeof(aad->data));
	stek__write_bytes(&writer, head, HEAD_LEN);
	stek__write_bytes(&writer, farm, strlen(farm));
	if (node) {
		stek__write_u8(&writer, 0);
		stek__write_bytes(&writer, node, strlen(node));
	}
	aad->len = writer.len;
	return writer.failed ? STEK_EINVAL : 0;
}

/* Writes OVERHEAD + len bytes to `out`, which has room for them. */
static int seal(uint8_t *out, uint8_t kind, uint64_t epoch,
		const struct stek_farm_keys *keys, const char *farm,
		const char *node, const uint8_t *plain, size_t len)
{
	const struct stek_farm_key *key = &keys->keys[keys->seals];
	struct stek_writer writer;
	struct aad aad;
	int ret;

	/* Wiped by a fork: never seal under zeros. */
	if (keys->n == 0 || stek__is_zero(key->secret, sizeof(key->secret)))
		return STEK_ECRYPTO;
	stek__writer_init(&writer, out, HEAD_LEN);
	stek__write_u8(&writer, FORMAT);
	stek__write_u8(&writer, kind);
	stek__write_bytes(&writer, key->id, sizeof(key->id));
	stek__write_u64(&writer, epoch);
	ret = make_aad(&aad, out, farm, node);
	if (ret < 0)
		return ret;
	ret = stek__random(out + HEAD_LEN, NONCE_LEN);
	if (ret < 0)
		return ret;
	if (wc_XChaCha20Poly1305_Encrypt(out + PREFIX_LEN, len + TAG_LEN, plain,
					 len, aad.data, aad.len, out + HEAD_LEN,
					 NONCE_LEN, key->secret,
					 sizeof(key->secret)) != 0)
		return STEK_ECRYPTO;
	return 0;
}

static const struct stek_farm_key *
find_key(const struct stek_farm_keys *keys, const uint8_t *id)
{
	for (size_t i = 0; i < keys->n; i++) {
		if (memcmp(keys->keys[i].id, id, STEK_FARM_KEY_ID_LEN) == 0)
			return &keys->keys[i];
	}
	return NULL;
}

/* One farm key by its id, one attempt. Writes len - OVERHEAD bytes. */
static int unseal(uint8_t *plain, uint64_t *epoch, uint8_t kind,
		  const struct stek_farm_keys *keys, const char *farm,
		  const char *node, const uint8_t *data, size_t len)
{
	const struct stek_farm_key *key;
	struct stek_reader reader;
	const uint8_t *id;
	struct aad aad;
	int ret;

	if (len <= OVERHEAD)
		return STEK_EFORMAT;
	stek__reader_init(&reader, data, HEAD_LEN);
	if (stek__read_u8(&reader) != FORMAT || stek__read_u8(&reader) != kind)
		return STEK_EFORMAT;
	id = stek__read_view(&reader, STEK_FARM_KEY_ID_LEN);
	*epoch = stek__read_u64(&reader);
	key = find_key(keys, id);
	if (!key || stek__is_zero(key->secret, sizeof(key->secret)))
		return STEK_EAUTH;
	ret = make_aad(&aad, data, farm, node);
	if (ret < 0)
		return ret;
	ret = wc_XChaCha20Poly1305_Decrypt(plain, len - OVERHEAD,
					   data + PREFIX_LEN, len - PREFIX_LEN,
					   aad.data, aad.len, data + HEAD_LEN,
					   NONCE_LEN, key->secret,
					   sizeof(key->secret));
	if (ret == MAC_CMP_FAILED_E)
		return STEK_EAUTH;
	return ret == 0 ? 0 : STEK_ECRYPTO;
}

static void write_ring(struct stek_writer *writer, const struct stek_ring *ring)
{
	stek__ring_canonical(ring, writer);
	for (size_t i = 0; i < ring->n_keys; i++) {
		const uint8_t *secret = ring->keys[i]->secret;

		stek__write_u8(writer, secret != NULL);
		if (secret)
			stek__write_bytes(writer, secret, STEK_SECRET_LEN);
	}
}

int stek__record_seal(struct stek_blob *out, const struct stek_farm_keys *keys,
		      const char *farm, const struct stek_ring *ring)
{
	uint8_t *plain = stek__secret_alloc(PLAIN_MAX);
	struct stek_blob blob = { .data = NULL };
	struct stek_writer writer;
	int ret = STEK_ENOMEM;

	if (!plain)
		return STEK_ENOMEM;
	stek__writer_init(&writer, plain, PLAIN_MAX);
	write_ring(&writer, ring);
	if (writer.failed) {
		ret = STEK_EFULL;
		goto out;
	}
	blob.len = OVERHEAD + writer.len;
	blob.data = malloc(blob.len);
	if (!blob.data)
		goto out;
	ret = seal(blob.data, KIND_RING, ring->version.epoch, keys, farm, NULL,
		   plain, writer.len);
	if (ret < 0)
		goto out;
	*out = blob;
	blob.data = NULL;
out:
	free(blob.data);
	stek__secret_free(plain, PLAIN_MAX);
	return ret;
}

/* What a document holds before it is a ring. */
struct draft {
	int64_t floor;
	size_t n_keys;
	size_t n_tombstones;
	struct stek_key *keys[STEK_RING_KEYS_MAX];
	struct stek_tombstone tombstones[STEK_TOMBSTONES_MAX];
};

static int read_key(struct stek_reader *reader, struct stek_key **out)
{
	uint8_t id[STEK_ID_LEN];
	char made_by[STEK_NAME_MAX + 1] = "";
	int64_t activate_at_ms, expire_at_ms, made_at_ms;
	uint8_t reason, len;
	int ret;

	stek__read_bytes(reader, id, sizeof(id));
	activate_at_ms = stek__read_i64(reader);
	expire_at_ms = stek__read_i64(reader);
	made_at_ms = stek__read_i64(reader);
	reason = stek__read_u8(reader);
	len = stek__read_u8(reader);
	if (len > STEK_NAME_MAX)
		return STEK_EFORMAT;
	stek__read_bytes(reader, made_by, len);
	if (reader->failed || memchr(made_by, 0, len))
		return STEK_EFORMAT;
	ret = stek__key_new(out, id, NULL, made_by, (enum stek_reason)reason,
			    made_at_ms, activate_at_ms, expire_at_ms);
	return ret == STEK_EINVAL ? STEK_EFORMAT : ret;
}

/* Gives a key, made a moment ago and held by nobody else, its secret. */
static int read_secret(struct stek_reader *reader, struct stek_key *key)
{
	uint8_t has_secret = stek__read_u8(reader);
	const uint8_t *secret;

	if (has_secret > 1)
		return STEK_EFORMAT;
	if (!has_secret)
		return 0;
	secret = stek__read_view(reader, STEK_SECRET_LEN);
	if (!secret || stek__is_zero(secret, STEK_SECRET_LEN))
		return STEK_EFORMAT;
	key->secret = stek__secret_alloc(STEK_SECRET_LEN);
	if (!key->secret)
		return STEK_ENOMEM;
	memcpy(key->secret, secret, STEK_SECRET_LEN);
	return 0;
}

static void read_tombstone(struct stek_reader *reader,
			   struct stek_tombstone *stone)
{
	stek__read_bytes(reader, stone->id, STEK_ID_LEN);
	stone->activate_at_ms = stek__read_i64(reader);
	stone->expire_at_ms = stek__read_i64(reader);
	stone->revoked_at_ms = stek__read_i64(reader);
}

static int read_draft(struct stek_reader *reader, struct draft *draft)
{
	size_t n_keys;
	int ret = 0;

	/* The format byte is compared with the rest, in check_same(). */
	(void)stek__read_u8(reader);
	n_keys = stek__read_u8(reader);
	draft->n_tombstones = stek__read_u16(reader);
	draft->floor = stek__read_i64(reader);
	if (n_keys > STEK_RING_KEYS_MAX ||
	    draft->n_tombstones > STEK_TOMBSTONES_MAX)
		return STEK_EFORMAT;
	for (size_t i = 0; i < n_keys; i++) {
		ret = read_key(reader, &draft->keys[i]);
		if (ret < 0)
			return ret;
		draft->n_keys = i + 1;
	}
	for (size_t i = 0; i < draft->n_tombstones; i++)
		read_tombstone(reader, &draft->tombstones[i]);
	for (size_t i = 0; i < n_keys && ret == 0; i++)
		ret = read_secret(reader, draft->keys[i]);
	if (ret < 0)
		return ret;
	return stek__reader_done(reader) ? 0 : STEK_EFORMAT;
}

/*
 * One ring has one document: unsorted or repeated entries, another format, a
 * revoked key's secret and the like all show as a difference here.
 */
static int check_same(const struct stek_ring *ring, const uint8_t *data,
		      size_t len)
{
	uint8_t *again = stek__secret_alloc(len);
	struct stek_writer writer;
	int ret = 0;

	if (!again)
		return STEK_ENOMEM;
	stek__writer_init(&writer, again, len);
	write_ring(&writer, ring);
	if (writer.failed || writer.len != len ||
	    !stek__equal(again, data, len))
		ret = STEK_EFORMAT;
	stek__secret_free(again, len);
	return ret;
}

int stek__record_parse(struct stek_ring **out, uint64_t epoch,
		       const uint8_t *data, size_t len)
{
	struct draft *draft = calloc(1, sizeof(*draft));
	struct stek_ring *ring = NULL;
	struct stek_reader reader;
	int ret;

	if (!draft)
		return STEK_ENOMEM;
	stek__reader_init(&reader, data, len);
	ret = read_draft(&reader, draft);
	if (ret < 0)
		goto out;
	ret = stek__ring_new(&ring, epoch, draft->keys, draft->n_keys,
			     draft->tombstones, draft->n_tombstones,
			     draft->floor);
	if (ret == STEK_EINVAL || ret == STEK_EFULL)
		ret = STEK_EFORMAT;
	if (ret < 0)
		goto out;
	ret = check_same(ring, data, len);
	if (ret < 0)
		goto out;
	*out = ring;
	ring = NULL;
out:
	stek__ring_unref(ring);
	for (size_t i = 0; i < draft->n_keys; i++)
		stek__key_unref(draft->keys[i]);
	free(draft);
	return ret;
}

int stek__record_open(struct stek_ring **out, const struct stek_farm_keys *keys,
		      const char *farm, const uint8_t *data, size_t len)
{
	const size_t plain_len = len - OVERHEAD;
	uint8_t *plain;
	uint64_t epoch;
	int ret;

	if (len <= OVERHEAD || plain_len > PLAIN_MAX)
		return STEK_EFORMAT;
	plain = stek__secret_alloc(plain_len);
	if (!plain)
		return STEK_ENOMEM;
	ret = unseal(plain, &epoch, KIND_RING, keys, farm, NULL, data, len);
	if (ret == 0)
		ret = stek__record_parse(out, epoch, plain, plain_len);
	stek__secret_free(plain, plain_len);
	return ret;
}

int stek__beat_seal(uint8_t out[STEK_BEAT_MAX], size_t *out_len,
		    const struct stek_farm_keys *keys, const char *farm,
		    const char *node, const struct stek_beat *beat)
{
	uint8_t plain[STEK_BEAT_PLAIN_MAX];
	struct stek_writer writer;
	int ret;

	stek__writer_init(&writer, plain, sizeof(plain));
	stek__beat_write(&writer, beat);
	if (writer.failed)
		return STEK_EINVAL;
	ret = seal(out, KIND_BEAT, beat->version.epoch, keys, farm, node, plain,
		   writer.len);
	if (ret == 0)
		*out_len = OVERHEAD + writer.len;
	return ret;
}

int stek__beat_open(struct stek_beat *out, const struct stek_farm_keys *keys,
		    const char *farm, const char *node, const uint8_t *data,
		    size_t len)
{
	uint8_t plain[STEK_BEAT_PLAIN_MAX];
	uint64_t epoch;
	int ret;

	if (len <= OVERHEAD || len - OVERHEAD > sizeof(plain))
		return STEK_EFORMAT;
	ret = unseal(plain, &epoch, KIND_BEAT, keys, farm, node, data, len);
	if (ret == 0)
		ret = stek__beat_parse(out, plain, len - OVERHEAD);
	if (ret == 0)
		out->version.epoch = epoch;
	return ret;
}

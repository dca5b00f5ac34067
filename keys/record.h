/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * record.h - foreign bytes in and out: the sealed ring document and the sealed
 * heartbeat, and the farm key that seals both. AEAD is XChaCha20-Poly1305 with
 * a random 192-bit nonce.
 *
 *	byte    0      format, 1
 *	byte    1      kind: 1 ring, 2 heartbeat
 *	bytes   2..9   farm-key id
 *	bytes  10..17  epoch, big-endian
 *	bytes  18..41  nonce
 *	bytes  42..    ciphertext, then a tag of 16 bytes
 *
 * Associated data: the 18 bytes before the nonce, then the farm name; for a
 * heartbeat then a zero byte and the node name.
 */
#ifndef STEK_RECORD_H
#define STEK_RECORD_H

#include "ring.h"

#define STEK_RECORD_MAX (64 * 1024)
#define STEK_BEAT_MAX 2048

/* One or two farm keys: one seals, all open. In locked memory. */
struct stek_farm_keys;

/* `why` gets file, line and what was expected. STEK_EMODE, _EIO, _EFORMAT. */
int stek__farm_keys_read(struct stek_farm_keys **out, const char *path,
			 char *why, size_t why_len) STEK_CHECKED;
void stek__farm_keys_free(struct stek_farm_keys *keys);

struct stek_blob {
	uint8_t *data;
	size_t len;
};

void stek__blob_free(struct stek_blob *blob);	/* wipes */

int stek__record_seal(struct stek_blob *out, const struct stek_farm_keys *keys,
		      const char *farm, const struct stek_ring *ring)
	STEK_CHECKED;

/* STEK_EFORMAT or STEK_EAUTH, both without a partial result. */
int stek__record_open(struct stek_ring **out, const struct stek_farm_keys *keys,
		      const char *farm, const uint8_t *data, size_t len)
	STEK_CHECKED;

/*
 * The plaintext of a ring document: the canonical form of ring.h, then for each
 * key in its order a byte 1 and the secret, or a byte 0. Strict: exactly what
 * writing the parsed ring again would give, else STEK_EFORMAT. For
 * stek__record_open() and the fuzz target.
 */
int stek__record_parse(struct stek_ring **out, uint64_t epoch,
		       const uint8_t *data, size_t len) STEK_CHECKED;

/*
 * A node's heartbeat, before sealing. After the payload, from format 2 on, come
 * fields of a tag, a length and a value: a node skips those that it does not
 * know, so that newer ones need no new format. Format 1 is still read.
 */
struct stek_beat {
	uint32_t node_id;
	int64_t started_at_ms;
	int32_t clock_offset_us;
	struct stek_version version;
	/* The node's farm keys in the order of its file; 0: it did not say. */
	size_t n_farm_keys;
	size_t seals;		/* which of them */
	uint8_t farm_keys[STEK_FARM_KEYS_MAX][STEK_FARM_KEY_ID_LEN];
	uint64_t audit_seq;	/* last entry of the audit that it knows */
	uint8_t audit_hash[STEK_DIGEST_LEN];
	size_t payload_len;
	uint8_t payload[STEK_PAYLOAD_MAX];
};

/* Room for the fields of a later release too. */
#define STEK_BEAT_PLAIN_MAX (STEK_PAYLOAD_MAX + 384)

/* beat.c; the writer fails on a beat that is out of its limits. */
struct stek_writer;
void stek__beat_write(struct stek_writer *writer, const struct stek_beat *beat);

/* An opened heartbeat, but for its epoch. For its fuzz target, as above. */
int stek__beat_parse(struct stek_beat *out, const uint8_t *data, size_t len)
	STEK_CHECKED;

int stek__beat_seal(uint8_t out[STEK_BEAT_MAX], size_t *out_len,
		    const struct stek_farm_keys *keys, const char *farm,
		    const char *node, const struct stek_beat *beat)
	STEK_CHECKED;
int stek__beat_open(struct stek_beat *out, const struct stek_farm_keys *keys,
		    const char *farm, const char *node, const uint8_t *data,
		    size_t len) STEK_CHECKED;

#endif

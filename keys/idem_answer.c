// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * idem_answer.c - writes and reads the answer that the audit keeps for a
 * request that comes again. Called by idem.c.
 */
#include <stdlib.h>
#include <string.h>

#include "idem_answer.h"
#include "wire.h"

#define FORMAT 1
#define ACKS_MAX 100		/* a larger farm's are counted, not named */
#define BYTES_MAX \
	(256 + 160 + STEK_RING_KEYS_MAX * STEK_ID_LEN + \
	 ACKS_MAX * (STEK_NAME_MAX + 8))

char *stek__answer_write(const struct stek_command *command)
{
	static const char digits[] = "0123456789abcdef";
	const struct stek_change *change = &command->change;
	size_t i, n = change->n_acks < ACKS_MAX ? change->n_acks : ACKS_MAX;
	uint8_t bytes[BYTES_MAX];
	struct stek_writer writer;
	char *word;

	stek__writer_init(&writer, bytes, sizeof(bytes));
	stek__write_u8(&writer, FORMAT);
	stek__write_u32(&writer, (uint32_t)command->result);
	stek__write_bytes(&writer, change->key_id, STEK_ID_LEN);
	stek__write_i64(&writer, change->activate_at_ms);
	stek__write_u64(&writer, change->version.epoch);
	stek__write_bytes(&writer, change->version.digest, STEK_DIGEST_LEN);
	stek__write_u8(&writer, change->published);
	stek__write_u8(&writer, (uint8_t)change->n_revoked);
	stek__write_bytes(&writer, change->revoked_ids,
			  change->n_revoked * STEK_ID_LEN);
	stek__write_bytes(&writer, change->detail, sizeof(change->detail));
	stek__write_u8(&writer, (uint8_t)n);
	for (i = 0; i < n; i++) {
		const struct stek_ack *ack = &change->acks[i];
		size_t len = strlen(ack->name);

		stek__write_u8(&writer, (uint8_t)len);
		stek__write_bytes(&writer, ack->name, len);
		stek__write_u8(&writer, ack->acknowledged);
		stek__write_u32(&writer, ack->after_ms);
	}
	word = writer.failed ? NULL : malloc(2 * writer.len + 1);
	if (!word)
		return NULL;
	for (i = 0; i < writer.len; i++) {
		word[2 * i] = digits[bytes[i] >> 4];
		word[2 * i + 1] = digits[bytes[i] & 15];
	}
	word[2 * writer.len] = '\0';
	return word;
}

static size_t unhex(uint8_t *out, size_t cap, const char *word, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	if (len % 2 || len / 2 > cap)
		return 0;
	for (i = 0; i < len / 2; i++) {
		const char *high = strchr(digits, word[2 * i]);
		const char *low = strchr(digits, word[2 * i + 1]);

		if (!high || !low || !*high || !*low)
			return 0;
		out[i] = (uint8_t)((high - digits) << 4 | (low - digits));
	}
	return len / 2;
}

static void read_acks(struct stek_reader *reader, struct stek_change *change)
{
	size_t i, n = stek__read_u8(reader);

	change->acks = calloc(n + 1, sizeof(*change->acks));
	for (i = 0; change->acks && i < n && !reader->failed; i++) {
		struct stek_ack *ack = &change->acks[i];
		size_t len = stek__read_u8(reader);

		if (len > STEK_NAME_MAX) {
			stek__reader_fail(reader);
			return;
		}
		stek__read_bytes(reader, ack->name, len);
		ack->acknowledged = stek__read_u8(reader) != 0;
		ack->after_ms = stek__read_u32(reader);
		change->n_acks = i + 1;
	}
}

int stek__answer_read(struct stek_command *command, const char *word,
		      size_t len)
{
	struct stek_change *change = &command->change;
	uint8_t bytes[BYTES_MAX];
	struct stek_reader reader;
	uint32_t result;
	uint8_t format;

	stek__reader_init(&reader, bytes, unhex(bytes, sizeof(bytes), word,
						len));
	format = stek__read_u8(&reader);
	result = stek__read_u32(&reader);
	stek__read_bytes(&reader, change->key_id, STEK_ID_LEN);
	change->activate_at_ms = stek__read_i64(&reader);
	change->version.epoch = stek__read_u64(&reader);
	stek__read_bytes(&reader, change->version.digest, STEK_DIGEST_LEN);
	change->published = stek__read_u8(&reader) != 0;
	change->n_revoked = stek__read_u8(&reader);
	if (format != FORMAT || change->n_revoked > STEK_RING_KEYS_MAX)
		return STEK_EFORMAT;
	stek__read_bytes(&reader, change->revoked_ids,
			 change->n_revoked * STEK_ID_LEN);
	stek__read_bytes(&reader, change->detail, sizeof(change->detail));
	change->detail[sizeof(change->detail) - 1] = '\0';
	read_acks(&reader, change);
	return stek__reader_done(&reader) ? (int)(int32_t)result :
					    STEK_EFORMAT;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * beat.c - what a heartbeat says, before it is sealed and after it was opened.
 * Called by record.c.
 */
#include <string.h>

#include "record.h"
#include "wire.h"

#define BEAT_FORMAT_FIRST 1
#define BEAT_FORMAT 2
#define FIELD_FARM_KEYS 1	/* which seals, then the ids */
#define FIELD_AUDIT 2		/* number and hash of the last entry */
#define FIELDS_MAX \
	(3 + 1 + STEK_FARM_KEYS_MAX * STEK_FARM_KEY_ID_LEN + 3 + 8 + \
	 STEK_DIGEST_LEN)

_Static_assert(1 + 4 + 8 + 4 + STEK_DIGEST_LEN + 2 + STEK_PAYLOAD_MAX +
	       FIELDS_MAX <= STEK_BEAT_PLAIN_MAX, "a beat fits");

static void write_fields(struct stek_writer *writer,
			 const struct stek_beat *beat)
{
	size_t n = beat->n_farm_keys;

	if (n) {
		stek__write_u8(writer, FIELD_FARM_KEYS);
		stek__write_u16(writer,
				(uint16_t)(1 + n * STEK_FARM_KEY_ID_LEN));
		stek__write_u8(writer, (uint8_t)beat->seals);
		stek__write_bytes(writer, beat->farm_keys,
				  n * STEK_FARM_KEY_ID_LEN);
	}
	if (!beat->audit_seq)
		return;
	stek__write_u8(writer, FIELD_AUDIT);
	stek__write_u16(writer, 8 + STEK_DIGEST_LEN);
	stek__write_u64(writer, beat->audit_seq);
	stek__write_bytes(writer, beat->audit_hash, STEK_DIGEST_LEN);
}

void stek__beat_write(struct stek_writer *writer, const struct stek_beat *beat)
{
	if (beat->payload_len > STEK_PAYLOAD_MAX ||
	    beat->n_farm_keys > STEK_FARM_KEYS_MAX) {
		writer->failed = true;
		return;
	}
	stek__write_u8(writer, BEAT_FORMAT);
	stek__write_u32(writer, beat->node_id);
	stek__write_i64(writer, beat->started_at_ms);
	stek__write_u32(writer, (uint32_t)beat->clock_offset_us);
	stek__write_bytes(writer, beat->version.digest, STEK_DIGEST_LEN);
	stek__write_u16(writer, (uint16_t)beat->payload_len);
	stek__write_bytes(writer, beat->payload, beat->payload_len);
	write_fields(writer, beat);
}

static void read_farm_keys(struct stek_reader *value, struct stek_beat *beat)
{
	size_t n;

	beat->seals = stek__read_u8(value);
	n = value->left / STEK_FARM_KEY_ID_LEN;
	if (n == 0 || n > STEK_FARM_KEYS_MAX || beat->seals >= n) {
		stek__reader_fail(value);
		return;
	}
	beat->n_farm_keys = n;
	stek__read_bytes(value, beat->farm_keys, n * STEK_FARM_KEY_ID_LEN);
}

static void read_audit(struct stek_reader *value, struct stek_beat *beat)
{
	beat->audit_seq = stek__read_u64(value);
	stek__read_bytes(value, beat->audit_hash, STEK_DIGEST_LEN);
	if (beat->audit_seq == 0)
		stek__reader_fail(value);
}

/* A field that comes twice, or is longer than it should be, is refused. */
static void read_fields(struct stek_reader *reader, struct stek_beat *beat)
{
	struct stek_reader value;
	const uint8_t *bytes;
	uint8_t tag;
	uint16_t len;

	while (reader->left && !reader->failed) {
		tag = stek__read_u8(reader);
		len = stek__read_u16(reader);
		bytes = stek__read_view(reader, len);
		if (!bytes || (tag != FIELD_FARM_KEYS && tag != FIELD_AUDIT))
			continue;
		stek__reader_init(&value, bytes, len);
		if (tag == FIELD_FARM_KEYS && !beat->n_farm_keys)
			read_farm_keys(&value, beat);
		else if (tag == FIELD_AUDIT && !beat->audit_seq)
			read_audit(&value, beat);
		if (!stek__reader_done(&value))
			stek__reader_fail(reader);
	}
}

int stek__beat_parse(struct stek_beat *out, const uint8_t *data, size_t len)
{
	struct stek_beat beat = { .node_id = 0 };
	struct stek_reader reader;
	uint8_t format;
	uint32_t offset;

	stek__reader_init(&reader, data, len);
	format = stek__read_u8(&reader);
	beat.node_id = stek__read_u32(&reader);
	beat.started_at_ms = stek__read_i64(&reader);
	offset = stek__read_u32(&reader);
	memcpy(&beat.clock_offset_us, &offset, sizeof(offset));
	stek__read_bytes(&reader, beat.version.digest, STEK_DIGEST_LEN);
	beat.payload_len = stek__read_u16(&reader);
	if (format < BEAT_FORMAT_FIRST || format > BEAT_FORMAT ||
	    beat.payload_len > STEK_PAYLOAD_MAX)
		return STEK_EFORMAT;
	stek__read_bytes(&reader, beat.payload, beat.payload_len);
	if (format > BEAT_FORMAT_FIRST)
		read_fields(&reader, &beat);
	if (!stek__reader_done(&reader))
		return STEK_EFORMAT;
	*out = beat;
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * wire.c - the cursors through which every foreign byte enters and every
 * document byte leaves. record.c, ring.c and ticket.c call it.
 */
#include "wire.h"

#include <string.h>

void stek__reader_init(struct stek_reader *reader, const void *data, size_t len)
{
	reader->at = data;
	reader->left = data ? len : 0;
	reader->failed = false;
}

void stek__reader_fail(struct stek_reader *reader)
{
	reader->failed = true;
	reader->left = 0;
}

const uint8_t *stek__read_view(struct stek_reader *reader, size_t len)
{
	const uint8_t *view = reader->at;

	if (reader->failed || len > reader->left) {
		stek__reader_fail(reader);
		return NULL;
	}
	/* NULL plus zero is undefined, and an empty input may be NULL. */
	if (len == 0)
		return view;
	reader->at += len;
	reader->left -= len;
	return view;
}

void stek__read_bytes(struct stek_reader *reader, void *out, size_t len)
{
	const uint8_t *view = stek__read_view(reader, len);

	if (len == 0)
		return;
	if (!view) {
		memset(out, 0, len);
		return;
	}
	memcpy(out, view, len);
}

static uint64_t read_be(struct stek_reader *reader, size_t len)
{
	uint8_t bytes[8];
	uint64_t value = 0;

	stek__read_bytes(reader, bytes, len);
	for (size_t i = 0; i < len; i++)
		value = value << 8 | bytes[i];
	return value;
}

uint8_t stek__read_u8(struct stek_reader *reader)
{
	return (uint8_t)read_be(reader, 1);
}

uint16_t stek__read_u16(struct stek_reader *reader)
{
	return (uint16_t)read_be(reader, 2);
}

uint32_t stek__read_u32(struct stek_reader *reader)
{
	return (uint32_t)read_be(reader, 4);
}

uint64_t stek__read_u64(struct stek_reader *reader)
{
	return read_be(reader, 8);
}

int64_t stek__read_i64(struct stek_reader *reader)
{
	uint64_t value = read_be(reader, 8);

	/* Two's complement without the implementation-defined conversion. */
	if (value <= INT64_MAX)
		return (int64_t)value;
	return -(int64_t)(UINT64_MAX - value) - 1;
}

bool stek__reader_done(const struct stek_reader *reader)
{
	return !reader->failed && reader->left == 0;
}

void stek__writer_init(struct stek_writer *writer, void *buf, size_t cap)
{
	writer->base = buf;
	writer->cap = cap;
	writer->len = 0;
	writer->failed = false;
}

void stek__write_bytes(struct stek_writer *writer, const void *data, size_t len)
{
	if (writer->failed || len > writer->cap - writer->len) {
		writer->failed = true;
		return;
	}
	if (len == 0)
		return;
	memcpy(writer->base + writer->len, data, len);
	writer->len += len;
}

static void write_be(struct stek_writer *writer, uint64_t value, size_t len)
{
	uint8_t bytes[8];

	for (size_t i = len; i-- > 0; value >>= 8)
		bytes[i] = (uint8_t)value;
	stek__write_bytes(writer, bytes, len);
}

void stek__write_u8(struct stek_writer *writer, uint8_t value)
{
	write_be(writer, value, 1);
}

void stek__write_u16(struct stek_writer *writer, uint16_t value)
{
	write_be(writer, value, 2);
}

void stek__write_u32(struct stek_writer *writer, uint32_t value)
{
	write_be(writer, value, 4);
}

void stek__write_u64(struct stek_writer *writer, uint64_t value)
{
	write_be(writer, value, 8);
}

void stek__write_i64(struct stek_writer *writer, int64_t value)
{
	write_be(writer, (uint64_t)value, 8);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wire.h - one bounds-checked big-endian cursor for reading and one for
 * writing. An error sticks: later calls read zeros or write nothing, so a
 * parser runs straight through and checks once, at the end.
 */
#ifndef STEK_WIRE_H
#define STEK_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stek_reader {
	const uint8_t *at;
	size_t left;
	bool failed;
};

void stek__reader_init(struct stek_reader *reader, const void *data,
		       size_t len);
uint8_t stek__read_u8(struct stek_reader *reader);
uint16_t stek__read_u16(struct stek_reader *reader);
uint32_t stek__read_u32(struct stek_reader *reader);
uint64_t stek__read_u64(struct stek_reader *reader);
int64_t stek__read_i64(struct stek_reader *reader);

/* Copies `len` bytes, or zeroes `out` when they are not there. */
void stek__read_bytes(struct stek_reader *reader, void *out, size_t len);

/* The next `len` bytes in place, or NULL. */
const uint8_t *stek__read_view(struct stek_reader *reader, size_t len);

/* Marks the input as bad, for a value that does not make sense. */
void stek__reader_fail(struct stek_reader *reader);

/* True if nothing failed and every byte was read. */
bool stek__reader_done(const struct stek_reader *reader);

struct stek_writer {
	uint8_t *base;
	size_t cap;
	size_t len;
	bool failed;
};

void stek__writer_init(struct stek_writer *writer, void *buf, size_t cap);
void stek__write_u8(struct stek_writer *writer, uint8_t value);
void stek__write_u16(struct stek_writer *writer, uint16_t value);
void stek__write_u32(struct stek_writer *writer, uint32_t value);
void stek__write_u64(struct stek_writer *writer, uint64_t value);
void stek__write_i64(struct stek_writer *writer, int64_t value);
void stek__write_bytes(struct stek_writer *writer, const void *data,
		       size_t len);

#endif

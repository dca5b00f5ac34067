// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_wire.c - the cursors of keys/wire.c: big-endian, bounded, and an error
 * that sticks.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

/* Numbers are written most significant byte first. */
START_TEST(test_write_is_big_endian)
{
	static const uint8_t expected[] = {
		0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a,
		0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xfe,
	};
	struct stek_writer writer;
	uint8_t buf[32];

	stek__writer_init(&writer, buf, sizeof(buf));
	stek__write_u8(&writer, 0x01);
	stek__write_u16(&writer, 0x0203);
	stek__write_u32(&writer, 0x04050607);
	stek__write_u64(&writer, UINT64_C(0x08090a0b0c0d0e0f));
	stek__write_i64(&writer, -2);
	ck_assert(!writer.failed);
	ck_assert_uint_eq(writer.len, sizeof(expected));
	ck_assert_mem_eq(buf, expected, sizeof(expected));
}
END_TEST

/* What was written is read back, the extremes included. */
START_TEST(test_read_gives_back)
{
	static const int64_t extremes[] = {
		INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX,
	};
	struct stek_writer writer;
	struct stek_reader reader;
	uint8_t buf[128];

	stek__writer_init(&writer, buf, sizeof(buf));
	for (size_t i = 0; i < 6; i++)
		stek__write_i64(&writer, extremes[i]);
	stek__write_u8(&writer, 0xfe);
	stek__write_u16(&writer, 0xfedc);
	stek__write_u32(&writer, 0xfedcba98);
	stek__write_u64(&writer, UINT64_MAX);
	stek__reader_init(&reader, buf, writer.len);
	for (size_t i = 0; i < 6; i++)
		ck_assert_int_eq(stek__read_i64(&reader), extremes[i]);
	ck_assert_uint_eq(stek__read_u8(&reader), 0xfe);
	ck_assert_uint_eq(stek__read_u16(&reader), 0xfedc);
	ck_assert_uint_eq(stek__read_u32(&reader), 0xfedcba98);
	ck_assert(!stek__reader_done(&reader));
	ck_assert_uint_eq(stek__read_u64(&reader), UINT64_MAX);
	ck_assert(stek__reader_done(&reader));
}
END_TEST

/* One byte short: zero, an error, and nothing more is read. */
START_TEST(test_read_short_sticks)
{
	static const uint8_t bytes[] = { 1, 2, 3 };
	struct stek_reader reader;
	uint8_t out[4] = { 9, 9, 9, 9 };

	stek__reader_init(&reader, bytes, sizeof(bytes));
	ck_assert_uint_eq(stek__read_u32(&reader), 0);
	ck_assert(reader.failed);
	ck_assert_uint_eq(stek__read_u8(&reader), 0);
	stek__read_bytes(&reader, out, sizeof(out));
	ck_assert_mem_eq(out, "\0\0\0\0", 4);
	ck_assert_ptr_null(stek__read_view(&reader, 0));
	ck_assert(!stek__reader_done(&reader));
}
END_TEST

/* A view points into the input; one past its end is none. */
START_TEST(test_view_is_bounded)
{
	static const uint8_t bytes[] = { 1, 2, 3 };
	struct stek_reader reader;

	stek__reader_init(&reader, bytes, sizeof(bytes));
	ck_assert_ptr_eq(stek__read_view(&reader, 2), bytes);
	ck_assert_ptr_null(stek__read_view(&reader, SIZE_MAX));
	ck_assert(reader.failed);
	stek__reader_init(&reader, bytes, sizeof(bytes));
	ck_assert_ptr_null(stek__read_view(&reader, 4));
}
END_TEST

/* An empty input is read to its end at once. */
START_TEST(test_empty_input)
{
	struct stek_reader reader;

	stek__reader_init(&reader, NULL, 0);
	ck_assert(stek__reader_done(&reader));
	stek__read_bytes(&reader, NULL, 0);
	ck_assert(stek__reader_done(&reader));
	ck_assert_uint_eq(stek__read_u16(&reader), 0);
	ck_assert(!stek__reader_done(&reader));
}
END_TEST

/* A value that makes no sense fails the rest of the input too. */
START_TEST(test_fail_sticks)
{
	struct stek_reader reader;

	stek__reader_init(&reader, "abc", 3);
	stek__reader_fail(&reader);
	ck_assert_uint_eq(stek__read_u8(&reader), 0);
	ck_assert(!stek__reader_done(&reader));
}
END_TEST

/* A write that does not fit writes nothing, nor does any after it. */
START_TEST(test_write_full_sticks)
{
	struct stek_writer writer;
	uint8_t buf[4] = { 9, 9, 9, 9 };

	stek__writer_init(&writer, buf, 3);
	stek__write_u16(&writer, 0x0102);
	stek__write_u16(&writer, 0x0304);
	ck_assert(writer.failed);
	stek__write_u8(&writer, 5);
	ck_assert_uint_eq(writer.len, 2);
	ck_assert_mem_eq(buf, "\1\2\11\11", 4);
	stek__writer_init(&writer, buf, 3);
	stek__write_bytes(&writer, buf, SIZE_MAX);
	ck_assert(writer.failed);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wire");
	TCase *reading = tcase_create("read");
	TCase *writing = tcase_create("write");
	SRunner *runner;
	int failed;

	tcase_add_test(reading, test_read_gives_back);
	tcase_add_test(reading, test_read_short_sticks);
	tcase_add_test(reading, test_view_is_bounded);
	tcase_add_test(reading, test_empty_input);
	tcase_add_test(reading, test_fail_sticks);
	suite_add_tcase(suite, reading);
	tcase_add_test(writing, test_write_is_big_endian);
	tcase_add_test(writing, test_write_full_sticks);
	suite_add_tcase(suite, writing);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

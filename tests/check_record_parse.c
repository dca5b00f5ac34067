// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_record_parse.c - the opened document: whoever holds the farm key could
 * seal anything, and still only the one canonical form of a ring is taken.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "record.h"
#include "ring_maker.h"
#include "wire.h"

static struct stek_ring *ring;
static struct stek_ring *opened;

static void setup(void)
{
	struct stek_key *parts[3];
	struct stek_tombstone stones[2];
	uint64_t seed = 3;

	for (unsigned i = 0; i < 3; i++)
		parts[i] = maker_key(i, i != 1);
	stones[0] = maker_tombstone(2, &seed);
	stones[1] = maker_tombstone(30, &seed);
	ring = NULL;
	opened = NULL;
	ck_assert_int_eq(stek__ring_new(&ring, 5, parts, 3, stones, 2, 12345),
			 0);
	for (unsigned i = 0; i < 3; i++)
		stek__key_unref(parts[i]);
}

static void teardown(void)
{
	stek__ring_unref(opened);
	stek__ring_unref(ring);
}

static uint8_t plain[32768];

static size_t write_plain(const struct stek_ring *of)
{
	struct stek_writer writer;

	stek__writer_init(&writer, plain, sizeof(plain));
	stek__ring_canonical(of, &writer);
	for (size_t i = 0; i < of->n_keys; i++) {
		const uint8_t *secret = of->keys[i]->secret;

		stek__write_u8(&writer, secret != NULL);
		if (secret)
			stek__write_bytes(&writer, secret, STEK_SECRET_LEN);
	}
	ck_assert(!writer.failed);
	return writer.len;
}

static int parse(size_t len)
{
	uint8_t *exact = malloc(len + 1);
	int ret;

	memcpy(exact, plain, len);
	ret = stek__record_parse(&opened, 7, exact, len);
	free(exact);
	return ret;
}

/* What write_plain() makes is what the parser takes, at this length only. */
START_TEST(test_parse_refuses_each_length)
{
	size_t len = write_plain(ring);

	for (size_t cut = 0; cut < len; cut++)
		ck_assert_int_eq(parse(cut), STEK_EFORMAT);
	plain[len] = 0;
	ck_assert_int_eq(parse(len + 1), STEK_EFORMAT);
	ck_assert_ptr_null(opened);
	ck_assert_int_eq(parse(len), 0);
	ck_assert_uint_eq(opened->version.epoch, 7);
	ck_assert_mem_eq(opened->version.digest, ring->version.digest,
			 STEK_DIGEST_LEN);
}
END_TEST

/* Layout of the parts that the next tests spoil. */
#define FLOOR_AT 4
#define KEYS_AT 12
#define KEY_LEN(name_len) (STEK_ID_LEN + 26 + (name_len))

static void put_i64(size_t at, int64_t value)
{
	struct stek_writer writer;

	stek__writer_init(&writer, plain + at, 8);
	stek__write_i64(&writer, value);
}

/* Wrong format, too many parts, a negative floor. */
START_TEST(test_parse_refuses_bad_head)
{
	size_t len = write_plain(ring);

	plain[0] = 2;
	ck_assert_int_eq(parse(len), STEK_EFORMAT);
	plain[0] = 1;
	plain[1] = STEK_RING_KEYS_MAX + 1;
	ck_assert_int_eq(parse(len), STEK_EFORMAT);
	plain[1] = 3;
	plain[2] = 2;
	ck_assert_int_eq(parse(len), STEK_EFORMAT);
	plain[2] = 0;
	put_i64(FLOOR_AT, -1);
	ck_assert_int_eq(parse(len), STEK_EFORMAT);
	put_i64(FLOOR_AT, 12345);
	ck_assert_int_eq(parse(len), 0);
}
END_TEST

/* Times that contradict each other, unknown reasons, names with a NUL. */
START_TEST(test_parse_refuses_bad_key)
{
	size_t len = write_plain(ring);
	const size_t times = KEYS_AT + STEK_ID_LEN;
	const struct stek_key *key = ring->keys[0];

	put_i64(times, key->expire_at_ms);
	ck_assert_int_eq(parse(len), STEK_EFORMAT);
	put_i64(times, -1);
	ck_assert_int_eq(parse(len), STEK_EFORMAT);
	put_i64(times, key->activate_at_ms);
	put_i64(times + 8, INT64_MAX);
	ck_assert_int_eq(parse(len), STEK_EFORMAT);
	put_i64(times + 8, key->expire_at_ms);
	put_i64(times + 16, key->expire_at_ms);
	ck_assert_int_eq(parse(len), STEK_EFORMAT);
	put_i64(times + 16, key->made_at_ms);
	plain[times + 24] = 3;
	ck_assert_int_eq(parse(len), STEK_EFORMAT);
	plain[times + 24] = (uint8_t)key->reason;
	plain[times + 25] = STEK_NAME_MAX + 1;
	ck_assert_int_eq(parse(len), STEK_EFORMAT);
	plain[times + 25] = (uint8_t)strlen(key->made_by);
	plain[times + 26] = 0;
	ck_assert_int_eq(parse(len), STEK_EFORMAT);
	plain[times + 26] = (uint8_t)key->made_by[0];
	memset(plain + KEYS_AT, 0, STEK_ID_LEN);
	ck_assert_int_eq(parse(len), STEK_EFORMAT);
	memcpy(plain + KEYS_AT, key->id, STEK_ID_LEN);
	ck_assert_ptr_null(opened);
	ck_assert_int_eq(parse(len), 0);
}
END_TEST

static struct stek_ring *ring_of_two(void)
{
	struct stek_key *parts[2] = { maker_key(4, true), maker_key(6, true) };
	struct stek_ring *two = NULL;

	ck_assert_int_eq(stek__ring_new(&two, 7, parts, 2, NULL, 0, 0), 0);
	stek__key_unref(parts[0]);
	stek__key_unref(parts[1]);
	return two;
}

/* Keys out of order, or one key twice, are not the canonical document. */
START_TEST(test_parse_refuses_order_and_repetition)
{
	struct stek_ring *two = ring_of_two();
	size_t len = write_plain(two);
	const size_t one = KEY_LEN(strlen(two->keys[0]->made_by));
	uint8_t first[KEY_LEN(STEK_NAME_MAX)];

	ck_assert_uint_eq(strlen(two->keys[1]->made_by),
			  strlen(two->keys[0]->made_by));
	memcpy(first, plain + KEYS_AT, one);
	memmove(plain + KEYS_AT, plain + KEYS_AT + one, one);
	ck_assert_int_eq(parse(len), STEK_EFORMAT);	/* twice */
	memcpy(plain + KEYS_AT + one, first, one);
	ck_assert_int_eq(parse(len), STEK_EFORMAT);	/* swapped */
	ck_assert_ptr_null(opened);
	stek__ring_unref(two);
}
END_TEST

/* Secrets: a flag that is no flag, a zero secret, one of a revoked key. */
START_TEST(test_parse_refuses_bad_secret)
{
	struct stek_ring *two = ring_of_two();
	size_t len = write_plain(two);
	uint8_t *flag = plain + len - 33;
	uint8_t kept[33];

	memcpy(kept, flag, sizeof(kept));
	*flag = 2;
	ck_assert_int_eq(parse(len), STEK_EFORMAT);
	*flag = 0;
	ck_assert_int_eq(parse(len), STEK_EFORMAT);
	*flag = 1;
	memset(flag + 1, 0, STEK_SECRET_LEN);
	ck_assert_int_eq(parse(len), STEK_EFORMAT);
	memcpy(flag, kept, sizeof(kept));
	/* A floor that revokes the keys: their secrets have no place here. */
	put_i64(FLOOR_AT, two->keys[1]->expire_at_ms);
	ck_assert_int_eq(parse(len), STEK_EFORMAT);
	ck_assert_ptr_null(opened);
	put_i64(FLOOR_AT, 0);
	ck_assert_int_eq(parse(len), 0);
	stek__ring_unref(two);
}
END_TEST

/* Tombstones out of order, twice, or never revoked. */
START_TEST(test_parse_refuses_bad_tombstones)
{
	struct stek_tombstone stones[2];
	struct stek_ring *bare = NULL;
	const size_t one = STEK_ID_LEN + 24;
	uint8_t first[STEK_ID_LEN + 24];
	uint64_t seed = 1;
	size_t len;

	stones[0] = maker_tombstone(1, &seed);
	stones[1] = maker_tombstone(2, &seed);
	ck_assert_int_eq(stek__ring_new(&bare, 1, NULL, 0, stones, 2, 0), 0);
	len = write_plain(bare);
	ck_assert_uint_eq(len, KEYS_AT + 2 * one);
	memcpy(first, plain + KEYS_AT, one);
	memmove(plain + KEYS_AT, plain + KEYS_AT + one, one);
	ck_assert_int_eq(parse(len), STEK_EFORMAT);
	memcpy(plain + KEYS_AT + one, first, one);
	ck_assert_int_eq(parse(len), STEK_EFORMAT);
	len = write_plain(bare);
	put_i64(len - 8, 0);
	ck_assert_int_eq(parse(len), STEK_EFORMAT);
	ck_assert_ptr_null(opened);
	stek__ring_unref(bare);
}
END_TEST

/* ---- a heartbeat's fields ----------------------------------------------------- */

#define BEAT_FIELDS_AT (1 + 4 + 8 + 4 + STEK_DIGEST_LEN + 2)

/* A good beat, and after it `len` bytes of fields. */
static int parse_fields(const uint8_t *fields, size_t len,
			struct stek_beat *out)
{
	const struct stek_beat beat = { .node_id = 7 };
	struct stek_writer writer;
	uint8_t text[512];

	stek__writer_init(&writer, text, sizeof(text));
	stek__beat_write(&writer, &beat);
	ck_assert_uint_eq(writer.len, BEAT_FIELDS_AT);
	memcpy(text + BEAT_FIELDS_AT, fields, len);
	return stek__beat_parse(out, text, BEAT_FIELDS_AT + len);
}

/* Fields: a tag, a length of two bytes, a value. 1: farm keys, 2: the audit. */
START_TEST(test_beat_fields)
{
	static const struct {
		int result;
		size_t len;
		uint8_t bytes[64];
	} cases[] = {
		{ 0, 0, { 0 } },
		{ 0, 12, { 1, 0, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8 } },
		/* What a later release says is passed over. */
		{ 0, 5, { 9, 0, 2, 1, 1 } },
		{ STEK_EFORMAT, 4, { 9, 0, 2, 1 } },
		/* No farm key at all, one that is cut off, the second of one. */
		{ STEK_EFORMAT, 4, { 1, 0, 1, 0 } },
		{ STEK_EFORMAT, 11, { 1, 0, 8, 0, 1, 2, 3, 4, 5, 6, 7 } },
		{ STEK_EFORMAT, 12, { 1, 0, 9, 1, 1, 2, 3, 4, 5, 6, 7, 8 } },
		{ STEK_EFORMAT, 13, { 1, 0, 10, 0, 1, 2, 3, 4, 5, 6, 7, 8,
				      9 } },
		/* Three, and the same field twice. */
		{ STEK_EFORMAT, 28, { 1, 0, 25 } },
		{ STEK_EFORMAT, 24, { 1, 0, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8,
				      1, 0, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8 } },
		/* The entry of number 1, of number 0, of half a hash. */
		{ 0, 43, { 2, 0, 40, 0, 0, 0, 0, 0, 0, 0, 1 } },
		{ STEK_EFORMAT, 43, { 2, 0, 40 } },
		{ STEK_EFORMAT, 23, { 2, 0, 20, 0, 0, 0, 0, 0, 0, 0, 1 } },
	};
	struct stek_beat beat = { .node_id = 0 };
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		beat.node_id = 0;
		ck_assert_msg(parse_fields(cases[i].bytes, cases[i].len,
					   &beat) == cases[i].result,
			      "case %zu", i);
		/* Of one that is refused nothing is taken. */
		ck_assert_uint_eq(beat.node_id, cases[i].result ? 0 : 7);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("record_parse");
	TCase *parsing = tcase_create("parse");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(parsing, setup, teardown);
	tcase_add_test(parsing, test_parse_refuses_each_length);
	tcase_add_test(parsing, test_parse_refuses_bad_head);
	tcase_add_test(parsing, test_parse_refuses_bad_key);
	tcase_add_test(parsing, test_parse_refuses_order_and_repetition);
	tcase_add_test(parsing, test_parse_refuses_bad_secret);
	tcase_add_test(parsing, test_parse_refuses_bad_tombstones);
	tcase_add_test(parsing, test_beat_fields);
	suite_add_tcase(suite, parsing);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_gate.c - the gate over whole hellos: those of real clients (recorded in
 * tests/corpus/gate/hello-*), cut at every byte and in every way into records,
 * and the records that are none. check_gate_ext.c has the extensions' rules.
 */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gate.h"
#include "hello.h"

static uint8_t scratch[GATE_HELLO_MAX];
static uint8_t input[3 * GATE_BUFFER_MAX];
static struct hello model;

static const char *corpus(void)
{
	static char path[4096];
	const char *srcdir = getenv("srcdir");

	snprintf(path, sizeof(path), "%s/tests/corpus/gate",
		 srcdir ? srcdir : ".");
	return path;
}

static size_t corpus_read(const char *name, uint8_t *out, size_t cap)
{
	char path[8192];
	size_t len;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", corpus(), name);
	file = fopen(path, "rb");
	ck_assert_msg(file != NULL, "%s cannot be read", path);
	len = fread(out, 1, cap, file);
	fclose(file);
	return len;
}

/* Calls `check` with the name of every recorded hello. */
static void each_hello(void (*check)(const char *name))
{
	DIR *directory = opendir(corpus());
	struct dirent *entry;
	int n = 0;

	ck_assert_msg(directory != NULL, "%s cannot be read", corpus());
	while ((entry = readdir(directory))) {
		if (strncmp(entry->d_name, "hello-", 6))
			continue;
		check(entry->d_name);
		n++;
	}
	closedir(directory);
	ck_assert_int_ge(n, 30);
}

/* In a block of its own size, so that a sanitizer sees the byte behind it. */
static enum gate_verdict parse_exact(struct gate_hello *out,
				     const uint8_t *bytes, size_t len)
{
	enum gate_verdict verdict;
	uint8_t *exact = malloc(len ? len : 1);

	ck_assert_ptr_nonnull(exact);
	memcpy(exact, bytes, len);
	verdict = gate_parse(out, exact, len, scratch);
	free(exact);
	return verdict;
}

static void truncated(const char *name)
{
	struct gate_hello hello;
	size_t len = corpus_read(name, input, sizeof(input));

	for (size_t cut = 0; cut < len; cut++)
		ck_assert_msg(parse_exact(&hello, input, cut) == GATE_MORE,
			      "%s cut to %zu bytes", name, cut);
	ck_assert_msg(parse_exact(&hello, input, len) == GATE_PASS, "%s: %s",
		      name, hello.why);
	ck_assert_uint_eq(hello.consumed, len);
	/* What follows in the stream is not the gate's. */
	input[len] = 0x17;
	ck_assert(parse_exact(&hello, input, len + 1) == GATE_PASS);
	ck_assert_uint_eq(hello.consumed, len);
}

/* A real hello passes whole; every shorter prefix of it asks for more. */
START_TEST(test_real_hello_cut_at_every_byte)
{
	each_hello(truncated);
}
END_TEST

static void same(const struct gate_hello *whole, size_t n, const char *name,
		 size_t at)
{
	struct gate_hello hello;

	ck_assert_msg(gate_parse(&hello, input, n, scratch) == GATE_PASS,
		      "%s split at %zu: %s", name, at, hello.why);
	ck_assert(hello.split);
	ck_assert_uint_eq(hello.consumed, n);
	hello.split = whole->split;
	hello.consumed = whole->consumed;
	ck_assert_mem_eq(&hello, whole, sizeof(hello));
}

static void split(const char *name)
{
	static uint8_t bytes[GATE_BUFFER_MAX];
	size_t len = corpus_read(name, bytes, sizeof(bytes));
	struct gate_hello whole;
	size_t n;

	ck_assert(gate_parse(&whole, bytes, len, scratch) == GATE_PASS);
	ck_assert(!whole.split);
	for (size_t at = 1; at < len - 5; at++) {
		n = hello_frame(bytes + 5, at, at, input);
		n += hello_frame(bytes + 5 + at, len - 5 - at, GATE_HELLO_MAX,
				 input + n);
		same(&whole, n, name, at);
	}
	for (size_t chunk = 1; chunk < 9; chunk++) {
		n = hello_frame(bytes + 5, len - 5, chunk, input);
		same(&whole, n, name, chunk);
	}
}

/* The records that carry a hello change nothing in what is read. */
START_TEST(test_real_hello_split_at_every_byte)
{
	each_hello(split);
}
END_TEST

/* A hello in pieces is framed again in the fewest records, and is the same. */
START_TEST(test_frame)
{
	static uint8_t out[GATE_BUFFER_MAX];
	const size_t pads[] = { 0, 100, 16384, 18000 };
	struct gate_hello pieces, again;
	size_t n;

	for (size_t i = 0; i < sizeof(pads) / sizeof(pads[0]); i++) {
		hello_model(&model, hello_tls13, 0xffff);
		hello_number(&model, 21, 2);
		hello_number(&model, pads[i], 2);
		hello_fill(&model, 0, pads[i]);
		hello_end(&model);
		n = hello_frame(model.bytes, model.len, 100, input);
		ck_assert(gate_parse(&pieces, input, n, scratch) == GATE_PASS);
		ck_assert(pieces.split);
		n = gate_frame(&pieces, scratch, out);
		ck_assert_uint_eq(n, model.len + (model.len > 16384 ? 10 : 5));
		ck_assert(gate_parse(&again, out, n, scratch) == GATE_PASS);
		ck_assert_uint_eq(again.hello_len, pieces.hello_len);
		ck_assert(again.digest == pieces.digest);
		ck_assert(again.split == (model.len > 16384));
	}
}
END_TEST

static void repeated(const char *name)
{
	char second[256];
	struct gate_hello a, b;
	size_t base = strlen(name) - strlen("first");
	size_t len;

	if (strncmp(name, "hello-hrr-", 10) || strcmp(name + base, "first"))
		return;
	snprintf(second, sizeof(second), "%.*ssecond", (int)base, name);
	len = corpus_read(name, input, sizeof(input));
	ck_assert(gate_parse(&a, input, len, scratch) == GATE_PASS);
	len = corpus_read(second, input, sizeof(input));
	ck_assert(gate_parse(&b, input, len, scratch) == GATE_PASS);
	ck_assert_msg(a.digest == b.digest, "%s", name);
	ck_assert(!b.has_early_data);
}

/* Real clients repeat themselves after a HelloRetryRequest. */
START_TEST(test_second_hello_has_the_first_ones_digest)
{
	each_hello(repeated);
}
END_TEST

static enum gate_verdict parse_model(struct gate_hello *out)
{
	size_t n = hello_frame(model.bytes, model.len, 16384, input);

	return gate_parse(out, input, n, scratch);
}

/* A change in what must be repeated changes the digest; in the rest, not. */
START_TEST(test_digest_covers_what_must_be_repeated)
{
	struct gate_hello a, b;

	hello_model(&model, hello_tls13, 0xffff);
	ck_assert(parse_model(&a) == GATE_PASS);
	hello_extension(&model, 44, "\x00\x02xy", 4);
	ck_assert(parse_model(&b) == GATE_PASS);
	ck_assert(a.digest == b.digest);
	hello_model(&model, hello_tls13, 0xffff);
	hello_extension(&model, 0, "\x00\x04\x00\x00\x01x", 6);
	ck_assert(parse_model(&b) == GATE_PASS);
	ck_assert(a.digest != b.digest);
	hello_model(&model, hello_tls13, 0xffff);
	model.bytes[10] ^= 1;	/* in the random */
	ck_assert(parse_model(&b) == GATE_PASS);
	ck_assert(a.digest != b.digest);
}
END_TEST

static void refused(const void *bytes, size_t len, uint8_t alert,
		    enum failure failure)
{
	struct gate_hello hello;

	ck_assert_msg(parse_exact(&hello, bytes, len) == GATE_REFUSE,
		      "%zu bytes, alert %u", len, alert);
	ck_assert_uint_eq(hello.alert, alert);
	ck_assert_int_eq(hello.failure, failure);
	ck_assert_ptr_nonnull(hello.why);
}

/*
 * Whoever does not speak TLS is known at the first byte that tells, and a
 * request in plain HTTP by its method.
 */
START_TEST(test_strangers)
{
	struct gate_hello hello;

	refused("X", 1, 0, FAIL_NOT_TLS);
	for (size_t len = 1; len < 4; len++)
		ck_assert(gate_parse(&hello, (const uint8_t *)"GET ", len,
				     scratch) == GATE_MORE);
	refused("GEX", 3, 0, FAIL_NOT_TLS);
	refused("GET", 4, 0, FAIL_NOT_TLS);
	refused("GET ", 4, 0, FAIL_PLAIN_HTTP);
	refused("GET / HTTP/1.1\r\n", 16, 0, FAIL_PLAIN_HTTP);
	ck_assert(gate_parse(&hello, (const uint8_t *)"POST /", 6, scratch) ==
		  GATE_REFUSE);
	ck_assert_str_eq(hello.why, "plain HTTP on a TLS port");
	ck_assert(gate_parse(&hello, (const uint8_t *)"PROXY TCP4", 10,
			     scratch) == GATE_REFUSE);
	ck_assert_str_eq(hello.why, "a PROXY header where none is configured");
	refused("SSH-2.0", 7, 0, FAIL_NOT_TLS);
	refused("\x80\x2e\x01\x00\x02", 5, 0, FAIL_NOT_TLS);	/* SSL 2.0 */
	refused("\x16\x02", 2, 0, FAIL_NOT_TLS);
	refused("\x18\x03\x01\x00\x01", 5, 0, FAIL_NOT_TLS);
}
END_TEST

/* TLS, but not the record that is due. */
START_TEST(test_wrong_records)
{
	refused("\x15\x03\x03\x00\x02\x02\x28", 7, 0, FAIL_ALERT);
	refused("\x14\x03\x03\x00\x01\x01", 6, 10, FAIL_UNEXPECTED);
	refused("\x17\x03\x03\x00\x01\x01", 6, 10, FAIL_UNEXPECTED);
	refused("\x16\x03\x01\x00\x00", 5, 10, FAIL_UNEXPECTED);
	refused("\x16\x03\x01\x40\x01", 5, 22, FAIL_MALFORMED);
	refused("\x16\x03\x01\xff\xff", 5, 22, FAIL_MALFORMED);
	refused("\x16\x03\x01\x00\x05\x02", 6, 10, FAIL_UNEXPECTED);
	/* The second record is looked at like the first. */
	refused("\x16\x03\x01\x00\x01\x01\x17\x03\x03\x00\x01", 11, 10,
		FAIL_UNEXPECTED);
	refused("\x16\x03\x01\x00\x01\x01G", 7, 10, FAIL_UNEXPECTED);
}
END_TEST

/* RFC 8446 s5.1: the minor version of a record says nothing. */
START_TEST(test_record_version_is_ignored)
{
	struct gate_hello hello;

	hello_model(&model, hello_tls13, 0xffff);
	for (unsigned minor = 0; minor < 256; minor++) {
		size_t n = hello_frame(model.bytes, model.len, 16384, input);

		input[2] = (uint8_t)minor;
		ck_assert(gate_parse(&hello, input, n, scratch) == GATE_PASS);
	}
}
END_TEST

/* 18 KiB pass, a byte more is refused as soon as its length is read. */
START_TEST(test_size_is_bounded)
{
	struct gate_hello hello;
	size_t room;

	hello_model(&model, hello_tls13, 0xffff);
	room = GATE_HELLO_MAX - model.len - 4;
	hello_number(&model, 21, 2);
	hello_number(&model, room, 2);
	hello_fill(&model, 0, room);
	hello_end(&model);
	ck_assert_uint_eq(model.len, GATE_HELLO_MAX);
	ck_assert(parse_model(&hello) == GATE_PASS);
	ck_assert_uint_eq(hello.hello_len, GATE_HELLO_MAX);
	refused("\x16\x03\x01\x40\x00\x01\x00\x47\xfd", 9, 47, FAIL_TOO_BIG);
	refused("\x16\x03\x01\x40\x00\x01\xff\xff\xff", 9, 47, FAIL_TOO_BIG);
	/* In records of three bytes it outgrows the buffer first. */
	hello_frame(model.bytes, model.len, 3, input);
	ck_assert(gate_parse(&hello, input, GATE_BUFFER_MAX - 1, scratch) ==
		  GATE_MORE);
	refused(input, GATE_BUFFER_MAX, 47, FAIL_TOO_BIG);
}
END_TEST

/* A hello ends with its record, whole or in pieces. */
START_TEST(test_nothing_behind_the_hello_in_its_record)
{
	size_t n;

	hello_model(&model, hello_tls13, 0xffff);
	hello_fill(&model, 0, 1);
	n = hello_frame(model.bytes, model.len, 16384, input);
	refused(input, n, 10, FAIL_UNEXPECTED);
	n = hello_frame(model.bytes, model.len, 100, input);
	refused(input, n, 10, FAIL_UNEXPECTED);
}
END_TEST

/* Every byte of a model hello, set to every value, is survived. */
START_TEST(test_every_byte_to_every_value)
{
	static uint8_t bytes[1024];
	struct gate_hello hello;
	size_t n, passed = 0;

	hello_model(&model, hello_tls13, 0xffff);
	n = hello_frame(model.bytes, model.len, 16384, bytes);
	for (size_t at = 0; at < n; at++) {
		uint8_t was = bytes[at];

		for (unsigned value = 0; value < 256; value++) {
			bytes[at] = (uint8_t)value;
			passed += parse_exact(&hello, bytes, n) == GATE_PASS;
		}
		bytes[at] = was;
	}
	ck_assert_uint_gt(passed, n);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gate");
	TCase *real = tcase_create("real");
	TCase *records = tcase_create("records");
	SRunner *runner;
	int failed;

	tcase_set_timeout(real, 60);
	tcase_add_test(real, test_real_hello_cut_at_every_byte);
	tcase_add_test(real, test_real_hello_split_at_every_byte);
	tcase_add_test(real, test_frame);
	tcase_add_test(real, test_second_hello_has_the_first_ones_digest);
	tcase_add_test(real, test_digest_covers_what_must_be_repeated);
	suite_add_tcase(suite, real);
	tcase_set_timeout(records, 60);
	tcase_add_test(records, test_strangers);
	tcase_add_test(records, test_wrong_records);
	tcase_add_test(records, test_record_version_is_ignored);
	tcase_add_test(records, test_size_is_bounded);
	tcase_add_test(records, test_nothing_behind_the_hello_in_its_record);
	tcase_add_test(records, test_every_byte_to_every_value);
	suite_add_tcase(suite, records);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

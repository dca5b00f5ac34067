// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_peek.c - the point of a TLS 1.2 ClientKeyExchange is looked at, however
 * the client cuts its messages into records and its records into segments.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tls_private.h"

enum { KEY_EXCHANGE = 16, CERTIFICATE = 11, CHANGE_CIPHER = 20, HANDSHAKE = 22 };

/* The base point of P-256, FIPS 186-4 D.1.2.3. */
static const uint8_t point[65] = {
	0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6,
	0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33,
	0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f, 0xe3, 0x42,
	0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e,
	0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40,
	0x68, 0x37, 0xbf, 0x51, 0xf5,
};

static uint8_t messages[2048], wire[8192];
static size_t messages_len, wire_len;

static void setup(void)
{
	messages_len = wire_len = 0;
}

static void put_message(uint8_t type, const void *body, size_t len)
{
	uint8_t *at = messages + messages_len;

	at[0] = type;
	at[1] = 0;
	at[2] = (uint8_t)(len >> 8);
	at[3] = (uint8_t)len;
	memcpy(at + 4, body, len);
	messages_len += 4 + len;
}

static void put_share(const uint8_t *share, size_t len)
{
	uint8_t body[256];

	body[0] = (uint8_t)len;
	memcpy(body + 1, share, len);
	put_message(KEY_EXCHANGE, body, len + 1);
}

static void put_record(uint8_t type, const uint8_t *bytes, size_t len)
{
	const uint8_t header[] = { type, 3, 3, (uint8_t)(len >> 8),
				   (uint8_t)len };

	memcpy(wire + wire_len, header, sizeof(header));
	memcpy(wire + wire_len + sizeof(header), bytes, len);
	wire_len += sizeof(header) + len;
}

/* All messages, in records of `piece` bytes. */
static void frame(size_t piece)
{
	size_t at, len;

	wire_len = 0;
	for (at = 0; at < messages_len; at += len) {
		len = messages_len - at < piece ? messages_len - at : piece;
		put_record(HANDSHAKE, messages + at, len);
	}
}

/* Shown in segments of `piece` bytes. */
static bool passes(size_t piece)
{
	struct tls_peek peek;
	size_t at, len;

	memset(&peek, 0, sizeof(peek));
	for (at = 0; at < wire_len; at += len) {
		len = wire_len - at < piece ? wire_len - at : piece;
		if (!tls__peek(&peek, wire + at, len))
			return false;
	}
	return true;
}

static void expect(bool good)
{
	size_t record, segment;

	for (record = 1; record <= messages_len; record++) {
		frame(record);
		for (segment = 1; segment < 8; segment++)
			ck_assert_int_eq(passes(segment), good);
		ck_assert_int_eq(passes(wire_len), good);
	}
}

/* A point on the curve passes, between other messages and empty ones too. */
START_TEST(test_a_point_passes)
{
	put_message(CERTIFICATE, "\0\0\0", 3);
	put_message(14, "", 0);
	put_share(point, sizeof(point));
	put_message(15, point, 40);
	expect(true);
}
END_TEST

/* Every other value of a byte leaves the curve. */
START_TEST(test_off_the_curve_is_refused)
{
	uint8_t wrong[sizeof(point)];
	size_t i;

	for (i = 0; i < sizeof(wrong); i += 8) {
		setup();
		memcpy(wrong, point, sizeof(wrong));
		wrong[i] ^= 1;
		put_share(point, sizeof(point));
		put_share(wrong, sizeof(wrong));
		frame(16384);
		ck_assert(!passes(wire_len));
	}
	expect(false);
}
END_TEST

/* RFC 7748 s6.1: a point of low order leads to a secret that all know. */
START_TEST(test_low_order_is_refused)
{
	uint8_t x25519[32] = { 9 };

	put_share(x25519, sizeof(x25519));
	expect(true);
	setup();
	memset(x25519, 0, sizeof(x25519));
	put_share(x25519, sizeof(x25519));
	expect(false);
}
END_TEST

/* What is not a ClientKeyExchange, or not in the clear, is not looked at. */
START_TEST(test_the_rest_is_let_by)
{
	uint8_t wrong[sizeof(point)], large[600] = { 0 };

	memcpy(wrong, point, sizeof(wrong));
	wrong[9] ^= 1;
	put_message(CERTIFICATE, wrong, sizeof(wrong));
	put_message(KEY_EXCHANGE, large, sizeof(large));
	put_message(KEY_EXCHANGE, "", 0);
	/* A length that does not fit is the library's to refuse. */
	put_message(KEY_EXCHANGE, wrong, sizeof(wrong));
	expect(true);
	setup();
	put_share(wrong, sizeof(wrong));
	put_record(CHANGE_CIPHER, (const uint8_t *)"\1", 1);
	put_record(HANDSHAKE, messages, messages_len);
	ck_assert(passes(wire_len));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("peek");
	TCase *tcase = tcase_create("peek");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_a_point_passes);
	tcase_add_test(tcase, test_off_the_curve_is_refused);
	tcase_add_test(tcase, test_low_order_is_refused);
	tcase_add_test(tcase, test_the_rest_is_let_by);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_gate_share.c - key shares at the gate: points must lie on their curve,
 * X25519 shares must not be of low order, groups stand once and were offered.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "gate.h"
#include "hello.h"

#define NONE 0xffff
#define GROUPS "\x00\x0c\x00\x1d\x00\x17\x00\x18\x00\x19\x2a\x2a\x00\x1e"

static uint8_t scratch[GATE_HELLO_MAX];
static uint8_t input[2 * GATE_BUFFER_MAX];
static struct hello model;
static struct gate_hello seen;

struct share {
	uint16_t group;
	const uint8_t *bytes;
	size_t len;
};

static enum gate_verdict parse(const struct share *shares, size_t n)
{
	size_t size;

	hello_model(&model, hello_tls13, 10);
	model.len = model.extensions;
	for (const struct hello_part *part = hello_tls13; part->bytes; part++)
		if (part->type != 10 && part->type != 51)
			hello_extension(&model, part->type, part->bytes,
					part->len);
	hello_extension(&model, 10, GROUPS, sizeof(GROUPS) - 1);
	size = 2;
	for (size_t i = 0; i < n; i++)
		size += 4 + shares[i].len;
	hello_number(&model, 51, 2);
	hello_number(&model, size, 2);
	hello_number(&model, size - 2, 2);
	for (size_t i = 0; i < n; i++) {
		hello_number(&model, shares[i].group, 2);
		hello_number(&model, shares[i].len, 2);
		hello_put(&model, shares[i].bytes, shares[i].len);
	}
	hello_end(&model);
	size = hello_frame(model.bytes, model.len, 16384, input);
	return gate_parse(&seen, input, size, scratch);
}

static void passes(uint16_t group, const uint8_t *bytes, size_t len)
{
	struct share share = { group, bytes, len };

	ck_assert_msg(parse(&share, 1) == GATE_PASS, "group %u: %s", group,
		      seen.why);
	ck_assert_uint_eq(seen.n_key_shares, 1);
}

static void refused(uint16_t group, const uint8_t *bytes, size_t len)
{
	struct share share = { group, bytes, len };

	ck_assert_msg(parse(&share, 1) == GATE_REFUSE, "group %u", group);
	ck_assert_uint_eq(seen.alert, 47);
	ck_assert_int_eq(seen.failure, FAIL_MALFORMED);
}

/* Base points, from SEC 2; the uncompressed form. */
static const char *const base_points[] = {
	"04"
	"6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
	"4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
	"04"
	"aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a38"
	"5502f25dbf55296c3a545e3872760ab7"
	"3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c0"
	"0a60b1ce1d7e819d7a431d7c90ea0e5f",
	"04"
	"00c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3d"
	"baa14b5e77efe75928fe1dc127a2ffa8de3348b3c1856a429bf97e7e31c2e5bd66"
	"011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e66"
	"2c97ee72995ef42640c550b9013fad0761353c7086a272c24088be94769fd16650",
};

static size_t from_hex(const char *hex, uint8_t *out)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++) {
		char digits[3] = { hex[2 * i], hex[2 * i + 1], '\0' };

		out[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return n;
}

/* A point passes; with any bit of it flipped it is none. */
START_TEST(test_point_on_its_curve)
{
	uint16_t group = (uint16_t)(23 + _i);
	uint8_t point[200];
	size_t len = from_hex(base_points[_i], point);

	passes(group, point, len);
	for (size_t bit = 0; bit < len * 8; bit += 7) {
		point[bit / 8] ^= (uint8_t)(1 << bit % 8);
		refused(group, point, len);
		point[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	passes(group, point, len);
}
END_TEST

/* Lengths are exact; compressed, hybrid and infinite points are refused. */
START_TEST(test_point_form)
{
	uint16_t group = (uint16_t)(23 + _i);
	uint8_t point[200] = { 0 };
	size_t len = from_hex(base_points[_i], point);

	refused(group, point, len - 1);
	refused(group, point, len + 1);
	refused(group, point, 1);
	point[0] = 2;
	refused(group, point, 1 + len / 2);
	refused(group, point, len);
	point[0] = 6;
	refused(group, point, len);
	memset(point, 0, len);
	refused(group, point, len);
	point[0] = 4;
	refused(group, point, len);
}
END_TEST

/* A coordinate is below the prime: the same point with p added is none. */
START_TEST(test_coordinate_in_range)
{
	/* x = 5, and x = 5 + p, which still fits 32 bytes. */
	static const char small[] =
		"04"
		"0000000000000000000000000000000000000000000000000000000000000005"
		"459243b9aa581806fe913bce99817ade11ca503c64d9a3c533415c083248fbcc";
	static const char shifted[] =
		"04"
		"ffffffff00000001000000000000000000000001000000000000000000000004"
		"459243b9aa581806fe913bce99817ade11ca503c64d9a3c533415c083248fbcc";
	uint8_t point[65];

	passes(23, point, from_hex(small, point));
	refused(23, point, from_hex(shifted, point));
}
END_TEST

static const char *const low_order[] = {
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
};

/* RFC 7748 s6.1: shares that make the shared secret zero are refused. */
START_TEST(test_x25519_of_low_order)
{
	uint8_t share[33];

	from_hex(low_order[_i], share);
	refused(29, share, 32);
	share[31] |= 0x80;	/* the bit that does not count */
	refused(29, share, 32);
	share[5] ^= 0x10;
	passes(29, share, 32);
}
END_TEST

/* 32 bytes, no more and no less. */
START_TEST(test_x25519_length)
{
	uint8_t share[33];

	memset(share, 9, sizeof(share));
	passes(29, share, 32);
	refused(29, share, 31);
	refused(29, share, 33);
}
END_TEST

/* RFC 8446 s4.2.8: each group once, and only what supported_groups offers. */
START_TEST(test_groups)
{
	uint8_t share[65];
	struct share shares[] = {
		{ 0x2a2a, share, 1 }, { 29, share, 32 }, { 30, share, 56 },
	};

	memset(share, 9, sizeof(share));
	ck_assert_msg(parse(shares, 3) == GATE_PASS, "%s", seen.why);
	ck_assert_uint_eq(seen.n_key_shares, 3);
	shares[2] = shares[1];
	ck_assert(parse(shares, 3) == GATE_REFUSE);
	ck_assert_uint_eq(seen.alert, 47);
	shares[2].group = 0x100;	/* not among the groups */
	ck_assert(parse(shares, 3) == GATE_REFUSE);
	ck_assert_uint_eq(seen.alert, 47);
	ck_assert(parse(shares, 0) == GATE_PASS);
	ck_assert_uint_eq(seen.n_key_shares, 0);
}
END_TEST

/* A hello for TLS 1.2 alone is not judged by a key share it happens to have. */
START_TEST(test_shares_matter_in_tls13_only)
{
	size_t n;

	hello_model(&model, hello_tls12, NONE);
	hello_extension(&model, 51, "\x00\x05\x00\x17\x00\x01x", 7);
	n = hello_frame(model.bytes, model.len, 16384, input);
	ck_assert(gate_parse(&seen, input, n, scratch) == GATE_PASS);
}
END_TEST

static void parse_with(uint16_t type, const char *bytes, size_t len)
{
	size_t n;

	hello_model(&model, hello_tls12, type);
	if (len)
		hello_extension(&model, type, bytes, len);
	n = hello_frame(model.bytes, model.len, 16384, input);
	ck_assert(gate_parse(&seen, input, n, scratch) == GATE_PASS);
}

/* Groups that hosts may have are told apart; others, GREASE too, are none. */
START_TEST(test_groups_are_known)
{
	parse_with(10, "", 0);
	ck_assert(!seen.has_groups);
	parse_with(10, "\x00\x06\x0a\x0a\x00\x1e\x01\x00", 8);
	ck_assert(seen.has_groups);
	ck_assert_uint_eq(seen.groups, 0);
	parse_with(10, "\x00\x04\x00\x17\x00\x18", 6);
	ck_assert_uint_eq(seen.groups, GATE_P256 | GATE_P384);
	parse_with(10, "\x00\x04\x00\x19\x00\x1d", 6);
	ck_assert_uint_eq(seen.groups, GATE_P521 | GATE_X25519);
}
END_TEST

/* And so are the kinds of signatures that a client verifies. */
START_TEST(test_schemes_are_known)
{
	parse_with(13, "", 0);
	ck_assert(!seen.has_schemes);
	parse_with(13, "\x00\x08\x08\x07\x08\x09\x0a\x0a\x01\x01", 10);
	ck_assert(seen.has_schemes);
	ck_assert_uint_eq(seen.schemes, 0);
	parse_with(13, "\x00\x02\x04\x03", 4);
	ck_assert_uint_eq(seen.schemes, GATE_ECDSA);
	parse_with(13, "\x00\x04\x02\x01\x06\x01", 6);
	ck_assert_uint_eq(seen.schemes, GATE_RSA_PKCS1);
	parse_with(13, "\x00\x04\x08\x04\x08\x06", 6);
	ck_assert_uint_eq(seen.schemes, GATE_RSA_PSS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gate_share");
	TCase *points = tcase_create("points");
	TCase *x25519 = tcase_create("x25519");
	TCase *groups = tcase_create("groups");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(points, test_point_on_its_curve, 0, 3);
	tcase_add_loop_test(points, test_point_form, 0, 3);
	tcase_add_test(points, test_coordinate_in_range);
	suite_add_tcase(suite, points);
	tcase_add_loop_test(x25519, test_x25519_of_low_order, 0, 7);
	tcase_add_test(x25519, test_x25519_length);
	suite_add_tcase(suite, x25519);
	tcase_add_test(groups, test_groups);
	tcase_add_test(groups, test_shares_matter_in_tls13_only);
	tcase_add_test(groups, test_groups_are_known);
	tcase_add_test(groups, test_schemes_are_known);
	suite_add_tcase(suite, groups);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

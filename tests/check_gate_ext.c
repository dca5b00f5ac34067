// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_gate_ext.c - the gate's rules for the fields and extensions of a
 * ClientHello: each with the alert of the standard, and beside each refusal the
 * nearest hello that passes.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "gate.h"
#include "hello.h"

#define NONE 0xffff

static uint8_t scratch[GATE_HELLO_MAX];
static uint8_t input[2 * GATE_BUFFER_MAX];
static struct hello model;
static struct gate_hello seen;

static enum gate_verdict parse(void)
{
	size_t n = hello_frame(model.bytes, model.len, 16384, input);

	return gate_parse(&seen, input, n, scratch);
}

#define X32 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define PSK_ONE "\x00\x07\x00\x01t\x00\x00\x00\x00"

/* One extension put at the end of a model hello, in place of its own. */
static const struct rule {
	const char *what;
	const struct hello_part *base;
	uint16_t type;
	const char *bytes;
	size_t len;
	uint8_t alert;
} rules[] = {
#define RULE(what, base, type, literal, alert) \
	{ what, base, type, literal, sizeof(literal) - 1, alert }
	RULE("a host name", hello_tls13, 0, "\x00\x06\x00\x00\x03" "a.b", 0),
	RULE("an empty server_name", hello_tls13, 0, "", 50),
	RULE("an empty name list", hello_tls13, 0, "\x00\x00", 50),
	RULE("an empty host name", hello_tls13, 0, "\x00\x03\x00\x00\x00", 50),
	RULE("a name list cut off", hello_tls13, 0,
	     "\x00\x06\x00\x00\x04" "a.b", 50),
	RULE("bytes behind the name list", hello_tls13, 0,
	     "\x00\x06\x00\x00\x03" "a.bx", 50),
	RULE("bytes behind the name", hello_tls13, 0,
	     "\x00\x07\x00\x00\x03" "a.bx", 50),
	RULE("two host names", hello_tls13, 0,
	     "\x00\x08\x00\x00\x01" "a\x00\x00\x01" "b", 47),
	RULE("an address and a name", hello_tls13, 0,
	     "\x00\x0e\x00\x00\x07" "1.2.3.4\x00\x00\x01" "b", 47),
	RULE("another type of name", hello_tls13, 0,
	     "\x00\x08\x07\x00\x01" "a\x00\x00\x01" "b", 0),
	RULE("NUL in the name", hello_tls13, 0,
	     "\x00\x06\x00\x00\x03" "a\x00" "b", 47),
	RULE("a space in the name", hello_tls13, 0,
	     "\x00\x06\x00\x00\x03" "a b", 47),
	RULE("UTF-8 in the name", hello_tls13, 0,
	     "\x00\x05\x00\x00\x02\xc3\xa4", 47),
	RULE("a trailing dot", hello_tls13, 0,
	     "\x00\x05\x00\x00\x02" "a.", 47),
	RULE("a dot", hello_tls13, 0, "\x00\x04\x00\x00\x01" ".", 47),
	RULE("ticket_request", hello_tls13, 58, "\x04\x01", 0),
	RULE("half a ticket_request", hello_tls13, 58, "\x04", 50),
	RULE("an empty ticket_request", hello_tls13, 58, "", 50),
	RULE("bytes behind ticket_request", hello_tls13, 58, "\x04\x01\x00",
	     50),
	RULE("ALPN", hello_tls13, 16, "\x00\x03\x02h2", 0),
	RULE("two protocols", hello_tls13, 16, "\x00\x05\x02h2\x01x", 0),
	RULE("no protocol", hello_tls13, 16, "\x00\x00", 50),
	RULE("an empty protocol", hello_tls13, 16, "\x00\x04\x02h2\x00", 50),
	RULE("a protocol cut off", hello_tls13, 16, "\x00\x03\x03h2", 50),
	RULE("bytes behind ALPN", hello_tls13, 16, "\x00\x03\x02h2x", 50),
	RULE("only TLS 1.2", hello_tls13, 43, "\x02\x03\x03", 0),
	RULE("GREASE among the versions", hello_tls13, 43,
	     "\x04\x6a\x6a\x03\x04", 0),
	RULE("only TLS 1.1", hello_tls13, 43, "\x02\x03\x02", 70),
	RULE("no version", hello_tls13, 43, "\x00", 50),
	RULE("half a version", hello_tls13, 43, "\x03\x03\x04\x03", 50),
	RULE("bytes behind the versions", hello_tls13, 43, "\x02\x03\x04x", 50),
	RULE("both modes", hello_tls13, 45, "\x02\x00\x01", 0),
	RULE("an unknown mode", hello_tls13, 45, "\x01\x0b", 0),
	RULE("no mode", hello_tls13, 45, "\x00", 50),
	RULE("bytes behind the modes", hello_tls13, 45, "\x01\x01x", 50),
	RULE("groups cut off", hello_tls13, 10, "\x00\x04\x00\x1d\x00", 50),
	RULE("half a group", hello_tls13, 10, "\x00\x03\x00\x1d\x00", 50),
	RULE("no group", hello_tls13, 10, "\x00\x00", 50),
	RULE("no algorithm", hello_tls13, 13, "\x00\x00", 50),
	RULE("half an algorithm", hello_tls13, 13, "\x00\x03\x04\x03\x04", 50),
	RULE("half an algorithm for certificates", hello_tls13, 50,
	     "\x00\x03\x04\x03\x04", 50),
	RULE("algorithms for certificates", hello_tls13, 50,
	     "\x00\x02\x04\x03", 0),
	RULE("a cookie", hello_tls13, 44, "\x00\x01x", 0),
	RULE("an empty cookie", hello_tls13, 44, "\x00\x00", 50),
	RULE("bytes behind the cookie", hello_tls13, 44, "\x00\x01xx", 50),
	RULE("post_handshake_auth", hello_tls13, 49, "", 0),
	RULE("post_handshake_auth with a body", hello_tls13, 49, "x", 50),
	RULE("EMS with a body", hello_tls12, 23, "x", 50),
	RULE("encrypt_then_mac", hello_tls12, 22, "", 0),
	RULE("encrypt_then_mac with a body", hello_tls12, 22, "x", 50),
	RULE("early_data with a body", hello_tls13, 42, "x", 50),
	RULE("early_data without a PSK", hello_tls13, 42, "", 47),
	RULE("renegotiation_info", hello_tls12, 65281, "\x00", 0),
	RULE("renegotiation of nothing", hello_tls12, 65281, "\x01x", 40),
	RULE("renegotiation_info cut off", hello_tls12, 65281, "\x01", 50),
	RULE("point formats", hello_tls12, 11, "\x01\x00", 0),
	RULE("all point formats", hello_tls12, 11, "\x03\x02\x01\x00", 0),
	RULE("compressed points only", hello_tls12, 11, "\x01\x01", 47),
	RULE("no point format", hello_tls12, 11, "\x00", 50),
	RULE("compressed points only, in TLS 1.3", hello_tls13, 11,
	     "\x01\x01", 0),
	RULE("an empty session_ticket", hello_tls12, 35, "", 0),
	RULE("a session_ticket", hello_tls12, 35, X32, 0),
	RULE("an unknown extension", hello_tls13, 0x1234, "\xff\xff", 0),
	RULE("a PSK", hello_tls13, 41, PSK_ONE "\x00\x21\x20" X32, 0),
	RULE("a binder of 31", hello_tls13, 41,
	     PSK_ONE "\x00\x21\x1f" X32, 50),
	RULE("binders too short", hello_tls13, 41,
	     PSK_ONE "\x00\x20\x1f" X32, 50),
	RULE("no binder", hello_tls13, 41, PSK_ONE "\x00\x00", 50),
	RULE("binders missing", hello_tls13, 41, PSK_ONE, 50),
	RULE("two binders for one identity", hello_tls13, 41,
	     PSK_ONE "\x00\x42\x20" X32 "\x20" X32, 47),
	RULE("one binder for two identities", hello_tls13, 41,
	     "\x00\x0e\x00\x01t\x00\x00\x00\x00\x00\x01t\x00\x00\x00\x00"
	     "\x00\x21\x20" X32, 47),
	RULE("an empty identity", hello_tls13, 41,
	     "\x00\x0d\x00\x00\x00\x00\x00\x00\x00\x01t\x00\x00\x00\x00"
	     "\x00\x21\x20" X32, 50),
	RULE("an identity without its age", hello_tls13, 41,
	     "\x00\x07\x00\x05t\x00\x00\x00\x00\x00\x21\x20" X32, 50),
	RULE("bytes behind the binders", hello_tls13, 41,
	     PSK_ONE "\x00\x21\x20" X32 "x", 50),
	RULE("no key share yet", hello_tls13, 51, "\x00\x00", 0),
	RULE("an empty key share", hello_tls13, 51,
	     "\x00\x04\x00\x1d\x00\x00", 50),
	RULE("a key share cut off", hello_tls13, 51,
	     "\x00\x06\x00\x1d\x00\x03xx", 50),
	RULE("bytes behind the key shares", hello_tls13, 51,
	     "\x00\x05\x00\x1d\x00\x01xx", 50),
};

/* Every rule above, each with its alert or a pass. */
START_TEST(test_rule)
{
	const struct rule *rule = &rules[_i];
	enum gate_verdict verdict;

	hello_model(&model, rule->base, rule->type);
	hello_extension(&model, rule->type, rule->bytes, rule->len);
	verdict = parse();
	ck_assert_msg(verdict == (rule->alert ? GATE_REFUSE : GATE_PASS),
		      "%s: verdict %d, %s", rule->what, verdict,
		      seen.why ? seen.why : "");
	ck_assert_msg(seen.alert == rule->alert, "%s: alert %u, not %u",
		      rule->what, seen.alert, rule->alert);
	ck_assert((seen.failure == FAIL_NONE) == (verdict == GATE_PASS));
}
END_TEST

static void refused(uint8_t alert, enum failure failure)
{
	ck_assert(parse() == GATE_REFUSE);
	ck_assert_msg(seen.alert == alert, "alert %u (%s), not %u", seen.alert,
		      seen.why, alert);
	ck_assert_int_eq(seen.failure, failure);
}

static void passes(void)
{
	ck_assert_msg(parse() == GATE_PASS, "%s", seen.why);
}

/* The protocols are kept in the client's order, as many as there is room for. */
START_TEST(test_alpn_is_kept)
{
	uint8_t list[2 + 301 * 3];
	size_t i;

	hello_model(&model, hello_tls13, 16);
	hello_extension(&model, 16, "\x00\x0c\x08http/1.1\x02h2", 14);
	passes();
	ck_assert_uint_eq(seen.n_alpn, 2);
	ck_assert_uint_eq(seen.alpn_len, 12);
	ck_assert_mem_eq(seen.alpn, "\x08http/1.1\x02h2", 12);
	for (i = 0; i < 301; i++)
		memcpy(list + 2 + 3 * i, "\x02h2", 3);
	list[0] = (uint8_t)(301 * 3 >> 8);
	list[1] = (uint8_t)(301 * 3);
	hello_model(&model, hello_tls13, 16);
	hello_extension(&model, 16, list, sizeof(list));
	passes();
	ck_assert_uint_eq(seen.n_alpn, 301);
	ck_assert_uint_eq(seen.alpn_len, 255);
}
END_TEST

/* RFC 8446 s9.2: what a TLS 1.3 hello may not leave out. */
START_TEST(test_missing_extensions)
{
	hello_model(&model, hello_tls13, 10);
	refused(109, FAIL_MALFORMED);
	hello_model(&model, hello_tls13, 51);
	refused(109, FAIL_MALFORMED);
	hello_model(&model, hello_tls13, 13);
	refused(109, FAIL_MALFORMED);
	hello_extension(&model, 41, PSK_ONE "\x00\x21\x20" X32, 44);
	passes();
	hello_model(&model, hello_tls13, 45);
	passes();
	hello_extension(&model, 41, PSK_ONE "\x00\x21\x20" X32, 44);
	refused(109, FAIL_MALFORMED);
	hello_model(&model, hello_tls13, 43);	/* now a TLS 1.2 hello */
	passes();
}
END_TEST

/* psk_ke without key shares is legal, but never what stekd resumes with. */
START_TEST(test_psk_without_key_exchange)
{
	hello_begin(&model, 0x0303, 0);
	hello_suites(&model, "\x13\x01", 2);
	hello_compression(&model, "\0", 1);
	hello_extension(&model, 43, "\x02\x03\x04", 3);
	hello_extension(&model, 45, "\x01\x00", 2);
	hello_extension(&model, 41, PSK_ONE "\x00\x21\x20" X32, 44);
	refused(109, FAIL_GROUP);
	hello_model(&model, hello_tls13, 45);
	hello_extension(&model, 45, "\x01\x00", 2);
	hello_extension(&model, 41, PSK_ONE "\x00\x21\x20" X32, 44);
	passes();
	ck_assert(seen.psk_ke && !seen.psk_dhe_ke);
}
END_TEST

/* No extension stands twice, known or not; the PSK stands last. */
START_TEST(test_order_and_duplicates)
{
	hello_model(&model, hello_tls13, NONE);
	hello_extension(&model, 45, "\x01\x01", 2);
	refused(47, FAIL_MALFORMED);
	hello_model(&model, hello_tls13, NONE);
	hello_extension(&model, 0xfeed, "", 0);
	passes();
	hello_extension(&model, 0xfeed, "", 0);
	refused(47, FAIL_MALFORMED);
	hello_model(&model, hello_tls13, NONE);
	hello_extension(&model, 41, PSK_ONE "\x00\x21\x20" X32, 44);
	passes();
	hello_extension(&model, 21, "", 0);
	refused(47, FAIL_MALFORMED);
	hello_model(&model, hello_tls12, NONE);
	hello_extension(&model, 41, PSK_ONE "\x00\x21\x20" X32, 44);
	hello_extension(&model, 21, "", 0);
	refused(47, FAIL_MALFORMED);
}
END_TEST

static void plain(uint16_t version, size_t id_len, const char *suites,
		  size_t suites_len, const char *compression,
		  size_t compression_len)
{
	hello_begin(&model, version, id_len);
	hello_suites(&model, suites, suites_len);
	hello_compression(&model, compression, compression_len);
	hello_end(&model);
}

/* The fields before the extensions, which TLS 1.2 may leave out. */
START_TEST(test_fixed_fields)
{
	plain(0x0303, 0, "\xc0\x2b", 2, "\0", 1);
	passes();
	ck_assert(seen.offers_tls12 && !seen.offers_tls13);
	ck_assert_uint_eq(seen.n_suites, 1);
	for (size_t len = 1; len <= 32; len++) {
		plain(0x0303, len, "\xc0\x2b", 2, "\0", 1);
		passes();
		ck_assert_uint_eq(seen.session_id_len, len);
	}
	plain(0x0303, 33, "\xc0\x2b", 2, "\0", 1);
	refused(50, FAIL_MALFORMED);
	plain(0x0303, 0, "", 0, "\0", 1);
	refused(50, FAIL_MALFORMED);
	plain(0x0303, 0, "\xc0\x2b\xc0", 3, "\0", 1);
	refused(50, FAIL_MALFORMED);
	plain(0x0303, 0, "\xc0\x2b", 2, "", 0);
	refused(50, FAIL_MALFORMED);
	plain(0x0303, 0, "\xc0\x2b", 2, "\x01", 1);
	refused(47, FAIL_MALFORMED);
	plain(0x0303, 0, "\xc0\x2b", 2, "\x01\0", 2);
	passes();
}
END_TEST

/* RFC 8446 s4.1.2: in TLS 1.3 compression is null alone. */
START_TEST(test_no_compression_in_tls13)
{
	hello_begin(&model, 0x0303, 0);
	hello_suites(&model, "\x13\x01", 2);
	hello_compression(&model, "\x01\0", 2);
	for (const struct hello_part *part = hello_tls13; part->bytes; part++)
		hello_extension(&model, part->type, part->bytes, part->len);
	refused(47, FAIL_MALFORMED);
}
END_TEST

/* Neither signalling values nor GREASE nor 0x0000 are suites. */
START_TEST(test_suites_that_are_none)
{
	plain(0x0303, 0, "\x00\xff", 2, "\0", 1);
	refused(40, FAIL_SUITE);
	plain(0x0303, 0, "\x00\xff\x56\x00\x00\x00\x1a\x1a", 8, "\0", 1);
	refused(40, FAIL_SUITE);
	ck_assert(seen.has_scsv && seen.has_fallback_scsv);
	plain(0x0303, 0, "\x00\xff\xc0\x2b", 4, "\0", 1);
	passes();
	ck_assert_uint_eq(seen.n_suites, 1);
}
END_TEST

/* The legacy version counts only without supported_versions. */
START_TEST(test_versions)
{
	plain(0x0302, 0, "\xc0\x2b", 2, "\0", 1);
	refused(70, FAIL_VERSION);
	plain(0x0304, 0, "\xc0\x2b", 2, "\0", 1);
	passes();
	ck_assert(seen.offers_tls12 && !seen.offers_tls13);
	hello_model(&model, hello_tls13, NONE);
	model.bytes[5] = 0x01;
	passes();
	ck_assert(seen.offers_tls13 && !seen.offers_tls12);
	model.bytes[5] = 0x00;
	refused(70, FAIL_VERSION);
}
END_TEST

/* The length of the extensions is that of the rest. */
START_TEST(test_extensions_length)
{
	hello_model(&model, hello_tls12, NONE);
	hello_set(&model, model.extensions - 2, model.len - model.extensions - 1,
		  2);
	refused(50, FAIL_MALFORMED);
	hello_set(&model, model.extensions - 2, model.len - model.extensions + 1,
		  2);
	refused(50, FAIL_MALFORMED);
	plain(0x0303, 0, "\xc0\x2b", 2, "\0", 1);
	hello_fill(&model, 0, 1);
	hello_end(&model);
	refused(50, FAIL_MALFORMED);
	hello_fill(&model, 0, 1);
	hello_end(&model);
	passes();
	/* An extension that reaches past their end. */
	hello_model(&model, hello_tls12, NONE);
	hello_number(&model, 35, 2);
	hello_number(&model, 1, 2);
	hello_end(&model);
	refused(50, FAIL_MALFORMED);
}
END_TEST

static void name_extension(const char *name, size_t len)
{
	uint8_t bytes[512];

	bytes[0] = (uint8_t)((len + 3) >> 8);
	bytes[1] = (uint8_t)(len + 3);
	bytes[2] = 0;
	bytes[3] = (uint8_t)(len >> 8);
	bytes[4] = (uint8_t)len;
	memcpy(bytes + 5, name, len);
	hello_model(&model, hello_tls13, NONE);
	hello_extension(&model, 0, bytes, len + 5);
}

/* Names come out in lower case; addresses are no names, RFC 6066 s3. */
START_TEST(test_server_name)
{
	static const char *const addresses[] = {
		"192.0.2.1", "::1", "[::1]", "2001:db8::1", "[2001:db8::1]",
	};
	char long_name[256];

	name_extension("WWW.Example.COM", 15);
	passes();
	ck_assert_str_eq(seen.server_name, "www.example.com");
	ck_assert(!seen.name_is_address);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
		name_extension(addresses[i], strlen(addresses[i]));
		passes();
		ck_assert_str_eq(seen.server_name, "");
		ck_assert(seen.name_is_address);
	}
	name_extension("[", 1);
	passes();
	ck_assert_str_eq(seen.server_name, "[");
	name_extension("1.2.3.4.example", 15);
	passes();
	ck_assert_str_eq(seen.server_name, "1.2.3.4.example");
	memset(long_name, 'a', sizeof(long_name));
	name_extension(long_name, 255);
	passes();
	ck_assert_uint_eq(strlen(seen.server_name), 255);
	name_extension(long_name, 256);
	refused(112, FAIL_UNKNOWN_HOST);
}
END_TEST

/* Lengths and first bytes of tickets and identities are told. */
START_TEST(test_tickets)
{
	static uint8_t ticket[16384];

	for (size_t i = 0; i < sizeof(ticket); i++)
		ticket[i] = (uint8_t)(i + 1);
	for (size_t len = 0; len <= sizeof(ticket);
	     len += len < 300 ? 1 : 4021) {
		hello_model(&model, hello_tls12, NONE);
		hello_extension(&model, 35, ticket, len);
		passes();
		ck_assert(seen.has_session_ticket);
		ck_assert_uint_eq(seen.session_ticket_len, len);
		ck_assert_uint_eq(seen.session_ticket_name[15],
				  len < 16 ? 0 : 16);
	}
	hello_model(&model, hello_tls13, NONE);
	hello_extension(&model, 41,
			"\x00\x1d\x00\x10" "abcdefghijklmnop" "\x00\x00\x00\x00"
			"\x00\x01z\x00\x00\x00\x00"
			"\x00\x42\x20" X32 "\x20" X32, 99);
	ck_assert_msg(parse() == GATE_PASS, "%s", seen.why);
	ck_assert_uint_eq(seen.n_psk, 2);
	ck_assert_uint_eq(seen.psk_longest, 16);
	ck_assert_mem_eq(seen.psk_name, "abcdefghijklmnop", 16);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gate_ext");
	TCase *table = tcase_create("rules");
	TCase *fields = tcase_create("fields");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(table, test_rule, 0,
			    (int)(sizeof(rules) / sizeof(rules[0])));
	suite_add_tcase(suite, table);
	tcase_add_test(fields, test_missing_extensions);
	tcase_add_test(fields, test_alpn_is_kept);
	tcase_add_test(fields, test_psk_without_key_exchange);
	tcase_add_test(fields, test_order_and_duplicates);
	tcase_add_test(fields, test_fixed_fields);
	tcase_add_test(fields, test_no_compression_in_tls13);
	tcase_add_test(fields, test_suites_that_are_none);
	tcase_add_test(fields, test_versions);
	tcase_add_test(fields, test_extensions_length);
	tcase_add_test(fields, test_server_name);
	tcase_add_test(fields, test_tickets);
	suite_add_tcase(suite, fields);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

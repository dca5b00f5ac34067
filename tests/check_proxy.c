// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_proxy.c - PROXY headers, version 2: read strictly, written as HAProxy
 * and nginx read them.
 */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "proxy.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define TCP4 SIGNATURE "\x21\x11\x00\x0c"				\
	"\xc0\x00\x02\x01" "\xc0\x00\x02\x02" "\xd4\x31" "\x01\xbb"
#define TCP6 SIGNATURE "\x21\x21\x00\x24"				\
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"			\
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02" "\xd4\x31" "\x01\xbb"

static struct proxy_in seen;

/* In a block of its own size, so that a sanitizer sees the byte behind it. */
static enum proxy_verdict parse(const void *bytes, size_t len)
{
	enum proxy_verdict verdict;
	uint8_t *exact = malloc(len ? len : 1);

	ck_assert_ptr_nonnull(exact);
	memcpy(exact, bytes, len);
	verdict = proxy_parse(&seen, exact, len);
	free(exact);
	return verdict;
}

#define PARSE(literal) parse(literal, sizeof(literal) - 1)

/* Addresses and ports of both families come out as they went in. */
START_TEST(test_addresses)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&seen.from;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&seen.to;
	char text[INET6_ADDRSTRLEN];

	ck_assert(PARSE(TCP4) == PROXY_PASS);
	ck_assert(!seen.local);
	ck_assert_uint_eq(seen.consumed, 28);
	ck_assert_int_eq(v4->sin_family, AF_INET);
	ck_assert_str_eq(inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text)),
			 "192.0.2.1");
	ck_assert_uint_eq(ntohs(v4->sin_port), 54321);
	ck_assert(PARSE(TCP6) == PROXY_PASS);
	ck_assert_int_eq(v6->sin6_family, AF_INET6);
	ck_assert_str_eq(inet_ntop(AF_INET6, &v6->sin6_addr, text,
				   sizeof(text)), "2001:db8::2");
	ck_assert_uint_eq(ntohs(v6->sin6_port), 443);
}
END_TEST

/* Unix sockets have paths of 108 bytes each. */
START_TEST(test_unix_addresses)
{
	const struct sockaddr_un *from = (const struct sockaddr_un *)&seen.from;
	const struct sockaddr_un *to = (const struct sockaddr_un *)&seen.to;
	uint8_t header[16 + 216] = SIGNATURE "\x21\x31\x00\xd8" "/a";

	memcpy(header + 16 + 108, "/b", 2);
	ck_assert(parse(header, sizeof(header)) == PROXY_PASS);
	ck_assert_int_eq(from->sun_family, AF_UNIX);
	ck_assert_str_eq(from->sun_path, "/a");
	ck_assert_str_eq(to->sun_path, "/b");
}
END_TEST

/* A header is incomplete until its last byte; what follows is not its own. */
START_TEST(test_cut_at_every_byte)
{
	for (size_t len = 0; len < sizeof(TCP6) - 1; len++)
		ck_assert(parse(TCP6, len) == PROXY_MORE);
	ck_assert(PARSE(TCP6 "\x16\x03\x01") == PROXY_PASS);
	ck_assert_uint_eq(seen.consumed, sizeof(TCP6) - 1);
}
END_TEST

/* The balancer's own checks and unspecified families name nobody. */
START_TEST(test_local_and_unspecified)
{
	ck_assert(PARSE(SIGNATURE "\x20\x00\x00\x00") == PROXY_PASS);
	ck_assert(seen.local);
	ck_assert_int_eq(seen.from.ss_family, AF_UNSPEC);
	ck_assert(PARSE(SIGNATURE "\x20\x11\x00\x03xyz") == PROXY_PASS);
	ck_assert_uint_eq(seen.consumed, 19);
	ck_assert_int_eq(seen.from.ss_family, AF_UNSPEC);
	ck_assert(PARSE(SIGNATURE "\x21\x00\x00\x02xy") == PROXY_PASS);
	ck_assert(!seen.local);
	ck_assert_int_eq(seen.from.ss_family, AF_UNSPEC);
}
END_TEST

/* What is no such header is told at the first byte that differs. */
START_TEST(test_signature)
{
	char header[] = SIGNATURE "\x21\x11\x00\x0c" "abcdabcdabab";

	for (size_t at = 0; at < 12; at++) {
		header[at] ^= 0x20;
		ck_assert(parse(header, at + 1) == PROXY_REFUSE);
		ck_assert_ptr_nonnull(seen.why);
		header[at] ^= 0x20;
	}
	ck_assert(PARSE("\x16\x03\x01") == PROXY_REFUSE);
	ck_assert(PARSE("PROXY TCP4 ") == PROXY_REFUSE);	/* version 1 */
}
END_TEST

/* One version, two commands, three families. */
START_TEST(test_version_command_family)
{
	char header[] = SIGNATURE "\x21\x11\x00\xd8";
	uint8_t whole[16 + 216] = { 0 };

	for (unsigned command = 0; command < 256; command++) {
		bool good = command == 0x20 || command == 0x21;

		header[12] = (char)command;
		ck_assert((parse(header, 13) == PROXY_MORE) == good);
	}
	header[12] = 0x21;
	for (unsigned family = 0; family < 256; family++) {
		bool good = family == 0 || family == 0x11 || family == 0x21 ||
			    family == 0x31;

		header[13] = (char)family;
		memcpy(whole, header, 16);
		ck_assert_msg((parse(whole, sizeof(whole)) == PROXY_PASS) ==
			      good, "family %02x", family);
	}
}
END_TEST

/* Too short for its addresses, or longer than is taken. */
START_TEST(test_lengths)
{
	uint8_t header[PROXY_HEADER_MAX] = SIGNATURE "\x21\x11\x02\x08";

	ck_assert(PARSE(SIGNATURE "\x21\x11\x00\x0b" "abcdabcdaba") ==
		  PROXY_REFUSE);
	ck_assert(PARSE(SIGNATURE "\x21\x21\x00\x0c" "abcdabcdabab") ==
		  PROXY_REFUSE);
	ck_assert_uint_eq(seen.consumed, 0);
	/* 536 bytes: 12 of addresses, then one TLV that fills it. */
	header[28] = 0x04;
	header[29] = 0x01;
	header[30] = 0xf9;
	ck_assert(parse(header, sizeof(header)) == PROXY_PASS);
	header[15] = 0x09;
	ck_assert(parse(header, 16) == PROXY_REFUSE);
}
END_TEST

/* TLVs are skipped, but must end where the header does. */
START_TEST(test_tlvs)
{
	char header[] = SIGNATURE "\x21\x11\x00\x10" "abcdabcdabab"
			"\x01\x00\x01h";

	ck_assert(PARSE(header) == PROXY_PASS);
	header[30] = 2;
	ck_assert(PARSE(header) == PROXY_REFUSE);
	header[30] = 0;		/* one byte is left over */
	ck_assert(PARSE(header) == PROXY_REFUSE);
	header[15] = 0x0e;	/* the TLV's length is cut */
	ck_assert(parse(header, 30) == PROXY_REFUSE);
}
END_TEST

static struct sockaddr_in v4(const char *text, uint16_t port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons(port) };

	ck_assert_int_eq(inet_pton(AF_INET, text, &addr.sin_addr), 1);
	return addr;
}

/* The bytes of a whole header with every TLV, as the specification has them. */
START_TEST(test_write)
{
	static const char expected[] = SIGNATURE "\x21\x11\x00\x47"
		"\xc0\x00\x02\x01\xc0\x00\x02\x02\xd4\x31\x01\xbb"
		"\x01\x00\x02h2" "\x02\x00\x0b" "example.com"
		"\x20\x00\x21\x01\x00\x00\x00\x01"
		"\x21\x00\x07TLSv1.3"
		"\x23\x00\x0f" "ECDHE-TEST-SUIT"
		"\xe0\x00\x01\x01";
	struct sockaddr_in from = v4("192.0.2.1", 54321);
	struct sockaddr_in to = v4("192.0.2.2", 443);
	struct proxy_out out = {
		.from = (const struct sockaddr *)&from,
		.to = (const struct sockaddr *)&to,
		.alpn = "h2", .authority = "example.com", .tls = true,
		.tls_version = "TLSv1.3", .cipher = "ECDHE-TEST-SUIT",
		.resumed = true,
	};
	uint8_t buf[PROXY_HEADER_MAX];

	ck_assert_uint_eq(proxy_write(&out, buf), sizeof(expected) - 1);
	ck_assert_mem_eq(buf, expected, sizeof(expected) - 1);
	out.resumed = false;
	proxy_write(&out, buf);
	ck_assert_uint_eq(buf[sizeof(expected) - 2], 0);
}
END_TEST

/* Without TLS, names or addresses the header gets shorter, and stays right. */
START_TEST(test_write_less)
{
	struct sockaddr_in from = v4("192.0.2.1", 54321);
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct proxy_out out = {
		.from = (const struct sockaddr *)&from,
		.to = (const struct sockaddr *)&from,
	};
	uint8_t buf[PROXY_HEADER_MAX];

	ck_assert_uint_eq(proxy_write(&out, buf), 28);
	ck_assert(parse(buf, 28) == PROXY_PASS);
	ck_assert_mem_eq(&seen.from, &from, sizeof(from));
	/* Families that differ tell the backend nothing. */
	out.to = (const struct sockaddr *)&to;
	ck_assert_uint_eq(proxy_write(&out, buf), 16);
	ck_assert(parse(buf, 16) == PROXY_PASS);
	ck_assert_int_eq(seen.from.ss_family, AF_UNSPEC);
	out.from = out.to = NULL;
	ck_assert_uint_eq(proxy_write(&out, buf), 16);
}
END_TEST

/* An IPv4 client of a dual-stack listener is an IPv4 client to the backend. */
START_TEST(test_write_mapped)
{
	struct sockaddr_in6 from = { .sin6_family = AF_INET6 };
	struct proxy_out out = {
		.from = (const struct sockaddr *)&from,
		.to = (const struct sockaddr *)&from,
	};
	uint8_t buf[PROXY_HEADER_MAX];

	inet_pton(AF_INET6, "::ffff:192.0.2.7", &from.sin6_addr);
	ck_assert_uint_eq(proxy_write(&out, buf), 28);
	ck_assert_mem_eq(buf + 16, "\xc0\x00\x02\x07", 4);
	inet_pton(AF_INET6, "2001:db8::1", &from.sin6_addr);
	ck_assert_uint_eq(proxy_write(&out, buf), 52);
}
END_TEST

/* What would not fit is not written at all. */
START_TEST(test_write_bounded)
{
	struct sockaddr_in from = v4("192.0.2.1", 54321);
	char name[600];
	struct proxy_out out = {
		.from = (const struct sockaddr *)&from,
		.to = (const struct sockaddr *)&from,
		.authority = name,
	};
	uint8_t buf[PROXY_HEADER_MAX];

	memset(name, 'a', sizeof(name));
	name[PROXY_HEADER_MAX - 28 - 3] = '\0';
	ck_assert_uint_eq(proxy_write(&out, buf), PROXY_HEADER_MAX);
	ck_assert(parse(buf, sizeof(buf)) == PROXY_PASS);
	name[PROXY_HEADER_MAX - 28 - 3] = 'a';
	name[PROXY_HEADER_MAX - 28 - 2] = '\0';
	ck_assert_uint_eq(proxy_write(&out, buf), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("proxy");
	TCase *in = tcase_create("parse");
	TCase *out = tcase_create("write");
	SRunner *runner;
	int failed;

	tcase_add_test(in, test_addresses);
	tcase_add_test(in, test_unix_addresses);
	tcase_add_test(in, test_cut_at_every_byte);
	tcase_add_test(in, test_local_and_unspecified);
	tcase_add_test(in, test_signature);
	tcase_add_test(in, test_version_command_family);
	tcase_add_test(in, test_lengths);
	tcase_add_test(in, test_tlvs);
	suite_add_tcase(suite, in);
	tcase_add_test(out, test_write);
	tcase_add_test(out, test_write_less);
	tcase_add_test(out, test_write_mapped);
	tcase_add_test(out, test_write_bounded);
	suite_add_tcase(suite, out);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

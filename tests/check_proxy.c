// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_proxy.c - PROXY headers of both versions, read strictly.
 */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "proxy_read.h"

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
	ck_assert(PARSE("PROXi TCP4 ") == PROXY_REFUSE);
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

/* A checksum is optional, but one that is there must be right. */
START_TEST(test_checksum)
{
	/* HAProxy 2.6, send-proxy-v2 proxy-v2-options crc32c. */
	char header[] = SIGNATURE "\x21\x11\x00\x13"
		"\xc0\x00\x02\x01\xc0\x00\x02\x02\xd4\x31\x01\xbb"
		"\x03\x00\x04" "\x00\x00\x00\x00";
	uint32_t crc = proxy__crc32c(0, (const uint8_t *)header,
				     sizeof(header) - 1);
	size_t at;

	/* RFC 3720 B.4 */
	ck_assert_uint_eq(proxy__crc32c(0, (const uint8_t *)"123456789", 9),
			  0xe3069283);
	for (at = 0; at < 4; at++)
		header[31 + at] = (char)(crc >> (24 - 8 * at));
	ck_assert(PARSE(header) == PROXY_PASS);
	for (at = 16; at < sizeof(header) - 1; at++) {
		header[at] ^= 0x01;
		ck_assert_msg(PARSE(header) == PROXY_REFUSE || at == 28,
			      "byte %zu", at);
		header[at] ^= 0x01;
	}
	/* Too short a checksum is none. */
	ck_assert(PARSE(SIGNATURE "\x21\x11\x00\x10" "abcdabcdabab"
			"\x03\x00\x01x") == PROXY_REFUSE);
}
END_TEST

/* Version 1 says the same in words. */
START_TEST(test_line_addresses)
{
	struct proxy_in binary;

	ck_assert(PARSE(TCP4) == PROXY_PASS);
	binary = seen;
	ck_assert(PARSE(LINE4 "\x16\x03") == PROXY_PASS);
	ck_assert_uint_eq(seen.consumed, sizeof(LINE4) - 1);
	ck_assert_mem_eq(&seen.from, &binary.from, sizeof(seen.from));
	ck_assert_mem_eq(&seen.to, &binary.to, sizeof(seen.to));
	ck_assert(PARSE(TCP6) == PROXY_PASS);
	binary = seen;
	ck_assert(PARSE(LINE6) == PROXY_PASS);
	ck_assert_mem_eq(&seen.from, &binary.from, sizeof(seen.from));
	ck_assert_mem_eq(&seen.to, &binary.to, sizeof(seen.to));
}
END_TEST

/* UNKNOWN names nobody, whatever follows; it is no health check either. */
START_TEST(test_line_unknown)
{
	ck_assert(PARSE("PROXY UNKNOWN\r\n") == PROXY_PASS);
	ck_assert(!seen.local);
	ck_assert_int_eq(seen.from.ss_family, AF_UNSPEC);
	ck_assert(PARSE("PROXY UNKNOWN ffff:f...f:ffff 65535\r\nx") ==
		  PROXY_PASS);
	ck_assert_int_eq(seen.from.ss_family, AF_UNSPEC);
	ck_assert(PARSE("PROXY UNKNOWNS\r\n") == PROXY_REFUSE);
}
END_TEST

/* Incomplete until its last byte, and the longest is of 107 (section 2.1). */
START_TEST(test_line_cut_and_bounded)
{
	char line[128] = "PROXY UNKNOWN ";

	for (size_t len = 0; len < sizeof(LINE6) - 1; len++)
		ck_assert(parse(LINE6, len) == PROXY_MORE);
	memset(line + 14, 'f', sizeof(line) - 14);
	memcpy(line + 105, "\r\n", 2);
	ck_assert(parse(line, 107) == PROXY_PASS);
	ck_assert(parse(line, 106) == PROXY_MORE);
	memcpy(line + 105, "f\r\n", 3);
	ck_assert(parse(line, 105) == PROXY_MORE);
	ck_assert(parse(line, 106) == PROXY_REFUSE);
	ck_assert(parse(line, 108) == PROXY_REFUSE);
}
END_TEST

/* The worst cases that section 2.1 gives, with the lengths it counts. */
START_TEST(test_line_worst_cases)
{
#define ONES "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
	static const char v4[] = "PROXY TCP4 255.255.255.255 255.255.255.255 "
		"65535 65535\r\n";
	static const char v6[] = "PROXY TCP6 " ONES " " ONES " 65535 65535\r\n";
	static const char unknown[] = "PROXY UNKNOWN " ONES " " ONES
		" 65535 65535\r\n";

	ck_assert_uint_eq(sizeof(v4) - 1, 56);
	ck_assert_uint_eq(sizeof(v6) - 1, 104);
	ck_assert_uint_eq(sizeof(unknown) - 1, PROXY_LINE_MAX);
	ck_assert(PARSE(v4) == PROXY_PASS);
	ck_assert_int_eq(seen.from.ss_family, AF_INET);
	ck_assert(PARSE(v6) == PROXY_PASS);
	ck_assert_int_eq(seen.to.ss_family, AF_INET6);
	ck_assert(PARSE(unknown) == PROXY_PASS);
	ck_assert_uint_eq(seen.consumed, 107);
}
END_TEST

static const char *const bad_lines[] = {
	"proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
	"PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
	"PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n",
	"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
	"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
	"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
	"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
	"PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
	"PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n",
	"PROXY TCP4 192.0.2.1 192.0.2.2 1 0x2\r\n",
	"PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n",
	"PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n",
	"PROXY TCP4 ::1 ::2 1 2\r\n",
	"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
	"PROXY TCP6 ::1%lo ::2 1 2\r\n",
	"PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n",
	"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
	"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
	"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\rx",
	"PROXY TCP4\t192.0.2.1 192.0.2.2 1 2\r\n",
	"PROXY \r\n",
};

START_TEST(test_line_refuses)
{
	ck_assert_msg(parse(bad_lines[_i], strlen(bad_lines[_i])) ==
		      PROXY_REFUSE, "%s", bad_lines[_i]);
	ck_assert_ptr_nonnull(seen.why);
	ck_assert_uint_eq(seen.consumed, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("proxy");
	TCase *in = tcase_create("parse");
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
	tcase_add_test(in, test_checksum);
	suite_add_tcase(suite, in);
	in = tcase_create("parse_line");
	tcase_add_test(in, test_line_addresses);
	tcase_add_test(in, test_line_unknown);
	tcase_add_test(in, test_line_cut_and_bounded);
	tcase_add_test(in, test_line_worst_cases);
	tcase_add_loop_test(in, test_line_refuses, 0,
			    (int)(sizeof(bad_lines) / sizeof(bad_lines[0])));
	suite_add_tcase(suite, in);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

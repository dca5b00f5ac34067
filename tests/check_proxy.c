// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_proxy.c - PROXY headers of both versions: read strictly, written as
 * HAProxy and nginx read them.
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

static struct sockaddr_in v4(const char *text, uint16_t port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons(port) };

	ck_assert_int_eq(inet_pton(AF_INET, text, &addr.sin_addr), 1);
	return addr;
}

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

#define LINE4 "PROXY TCP4 192.0.2.1 192.0.2.2 54321 443\r\n"
#define LINE6 "PROXY TCP6 2001:db8::1 2001:db8::2 54321 443\r\n"

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

static struct proxy_out whole(const struct sockaddr_in *from,
			      const struct sockaddr_in *to)
{
	struct proxy_out out = {
		.form = PROXY_FORM_TLS,
		.from = (const struct sockaddr *)from,
		.to = (const struct sockaddr *)to,
		.alpn = "h2", .authority = "example.com",
		.tls_version = "TLSv1.3", .cipher = "ECDHE-TEST-SUIT",
		.signature = "RSA-SHA256", .key = "RSA2048",
		.group = "x25519", .resumed = true, .chain_age_s = 0x01020304,
	};

	return out;
}

/*
 * The bytes of a whole header with every TLV, as section 2.2 has them:
 * PP2_TYPE_SSL is client (1), verify (4), then sub-TLVs.
 */
START_TEST(test_write)
{
	static const char expected[] = SIGNATURE "\x21\x11\x00\x6e"
		"\xc0\x00\x02\x01\xc0\x00\x02\x02\xd4\x31\x01\xbb"
		"\x01\x00\x02h2" "\x02\x00\x0b" "example.com"
		"\x20\x00\x41\x01\x00\x00\x00\x01"
		"\x21\x00\x07TLSv1.3"
		"\x23\x00\x0f" "ECDHE-TEST-SUIT"
		"\x24\x00\x0aRSA-SHA256"
		"\x25\x00\x07RSA2048"
		"\x26\x00\x06x25519"
		"\xe0\x00\x01\x01"
		"\xe1\x00\x04\x01\x02\x03\x04";
	struct sockaddr_in from = v4("192.0.2.1", 54321);
	struct sockaddr_in to = v4("192.0.2.2", 443);
	struct proxy_out out = whole(&from, &to);
	uint8_t buf[PROXY_OUT_MAX];

	ck_assert_uint_eq(proxy_write(&out, buf), sizeof(expected) - 1);
	ck_assert_mem_eq(buf, expected, sizeof(expected) - 1);
	out.resumed = false;
	proxy_write(&out, buf);
	ck_assert_uint_eq(buf[sizeof(expected) - 1 - 8], 0);
}
END_TEST

/* Who the client is: the flags, the verdict and the fingerprint. */
START_TEST(test_write_identity)
{
	struct sockaddr_in from = v4("192.0.2.1", 54321);
	struct proxy_out out = whole(&from, &from);
	uint8_t buf[PROXY_OUT_MAX], print[PROXY_FINGERPRINT_LEN];
	size_t len, plain = proxy_write(&out, buf);
	/* Behind 28 bytes of addresses, ALPN and server name: the SSL TLV. */
	const uint8_t *ssl = buf + 28 + 5 + 14;

	memset(print, 0xab, sizeof(print));
	ck_assert_mem_eq(ssl, "\x20\x00\x41\x01\x00\x00\x00\x01", 8);
	out.client = PROXY_CLIENT_CERT_SESS;
	out.verified = true;
	out.fingerprint = print;
	len = proxy_write(&out, buf);
	ck_assert_uint_eq(len, plain + 3 + 32);
	ck_assert_mem_eq(ssl, "\x20\x00\x41\x05\x00\x00\x00\x00", 8);
	ck_assert_mem_eq(buf + len - 35, "\xe2\x00\x20", 3);
	ck_assert_mem_eq(buf + len - 32, print, 32);
	out.client |= PROXY_CLIENT_CERT_CONN;
	out.verified = false;
	proxy_write(&out, buf);
	ck_assert_mem_eq(ssl, "\x20\x00\x41\x07\x00\x00\x00\x01", 8);
}
END_TEST

/* The checksum covers every byte before it, and a reader finds it right. */
START_TEST(test_write_checksum)
{
	struct sockaddr_in from = v4("192.0.2.1", 54321);
	struct proxy_out out = whole(&from, &from);
	uint8_t buf[PROXY_OUT_MAX];
	size_t len, plain = proxy_write(&out, buf);

	out.form = PROXY_FORM_TLS_CRC;
	len = proxy_write(&out, buf);
	ck_assert_uint_eq(len, plain + 7);
	ck_assert_mem_eq(buf + plain, "\x03\x00\x04", 3);
	ck_assert(parse(buf, len) == PROXY_PASS);
	buf[17] ^= 1;
	ck_assert(parse(buf, len) == PROXY_REFUSE);
}
END_TEST

/* Version 1, and version 2 without a TLV: for receivers with small buffers. */
START_TEST(test_write_short_forms)
{
	struct sockaddr_in from = v4("192.0.2.1", 54321);
	struct sockaddr_in to = v4("192.0.2.2", 443);
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct proxy_out out = whole(&from, &to);
	uint8_t buf[PROXY_OUT_MAX];

	out.form = PROXY_FORM_V2;
	ck_assert_uint_eq(proxy_write(&out, buf), 28);
	ck_assert_mem_eq(buf, TCP4, 28);
	out.form = PROXY_FORM_V1;
	ck_assert_uint_eq(proxy_write(&out, buf), sizeof(LINE4) - 1);
	ck_assert_mem_eq(buf, LINE4, sizeof(LINE4) - 1);
	out.to = (const struct sockaddr *)&v6;
	ck_assert_uint_eq(proxy_write(&out, buf), 15);
	ck_assert_mem_eq(buf, "PROXY UNKNOWN\r\n", 15);
	/* The longest addresses that there are fit the line. */
	memset(&v6.sin6_addr, 0xff, 16);
	v6.sin6_port = 0xffff;
	out.from = out.to;
	ck_assert_uint_le(proxy_write(&out, buf), PROXY_LINE_MAX);
	ck_assert(parse(buf, proxy_write(&out, buf)) == PROXY_PASS);
	ck_assert_mem_eq(&seen.from, &v6, sizeof(v6));
}
END_TEST

/* Without TLS, names or addresses the header gets shorter, and stays right. */
START_TEST(test_write_less)
{
	struct sockaddr_in from = v4("192.0.2.1", 54321);
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct proxy_out out = {
		.form = PROXY_FORM_V2,
		.from = (const struct sockaddr *)&from,
		.to = (const struct sockaddr *)&from,
	};
	uint8_t buf[PROXY_OUT_MAX];

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
		.form = PROXY_FORM_V2,
		.from = (const struct sockaddr *)&from,
		.to = (const struct sockaddr *)&from,
	};
	uint8_t buf[PROXY_OUT_MAX];

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
	struct proxy_out out = whole(&from, &from);
	uint8_t buf[PROXY_OUT_MAX];
	char name[PROXY_OUT_MAX];
	size_t room = PROXY_OUT_MAX - proxy_write(&out, buf) +
		strlen(out.authority);

	memset(name, 'a', sizeof(name));
	out.authority = name;
	name[room] = '\0';
	ck_assert_uint_eq(proxy_write(&out, buf), PROXY_OUT_MAX);
	name[room] = 'a';
	name[room + 1] = '\0';
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
	tcase_add_test(out, test_write);
	tcase_add_test(out, test_write_identity);
	tcase_add_test(out, test_write_checksum);
	tcase_add_test(out, test_write_short_forms);
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

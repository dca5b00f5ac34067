// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_proxy_write.c - PROXY headers of both versions, written as HAProxy and
 * nginx read them.
 */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "proxy_read.h"

static struct sockaddr_in v4(const char *text, uint16_t port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons(port) };

	ck_assert_int_eq(inet_pton(AF_INET, text, &addr.sin_addr), 1);
	return addr;
}

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
	Suite *suite = suite_create("proxy_write");
	TCase *out = tcase_create("write");
	SRunner *runner;
	int failed;

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

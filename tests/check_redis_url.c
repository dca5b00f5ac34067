// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_redis_url.c - where a URL and the options beside it say that a Redis
 * is, where a Cluster's answer says to go, and what address a certificate is
 * for. Nothing here connects but to what refuses at once.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_conn.h"

static struct stek_redis_place place;
static char why[512];

static int parse(const char *url, const struct stek_store_reach *reach)
{
	struct stek_store_options options = { .url = url, .farm = "farm",
					      .timeout_ms = 100 };

	if (reach)
		options.reach = *reach;
	why[0] = '\0';
	return stek__redis_place(&place, &options, why, sizeof(why));
}

static void assert_addr(size_t i, const char *host, int port)
{
	ck_assert_uint_lt(i, place.n_addrs);
	ck_assert_str_eq(place.addr[i].host, host);
	ck_assert_int_eq(place.addr[i].port, port);
}

/* One host or several, each with or without a port, and a database. */
START_TEST(test_servers)
{
	ck_assert_int_eq(parse("redis://a.test", NULL), 0);
	assert_addr(0, "a.test", 6379);
	ck_assert_uint_eq(place.n_addrs, 1);
	ck_assert_str_eq(place.master, "");
	ck_assert_int_eq(parse("redis://a:1,[::1]:65535,b/", NULL), 0);
	ck_assert_uint_eq(place.n_addrs, 3);
	assert_addr(0, "a", 1);
	assert_addr(1, "::1", 65535);
	assert_addr(2, "b", 6379);
	ck_assert_int_eq(parse("redis://a/15", NULL), 0);
	ck_assert_uint_eq(place.db, 15);
	ck_assert_int_eq(parse("unix:/run/redis?db=3", NULL), 0);
	ck_assert_str_eq(place.path, "/run/redis");
	ck_assert_uint_eq(place.n_addrs, 0);
	ck_assert_uint_eq(place.db, 3);
}
END_TEST

/* Sentinels have a port of their own, and the primary a name. */
START_TEST(test_sentinels)
{
	ck_assert_int_eq(parse("sentinel://a,b:1/my-farm.1", NULL), 0);
	ck_assert_uint_eq(place.n_addrs, 2);
	assert_addr(0, "a", 26379);
	assert_addr(1, "b", 1);
	ck_assert_str_eq(place.master, "my-farm.1");
	ck_assert(!place.tls.on);
	ck_assert_int_eq(parse("sentinel://[::1]/m/7", NULL), 0);
	ck_assert_uint_eq(place.db, 7);
}
END_TEST

static const char *const bad_urls[] = {
	"", "redis:", "redis://", "redis:///0", "redis://a:0", "redis://a:",
	"redis://a:65536", "redis://a:1x", "redis://a/x", "redis://a/0/1",
	"redis://a/65536", "redis://,", "redis://a,", "redis://a,,b",
	"redis://[::1", "redis://[::1]x", "redis://::1", "redis://a b",
	"redis://a?db=1", "redis://a\n", "redis://u:p@a", "rediss://u:p@a",
	"redis://a,b,c,d,e,f,g,h,i", "REDIS://a", "tls://a",
	"sentinel://a", "sentinel://a/", "sentinel:///m", "sentinel://a//0",
	"sentinel://a/m/x", "sentinel://a/m m", "sentinel://a/m/0/1",
	"sentinel://u@a/m", "unix:", "unix:run", "unix:/a?db=", "unix:/a?db=x",
	"unix:/a?x=1",
};

/* Everything else is refused, and a password is not repeated. */
START_TEST(test_bad_urls)
{
	ck_assert_int_eq(parse(bad_urls[_i], NULL), STEK_EINVAL);
	ck_assert_ptr_nonnull(strstr(why, "store url"));
	ck_assert_ptr_null(strstr(why, "u:p"));
}
END_TEST

static const struct {
	const char *url;
	struct stek_store_reach reach;
	const char *why;
} bad_options[] = {
	{ "rediss://a", { 0 }, "store ca" },
	{ "sentinels://a/m", { 0 }, "store ca" },
	{ "rediss://a", { .ca = "/nowhere" }, "store ca /nowhere" },
	{ "rediss://a", { .ca = "/dev/null" }, "store ca /dev/null" },
	{ "rediss://a", { .ca = "/x", .key = "/x" }, "one without" },
	{ "rediss://a", { .ca = "/x", .certificate = "/x" }, "one without" },
	{ "redis://a", { .ca = "/x" }, "no TLS" },
	{ "redis://a", { .server_name = "x" }, "no TLS" },
	{ "sentinel://a/m", { .certificate = "/x", .key = "/x" }, "no TLS" },
	{ "unix:/a", { .ca = "/x" }, "no TLS" },
	{ "redis://a", { .sentinel_password_file = "/x" }, "sentinel" },
	{ "sentinel://a/m", { .sentinel_user = "x" }, "sentinel_user" },
	{ "sentinel://a/m", { .sentinel_password_file = "/nowhere" },
	  "/nowhere" },
	{ "redis://a", { .wait_replicas = 17 }, "wait_replicas" },
	{ "redis://a", { .wait_replicas = 1, .wait_ms = 801 }, "wait_ms" },
	{ "redis://a", { .wait_ms = 100 }, "wait_ms" },
};

/* An option that would do nothing is a mistake, and told by its name. */
START_TEST(test_bad_options)
{
	ck_assert_int_ne(parse(bad_options[_i].url, &bad_options[_i].reach), 0);
	ck_assert_msg(strstr(why, bad_options[_i].why) != NULL, "%s", why);
}
END_TEST

/* Replicas are waited for by default for 200 ms. */
START_TEST(test_wait)
{
	struct stek_store_reach reach = { .wait_replicas = 16 };

	ck_assert_int_eq(parse("redis://a", &reach), 0);
	ck_assert_uint_eq(place.wait_replicas, 16);
	ck_assert_uint_eq(place.wait_ms, 200);
	reach.wait_ms = 800;
	ck_assert_int_eq(parse("redis://a", &reach), 0);
	ck_assert_uint_eq(place.wait_ms, 800);
}
END_TEST

static const struct stek_redis_addr from = { "here", 6379 };

/* MOVED and ASK, by name, by address, and to another port of the same host. */
START_TEST(test_redirects)
{
	struct stek_redis_redirect to;

	ck_assert(stek__redis_redirected("MOVED 3999 10.0.0.1:6381", &from,
					 &to));
	ck_assert(!to.ask);
	ck_assert_str_eq(to.addr.host, "10.0.0.1");
	ck_assert_int_eq(to.addr.port, 6381);
	ck_assert(stek__redis_redirected("ASK 0 fe80::1:7000", &from, &to));
	ck_assert(to.ask);
	ck_assert_str_eq(to.addr.host, "fe80::1");
	ck_assert_int_eq(to.addr.port, 7000);
	ck_assert(stek__redis_redirected("MOVED 1 :7001", &from, &to));
	ck_assert_str_eq(to.addr.host, "here");
	ck_assert_int_eq(to.addr.port, 7001);
}
END_TEST

static const char *const no_redirects[] = {
	"", "MOVED", "MOVED ", "MOVED 1", "MOVED 1 ", "MOVED x h:1",
	"MOVED 1 h", "MOVED 1 h:", "MOVED 1 h:0", "MOVED 1 h:65536",
	"MOVED 1 h:1x", "MOVED 1 ?:6379", "MOVED 1 a b:1", "MOVED 123456 h:1",
	"moved 1 h:1", "ASKING 1 h:1", "ERR MOVED 1 h:1",
};

/* What does not say clearly where to go leads nowhere. */
START_TEST(test_no_redirects)
{
	struct stek_redis_redirect to = { .ask = true, .addr.port = 7 };

	ck_assert(!stek__redis_redirected(no_redirects[_i], &from, &to));
	ck_assert_int_eq(to.addr.port, 7);
}
END_TEST

/* A Unix socket has no host for "the same host". */
START_TEST(test_redirect_from_socket)
{
	const struct stek_redis_addr nowhere = { "", 0 };
	struct stek_redis_redirect to;

	ck_assert(!stek__redis_redirected("MOVED 1 :7001", &nowhere, &to));
}
END_TEST

/* SEQ { SEQ { [3] { SEQ { SEQ { OID 2.5.29.17, OCTETS { SEQ {names} } } } } } } */
static const uint8_t certificate[] = {
	0x30, 0x1d, 0x30, 0x1b, 0xa3, 0x19, 0x30, 0x17, 0x30, 0x15,
	0x06, 0x03, 0x55, 0x1d, 0x11, 0x04, 0x0e, 0x30, 0x0c,
	0x82, 0x04, 0x0a, 0x00, 0x00, 0x01,	/* a name of these bytes */
	0x87, 0x04, 0x7f, 0x00, 0x00, 0x01,	/* 127.0.0.1 */
};

/* The address is found; another, or one byte of it less, is not. */
START_TEST(test_peer)
{
	const uint8_t good[] = { 127, 0, 0, 1 }, other[] = { 127, 0, 0, 2 };
	const uint8_t named[] = { 10, 0, 0, 1 };
	uint8_t changed[sizeof(certificate)];
	size_t i;

	ck_assert(stek__redis_peer_has(certificate, sizeof(certificate), good,
				       4));
	ck_assert(!stek__redis_peer_has(certificate, sizeof(certificate),
					other, 4));
	ck_assert(!stek__redis_peer_has(certificate, sizeof(certificate),
					named, 4));
	ck_assert(!stek__redis_peer_has(certificate, sizeof(certificate), good,
					3));
	for (i = 0; i < sizeof(certificate); i++)
		ck_assert(!stek__redis_peer_has(certificate, i, good, 4));
	/* Any structure byte changed: never read past the end. */
	for (i = 0; i < 8 * sizeof(certificate); i++) {
		memcpy(changed, certificate, sizeof(changed));
		changed[i / 8] ^= (uint8_t)(1 << i % 8);
		(void)stek__redis_peer_has(changed, sizeof(changed), good, 4);
	}
}
END_TEST

/* Names that do not resolve, and what refuses, end by the deadline. */
START_TEST(test_dial_fails)
{
	const struct stek_redis_addr nobody = { "127.0.0.1", 1 };
	const struct stek_redis_addr unknown = { "no.such.invalid", 6379 };
	int64_t began_ms = stek__redis_now_ms();
	char detail[160];
	int fd = -7;

	ck_assert_int_eq(stek__redis_dial(&fd, &nobody, began_ms + 500, detail,
					  sizeof(detail)), STEK_EUNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(detail, "127.0.0.1:1"));
	ck_assert_int_eq(stek__redis_dial(&fd, &unknown, began_ms + 500,
					  detail, sizeof(detail)),
			 STEK_EUNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(detail, "no.such.invalid"));
	ck_assert_int_eq(stek__redis_dial_unix(&fd, "/nowhere/socket",
					       began_ms + 500, detail,
					       sizeof(detail)),
			 STEK_EUNAVAILABLE);
	ck_assert_int_eq(fd, -7);
	ck_assert_int_lt(stek__redis_now_ms() - began_ms, 20000);
}
END_TEST

#define COUNT(list) ((int)(sizeof(list) / sizeof((list)[0])))

int main(void)
{
	Suite *suite = suite_create("redis url");
	TCase *urls = tcase_create("urls");
	TCase *answers = tcase_create("answers");
	SRunner *runner;
	int failed;

	tcase_add_test(urls, test_servers);
	tcase_add_test(urls, test_sentinels);
	tcase_add_loop_test(urls, test_bad_urls, 0, COUNT(bad_urls));
	tcase_add_loop_test(urls, test_bad_options, 0, COUNT(bad_options));
	tcase_add_test(urls, test_wait);
	suite_add_tcase(suite, urls);
	tcase_set_timeout(answers, 60);
	tcase_add_test(answers, test_redirects);
	tcase_add_loop_test(answers, test_no_redirects, 0,
			    COUNT(no_redirects));
	tcase_add_test(answers, test_redirect_from_socket);
	tcase_add_test(answers, test_peer);
	tcase_add_test(answers, test_dial_fails);
	suite_add_tcase(suite, answers);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

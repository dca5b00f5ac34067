// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_conn_hello.c - a ClientHello as it may come over the wire: in bytes, in
 * records of any size, long, or not at all. The library behind the gate takes
 * each that the gate passes. OpenSSL is the judge.
 */
#include <openssl/err.h>
#include <stdlib.h>
#include <unistd.h>

#include "conn_client.h"
#include "gate.h"
#include "hello.h"

/* Bytes may come one at a time. */
START_TEST(test_a_hello_byte_by_byte)
{
	struct client *client;
	char *bytes;
	long i, n;

	loopback_start(loopback);
	client = open_client("www.example.com", version_of[_i]);
	ck_assert_int_ne(SSL_do_handshake(client->ssl), 1);
	n = BIO_get_mem_data(SSL_get_wbio(client->ssl), &bytes);
	for (i = 0; i < n; i++)
		ck_assert_int_eq(send(client->fd, bytes + i, 1, 0), 1);
	ck_assert_int_eq(BIO_reset(SSL_get_wbio(client->ssl)), 1);
	ck_assert(client_recv(client));
	shake(client);
	ck_assert(says(client_ask(client), "\"node\":\"node-1\""));
	client_free(client);
}
END_TEST

/*
 * Sends what OpenSSL has ready with each handshake record cut in two after
 * `first` bytes (0: not), and then into pieces of `chunk`.
 */
static void send_cut(struct client *client, size_t first, size_t chunk)
{
	static uint8_t cut[256 * 1024];
	char *data;
	long left = BIO_get_mem_data(SSL_get_wbio(client->ssl), &data);
	const uint8_t *at = (const uint8_t *)data;
	size_t i, n = 0;

	while (left > 0) {
		size_t body = (size_t)at[3] << 8 | at[4], head = 0, from = n;

		if (at[0] == 22) {
			head = first < body ? first : body;
			if (head)
				n += hello_frame(at + 5, head, head, cut + n);
			n += hello_frame(at + 5 + head, body - head, chunk,
					 cut + n);
			/* 3.1 is the first hello's alone. */
			for (i = from; i < n; i += 5U + (size_t)cut[i + 4] +
			     ((size_t)cut[i + 3] << 8))
				cut[i + 2] = at[2];
		} else {
			memcpy(cut + n, at, 5 + body);
			n += 5 + body;
		}
		at += 5 + body;
		left -= (long)(5 + body);
	}
	ck_assert_int_eq(BIO_reset(SSL_get_wbio(client->ssl)), 1);
	ck_assert_int_eq(send(client->fd, cut, n, MSG_NOSIGNAL), (ssize_t)n);
}

/* A resumption whose hello is cut; the second hello too, if one is due. */
static void resume_cut(SSL_SESSION *session, int version, const char *groups,
		       size_t first, size_t chunk)
{
	struct client *client = open_client("www.example.com", version);
	/* OpenSSL offers a TLS 1.3 session once. */
	SSL_SESSION *copy = SSL_SESSION_dup(session);

	if (groups)
		SSL_set1_groups_list(client->ssl, groups);
	client_offer(client, copy);
	SSL_SESSION_free(copy);
	ck_assert_int_ne(SSL_do_handshake(client->ssl), 1);
	send_cut(client, first, chunk);
	if (groups) {
		ck_assert(client_recv(client));
		ck_assert_int_ne(SSL_do_handshake(client->ssl), 1);
		ck_assert_int_gt(BIO_pending(SSL_get_wbio(client->ssl)), 0);
		send_cut(client, first, chunk);
	}
	shake(client);
	ck_assert_msg(SSL_session_reused(client->ssl), "%zu, %zu: %s", first,
		      chunk, client_ask(client));
	client_free(client);
}

static const char *const retried[] = { NULL, NULL, "P-521:P-384" };

/* A hello in records of any size resumes, and so does the second one. */
START_TEST(test_a_hello_in_pieces)
{
	static const size_t chunks[] = { 1, 2, 3, 4, 5, 9, 64, 200, 16384 };
	int version = version_of[_i > 0];
	SSL_SESSION *session;
	size_t i;

	loopback_start(loopback);
	session = full_handshake(version);
	for (i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++)
		resume_cut(session, version, retried[_i], 0, chunks[i]);
	SSL_SESSION_free(session);
}
END_TEST

/* Cut in two at any place. */
START_TEST(test_a_hello_in_two)
{
	int version = version_of[_i > 0];
	SSL_SESSION *session;
	size_t first;

	loopback_start(loopback);
	session = full_handshake(version);
	for (first = 1; first < 480; first += first < 8 ? 1 : 13)
		resume_cut(session, version, retried[_i], first, 16384);
	SSL_SESSION_free(session);
}
END_TEST

static const uint8_t padding[GATE_HELLO_MAX + 1];
static size_t padding_len;

static int add_padding(SSL *ssl, unsigned type, unsigned context,
		       const unsigned char **out, size_t *len, X509 *x,
		       size_t chain, int *alert, void *user)
{
	(void)ssl;
	(void)type;
	(void)context;
	(void)x;
	(void)chain;
	(void)alert;
	(void)user;
	*out = padding;
	*len = padding_len;
	return 1;
}

static int take_nothing(SSL *ssl, unsigned type, unsigned context,
			const unsigned char *in, size_t len, X509 *x,
			size_t chain, int *alert, void *user)
{
	(void)ssl;
	(void)type;
	(void)context;
	(void)in;
	(void)len;
	(void)x;
	(void)chain;
	(void)alert;
	(void)user;
	return 1;
}

/* A client whose hello is of `len` bytes. */
static struct client *long_client(int version, size_t len)
{
	struct client *client = client_new(-1, "www.example.com", version);
	long plain;
	SSL *again;
	char *data;

	ck_assert(SSL_CTX_add_custom_ext(client->ctx, 4711,
					 SSL_EXT_CLIENT_HELLO, add_padding,
					 NULL, NULL, take_nothing, NULL));
	padding_len = 1000;
	again = SSL_new(client->ctx);
	SSL_set_bio(again, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(again);
	SSL_set_tlsext_host_name(again, "www.example.com");
	ck_assert_int_ne(SSL_do_handshake(again), 1);
	plain = BIO_get_mem_data(SSL_get_wbio(again), &data) - 5;
	SSL_free(again);
	padding_len += len - (size_t)plain;
	SSL_free(client->ssl);
	client->ssl = SSL_new(client->ctx);
	SSL_set_app_data(client->ssl, client);
	SSL_set_bio(client->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(client->ssl);
	SSL_set_tlsext_host_name(client->ssl, "www.example.com");
	client->fd = loopback_connect(loopback, 0);
	return client;
}

/* What the gate passes the library takes: the longest, and over one record. */
START_TEST(test_a_long_hello)
{
	static const size_t sizes[] = { 16383, 16384, 16385, 16387, 16388,
		17000, GATE_HELLO_MAX - 1, GATE_HELLO_MAX };
	struct client *client;
	size_t i;

	loopback_start(loopback);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		client = long_client(version_of[_i], sizes[i]);
		shake(client);
		ck_assert(says(client_ask(client), "\"resumed\":false"));
		client_free(client);
	}
}
END_TEST

/* A byte more is refused, with the gate's alert. */
START_TEST(test_too_long_a_hello)
{
	struct client *client;
	int alert;

	loopback_start(loopback);
	client = long_client(version_of[_i], GATE_HELLO_MAX + 1);
	ck_assert(!client_handshake(client, false, &alert));
	ck_assert_int_eq(alert, SSL_AD_ILLEGAL_PARAMETER);
	ck_assert_uint_eq(loopback_counters(loopback).failures[FAIL_TOO_BIG],
			  1);
	client_free(client);
}
END_TEST

/*
 * Plain HTTP is told apart and gets an answer that it understands, though the
 * request goes on; the connection ends without a reset.
 */
START_TEST(test_plain_http_is_told_so)
{
	static const char http[] = "GET / HTTP/1.0\r\n\r\n";
	static char answer[512];
	ssize_t n, len = 0;
	int fd;

	loopback_start(loopback);
	fd = loopback_connect(loopback, 0);
	ck_assert_int_gt(send(fd, http, sizeof(http) - 1, 0), 0);
	while ((n = recv(fd, answer + len, sizeof(answer) - 1 - (size_t)len,
			 0)) > 0)
		len += n;
	ck_assert_int_eq(n, 0);
	ck_assert_ptr_nonnull(strstr(answer, "HTTP/1.1 400 "));
	ck_assert_int_eq(strlen(strstr(answer, "\r\n\r\n") + 4),
			 atoi(strstr(answer, "Content-Length: ") + 16));
	ck_assert_uint_eq(loopback_counters(loopback).failures[FAIL_PLAIN_HTTP],
			  1);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conn_hello");
	TCase *tcase = tcase_create("conn_hello");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, test_a_hello_byte_by_byte, 0, 2);
	tcase_add_loop_test(tcase, test_a_hello_in_pieces, 0, 3);
	tcase_add_loop_test(tcase, test_a_hello_in_two, 0, 3);
	tcase_add_loop_test(tcase, test_a_long_hello, 0, 2);
	tcase_add_loop_test(tcase, test_too_long_a_hello, 0, 2);
	tcase_add_test(tcase, test_plain_http_is_told_so);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_conn.c - a worker's connections as clients see them, but for their
 * handshakes: deadlines, the page, caps, draining. OpenSSL is the judge.
 */
#include <openssl/err.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "conn_client.h"

/* The deadline is absolute, before and within the hello. */
START_TEST(test_a_silent_client_is_dropped)
{
	static const char start[] = "\x16\x03\x01\x02\x00\x01";
	int fd;

	loopback->settings.handshake_timeout_ms = 50;
	loopback_start(loopback);
	fd = loopback_connect(loopback, (size_t)_i / 2);
	if (_i % 2)
		ck_assert_int_gt(send(fd, start, 6, 0), 0);
	ck_assert_int_ge(until_end(fd), -1);
	if (_i != 3)
		ck_assert_uint_eq(loopback_counters(loopback).
				  failures[FAIL_TIMEOUT], 1);
	close(fd);
}
END_TEST

/* An idle page connection is closed politely. */
START_TEST(test_an_idle_client_is_closed)
{
	struct client *client;
	char byte;
	bool clean;

	loopback->settings.idle_timeout_ms = 50;
	loopback_start(loopback);
	client = open_client("www.example.com", version_of[_i]);
	shake(client);
	ck_assert_uint_eq(client_read(client, &byte, 1, &clean), 0);
	ck_assert(clean);
	client_free(client);
}
END_TEST

static unsigned count_of(const char *text, size_t len, const char *word)
{
	const char *end = text + len, *at = text;
	unsigned n = 0;

	while ((at = memmem(at, (size_t)(end - at), word, strlen(word)))) {
		n++;
		at++;
	}
	return n;
}

/* Pipelined requests are all answered, also to a client that reads late. */
START_TEST(test_pipelined_requests_are_answered)
{
	static const char one[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
	static const char last[] = "GET / HTTP/1.1\r\nHost: a\r\n"
		"Connection: close\r\n\r\n";
	static char answers[8 << 20];
	unsigned i, n = _i ? 9000 : 3;
	struct client *client;
	size_t len;
	bool clean;

	loopback_start(loopback);
	client = open_client("www.example.com", TLS1_3_VERSION);
	shake(client);
	for (i = 1; i < n; i++)
		ck_assert_int_gt(SSL_write(client->ssl, one, sizeof(one) - 1),
				 0);
	ck_assert_int_gt(SSL_write(client->ssl, last, sizeof(last) - 1), 0);
	client_send(client);
	len = client_read(client, answers, sizeof(answers), &clean);
	ck_assert(clean);
	ck_assert_uint_eq(count_of(answers, len, "HTTP/1.1 200 OK"), n);
	client_free(client);
}
END_TEST

/* 32 KeyUpdates without data pass, more do not. REQ-10. */
START_TEST(test_key_updates_are_bounded)
{
	struct client *client;
	char byte;
	bool clean;
	int i, n = _i ? 40 : 30;

	loopback_start(loopback);
	client = open_client("www.example.com", TLS1_3_VERSION);
	shake(client);
	for (i = 0; i < n; i++) {
		ck_assert(SSL_key_update(client->ssl,
					 SSL_KEY_UPDATE_NOT_REQUESTED));
		ck_assert_int_eq(SSL_do_handshake(client->ssl), 1);
	}
	client_send(client);
	if (_i == 0) {
		ck_assert(says(client_ask(client), "\"node\":\"node-1\""));
	} else {
		ck_assert_uint_eq(client_read(client, &byte, 1, &clean), 0);
		ck_assert_int_ge(until_end(client->fd), 0);
	}
	client_free(client);
}
END_TEST

/* Beyond max_connections a client waits until another one has gone. */
START_TEST(test_connections_are_capped)
{
	struct client *first, *second;
	struct counters counters;
	char byte;

	loopback->settings.max_connections = 1;
	loopback_start(loopback);
	first = open_client("www.example.com", 0);
	shake(first);
	second = open_client("www.example.com", 0);
	ck_assert_int_ne(SSL_do_handshake(second->ssl), 1);
	client_send(second);
	ck_assert_int_lt(recv(second->fd, &byte, 1, MSG_DONTWAIT), 0);
	counters = loopback_counters(loopback);
	ck_assert_uint_eq(counters.accepted, 1);
	client_free(first);
	shake(second);
	ck_assert(says(client_ask(second), "\"handshakes\":2"));
	client_free(second);
}
END_TEST

/* Until the worker has its Finished, too, which it may read after the client. */
static void await_handshake(int kind)
{
	while (!loopback_counters(loopback).
	       handshakes[kind][STEK_NONE_OFFERED])
		poll(NULL, 0, 1);
}

/* Draining closes what is idle at once, with close_notify, and then ends. */
START_TEST(test_draining_ends_idle_connections)
{
	struct client *client;
	char byte;
	bool clean;

	loopback_start(loopback);
	client = open_client("www.example.com", version_of[_i]);
	shake(client);
	await_handshake(_i);
	worker_drain(loopback->worker);
	ck_assert_uint_eq(client_read(client, &byte, 1, &clean), 0);
	ck_assert(clean);
	client_free(client);
	worker_join(loopback->worker);
	ck_assert_uint_eq(worker_connections(loopback->worker), 0);
}
END_TEST

/* A handshake in progress is finished, and its request answered. */
START_TEST(test_draining_lets_handshakes_end)
{
	struct client *client;

	loopback_start(loopback);
	client = open_client("www.example.com", TLS1_3_VERSION);
	ck_assert_int_ne(SSL_do_handshake(client->ssl), 1);
	client_send(client);
	ck_assert(client_recv(client));
	worker_drain(loopback->worker);
	shake(client);
	ck_assert(says(client_ask(client), "\"node\":\"node-1\""));
	client_free(client);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conn");
	TCase *tcase = tcase_create("conn");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, test_a_silent_client_is_dropped, 0, 4);
	tcase_add_loop_test(tcase, test_an_idle_client_is_closed, 0, 2);
	tcase_add_loop_test(tcase, test_pipelined_requests_are_answered, 0, 2);
	tcase_add_loop_test(tcase, test_key_updates_are_bounded, 0, 2);
	tcase_add_test(tcase, test_connections_are_capped);
	tcase_add_loop_test(tcase, test_draining_ends_idle_connections, 0, 2);
	tcase_add_test(tcase, test_draining_lets_handshakes_end);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_linger.c - how connections end: what the peer is told arrives, also to
 * those who go on sending, and nobody holds a connection by it.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "conn_client.h"

#define HELLO_PART "\x16\x03\x01\x02\x00\x01"

/* A peer that takes its time. */
static void dawdle(int ms)
{
	(void)poll(NULL, 0, ms);
}

/* The socket goes just before it is counted. */
static void await_closed(uint64_t n)
{
	struct counters counters = loopback_counters(loopback);

	while (counters.closed < n) {
		dawdle(1);
		counters = loopback_counters(loopback);
	}
	ck_assert_uint_eq(counters.closed, n);
}

static uint64_t failed_by(enum failure failure)
{
	struct counters counters = loopback_counters(loopback);

	return counters.failures[failure];
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* How much comes on a connection whose time-out passes. */
static ssize_t after_time_out(uint32_t ms, bool spoken, uint8_t *got,
			      size_t cap)
{
	ssize_t n, len = 0;
	int fd;

	loopback->settings.handshake_timeout_ms = ms;
	loopback_start(loopback);
	fd = loopback_connect(loopback, 0);
	if (spoken)
		(void)send(fd, HELLO_PART, 6, MSG_NOSIGNAL);
	while ((n = recv(fd, got + len, cap - (size_t)len, 0)) > 0)
		len += n;
	if (len || !spoken)
		ck_assert_int_eq(n, 0);
	ck_assert_uint_eq(failed_by(FAIL_TIMEOUT), 1);
	close(fd);
	return len;
}

/* A time-out within a hello says user_canceled and close_notify; a peer that
 * has said nothing is told nothing. Neither sees a reset. */
START_TEST(test_a_time_out_is_told)
{
	static const uint8_t told[] = {
		0x15, 3, 3, 0, 2, 1, 90, 0x15, 3, 3, 0, 2, 1, 0,
	};
	uint32_t ms = 50;
	uint8_t got[64];
	ssize_t len = after_time_out(ms, _i, got, sizeof(got));

	/* Where the machine stood still, the hello came after the time-out. */
	while (_i && !len && (ms *= 4) < 20000) {
		tear_down();
		set_up();
		len = after_time_out(ms, _i, got, sizeof(got));
	}
	ck_assert_int_eq(len, _i ? sizeof(told) : 0);
	ck_assert_int_eq(memcmp(got, told, (size_t)len), 0);
}
END_TEST

/* An alert arrives though far more follows the hello than is taken at once. */
START_TEST(test_an_alert_outlives_what_is_sent)
{
	static char noise[600 * 1024];
	struct client *client;
	int alert;

	loopback_start(loopback);
	client = open_client("nobody.example.com", 0);
	ck_assert_int_ne(SSL_do_handshake(client->ssl), 1);
	client_send(client);
	ck_assert_int_eq(send(client->fd, noise, sizeof(noise), MSG_NOSIGNAL),
			 sizeof(noise));
	ck_assert(!client_handshake(client, false, &alert));
	ck_assert_int_eq(alert, SSL_AD_UNRECOGNIZED_NAME);
	client_free(client);
}
END_TEST

/* Who neither goes nor stops sending is left alone after a while. */
START_TEST(test_nobody_holds_a_connection)
{
	int64_t began_ms;
	char byte = 0;
	int fd;

	loopback_start(loopback);
	fd = loopback_connect(loopback, 0);
	ck_assert_int_eq(send(fd, "SSH-2.0\r\n", 9, 0), 9);
	began_ms = now_ms();
	while (send(fd, &byte, 1, MSG_NOSIGNAL) == 1) {
		/* Less than is left to who takes what it is told. */
		ck_assert_int_lt(now_ms() - began_ms, 25000);
		dawdle(50);
	}
	ck_assert(errno == EPIPE || errno == ECONNRESET);
	await_closed(1);
	close(fd);
}
END_TEST

/* What a client has said before its reset counts. */
START_TEST(test_an_alert_before_a_reset_is_heard)
{
	static const uint8_t unknown_ca[] = { 0x15, 3, 3, 0, 2, 2, 48 };
	const struct linger at_once = { .l_onoff = 1 };
	struct client *client;
	int i, n = 20;

	loopback_start(loopback);
	for (i = 1; i <= n; i++) {
		client = open_client("www.example.com", version_of[_i]);
		ck_assert_int_ne(SSL_do_handshake(client->ssl), 1);
		client_send(client);
		ck_assert(client_recv(client));
		setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &at_once,
			   sizeof(at_once));
		ck_assert_int_eq(send(client->fd, unknown_ca,
				      sizeof(unknown_ca), 0),
				 sizeof(unknown_ca));
		close(client->fd);
		client->fd = -1;
		client_free(client);
		await_closed((uint64_t)i);
	}
	ck_assert_uint_eq(failed_by(FAIL_ALERT), (uint64_t)n);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("linger");
	TCase *tcase = tcase_create("linger");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, test_a_time_out_is_told, 0, 2);
	tcase_add_test(tcase, test_an_alert_outlives_what_is_sent);
	tcase_add_test(tcase, test_nobody_holds_a_connection);
	tcase_add_loop_test(tcase, test_an_alert_before_a_reset_is_heard, 0, 2);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_conn_limits.c - what one client may take of a node: connections of its
 * address, time, and memory while it or its backend does not read.
 */
#include <malloc.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "conn_client.h"

/* Far more than any buffer of the kernel's between two of its sockets. */
#define MUCH (64u << 20)

/* What may wait in a connection, and what the heap adds to it. */
#define MEMORY_MOST (256 * 1024)

static void send_line(int fd, const char *from)
{
	char line[128];
	int n = snprintf(line, sizeof(line),
			 "PROXY TCP6 %s 2001:db8:ffff::1 1 2\r\n", from);

	ck_assert_int_eq(send(fd, line, (size_t)n, 0), n);
}

static uint64_t refused(void)
{
	return loopback_counters(loopback).failures[FAIL_ADDRESS_LIMIT];
}

/* The third connection of one address is closed, until one has gone. */
START_TEST(test_an_address_has_its_share)
{
	struct client *client[3];
	int i;

	loopback->settings.address_connections = 2;
	loopback_start(loopback);
	for (i = 0; i < 2; i++) {
		client[i] = open_client("www.example.com", version_of[i]);
		shake(client[i]);
	}
	client[2] = open_client("www.example.com", 0);
	ck_assert_int_le(until_end(client[2]->fd), 0);
	ck_assert_uint_eq(refused(), 1);
	client_free(client[2]);
	ck_assert(says(client_ask(client[0]), "\"node\":\"node-1\""));
	client_free(client[0]);
	/* Its place is free once the node has seen its end, of which
	 * a connection that is let in is the proof. */
	do {
		int alert;

		client[2] = open_client("www.example.com", 0);
		if (client_handshake(client[2], false, &alert))
			break;
		client_free(client[2]);
	} while (refused() < 1000);
	ck_assert(says(client_ask(client[2]), "\"node\":\"node-1\""));
	client_free(client[2]);
	client_free(client[1]);
}
END_TEST

/* Behind a balancer the client's own address counts, and not the balancer's. */
START_TEST(test_an_address_behind_a_balancer)
{
	struct client *client[3];
	int i, fd;

	loopback->settings.address_connections = 1;
	loopback_start(loopback);
	for (i = 0; i < 3; i++) {
		char from[64];

		snprintf(from, sizeof(from), "2001:db8:%d::%d", i, i + 1);
		fd = loopback_connect(loopback, 1);
		send_line(fd, from);
		client[i] = client_new(fd, "www.example.com", 0);
		shake(client[i]);
	}
	/* Another address of the second client's network. */
	fd = loopback_connect(loopback, 1);
	send_line(fd, "2001:db8:1:0:ffff::");
	ck_assert_int_le(until_end(fd), 0);
	ck_assert_uint_eq(refused(), 1);
	close(fd);
	for (i = 0; i < 3; i++)
		client_free(client[i]);
}
END_TEST

/* A connection ends in its time, however busy it is. */
START_TEST(test_the_total_deadline)
{
	struct client *client;
	char record[512];
	int backend, n;

	/* Time enough for the handshake on any machine. */
	loopback->settings.total_timeout_ms = 5000;
	loopback_start(loopback);
	client = open_client("relay.example.com", version_of[_i]);
	shake(client);
	backend = loopback_accept(loopback);
	/* Each byte arrives before the next is sent: it is never idle. */
	do {
		ck_assert_int_eq(SSL_write(client->ssl, "x", 1), 1);
		n = BIO_read(SSL_get_wbio(client->ssl), record,
			     sizeof(record));
		(void)!send(client->fd, record, (size_t)n, MSG_NOSIGNAL);
		poll(NULL, 0, 5);
	} while (recv(backend, record, 1, 0) == 1);
	ck_assert_uint_eq(loopback_counters(loopback).timeouts[TIMEOUT_TOTAL],
			  1);
	ck_assert_uint_eq(loopback_counters(loopback).timeouts[TIMEOUT_IDLE],
			  0);
	close(backend);
	client_free(client);
}
END_TEST

/* An idle one ends by the other deadline, and is counted there. */
START_TEST(test_the_idle_deadline_is_counted)
{
	struct client *client;
	char byte;
	bool clean;

	loopback->settings.idle_timeout_ms = 50;
	loopback->settings.total_timeout_ms = 60000;
	loopback_start(loopback);
	client = open_client("www.example.com", version_of[_i]);
	shake(client);
	ck_assert_uint_eq(client_read(client, &byte, 1, &clean), 0);
	ck_assert(clean);
	ck_assert_uint_eq(loopback_counters(loopback).timeouts[TIMEOUT_IDLE],
			  1);
	client_free(client);
}
END_TEST

/* Writes until nothing is taken for a while; how much was. */
static size_t stuff(int fd)
{
	static const uint8_t bytes[65536];
	struct pollfd wait = { .fd = fd, .events = POLLOUT };
	size_t sum = 0;
	ssize_t n;

	while (sum < MUCH && poll(&wait, 1, 500) == 1) {
		n = send(fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0)
			sum += (size_t)n;
	}
	return sum;
}

static size_t in_use(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

/* A client that never reads stops its backend, and costs a bounded buffer. */
START_TEST(test_a_client_that_does_not_read)
{
	struct client *client;
	size_t before, sent;
	int backend;

	loopback_start(loopback);
	client = open_client("relay.example.com", version_of[_i]);
	shake(client);
	backend = loopback_accept(loopback);
	before = in_use();
	sent = stuff(backend);
	ck_assert_uint_lt(sent, MUCH);
	ck_assert_uint_lt(in_use(), before + MEMORY_MOST);
	close(backend);
	client_free(client);
}
END_TEST

/* A backend that never reads stops its client in the same way. */
START_TEST(test_a_backend_that_does_not_read)
{
	static const uint8_t bytes[16000];
	struct pollfd wait = { .events = POLLOUT };
	struct client *client;
	size_t before, sum = 0;
	int backend;

	loopback_start(loopback);
	client = open_client("relay.example.com", version_of[_i]);
	shake(client);
	backend = loopback_accept(loopback);
	wait.fd = client->fd;
	before = in_use();
	while (sum < MUCH && poll(&wait, 1, 500) == 1) {
		char record[20000];
		int n, at, put;

		ck_assert_int_gt(SSL_write(client->ssl, bytes, sizeof(bytes)),
				 0);
		n = BIO_read(SSL_get_wbio(client->ssl), record,
			     sizeof(record));
		for (at = 0; at < n && poll(&wait, 1, 500) == 1; at += put) {
			put = (int)send(client->fd, record + at,
					(size_t)(n - at), MSG_DONTWAIT);
			put = put > 0 ? put : 0;
		}
		sum += sizeof(bytes);
	}
	ck_assert_uint_lt(sum, MUCH);
	ck_assert_uint_lt(in_use(), before + MEMORY_MOST);
	close(backend);
	client_free(client);
}
END_TEST

/* An end of a connection that needs no descriptor any more. */
static int unconnected(void)
{
	const struct timeval limit = { .tv_sec = 50 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit,
				    sizeof(limit)), 0);
	return fd;
}

static void connect_now(int fd)
{
	struct settings_address address;

	ck_assert_int_eq(worker_address(loopback->worker, 0, &address), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address.addr,
				 address.len), 0);
}

/* The process may open no further descriptor; what it may was `before`. */
static void allow_no_more(struct rlimit *before)
{
	struct rlimit now;
	int lowest = dup(STDERR_FILENO);

	ck_assert_int_ge(lowest, 0);
	close(lowest);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, before), 0);
	now = *before;
	now.rlim_cur = (rlim_t)lowest;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &now), 0);
}

/*
 * REQ-43: without a descriptor the worker's last one is given up, each time
 * anew, to close a connection that would wait for nothing.
 */
START_TEST(test_without_descriptors_clients_are_told)
{
	struct rlimit before;
	struct client *client;
	int fds[3], i;

	/* Valgrind keeps descriptors of its own, and its limit is not ours. */
	if (getenv("STEKD_VALGRIND"))
		return;
	loopback_start(loopback);
	for (i = 0; i < 3; i++)
		fds[i] = unconnected();
	client = client_new(unconnected(), "www.example.com", 0);
	allow_no_more(&before);
	for (i = 0; i < 3; i++) {
		connect_now(fds[i]);
		ck_assert_int_eq(until_end(fds[i]), 0);
	}
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	ck_assert_uint_eq(loopback_counters(loopback).
			  failures[FAIL_DESCRIPTORS], 3);
	connect_now(client->fd);
	shake(client);
	ck_assert(says(client_ask(client), "\"node\":\"node-1\""));
	client_free(client);
	for (i = 0; i < 3; i++)
		close(fds[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conn_limits");
	TCase *tcase = tcase_create("conn_limits");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, test_an_address_has_its_share);
	tcase_add_test(tcase, test_an_address_behind_a_balancer);
	tcase_add_test(tcase, test_without_descriptors_clients_are_told);
	tcase_add_loop_test(tcase, test_the_total_deadline, 0, 2);
	tcase_add_loop_test(tcase, test_the_idle_deadline_is_counted, 0, 2);
	tcase_add_loop_test(tcase, test_a_client_that_does_not_read, 0, 2);
	tcase_add_loop_test(tcase, test_a_backend_that_does_not_read, 0, 2);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

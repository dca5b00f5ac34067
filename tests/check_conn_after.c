// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_conn_after.c - what a client may say after its handshake: KeyUpdates
 * and empty records up to a bound (REQ-10), and no new handshake (REQ-11); and
 * that the node itself changes keys in time (RFC 8446 s4.6.3, s5.5).
 */
#include <openssl/err.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "conn_client.h"
#include "raw13.h"

#define IDLE_MAX 32
#define RECORDS_PER_KEY 16

static const char ask[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
static struct raw13 *raw;
static uint8_t buf[RAW13_RECORD_MAX];

static void tear_down_raw(void)
{
	raw13_free(raw);
	raw = NULL;
	tear_down();
}

static struct client *open_raw(const char *name)
{
	struct client *client = open_client(name, TLS1_3_VERSION);
	int alert;

	raw = raw13_new(client->ssl);
	ck_assert(client_handshake(client, true, &alert));
	raw13_take_over(raw);
	client_send(client);
	return client;
}

/* The next record that is no ticket; 0 at the end. */
static uint8_t next_record(struct client *client, size_t *len)
{
	uint8_t type;

	for (;;) {
		while (raw13_next(raw, &type, buf, len))
			if (type != RAW13_HANDSHAKE || buf[0] != RAW13_TICKET)
				return type;
		if (!client_recv(client))
			return 0;
	}
}

enum idle { UPDATES, UPDATES_WITH_ANSWERS, EMPTY_RECORDS, ALL_OF_THEM, KINDS };

static void put_idle(enum idle kind, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		enum idle one = kind == ALL_OF_THEM ?
			(enum idle)(i % ALL_OF_THEM) : kind;

		if (one == EMPTY_RECORDS)
			raw13_put(raw, RAW13_DATA, "", 0);
		else
			raw13_put_update(raw, one == UPDATES_WITH_ANSWERS);
	}
}

/* Each byte in a segment of its own; the server's end stops it. */
static void dribble(struct client *client)
{
	uint8_t byte;

	while (BIO_read(SSL_get_wbio(client->ssl), &byte, 1) == 1)
		if (send(client->fd, &byte, 1, MSG_NOSIGNAL) != 1)
			return;
}

static void send_out(struct client *client, bool in_bytes)
{
	if (in_bytes)
		dribble(client);
	else
		client_send(client);
}

/* The page answers; how many KeyUpdates come before. */
static int expect_page(struct client *client)
{
	size_t len;
	int updates = 0;

	raw13_put(raw, RAW13_DATA, ask, sizeof(ask) - 1);
	client_send(client);
	while (next_record(client, &len) == RAW13_HANDSHAKE) {
		ck_assert_int_eq(buf[0], RAW13_KEY_UPDATE);
		ck_assert_int_eq(buf[4], 0);	/* asks for none */
		updates++;
	}
	ck_assert_int_eq(memcmp(buf, "HTTP/1.1 200", 12), 0);
	return updates;
}

/* 32 such records pass, answered where they ask for it; with data between them
 * again 32. The segments they come in do not matter. */
START_TEST(test_idle_records_within_the_bound)
{
	static const int answers[KINDS] = { 0, IDLE_MAX, 0, 11 };
	enum idle kind = (enum idle)(_i / 2);
	struct client *client;
	int round;

	loopback_start(loopback);
	client = open_raw("www.example.com");
	for (round = 0; round < 3; round++) {
		put_idle(kind, IDLE_MAX);
		send_out(client, _i & 1);
		ck_assert_int_eq(expect_page(client), answers[kind]);
	}
	client_free(client);
}
END_TEST

/* The 33rd ends the connection, with the alert, without a reset. */
START_TEST(test_one_more_ends_the_connection)
{
	enum idle kind = (enum idle)(_i / 2);
	struct client *client;
	size_t len;
	uint8_t type;

	/* Not for its silence. */
	loopback->settings.idle_timeout_ms = 600000;
	loopback_start(loopback);
	client = open_raw("www.example.com");
	put_idle(kind, IDLE_MAX + 1);
	send_out(client, _i & 1);
	while ((type = next_record(client, &len)) == RAW13_HANDSHAKE)
		;
	ck_assert_int_eq(type, RAW13_ALERT);
	ck_assert_int_eq(buf[0], 2);	/* fatal */
	ck_assert_int_eq(buf[1], 10);	/* unexpected_message */
	ck_assert_int_eq(next_record(client, &len), 0);
	ck_assert_int_eq(until_end(client->fd), 0);
	client_free(client);
}
END_TEST

#define FLOOD (8 << 20)

/* The backend takes all, and sends more than any buffer on the way holds. */
static void *drain(void *fd)
{
	char bytes[16384];

	while (recv(*(int *)fd, bytes, sizeof(bytes), 0) > 0)
		;
	return NULL;
}

static void *flood(void *fd)
{
	static const char bytes[FLOOD];

	(void)send(*(int *)fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
	return NULL;
}

/* As much as the server takes; false when that is not all. */
static bool send_some(struct client *client, int flags)
{
	BIO *out = SSL_get_wbio(client->ssl);
	char *bytes;
	size_t len = (size_t)BIO_get_mem_data(out, &bytes);
	ssize_t n = len ? send(client->fd, bytes, len, MSG_NOSIGNAL | flags) :
		0;

	if (n > 0)
		ck_assert_int_eq(BIO_read(out, buf, (int)n), n);
	return n == (ssize_t)len;
}

/* Answers to a client that does not read are no reason to keep ever more of
 * them: it is not read in its turn. Nothing of it is lost. */
START_TEST(test_answers_wait_in_bounds)
{
	static const uint8_t data[16000];
	const struct timeval soon = { .tv_sec = 1 };
	struct client *client;
	pthread_t threads[2];
	int backend, waiting = 0, sent = 0, answers = 0;
	size_t len, got = 0;

	loopback_start(loopback);
	client = open_raw("relay.example.com");
	backend = loopback_accept(loopback);
	ck_assert_int_eq(pthread_create(&threads[0], NULL, drain, &backend),
			 0);
	ck_assert_int_eq(pthread_create(&threads[1], NULL, flood, &backend),
			 0);
	/* The flood has begun: it fills what could hold our answers. */
	do {
		ck_assert_int_eq(ioctl(client->fd, FIONREAD, &waiting), 0);
		poll(NULL, 0, 1);
	} while (waiting < 16384);
	ck_assert_int_eq(setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &soon,
				    sizeof(soon)), 0);
	do {
		raw13_put_update(raw, true);
		raw13_put(raw, RAW13_DATA, data, sizeof(data));
		ck_assert_int_lt(++sent, 10000);
	} while (send_some(client, 0));
	/* It does not take this any more: now we read, and it goes on. */
	while (answers < sent || got < FLOOD) {
		if (next_record(client, &len) == RAW13_HANDSHAKE)
			answers += buf[0] == RAW13_KEY_UPDATE;
		else
			got += len;
		ck_assert_uint_gt(len, 0);
		(void)send_some(client, MSG_DONTWAIT);
	}
	ck_assert_int_eq(answers, sent);
	ck_assert_uint_eq(got, FLOOD);
	ck_assert_int_eq(shutdown(client->fd, SHUT_RDWR), 0);
	ck_assert_int_eq(pthread_join(threads[0], NULL), 0);
	ck_assert_int_eq(pthread_join(threads[1], NULL), 0);
	close(backend);
	client_free(client);
}
END_TEST

/* No new handshake, nor anything else that only a server may say. */
START_TEST(test_no_handshake_after_the_handshake)
{
	static const uint8_t types[] = {
		RAW13_CLIENT_HELLO, RAW13_TICKET, RAW13_CERTIFICATE,
		RAW13_REQUEST, RAW13_VERIFY, RAW13_FINISHED, 2, 8, 99,
	};
	uint8_t message[4 + 36] = { types[_i], 0, 0, 36 };
	struct client *client;
	size_t len;

	loopback_start(loopback);
	client = open_raw("www.example.com");
	raw13_put(raw, RAW13_HANDSHAKE, message, sizeof(message));
	client_send(client);
	ck_assert_int_eq(next_record(client, &len), RAW13_ALERT);
	ck_assert_int_eq(buf[0], 2);
	ck_assert_int_eq(buf[1], 10);
	ck_assert_int_eq(next_record(client, &len), 0);
	client_free(client);
}
END_TEST

/* REQ-11: a renegotiation in TLS 1.2 gets unexpected_message, and the end. */
START_TEST(test_renegotiation_is_refused)
{
	struct client *client;
	int alert;

	loopback_start(loopback);
	client = open_client("www.example.com", TLS1_2_VERSION);
	shake(client);
	ck_assert_int_eq(SSL_renegotiate(client->ssl), 1);
	ck_assert(!client_handshake(client, false, &alert));
	ck_assert_int_eq(alert, 10);
	client_free(client);
}
END_TEST

/* An answer of the page for each request, and how many KeyUpdates with it. */
static int ask_often(struct client *client, int n)
{
	size_t len;
	int updates = 0, i;
	uint8_t type;

	for (i = 0; i < n; i++) {
		raw13_put(raw, RAW13_DATA, ask, sizeof(ask) - 1);
		client_send(client);
		while ((type = next_record(client, &len)) == RAW13_HANDSHAKE) {
			ck_assert_int_eq(buf[0], RAW13_KEY_UPDATE);
			ck_assert_int_eq(buf[4], 1);
			/* Before anything else it has its answer. */
			raw13_put_update(raw, false);
			updates++;
		}
		ck_assert_int_eq(type, RAW13_DATA);
	}
	return updates;
}

/* Keys change before one has sealed more records than it may. */
START_TEST(test_keys_change_in_time)
{
	struct client *client;

	/* Tickets are records too. */
	loopback->hosts[0].tickets = 0;
	loopback->settings.records_per_key = RECORDS_PER_KEY;
	loopback_start(loopback);
	client = open_raw("www.example.com");
	ck_assert_int_eq(ask_often(client, RECORDS_PER_KEY - 1), 0);
	ck_assert_int_eq(ask_often(client, 1), 1);
	/* From now on the client's KeyUpdate is the first of its records. */
	ck_assert_int_eq(ask_often(client, 3 * (RECORDS_PER_KEY - 1)), 3);
	client_free(client);
}
END_TEST

/* So they do where the client alone speaks. */
START_TEST(test_keys_change_for_what_is_received)
{
	struct client *client;
	size_t len;
	int backend, i;

	loopback->settings.records_per_key = RECORDS_PER_KEY;
	loopback_start(loopback);
	client = open_raw("relay.example.com");
	backend = loopback_accept(loopback);
	for (i = 0; i < RECORDS_PER_KEY; i++)
		raw13_put(raw, RAW13_DATA, "x", 1);
	client_send(client);
	ck_assert_int_eq(next_record(client, &len), RAW13_HANDSHAKE);
	ck_assert_int_eq(buf[0], RAW13_KEY_UPDATE);
	ck_assert_int_eq(buf[4], 1);
	raw13_put_update(raw, false);
	raw13_put(raw, RAW13_DATA, "y", 1);
	client_send(client);
	for (i = 0; i < RECORDS_PER_KEY; i++)
		ck_assert_int_eq(recv(backend, buf, 1, 0), 1);
	ck_assert_int_eq(recv(backend, buf, 1, 0), 1);
	ck_assert_int_eq(buf[0], 'y');
	close(backend);
	client_free(client);
}
END_TEST

/* And where the server alone speaks. */
START_TEST(test_keys_change_for_what_is_sent)
{
	struct client *client;
	size_t len;
	int backend, i;

	loopback->hosts[1].tickets = 0;
	loopback->settings.records_per_key = RECORDS_PER_KEY;
	loopback_start(loopback);
	client = open_raw("relay.example.com");
	backend = loopback_accept(loopback);
	for (i = 0; i < 3 * RECORDS_PER_KEY; i++) {
		ck_assert_int_eq(send(backend, "x", 1, 0), 1);
		if (i && i % RECORDS_PER_KEY == 0) {
			ck_assert_int_eq(next_record(client, &len),
					 RAW13_HANDSHAKE);
			ck_assert_int_eq(buf[0], RAW13_KEY_UPDATE);
			/* It is asked for once, until it is given. */
			ck_assert_int_eq(buf[4], i == RECORDS_PER_KEY);
		}
		ck_assert_int_eq(next_record(client, &len), RAW13_DATA);
		ck_assert_uint_eq(len, 1);
	}
	close(backend);
	client_free(client);
}
END_TEST

/* OpenSSL goes along; a client of TLS 1.2 knows of no such thing. */
START_TEST(test_openssl_changes_keys_with_us)
{
	static uint8_t much[100 * 1000], back[sizeof(much)];
	struct client *client;
	int backend, i;
	bool clean;

	loopback->settings.records_per_key = RECORDS_PER_KEY;
	loopback_start(loopback);
	client = open_client("relay.example.com", version_of[_i]);
	shake(client);
	backend = loopback_accept(loopback);
	for (i = 0; i < (int)sizeof(much); i++)
		much[i] = (uint8_t)(i * 7 >> 2);
	for (i = 0; i < 20; i++) {
		ck_assert_int_eq(SSL_write(client->ssl, much, sizeof(much)),
				 sizeof(much));
		client_send(client);
		ck_assert_int_eq(recv(backend, back, sizeof(back),
				      MSG_WAITALL), sizeof(back));
		ck_assert_int_eq(memcmp(much, back, sizeof(much)), 0);
		ck_assert_int_eq(send(backend, much, sizeof(much), 0),
				 sizeof(much));
		ck_assert_uint_eq(client_read(client, back, sizeof(back),
					      &clean), sizeof(back));
		ck_assert_int_eq(memcmp(much, back, sizeof(much)), 0);
	}
	close(backend);
	client_free(client);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conn_after");
	TCase *tcase = tcase_create("conn_after");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down_raw);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, test_idle_records_within_the_bound, 0,
			    2 * KINDS);
	tcase_add_loop_test(tcase, test_one_more_ends_the_connection, 0,
			    2 * KINDS);
	tcase_add_test(tcase, test_answers_wait_in_bounds);
	tcase_add_loop_test(tcase, test_no_handshake_after_the_handshake, 0,
			    9);
	tcase_add_test(tcase, test_renegotiation_is_refused);
	tcase_add_test(tcase, test_keys_change_in_time);
	tcase_add_test(tcase, test_keys_change_for_what_is_received);
	tcase_add_test(tcase, test_keys_change_for_what_is_sent);
	tcase_add_loop_test(tcase, test_openssl_changes_keys_with_us, 0, 2);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

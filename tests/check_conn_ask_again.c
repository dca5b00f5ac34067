// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_conn_ask_again.c - a client on a long connection is asked for its
 * certificate again: while data go on, for the same certificate, and in time.
 */
#include <poll.h>
#include <pthread.h>

#include "conn_ask.h"

#define MUCH (8 << 20)	/* more than what the kernel takes from us */

/* For an answer; a handshake on a machine that stands still ends within it. */
#define TIME_MS 5000

static const struct raw13_answer alice = { .who = RAW13_ALICE };
static int backend = -1;
static uint8_t buf[RAW13_RECORD_MAX];

/* Alice has answered once; she is asked again after so long. */
static struct client *asked_once(uint32_t reauth_s)
{
	struct client *client;

	loopback->hosts[1].client_reauth_s = reauth_s;
	loopback->hosts[1].client_decline = CLIENT_CONTINUE;
	loopback_start(loopback);
	client = open_raw(RELAY);
	await_request(client);
	reply(client, &alice);
	backend = loopback_accept(loopback);
	return client;
}

/* And the next question has come. */
static struct client *asked_again(void)
{
	struct client *client = asked_once(1);

	await_request(client);
	return client;
}

static void tear_down_backend(void)
{
	if (backend >= 0)
		close(backend);
	backend = -1;
	tear_down_asking();
}

static void exchange(struct client *client)
{
	size_t len;

	raw13_put(raw, RAW13_DATA, "up", 2);
	client_send(client);
	ck_assert_int_eq(recv(backend, buf, 2, MSG_WAITALL), 2);
	ck_assert_int_eq(memcmp(buf, "up", 2), 0);
	ck_assert_int_eq(send(backend, "down", 4, 0), 4);
	ck_assert_int_eq(next_record(client, buf, &len), RAW13_DATA);
	ck_assert_uint_eq(len, 4);
	ck_assert_int_eq(memcmp(buf, "down", 4), 0);
}

/* Data go on before the answer, in the midst of it, and after it; and the next
 * question follows. */
START_TEST(test_data_go_on)
{
	struct raw13_answer first = alice;
	struct client *client;
	static uint8_t old[RAW13_ANSWER_MAX];
	size_t half, len, n;

	loopback->settings.handshake_timeout_ms = TIME_MS;
	client = asked_again();
	exchange(client);
	len = raw13_answer(raw, request, request_len, &alice, answer);
	first.no_verify = first.no_finished = true;
	half = raw13_answer(raw, request, request_len, &first, old);
	ck_assert_uint_lt(half, len);
	raw13_put(raw, RAW13_HANDSHAKE, answer, half);
	client_send(client);
	ck_assert_int_eq(send(backend, "down", 4, 0), 4);
	ck_assert_int_eq(next_record(client, buf, &n), RAW13_DATA);
	raw13_put(raw, RAW13_HANDSHAKE, answer + half, len - half);
	client_send(client);
	exchange(client);
	memcpy(old, request, sizeof(request));
	await_request(client);
	ck_assert(memcmp(old, request, request_len) != 0);
	reply(client, &alice);
	exchange(client);
	client_free(client);
}
END_TEST

/* Nobody, another one, or a proof that is none: the end, with its alert, and
 * counted; whatever was to happen to those who declined at first. */
START_TEST(test_other_answers_end_it)
{
	static const struct {
		struct raw13_answer how;
		int alert;
		enum failure failure;
	} bad[] = {
		{ { .who = RAW13_NOBODY }, 116, FAIL_CERT_NONE },
		{ { .who = RAW13_BOB }, 42, FAIL_CERT_BAD },
		{ { .who = RAW13_ALICE, .no_verify = true }, 10,
		  FAIL_UNEXPECTED },
		{ { .who = RAW13_ALICE, .signer = RAW13_BOB }, 51,
		  FAIL_SIGNATURE },
	};
	struct client *client = asked_again();

	reply(client, &bad[_i].how);
	ck_assert_int_eq(await_alert(client), bad[_i].alert);
	ck_assert_uint_eq(failures(bad[_i].failure), 1);
	client_free(client);
}
END_TEST

/* So does no answer, though data come. */
START_TEST(test_no_answer_ends_it)
{
	struct client *client;
	size_t len;

	loopback->settings.handshake_timeout_ms = TIME_MS;
	client = asked_again();
	exchange(client);
	ck_assert_int_eq(next_record(client, buf, &len), RAW13_ALERT);
	ck_assert_int_eq(buf[1], 0);
	ck_assert_uint_eq(failures(FAIL_TIMEOUT), 1);
	client_free(client);
}
END_TEST

/* Nor does a close_notify put it off, before the question or for an answer:
 * the client would read on for ever, whatever became of its certificate. */
START_TEST(test_a_half_close_is_no_answer)
{
	static const uint8_t close_notify[] = { 1, 0 };
	struct client *client;
	size_t len;

	loopback->settings.handshake_timeout_ms = _i ? TIME_MS : 40000;
	loopback->settings.idle_timeout_ms = 30000;
	client = _i ? asked_again() : asked_once(5);
	raw13_put(raw, RAW13_ALERT, close_notify, sizeof(close_notify));
	client_send(client);
	ck_assert_int_eq(recv(backend, buf, 1, 0), 0);
	ck_assert_int_eq(send(backend, "down", 4, 0), 4);
	ck_assert_int_eq(next_record(client, buf, &len), RAW13_DATA);
	ck_assert_int_eq(next_record(client, buf, &len), RAW13_ALERT);
	ck_assert_int_eq(buf[1], 0);
	ck_assert_uint_eq(failures(FAIL_TIMEOUT), 1);
	client_free(client);
}
END_TEST

static void *send_all(void *client)
{
	client_send(client);
	return NULL;
}

/* An answer that we do not read, because the backend takes no more of what was
 * said before it, is not late. */
START_TEST(test_a_slow_backend_is_no_fault)
{
	static uint8_t chunk[16384];
	struct pollfd from_server = { .events = POLLIN };
	struct client *client;
	pthread_t sender;
	size_t left = MUCH;
	ssize_t n;
	int small = 4096;

	ck_assert_int_eq(setsockopt(loopback->backend, SOL_SOCKET, SO_RCVBUF,
				    &small, sizeof(small)), 0);
	loopback->settings.handshake_timeout_ms = 2 * TIME_MS;
	client = asked_once(1);
	/* All is ready to be sent when the question comes. */
	while (left) {
		raw13_put(raw, RAW13_DATA, chunk, sizeof(chunk));
		left -= sizeof(chunk);
	}
	await_request(client);
	raw13_put(raw, RAW13_HANDSHAKE, answer,
		  raw13_answer(raw, request, request_len, &alice, answer));
	ck_assert_int_eq(pthread_create(&sender, NULL, send_all, client), 0);
	/* It does not hang up, past the time; then it has as much again. */
	from_server.fd = client->fd;
	ck_assert_int_eq(poll(&from_server, 1, 2 * TIME_MS + 1000), 0);
	for (left = MUCH; left; left -= (size_t)n) {
		n = recv(backend, chunk, sizeof(chunk), 0);
		ck_assert_int_gt(n, 0);
	}
	ck_assert_int_eq(pthread_join(sender, NULL), 0);
	exchange(client);
	client_free(client);
}
END_TEST

/* Who went on as nobody is not asked again: idle, it ends unasked. */
START_TEST(test_nobody_is_not_asked_again)
{
	static const struct raw13_answer nobody = { .who = RAW13_NOBODY };
	struct client *client;
	size_t len;

	loopback->hosts[1].client_reauth_s = 1;
	loopback->hosts[1].client_decline = CLIENT_CONTINUE;
	loopback->settings.idle_timeout_ms = 1500;
	loopback_start(loopback);
	client = open_raw(RELAY);
	await_request(client);
	reply(client, &nobody);
	backend = loopback_accept(loopback);
	ck_assert_int_eq(next_record(client, buf, &len), RAW13_ALERT);
	ck_assert_int_eq(buf[1], 0);
	client_free(client);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conn_ask_again");
	TCase *tcase = tcase_create("conn_ask_again");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up_asking, tear_down_backend);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, test_data_go_on);
	tcase_add_loop_test(tcase, test_other_answers_end_it, 0, 4);
	tcase_add_test(tcase, test_no_answer_ends_it);
	tcase_add_loop_test(tcase, test_a_half_close_is_no_answer, 0, 2);
	tcase_add_test(tcase, test_a_slow_backend_is_no_fault);
	tcase_add_test(tcase, test_nobody_is_not_asked_again);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

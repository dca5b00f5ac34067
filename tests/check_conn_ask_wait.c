// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_conn_ask_wait.c - while a host waits for a certificate after the
 * handshake: what its backend hears, what is kept and how much of it, and how
 * the waiting ends. RFC 8446 s4.6.2.
 */
#include <poll.h>

#include "conn_ask.h"
#include "tls.h"

/* The backend hears nothing, not even a connection, before the answer; then it
 * gets what the client has said meanwhile, all of it and in order. */
START_TEST(test_the_backend_waits)
{
	const struct raw13_answer how = { .who = RAW13_ALICE };
	struct pollfd listening;
	struct client *client;
	char got[8] = "";
	int backend;

	loopback_start(loopback);
	listening = (struct pollfd){ .fd = loopback->backend,
				     .events = POLLIN };
	client = open_raw(RELAY);
	raw13_put(raw, RAW13_DATA, "ab", 2);
	client_send(client);
	await_request(client);
	raw13_put(raw, RAW13_DATA, "cd", 2);
	raw13_put_update(raw, true);
	raw13_put(raw, RAW13_DATA, "ef", 2);
	client_send(client);
	/* Its answer to the KeyUpdate shows that it has read them. */
	ck_assert_int_eq(next_record(client, answer, &request_len),
			 RAW13_HANDSHAKE);
	ck_assert_int_eq(answer[0], RAW13_KEY_UPDATE);
	ck_assert_int_eq(poll(&listening, 1, 0), 0);
	client_free(client);
	raw13_free(raw);

	client = open_raw(RELAY);
	raw13_put(raw, RAW13_DATA, "ab", 2);
	client_send(client);
	await_request(client);
	raw13_put(raw, RAW13_DATA, "cd", 2);
	reply(client, &how);
	raw13_put(raw, RAW13_DATA, "ef", 2);
	client_send(client);
	backend = loopback_accept(loopback);
	ck_assert_int_eq(recv(backend, got, 6, MSG_WAITALL), 6);
	ck_assert_str_eq(got, "abcdef");
	close(backend);
	client_free(client);
}
END_TEST

static void put_data(struct client *client, size_t len)
{
	static const uint8_t zeros[16384];
	size_t n;

	for (; len; len -= n) {
		n = len < sizeof(zeros) ? len : sizeof(zeros);
		raw13_put(raw, RAW13_DATA, zeros, n);
		client_send(client);
	}
}

/* What is kept is bounded, to the byte. */
START_TEST(test_what_is_kept_is_bounded)
{
	const struct raw13_answer how = { .who = RAW13_ALICE };
	static uint8_t got[TLS_KEPT_MAX];
	static uint8_t buf[RAW13_RECORD_MAX];
	struct client *client;
	size_t len;
	int backend;

	loopback_start(loopback);
	client = open_raw(RELAY);
	await_request(client);
	put_data(client, TLS_KEPT_MAX);
	if (_i == 0) {
		reply(client, &how);
		backend = loopback_accept(loopback);
		ck_assert_int_eq(recv(backend, got, sizeof(got), MSG_WAITALL),
				 sizeof(got));
		close(backend);
	} else {
		put_data(client, 1);
		/* A close_notify. */
		ck_assert_int_eq(next_record(client, buf, &len), RAW13_ALERT);
		ck_assert_int_eq(buf[1], 0);
		ck_assert_uint_eq(failures(FAIL_TOO_BIG), 1);
	}
	client_free(client);
}
END_TEST

/* Who neither answers nor declines is waited for no longer than it had for its
 * handshake. */
START_TEST(test_silence_ends)
{
	static uint8_t buf[RAW13_RECORD_MAX];
	struct client *client;
	size_t len;

	loopback->settings.handshake_timeout_ms = 5000;
	loopback->hosts[0].client_decline = CLIENT_CONTINUE;
	loopback_start(loopback);
	client = open_raw(NAME);
	await_request(client);
	ck_assert_int_eq(next_record(client, buf, &len), RAW13_ALERT);
	ck_assert_int_eq(buf[1], 0);
	ck_assert_uint_eq(failures(FAIL_TIMEOUT), 1);
	client_free(client);
}
END_TEST

/* One that ends instead is gone, politely or not. */
START_TEST(test_ending_instead_of_answering)
{
	static const uint8_t notify[] = { 1, 0 };
	struct client *client;

	loopback->hosts[0].client_decline = CLIENT_CONTINUE;
	loopback_start(loopback);
	client = open_raw(NAME);
	await_request(client);
	if (_i)
		raw13_put(raw, RAW13_ALERT, notify, sizeof(notify));
	client_send(client);
	ck_assert_int_eq(shutdown(client->fd, SHUT_WR), 0);
	while (client_recv(client))
		;
	ck_assert_uint_eq(failures(FAIL_CLOSED), 1);
	client_free(client);
}
END_TEST

/* The answer, data and the end may come in one segment. */
START_TEST(test_all_in_one_segment)
{
	static const uint8_t notify[] = { 1, 0 };
	const struct raw13_answer how = { .who = RAW13_ALICE };
	struct client *client;
	char got[8] = "";
	int backend;

	loopback_start(loopback);
	client = open_raw(RELAY);
	await_request(client);
	raw13_put(raw, RAW13_HANDSHAKE, answer,
		  raw13_answer(raw, request, request_len, &how, answer));
	if (_i)
		raw13_put(raw, RAW13_DATA, "abc", 3);
	raw13_put(raw, RAW13_ALERT, notify, sizeof(notify));
	client_send(client);
	backend = loopback_accept(loopback);
	ck_assert_int_eq(recv(backend, got, sizeof(got), MSG_WAITALL),
			 _i ? 3 : 0);
	close(backend);
	client_free(client);
}
END_TEST

/* The answer may come in small records and small segments. */
START_TEST(test_an_answer_in_pieces)
{
	const struct raw13_answer how = { .who = RAW13_ALICE };
	struct client *client;
	size_t at, n, len;
	int backend;

	loopback_start(loopback);
	client = open_raw(RELAY);
	await_request(client);
	len = raw13_answer(raw, request, request_len, &how, answer);
	for (at = 0; at < len; at += n) {
		n = len - at < 100 ? len - at : 100;
		raw13_put(raw, RAW13_HANDSHAKE, answer + at, n);
		client_send(client);
	}
	raw13_put(raw, RAW13_DATA, "x", 1);
	client_send(client);
	backend = loopback_accept(loopback);
	ck_assert_int_eq(recv(backend, answer, 1, 0), 1);
	close(backend);
	client_free(client);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conn_ask_wait");
	TCase *tcase = tcase_create("conn_ask_wait");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up_asking, tear_down_asking);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, test_the_backend_waits);
	tcase_add_loop_test(tcase, test_what_is_kept_is_bounded, 0, 2);
	tcase_add_test(tcase, test_silence_ends);
	tcase_add_loop_test(tcase, test_ending_instead_of_answering, 0, 2);
	tcase_add_loop_test(tcase, test_all_in_one_segment, 0, 2);
	tcase_add_test(tcase, test_an_answer_in_pieces);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_postauth_proof.c - no certificate without its own proof, in the patched
 * library (deploy/wolfssl): every false answer to a request after the handshake
 * ends with its alert, and no Certificate counts that was not asked for.
 */
#include "postauth.h"

/* Without a certificate: 116 when one is demanded, else the connection goes
 * on, and whoever was there before is not there now. */
START_TEST(test_declining)
{
	static const struct raw13_answer nobody = { .who = RAW13_NOBODY };
	bool resumed = _i & 1, required = _i & 2;

	if (resumed)
		keep_session();
	open_both(required ? REQUIRED : OPTIONAL, true);
	ask();
	raw_turn();
	if (!required) {
		ck_assert_int_eq(reply(0, &nobody), 0);
		ck_assert_int_eq(wolfSSL_certificate_requests(server), 0);
		ck_assert_uint_eq(alert, 0);
		return;
	}
	ck_assert_int_ne(reply(0, &nobody), 0);
	ck_assert_uint_eq(alert, 116);
}
END_TEST

struct refusal {
	struct raw13_answer how;
	uint8_t alert;
};

static const struct refusal refusals[] = {
	{ { .who = RAW13_ALICE, .no_verify = true }, 10 },
	{ { .who = RAW13_ALICE, .no_certificate = true }, 10 },
	{ { .who = RAW13_ALICE, .no_certificate = true, .no_verify = true },
	  10 },
	{ { .who = RAW13_ALICE, .spoil_verify = true }, 51 },
	{ { .who = RAW13_ALICE, .spoil_finished = true }, 51 },
	{ { .who = RAW13_ALICE, .spoil_context = true }, 47 },
	{ { .who = RAW13_BOB, .signer = RAW13_ALICE }, 51 },
	{ { .who = RAW13_RSA, .signer = RAW13_ALICE }, 51 },
	{ { .who = RAW13_STRANGER }, 48 },
	{ { .who = RAW13_EXPIRED }, 45 },
};

#define N_REFUSALS ((int)(sizeof(refusals) / sizeof(refusals[0])))

/* Each false answer ends with its alert: to the first request or to a second
 * one, after a full handshake or a resumption. */
START_TEST(test_false_answers_are_refused)
{
	static const struct raw13_answer good = { .who = RAW13_ALICE };
	const struct refusal *refusal = &refusals[_i % N_REFUSALS];
	bool second = _i / N_REFUSALS & 1, resumed = _i / N_REFUSALS & 2;

	if (resumed)
		keep_session();
	open_both(REQUIRED, true);
	ask();
	raw_turn();
	if (second) {
		ck_assert_int_eq(reply(0, &good), 0);
		n_requests = 0;
		ask();
		raw_turn();
	}
	ck_assert_int_ne(reply(0, &refusal->how), 0);
	ck_assert_uint_eq(alert, refusal->alert);
}
END_TEST

/* An answer that was given holds no second time, for the same request or for
 * the next one. */
START_TEST(test_answers_are_not_replayed)
{
	const struct raw13_answer how = { .who = RAW13_ALICE };
	uint8_t old[RAW13_ANSWER_MAX];
	size_t len;

	open_both(REQUIRED, true);
	ask();
	raw_turn();
	len = raw13_answer(raw, requests[0], request_lens[0], &how, old);
	ck_assert_int_eq(reply(0, &how), 0);
	if (_i)
		ask();
	raw13_put(raw, RAW13_HANDSHAKE, old, len);
	ck_assert_int_ne(serve(), 0);
	raw_turn();
	ck_assert_uint_eq(alert, _i ? 47 : 10);
}
END_TEST

/* A Certificate that nobody has asked for, after the handshake. */
START_TEST(test_certificate_out_of_the_blue)
{
	static const uint8_t request[] = { RAW13_REQUEST, 0, 0, 3, 0, 0, 0 };
	const struct raw13_answer how = { .who = RAW13_ALICE };
	size_t len;

	if (_i)
		keep_session();
	open_both(REQUIRED, true);
	len = raw13_answer(raw, request, sizeof(request), &how, answer);
	raw13_put(raw, RAW13_HANDSHAKE, answer, len);
	ck_assert_int_ne(serve(), 0);
	raw_turn();
	ck_assert_uint_eq(alert, 10);
}
END_TEST

/* Nor within a handshake: a resumed one, one of a server that asks nobody, or
 * one that will ask later. No certificate counts there, with or without its
 * proof. */
START_TEST(test_certificate_that_was_not_asked_for)
{
	static const int modes[] = {
		WOLFSSL_VERIFY_PEER, WOLFSSL_VERIFY_NONE, REQUIRED,
	};
	const struct raw13_answer how = {
		.who = RAW13_ALICE, .no_verify = _i & 1,
	};
	int i;

	if (_i / 2 == 0)
		keep_session();
	open_server(modes[_i / 2]);
	client = raw13_client(session);
	raw = raw13_new(client);
	for (i = 0; i < 4 && raw13_connect(client) != 1; i++)
		(void)wolfSSL_accept(server);
	raw13_take_over_flight(raw);
	raw13_put(raw, RAW13_HANDSHAKE, answer,
		  raw13_answer(raw, NULL, 0, &how, answer));
	ck_assert_int_ne(wolfSSL_accept(server), WOLFSSL_SUCCESS);
	ck_assert_int_eq(wolfSSL_get_error(server, -1), OUT_OF_ORDER_E);
	raw_turn();
	ck_assert_uint_eq(alert, 10);
}
END_TEST

/* The flight that raw13_answer() makes is a right one but for that. */
START_TEST(test_flight_without_a_certificate)
{
	const struct raw13_answer how = {
		.who = RAW13_ALICE, .no_certificate = true, .no_verify = true,
	};
	int i;

	open_server(REQUIRED);
	client = raw13_client(NULL);
	raw = raw13_new(client);
	for (i = 0; i < 4 && raw13_connect(client) != 1; i++)
		(void)wolfSSL_accept(server);
	raw13_take_over_flight(raw);
	raw13_put(raw, RAW13_HANDSHAKE, answer,
		  raw13_answer(raw, NULL, 0, &how, answer));
	ck_assert_int_eq(wolfSSL_accept(server), WOLFSSL_SUCCESS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("postauth_proof");
	TCase *tcase = tcase_create("postauth_proof");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, test_declining, 0, 4);
	tcase_add_loop_test(tcase, test_false_answers_are_refused, 0,
			    4 * N_REFUSALS);
	tcase_add_loop_test(tcase, test_answers_are_not_replayed, 0, 2);
	tcase_add_loop_test(tcase, test_certificate_out_of_the_blue, 0, 2);
	tcase_add_loop_test(tcase, test_certificate_that_was_not_asked_for, 0,
			    6);
	tcase_add_test(tcase, test_flight_without_a_certificate);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_postauth.c - post-handshake authentication in the patched library
 * (deploy/wolfssl): requests one after another and at once, answered in any
 * order, by clients of OpenSSL, of wolfSSL, and by hand. RFC 8446 s4.6.2.
 */
#include "postauth.h"

/* Each of many requests, one after another, proves who answers it. */
START_TEST(test_openssl_answers_one_after_another)
{
	static const enum raw13_who order[] = {
		RAW13_ALICE, RAW13_BOB, RAW13_RSA, RAW13_ALICE, RAW13_RSA,
	};
	size_t i;

	if (_i)
		keep_session();
	open_both(REQUIRED, false);
	ck_assert_int_eq(raw13_resumed(client), _i);
	for (i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		raw13_be(client, order[i]);
		ask();
		ck_assert_int_eq(wolfSSL_certificate_requests(server), 1);
		client_turn();
		ck_assert_int_eq(serve(), 0);
		ck_assert_int_eq(wolfSSL_certificate_requests(server), 0);
		ck_assert(is(order[i]));
	}
}
END_TEST

/* Three at once are answered too; and data goes on both ways. */
START_TEST(test_openssl_answers_three_at_once)
{
	char buf[4] = "";
	size_t n;

	if (_i)
		keep_session();
	open_both(REQUIRED, false);
	raw13_be(client, RAW13_ALICE);
	ask();
	ask();
	ask();
	ck_assert_int_eq(wolfSSL_certificate_requests(server), 3);
	client_turn();
	ck_assert_int_eq(serve(), 0);
	ck_assert_int_eq(wolfSSL_certificate_requests(server), 0);
	ck_assert(is(RAW13_ALICE));
	ck_assert_int_eq(wolfSSL_write(server, "ab", 2), 2);
	ck_assert_int_eq(raw13_read(client, buf, sizeof(buf), &n), 1);
	ck_assert_uint_eq(n, 2);
	ck_assert(raw13_write(client, "cd", 2));
	ck_assert_int_eq(wolfSSL_read(server, buf, sizeof(buf)), 2);
}
END_TEST

/* RFC 8446 s4.6.2: the answers may come in any order. */
START_TEST(test_any_order_of_answers)
{
	static const uint8_t orders[6][3] = {
		{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
		{ 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
	};
	static const enum raw13_who who[] = {
		RAW13_ALICE, RAW13_RSA, RAW13_BOB,
	};
	int i;

	if (_i >= 6)
		keep_session();
	open_both(REQUIRED, true);
	for (i = 0; i < 3; i++)
		ask();
	raw_turn();
	ck_assert_uint_eq(n_requests, 3);
	for (i = 0; i < 3; i++) {
		const struct raw13_answer how = { .who = who[i] };

		ck_assert_int_eq(reply(orders[_i % 6][i], &how), 0);
		ck_assert_int_eq(wolfSSL_certificate_requests(server), 2 - i);
		ck_assert(is(who[i]));
	}
	ck_assert_uint_eq(alert, 0);
}
END_TEST

/* Contexts are long, and none comes again, once answered or elsewhere. */
START_TEST(test_contexts_never_repeat)
{
	const struct raw13_answer how = { .who = RAW13_ALICE };
	uint8_t seen[16][16];
	size_t i, j, n = 0;

	for (i = 0; i < 4; i++) {
		open_both(REQUIRED, true);
		for (j = 0; j < 4; j++) {
			n_requests = 0;
			ask();
			raw_turn();
			ck_assert_uint_eq(requests[0][4], 16);
			memcpy(seen[n++], requests[0] + 5, 16);
			ck_assert_int_eq(reply(0, &how), 0);
		}
		hang_up();
	}
	for (i = 0; i < n; i++)
		for (j = 0; j < i; j++)
			ck_assert(memcmp(seen[i], seen[j], 16) != 0);
}
END_TEST

/* A KeyUpdate and data between the request and its answer do no harm. */
START_TEST(test_messages_may_come_between)
{
	const struct raw13_answer how = { .who = RAW13_ALICE };
	char buf[4];

	open_both(REQUIRED, true);
	ask();
	raw_turn();
	raw13_put(raw, RAW13_DATA, "ab", 2);
	raw13_put_update(raw, true);
	raw13_put(raw, RAW13_DATA, "cd", 2);
	ck_assert_int_eq(wolfSSL_read(server, buf, sizeof(buf)), 2);
	ck_assert_int_eq(wolfSSL_read(server, buf, sizeof(buf)), 2);
	ck_assert_int_eq(reply(0, &how), 0);
	ck_assert(is(RAW13_ALICE));
}
END_TEST

/* The messages of one answer may stand in many records. */
START_TEST(test_an_answer_over_many_records)
{
	static const size_t sizes[] = { 100, 300 };
	const struct raw13_answer how = { .who = RAW13_ALICE };
	size_t at, n, len;

	open_both(REQUIRED, true);
	ask();
	raw_turn();
	len = raw13_answer(raw, requests[0], request_lens[0], &how, answer);
	for (at = 0; at < len; at += n) {
		n = sizes[_i] < len - at ? sizes[_i] : len - at;
		raw13_put(raw, RAW13_HANDSHAKE, answer + at, n);
		ck_assert_int_eq(serve(), 0);
	}
	ck_assert_int_eq(wolfSSL_certificate_requests(server), 0);
	ck_assert(is(RAW13_ALICE));
}
END_TEST

/* A ticket that is sent after an answer still resumes. */
START_TEST(test_ticket_after_an_answer_resumes)
{
	char data;
	size_t n;

	open_both(REQUIRED, false);
	raw13_be(client, RAW13_ALICE);
	ask();
	client_turn();
	ck_assert_int_eq(serve(), 0);
	ck_assert_int_eq(wolfSSL_send_SessionTicket(server), WOLFSSL_SUCCESS);
	ck_assert_int_eq(wolfSSL_write(server, "x", 1), 1);
	ck_assert_int_eq(raw13_read(client, &data, 1, &n), 1);
	session = raw13_session(client);
	hang_up();
	open_both(REQUIRED, false);
	ck_assert(raw13_resumed(client));
	ck_assert(wolfSSL_session_reused(server));
}
END_TEST

/* --- a client of wolfSSL --- */

struct queue {
	size_t len;
	char bytes[32768];
};

static struct queue to_client, to_server;

static int put(WOLFSSL *ssl, char *buf, int len, void *user)
{
	struct queue *queue = user;

	(void)ssl;
	ck_assert_uint_le(queue->len + (size_t)len, sizeof(queue->bytes));
	memcpy(queue->bytes + queue->len, buf, (size_t)len);
	queue->len += (size_t)len;
	return len;
}

static int get(WOLFSSL *ssl, char *buf, int len, void *user)
{
	struct queue *queue = user;
	size_t n = (size_t)len < queue->len ? (size_t)len : queue->len;

	(void)ssl;
	if (!n)
		return WOLFSSL_CBIO_ERR_WANT_READ;
	memcpy(buf, queue->bytes, n);
	queue->len -= n;
	memmove(queue->bytes, queue->bytes + n, queue->len);
	return (int)n;
}

static WOLFSSL *wolf_client(WOLFSSL_CTX *ctx, enum raw13_who who)
{
	const uint8_t *der;
	WOLFSSL *ssl;
	size_t len;

	ck_assert_int_eq(wolfSSL_CTX_allow_post_handshake_auth(ctx), 0);
	wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_NONE, NULL);
	der = raw13_certificate(who, &len);
	ck_assert_int_eq(wolfSSL_CTX_use_certificate_buffer(ctx, der,
			(long)len, WOLFSSL_FILETYPE_ASN1), WOLFSSL_SUCCESS);
	der = raw13_key(who, &len);
	ck_assert_int_eq(wolfSSL_CTX_use_PrivateKey_buffer(ctx, der,
			(long)len, WOLFSSL_FILETYPE_ASN1), WOLFSSL_SUCCESS);
	ssl = wolfSSL_new(ctx);
	wolfSSL_SSLSetIORecv(ssl, get);
	wolfSSL_SSLSetIOSend(ssl, put);
	wolfSSL_SetIOReadCtx(ssl, &to_client);
	wolfSSL_SetIOWriteCtx(ssl, &to_server);
	return ssl;
}

/* A client of this library answers again and again, and many at once. */
START_TEST(test_wolfssl_answers_again)
{
	WOLFSSL_CTX *ctx = wolfSSL_CTX_new(wolfTLSv1_3_client_method());
	WOLFSSL *ssl = wolf_client(ctx, RAW13_ALICE);
	char data;
	int i;

	open_server(REQUIRED);
	wolfSSL_SSLSetIORecv(server, get);
	wolfSSL_SSLSetIOSend(server, put);
	wolfSSL_SetIOReadCtx(server, &to_server);
	wolfSSL_SetIOWriteCtx(server, &to_client);
	for (i = 0; i < 4 && wolfSSL_connect(ssl) != WOLFSSL_SUCCESS; i++)
		(void)wolfSSL_accept(server);
	ck_assert_int_eq(wolfSSL_accept(server), WOLFSSL_SUCCESS);
	for (i = 1; i <= 3; i++) {
		int n = i;

		while (n-- > 0)
			ask();
		ck_assert_int_eq(wolfSSL_read(ssl, &data, 1), -1);
		ck_assert_int_eq(wolfSSL_get_error(ssl, -1),
				 WOLFSSL_ERROR_WANT_READ);
		ck_assert_int_eq(serve(), 0);
		ck_assert_int_eq(wolfSSL_certificate_requests(server), 0);
		ck_assert(is(RAW13_ALICE));
	}
	wolfSSL_free(ssl);
	wolfSSL_CTX_free(ctx);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("postauth");
	TCase *tcase = tcase_create("postauth");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, test_openssl_answers_one_after_another, 0,
			    2);
	tcase_add_loop_test(tcase, test_openssl_answers_three_at_once, 0, 2);
	tcase_add_loop_test(tcase, test_any_order_of_answers, 0, 12);
	tcase_add_test(tcase, test_contexts_never_repeat);
	tcase_add_test(tcase, test_wolfssl_answers_again);
	tcase_add_test(tcase, test_messages_may_come_between);
	tcase_add_loop_test(tcase, test_an_answer_over_many_records, 0, 2);
	tcase_add_test(tcase, test_ticket_after_an_answer_resumes);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

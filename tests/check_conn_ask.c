// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_conn_ask.c - a host that asks for certificates after the handshake, as
 * clients and the backend see it: who is asked, who is let in, and that no
 * ticket knows of it. RFC 8446 s4.6.2.
 */
#include "conn_ask.h"

/* Whoever has a certificate gets the page, which knows it. */
START_TEST(test_the_page_knows_who_answers)
{
	struct client *client;

	loopback_start(loopback);
	client = open_as(NAME, _i ? RAW13_RSA : RAW13_ALICE);
	shake(client);
	ck_assert(says(client_ask(client), raw13_fingerprint(
		_i ? RAW13_RSA : RAW13_ALICE)));
	client_free(client);
}
END_TEST

/* One that does not come is nobody: 116, or on with the page, as configured. */
START_TEST(test_declining)
{
	struct client *client;
	char byte;
	bool clean;

	loopback->hosts[0].client_decline = _i ? CLIENT_CONTINUE : CLIENT_CLOSE;
	loopback_start(loopback);
	client = open_as(NAME, RAW13_NOBODY);
	shake(client);
	if (_i) {
		ck_assert(says(client_ask(client),
			       "\"client\":null"));
	} else {
		ck_assert_uint_eq(client_read(client, &byte, 1, &clean), 0);
		ck_assert(!clean);
		ck_assert_uint_eq(failures(FAIL_CERT_NONE), 1);
	}
	client_free(client);
}
END_TEST

START_TEST(test_declining_gets_its_alert)
{
	const struct raw13_answer nobody = { .who = RAW13_NOBODY };
	struct client *client;

	loopback_start(loopback);
	client = open_raw(NAME);
	await_request(client);
	reply(client, &nobody);
	ck_assert_int_eq(await_alert(client), 116);
	client_free(client);
}
END_TEST

/* A client that cannot be asked is treated alike, and is never asked. */
START_TEST(test_who_cannot_be_asked)
{
	struct client *client;
	int alert;

	loopback->hosts[0].client_decline = _i / 2 ? CLIENT_CONTINUE :
		CLIENT_CLOSE;
	loopback_start(loopback);
	client = open_client(NAME, version_of[_i % 2]);
	raw13_be(client->ssl, RAW13_ALICE);
	if (_i / 2) {
		shake(client);
		ck_assert(says(client_ask(client), "\"client\":null"));
	} else {
		ck_assert(!client_handshake(client, false, &alert));
		ck_assert_int_eq(alert, _i % 2 ? 116 : 40);
		ck_assert_uint_eq(failures(FAIL_CERT_NONE), 1);
	}
	client_free(client);
}
END_TEST

/* What is wrong with a certificate is said under the application's keys, and
 * counted; going on without one does not mean with any. */
START_TEST(test_bad_answers_are_refused)
{
	static const struct {
		struct raw13_answer how;
		int alert;
		enum failure failure;
	} bad[] = {
		{ { .who = RAW13_STRANGER }, 48, FAIL_CERT_UNKNOWN_CA },
		{ { .who = RAW13_EXPIRED }, 45, FAIL_CERT_EXPIRED },
		{ { .who = RAW13_BOB, .signer = RAW13_ALICE }, 51,
		  FAIL_SIGNATURE },
		{ { .who = RAW13_ALICE, .spoil_finished = true }, 51,
		  FAIL_FINISHED },
		{ { .who = RAW13_ALICE, .no_verify = true }, 10,
		  FAIL_UNEXPECTED },
		{ { .who = RAW13_ALICE, .spoil_context = true }, 47,
		  FAIL_MALFORMED },
	};
	struct client *client;

	loopback->hosts[0].client_decline = _i & 1 ? CLIENT_CONTINUE :
		CLIENT_CLOSE;
	loopback_start(loopback);
	client = open_raw(NAME);
	await_request(client);
	raw13_put(raw, RAW13_DATA, "GET", 3);
	reply(client, &bad[_i / 2].how);
	ck_assert_int_eq(await_alert(client), bad[_i / 2].alert);
	ck_assert_uint_eq(failures(bad[_i / 2].failure), 1);
	client_free(client);
}
END_TEST

/* REQ-11: a ticket never carries what was proved after the handshake. Whoever
 * resumes is asked again; and none is issued after the answer. */
START_TEST(test_a_ticket_knows_nobody)
{
	struct client *client;
	SSL_SESSION *session;
	const char *body;

	loopback->hosts[0].client_decline = CLIENT_CONTINUE;
	loopback_start(loopback);
	client = open_as(NAME, RAW13_ALICE);
	shake(client);
	ck_assert(says(client_ask(client), raw13_fingerprint(RAW13_ALICE)));
	ck_assert_uint_eq(client->tickets, 2);
	session = client->session;
	client->session = NULL;
	client_free(client);

	client = open_as(NAME, _i ? RAW13_BOB : RAW13_NOBODY);
	client_offer(client, session);
	shake(client);
	body = client_ask(client);
	ck_assert(says(body, "\"resumed\":true"));
	ck_assert(!says(body, raw13_fingerprint(RAW13_ALICE)));
	if (_i)
		ck_assert(says(body, raw13_fingerprint(RAW13_BOB)));
	else
		ck_assert(says(body, "\"client\":null"));
	client_free(client);
	/* And whoever cannot be asked is nobody. */
	client = open_client(NAME, TLS1_3_VERSION);
	client_offer(client, session);
	shake(client);
	ck_assert(says(client_ask(client), "\"client\":null"));
	client_free(client);
	SSL_SESSION_free(session);
}
END_TEST

/* OpenSSL answers while it reads. */
static void let_answer(struct client *client)
{
	char byte;

	while (!BIO_pending(SSL_get_wbio(client->ssl)) && client_recv(client))
		(void)SSL_peek(client->ssl, &byte, 1);
	client_send(client);
}

/* The value of one TLV of a PROXY header over IPv4; NULL without. */
static const uint8_t *find_tlv(const uint8_t *header, size_t len, uint8_t type)
{
	size_t at = 16 + 12, n;

	for (; at + 3 <= len; at += 3 + n) {
		n = (size_t)header[at + 1] << 8 | header[at + 2];
		if (header[at] == type)
			return header + at + 3;
	}
	return NULL;
}

/* The backend's PROXY header says that a certificate came on this connection,
 * after a resumption too: a ticket would not have known. */
START_TEST(test_the_proxy_header_knows)
{
	enum { TLV_SSL = 32, IS_TLS = 1, CERT_CONN = 2, CERT_SESS = 4 };
	struct client *client = NULL;
	SSL_SESSION *session = NULL;
	uint8_t header[1024];
	const uint8_t *tlv;
	int backend, i;
	size_t len;

	loopback_start(loopback);
	for (i = 0; i < 2; i++) {
		client = open_as("proxy.example.com", RAW13_ALICE);
		if (session)
			client_offer(client, session);
		shake(client);
		let_answer(client);
		backend = loopback_accept(loopback);
		ck_assert_int_eq(recv(backend, header, 16, MSG_WAITALL), 16);
		len = (size_t)header[14] << 8 | header[15];
		ck_assert_uint_le(16 + len, sizeof(header));
		ck_assert_int_eq(recv(backend, header + 16, len, MSG_WAITALL),
				 (int)len);
		tlv = find_tlv(header, 16 + len, TLV_SSL);
		ck_assert_ptr_nonnull(tlv);
		ck_assert_int_eq(tlv[0], IS_TLS | CERT_CONN | CERT_SESS);
		ck_assert_int_eq(tlv[4], 0);
		ck_assert_int_eq(SSL_session_reused(client->ssl), i);
		SSL_SESSION_free(session);
		session = client->session;
		client->session = NULL;
		close(backend);
		client_free(client);
	}
	SSL_SESSION_free(session);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conn_ask");
	TCase *tcase = tcase_create("conn_ask");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up_asking, tear_down_asking);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, test_the_page_knows_who_answers, 0, 2);
	tcase_add_loop_test(tcase, test_declining, 0, 2);
	tcase_add_test(tcase, test_declining_gets_its_alert);
	tcase_add_loop_test(tcase, test_who_cannot_be_asked, 0, 4);
	tcase_add_loop_test(tcase, test_bad_answers_are_refused, 0, 12);
	tcase_add_loop_test(tcase, test_a_ticket_knows_nobody, 0, 2);
	tcase_add_test(tcase, test_the_proxy_header_knows);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_conn_count.c - what a connection leaves in the counters: its alerts
 * each way, its tickets under their key. Every outcome and every figure at once
 * is proved in measure_1_counters.sh.
 */
#include <stdlib.h>

#include "conn_client.h"

/* A goodbye each way is an alert each way; tickets stand under their key. */
START_TEST(test_a_goodbye_is_counted)
{
	struct counters counters;
	struct client *client;

	loopback_start(loopback);
	client = open_client("www.example.com", version_of[_i]);
	shake(client);
	SSL_shutdown(client->ssl);
	client_send(client);
	while (!client->eof)
		client_recv(client);
	counters = loopback_counters(loopback);
	ck_assert_uint_eq(counters.alerts_sent[alerts_slot(0)], 1);
	ck_assert_uint_eq(counters.alerts_received[alerts_slot(0)], 1);
	ck_assert_uint_eq(alerts_in(counters.alerts_sent), 1);
	ck_assert_uint_eq(alerts_in(counters.alerts_received), 1);
	ck_assert_uint_eq(counters.keys_seen, 1);
	ck_assert_uint_eq(counters_key_issued(&counters, counters.key_id[0]),
			  _i ? 2 : 1);
	client_free(client);
}
END_TEST

/* A client that goes away for a reason says it, and that is counted. */
START_TEST(test_a_clients_alert_is_counted)
{
	struct counters counters;
	struct client *client;
	int alert;

	loopback_start(loopback);
	client = open_client("www.example.com", version_of[_i]);
	/* It knows no CA. */
	SSL_set_verify(client->ssl, SSL_VERIFY_PEER, NULL);
	ck_assert(!client_handshake(client, false, &alert));
	client_send(client);
	shutdown(client->fd, SHUT_WR);
	while (!client->eof)
		client_recv(client);
	counters = loopback_counters(loopback);
	ck_assert_uint_eq(counters.failures[FAIL_ALERT], 1);
	ck_assert_uint_eq(counters.alerts_received[alerts_slot(48)], 1);
	ck_assert_uint_eq(alerts_in(counters.alerts_received), 1);
	ck_assert_uint_eq(alerts_in(counters.alerts_sent), 0);
	client_free(client);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conn_count");
	TCase *tcase = tcase_create("conn_count");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, test_a_goodbye_is_counted, 0, 2);
	tcase_add_loop_test(tcase, test_a_clients_alert_is_counted, 0, 2);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

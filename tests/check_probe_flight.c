/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stekprobe handshake makes of the messages that it sees: clean text,
 * tickets, and flights. Pure, with made-up messages.
 */
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "probe/alert.h"
#include "probe/flight.h"

/* ---- text and names --------------------------------------------------------- */

/* Only printable ASCII comes out, and never more than fits. */
START_TEST(test_clean_text)
{
	char out[16], all[5 * 256];
	uint8_t every[256];

	clean_text(out, sizeof(out), "a\033[2Jb\n", 7);
	ck_assert_str_eq(out, "a\\x1b[2Jb\\x0a");
	clean_text(out, 4, "\033\033", 2);
	ck_assert_str_eq(out, "");
	clean_text(out, 5, "\033\033", 2);
	ck_assert_str_eq(out, "\\x1b");
	for (int i = 0; i < 256; i++)
		every[i] = (uint8_t)i;
	clean_text(all, sizeof(all), every, sizeof(every));
	for (const char *p = all; *p; p++)
		ck_assert(*p >= 0x20 && *p < 0x7f);
}
END_TEST

START_TEST(test_alert_names)
{
	ck_assert_str_eq(alert_name(40), "handshake_failure");
	ck_assert_str_eq(alert_name(116), "certificate_required");
	ck_assert_str_eq(alert_name(0), "close_notify");
	ck_assert_str_eq(alert_name(255), "unassigned");
	ck_assert_str_eq(alert_name(-1), "unassigned");
}
END_TEST

/* ---- tickets ---------------------------------------------------------------- */

/* Lifetime 7200, age_add, nonce 2 bytes, ticket 18 bytes, early_data 16384. */
static const uint8_t ticket13[] = {
	0, 0, 0x1c, 0x20, 0x80, 0, 0, 1, 2, 0xaa, 0xbb, 0, 18,
	1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18,
	0, 13, 0xfa, 0xfa, 0, 1, 0, 0, 42, 0, 4, 0, 0, 0x40, 0,
};

START_TEST(test_ticket_of_tls13)
{
	struct flight_ticket ticket;

	ck_assert(flight_ticket_parse(&ticket, true, ticket13,
				      sizeof(ticket13)));
	ck_assert_uint_eq(ticket.lifetime_s, 7200);
	ck_assert_uint_eq(ticket.age_add, 0x80000001);
	ck_assert_uint_eq(ticket.nonce_len, 2);
	ck_assert_uint_eq(ticket.nonce[1], 0xbb);
	ck_assert_uint_eq(ticket.size, 18);
	ck_assert(ticket.named);
	ck_assert_uint_eq(ticket.name[15], 16);
	ck_assert(ticket.early_data);
	ck_assert_uint_eq(ticket.early_data_max, 16384);
}
END_TEST

START_TEST(test_ticket_of_tls12)
{
	static const uint8_t body[] = {0, 0, 0, 60, 0, 3, 7, 7, 7};
	struct flight_ticket ticket;

	ck_assert(flight_ticket_parse(&ticket, false, body, sizeof(body)));
	ck_assert_uint_eq(ticket.lifetime_s, 60);
	ck_assert_uint_eq(ticket.size, 3);
	ck_assert(!ticket.named && !ticket.early_data);
	ck_assert(!flight_ticket_parse(&ticket, true, body, sizeof(body)));
}
END_TEST

/* Each shorter one and one byte more are refused, and nothing is written. */
START_TEST(test_ticket_of_wrong_length)
{
	struct flight_ticket ticket = {.size = 99};
	uint8_t *exact, longer[sizeof(ticket13) + 1] = {0};

	for (size_t len = 0; len < sizeof(ticket13); len++) {
		exact = malloc(len ? len : 1);
		memcpy(exact, ticket13, len);
		ck_assert(!flight_ticket_parse(&ticket, true, exact, len));
		free(exact);
	}
	memcpy(longer, ticket13, sizeof(ticket13));
	ck_assert(!flight_ticket_parse(&ticket, true, longer, sizeof(longer)));
	ck_assert_uint_eq(ticket.size, 99);
}
END_TEST

/* ---- flights ---------------------------------------------------------------- */

static void handshake_message(struct flight *flight, bool by_server, int type,
			      uint8_t outer)
{
	uint8_t header[5] = {outer, 3, 3, 0, 8};
	uint8_t message[8] = {(uint8_t)type, 0, 0, 4};

	flight_record(flight, by_server, header, 1);
	flight_message(flight, by_server, RECORD_HANDSHAKE, message,
		       sizeof(message), 1);
}

static void server_hello(struct flight *flight)
{
	uint8_t header[5] = {RECORD_HANDSHAKE, 3, 3, 0, 50};
	uint8_t hello[50] = {HS_SERVER_HELLO, 0, 0, 46, 3, 3};

	/* random 32, session id 0, suite 2, compression 1, extensions 6 */
	hello[43] = 6;
	hello[45] = 43;
	hello[47] = 2;
	hello[48] = 3;
	hello[49] = 4;
	hello[42] = 0;
	flight_record(flight, true, header, 1);
	flight_message(flight, true, RECORD_HANDSHAKE, hello, sizeof(hello), 1);
}

/* Turns make flights; the keys follow from the version and the Finished. */
START_TEST(test_flights_of_tls13)
{
	struct flight flight = {0};
	uint8_t alert[2] = {2, 116}, header[5] = {RECORD_DATA, 3, 3, 0, 19};
	char name[80];
	int at;

	handshake_message(&flight, false, HS_CLIENT_HELLO, RECORD_HANDSHAKE);
	server_hello(&flight);
	ck_assert(flight.tls13);
	handshake_message(&flight, true, HS_FINISHED, RECORD_DATA);
	handshake_message(&flight, false, HS_CERTIFICATE, RECORD_DATA);
	handshake_message(&flight, false, HS_FINISHED, RECORD_DATA);
	flight_record(&flight, true, header, 2);
	flight_message(&flight, true, RECORD_ALERT, alert, 2, 2);
	ck_assert_uint_eq(flight.n, 6);
	ck_assert_uint_eq(flight.events[1].number, 2);
	ck_assert_uint_eq(flight.events[2].number, 2);
	ck_assert_uint_eq(flight.events[3].number, 3);
	ck_assert_int_eq(flight.events[1].keys, KEYS_NONE);
	ck_assert_int_eq(flight.events[2].keys, KEYS_HANDSHAKE);
	ck_assert_int_eq(flight.events[3].keys, KEYS_HANDSHAKE);
	ck_assert(flight.events[3].empty);
	at = flight_alert(&flight, true);
	ck_assert_int_eq(at, 5);
	ck_assert_int_eq(flight.events[at].keys, KEYS_APPLICATION);
	flight_event_name(&flight.events[at], name);
	ck_assert_str_eq(name, "alert certificate_required (116)");
	ck_assert_int_eq(flight_alert(&flight, false), -1);
	ck_assert_int_eq(flight_find(&flight, true, HS_FINISHED), 2);
	ck_assert_int_eq(flight_find(&flight, true, HS_CLIENT_HELLO), -1);
}
END_TEST

/* In TLS 1.2 ChangeCipherSpec is what changes the keys. */
START_TEST(test_flights_of_tls12)
{
	struct flight flight = {0};
	uint8_t one = 1, alert[2] = {1, 90};
	char name[80];

	handshake_message(&flight, false, HS_CLIENT_HELLO, RECORD_HANDSHAKE);
	handshake_message(&flight, true, HS_SERVER_HELLO, RECORD_HANDSHAKE);
	flight_message(&flight, false, RECORD_CHANGE, &one, 1, 2);
	handshake_message(&flight, false, HS_FINISHED, RECORD_HANDSHAKE);
	flight_message(&flight, true, RECORD_ALERT, alert, 2, 2);
	ck_assert(!flight.tls13);
	ck_assert_int_eq(flight.events[2].keys, KEYS_NONE);
	ck_assert_int_eq(flight.events[3].keys, KEYS_CONNECTION);
	ck_assert_int_eq(flight.events[4].keys, KEYS_NONE);
	flight_event_name(&flight.events[4], name);
	ck_assert_str_eq(name, "alert user_canceled (90) warning");
}
END_TEST

/* More events than there is room for are counted, the last one is kept. */
START_TEST(test_flights_are_bounded)
{
	struct flight flight = {0};

	for (int i = 0; i < FLIGHT_EVENTS_MAX + 5; i++)
		handshake_message(&flight, i % 2, 24, RECORD_HANDSHAKE);
	ck_assert_uint_eq(flight.n, FLIGHT_EVENTS_MAX);
	ck_assert_uint_eq(flight.left_out, 5);
	ck_assert_uint_eq(flight.events[FLIGHT_EVENTS_MAX - 1].number,
			  FLIGHT_EVENTS_MAX + 5);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("probe_flight");
	SRunner *runner;
	TCase *tcase;
	int failed;

	tcase = tcase_create("text");
	tcase_add_test(tcase, test_clean_text);
	tcase_add_test(tcase, test_alert_names);
	suite_add_tcase(suite, tcase);
	tcase = tcase_create("ticket");
	tcase_add_test(tcase, test_ticket_of_tls13);
	tcase_add_test(tcase, test_ticket_of_tls12);
	tcase_add_test(tcase, test_ticket_of_wrong_length);
	suite_add_tcase(suite, tcase);
	tcase = tcase_create("flight");
	tcase_add_test(tcase, test_flights_of_tls13);
	tcase_add_test(tcase, test_flights_of_tls12);
	tcase_add_test(tcase, test_flights_are_bounded);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

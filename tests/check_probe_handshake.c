/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stekprobe handshake: its pure parts with made-up messages, and the command
 * against servers of OpenSSL's and of none in threads of this process.
 */
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>
#include <openssl/pem.h>

#include "probe/alert.h"
#include "probe/causes.h"
#include "probe/options.h"
#include "probe_server.h"

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

/* ---- causes ----------------------------------------------------------------- */

static const struct cert_own good_own = {
	.given = true, .n = 1, .not_before_s = 1000, .not_after_s = 3000,
	.for_clients = true,
};

/* A talk at second 2000 that the server ended with `alert`, mid-handshake. */
static struct talk alerted(int alert)
{
	return (struct talk){.end = TALK_ALERTED, .stage = TALK_HANDSHAKE,
			     .alert = alert, .begun_s = 2000};
}

static struct talk alerted_after_certificate(int alert)
{
	struct talk talk = alerted(alert);

	talk.flight.n = 2;
	talk.flight.events[0] = (struct flight_event){
		.by_server = true, .content = RECORD_HANDSHAKE,
		.type = HS_CERTIFICATE_REQUEST};
	talk.flight.events[1] = (struct flight_event){
		.content = RECORD_HANDSHAKE, .type = HS_CERTIFICATE};
	return talk;
}

static void expect(const struct talk *talk, const struct cert_own *own,
		   const struct trials *trials, const char *name)
{
	static const struct trials none = {.other_alert = -1};
	struct causes causes;

	explain(&causes, talk, own ? own : &good_own, trials ? trials : &none);
	ck_assert_uint_gt(causes.n, 0);
	ck_assert_str_eq(causes.list[0]->name, name);
}

/* Alerts that mean the same everywhere. */
START_TEST(test_cause_by_alert)
{
	static const struct {
		int alert;
		const char *name;
	} table[] = {
		{70, "version"}, {86, "fallback"}, {112, "unknown_host"},
		{116, "no_certificate"}, {120, "alpn"}, {80, "server_fault"},
		{90, "middlebox_lost"}, {10, "middlebox_altered"},
		{20, "middlebox_altered"}, {22, "middlebox_altered"},
		{47, "middlebox_altered"}, {50, "middlebox_altered"},
		{51, "middlebox_altered"}, {40, "suite"}, {71, "suite"},
		{200, "alert"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct talk talk = alerted(table[i].alert);

		expect(&talk, NULL, NULL, table[i].name);
	}
}
END_TEST

/* What a trial has shown names the cause, if the server never answered. */
START_TEST(test_cause_by_trial)
{
	struct talk talk = alerted(40);
	struct trials trials = {.helped = ASPECT_GROUP, .other_alert = -1};

	talk.stage = TALK_HELLO;
	expect(&talk, NULL, &trials, "group");
	trials.helped = ASPECT_SCHEME;
	expect(&talk, NULL, &trials, "signature_scheme");
	talk.end = TALK_CLOSED;
	trials.helped = ASPECT_PROXY;
	expect(&talk, NULL, &trials, "proxy_header");
	trials.helped = ASPECT_NONE;
	expect(&talk, NULL, &trials, "silent_close");
	talk.stage = TALK_HANDSHAKE;
	expect(&talk, NULL, &trials, "middlebox_cut");
}
END_TEST

/* An altered binder and an altered Finished are both decrypt_error. */
START_TEST(test_cause_of_decrypt_error)
{
	struct talk talk = alerted(51);

	talk.offered = true;
	talk.flight.n = 1;
	expect(&talk, NULL, NULL, "middlebox_altered");
	talk.stage = TALK_HELLO;
	expect(&talk, NULL, NULL, "bad_binder");
	talk.offered = false;
	expect(&talk, NULL, NULL, "middlebox_altered");
}
END_TEST

/* The client's own certificate says more than the alert. */
START_TEST(test_cause_by_own_certificate)
{
	struct talk talk = alerted_after_certificate(42);
	struct cert_own own = good_own;

	own.not_after_s = 1999;
	expect(&talk, &own, NULL, "certificate_expired");
	own.not_after_s = 2000;
	expect(&talk, &own, NULL, "bad_certificate");
	own.not_before_s = 2001;
	own.not_after_s = 3000;
	expect(&talk, &own, NULL, "certificate_not_yet_valid");
	own = good_own;
	own.for_clients = false;
	expect(&talk, &own, NULL, "certificate_usage");
	own = good_own;
	talk.ca_known = true;
	expect(&talk, &own, NULL, "unknown_ca");
	talk.ca_listed = true;
	expect(&talk, &own, NULL, "bad_certificate");
	talk.alert = 45;
	expect(&talk, &own, NULL, "server_clock");
}
END_TEST

/* Where the alert is vague, the other version's may not be. */
START_TEST(test_cause_by_other_version)
{
	struct talk talk = alerted_after_certificate(42);
	struct cert_own own = good_own;
	struct trials trials = {.other_alert = 46};

	expect(&talk, NULL, &trials, "certificate_status");
	trials.other_alert = 42;
	expect(&talk, NULL, &trials, "bad_certificate");
	trials.other_alert = 48;
	expect(&talk, NULL, &trials, "unknown_ca");
	talk.ca_known = talk.ca_listed = true;
	own.n = 3;
	expect(&talk, &own, &trials, "certificate_chain");
	talk.alert = 44;
	expect(&talk, &own, &trials, "certificate_revoked");
}
END_TEST

/* handshake_failure after a request that got no certificate means that. */
START_TEST(test_cause_without_certificate)
{
	struct talk talk = alerted_after_certificate(40);

	talk.flight.events[1].empty = true;
	expect(&talk, NULL, NULL, "no_certificate");
	talk.flight.n = 0;
	expect(&talk, NULL, NULL, "suite");
}
END_TEST

/* Our refusal of the server's certificate, and whose clock is wrong. */
START_TEST(test_cause_of_refusal_here)
{
	struct talk talk = alerted(45);
	struct trials trials = {.other_alert = -1, .clock_known = true,
				.clock_off_s = 86400};

	talk.end = TALK_DECLINED;
	talk.verify_error = X509_V_ERR_CERT_HAS_EXPIRED;
	expect(&talk, NULL, NULL, "server_certificate_expired");
	expect(&talk, NULL, &trials, "own_clock");
	trials.clock_off_s = 300;
	expect(&talk, NULL, &trials, "server_certificate_expired");
	trials.clock_off_s = -301;
	talk.verify_error = X509_V_ERR_CERT_NOT_YET_VALID;
	expect(&talk, NULL, &trials, "own_clock");
	talk.alert = 42;
	talk.verify_error = X509_V_ERR_HOSTNAME_MISMATCH;
	expect(&talk, NULL, &trials, "server_name");
	talk.alert = 48;
	talk.verify_error = X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
	expect(&talk, NULL, NULL, "untrusted_server");
	talk.alert = 50;
	expect(&talk, NULL, NULL, "middlebox_altered");
}
END_TEST

START_TEST(test_cause_of_nothing)
{
	struct talk talk = {.end = TALK_GOOD};
	struct causes causes = {.n = 1};
	struct trials trials = {.other_alert = -1};

	explain(&causes, &talk, &good_own, &trials);
	ck_assert_uint_eq(causes.n, 0);
	ck_assert_ptr_null(cause_of("nothing"));
}
END_TEST

/* ---- the command ------------------------------------------------------------ */

static struct handshake_plan plan_for(const struct address *address)
{
	return (struct handshake_plan){
		.offer = {.versions = {true, true}, .timeout_s = 10},
		.address = *address,
		.trials = true,
	};
}

/* Runs it, prints both reports, and finds no control character in them. */
static struct handshake_result run(const struct handshake_plan *plan)
{
	struct handshake_result result;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(out);
	ck_assert_int_eq(handshake_run(plan, &result, stderr), 0);
	handshake_print(plan, &result, out);
	handshake_print_json(plan, &result, out);
	fclose(out);
	for (size_t i = 0; i < len; i++)
		ck_assert(text[i] == '\n' || isprint((unsigned char)text[i]));
	free(text);
	return result;
}

static void expect_cause(const struct handshake_plan *plan, const char *name,
			 int verdict)
{
	struct handshake_result result = run(plan);

	ck_assert_uint_gt(result.causes.n, 0);
	ck_assert_str_eq(result.causes.list[0]->name, name);
	ck_assert_int_eq(handshake_verdict(&result, false), verdict);
	handshake_clear(&result);
}

/* Both versions: explained, resumed, and what was kept is what came. */
START_TEST(test_run_resumes)
{
	struct handshake_plan plan =
		plan_for(&start("n1", 0, GOOD)->address);

	for (int v = 0; v < TLS_VERSIONS; v++) {
		struct handshake_result result;

		plan.offer.versions[TLS_V12] = v == TLS_V12;
		plan.offer.versions[TLS_V13] = v == TLS_V13;
		result = run(&plan);
		ck_assert_int_eq(result.first.end, TALK_GOOD);
		ck_assert(result.first.accepted && !result.first.resumed);
		ck_assert_str_eq(result.first.version,
				 tls_version_name((enum tls_version)v));
		ck_assert_uint_eq(result.first.n_certs, 1);
		ck_assert_str_eq(result.first.certs[0].subject, "CN=test");
		ck_assert_str_eq(result.first.page.node, "n1");
		ck_assert(result.first.name_matches);
		ck_assert_uint_ge(result.first.flight.n_tickets, 1);
		ck_assert(result.first.flight.tickets[0].named);
		ck_assert_int_eq(result.first.flight.tickets[0].name[0], 'a');
		ck_assert(result.twice && result.second.resumed);
		ck_assert_uint_eq(result.causes.n, 0);
		ck_assert_int_eq(handshake_verdict(&result, true), 0);
		handshake_clear(&result);
	}
}
END_TEST

/* Without tickets it is good, but not what --expect wants. */
START_TEST(test_run_without_tickets)
{
	struct handshake_plan plan =
		plan_for(&start("n1", 0, NO_TICKETS)->address);
	struct handshake_result result = run(&plan);

	ck_assert(!result.twice);
	ck_assert_int_eq(handshake_verdict(&result, false), 0);
	ck_assert_int_eq(handshake_verdict(&result, true), 1);
	handshake_clear(&result);
}
END_TEST

/* True if the client has sent anything but its handshake. */
static bool sent_data(const struct flight *flight)
{
	for (size_t i = 0; i < flight->n; i++) {
		if (flight->events[i].content == RECORD_DATA &&
		    !flight->events[i].by_server)
			return true;
	}
	return false;
}

/*
 * In TLS 1.3 the client is done when the server has yet to refuse, and a request
 * sent by then could cost it the alert.
 */
START_TEST(test_run_reads_before_it_judges)
{
	struct server *server = start("n1", 0, GOOD);
	struct handshake_plan plan = plan_for(&server->address);
	struct handshake_result result;

	SSL_CTX_set_verify(server->ctx, SSL_VERIFY_PEER |
			   SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	result = run(&plan);
	ck_assert_str_eq(result.first.version, "TLSv1.3");
	ck_assert_int_gt(result.first.handshake_us, 0);
	ck_assert_int_eq(result.first.end, TALK_ALERTED);
	ck_assert_int_eq(result.first.alert, ALERT_CERTIFICATE_REQUIRED);
	ck_assert_int_eq(result.first.alert_keys, KEYS_APPLICATION);
	ck_assert(!result.first.accepted);
	ck_assert(!sent_data(&result.first.flight));
	ck_assert_str_eq(result.causes.list[0]->name, "no_certificate");
	handshake_clear(&result);
	plan.offer.versions[TLS_V13] = false;
	expect_cause(&plan, "no_certificate", 1);
}
END_TEST

/* A server that ends it before any sign of its own has not gone along. */
START_TEST(test_run_closed_after_the_handshake)
{
	struct server *server = start("n1", 0, MUTE);
	struct handshake_plan plan = plan_for(&server->address);
	struct handshake_result result;

	SSL_CTX_set_num_tickets(server->ctx, 0);
	expect_cause(&plan, "middlebox_cut", 1);
	/* In TLS 1.2 the server's Finished is that sign. */
	plan.offer.versions[TLS_V13] = false;
	SSL_CTX_set_options(server->ctx, SSL_OP_NO_TICKET);
	result = run(&plan);
	ck_assert(result.first.accepted);
	ck_assert_int_eq(handshake_verdict(&result, false), 0);
	handshake_clear(&result);
}
END_TEST

/* What is restricted and does not fit is found by trials. */
START_TEST(test_run_finds_what_does_not_fit)
{
	struct server *server = start("n1", 0, GOOD);
	struct handshake_plan plan = plan_for(&server->address), one;

	SSL_CTX_set1_groups_list(server->ctx, "P-256");
	SSL_CTX_set_ciphersuites(server->ctx, "TLS_AES_128_GCM_SHA256");
	plan.offer.versions[TLS_V12] = false;
	one = plan;
	one.offer.tls.groups = "P-521";
	expect_cause(&one, "group", 1);
	one = plan;
	one.offer.suites = "TLS_AES_256_GCM_SHA384";
	expect_cause(&one, "suite", 1);
	one = plan;
	one.offer.schemes = "RSA-PSS+SHA256";
	expect_cause(&one, "signature_scheme", 1);
	/* Without them all that can be said is what it may be. */
	one.trials = false;
	expect_cause(&one, "suite", 1);
}
END_TEST

START_TEST(test_run_versions)
{
	struct handshake_plan plan =
		plan_for(&start("n1", 0, TLS12_ONLY)->address);

	plan.offer.versions[TLS_V12] = false;
	expect_cause(&plan, "version", 1);
}
END_TEST

static char *certificate_file(void)
{
	char *path = strdup("/tmp/check-probe-XXXXXX");
	FILE *file = fdopen(mkstemp(path), "w");

	ck_assert_int_eq(PEM_write_X509(file, certificate), 1);
	fclose(file);
	return path;
}

/* With --ca the client refuses, and says so with an alert of its own. */
START_TEST(test_run_verifies)
{
	struct handshake_plan plan =
		plan_for(&start("n1", 0, GOOD)->address);
	struct handshake_result result;
	char *path = certificate_file();

	plan.offer.tls.ca = path;
	result = run(&plan);
	ck_assert_int_eq(handshake_verdict(&result, true), 0);
	handshake_clear(&result);
	plan.offer.tls.sni = "other.example.test";
	result = run(&plan);
	ck_assert_int_eq(result.first.end, TALK_DECLINED);
	ck_assert_uint_eq(result.first.n_certs, 1);
	ck_assert_str_eq(result.causes.list[0]->name, "server_name");
	handshake_clear(&result);
	X509_gmtime_adj(X509_getm_notAfter(certificate), -30);
	X509_sign(certificate, key, EVP_sha256());
	unlink(path);
	free(path);
	path = certificate_file();
	plan = plan_for(&start("n2", 0, GOOD)->address);
	plan.offer.tls.ca = path;
	expect_cause(&plan, "server_certificate_expired", 1);
	/* If it is another year for the server, it may be right. */
	plan.address = start("n3", 0, LATE)->address;
	expect_cause(&plan, "own_clock", 1);
	unlink(path);
	free(path);
}
END_TEST

START_TEST(test_run_closed_at_once)
{
	struct handshake_plan plan =
		plan_for(&start("n1", 0, HANGS_UP)->address);

	expect_cause(&plan, "silent_close", 1);
}
END_TEST

START_TEST(test_run_without_server)
{
	struct address address = dead_address();
	struct handshake_plan plan = plan_for(&address);

	expect_cause(&plan, "connect_refused", 3);
	plan.address.len = 0;
	expect_cause(&plan, "dns", 3);
}
END_TEST

/* A SYN that nobody answers: the queue of a server that accepts none is full. */
START_TEST(test_run_without_answer_to_syn)
{
	enum { FILL = 8 };
	struct address address;
	struct handshake_plan plan;
	int fd = listen_somewhere(&address), fill[FILL];

	ck_assert_int_eq(listen(fd, 0), 0);
	for (int i = 0; i < FILL; i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(fill[i], (struct sockaddr *)&address.addr,
			       address.len);
	}
	plan = plan_for(&address);
	plan.offer.timeout_s = 1;
	expect_cause(&plan, "filtered", 3);
	for (int i = 0; i < FILL; i++)
		close(fill[i]);
	close(fd);
}
END_TEST

/* A server without TLS that says `words` to whoever comes. */
struct talker {
	bool closes;	/* the first time, on what it does not know */
	int fd;
	const char *words;
	pthread_t thread;
	struct address address;
};

static void *talk_plainly(void *arg)
{
	struct talker *talker = arg;
	int fd = accept(talker->fd, NULL, NULL);
	char spill[4096];

	if (talker->closes) {
		recv(fd, spill, sizeof(spill), 0);
		close(fd);
		fd = accept(talker->fd, NULL, NULL);
	}
	if (talker->words)
		send(fd, talker->words, strlen(talker->words), MSG_NOSIGNAL);
	while (recv(fd, spill, sizeof(spill), 0) > 0)
		;
	close(fd);
	return NULL;
}

static void expect_of_words(const char *words, const char *cause)
{
	struct talker talker = {.words = words};
	struct handshake_plan plan;

	talker.fd = listen_somewhere(&talker.address);
	pthread_create(&talker.thread, NULL, talk_plainly, &talker);
	plan = plan_for(&talker.address);
	plan.offer.timeout_s = words ? 10 : 1;
	expect_cause(&plan, cause, 1);
	pthread_join(talker.thread, NULL);
	close(talker.fd);
}

/* An HTTP server that only closes on a ClientHello is asked in its own words. */
START_TEST(test_run_with_silent_http)
{
	static const char *const words[] = {
		"HTTP/1.0 200 OK\r\n\r\n", "HTTP/1.0 400 No TLS\r\n\r\n"};

	for (int i = 0; i < 2; i++) {
		struct talker talker = {.words = words[i], .closes = true};
		struct handshake_plan plan;

		talker.fd = listen_somewhere(&talker.address);
		pthread_create(&talker.thread, NULL, talk_plainly, &talker);
		plan = plan_for(&talker.address);
		plan.offer.timeout_s = 1;
		expect_cause(&plan, i == 0 ? "plain_http" : "silent_close", 1);
		pthread_join(talker.thread, NULL);
		close(talker.fd);
	}
}
END_TEST

/* Whatever it is that is not TLS, it is named and cannot move the cursor. */
START_TEST(test_run_without_tls)
{
	expect_of_words("HTTP/1.1 400 Bad\033[2J Request\r\n\r\n", "plain_http");
	expect_of_words("220 mail\a.example.test ESMTP\r\n", "starttls");
	expect_of_words("* OK IMAP ready\r\n", "starttls");
	expect_of_words("SSH-2.0-x\r\n", "not_tls");
	expect_of_words("\033]0;owned\a", "not_tls");
	expect_of_words(NULL, "no_answer");
}
END_TEST

/* ---- options ---------------------------------------------------------------- */

static int parse(struct options *options, const char *line)
{
	static char text[512];
	char *argv[32] = {NULL}, *save = NULL;
	FILE *quiet = fopen("/dev/null", "w");
	int argc = 0, result;

	snprintf(text, sizeof(text), "stekprobe %s", line);
	for (char *word = strtok_r(text, " ", &save); word && argc < 31;
	     word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	result = options_parse(options, argc, argv, quiet);
	fclose(quiet);
	return result;
}

START_TEST(test_options)
{
	static const char *const wrong[] = {
		"handshake", "handshake a", "handshake a:1 b:2",
		"handshake a:1 --tries 3", "handshake a:1 --concurrency 2",
		"handshake a:1 --cert x", "handshake a:1 --key x",
		"handshake a:1 --csv", "handshake a:1 --timeout 0",
		"farm a:1 --suites x", "load --connect a:1 --cert x",
	};
	struct options options;

	ck_assert_int_eq(parse(&options, "handshake a:1 --tls 1.3 --sni b "
			       "--suites s --schemes t --alpn u --cert v "
			       "--key w --timeout 3 --no-trials --json"), 0);
	ck_assert_int_eq(options.command, COMMAND_HANDSHAKE);
	ck_assert(!options.offer.versions[TLS_V12] && options.no_trials);
	ck_assert_uint_eq(options.offer.timeout_s, 3);
	ck_assert_str_eq(options.offer.tls.sni, "b");
	options_clear(&options);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		ck_assert_msg(parse(&options, wrong[i]) == -1, "%s", wrong[i]);
		options_clear(&options);
	}
}
END_TEST

/* An offer that OpenSSL cannot make is refused before any connection. */
START_TEST(test_offer_that_cannot_be_made)
{
	struct address address = dead_address();
	struct handshake_plan plan = plan_for(&address), one;
	struct handshake_result result;
	FILE *quiet = fopen("/dev/null", "w");

	one = plan;
	one.offer.suites = "NOTHING";
	ck_assert_int_eq(handshake_run(&one, &result, quiet), -1);
	one = plan;
	one.offer.schemes = "NOTHING";
	ck_assert_int_eq(handshake_run(&one, &result, quiet), -1);
	one = plan;
	one.offer.alpn = "h2,,x";
	ck_assert_int_eq(handshake_run(&one, &result, quiet), -1);
	one = plan;
	one.offer.cert = one.offer.key = "/nonexistent";
	ck_assert_int_eq(handshake_run(&one, &result, quiet), -1);
	one = plan;
	one.offer.tls.ca = "/nonexistent";
	ck_assert_int_eq(handshake_run(&one, &result, quiet), -1);
	fclose(quiet);
}
END_TEST

static TCase *add(Suite *suite, const char *name, const TTest *const *tests)
{
	TCase *tcase = tcase_create(name);

	for (; *tests; tests++)
		tcase_add_test(tcase, *tests);
	suite_add_tcase(suite, tcase);
	return tcase;
}

int main(void)
{
	Suite *suite = suite_create("probe_handshake");
	SRunner *runner;
	TCase *tcase;
	int failed;

	add(suite, "text", (const TTest *const[]){
		test_clean_text, test_alert_names, NULL});
	add(suite, "ticket", (const TTest *const[]){
		test_ticket_of_tls13, test_ticket_of_tls12,
		test_ticket_of_wrong_length, NULL});
	add(suite, "flight", (const TTest *const[]){
		test_flights_of_tls13, test_flights_of_tls12,
		test_flights_are_bounded, NULL});
	add(suite, "cause", (const TTest *const[]){
		test_cause_by_alert, test_cause_by_trial,
		test_cause_of_decrypt_error, test_cause_by_own_certificate,
		test_cause_by_other_version, test_cause_without_certificate,
		test_cause_of_refusal_here, test_cause_of_nothing, NULL});
	tcase = add(suite, "run", (const TTest *const[]){
		test_run_resumes, test_run_without_tickets,
		test_run_reads_before_it_judges,
		test_run_closed_after_the_handshake,
		test_run_finds_what_does_not_fit, test_run_versions,
		test_run_verifies, test_run_closed_at_once,
		test_run_without_server, test_run_without_tls,
		test_run_with_silent_http, test_run_without_answer_to_syn,
		test_offer_that_cannot_be_made, NULL});
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 120);
	add(suite, "options", (const TTest *const[]){test_options, NULL});
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

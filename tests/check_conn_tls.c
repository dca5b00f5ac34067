// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_conn_tls.c - a worker's handshakes as clients see them: what resumes,
 * what does not, and the alert of each refusal. OpenSSL is the judge.
 */
#include <openssl/err.h>
#include <stdlib.h>
#include <unistd.h>

#include "conn_client.h"

/* A ticket resumes, in both versions, and the page and the counters say so. */
START_TEST(test_a_ticket_resumes)
{
	int version = version_of[_i];
	SSL_SESSION *session;
	struct client *client;
	struct counters counters;
	const char *body;

	loopback_start(loopback);
	session = full_handshake(version);
	client = open_client("www.example.com", version);
	client_offer(client, session);
	shake(client);
	body = client_ask(client);
	ck_assert(says(body, "\"outcome\":\"resumed_active\""));
	ck_assert(says(body, "\"issuer\":\"node-1\""));
	ck_assert(says(body, "\"handshakes\":2"));
	ck_assert_int_eq(SSL_session_reused(client->ssl), 1);
	/* In TLS 1.3 a resumption tops up; in 1.2 the ticket is kept. */
	ck_assert_uint_eq(client->tickets, _i ? 2 : 0);
	counters = loopback_counters(loopback);
	ck_assert_uint_eq(counters.handshakes[_i][STEK_RESUMED_ACTIVE], 1);
	ck_assert_uint_eq(counters.handshakes[_i][STEK_NONE_OFFERED], 1);
	ck_assert_uint_eq(counters.tickets_issued[_i], _i ? 4 : 1);
	client_free(client);
	SSL_SESSION_free(session);
}
END_TEST

/* A ticket of one host group is no ticket at another. */
START_TEST(test_another_host_does_not_resume)
{
	SSL_SESSION *session;
	struct client *client;
	struct counters counters;

	loopback->hosts[1].backend = BACKEND_BUILTIN;
	loopback_start(loopback);
	session = full_handshake(version_of[_i]);
	client = open_client("relay.example.com", version_of[_i]);
	client_offer(client, session);
	SSL_set_tlsext_host_name(client->ssl, "relay.example.com");
	shake(client);
	ck_assert(says(client_ask(client), "\"resumed\":false"));
	counters = loopback_counters(loopback);
	ck_assert_uint_eq(counters.handshakes[_i][STEK_REFUSED_POLICY], 1);
	client_free(client);
	SSL_SESSION_free(session);
}
END_TEST

/* The request may come in one segment with the Finished. */
START_TEST(test_request_with_the_finished)
{
	struct client *client;
	int alert;

	loopback_start(loopback);
	client = open_client("www.example.com", TLS1_3_VERSION);
	ck_assert(client_handshake(client, true, &alert));
	ck_assert(says(client_ask(client), "\"node\":\"node-1\""));
	client_free(client);
}
END_TEST

struct refusal {
	const char *name, *groups, *ciphers, *suites, *schemes;
	bool alpn;
	int version, alert;
	enum failure failure;
};

/* Each ends with its own alert, which arrives though more bytes follow. */
START_TEST(test_refusals_say_why)
{
	static const struct refusal refusals[] = {
		{ .name = "nope.example.com", .alert = 112,
		  .failure = FAIL_UNKNOWN_HOST },
		{ .name = NULL, .alert = 112, .failure = FAIL_UNKNOWN_HOST },
		{ .name = "www.example.com", .alpn = true, .alert = 120,
		  .version = TLS1_2_VERSION, .failure = FAIL_ALPN },
		{ .name = "www.example.com", .alpn = true, .alert = 120,
		  .version = TLS1_3_VERSION, .failure = FAIL_ALPN },
		{ .name = "www.example.com", .groups = "P-521", .alert = 40,
		  .version = TLS1_3_VERSION, .failure = FAIL_GROUP },
		{ .name = "www.example.com", .groups = "P-521", .alert = 40,
		  .version = TLS1_2_VERSION, .failure = FAIL_GROUP },
		{ .name = "www.example.com", .ciphers = "AES128-SHA",
		  .version = TLS1_2_VERSION, .alert = 40,
		  .failure = FAIL_SUITE },
		{ .name = "www.example.com", .version = TLS1_3_VERSION,
		  .suites = "TLS_AES_128_CCM_SHA256", .alert = 40,
		  .failure = FAIL_SUITE },
		{ .name = "www.example.com", .version = TLS1_3_VERSION,
		  .schemes = "RSA-PSS+SHA256", .alert = 40,
		  .failure = FAIL_SIGNATURE_SCHEME },
		{ .name = "www.example.com", .version = TLS1_2_VERSION,
		  .schemes = "RSA-PSS+SHA256:RSA+SHA256", .alert = 40,
		  .failure = FAIL_SIGNATURE_SCHEME },
	};
	const struct refusal *refusal = &refusals[_i];
	static char noise[4096];
	struct client *client;
	struct counters counters;
	int alert;

	loopback_start(loopback);
	client = open_client(refusal->name, refusal->version);
	if (refusal->alpn)
		SSL_set_alpn_protos(client->ssl, (const uint8_t *)"\003foo",
				    4);
	if (refusal->groups)
		SSL_set1_groups_list(client->ssl, refusal->groups);
	if (refusal->ciphers)
		SSL_set_cipher_list(client->ssl, refusal->ciphers);
	if (refusal->schemes)
		SSL_set1_sigalgs_list(client->ssl, refusal->schemes);
	if (refusal->suites)
		SSL_set_ciphersuites(client->ssl, refusal->suites);
	ck_assert_int_ne(SSL_do_handshake(client->ssl), 1);
	client_send(client);
	(void)send(client->fd, noise, sizeof(noise), MSG_NOSIGNAL);
	ck_assert(!client_handshake(client, false, &alert));
	ck_assert_int_eq(alert, refusal->alert);
	while (!client->eof)
		client_recv(client);
	counters = loopback_counters(loopback);
	ck_assert_uint_eq(counters.failures[refusal->failure], 1);
	ck_assert_uint_eq(counters.alerts_sent[alerts_slot(alert)], 1);
	ck_assert_uint_eq(alerts_in(counters.alerts_sent), 1);
	ck_assert_uint_eq(alerts_in(counters.alerts_received), 0);
	client_free(client);
}
END_TEST

/* A version that the settings exclude is refused with protocol_version. */
START_TEST(test_an_excluded_version_is_refused)
{
	struct client *client;
	int alert;

	loopback->settings.tls12 = _i == 0;
	loopback->settings.tls13 = _i == 1;
	loopback_start(loopback);
	client = open_client("www.example.com", version_of[!_i]);
	ck_assert(!client_handshake(client, false, &alert));
	ck_assert_int_eq(alert, 70);
	client_free(client);
	client = open_client("www.example.com", 0);
	shake(client);
	ck_assert_int_eq(SSL_version(client->ssl), version_of[_i]);
	client_free(client);
}
END_TEST

/* Needless fallback: RFC 7507. */
START_TEST(test_fallback_is_refused)
{
	struct client *client;
	int alert;

	loopback_start(loopback);
	client = open_client("www.example.com", TLS1_2_VERSION);
	SSL_set_mode(client->ssl, SSL_MODE_SEND_FALLBACK_SCSV);
	ck_assert(!client_handshake(client, false, &alert));
	ck_assert_int_eq(alert, 86);
	client_free(client);
}
END_TEST

/* Without a key that may seal, handshakes go on and no ticket is given. */
START_TEST(test_without_a_key_no_ticket_is_given)
{
	struct stek_key *retired = memnode_key(1, -7 * MEMNODE_HOUR_MS);
	struct client *client;
	struct counters counters;

	memnode_install(loopback->farm, memnode_ring(&retired, 1));
	loopback_start(loopback);
	client = open_client("www.example.com", version_of[_i]);
	shake(client);
	ck_assert(says(client_ask(client), "\"outcome\":\"none_offered\""));
	ck_assert_uint_eq(client->tickets, 0);
	counters = loopback_counters(loopback);
	ck_assert_uint_eq(counters.tickets_blank, 0);
	client_free(client);
}
END_TEST

/*
 * Then a ticket of before still opens. In TLS 1.3 no other is given for it; in
 * 1.2 none is due.
 */
START_TEST(test_without_a_key_old_tickets_open)
{
	struct stek_key *retired = memnode_key(2, -7 * MEMNODE_HOUR_MS);
	struct client *client;
	struct counters counters;
	SSL_SESSION *session;

	loopback_start(loopback);
	session = full_handshake(version_of[_i]);
	memnode_install(loopback->farm, memnode_ring(&retired, 1));
	client = open_client("www.example.com", version_of[_i]);
	client_offer(client, session);
	shake(client);
	ck_assert(says(client_ask(client), "\"outcome\":\"resumed_retired\""));
	ck_assert_uint_eq(client->tickets, 0);
	counters = loopback_counters(loopback);
	ck_assert_uint_eq(counters.tickets_blank, 0);
	client_free(client);
	SSL_SESSION_free(session);
}
END_TEST

/* A TLS 1.2 hello without extended_master_secret gets no ticket. */
START_TEST(test_no_ticket_without_ems)
{
	struct client *client;

	loopback_start(loopback);
	client = open_client("www.example.com", TLS1_2_VERSION);
	SSL_set_options(client->ssl, SSL_OP_NO_EXTENDED_MASTER_SECRET);
	shake(client);
	(void)client_ask(client);
	ck_assert_uint_eq(client->tickets, 0);
	client_free(client);
}
END_TEST

/* A retried handshake resumes too. */
START_TEST(test_a_retried_hello_resumes)
{
	SSL_SESSION *session;
	struct client *client;

	loopback_start(loopback);
	session = full_handshake(TLS1_3_VERSION);
	client = open_client("www.example.com", TLS1_3_VERSION);
	SSL_set1_groups_list(client->ssl, "P-521:P-384");
	client_offer(client, session);
	shake(client);
	ck_assert(says(client_ask(client), "\"resumed\":true"));
	client_free(client);
	SSL_SESSION_free(session);
}
END_TEST

static int know_name(SSL *ssl, int *alert, void *user)
{
	(void)ssl;
	(void)alert;
	(void)user;
	return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *foreign_server(const char *suite)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	ck_assert(SSL_CTX_use_certificate_file(ctx, loopback->cert,
					       SSL_FILETYPE_PEM) == 1);
	ck_assert(SSL_CTX_use_PrivateKey_file(ctx, loopback->key,
					      SSL_FILETYPE_PEM) == 1);
	SSL_CTX_set_ciphersuites(ctx, suite);
	SSL_CTX_set_max_early_data(ctx, 16384);
	/* A client tries early data only under the name that was taken. */
	SSL_CTX_set_tlsext_servername_callback(ctx, know_name);
	return ctx;
}

/* A session of another server that allows early data. */
static SSL_SESSION *foreign_session(const char *suite)
{
	SSL_CTX *ctx = foreign_server(suite);
	SSL *server = SSL_new(ctx);
	struct client *client = client_new(-1, "www.example.com",
					   TLS1_3_VERSION);
	SSL_SESSION *session;
	BIO *in = SSL_get_rbio(client->ssl), *out = SSL_get_wbio(client->ssl);
	char byte;
	int i;

	BIO_up_ref(in);
	BIO_up_ref(out);
	SSL_set_bio(server, out, in);
	SSL_set_accept_state(server);
	for (i = 0; i < 4; i++) {
		(void)SSL_do_handshake(client->ssl);
		(void)SSL_do_handshake(server);
	}
	(void)SSL_read(client->ssl, &byte, 1);
	session = client->session;
	ck_assert_ptr_nonnull(session);
	client->session = NULL;
	SSL_free(server);
	SSL_CTX_free(ctx);
	client_free(client);
	return session;
}

/*
 * Early data is neither taken nor fatal: after another server's ticket that
 * allowed it, with that ticket's hash our first choice or not.
 */
START_TEST(test_foreign_ticket_with_early_data_is_a_full_handshake)
{
	static const char *const suites[] = {
		"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
	};
	static char early[12000];
	struct client *client;
	SSL_SESSION *session;
	size_t n;
	const char *body;

	loopback_start(loopback);
	session = foreign_session(suites[_i]);
	client = open_client("www.example.com", TLS1_3_VERSION);
	client_offer(client, session);
	ck_assert(SSL_write_early_data(client->ssl, early, sizeof(early), &n));
	shake(client);
	ck_assert_int_eq(SSL_get_early_data_status(client->ssl),
			 SSL_EARLY_DATA_REJECTED);
	body = client_ask(client);
	ck_assert(says(body, "\"outcome\":\"refused_format\""));
	client_free(client);
	SSL_SESSION_free(session);
}
END_TEST

/*
 * Whatever groups the client has, and for whichever of them it sends a share:
 * also when every group of ours has one, or only one is shared at all.
 */
START_TEST(test_early_data_with_any_shares)
{
	static const char *const groups[] = {
		"P-384", "P-256", "X25519", "P-384:P-256", "P-256:P-384",
		"X25519:P-521", "P-521:P-256",
	};
	struct client *client;
	SSL_SESSION *session;
	size_t n;

	loopback_start(loopback);
	session = foreign_session("TLS_AES_256_GCM_SHA384");
	client = open_client("www.example.com", TLS1_3_VERSION);
	ck_assert(SSL_set1_groups_list(client->ssl, groups[_i]));
	client_offer(client, session);
	ck_assert(SSL_write_early_data(client->ssl, "early", 5, &n));
	shake(client);
	ck_assert_int_eq(SSL_get_early_data_status(client->ssl),
			 SSL_EARLY_DATA_REJECTED);
	ck_assert(says(client_ask(client), "\"resumed\":false"));
	client_free(client);
	SSL_SESSION_free(session);
}
END_TEST

/* RFC 7627 s5.3: a session that had the extension is not resumed without it. */
START_TEST(test_a_session_with_ems_needs_it_again)
{
	SSL_SESSION *session, *lost;
	struct client *client;
	struct counters counters;
	int alert;

	loopback_start(loopback);
	session = full_handshake(TLS1_2_VERSION);
	/* OpenSSL never offers one again after a fatal alert. */
	lost = SSL_SESSION_dup(session);
	client = open_client("www.example.com", TLS1_2_VERSION);
	SSL_set_options(client->ssl, SSL_OP_NO_EXTENDED_MASTER_SECRET);
	client_offer(client, lost);
	SSL_SESSION_free(lost);
	ck_assert(!client_handshake(client, false, &alert));
	ck_assert_int_eq(alert, SSL_AD_HANDSHAKE_FAILURE);
	counters = loopback_counters(loopback);
	ck_assert_uint_eq(counters.failures[FAIL_MASTER_SECRET], 1);
	client_free(client);
	client = open_client("www.example.com", TLS1_2_VERSION);
	client_offer(client, session);
	shake(client);
	ck_assert_int_eq(SSL_session_reused(client->ssl), 1);
	ck_assert_int_eq(SSL_get_extms_support(client->ssl), 1);
	client_free(client);
	SSL_SESSION_free(session);
}
END_TEST

/* A ticket of a key that is gone proves nothing: full, and no other is given. */
START_TEST(test_an_unknown_ticket_without_ems_is_no_ticket)
{
	struct stek_key *other = memnode_key(9, -MEMNODE_HOUR_MS);
	SSL_SESSION *session;
	struct client *client;

	loopback_start(loopback);
	session = full_handshake(TLS1_2_VERSION);
	memnode_install(loopback->farm, memnode_ring(&other, 1));
	client = open_client("www.example.com", TLS1_2_VERSION);
	SSL_set_options(client->ssl, SSL_OP_NO_EXTENDED_MASTER_SECRET);
	client_offer(client, session);
	shake(client);
	ck_assert(says(client_ask(client), "\"resumed\":false"));
	ck_assert_uint_eq(client->tickets, 0);
	client_free(client);
	SSL_SESSION_free(session);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conn_tls");
	TCase *tcase = tcase_create("conn_tls");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, test_a_ticket_resumes, 0, 2);
	tcase_add_loop_test(tcase, test_another_host_does_not_resume, 0, 2);
	tcase_add_test(tcase, test_request_with_the_finished);
	tcase_add_loop_test(tcase, test_refusals_say_why, 0, 10);
	tcase_add_loop_test(tcase, test_an_excluded_version_is_refused, 0, 2);
	tcase_add_test(tcase, test_fallback_is_refused);
	tcase_add_loop_test(tcase, test_without_a_key_no_ticket_is_given, 0, 2);
	tcase_add_loop_test(tcase, test_without_a_key_old_tickets_open, 0, 2);
	tcase_add_test(tcase, test_no_ticket_without_ems);
	tcase_add_test(tcase, test_a_retried_hello_resumes);
	tcase_add_loop_test(tcase,
		test_foreign_ticket_with_early_data_is_a_full_handshake, 0, 2);
	tcase_add_loop_test(tcase, test_early_data_with_any_shares, 0, 7);
	tcase_add_test(tcase, test_a_session_with_ems_needs_it_again);
	tcase_add_test(tcase, test_an_unknown_ticket_without_ems_is_no_ticket);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_conn_tickets.c - how many tickets a connection of TLS 1.3 gets, as the
 * host and the client ask (RFC 9149), and that none is ever like another. The
 * rest of a ticket's rules is proved in check_wolfssl.c.
 */
#include <netinet/in.h>
#include <stdlib.h>

#include "conn_client.h"
#include "offer.h"

#define TICKET_REQUEST 58
#define NONE (-1)

static uint8_t wanted[2];

static int add_request(SSL *ssl, unsigned int type, unsigned int context,
		       const unsigned char **out, size_t *len, X509 *x,
		       size_t chain, int *alert, void *user)
{
	(void)ssl;
	(void)type;
	(void)context;
	(void)x;
	(void)chain;
	(void)alert;
	(void)user;
	*out = wanted;
	*len = sizeof(wanted);
	return 1;
}

/* Asks for so many at a full handshake, and at a resumption. */
static struct client *asking_client(int at_full, int at_resumption)
{
	struct client *client = open_client("www.example.com",
					    TLS1_3_VERSION);

	if (at_full == NONE)
		return client;
	wanted[0] = (uint8_t)at_full;
	wanted[1] = (uint8_t)at_resumption;
	ck_assert(SSL_CTX_add_custom_ext(client->ctx, TICKET_REQUEST,
					 SSL_EXT_CLIENT_HELLO |
					 SSL_EXT_TLS1_3_ONLY, add_request,
					 NULL, NULL, NULL, NULL));
	/* A connection takes the context's extensions when it is made. */
	SSL_free(client->ssl);
	client->ssl = SSL_new(client->ctx);
	SSL_set_app_data(client->ssl, client);
	SSL_set_bio(client->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(client->ssl);
	SSL_set_tlsext_host_name(client->ssl, "www.example.com");
	return client;
}

static const struct {
	unsigned host;
	int at_full, at_resumption;
	unsigned full, resumed;
} requests[] = {
	{ 2, NONE, NONE, 2, 2 },
	{ 1, NONE, NONE, 1, 1 },
	{ 4, NONE, NONE, 4, 4 },
	{ 2, 1, 1, 1, 1 },
	{ 2, 4, 3, 4, 3 },
	{ 1, 3, 4, 3, 4 },
	{ 2, 1, 0, 1, 0 },
	{ 2, 0, 0, 0, 0 },
	{ 2, 255, 255, 4, 4 },
	{ 0, NONE, NONE, 0, 0 },
	{ 0, 255, 255, 0, 0 },
};

static struct client *ask(const char *fact, int at_full, int at_resumption,
			  SSL_SESSION *session)
{
	struct client *client = asking_client(at_full, at_resumption);

	if (session)
		client_offer(client, session);
	shake(client);
	ck_assert(says(client_ask(client), fact));
	return client;
}

/* The host's number, or the client's wish up to four (REQ-5). */
START_TEST(test_how_many)
{
	struct client *client, *second;
	SSL_SESSION *session;

	loopback->hosts[0].tickets = requests[_i].host;
	loopback_start(loopback);
	client = ask("\"resumed\":false", requests[_i].at_full,
		     requests[_i].at_resumption, NULL);
	ck_assert_uint_eq(client->tickets, requests[_i].full);
	session = client->session;
	if (session) {
		second = ask("\"resumed\":true", requests[_i].at_full,
			     requests[_i].at_resumption, session);
		ck_assert_uint_eq(second->tickets, requests[_i].resumed);
		client_free(second);
	}
	client_free(client);
}
END_TEST

/* The wish of a retried hello is the same, and counts once. */
START_TEST(test_a_retried_request)
{
	struct client *client;

	loopback_start(loopback);
	client = asking_client(3, 1);
	/* The server has no P-521, so it asks for another share. */
	ck_assert(SSL_set1_groups_list(client->ssl, "P-521:P-256"));
	shake(client);
	ck_assert(says(client_ask(client), "\"resumed\":false"));
	ck_assert_uint_eq(client->tickets, 3);
	client_free(client);
}
END_TEST

/*
 * REQ-4: a client that would do without a key exchange (psk_ke beside
 * psk_dhe_ke) resumes with one all the same.
 */
START_TEST(test_a_resumption_exchanges_keys)
{
	struct client *first, *client;
	EVP_PKEY *share = NULL;

	loopback_start(loopback);
	first = ask("\"resumed\":false", NONE, NONE, NULL);
	client = open_client("www.example.com", TLS1_3_VERSION);
	SSL_set_options(client->ssl, SSL_OP_ALLOW_NO_DHE_KEX);
	client_offer(client, first->session);
	shake(client);
	ck_assert(SSL_get_peer_tmp_key(client->ssl, &share));
	EVP_PKEY_free(share);
	ck_assert(says(client_ask(client), "\"resumed\":true"));
	client_free(client);
	client_free(first);
}
END_TEST

/*
 * One that offers psk_ke alone, with an honest binder, gets a full handshake;
 * the same hello with psk_dhe_ke resumes.
 */
START_TEST(test_psk_ke_alone_does_not_resume)
{
	struct settings_address address;
	struct offer what = { .name = "www.example.com" };
	struct client *first;
	unsigned selected;

	loopback_start(loopback);
	first = ask("\"resumed\":false", NONE, NONE, NULL);
	ck_assert_int_eq(worker_address(loopback->worker, 0, &address), 0);
	what.port = ntohs(((struct sockaddr_in *)&address.addr)->sin_port);
	what.session = first->session;
	ck_assert_int_eq(offer(&what, &selected), OFFER_RESUMED);
	what.psk_ke = true;
	ck_assert_int_eq(offer(&what, &selected), OFFER_FULL);
	client_free(first);
}
END_TEST

#define CONNECTIONS 2500
#define EACH 4

struct seen {
	uint8_t ticket[32];	/* SHA-256 of it */
	uint8_t secret[48];	/* the PSK: differs if the nonce does */
	uint32_t age_add;
};

static struct seen seen[CONNECTIONS * EACH];
static size_t n_seen;
static SSL_SESSION *latest;

/* i2d: the ticket's age_add is OpenSSL's field [14] of a session. */
static uint32_t age_add_of(SSL_SESSION *session)
{
	unsigned char *der = NULL, *at;
	int len = i2d_SSL_SESSION(session, &der);
	uint32_t value = 0;

	ck_assert_int_gt(len, 0);
	/* "[14] { INTEGER len ... }" in the DER's last fields. */
	for (at = der + len - 3; at > der; at--)
		if (at[0] == 0xae && at[2] == 0x02 && at[1] == at[3] + 2 &&
		    at[3] <= 5)
			break;
	ck_assert_ptr_ne(at, der);
	for (int i = 0; i < at[3]; i++)
		value = value << 8 | at[4 + i];
	OPENSSL_free(der);
	return value;
}

static int note(SSL *ssl, SSL_SESSION *session)
{
	const unsigned char *ticket;
	struct seen *next = &seen[n_seen];
	size_t len;

	(void)ssl;
	ck_assert_uint_lt(n_seen, CONNECTIONS * EACH);
	SSL_SESSION_get0_ticket(session, &ticket, &len);
	ck_assert(EVP_Digest(ticket, len, next->ticket, NULL, EVP_sha256(),
			     NULL));
	SSL_SESSION_get_master_key(session, next->secret,
				   sizeof(next->secret));
	next->age_add = age_add_of(session);
	n_seen++;
	SSL_SESSION_free(latest);
	latest = session;
	return 1;
}

static int by_ticket(const void *a, const void *b)
{
	return memcmp(((const struct seen *)a)->ticket,
		      ((const struct seen *)b)->ticket, 32);
}

static int by_secret(const void *a, const void *b)
{
	return memcmp(((const struct seen *)a)->secret,
		      ((const struct seen *)b)->secret, 48);
}

static int by_age_add(const void *a, const void *b)
{
	uint32_t left = ((const struct seen *)a)->age_add;
	uint32_t right = ((const struct seen *)b)->age_add;

	return (left > right) - (left < right);
}

static size_t repeats(int (*compare)(const void *, const void *))
{
	size_t i, n = 0;

	qsort(seen, n_seen, sizeof(seen[0]), compare);
	for (i = 1; i < n_seen; i++)
		n += compare(&seen[i - 1], &seen[i]) == 0;
	return n;
}

/*
 * REQ-5: of 10,000 tickets no two are alike, nor what their nonces make of a
 * connection's secret. Two of so many random ticket_age_add may meet: once in
 * eighty runs, but four times in none.
 */
START_TEST(test_nothing_is_repeated)
{
	struct client *client;
	int connection;

	loopback->hosts[0].tickets = EACH;
	loopback_start(loopback);
	for (connection = 0; connection < CONNECTIONS; connection++) {
		client = open_client("www.example.com", TLS1_3_VERSION);
		SSL_CTX_sess_set_new_cb(client->ctx, note);
		if (connection % 2)
			client_offer(client, latest);
		shake(client);
		ck_assert(says(client_ask(client), connection % 2 ?
			       "\"resumed\":true" : "\"resumed\":false"));
		client_free(client);
	}
	SSL_SESSION_free(latest);
	ck_assert_uint_eq(n_seen, CONNECTIONS * EACH);
	ck_assert_uint_eq(repeats(by_ticket), 0);
	ck_assert_uint_eq(repeats(by_secret), 0);
	ck_assert_uint_lt(repeats(by_age_add), 4);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conn_tickets");
	TCase *tcase = tcase_create("conn_tickets");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 600);
	tcase_add_loop_test(tcase, test_how_many, 0,
			    (int)(sizeof(requests) / sizeof(requests[0])));
	tcase_add_test(tcase, test_a_retried_request);
	tcase_add_test(tcase, test_a_resumption_exchanges_keys);
	tcase_add_test(tcase, test_psk_ke_alone_does_not_resume);
	tcase_add_test(tcase, test_nothing_is_repeated);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

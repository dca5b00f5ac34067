// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_client_resume.c - a client's identity through resumption: what comes
 * back with a ticket, and what ends it. The page tells whom it takes one for.
 */
#include <openssl/err.h>
#include <stdlib.h>
#include <unistd.h>

#include "conn_client.h"
#include "deny.h"
#include "generation.h"
#include "pki.h"

static struct pki ca, other_ca, alice;
static char ca_path[128], two_path[128], crl_path[128];
static char alice_hex[65];
static struct deny *denied;

static void in_dir(char *out, size_t cap, const char *name)
{
	snprintf(out, cap, "%s/%s", loopback->dir, name);
}

static void ask_for_certificates(size_t host, enum client_auth mode, char *path)
{
	loopback->hosts[host].backend = BACKEND_BUILTIN;
	loopback->hosts[host].client_auth = mode;
	loopback->hosts[host].client_ca = path;
	loopback->hosts[host].client_depth = 4;
}

static void set_up_ca(void)
{
	const struct pki *both[] = { &ca, &other_ca };

	set_up();
	ca = pki_make(&(struct pki_wish){ .name = "CA", .ca = true });
	other_ca = pki_make(&(struct pki_wish){ .name = "Other", .ca = true });
	alice = pki_make(&(struct pki_wish){ .name = "alice", .issuer = &ca,
					     .serial = 42 });
	snprintf(alice_hex, sizeof(alice_hex), "%s", pki_fingerprint(&alice));
	in_dir(ca_path, sizeof(ca_path), "ca");
	in_dir(two_path, sizeof(two_path), "two");
	in_dir(crl_path, sizeof(crl_path), "crl");
	pki_write(ca_path, both, 1);
	pki_write(two_path, both, 2);
	ask_for_certificates(0, CLIENT_OPTIONAL, ca_path);
}

static void tear_down_ca(void)
{
	unlink(ca_path);
	unlink(two_path);
	unlink(crl_path);
	tear_down();
	deny_free(denied);
	denied = NULL;
	pki_free(&ca);
	pki_free(&other_ca);
	pki_free(&alice);
}

/* One connection; the page's answer, and the ticket that came in *session. */
static const char *ask(const char *host, const struct pki *who, int version,
		       SSL_SESSION **session)
{
	struct client *client = open_client(host, version);
	const char *body;

	if (who) {
		SSL_use_certificate(client->ssl, who->x509);
		SSL_use_PrivateKey(client->ssl, who->key);
	}
	if (*session)
		client_offer(client, *session);
	SSL_set_tlsext_host_name(client->ssl, host);
	shake(client);
	body = client_ask(client);
	if (client->session) {
		SSL_SESSION_free(*session);
		*session = client->session;
		client->session = NULL;
	}
	client_free(client);
	return body;
}

static void is_alice(const char *body, const char *outcome)
{
	char text[160];

	snprintf(text, sizeof(text), "\"client\":{\"fingerprint\":\"%s\"",
		 alice_hex);
	ck_assert_msg(says(body, text), "%s", body);
	ck_assert_msg(says(body, "\"status\":\"verified\""), "%s", body);
	snprintf(text, sizeof(text), "\"outcome\":\"%s\"", outcome);
	ck_assert_msg(says(body, text), "%s", body);
}

static void is_nobody(const char *body, const char *outcome)
{
	char text[80];

	ck_assert_msg(says(body, "\"client\":null"), "%s", body);
	snprintf(text, sizeof(text), "\"outcome\":\"%s\"", outcome);
	ck_assert_msg(says(body, text), "%s", body);
}

/* Installs the hosts as the test has changed them, as a reload does. */
static void reload(void)
{
	struct generation *next;
	char why[256] = "";

	ck_assert_msg(!generation_new(&next, &loopback->node,
				      &loopback->settings, NULL, why,
				      sizeof(why)), "%s", why);
	ck_assert_msg(!generation_install(&loopback->node, next, why,
					  sizeof(why)), "%s", why);
}

/* The identity comes back with each ticket of the chain; nobody's stays so. */
START_TEST(test_identity_is_resumed)
{
	SSL_SESSION *session = NULL, *without = NULL;
	int i;

	loopback_start(loopback);
	is_alice(ask("www.example.com", &alice, version_of[_i], &session),
		 "none_offered");
	for (i = 0; i < 3; i++)
		is_alice(ask("www.example.com", NULL, version_of[_i],
			     &session), "resumed_active");
	is_nobody(ask("www.example.com", NULL, version_of[_i], &without),
		  "none_offered");
	is_nobody(ask("www.example.com", NULL, version_of[_i], &without),
		  "resumed_active");
	/* Whom the ticket names counts, not what the client has at hand. */
	is_nobody(ask("www.example.com", &alice, version_of[_i], &without),
		  "resumed_active");
	SSL_SESSION_free(session);
	SSL_SESSION_free(without);
}
END_TEST

/* A host that demands certificates resumes those that it has seen. */
START_TEST(test_required_resumes)
{
	SSL_SESSION *session = NULL;

	ask_for_certificates(0, CLIENT_REQUIRED, ca_path);
	loopback_start(loopback);
	is_alice(ask("www.example.com", &alice, version_of[_i], &session),
		 "none_offered");
	is_alice(ask("www.example.com", NULL, version_of[_i], &session),
		 "resumed_active");
	SSL_SESSION_free(session);
}
END_TEST

struct neighbours {
	enum client_auth first, second;
	bool two_cas, other_depth, crl;
};

/* Of one group, but of another demand: no ticket goes from one to the other. */
START_TEST(test_demands_keep_apart)
{
	static const struct neighbours cases[] = {
		{ CLIENT_NONE, CLIENT_OPTIONAL, false, false, false },
		{ CLIENT_OPTIONAL, CLIENT_NONE, false, false, false },
		{ CLIENT_REQUIRED, CLIENT_OPTIONAL, false, false, false },
		{ CLIENT_OPTIONAL, CLIENT_OPTIONAL, true, false, false },
		{ CLIENT_OPTIONAL, CLIENT_OPTIONAL, false, true, false },
		{ CLIENT_OPTIONAL, CLIENT_OPTIONAL, false, false, true },
	};
	const struct neighbours *is = &cases[_i / 2];
	SSL_SESSION *session = NULL;
	int version = version_of[_i % 2];

	pki_append_list(crl_path, &ca, NULL, 0, 5 * 365 * 86400L);
	ask_for_certificates(0, is->first, ca_path);
	ask_for_certificates(1, is->second, is->two_cas ? two_path : ca_path);
	loopback->hosts[0].alpn = NULL;
	loopback->hosts[0].n_alpn = 0;
	loopback->hosts[1].group = loopback->hosts[0].group;
	loopback->hosts[1].client_depth = is->other_depth ? 5 : 4;
	loopback->hosts[1].client_crl = is->crl ? crl_path : NULL;
	loopback_start(loopback);
	ask("www.example.com", &alice, version, &session);
	is_nobody(ask("relay.example.com", NULL, version, &session),
		  "refused_policy");
	SSL_SESSION_free(session);
}
END_TEST

/* And of one demand they do: what keeps the others apart is the demand. */
START_TEST(test_equal_demands_share)
{
	SSL_SESSION *session = NULL;

	ask_for_certificates(1, CLIENT_OPTIONAL, ca_path);
	loopback->hosts[0].alpn = NULL;
	loopback->hosts[0].n_alpn = 0;
	loopback->hosts[1].group = loopback->hosts[0].group;
	loopback_start(loopback);
	ask("www.example.com", &alice, version_of[_i], &session);
	is_alice(ask("relay.example.com", NULL, version_of[_i], &session),
		 "resumed_active");
	SSL_SESSION_free(session);
}
END_TEST

/* A CA that a reload removes takes its tickets with it, at once. */
START_TEST(test_a_removed_ca_ends_tickets)
{
	SSL_SESSION *session = NULL;

	ask_for_certificates(0, CLIENT_OPTIONAL, two_path);
	loopback_start(loopback);
	ask("www.example.com", &alice, version_of[_i], &session);
	reload();
	is_alice(ask("www.example.com", NULL, version_of[_i], &session),
		 "resumed_active");
	ask_for_certificates(0, CLIENT_OPTIONAL, ca_path);
	reload();
	is_nobody(ask("www.example.com", NULL, version_of[_i], &session),
		  "refused_policy");
	SSL_SESSION_free(session);
}
END_TEST

/* A certificate that a new list names resumes no more; another one's does. */
START_TEST(test_a_revoked_one_does_not_resume)
{
	static const long revoked[] = { 41, 42, 43 };
	SSL_SESSION *session = NULL;

	pki_append_list(crl_path, &ca, revoked, 1, 5 * 365 * 86400L);
	loopback->hosts[0].client_crl = crl_path;
	loopback_start(loopback);
	ask("www.example.com", &alice, version_of[_i], &session);
	unlink(crl_path);
	pki_append_list(crl_path, &ca, revoked, 1, 5 * 365 * 86400L);
	reload();
	is_alice(ask("www.example.com", NULL, version_of[_i], &session),
		 "resumed_active");
	unlink(crl_path);
	pki_append_list(crl_path, &ca, revoked, 3, 5 * 365 * 86400L);
	reload();
	is_nobody(ask("www.example.com", NULL, version_of[_i], &session),
		  "refused_identity");
	SSL_SESSION_free(session);
}
END_TEST

/* A denied client neither resumes nor gets in; another one does both. */
START_TEST(test_a_denied_one_is_refused)
{
	struct pki bob = pki_make(&(struct pki_wish){ .name = "bob",
						      .issuer = &ca });
	SSL_SESSION *session = NULL, *other = NULL, *fresh = NULL;
	struct counters counters;
	struct client *client;
	uint8_t fingerprint[DENY_LEN];
	char why[128], byte;
	int alert;
	bool clean;

	loopback->node.deny = denied = deny_new();
	loopback_start(loopback);
	ask("www.example.com", &alice, version_of[_i], &session);
	ask("www.example.com", &bob, version_of[_i], &other);
	ck_assert(deny_parse(fingerprint, alice_hex, 64));
	ck_assert_int_eq(deny_change(denied, fingerprint, true, why,
				     sizeof(why)), DENY_DONE);
	is_nobody(ask("www.example.com", NULL, version_of[_i], &session),
		  "refused_identity");
	client = open_client("www.example.com", version_of[_i]);
	SSL_use_certificate(client->ssl, alice.x509);
	SSL_use_PrivateKey(client->ssl, alice.key);
	if (client_handshake(client, false, &alert)) {
		ck_assert_uint_eq(client_read(client, &byte, 1, &clean), 0);
		alert = ERR_GET_REASON(ERR_peek_last_error()) -
			SSL_AD_REASON_OFFSET;
	}
	ck_assert_int_eq(alert, SSL_AD_ACCESS_DENIED);
	client_free(client);
	counters = loopback_counters(loopback);
	ck_assert_uint_eq(counters.failures[FAIL_CERT_DENIED], 1);
	ck_assert(says(ask("www.example.com", NULL, version_of[_i], &other),
		       "\"outcome\":\"resumed_active\""));
	ck_assert_int_eq(deny_change(denied, fingerprint, false, why,
				     sizeof(why)), DENY_DONE);
	is_alice(ask("www.example.com", &alice, version_of[_i], &fresh),
		 "none_offered");
	SSL_SESSION_free(session);
	SSL_SESSION_free(other);
	SSL_SESSION_free(fresh);
	pki_free(&bob);
}
END_TEST

/* While a list has lapsed, a ticket's word is not enough. */
START_TEST(test_a_lapsed_list_ends_resumption)
{
	SSL_SESSION *session = NULL;

	/* Good by the library's clock; the farm's is a week ahead. */
	pki_append_list(crl_path, &ca, NULL, 0, 3600);
	loopback->hosts[0].client_crl = crl_path;
	loopback_start(loopback);
	is_alice(ask("www.example.com", &alice, version_of[_i], &session),
		 "none_offered");
	is_nobody(ask("www.example.com", NULL, version_of[_i], &session),
		  "refused_identity");
	SSL_SESSION_free(session);
}
END_TEST

/* A ticket ends with the first certificate of the chain, here the CA's. */
START_TEST(test_the_chain_ends_with_its_ca)
{
	struct pki brief = pki_make(&(struct pki_wish){ .name = "Brief",
			.ca = true, .begins_s = -60, .ends_s = 3600 });
	struct pki bob = pki_make(&(struct pki_wish){ .name = "bob",
						      .issuer = &brief });
	const struct pki *anchors[] = { &brief };
	SSL_SESSION *session = NULL;

	pki_write(ca_path, anchors, 1);
	loopback_start(loopback);
	ck_assert(says(ask("www.example.com", &bob, version_of[_i], &session),
		       "\"status\":\"verified\""));
	is_nobody(ask("www.example.com", NULL, version_of[_i], &session),
		  "refused_identity");
	SSL_SESSION_free(session);
	pki_free(&brief);
	pki_free(&bob);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client_resume");
	TCase *tcase = tcase_create("client_resume");
	int failed;
	SRunner *runner;

	tcase_add_checked_fixture(tcase, set_up_ca, tear_down_ca);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, test_identity_is_resumed, 0, 2);
	tcase_add_loop_test(tcase, test_required_resumes, 0, 2);
	tcase_add_loop_test(tcase, test_demands_keep_apart, 0, 12);
	tcase_add_loop_test(tcase, test_equal_demands_share, 0, 2);
	tcase_add_loop_test(tcase, test_a_removed_ca_ends_tickets, 0, 2);
	tcase_add_loop_test(tcase, test_a_revoked_one_does_not_resume, 0, 2);
	tcase_add_loop_test(tcase, test_a_denied_one_is_refused, 0, 2);
	tcase_add_loop_test(tcase, test_a_lapsed_list_ends_resumption, 0, 2);
	tcase_add_loop_test(tcase, test_the_chain_ends_with_its_ca, 0, 2);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

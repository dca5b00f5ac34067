// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_client.c - whose certificates a host takes: OpenSSL clients with good
 * and bad ones, in both versions, against hosts that ask and hosts that demand.
 */
#include <stdlib.h>
#include <unistd.h>

#include "client_ca.h"
#include "tls.h"

/* A certificate of the host's CA is taken, none and another CA's are not. */
START_TEST(test_required_takes_its_own)
{
	struct pki good = pki_make(&(struct pki_wish){ .name = "good",
						       .issuer = &ca });
	struct pki bad = pki_make(&(struct pki_wish){ .name = "good",
						      .issuer = &other_ca });
	struct pki self = pki_make(&(struct pki_wish){ .name = "CA" });

	loopback_start(loopback);
	takes(&good, NULL, version_of[_i]);
	refuses(NULL, NULL, version_of[_i]);
	refuses(&bad, NULL, version_of[_i]);
	refuses(&bad, &other_ca, version_of[_i]);
	refuses(&self, NULL, version_of[_i]);
	takes(&good, NULL, version_of[_i]);
	pki_free(&good);
	pki_free(&bad);
	pki_free(&self);
}
END_TEST

/* Optional: none is fine, but who shows one must show a good one. */
START_TEST(test_optional_refuses_a_bad_one)
{
	struct pki good = pki_make(&(struct pki_wish){ .name = "good",
						       .issuer = &ca });
	struct pki bad = pki_make(&(struct pki_wish){ .name = "bad",
						      .issuer = &other_ca });

	loopback->hosts[0].client_auth = CLIENT_OPTIONAL;
	loopback_start(loopback);
	takes(NULL, NULL, version_of[_i]);
	takes(&good, NULL, version_of[_i]);
	refuses(&bad, NULL, version_of[_i]);
	pki_free(&good);
	pki_free(&bad);
}
END_TEST

/* REQ-17: the CA's name, extensions and serial under the attacker's key. */
START_TEST(test_a_clone_of_the_ca_is_refused)
{
	struct pki clone = pki_make(&(struct pki_wish){ .clone_of = &ca });
	struct pki forged = pki_make(&(struct pki_wish){ .name = "good",
							 .issuer = &clone });
	struct pki good = pki_make(&(struct pki_wish){ .name = "good",
						       .issuer = &ca });

	loopback_start(loopback);
	refuses(&clone, NULL, version_of[_i]);
	refuses(&clone, &ca, version_of[_i]);
	refuses(&forged, &clone, version_of[_i]);
	refuses(&forged, &ca, version_of[_i]);
	takes(&good, NULL, version_of[_i]);
	refuses(&forged, &clone, version_of[_i]);
	pki_free(&clone);
	pki_free(&forged);
	pki_free(&good);
}
END_TEST

/* Out of its time, or made for servers only: refused. */
START_TEST(test_dates_and_usage_are_checked)
{
	static const struct pki_wish wishes[] = {
		{ .name = "old", .begins_s = -7200, .ends_s = -3600 },
		{ .name = "young", .begins_s = 3600, .ends_s = 7200 },
		{ .name = "server", .usage = "serverAuth" },
	};
	static const int alerts[] = {
		SSL_AD_CERTIFICATE_EXPIRED, SSL_AD_CERTIFICATE_EXPIRED,
		SSL_AD_UNSUPPORTED_CERTIFICATE,
	};
	size_t i;

	loopback_start(loopback);
	for (i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
		struct pki_wish wish = wishes[i];
		struct pki leaf;

		wish.issuer = &ca;
		leaf = pki_make(&wish);
		refuses_with(&leaf, NULL, version_of[_i], alerts[i]);
		pki_free(&leaf);
	}
}
END_TEST

/*
 * The library keeps an intermediate certificate that it has seen once. A chain
 * must be whole all the same, each time, and no longer than the host allows.
 */
START_TEST(test_a_chain_must_be_whole)
{
	struct pki leaf = pki_make(&(struct pki_wish){ .name = "good",
						       .issuer = &middle });
	struct counters counters;

	loopback_start(loopback);
	refuses(&leaf, NULL, version_of[_i]);
	takes(&leaf, &middle, version_of[_i]);
	refuses_with(&leaf, NULL, version_of[_i], SSL_AD_UNKNOWN_CA);
	counters = loopback_counters(loopback);
	ck_assert_uint_eq(counters.failures[FAIL_CERT_UNKNOWN_CA], 2);
	pki_free(&leaf);
}
END_TEST

/* A depth of 0 takes nobody but those whom an anchor itself has signed. */
START_TEST(test_depth_is_bounded)
{
	struct pki direct = pki_make(&(struct pki_wish){ .name = "good",
							 .issuer = &ca });
	struct pki leaf = pki_make(&(struct pki_wish){ .name = "good",
						       .issuer = &middle });

	loopback->hosts[0].client_depth = 0;
	loopback_start(loopback);
	takes(&direct, NULL, version_of[_i]);
	refuses_with(&leaf, &middle, version_of[_i], SSL_AD_UNKNOWN_CA);
	pki_free(&direct);
	pki_free(&leaf);
}
END_TEST

/* A depth of 1 takes one intermediate certificate. */
START_TEST(test_depth_of_one)
{
	struct pki leaf = pki_make(&(struct pki_wish){ .name = "good",
						       .issuer = &middle });
	struct pki lower = pki_make(&(struct pki_wish){ .name = "Lower",
							.ca = true,
							.issuer = &middle });
	struct pki deep = pki_make(&(struct pki_wish){ .name = "deep",
						       .issuer = &lower });
	struct client *client;
	char byte;
	bool clean;
	int alert;

	loopback->hosts[0].client_depth = 1;
	loopback_start(loopback);
	takes(&leaf, &middle, version_of[_i]);
	client = client_with(&deep, &lower, version_of[_i]);
	SSL_add1_chain_cert(client->ssl, middle.x509);
	ck_assert(!client_handshake(client, false, &alert) ||
		  !client_read(client, &byte, 1, &clean));
	client_free(client);
	pki_free(&leaf);
	pki_free(&lower);
	pki_free(&deep);
}
END_TEST

/* A CA out of its time stops nobody but its own clients. */
START_TEST(test_an_expired_ca_signs_for_nobody)
{
	struct pki old = pki_make(&(struct pki_wish){ .name = "Old",
			.ca = true, .begins_s = -7200, .ends_s = -3600 });
	const struct pki *anchors[] = { &old, &ca };
	struct pki good = pki_make(&(struct pki_wish){ .name = "good",
						       .issuer = &ca });
	struct pki bad = pki_make(&(struct pki_wish){ .name = "bad",
						      .issuer = &old });

	pki_write(ca_path, anchors, 2);
	loopback_start(loopback);
	takes(&good, NULL, version_of[_i]);
	refuses(&bad, NULL, version_of[_i]);
	refuses(&bad, &old, version_of[_i]);
	pki_free(&old);
	pki_free(&good);
	pki_free(&bad);
}
END_TEST

/* Clients are told whose certificates are taken, all of them in order. */
START_TEST(test_names_are_sent)
{
	const struct pki *anchors[] = { &ca, &other_ca };
	const STACK_OF(X509_NAME) *names;
	struct client *client;
	int alert;

	pki_write(ca_path, anchors, 2);
	loopback->hosts[0].client_auth = CLIENT_OPTIONAL;
	loopback_start(loopback);
	client = client_with(NULL, NULL, version_of[_i]);
	ck_assert(client_handshake(client, false, &alert));
	names = SSL_get0_peer_CA_list(client->ssl);
	ck_assert_int_eq(sk_X509_NAME_num(names), 2);
	ck_assert(!X509_NAME_cmp(sk_X509_NAME_value(names, 0),
				 X509_get_subject_name(ca.x509)));
	ck_assert(!X509_NAME_cmp(sk_X509_NAME_value(names, 1),
				 X509_get_subject_name(other_ca.x509)));
	client_free(client);
}
END_TEST

/* The kind of the host's own key says nothing about its clients' keys. */
START_TEST(test_any_key_at_any_host)
{
	bool rsa_host = _i & 2, rsa_client = _i & 4;
	struct pki host = pki_make(&(struct pki_wish){ .name = "host",
			.rsa = rsa_host, .usage = "serverAuth" });
	struct pki leaf = pki_make(&(struct pki_wish){ .name = "client",
			.rsa = rsa_client, .issuer = &ca });
	const struct pki *certs[] = { &host };
	const uint8_t *types;
	struct client *client;
	size_t n;
	int alert;

	pki_write(loopback->cert, certs, 1);
	pki_write_key(loopback->key, &host);
	loopback_start(loopback);
	takes(&leaf, NULL, version_of[_i % 2]);
	/* RFC 5246 s7.4.4: clients that go by the types find theirs. */
	client = client_with(&leaf, NULL, TLS1_2_VERSION);
	ck_assert(client_handshake(client, false, &alert));
	n = SSL_get0_certificate_types(client->ssl, &types);
	ck_assert_uint_eq(n, 2);
	ck_assert(memchr(types, TLS_CT_RSA_SIGN, n) != NULL);
	ck_assert(memchr(types, TLS_CT_ECDSA_SIGN, n) != NULL);
	client_free(client);
	pki_free(&host);
	pki_free(&leaf);
}
END_TEST

/* A host that does not ask gets none, and says so to the client. */
START_TEST(test_none_does_not_ask)
{
	struct pki bad = pki_make(&(struct pki_wish){ .name = "bad" });

	loopback->hosts[0].client_auth = CLIENT_NONE;
	loopback_start(loopback);
	takes(&bad, NULL, version_of[_i]);
	takes(NULL, NULL, version_of[_i]);
	pki_free(&bad);
}
END_TEST

static void refuse_files(const char *named, const char *wanted)
{
	char why[256] = "";
	const char *option = NULL;

	ck_assert_int_eq(tls_check_client(&loopback->hosts[0], &option, why,
					  sizeof(why)), -1);
	ck_assert_str_eq(option, named);
	ck_assert_msg(strstr(why, wanted) != NULL, "%s", why);
}

/* Files that hold something else are refused, and the line names the fault. */
START_TEST(test_wrong_files_are_refused)
{
	struct pki leaf = pki_make(&(struct pki_wish){ .name = "leaf",
						       .issuer = &ca });
	const struct pki *anchors[] = { &ca, &leaf };
	char junk[128], why[256];
	const char *option;
	FILE *file;

	ck_assert_msg(!tls_check_client(&loopback->hosts[0], &option, why,
					sizeof(why)), "%s", why);
	in_dir(junk, sizeof(junk), "junk");
	file = fopen(junk, "w");
	fputs("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
	      file);
	fclose(file);
	loopback->hosts[0].client_ca = junk;
	refuse_files("client_ca", "part 1");
	loopback->hosts[0].client_ca = loopback->key;
	refuse_files("client_ca", "no PEM part");
	loopback->hosts[0].client_ca = "/nonexistent";
	refuse_files("client_ca", "No such file");
	pki_write(ca_path, anchors, 2);
	loopback->hosts[0].client_ca = ca_path;
	refuse_files("client_ca", "part 2 is not a CA");
	pki_write(ca_path, anchors, 1);
	loopback->hosts[0].client_crl = ca_path;
	refuse_files("client_crl", "X509 CRL");
	pki_append_list(crl_path, &other_ca, NULL, 0, 3600);
	loopback->hosts[0].client_crl = crl_path;
	refuse_files("client_crl", "revocation list 1");
	unlink(junk);
	pki_free(&leaf);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client");
	TCase *tcase = tcase_create("client");
	int failed;
	SRunner *runner;

	tcase_add_checked_fixture(tcase, set_up_ca, tear_down_ca);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, test_required_takes_its_own, 0, 2);
	tcase_add_loop_test(tcase, test_optional_refuses_a_bad_one, 0, 2);
	tcase_add_loop_test(tcase, test_a_clone_of_the_ca_is_refused, 0, 2);
	tcase_add_loop_test(tcase, test_dates_and_usage_are_checked, 0, 2);
	tcase_add_loop_test(tcase, test_a_chain_must_be_whole, 0, 2);
	tcase_add_loop_test(tcase, test_depth_is_bounded, 0, 2);
	tcase_add_loop_test(tcase, test_depth_of_one, 0, 2);
	tcase_add_loop_test(tcase, test_an_expired_ca_signs_for_nobody, 0, 2);
	tcase_add_loop_test(tcase, test_names_are_sent, 0, 2);
	tcase_add_loop_test(tcase, test_any_key_at_any_host, 0, 8);
	tcase_add_loop_test(tcase, test_none_does_not_ask, 0, 2);
	tcase_add_test(tcase, test_wrong_files_are_refused);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

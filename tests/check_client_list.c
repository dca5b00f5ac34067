// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_client_list.c - clients' certificates and revocation lists: OpenSSL
 * clients in both versions against a host that demands a certificate.
 */
#include <stdlib.h>

#include "client_ca.h"

/* Revoked by the CA's list; taken when the list names another. */
START_TEST(test_a_revoked_one_is_refused)
{
	static const long revoked[] = { 5, 12345678, 9 };
	struct pki bad = pki_make(&(struct pki_wish){ .name = "bad",
				  .issuer = &ca, .serial = 12345678 });
	struct pki good = pki_make(&(struct pki_wish){ .name = "good",
				   .issuer = &ca, .serial = 12345679 });

	pki_append_list(crl_path, &ca, revoked, 3, 3600);
	loopback->hosts[0].client_crl = crl_path;
	loopback_start(loopback);
	takes(&good, NULL, version_of[_i]);
	refuses_with(&bad, NULL, version_of[_i], SSL_AD_CERTIFICATE_REVOKED);
	takes(&good, NULL, version_of[_i]);
	pki_free(&bad);
	pki_free(&good);
}
END_TEST

/*
 * With lists, every CA of a chain needs one: a chain through another is
 * refused, and taken once the file, of two parts then, has both.
 */
START_TEST(test_every_ca_needs_its_list)
{
	const struct pki *anchors[] = { &ca, &middle };
	struct pki leaf = pki_make(&(struct pki_wish){ .name = "good",
						       .issuer = &middle });

	pki_write(ca_path, anchors, 2);
	pki_append_list(crl_path, &ca, NULL, 0, 3600);
	if (_i >= 2)
		pki_append_list(crl_path, &middle, NULL, 0, 3600);
	loopback->hosts[0].client_crl = crl_path;
	loopback_start(loopback);
	if (_i < 2)
		refuses(&leaf, NULL, version_of[_i % 2]);
	else
		takes(&leaf, NULL, version_of[_i % 2]);
	pki_free(&leaf);
}
END_TEST

/* A list revokes an intermediate certificate, and with it all below it. */
START_TEST(test_a_revoked_intermediate_is_refused)
{
	static const long revoked[] = { 77 };
	const struct pki *anchors[] = { &ca, &middle };
	struct pki leaf = pki_make(&(struct pki_wish){ .name = "good",
						       .issuer = &middle });

	pki_write(ca_path, anchors, 2);
	pki_append_list(crl_path, &ca, revoked, 1, 3600);
	pki_append_list(crl_path, &middle, NULL, 0, 3600);
	loopback->hosts[0].client_crl = crl_path;
	loopback_start(loopback);
	refuses(&leaf, &middle, version_of[_i]);
	refuses(&leaf, NULL, version_of[_i]);
	pki_free(&leaf);
}
END_TEST

/* A list that has lapsed is no list: nobody is vouched for. */
START_TEST(test_a_lapsed_list_refuses)
{
	struct pki good = pki_make(&(struct pki_wish){ .name = "good",
						       .issuer = &ca });

	pki_append_list(crl_path, &ca, NULL, 0, -3600);
	loopback->hosts[0].client_crl = crl_path;
	loopback_start(loopback);
	refuses_with(&good, NULL, version_of[_i],
		     SSL_AD_CERTIFICATE_UNKNOWN);
	pki_free(&good);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client_list");
	TCase *tcase = tcase_create("list");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, set_up_ca, tear_down_ca);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, test_a_revoked_one_is_refused, 0, 2);
	tcase_add_loop_test(tcase, test_every_ca_needs_its_list, 0, 4);
	tcase_add_loop_test(tcase, test_a_revoked_intermediate_is_refused, 0,
			    2);
	tcase_add_loop_test(tcase, test_a_lapsed_list_refuses, 0, 2);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

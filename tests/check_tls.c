// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_tls.c - what is refused before any connection: certificates, keys,
 * suites and groups, each with a line that says what is wrong. Handshakes
 * themselves are proved in check_conn.c.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loopback.h"
#include "tls.h"

static struct loopback *loopback;
static char other[96], why[256];

static void set_up(void)
{
	FILE *file;

	loopback = loopback_new(memnode_ring_default());
	snprintf(other, sizeof(other), "%s/other", loopback->dir);
	file = fopen(other, "w");
	ck_assert_ptr_nonnull(file);
	fputs("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
	      file);
	fclose(file);
}

static void tear_down(void)
{
	unlink(other);
	loopback_free(loopback);
}

/* A chain and its key pass. */
START_TEST(test_a_pair_passes)
{
	ck_assert_int_eq(tls_check_pair(loopback->cert, loopback->key, why,
					sizeof(why)), 0);
}
END_TEST

static void refuse_pair(const char *cert, const char *key, const char *named)
{
	ck_assert_int_eq(tls_check_pair(cert, key, why, sizeof(why)), -1);
	ck_assert_ptr_nonnull(strstr(why, named));
}

/* Whatever is not a pair is refused, and the line names the file at fault. */
START_TEST(test_what_is_no_pair_is_refused)
{
	refuse_pair("/nonexistent", loopback->key, "/nonexistent");
	refuse_pair(loopback->cert, "/nonexistent", "/nonexistent");
	refuse_pair(other, loopback->key, other);
	refuse_pair(loopback->cert, other, other);
	refuse_pair(loopback->key, loopback->cert, loopback->key);
	refuse_pair("/dev/null", loopback->key, "/dev/null");
}
END_TEST

/* The key of another certificate is refused. */
START_TEST(test_a_foreign_key_is_refused)
{
	struct loopback *second = loopback_new(memnode_ring_default());

	refuse_pair(loopback->cert, second->key, second->key);
	loopback_free(second);
}
END_TEST

static int make_hosts(void)
{
	struct tls_hosts *hosts = NULL;
	int ret = tls_hosts_new(&hosts, &loopback->settings,
				&loopback->farm->farm, why, sizeof(why));

	tls_hosts_free(hosts);
	return ret;
}

/* Known suites and groups pass, in either spelling. */
START_TEST(test_known_suites_pass)
{
	char ciphers[] = "TLS13-AES128-GCM-SHA256:"
		"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256";
	char groups[] = "X25519:P-256";

	ck_assert_msg(make_hosts() == 0, "%s", why);
	loopback->settings.ciphers = ciphers;
	loopback->settings.groups = groups;
	ck_assert_msg(make_hosts() == 0, "%s", why);
}
END_TEST

/* The library would drop an unknown name, or a whole version, in silence. */
START_TEST(test_unknown_suites_are_refused)
{
	static const char *const lists[] = {
		"TLS13-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA257",
		"ECDHE-ECDSA-AES128-GCM-SHA256",
		"TLS13-AES128-GCM-SHA256",
		"",
		"TLS13-AES128-GCM-SHA256::ECDHE-ECDSA-AES128-GCM-SHA256",
	};
	static char list[128];

	snprintf(list, sizeof(list), "%s", lists[_i]);
	loopback->settings.ciphers = list;
	ck_assert_int_eq(make_hosts(), -1);
	ck_assert_ptr_nonnull(strstr(why, "tls.ciphers"));
}
END_TEST

/* One version alone needs suites of that version alone. */
START_TEST(test_one_version_needs_its_suites_only)
{
	char only13[] = "TLS13-AES128-GCM-SHA256";
	char only12[] = "ECDHE-ECDSA-AES128-GCM-SHA256";

	loopback->settings.tls12 = _i == 0;
	loopback->settings.tls13 = _i == 1;
	loopback->settings.ciphers = _i ? only13 : only12;
	ck_assert_msg(make_hosts() == 0, "%s", why);
	loopback->settings.ciphers = _i ? only12 : only13;
	ck_assert_int_eq(make_hosts(), -1);
}
END_TEST

/* An unknown group is refused. */
START_TEST(test_an_unknown_group_is_refused)
{
	char groups[] = "P-256:P-257";

	loopback->settings.groups = groups;
	ck_assert_int_eq(make_hosts(), -1);
	ck_assert_ptr_nonnull(strstr(why, "P-257"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tls");
	TCase *pairs = tcase_create("pairs");
	TCase *hosts = tcase_create("hosts");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(pairs, set_up, tear_down);
	tcase_add_test(pairs, test_a_pair_passes);
	tcase_add_test(pairs, test_what_is_no_pair_is_refused);
	tcase_add_test(pairs, test_a_foreign_key_is_refused);
	suite_add_tcase(suite, pairs);
	tcase_add_checked_fixture(hosts, set_up, tear_down);
	tcase_set_timeout(hosts, 30);
	tcase_add_test(hosts, test_known_suites_pass);
	tcase_add_loop_test(hosts, test_unknown_suites_are_refused, 0, 5);
	tcase_add_loop_test(hosts, test_one_version_needs_its_suites_only, 0,
			    2);
	tcase_add_test(hosts, test_an_unknown_group_is_refused);
	suite_add_tcase(suite, hosts);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

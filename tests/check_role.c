// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_role.c - which entry of a host's list decides what a certificate may
 * do, and what of the names in a certificate counts.
 */
#include <check.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "der.h"
#include "pki.h"
#include "role.h"

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define TOO_LONG "sha256:" HEX "0"
#define OTHER_DIGEST "sha1:" HEX
#define COLONS "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:" \
	"00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"

static struct role_entry entries[8];
static size_t n_entries;
static uint8_t known[DENY_LEN], unknown[DENY_LEN];

static void set_up(void)
{
	memset(entries, 0, sizeof(entries));
	n_entries = 0;
	ck_assert(deny_parse(known, HEX, strlen(HEX)));
	memset(unknown, 7, sizeof(unknown));
}

static void tear_down(void)
{
	while (n_entries > 0)
		role_clear(&entries[--n_entries]);
}

static void add(const char *certificate, enum admin_role role)
{
	ck_assert(role_parse(&entries[n_entries], certificate));
	entries[n_entries++].role = role;
}

/* Names end by a zero each and two at the last: the literal has the second. */
static enum admin_role of(const uint8_t *fingerprint, const char *names)
{
	const struct role_entry *entry = role_find(
		(struct host_roles){ entries, n_entries }, fingerprint, names);

	return entry != NULL ? entry->role : ROLE_NONE;
}

/* Whom no entry knows may do nothing. */
START_TEST(test_nobody)
{
	ck_assert_int_eq(of(known, "dns:a.test\0"), ROLE_NONE);
	add("sha256:" HEX, ROLE_REVOKE);
	add("dns:a.test", ROLE_REVOKE);
	ck_assert_int_eq(of(unknown, NULL), ROLE_NONE);
	ck_assert_int_eq(of(unknown, "\0"), ROLE_NONE);
	ck_assert_int_eq(of(unknown, "dns:b.test\0"), ROLE_NONE);
}
END_TEST

/* Names are whole, of their own kind, and without case in DNS alone. */
START_TEST(test_names)
{
	static const char *const others[] = {
		"dns:a.test.\0", "dns:.a.test\0", "dns:aa.test\0",
		"dns:a.tes\0", "dns:*\0", "cn:a.test\0", "uri:a.test\0",
		"a.test\0", "email:A@a.test\0", "cn:BOB\0", "cn:bob \0",
	};
	size_t i;

	add("dns:a.test", ROLE_READ);
	add("email:a@a.test", ROLE_ROTATE);
	add("uri:spiffe://a/b", ROLE_REVOKE);
	add("cn:bob", ROLE_READ);
	ck_assert_int_eq(of(unknown, "dns:a.test\0"), ROLE_READ);
	ck_assert_int_eq(of(unknown, "dns:A.Test\0"), ROLE_READ);
	ck_assert_int_eq(of(unknown, "email:a@a.test\0"), ROLE_ROTATE);
	ck_assert_int_eq(of(unknown, "uri:spiffe://a/b\0"), ROLE_REVOKE);
	ck_assert_int_eq(of(unknown, "dns:x\0cn:bob\0"), ROLE_READ);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		ck_assert_msg(of(unknown, others[i]) == ROLE_NONE, "%s",
			      others[i]);
}
END_TEST

/* Of several names the highest role; the fingerprint's, though lower, decides. */
START_TEST(test_which_decides)
{
	add("dns:a.test", ROLE_READ);
	add("cn:bob", ROLE_REVOKE);
	add("dns:b.test", ROLE_ROTATE);
	ck_assert_int_eq(of(known, "dns:a.test\0dns:b.test\0"), ROLE_ROTATE);
	ck_assert_int_eq(of(known, "dns:b.test\0cn:bob\0"), ROLE_REVOKE);
	ck_assert(!role_is_by_fingerprint((struct host_roles){ entries,
					  n_entries }, known));
	add("sha256:" HEX, ROLE_READ);
	ck_assert_int_eq(of(known, "dns:b.test\0cn:bob\0"), ROLE_READ);
	ck_assert_int_eq(of(known, NULL), ROLE_READ);
	ck_assert(role_is_by_fingerprint((struct host_roles){ entries,
					 n_entries }, known));
	ck_assert(!role_is_by_fingerprint((struct host_roles){ entries,
					  n_entries }, unknown));
}
END_TEST

/* Every bit of a fingerprint counts. */
START_TEST(test_each_bit)
{
	size_t bit;

	add("sha256:" COLONS, ROLE_REVOKE);
	ck_assert_int_eq(of(known, NULL), ROLE_REVOKE);
	for (bit = 0; bit < 8 * DENY_LEN; bit++) {
		known[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_eq(of(known, NULL), ROLE_NONE);
		known[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}
END_TEST

/* What is no certificate is no entry; two of one certificate are the same. */
START_TEST(test_parse)
{
	static const char *const wrong[] = {
		"", "a.test", "dns:", "cn:", "DNS:a.test", "ip:127.0.0.1",
		"sha256:", "sha256:00", TOO_LONG, OTHER_DIGEST, HEX,
		"dns:a\x80", "cn:a\tb", " dns:a.test",
	};
	struct role_entry a = { 0 }, b = { 0 };
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct role_entry entry = { 0 };

		ck_assert_msg(!role_parse(&entry, wrong[i]), "%s", wrong[i]);
		role_clear(&entry);
	}
	ck_assert(role_parse(&a, "sha256:" HEX));
	ck_assert(role_parse(&b, "sha256:" COLONS));
	ck_assert(role_same(&a, &b));
	b.fingerprint[31] ^= 1;
	ck_assert(!role_same(&a, &b));
	memset(&b, 0, sizeof(b));
	ck_assert(role_parse(&b, "dns:a.test"));
	ck_assert(!role_same(&a, &b));
	role_clear(&b);
}
END_TEST

/* A certificate for these alternatives, in OpenSSL's words, and this subject. */
static int names_of(const char *alternatives, const char *field,
		    const char *subject, char *out, size_t cap)
{
	struct pki ca = pki_make(&(struct pki_wish){ .name = "CA",
						     .ca = true });
	struct pki leaf = pki_make(&(struct pki_wish){ .name = "leaf",
						       .issuer = &ca });
	X509_EXTENSION *extension = alternatives ? X509V3_EXT_conf_nid(
		NULL, NULL, NID_subject_alt_name, alternatives) : NULL;
	unsigned char *der = NULL;
	int len, ret;

	if (extension)
		ck_assert_int_eq(X509_add_ext(leaf.x509, extension, -1), 1);
	X509_EXTENSION_free(extension);
	if (field)
		ck_assert_int_eq(X509_NAME_add_entry_by_txt(
			X509_get_subject_name(leaf.x509), field, MBSTRING_UTF8,
			(const void *)subject, -1, -1, 0), 1);
	ck_assert_int_gt(X509_sign(leaf.x509, ca.key, EVP_sha256()), 0);
	len = i2d_X509(leaf.x509, &der);
	ret = der_names(out, cap, der, (size_t)len);
	OPENSSL_free(der);
	pki_free(&leaf);
	pki_free(&ca);
	return ret;
}

static void same(const char *found, const char *wanted, size_t len)
{
	ck_assert_msg(memcmp(found, wanted, len) == 0, "%s...", found);
}

#define SAME(found, wanted) same(found, wanted, sizeof(wanted))

/* Names come with their kinds; addresses and other parts of a subject do not. */
START_TEST(test_names_of_certificates)
{
	char out[256];

	ck_assert_int_eq(names_of(NULL, NULL, NULL, out, sizeof(out)), 0);
	SAME(out, "cn:leaf\0");
	ck_assert_int_eq(names_of("DNS:a.test,IP:127.0.0.1,email:a@a.test,"
				  "URI:spiffe://a/b,DNS:b.test", "OU", "ops",
				  out, sizeof(out)), 0);
	SAME(out, "dns:a.test\0email:a@a.test\0uri:spiffe://a/b\0"
	     "dns:b.test\0cn:leaf\0");
	ck_assert_int_eq(names_of(NULL, "CN", "second", out, sizeof(out)), 0);
	SAME(out, "cn:leaf\0cn:second\0");
}
END_TEST

/* A zero byte or a letter beyond ASCII makes a name none at all. */
START_TEST(test_names_that_could_be_mistaken)
{
	char out[256];

	ck_assert_int_eq(names_of(NULL, "CN", "b\xc3\xb6se", out,
				  sizeof(out)), 0);
	SAME(out, "cn:leaf\0");
	ck_assert_int_eq(names_of("otherName:1.2.3;UTF8:dns", NULL, NULL, out,
				  sizeof(out)), 0);
	SAME(out, "cn:leaf\0");
}
END_TEST

/* "a.test" and a zero, and ".evil.test" behind it, as a DNS name. */
START_TEST(test_zero_in_a_name)
{
	static const char name[] = "a.test\0.evil.test";
	struct pki leaf = pki_make(&(struct pki_wish){ .name = "leaf" });
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *one = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();
	unsigned char *der = NULL;
	char out[256];
	int len;

	ASN1_STRING_set(text, name, sizeof(name) - 1);
	GENERAL_NAME_set0_value(one, GEN_DNS, text);
	sk_GENERAL_NAME_push(names, one);
	ck_assert_int_eq(X509_add1_ext_i2d(leaf.x509, NID_subject_alt_name,
					   names, 0, 0), 1);
	ck_assert_int_gt(X509_sign(leaf.x509, leaf.key, EVP_sha256()), 0);
	len = i2d_X509(leaf.x509, &der);
	ck_assert_int_eq(der_names(out, sizeof(out), der, (size_t)len), 0);
	SAME(out, "cn:leaf\0");
	OPENSSL_free(der);
	GENERAL_NAMES_free(names);
	pki_free(&leaf);
}
END_TEST

/* What does not fit is left out whole, and the end stays an end. */
START_TEST(test_names_that_do_not_fit)
{
	char out[64];
	size_t cap;

	for (cap = 2; cap < sizeof(out); cap++) {
		memset(out, 'x', sizeof(out));
		ck_assert_int_eq(names_of("DNS:a.test,DNS:b.test", NULL, NULL,
					  out, cap), 0);
		ck_assert_int_eq(out[cap - 1], '\0');
		ck_assert_int_eq(out[cap - 2] & out[cap - 1], '\0');
		ck_assert_int_eq(out[cap], 'x');
		ck_assert(out[0] == '\0' || strcmp(out, "dns:a.test") == 0 ||
			  strcmp(out, "cn:leaf") == 0);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("role");
	TCase *tcase = tcase_create("role");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_nobody);
	tcase_add_test(tcase, test_names);
	tcase_add_test(tcase, test_which_decides);
	tcase_add_test(tcase, test_each_bit);
	tcase_add_test(tcase, test_parse);
	tcase_add_test(tcase, test_names_of_certificates);
	tcase_add_test(tcase, test_names_that_could_be_mistaken);
	tcase_add_test(tcase, test_zero_in_a_name);
	tcase_add_test(tcase, test_names_that_do_not_fit);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

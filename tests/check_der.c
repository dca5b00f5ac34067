// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_der.c - what is read from certificates and revocation lists, beside
 * what OpenSSL reads from them; and that no cut and no flipped byte leads
 * astray.
 */
#include <check.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "der.h"
#include "pki.h"

static struct pki ca, leaf;

static void set_up(void)
{
	ca = pki_make(&(struct pki_wish){ .name = "CA", .ca = true,
					  .serial = 200 });
	leaf = pki_make(&(struct pki_wish){ .name = "leaf", .issuer = &ca,
					    .serial = 0x7fabcdef });
}

static void tear_down(void)
{
	pki_free(&ca);
	pki_free(&leaf);
}

static void is_name(struct der_span span, const X509_NAME *name)
{
	unsigned char *der = NULL;
	int len = i2d_X509_NAME(name, &der);

	ck_assert_uint_eq(span.len, (size_t)len);
	ck_assert_mem_eq(span.at, der, span.len);
	OPENSSL_free(der);
}

static int64_t seconds(const ASN1_TIME *at)
{
	struct tm tm;

	ck_assert_int_eq(ASN1_TIME_to_tm(at, &tm), 1);
	return timegm(&tm);
}

static void agrees(X509 *x509)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(x509);
	struct der_certificate cert;
	unsigned char *der = NULL;
	int len = i2d_X509(x509, &der);
	/* The content, with the zero that keeps it positive. */
	int zero;

	ck_assert_int_eq(der_certificate(&cert, der, (size_t)len), 0);
	zero = cert.serial.at[0] == 0;
	ck_assert_int_eq((int)cert.serial.len - zero,
			 ASN1_STRING_length(serial));
	ck_assert_mem_eq(cert.serial.at + zero, ASN1_STRING_get0_data(serial),
			 cert.serial.len - (size_t)zero);
	is_name(cert.issuer, X509_get_issuer_name(x509));
	is_name(cert.subject, X509_get_subject_name(x509));
	ck_assert_int_eq(cert.not_before_s, seconds(X509_get0_notBefore(x509)));
	ck_assert_int_eq(cert.not_after_s, seconds(X509_get0_notAfter(x509)));
	OPENSSL_free(der);
}

/* Names, serial and dates are OpenSSL's, past 2049 too. */
START_TEST(test_certificate)
{
	struct pki late = pki_make(&(struct pki_wish){ .name = "late",
			.begins_s = -60, .ends_s = 60 * 365 * 86400L });

	agrees(ca.x509);
	agrees(leaf.x509);
	agrees(late.x509);
	pki_free(&late);
}
END_TEST

/* Every cut is refused; a flipped byte is read or refused, within bounds. */
START_TEST(test_cut_and_flipped)
{
	struct der_certificate cert;
	unsigned char *der = NULL, *copy;
	size_t len = (size_t)i2d_X509(leaf.x509, &der), i;

	for (i = 0; i < len; i++) {
		copy = malloc(i ? i : 1);
		memcpy(copy, der, i);
		ck_assert_int_eq(der_certificate(&cert, copy, i), -1);
		free(copy);
		der[i] ^= 0xff;
		(void)der_certificate(&cert, der, len);
		der[i] ^= 0xff;
	}
	OPENSSL_free(der);
}
END_TEST

static unsigned char *list_der(const long *serials, size_t n, int *len)
{
	char path[] = "/tmp/check_der.XXXXXX";
	unsigned char *der = NULL;
	int fd = mkstemp(path);
	X509_CRL *crl;
	FILE *file;

	ck_assert_int_ge(fd, 0);
	close(fd);
	pki_append_list(path, &ca, serials, n, 7200);
	file = fopen(path, "r");
	crl = PEM_read_X509_CRL(file, NULL, NULL, NULL);
	fclose(file);
	unlink(path);
	*len = i2d_X509_CRL(crl, &der);
	X509_CRL_free(crl);
	return der;
}

/* All serials come, in the list's order; of an empty list none. */
START_TEST(test_list)
{
	static const long serials[] = { 3, 200, 70000 };
	struct der_span serial;
	struct der_list list;
	int len, n = _i ? 3 : 0, seen = 0;
	unsigned char *der = list_der(serials, (size_t)n, &len);
	int64_t now = time(NULL);

	ck_assert_int_eq(der_list(&list, der, (size_t)len), 0);
	is_name(list.issuer, X509_get_subject_name(ca.x509));
	ck_assert_int_ge(list.next_update_s, now + 7200 - 60);
	ck_assert_int_le(list.next_update_s, now + 7200);
	while (der_list_next(&list, &serial) == 1) {
		long value = 0;

		for (size_t i = 0; i < serial.len; i++)
			value = value << 8 | serial.at[i];
		ck_assert_int_eq(value, serials[seen++]);
	}
	ck_assert_int_eq(seen, n);
	ck_assert_int_eq(der_list_next(&list, &serial), 0);
	OPENSSL_free(der);
}
END_TEST

/* A cut list is refused; one with a broken entry says so. */
START_TEST(test_broken_list)
{
	static const long serials[] = { 3, 4 };
	struct der_span serial;
	struct der_list list;
	unsigned char *der;
	int len, i;

	der = list_der(serials, 2, &len);
	for (i = 0; i < len; i++) {
		unsigned char *copy = malloc(i ? (size_t)i : 1);

		memcpy(copy, der, (size_t)i);
		ck_assert_int_eq(der_list(&list, copy, (size_t)i), -1);
		free(copy);
	}
	for (i = 0; i < len; i++) {
		der[i] ^= 0xff;
		if (der_list(&list, der, (size_t)len) == 0)
			while (der_list_next(&list, &serial) == 1)
				ck_assert(serial.at >= der && serial.at +
					  serial.len <= der + len);
		der[i] ^= 0xff;
	}
	ck_assert_int_eq(der_list(&list, der, (size_t)len), 0);
	/* The first entry's INTEGER becomes something else. */
	*(unsigned char *)(uintptr_t)(list.entries.at + 2) = 0x04;
	ck_assert_int_eq(der_list_next(&list, &serial), -1);
	OPENSSL_free(der);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("der");
	TCase *tcase = tcase_create("der");
	int failed;
	SRunner *runner;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_certificate);
	tcase_add_test(tcase, test_cut_and_flipped);
	tcase_add_loop_test(tcase, test_list, 0, 2);
	tcase_add_test(tcase, test_broken_list);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

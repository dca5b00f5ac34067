/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * settings_maker.h - writes configuration files, with all that they name, in a
 * directory of their own, and reads them: for check_settings.c and
 * check_settings_wrong.c.
 */
#ifndef TESTS_SETTINGS_MAKER_H
#define TESTS_SETTINGS_MAKER_H

#include <check.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pki.h"
#include "settings.h"

/* Five lines, so that what a test adds begins at line 6. */
#define BASE "farm: example\nnode: node-1\nfarm_key: farm.key\n" \
	"store:\n  url: file:/tmp\n"
#define HOST "hosts:\n  - names: [a.test]\n    certificate: a.pem\n" \
	"    key: a.key\n"
#define TOKEN "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char dir[64];
static char conf[96];
static char *said;
static size_t said_len;
static struct settings *settings;

static const char *in_dir(const char *name)
{
	static char path[160];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(in_dir(name), "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(in_dir(name), mode), 0);
}

static void make_pair(const char *cert, const char *key)
{
	EVP_PKEY *pkey = EVP_EC_gen("P-256");
	X509 *x509 = X509_new();
	FILE *f;

	X509_set_version(x509, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
	X509_gmtime_adj(X509_getm_notBefore(x509), -60);
	X509_gmtime_adj(X509_getm_notAfter(x509), 86400);
	X509_set_pubkey(x509, pkey);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN",
				   MBSTRING_ASC, (const void *)"a.test", -1,
				   -1, 0);
	X509_set_issuer_name(x509, X509_get_subject_name(x509));
	ck_assert_int_gt(X509_sign(x509, pkey, EVP_sha256()), 0);
	f = fopen(in_dir(cert), "w");
	PEM_write_X509(f, x509);
	fclose(f);
	f = fopen(in_dir(key), "w");
	PEM_write_PrivateKey(f, pkey, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	X509_free(x509);
	EVP_PKEY_free(pkey);
}

/* A CA, and the revocation list of another one of its name. */
static void make_ca(void)
{
	struct pki ca = pki_make(&(struct pki_wish){ .name = "CA",
						     .ca = true });
	struct pki other = pki_make(&(struct pki_wish){ .name = "CA",
							.ca = true });
	const struct pki *all[] = { &ca };

	pki_write(in_dir("ca.pem"), all, 1);
	pki_append_list(in_dir("ca.crl"), &ca, NULL, 0, 3600);
	pki_append_list(in_dir("other.crl"), &other, NULL, 0, 3600);
	pki_free(&ca);
	pki_free(&other);
}

static void setup(void)
{
	strcpy(dir, "/tmp/check_settings.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	strcpy(conf, in_dir("stekd.yaml"));
	make_pair("a.pem", "a.key");
	make_pair("b.pem", "b.key");
	make_ca();
	write_file("farm.key", "it is read later\n", 0600);
	write_file("token", TOKEN "\n", 0600);
	write_file("password", "secret\n", 0600);
	ck_assert_int_eq(mkdir(in_dir("state"), 0700), 0);
	settings = NULL;
	said = NULL;
}

static void teardown(void)
{
	static const char *const names[] = {
		"a.pem", "a.key", "b.pem", "b.key", "farm.key", "token",
		"password", "ca.pem", "ca.crl", "other.crl", "stekd.yaml", "open", "short", "junk",
	};
	size_t i;

	settings_free(settings);
	free(said);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(in_dir(names[i]));
	rmdir(in_dir("state"));
	rmdir(dir);
}

/* Reads `text` as configuration; what it says is in `said`. */
static int read_bytes(const char *text, size_t len)
{
	FILE *f = fopen(conf, "w"), *err;
	int result;

	ck_assert_ptr_nonnull(f);
	fwrite(text, 1, len, f);
	fclose(f);
	settings_free(settings);
	settings = NULL;
	free(said);
	said = NULL;
	err = open_memstream(&said, &said_len);
	result = settings_read(&settings, conf, err);
	fclose(err);
	/* Either it is given, or something was said. */
	ck_assert_int_eq(result == 0, settings != NULL);
	ck_assert_int_eq(result == 0, said_len == 0);
	return result;
}

static inline void good(const char *text)
{
	ck_assert_msg(read_bytes(text, strlen(text)) == 0, "refused: %s",
		      said);
}

#endif

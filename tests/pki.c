/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pki.c - what pki.h declares.
 */
#include "pki.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

/* The clocks of memnode.h's farms are ahead by a year or so. */
#define YEARS_S (5 * 365 * 86400L)
#define DAY_S 86400

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void add_extension(X509 *x509, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, x509, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	must(extension && X509_add_ext(x509, extension, -1));
	X509_EXTENSION_free(extension);
}

static void extend(X509 *x509, X509 *issuer, const struct pki_wish *wish)
{
	const char *usage = wish->usage ? wish->usage : "clientAuth";

	add_extension(x509, issuer, NID_subject_key_identifier, "hash");
	add_extension(x509, issuer, NID_authority_key_identifier, "keyid");
	add_extension(x509, issuer, NID_basic_constraints,
		      wish->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	if (wish->ca)
		add_extension(x509, issuer, NID_key_usage,
			      "critical,keyCertSign,cRLSign");
	else if (usage[0])
		add_extension(x509, issuer, NID_ext_key_usage, usage);
}

struct pki pki_make(const struct pki_wish *wish)
{
	static long next_serial = 1000;
	struct pki out = { NULL, wish->rsa ? EVP_RSA_gen(2048) :
			   EVP_EC_gen("P-256") };
	const struct pki *issuer = wish->issuer ? wish->issuer : &out;
	bool dated = wish->begins_s || wish->ends_s;

	if (wish->clone_of) {
		out.x509 = X509_dup(wish->clone_of->x509);
		X509_set_pubkey(out.x509, out.key);
		must(X509_sign(out.x509, out.key, EVP_sha256()) > 0);
		return out;
	}
	out.x509 = X509_new();
	must(out.key && out.x509);
	X509_set_version(out.x509, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(out.x509),
			 wish->serial ? wish->serial : next_serial++);
	X509_gmtime_adj(X509_getm_notBefore(out.x509),
			dated ? wish->begins_s : -60);
	X509_gmtime_adj(X509_getm_notAfter(out.x509),
			dated ? wish->ends_s : YEARS_S);
	X509_set_pubkey(out.x509, out.key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(out.x509), "CN",
				   MBSTRING_UTF8, (const void *)wish->name,
				   -1, -1, 0);
	X509_set_issuer_name(out.x509, wish->issuer ?
			     X509_get_subject_name(issuer->x509) :
			     X509_get_subject_name(out.x509));
	extend(out.x509, wish->issuer ? issuer->x509 : out.x509, wish);
	must(X509_sign(out.x509, issuer->key, EVP_sha256()) > 0);
	return out;
}

void pki_free(struct pki *pki)
{
	X509_free(pki->x509);
	EVP_PKEY_free(pki->key);
	pki->x509 = NULL;
	pki->key = NULL;
}

void pki_write(const char *path, const struct pki *const *all, size_t n)
{
	FILE *file = fopen(path, "w");
	size_t i;

	must(file != NULL);
	for (i = 0; i < n; i++)
		must(PEM_write_X509(file, all[i]->x509));
	must(fclose(file) == 0);
}

void pki_write_key(const char *path, const struct pki *pki)
{
	FILE *file = fopen(path, "w");

	must(file && PEM_write_PrivateKey(file, pki->key, NULL, NULL, 0, NULL,
					  NULL));
	must(fclose(file) == 0);
}

static void revoke(X509_CRL *crl, long serial)
{
	X509_REVOKED *revoked = X509_REVOKED_new();
	ASN1_INTEGER *number = ASN1_INTEGER_new();
	ASN1_TIME *when = X509_gmtime_adj(NULL, -60);

	ASN1_INTEGER_set(number, serial);
	must(revoked && X509_REVOKED_set_serialNumber(revoked, number) &&
	     X509_REVOKED_set_revocationDate(revoked, when) &&
	     X509_CRL_add0_revoked(crl, revoked));
	ASN1_INTEGER_free(number);
	ASN1_TIME_free(when);
}

void pki_append_list(const char *path, const struct pki *ca,
		     const long *serials, size_t n, long ends_s)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *from = X509_gmtime_adj(NULL, -2 * DAY_S);
	ASN1_TIME *until = X509_gmtime_adj(NULL, ends_s);
	FILE *file = fopen(path, "a");
	size_t i;

	must(crl && from && until && file);
	X509_CRL_set_version(crl, X509_CRL_VERSION_2);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca->x509));
	X509_CRL_set1_lastUpdate(crl, from);
	X509_CRL_set1_nextUpdate(crl, until);
	for (i = 0; i < n; i++)
		revoke(crl, serials[i]);
	X509_CRL_sort(crl);
	must(X509_CRL_sign(crl, ca->key, EVP_sha256()) > 0);
	must(PEM_write_X509_CRL(file, crl) && fclose(file) == 0);
	ASN1_TIME_free(from);
	ASN1_TIME_free(until);
	X509_CRL_free(crl);
}

const char *pki_fingerprint(const struct pki *pki)
{
	static char text[2 * EVP_MAX_MD_SIZE + 1];
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0, i;

	must(X509_digest(pki->x509, EVP_sha256(), digest, &len));
	for (i = 0; i < len; i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
	return text;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * raw13_who.c - the clients of raw13.h: two CAs, of which one is trusted, and
 * certificates by them, made once for each test process.
 */
#include "raw13_who.h"

#include <stdlib.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

struct person {
	X509 *cert;
	EVP_PKEY *key;
};

static struct person ca, other_ca, people[RAW13_WHO];

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void set_name(X509 *cert, const char *text)
{
	X509_NAME *name = X509_get_subject_name(cert);

	must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
					(const unsigned char *)text, -1, -1,
					0));
}

static void add_extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	must(ext && X509_add_ext(cert, ext, -1));
	X509_EXTENSION_free(ext);
}

/* `by` NULL: a CA, signed by itself. Takes over `key`. */
static void issue(struct person *out, const struct person *by, EVP_PKEY *key,
		  const char *name, long valid_s)
{
	static long serial;
	const struct person *signer = by ? by : out;

	must(key != NULL);
	out->key = key;
	out->cert = X509_new();
	must(out->cert && X509_set_version(out->cert, 2) &&
	     ASN1_INTEGER_set(X509_get_serialNumber(out->cert), ++serial));
	X509_gmtime_adj(X509_getm_notBefore(out->cert), -7200);
	X509_gmtime_adj(X509_getm_notAfter(out->cert), valid_s);
	set_name(out->cert, name);
	X509_set_issuer_name(out->cert, X509_get_subject_name(signer->cert));
	X509_set_pubkey(out->cert, key);
	add_extension(out->cert, NID_basic_constraints,
		      by ? "critical,CA:FALSE" : "critical,CA:TRUE");
	add_extension(out->cert, NID_key_usage,
		      by ? "critical,digitalSignature" :
		      "critical,keyCertSign,cRLSign");
	must(X509_sign(out->cert, signer->key, EVP_sha256()) > 0);
}

/* Made when first asked for: a key of RSA takes its time. */
static const struct person *person(enum raw13_who who)
{
	static const char *const names[RAW13_WHO] = {
		"clients' CA", "alice", "bob", "rsa", "stranger", "expired",
	};
	struct person *out = who == RAW13_NOBODY ? &ca : &people[who];

	if (out->cert)
		return out;
	if (!ca.cert && who != RAW13_NOBODY)
		(void)person(RAW13_NOBODY);
	if (who == RAW13_STRANGER)
		issue(&other_ca, NULL, EVP_EC_gen("P-256"), "other CA", 86400);
	if (who == RAW13_NOBODY)
		issue(out, NULL, EVP_EC_gen("P-256"), names[who], 86400);
	else if (who == RAW13_STRANGER)
		issue(out, &other_ca, EVP_EC_gen("P-256"), names[who], 86400);
	else
		issue(out, &ca, who == RAW13_RSA ? EVP_RSA_gen(2048) :
		      EVP_EC_gen("P-256"), names[who],
		      who == RAW13_EXPIRED ? -3600 : 86400);
	return out;
}

const uint8_t *raw13_certificate(enum raw13_who who, size_t *len)
{
	static uint8_t der[2048];
	uint8_t *at = der;
	X509 *cert;
	int n;

	cert = person(who)->cert;
	n = i2d_X509(cert, NULL);
	must(n > 0 && (size_t)n <= sizeof(der));
	*len = (size_t)i2d_X509(cert, &at);
	return der;
}

const uint8_t *raw13_key(enum raw13_who who, size_t *len)
{
	static uint8_t der[2048];
	uint8_t *at = der;
	int n = i2d_PrivateKey(person(who)->key, NULL);

	must(n > 0 && (size_t)n <= sizeof(der));
	*len = (size_t)i2d_PrivateKey(person(who)->key, &at);
	return der;
}

const char *raw13_ca_pem(void)
{
	static char pem[4096];
	BIO *bio = BIO_new(BIO_s_mem());
	int n;

	must(bio && PEM_write_bio_X509(bio, person(RAW13_NOBODY)->cert));
	n = BIO_read(bio, pem, sizeof(pem) - 1);
	must(n > 0);
	pem[n] = '\0';
	BIO_free(bio);
	return pem;
}

void raw13_be(SSL *ssl, enum raw13_who who)
{
	SSL_certs_clear(ssl);
	if (who != RAW13_NOBODY)
		must(SSL_use_certificate(ssl, person(who)->cert) &&
		     SSL_use_PrivateKey(ssl, person(who)->key));
}

void raw13_sign(enum raw13_who signer, const uint8_t *content, size_t len,
		uint8_t *out, size_t *out_len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *key_ctx;

	must(ctx && EVP_DigestSignInit(ctx, &key_ctx, EVP_sha256(), NULL,
				       person(signer)->key) > 0);
	if (signer == RAW13_RSA)
		must(EVP_PKEY_CTX_set_rsa_padding(key_ctx,
						  RSA_PKCS1_PSS_PADDING) > 0 &&
		     EVP_PKEY_CTX_set_rsa_pss_saltlen(key_ctx,
						      RSA_PSS_SALTLEN_DIGEST) >
			     0);
	must(EVP_DigestSign(ctx, out, out_len, content, len) > 0);
	EVP_MD_CTX_free(ctx);
}

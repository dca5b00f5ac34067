/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * raw13_who.c - the clients of raw13.h: two CAs, of which one is trusted, and
 * certificates by them, made once in each test process.
 */
#include "raw13_who.h"

#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>

#include "pki.h"

static struct pki ca, other_ca, people[RAW13_WHO];

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* Made when first asked for: a key of RSA takes its time. */
static const struct pki *person(enum raw13_who who)
{
	static const char *const names[RAW13_WHO] = {
		"clients' CA", "alice", "bob", "rsa", "stranger", "expired",
	};
	const struct pki_wish authority = { .name = "CA", .ca = true };
	struct pki_wish wish = {
		.name = names[who], .issuer = &ca, .rsa = who == RAW13_RSA,
	};

	if (!ca.x509)
		ca = pki_make(&authority);
	if (who == RAW13_NOBODY)
		return &ca;
	if (people[who].x509)
		return &people[who];
	if (who == RAW13_STRANGER) {
		other_ca = pki_make(&authority);
		wish.issuer = &other_ca;
	}
	if (who == RAW13_EXPIRED) {
		wish.begins_s = -7200;
		wish.ends_s = -3600;
	}
	people[who] = pki_make(&wish);
	return &people[who];
}

const uint8_t *raw13_certificate(enum raw13_who who, size_t *len)
{
	static uint8_t der[2048];
	uint8_t *at = der;
	int n = i2d_X509(person(who)->x509, NULL);

	must(n > 0 && (size_t)n <= sizeof(der));
	*len = (size_t)i2d_X509(person(who)->x509, &at);
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

const char *raw13_fingerprint(enum raw13_who who)
{
	return pki_fingerprint(person(who));
}

void raw13_write_ca(const char *path)
{
	const struct pki *all[] = { person(RAW13_NOBODY) };

	pki_write(path, all, 1);
}

void raw13_be(SSL *ssl, enum raw13_who who)
{
	SSL_certs_clear(ssl);
	if (who != RAW13_NOBODY)
		must(SSL_use_certificate(ssl, person(who)->x509) &&
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

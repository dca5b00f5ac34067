/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tls_cert.c - what a host's own certificate is made of, in the words that
 * PROXY headers use for it. Told once, when tls_hosts.c makes the contexts.
 */
#include "tls_hosts.h"

#include <stdio.h>

#include <wolfssl/openssl/evp.h>
#include <wolfssl/wolfcrypt/asn_public.h>

/* OpenSSL's short names, which HAProxy puts there. */
static const struct {
	int type;
	const char *name;
} signatures[] = {
	{ CTC_SHA256wRSA, "RSA-SHA256" },
	{ CTC_SHA384wRSA, "RSA-SHA384" },
	{ CTC_SHA512wRSA, "RSA-SHA512" },
	{ CTC_SHA256wECDSA, "ecdsa-with-SHA256" },
	{ CTC_SHA384wECDSA, "ecdsa-with-SHA384" },
	{ CTC_SHA512wECDSA, "ecdsa-with-SHA512" },
	{ CTC_RSASSAPSS, "rsassaPss" },
	{ CTC_SHAwRSA, "RSA-SHA1" },
};

static const char *signature_of(WOLFSSL_X509 *x509)
{
	int type = wolfSSL_X509_get_signature_type(x509);
	size_t i;

	for (i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++)
		if (signatures[i].type == type)
			return signatures[i].name;
	return NULL;
}

void tls__describe_certificate(struct tls_host *own, const char *file)
{
	WOLFSSL_X509 *x509 = wolfSSL_X509_load_certificate_file(file,
						WOLFSSL_FILETYPE_PEM);
	WOLFSSL_EVP_PKEY *key;
	const char *kind = NULL;

	if (!x509)
		return;
	own->signature = signature_of(x509);
	key = wolfSSL_X509_get_pubkey(x509);
	if (key && wolfSSL_EVP_PKEY_base_id(key) == EVP_PKEY_RSA)
		kind = "RSA";
	if (key && wolfSSL_EVP_PKEY_base_id(key) == EVP_PKEY_EC)
		kind = "EC";
	if (kind)
		snprintf(own->key, sizeof(own->key), "%s%d", kind,
			 wolfSSL_EVP_PKEY_bits(key));
	wolfSSL_EVP_PKEY_free(key);
	wolfSSL_X509_free(x509);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tamper.c - opens and seals a client's records with the secrets of its key
 * log. helper_tamper.c calls it.
 */
#include "tamper.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NONCE = 12, KEY = 16, SECRET_MAX = 48 };

void tamper_die(const char *why)
{
	fprintf(stderr, "helper_tamper: %s\n", why);
	exit(1);
}

static size_t unhex(const char *text, uint8_t *out, size_t cap)
{
	unsigned byte;
	size_t n = 0;

	while (n < cap && sscanf(text + 2 * n, "%2x", &byte) == 1)
		out[n++] = (uint8_t)byte;
	return n;
}

/*
 * The secret that the key log holds under `label`: in TLS 1.3 this client's. A
 * resumed session of TLS 1.2 has the master secret of the one before, and some
 * clients log it but once, so the last one counts.
 */
static size_t logged_secret(const struct tamper *tamper, const char *label,
			    uint8_t out[SECRET_MAX])
{
	char line[512], name[64], id[2 * TAMPER_RANDOM + 1], secret[2 * SECRET_MAX + 1];
	uint8_t random[TAMPER_RANDOM];
	FILE *file = tamper->keys_path ? fopen(tamper->keys_path, "r") : NULL;
	size_t n = 0;

	if (!file)
		tamper_die("no key log");
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%63s %64s %96s", name, id, secret) == 3 &&
		    !strcmp(name, label) &&
		    unhex(id, random, TAMPER_RANDOM) == TAMPER_RANDOM &&
		    (!tamper->tls13 ||
		     !memcmp(random, tamper->client_random, TAMPER_RANDOM)))
			n = unhex(secret, out, SECRET_MAX);
	fclose(file);
	if (!n)
		tamper_die("the key log lacks this connection");
	return n;
}

static void derive(const char *kdf_name, OSSL_PARAM *params, uint8_t *out,
		   size_t len)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, kdf_name, NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);

	if (EVP_KDF_derive(ctx, out, len, params) != 1)
		tamper_die("no key");
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
}

static OSSL_PARAM octets(const char *name, const void *bytes, size_t len)
{
	return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)bytes,
						 len);
}

static OSSL_PARAM sha256(void)
{
	return OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
						(char *)(uintptr_t)"SHA256", 0);
}

/* HKDF-Expand-Label, RFC 8446 s7.1, without a context. */
static void expand(const uint8_t *secret, size_t secret_len, const char *label,
		   uint8_t *out, size_t len)
{
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	uint8_t info[32] = { 0, (uint8_t)len, (uint8_t)(6 + strlen(label)) };
	size_t n = 3;
	OSSL_PARAM params[5];

	memcpy(info + n, "tls13 ", 6);
	memcpy(info + n + 6, label, strlen(label));
	n += 6 + strlen(label) + 1;
	params[0] = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
	params[1] = sha256();
	params[2] = octets(OSSL_KDF_PARAM_KEY, secret, secret_len);
	params[3] = octets(OSSL_KDF_PARAM_INFO, info, n);
	params[4] = OSSL_PARAM_construct_end();
	derive("HKDF", params, out, len);
}

/* The client's part of the key block, RFC 5246 s6.3. */
static void expand12(struct tamper *tamper, const uint8_t *secret,
		     size_t secret_len)
{
	uint8_t block[2 * KEY + 8];
	OSSL_PARAM params[] = {
		sha256(),
		octets(OSSL_KDF_PARAM_SECRET, secret, secret_len),
		octets(OSSL_KDF_PARAM_SEED, "key expansion", 13),
		octets(OSSL_KDF_PARAM_SEED, tamper->server_random, TAMPER_RANDOM),
		octets(OSSL_KDF_PARAM_SEED, tamper->client_random, TAMPER_RANDOM),
		OSSL_PARAM_construct_end(),
	};

	derive("TLS1-PRF", params, block, sizeof(block));
	memcpy(tamper->key, block, KEY);
	memcpy(tamper->iv, block + 2 * (size_t)KEY, 4);
}

void tamper_keys(struct tamper *tamper)
{
	uint8_t secret[SECRET_MAX];
	size_t len;

	if (!tamper->tls13) {
		len = logged_secret(tamper, "CLIENT_RANDOM", secret);
		expand12(tamper, secret, len);
		return;
	}
	len = logged_secret(tamper, "CLIENT_HANDSHAKE_TRAFFIC_SECRET", secret);
	expand(secret, len, "key", tamper->key, KEY);
	expand(secret, len, "iv", tamper->iv, NONCE);
}

/* Nonce and associated data of a record that holds `len` bytes in the clear. */
static size_t circumstances(const struct tamper *tamper, const uint8_t *record,
			    size_t len, uint8_t *nonce, uint8_t aad[13])
{
	memcpy(nonce, tamper->iv, NONCE);
	if (tamper->tls13) {
		for (int i = 0; i < 8; i++)
			nonce[4 + i] ^= (uint8_t)(tamper->sequence >> (56 - 8 * i));
		memcpy(aad, record, 3);
		tamper_put(aad + 3, len + TAMPER_TAG, 2);
		return TAMPER_HEADER;
	}
	memcpy(nonce + 4, record + TAMPER_HEADER, 8);
	tamper_put(aad, tamper->sequence, 8);
	memcpy(aad + 8, record, 3);
	tamper_put(aad + 11, len, 2);
	return 13;
}

bool tamper_crypt(const struct tamper *tamper, bool seal, const uint8_t *record,
		  uint8_t *text, size_t len)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t nonce[NONCE], aad[13];
	size_t aad_len = circumstances(tamper, record, len, nonce, aad);
	int n, good;

	EVP_CipherInit_ex(ctx, EVP_aes_128_gcm(), NULL, tamper->key, nonce, seal);
	EVP_CipherUpdate(ctx, NULL, &n, aad, (int)aad_len);
	EVP_CipherUpdate(ctx, text, &n, text, (int)len);
	if (!seal)
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAMPER_TAG,
				    text + len);
	good = EVP_CipherFinal_ex(ctx, text + len, &n);
	if (seal)
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAMPER_TAG,
				    text + len);
	EVP_CIPHER_CTX_free(ctx);
	return good == 1;
}

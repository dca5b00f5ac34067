/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Turns an offer into a context of OpenSSL's: versions, suites, groups, schemes,
 * protocols and the client's certificate. Whatever OpenSSL refuses is told here,
 * before the first connection.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#include "talk.h"

#define LIST_MAX 1000

/* Encrypted keys are refused: nothing here asks for a passphrase. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)writing;
	(void)arg;
	if (size > 0)
		buf[0] = '\0';
	return -1;
}

/* "h2,http/1.1" as RFC 7301 s3.1 has it: each behind its length. */
static bool protocols(SSL_CTX *ctx, const char *list)
{
	unsigned char wire[LIST_MAX];
	size_t at = 0;

	while (*list) {
		size_t len = strcspn(list, ",");

		if (len == 0 || len > 255 || at + len + 1 > sizeof(wire))
			return false;
		wire[at++] = (unsigned char)len;
		memcpy(wire + at, list, len);
		at += len;
		list += len + (list[len] == ',');
	}
	return at > 0 && SSL_CTX_set_alpn_protos(ctx, wire, (unsigned)at) == 0;
}

static void versions(SSL_CTX *ctx, const struct offer *offer)
{
	int least = offer->versions[TLS_V12] ? TLS1_2_VERSION : TLS1_3_VERSION;
	int most = offer->versions[TLS_V13] ? TLS1_3_VERSION : TLS1_2_VERSION;

	if (offer->legacy) {
		SSL_CTX_set_security_level(ctx, 0);
		least = TLS1_VERSION;
	}
	SSL_CTX_set_min_proto_version(ctx, least);
	SSL_CTX_set_max_proto_version(ctx, most);
}

/* NULL, or which option is wrong. */
static const char *apply(SSL_CTX *ctx, const struct offer *offer)
{
	versions(ctx, offer);
	if (offer->legacy && !offer->suites &&
	    SSL_CTX_set_cipher_list(ctx, "ALL") != 1)
		return "--suites";
	if (offer->suites && !tls_set_suites(ctx, offer->suites))
		return "--suites";
	if (offer->tls.groups &&
	    SSL_CTX_set1_groups_list(ctx, offer->tls.groups) != 1)
		return "--groups";
	if (offer->schemes &&
	    SSL_CTX_set1_sigalgs_list(ctx, offer->schemes) != 1)
		return "--schemes";
	if (offer->alpn && !protocols(ctx, offer->alpn))
		return "--alpn";
	if (offer->tls.ca && SSL_CTX_load_verify_file(ctx, offer->tls.ca) != 1)
		return "--ca";
	if (!offer->cert)
		return NULL;
	if (SSL_CTX_use_certificate_chain_file(ctx, offer->cert) != 1)
		return "--cert";
	if (SSL_CTX_use_PrivateKey_file(ctx, offer->key, SSL_FILETYPE_PEM) != 1)
		return "--key";
	return SSL_CTX_check_private_key(ctx) == 1 ? NULL : "--key";
}

SSL_CTX *talk_context(const struct offer *offer, FILE *err)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	const char *wrong, *why;

	if (!ctx)
		return NULL;
	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
					    SSL_SESS_CACHE_NO_INTERNAL);
	/* Or OpenSSL would answer an end of file with decode_error. */
	SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
	if (offer->fallback)
		SSL_CTX_set_mode(ctx, SSL_MODE_SEND_FALLBACK_SCSV);
	ERR_clear_error();
	wrong = apply(ctx, offer);
	if (!wrong)
		return ctx;
	why = ERR_reason_error_string(ERR_peek_last_error());
	fprintf(err, "stekprobe: %s: %s\n", wrong,
		why ? why : "wrong value, or the file cannot be read");
	ERR_clear_error();
	SSL_CTX_free(ctx);
	return NULL;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tls_client_private.h - what a host demands, as tls_client.c reads it and
 * tls_verify.c judges by it.
 */
#ifndef STEKD_TLS_CLIENT_PRIVATE_H
#define STEKD_TLS_CLIENT_PRIVATE_H

#include "tls_client.h"

#include <wolfssl/wolfcrypt/sha256.h>

#include "deny.h"
#include "der.h"
#include "tls_pem.h"

#define TAG_LEN sizeof(((struct stek_identity *)0)->issuer_serial)

struct tls_client {
	enum client_auth mode;
	unsigned depth;
	char *ca_path;
	struct tls_pem cas, lists;
	struct der_certificate *anchors;	/* of `cas`, in their order */
	uint8_t trust[WC_SHA256_DIGEST_SIZE];	/* over all anchors */
	uint8_t (*revoked)[TAG_LEN];		/* sorted */
	size_t n_revoked;
	int64_t lists_until_s;			/* the first to lapse */
	struct deny *deny;			/* the node's */
	struct host_roles roles;		/* of an admin host */
	uint64_t mark;				/* digest of its policy */
};

/* What a ticket keeps of a certificate, and a list to look it up in. */
int tls__client_tag(uint8_t out[TAG_LEN], struct der_span issuer,
		    struct der_span serial);
int tls__compare_tags(const void *a, const void *b);

bool tls__in_time(const struct der_certificate *cert, int64_t now_s);

/* The library's verify callback. */
int tls__on_certificate(int good, WOLFSSL_X509_STORE_CTX *store);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tls_pem.h - a PEM file of several certificates or revocation lists, as DER.
 */
#ifndef STEKD_TLS_PEM_H
#define STEKD_TLS_PEM_H

#include "tls_hosts.h"

struct tls_pem {
	struct tls_pem_part {
		uint8_t *der;
		size_t len;
	} *parts;
	size_t n;
};

/*
 * `type` is CERT_TYPE or CRL_TYPE of wolfSSL; PEM parts of other types and
 * text between them are passed over. At least one part. 0, or -1 with `why`.
 */
int tls_pem_read(struct tls_pem *out, const char *path, int type, char *why,
		 size_t why_len);
void tls_pem_clear(struct tls_pem *pem);

#endif

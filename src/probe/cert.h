/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cert.h - what stands in a certificate, as text that may be shown. */
#ifndef PROBE_CERT_H
#define PROBE_CERT_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/x509.h>

#define CERT_CHAIN_MAX 10

struct cert {
	char subject[256], issuer[256];
	char names[512];	/* DNS names and addresses, by ", " */
	char key[64];		/* "EC P-256", "RSA 2048" */
	char signature[64];	/* how it was signed */
	char fingerprint[65];	/* SHA-256 */
	int64_t not_before_s, not_after_s;	/* since the epoch */
};

/* The client's own certificate, as a server will see it. */
struct cert_own {
	bool given;
	unsigned n;		/* certificates in the file: what is sent */
	int64_t not_before_s, not_after_s;
	bool for_clients;	/* its key usage, if it has any, says so */
};

void cert_read(struct cert *out, X509 *x509);

/* -1 if the file has no certificate in PEM. */
int cert_own_read(struct cert_own *out, const char *path);

#endif

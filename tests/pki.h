/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pki.h - certificates and revocation lists for tests, made with OpenSSL.
 * Whatever fails here aborts the test.
 */
#ifndef TESTS_PKI_H
#define TESTS_PKI_H

#include <stdbool.h>

#include <openssl/x509.h>

struct pki {
	X509 *x509;
	EVP_PKEY *key;
};

/* What a certificate is to be; zero is a client's, self-signed. */
struct pki_wish {
	const char *name;		/* common name */
	const struct pki *issuer;	/* NULL: itself */
	long serial;			/* 0: the next */
	long begins_s, ends_s;		/* from now; both 0: -60, 5 years */
	bool ca;
	bool rsa;			/* else P-256 */
	const char *usage;		/* extended; NULL: clientAuth, "": none */
	const struct pki *clone_of;	/* every extension and name of that one,
					   under another key, self-signed */
};

struct pki pki_make(const struct pki_wish *wish);
void pki_free(struct pki *pki);

/* Writes PEM: several certificates into one file; a key. */
void pki_write(const char *path, const struct pki *const *all, size_t n);
void pki_write_key(const char *path, const struct pki *pki);

/* A list of revoked serials that ends `ends_s` from now, in PEM; appended. */
void pki_append_list(const char *path, const struct pki *ca,
		     const long *serials, size_t n, long ends_s);

/* SHA-256 of the certificate, hexadecimal, in a static buffer. */
const char *pki_fingerprint(const struct pki *pki);

#endif

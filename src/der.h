/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * der.h - the few parts of certificates and revocation lists (RFC 5280) that
 * stekd needs and the library does not hand out: names, serial numbers and
 * dates, in place. Signatures are the library's to check. Pure.
 */
#ifndef STEKD_DER_H
#define STEKD_DER_H

#include "cursor.h"

struct der_span {
	const uint8_t *at;
	size_t len;
};

struct der_certificate {
	struct der_span issuer, subject;	/* Name, with its header */
	struct der_span serial;			/* the INTEGER's content */
	int64_t not_before_s, not_after_s;
};

/* 0, or -1 when it is not one certificate; *out is then undefined. */
int der_certificate(struct der_certificate *out, const uint8_t *der,
		    size_t len);

/*
 * The names of a certificate that can be given a role: "dns:", "email:" and
 * "uri:" of its subjectAltName (RFC 5280 s4.2.1.6) and "cn:" of its subject,
 * each ended by a zero and the last by two. What is not printable ASCII, or
 * does not fit any more, is left out. -1 when it is not one certificate.
 */
int der_names(char *out, size_t cap, const uint8_t *der, size_t len);

struct der_list {
	struct der_span issuer;
	int64_t next_update_s;		/* INT64_MAX: it names none */
	struct cursor entries;		/* private */
};

/* A CertificateList. 0 or -1. */
int der_list(struct der_list *out, const uint8_t *der, size_t len);

/* The next revoked serial: 1, 0 at the end, -1 when the list is broken. */
int der_list_next(struct der_list *list, struct der_span *serial);

#endif

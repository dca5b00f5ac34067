/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * der_private.h - elements of DER (X.690), as der.c and der_names.c read them.
 */
#ifndef STEKD_DER_PRIVATE_H
#define STEKD_DER_PRIVATE_H

#include "der.h"

enum {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_OCTETS = 0x04,
	DER_OID = 0x06,
	DER_UTC_TIME = 0x17,
	DER_GENERALIZED_TIME = 0x18,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
	DER_EXPLICIT_0 = 0xa0,		/* [0] EXPLICIT, of a certificate */
	DER_EXPLICIT_3 = 0xa3,
};

/* The content of the next element, which must have this tag. */
struct cursor der__take(struct cursor *c, uint8_t tag);

/* The same of any tag, which is told. */
struct cursor der__take_any(struct cursor *c, uint8_t *tag);

bool der__next_is(const struct cursor *c, uint8_t tag);

/*
 * As far as der_certificate() reads; *rest: what follows the subject's name in
 * the part that is signed.
 */
int der__certificate(struct der_certificate *out, struct cursor *rest,
		     const uint8_t *der, size_t len);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * raw13_who.h - the signatures that raw13.c asks of raw13_who.c.
 */
#ifndef RAW13_WHO_H
#define RAW13_WHO_H

#include "raw13.h"

/* ecdsa_secp256r1_sha256, of RAW13_RSA rsa_pss_rsae_sha256. */
void raw13_sign(enum raw13_who signer, const uint8_t *content, size_t len,
		uint8_t *out, size_t *out_len);

#endif

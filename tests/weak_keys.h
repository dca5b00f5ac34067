/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * weak_keys.h - the keys that broken generators and forgotten initialisations
 * have given (REQ-21), and whether a ticket opens under one of them.
 */
#ifndef STEK_TESTS_WEAK_KEYS_H
#define STEK_TESTS_WEAK_KEYS_H

#include <wolfssl/options.h>

#include <string.h>

#include <wolfssl/wolfcrypt/chacha20_poly1305.h>

#include "ticket.h"

#define WEAK_KEYS 774

/* By the cipher itself: what refuses bad keys is not asked. */
static inline int weak_open(const struct stek_ticket *sealed,
			    const struct stek_ticket_aad *aad,
			    const uint8_t *secret)
{
	uint8_t in[sizeof(sealed->body) + STEK_TICKET_TAG_LEN];
	uint8_t out[sizeof(sealed->body)], nonce[24], bound[48];

	memcpy(in, sealed->body, sealed->body_len);
	memcpy(in + sealed->body_len, sealed->tag, STEK_TICKET_TAG_LEN);
	memcpy(nonce, sealed->iv, 16);
	memcpy(nonce + 16, sealed->extra, 8);
	memcpy(bound, aad->digest, 32);
	memcpy(bound + 32, sealed->key_name, 16);
	return wc_XChaCha20Poly1305_Decrypt(out, sealed->body_len, in,
					    sealed->body_len + 16, bound,
					    sizeof(bound), nonce, sizeof(nonce),
					    secret, STEK_SECRET_LEN);
}

/* The n-th of them; false at the end. */
static inline bool weak_key(unsigned n, uint8_t secret[STEK_SECRET_LEN])
{
	static const uint8_t words[][4] = {
		{ 0xde, 0xad, 0xbe, 0xef }, { 0xba, 0xad, 0xf0, 0x0d },
		{ 0xcc, 0xcc, 0xcc, 0xcd }, { 0x00, 0x00, 0x00, 0x01 },
		{ 0x01, 0x00, 0x00, 0x00 }, { 0xfe, 0xee, 0xfe, 0xee },
	};

	if (n < 256) {
		memset(secret, (int)n, STEK_SECRET_LEN);
		return true;
	}
	n -= 256;
	for (unsigned i = 0; i < STEK_SECRET_LEN; i++) {
		if (n < 256)
			secret[i] = (uint8_t)(n + i);
		else if (n < 512)
			secret[i] = (uint8_t)(n - i);
		else if (n < 518)
			secret[i] = words[n - 512][i % 4];
	}
	return n < 518;
}

/* How many of them open it. */
static inline unsigned weak_opens(const struct stek_ticket *sealed,
				  const struct stek_ticket_aad *aad)
{
	uint8_t secret[STEK_SECRET_LEN];
	unsigned opens = 0, n;

	for (n = 0; weak_key(n, secret); n++)
		opens += weak_open(sealed, aad, secret) == 0;
	return n == WEAK_KEYS ? opens : WEAK_KEYS + 1;
}

#endif

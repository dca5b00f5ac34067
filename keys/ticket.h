/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ticket.h - the envelope: seals a TLS library's session state and our own
 * fields under one key, and opens it again. Knows no library: wolfssl.c maps
 * these parts onto what wolfSSL hands to its callback.
 *
 * Nonce: 24 bytes, `iv` (16) and the first 8 of `extra`. `extra` then holds 8
 * bytes that name the policy in the clear, so that a ticket of another host is
 * told from a forged one. The plaintext is the library's state of state_len
 * bytes followed by STEK_TICKET_OWN_LEN bytes:
 *
 *	format 1 | auth status 1 | issuing node 4 | sealed at 8 | chain start 8 |
 *	notAfter 8 | hash of issuer and serial 8 ...
 *
 * (the exact layout stands in ticket.c; the certificate's fingerprint travels
 * in unused bytes of the state, which wolfssl.c finds and clears).
 */
#ifndef STEK_TICKET_H
#define STEK_TICKET_H

#include "schedule.h"
#include "stek_wolfssl.h"

#define STEK_TICKET_IV_LEN 16
#define STEK_TICKET_TAG_LEN 16
#define STEK_TICKET_EXTRA_LEN 16
#define STEK_TICKET_OWN_LEN 32

/* Associated data, computed once for each attached context and TLS version. */
struct stek_ticket_aad {
	uint8_t digest[STEK_DIGEST_LEN];
};

#endif

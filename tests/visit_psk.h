/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * visit_psk.h - the visits of a client that would resume without a key exchange
 * alone. OpenSSL never offers psk_ke without psk_dhe_ke; wolfSSL does. Hidden
 * from what sees OpenSSL's headers.
 */
#ifndef TESTS_VISIT_PSK_H
#define TESTS_VISIT_PSK_H

#include <stdint.h>

/*
 * Of one full handshake at `node` (outcome none_offered) and then, with its
 * ticket, one at `other` that must be full too. Ends the program if it resumed.
 */
void visit_psk_ke(unsigned node, unsigned other, const char *name,
		  const char *ca);

#endif

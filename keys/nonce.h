/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nonce.h - the 192-bit nonce of a ticket, without a system call per ticket.
 *
 * Every node seals under the same key, so no two tickets of the farm may share
 * a nonce: what XChaCha20-Poly1305 seals twice under one nonce can be read, and
 * forged. Nonces that the system's generator draws one by one cannot meet (192
 * bits); but that costs a system call each, and where a machine is copied while
 * it runs, the kernel's generator may be copied with it. So a thread draws a
 * secret, and derives:
 *
 *	nonce = ChaCha20(secret, Poly1305(secret', count, aad, plaintext))
 *
 * of which 24 bytes are taken: a keyed hash, then a pseudo-random function, as
 * AES-GCM-SIV (RFC 8452) derives its tag. It follows that
 *
 * - one thread never hashes the same twice: the count differs. Two of its
 *   inputs meet in the hash with a probability below 2^-98, so among the 2^16
 *   of one secret below 2^-67, and threads and nodes have secrets of their own;
 * - a child of fork(2) or clone(2) draws a new secret before its first nonce
 *   (life.h): the two never share one;
 * - a copied machine goes on with the same secret and the same count until the
 *   next draw, a second later at the latest (sooner after 2^16 nonces), and if
 *   its kernel was not told (VMGENID), perhaps with the same draws. Then a
 *   nonce repeats only where associated data and plaintext, the session's
 *   secret and the milliseconds of its sealing among it, are all the same: the
 *   same ticket twice, which says nothing but that. Plain random nonces, and a
 *   counter behind a random prefix, would have given both sessions away.
 *
 * The secret opens nothing: who learned it could tell nonces beforehand, and
 * try guesses of a plaintext that holds a secret of 384 bits.
 */
#ifndef STEK_NONCE_H
#define STEK_NONCE_H

#include "stek.h"

#define STEK_NONCE_LEN 24
#define STEK_NONCE_INPUT_MAX 368
#define STEK_NONCE_DRAW_MS 1000		/* a secret's time */
#define STEK_NONCE_DRAW_COUNT 65536	/* and the most nonces by it */

/*
 * The nonce for sealing `plain` with the associated data `aad` (together at
 * most STEK_NONCE_INPUT_MAX bytes). `now_ms` is any clock: where it has gone on
 * by a secret's time, or back, the next one is drawn. Allocates nothing, and
 * takes no lock but life.c's, once in a process. STEK_ERANDOM (nothing could be
 * drawn), STEK_EINVAL, STEK_ECRYPTO; *out is untouched then.
 */
int stek__nonce_make(uint8_t out[STEK_NONCE_LEN], int64_t now_ms,
		     const uint8_t *aad, size_t aad_len, const uint8_t *plain,
		     size_t plain_len) STEK_CHECKED;

#endif

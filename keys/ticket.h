/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ticket.h - the envelope: seals a TLS library's session state and our own
 * fields under one key, and opens it again. Knows no library: wolfssl.c maps
 * these parts onto what wolfSSL hands to its callback.
 *
 * Nonce: 24 bytes, `iv` (16) and the first 8 of `extra`. `extra` then holds the
 * first 8 bytes of the associated data's digest in the clear, so that a ticket
 * of another host is told from a forged one without an AEAD attempt. The
 * plaintext is the library's state followed by STEK_TICKET_OWN_LEN bytes,
 * big-endian:
 *
 *	byte    0      format, STEK_TICKET_FORMAT
 *	byte    1      client-authentication status, 0..2
 *	bytes   2..5   issuing node
 *	bytes   6..11  sealed at, ms of farm time
 *	bytes  12..17  chain start, ms of farm time
 *	bytes  18..23  client certificate's notAfter, s; 0 without one
 *	bytes  24..31  hash of its issuer and serial
 *
 * (the certificate's fingerprint travels in unused bytes of the state, which
 * wolfssl.c finds and clears). Associated data: the digest, then key_name.
 */
#ifndef STEK_TICKET_H
#define STEK_TICKET_H

#include "nonce.h"
#include "schedule.h"
#include "stek_wolfssl.h"

#define STEK_TICKET_FORMAT 1
#define STEK_TICKET_IV_LEN 16
#define STEK_TICKET_TAG_LEN 16
#define STEK_TICKET_EXTRA_LEN 16
#define STEK_TICKET_NONCE_LEN STEK_NONCE_LEN
#define STEK_TICKET_OWN_LEN 32
#define STEK_TICKET_STATE_MAX 256

/* Associated data, computed once for each attached context and TLS version. */
struct stek_ticket_aad {
	uint8_t digest[STEK_DIGEST_LEN];
};

/* The envelope's parts; `body` holds body_len bytes of ciphertext. */
struct stek_ticket {
	uint8_t key_name[STEK_ID_LEN];
	uint8_t iv[STEK_TICKET_IV_LEN];
	uint8_t extra[STEK_TICKET_EXTRA_LEN];
	uint8_t tag[STEK_TICKET_TAG_LEN];
	size_t body_len;
	uint8_t body[STEK_TICKET_STATE_MAX + STEK_TICKET_OWN_LEN];
};

/* Our own fields, sealed behind the library's state. */
struct stek_ticket_own {
	uint8_t status;
	uint32_t issuer;
	int64_t sealed_at_ms;
	int64_t chain_start_ms;
	int64_t not_after_s;
	uint8_t issuer_serial[8];
};

/* What the digest binds, beside the ticket format. */
struct stek_ticket_scope {
	const char *farm;
	uint16_t tls_version;		/* 0x0303 or 0x0304 */
	const void *policy;
	size_t policy_len;
	const void *layout;		/* names the library's session format */
	size_t layout_len;
};

int stek__ticket_aad(struct stek_ticket_aad *out,
		     const struct stek_ticket_scope *scope) STEK_CHECKED;

/*
 * Seals `state` and `own` under `key` with a nonce of its own (nonce.h).
 * STEK_EINVAL (a length or time does not fit), STEK_ENOKEY (the key has no
 * secret, or one that no generator makes), STEK_ERANDOM, STEK_ECRYPTO; *out
 * holds no secret then.
 */
int stek__ticket_seal(struct stek_ticket *out, const struct stek_key *key,
		      const struct stek_ticket_aad *aad,
		      const struct stek_ticket_own *own, const uint8_t *state,
		      size_t state_len) STEK_CHECKED;

/* Fills a ticket that nothing opens. Never fails. */
void stek__ticket_blank(struct stek_ticket *out, size_t state_len);

/* True if the ticket says that it was sealed under this associated data. */
bool stek__ticket_in_scope(const struct stek_ticket *ticket,
			   const struct stek_ticket_aad *aad);

/*
 * One AEAD attempt. `state` gets ticket->body_len - STEK_TICKET_OWN_LEN bytes
 * and is wiped on failure. STEK_EAUTH (forged), STEK_EFORMAT (authentic, but of
 * another format), STEK_ENOKEY, STEK_EINVAL, STEK_ECRYPTO.
 */
int stek__ticket_open(const struct stek_ticket *ticket,
		      const struct stek_key *key,
		      const struct stek_ticket_aad *aad,
		      struct stek_ticket_own *own,
		      uint8_t state[STEK_TICKET_STATE_MAX]) STEK_CHECKED;

#endif

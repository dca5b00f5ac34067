/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wolfssl_layout.h - where wolfSSL keeps what in the session state that its
 * ticket callback gets, and the other quirks of the library that tickets meet.
 * The state ("InternalTicket") is private to wolfSSL: these offsets are its
 * 5.7.2's with TLS 1.3 and OPENSSL_EXTRA, and stek__layout_prove() shows at
 * run time that the linked library agrees.
 */
#ifndef STEK_WOLFSSL_LAYOUT_H
#define STEK_WOLFSSL_LAYOUT_H

#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

#include "ticket.h"

enum stek_layout {
	STEK_STATE_VERSION = 0,		/* 2: major, minor */
	STEK_STATE_SUITE = 2,		/* 2 */
	STEK_STATE_SECRET = 4,		/* 48 */
	STEK_STATE_TIME = 52,		/* 8: 1.2 four bytes of s, 1.3 ms */
	STEK_STATE_EMS = 60,		/* 1 */
	STEK_STATE_AGE_ADD = 61,	/* 4 */
	STEK_STATE_GROUP = 65,		/* 2 */
	STEK_STATE_NONCE = 67,		/* 1 length, 8 */
	STEK_STATE_CONTEXT = 76,	/* 1 length, 32: session id context */
	STEK_STATE_LEN = 109,
	STEK_STATE_ROOM = STEK_STATE_LEN + STEK_TICKET_OWN_LEN,
	STEK_TICKET_LEN = STEK_ID_LEN + STEK_TICKET_IV_LEN + 2 +
			  STEK_STATE_ROOM + WOLFSSL_TICKET_MAC_SZ,
};

#define STEK_TLS12 0x0303
#define STEK_TLS13 0x0304

/* 0x0303, 0x0304, or 0 for every version that gets no tickets. */
uint16_t stek__layout_version(WOLFSSL *ssl);

/* Names the session format: library version, length and offsets. */
#define STEK_LAYOUT_NAME_LEN 32
void stek__layout_name(uint8_t out[STEK_LAYOUT_NAME_LEN]);

/* True if the state may be sealed, or used after opening, under `version`. */
bool stek__state_is_sound(const uint8_t *state, uint16_t version);

uint16_t stek__state_suite(const uint8_t *state);

/* The client's fingerprint in the unused session id context. */
void stek__state_put_fingerprint(uint8_t *state, const uint8_t *fingerprint);
void stek__state_see_fingerprint(const uint8_t *state, uint8_t *fingerprint);
void stek__state_take_fingerprint(uint8_t *state, uint8_t *fingerprint);

/*
 * Writes the time of sealing as the library expects it: on its own clock,
 * `age_ms` ago, moved so that its window of ages is symmetric and its
 * arithmetic does not wrap.
 */
void stek__state_put_age(uint8_t *state, uint16_t version, int64_t age_ms);

/* The caller's record, and the word that stands in for it without one. */
int stek__slot_set_session(WOLFSSL *ssl, struct stek_session *session);
struct stek_session *stek__slot_session(WOLFSSL *ssl);
void stek__slot_set_word(WOLFSSL *ssl, uint64_t word);
uint64_t stek__slot_word(WOLFSSL *ssl);

/*
 * Ticket lifetime and hint, and no session cache. STEK_EINVAL past 7 days.
 */
int stek__layout_prepare(WOLFSSL_CTX *ctx, uint32_t lifetime_s) STEK_CHECKED;

/*
 * Proves all of the above by handshakes in memory; once per process, a later
 * call repeats the answer. 0 or STEK_ELIBRARY with `why`.
 */
int stek__layout_prove(char *why, size_t why_len) STEK_CHECKED;

#endif

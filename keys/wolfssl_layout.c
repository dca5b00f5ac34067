/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wolfssl_layout.c - every quirk of wolfSSL that libstek knows: the fields of
 * its session state, its idea of a ticket's age, its session cache, and the
 * slots for application data. wolfssl.c calls these and holds no offset.
 */
#include "wolfssl_layout.h"

#include <string.h>
#include <time.h>

#include "secret.h"
#include "wire.h"

/*
 * The library accepts a TLS 1.3 ticket whose age, as the client tells it, is
 * -1 to +11 s off its own reckoning. Five seconds less make that -6 to +6.
 */
#define CENTRE_MS 5000

/* The library must never be the one that decides on a lifetime. */
#define SLACK_S 600
#define LIFETIME_MAX_S 604800

/*
 * Application data slots, the last two so that they stay clear of
 * wolfSSL_get_ex_new_index(), which counts up from zero.
 */
#define SLOT_SESSION (MAX_EX_DATA - 1)
#define SLOT_WORD (MAX_EX_DATA - 2)

_Static_assert(MAX_EX_DATA >= 2, "no application data slots");
_Static_assert(sizeof(void *) == sizeof(uint64_t), "a slot holds 64 bits");
_Static_assert((int)STEK_STATE_LEN <= STEK_TICKET_STATE_MAX, "state fits");

uint16_t stek__layout_version(WOLFSSL *ssl)
{
	switch (wolfSSL_version(ssl)) {
	case STEK_TLS12:
		return STEK_TLS12;
	case STEK_TLS13:
		return STEK_TLS13;
	default:
		return 0;
	}
}

void stek__layout_name(uint8_t out[STEK_LAYOUT_NAME_LEN])
{
	static const uint16_t fields[] = {
		STEK_STATE_LEN, STEK_STATE_VERSION, STEK_STATE_SUITE,
		STEK_STATE_SECRET, STEK_STATE_TIME, STEK_STATE_EMS,
		STEK_STATE_AGE_ADD, STEK_STATE_GROUP, STEK_STATE_NONCE,
		STEK_STATE_CONTEXT,
	};
	struct stek_writer w;

	memset(out, 0, STEK_LAYOUT_NAME_LEN);
	stek__writer_init(&w, out, STEK_LAYOUT_NAME_LEN);
	stek__write_u32(&w, (uint32_t)LIBWOLFSSL_VERSION_HEX);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		stek__write_u16(&w, fields[i]);
}

bool stek__state_is_sound(const uint8_t *state, uint16_t version)
{
	if (state[STEK_STATE_VERSION] != version >> 8 ||
	    state[STEK_STATE_VERSION + 1] != (version & 0xff))
		return false;
	if (!stek__state_suite(state))
		return false;
	/* An application's session id context would take the fingerprint. */
	if (state[STEK_STATE_CONTEXT])
		return false;
	/* RFC 7627 s5.3: without it a TLS 1.2 session must not resume. */
	if (version == STEK_TLS12 && state[STEK_STATE_EMS] != 1)
		return false;
	return true;
}

uint16_t stek__state_suite(const uint8_t *state)
{
	return (uint16_t)(state[STEK_STATE_SUITE] << 8 |
			  state[STEK_STATE_SUITE + 1]);
}

void stek__state_put_fingerprint(uint8_t *state, const uint8_t *fingerprint)
{
	memcpy(state + STEK_STATE_CONTEXT + 1, fingerprint, STEK_DIGEST_LEN);
}

void stek__state_see_fingerprint(const uint8_t *state, uint8_t *fingerprint)
{
	memcpy(fingerprint, state + STEK_STATE_CONTEXT + 1, STEK_DIGEST_LEN);
}

void stek__state_take_fingerprint(uint8_t *state, uint8_t *fingerprint)
{
	stek__state_see_fingerprint(state, fingerprint);
	memset(state + STEK_STATE_CONTEXT, 0, 1 + STEK_DIGEST_LEN);
}

/*
 * The clock that the library compares with. It reads the system's itself,
 * whatever clock the farm runs on, so this must be the same one.
 */
static int64_t library_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void stek__state_put_age(uint8_t *state, uint16_t version, int64_t age_ms)
{
	int64_t time_ms = library_now_ms() - age_ms - CENTRE_MS;
	struct stek_writer w;
	struct stek_reader r;

	stek__writer_init(&w, state + STEK_STATE_TIME, 8);
	if (version == STEK_TLS12) {
		stek__write_u32(&w, (uint32_t)(time_ms / 1000));
		return;
	}
	/*
	 * The client sends (age + ageAdd) mod 2^32; the library adds ageAdd
	 * without the modulus and refuses once the sum has wrapped.
	 */
	stek__reader_init(&r, state + STEK_STATE_AGE_ADD, 4);
	if (age_ms > 0 && age_ms + stek__read_u32(&r) > UINT32_MAX)
		time_ms += INT64_C(1) << 32;
	stek__write_i64(&w, time_ms);
}

int stek__slot_set_session(WOLFSSL *ssl, struct stek_session *session)
{
	if (wolfSSL_set_ex_data(ssl, SLOT_SESSION, session) != WOLFSSL_SUCCESS)
		return STEK_ELIBRARY;
	return 0;
}

struct stek_session *stek__slot_session(WOLFSSL *ssl)
{
	return wolfSSL_get_ex_data(ssl, SLOT_SESSION);
}

void stek__slot_set_word(WOLFSSL *ssl, uint64_t word)
{
	(void)wolfSSL_set_ex_data(ssl, SLOT_WORD, (void *)(uintptr_t)word);
}

uint64_t stek__slot_word(WOLFSSL *ssl)
{
	return (uint64_t)(uintptr_t)wolfSSL_get_ex_data(ssl, SLOT_WORD);
}

int stek__layout_prepare(WOLFSSL_CTX *ctx, uint32_t lifetime_s)
{
	const long no_cache = WOLFSSL_SESS_CACHE_NO_INTERNAL_STORE |
			      WOLFSSL_SESS_CACHE_NO_INTERNAL_LOOKUP;

	/* RFC 8446 s4.6.1: servers MUST NOT use any value above 7 days. */
	if (!lifetime_s || lifetime_s > LIFETIME_MAX_S)
		return STEK_EINVAL;
	/* set_timeout() overwrites the hint, so the hint comes second. */
	if (wolfSSL_CTX_set_timeout(ctx, lifetime_s + SLACK_S) < 0 ||
	    wolfSSL_CTX_set_TicketHint(ctx, (int)lifetime_s) != WOLFSSL_SUCCESS)
		return STEK_ELIBRARY;
	/* OFF alone still leaves the look-up of a full internal cache open. */
	if (wolfSSL_CTX_set_session_cache_mode(ctx, WOLFSSL_SESS_CACHE_OFF) !=
	    WOLFSSL_SUCCESS ||
	    wolfSSL_CTX_set_session_cache_mode(ctx, no_cache) !=
	    WOLFSSL_SUCCESS)
		return STEK_ELIBRARY;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nonce.c - derives the nonce of a ticket from a secret of this thread and from
 * what the nonce is for; nonce.h says why. Called by ticket.c for each ticket.
 */
#include <wolfssl/options.h>

#include <string.h>

#include <wolfssl/wolfcrypt/chacha.h>
#include <wolfssl/wolfcrypt/poly1305.h>

#include "life.h"
#include "nonce.h"
#include "secret.h"
#include "wire.h"

#define HEAD_LEN 16
#define ROUND_LEN 128	/* of Poly1305 with AVX2 */
#define IV_LEN 12	/* RFC 8439 s2.3: behind a counter of 4 bytes */

struct generator {
	uint64_t life;		/* in which it was drawn; 0: it was not */
	uint64_t count;		/* nonces made of it */
	int64_t drawn_at_ms;
	struct {
		uint8_t hash[32];
		uint8_t cipher[CHACHA_MAX_KEY_SZ];
	} secret;
};

/* With the model of libc's own, the first use in a thread allocates nothing. */
static _Thread_local struct generator generator
	__attribute__((tls_model("initial-exec")));

static bool is_due(const struct generator *g, uint64_t life, int64_t now_ms)
{
	return !life || g->life != life || g->count >= STEK_NONCE_DRAW_COUNT ||
	       now_ms < g->drawn_at_ms ||
	       (uint64_t)now_ms - (uint64_t)g->drawn_at_ms >=
		       STEK_NONCE_DRAW_MS;
}

static int draw(struct generator *g, uint64_t life, int64_t now_ms)
{
	int ret = stek__random(&g->secret, sizeof(g->secret));

	/* What may have been copied, or is only in part new, is not used. */
	g->life = ret ? 0 : life;
	g->drawn_at_ms = now_ms;
	g->count = 0;
	return ret;
}

/*
 * The lengths stand in front, so that no two inputs read alike, and zeros at
 * the end: whole rounds of the library's vector code spare its copying of the
 * rest, byte by byte, half of what this costs.
 */
static int hash(uint8_t out[POLY1305_DIGEST_SIZE], const struct generator *g,
		const uint8_t *aad, size_t aad_len, const uint8_t *plain,
		size_t plain_len)
{
	uint8_t input[HEAD_LEN + STEK_NONCE_INPUT_MAX];
	size_t len = HEAD_LEN + aad_len + plain_len;
	size_t rounded = (len + ROUND_LEN - 1) / ROUND_LEN * ROUND_LEN;
	struct stek_writer w;
	Poly1305 poly;
	int ret;

	_Static_assert(sizeof(input) % ROUND_LEN == 0, "whole rounds fit");
	stek__writer_init(&w, input, sizeof(input));
	stek__write_u64(&w, g->count);
	stek__write_u32(&w, (uint32_t)aad_len);
	stek__write_u32(&w, (uint32_t)plain_len);
	stek__write_bytes(&w, aad, aad_len);
	stek__write_bytes(&w, plain, plain_len);
	memset(input + len, 0, rounded - len);
	ret = w.failed ||
	      wc_Poly1305SetKey(&poly, g->secret.hash,
				sizeof(g->secret.hash)) ||
	      wc_Poly1305Update(&poly, input, (word32)rounded) ||
	      wc_Poly1305Final(&poly, out);
	stek__wipe(input, sizeof(input));
	stek__wipe(&poly, sizeof(poly));
	return ret ? STEK_ECRYPTO : 0;
}

/* The first bytes of the block of the key stream that the hash names. */
static int encipher(uint8_t out[STEK_NONCE_LEN], const struct generator *g,
		    const uint8_t hashed[POLY1305_DIGEST_SIZE])
{
	static const uint8_t zeros[STEK_NONCE_LEN];
	uint32_t counter;
	ChaCha chacha;
	int ret;

	_Static_assert(sizeof(counter) + IV_LEN == POLY1305_DIGEST_SIZE,
		       "a hash fills counter and IV");
	memcpy(&counter, hashed, sizeof(counter));
	ret = wc_Chacha_SetKey(&chacha, g->secret.cipher,
			       sizeof(g->secret.cipher)) ||
	      wc_Chacha_SetIV(&chacha, hashed + sizeof(counter), counter) ||
	      wc_Chacha_Process(&chacha, out, zeros, sizeof(zeros));
	stek__wipe(&chacha, sizeof(chacha));
	return ret ? STEK_ECRYPTO : 0;
}

int stek__nonce_make(uint8_t out[STEK_NONCE_LEN], int64_t now_ms,
		     const uint8_t *aad, size_t aad_len, const uint8_t *plain,
		     size_t plain_len)
{
	uint8_t hashed[POLY1305_DIGEST_SIZE], nonce[STEK_NONCE_LEN];
	struct generator *g = &generator;
	uint64_t life = stek__life();
	int ret = 0;

	if (aad_len > STEK_NONCE_INPUT_MAX ||
	    plain_len > STEK_NONCE_INPUT_MAX - aad_len)
		return STEK_EINVAL;
	if (is_due(g, life, now_ms))
		ret = draw(g, life, now_ms);
	if (ret)
		return ret;
	ret = hash(hashed, g, aad, aad_len, plain, plain_len);
	g->count++;
	if (!ret)
		ret = encipher(nonce, g, hashed);
	stek__wipe(hashed, sizeof(hashed));
	if (ret)
		return ret;
	memcpy(out, nonce, sizeof(nonce));
	return 0;
}

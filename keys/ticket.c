/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ticket.c - the ticket envelope: XChaCha20-Poly1305 over a library's session
 * state and our own fields. Called from the ticket callback in wolfssl.c, so
 * nothing here locks, allocates or knows the time. Nonces of 192 bits come from
 * nonce.c: nodes share a key without agreeing on anything, and a forked or
 * cloned one repeats none.
 */
#include <wolfssl/options.h>

#include <string.h>

#include <wolfssl/wolfcrypt/chacha20_poly1305.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/sha256.h>

#include "nonce.h"
#include "secret.h"
#include "ticket.h"
#include "wire.h"

#define TIME_MAX ((INT64_C(1) << 48) - 1)
#define CLEAR_TAG_LEN (STEK_TICKET_EXTRA_LEN - 8)
#define AAD_LEN (STEK_DIGEST_LEN + STEK_ID_LEN)

static const char label[] = "stek ticket";

static void write_u48(struct stek_writer *w, int64_t value)
{
	stek__write_u16(w, (uint16_t)(value >> 32));
	stek__write_u32(w, (uint32_t)value);
}

static int64_t read_u48(struct stek_reader *r)
{
	int64_t high = stek__read_u16(r);

	return high << 32 | stek__read_u32(r);
}

static bool fits_u48(int64_t value)
{
	return value >= 0 && value <= TIME_MAX;
}

static int own_write(uint8_t out[STEK_TICKET_OWN_LEN],
		     const struct stek_ticket_own *own)
{
	struct stek_writer w;

	if (!fits_u48(own->sealed_at_ms) || !fits_u48(own->chain_start_ms) ||
	    !fits_u48(own->not_after_s))
		return STEK_EINVAL;
	stek__writer_init(&w, out, STEK_TICKET_OWN_LEN);
	stek__write_u8(&w, STEK_TICKET_FORMAT);
	stek__write_u8(&w, own->status);
	stek__write_u32(&w, own->issuer);
	write_u48(&w, own->sealed_at_ms);
	write_u48(&w, own->chain_start_ms);
	write_u48(&w, own->not_after_s);
	stek__write_bytes(&w, own->issuer_serial, sizeof(own->issuer_serial));
	return w.failed ? STEK_EINVAL : 0;
}

static int own_read(struct stek_ticket_own *out, const uint8_t *data)
{
	struct stek_ticket_own own;
	struct stek_reader r;

	stek__reader_init(&r, data, STEK_TICKET_OWN_LEN);
	if (stek__read_u8(&r) != STEK_TICKET_FORMAT)
		return STEK_EFORMAT;
	own.status = stek__read_u8(&r);
	own.issuer = stek__read_u32(&r);
	own.sealed_at_ms = read_u48(&r);
	own.chain_start_ms = read_u48(&r);
	own.not_after_s = read_u48(&r);
	stek__read_bytes(&r, own.issuer_serial, sizeof(own.issuer_serial));
	if (own.status > 2 || !stek__reader_done(&r))
		return STEK_EFORMAT;
	*out = own;
	return 0;
}

/*
 * A secret of one repeated byte is memory that was never filled, not a key
 * (CVE-2020-13777 sealed under zeros for years).
 */
static bool is_usable(const struct stek_key *key)
{
	uint8_t differs = 0;

	if (!key->secret)
		return false;
	for (size_t i = 1; i < STEK_SECRET_LEN; i++)
		differs |= key->secret[i] ^ key->secret[0];
	return differs != 0;
}

static void join_nonce(uint8_t nonce[STEK_TICKET_NONCE_LEN],
		       const struct stek_ticket *ticket)
{
	memcpy(nonce, ticket->iv, STEK_TICKET_IV_LEN);
	memcpy(nonce + STEK_TICKET_IV_LEN, ticket->extra,
	       STEK_TICKET_NONCE_LEN - STEK_TICKET_IV_LEN);
}

static void join_aad(uint8_t out[AAD_LEN], const struct stek_ticket_aad *aad,
		     const uint8_t *key_name)
{
	memcpy(out, aad->digest, STEK_DIGEST_LEN);
	memcpy(out + STEK_DIGEST_LEN, key_name, STEK_ID_LEN);
}

static int hash_sized(wc_Sha256 *sha, const void *data, size_t len)
{
	uint8_t size[8];
	struct stek_writer w;

	stek__writer_init(&w, size, sizeof(size));
	stek__write_u64(&w, len);
	if (wc_Sha256Update(sha, size, sizeof(size)))
		return STEK_ECRYPTO;
	if (len && wc_Sha256Update(sha, data, (word32)len))
		return STEK_ECRYPTO;
	return 0;
}

int stek__ticket_aad(struct stek_ticket_aad *out,
		     const struct stek_ticket_scope *scope)
{
	const uint8_t head[3] = { STEK_TICKET_FORMAT,
				  (uint8_t)(scope->tls_version >> 8),
				  (uint8_t)scope->tls_version };
	struct stek_ticket_aad aad;
	wc_Sha256 sha;
	int ret = STEK_ECRYPTO;

	if (scope->policy_len > UINT32_MAX || scope->layout_len > UINT32_MAX)
		return STEK_EINVAL;
	if (wc_InitSha256(&sha))
		return STEK_ECRYPTO;
	/* Each part with its length, so that no two scopes read alike. */
	if (hash_sized(&sha, label, sizeof(label)) ||
	    hash_sized(&sha, head, sizeof(head)) ||
	    hash_sized(&sha, scope->farm, strlen(scope->farm)) ||
	    hash_sized(&sha, scope->policy, scope->policy_len) ||
	    hash_sized(&sha, scope->layout, scope->layout_len) ||
	    wc_Sha256Final(&sha, aad.digest))
		goto out;
	*out = aad;
	ret = 0;
out:
	wc_Sha256Free(&sha);
	return ret;
}

int stek__ticket_seal(struct stek_ticket *out, const struct stek_key *key,
		      const struct stek_ticket_aad *aad,
		      const struct stek_ticket_own *own, const uint8_t *state,
		      size_t state_len)
{
	uint8_t plain[STEK_TICKET_STATE_MAX + STEK_TICKET_OWN_LEN];
	uint8_t sealed[sizeof(plain) + STEK_TICKET_TAG_LEN];
	uint8_t nonce[STEK_TICKET_NONCE_LEN];
	uint8_t bound[AAD_LEN];
	size_t len = state_len + STEK_TICKET_OWN_LEN;
	int ret;

	_Static_assert(sizeof(plain) + sizeof(bound) <= STEK_NONCE_INPUT_MAX,
		       "the nonce is derived from all of it");
	if (state_len > STEK_TICKET_STATE_MAX)
		return STEK_EINVAL;
	if (!is_usable(key))
		return STEK_ENOKEY;
	memcpy(plain, state, state_len);
	ret = own_write(plain + state_len, own);
	if (ret)
		goto out;
	join_aad(bound, aad, key->id);
	ret = stek__nonce_make(nonce, own->sealed_at_ms, bound, sizeof(bound),
			       plain, len);
	if (ret)
		goto out;
	memcpy(out->key_name, key->id, STEK_ID_LEN);
	memcpy(out->iv, nonce, STEK_TICKET_IV_LEN);
	memcpy(out->extra, nonce + STEK_TICKET_IV_LEN,
	       STEK_TICKET_NONCE_LEN - STEK_TICKET_IV_LEN);
	memcpy(out->extra + STEK_TICKET_EXTRA_LEN - CLEAR_TAG_LEN, aad->digest,
	       CLEAR_TAG_LEN);
	ret = STEK_ECRYPTO;
	if (wc_XChaCha20Poly1305_Encrypt(sealed, len + STEK_TICKET_TAG_LEN,
					 plain, len, bound, sizeof(bound),
					 nonce, sizeof(nonce), key->secret,
					 STEK_SECRET_LEN))
		goto out;
	memcpy(out->body, sealed, len);
	memcpy(out->tag, sealed + len, STEK_TICKET_TAG_LEN);
	out->body_len = len;
	ret = 0;
out:
	stek__wipe(plain, sizeof(plain));
	stek__wipe(sealed, sizeof(sealed));
	return ret;
}

void stek__ticket_blank(struct stek_ticket *out, size_t state_len)
{
	size_t len = state_len + STEK_TICKET_OWN_LEN;

	/*
	 * Random where it can be had, so that the ticket looks like any other;
	 * otherwise all ones: no key has that id (it would have been minted
	 * with probability 2^-128), and no byte of it is secret.
	 */
	if (stek__random(out, sizeof(*out)))
		memset(out, 0xff, sizeof(*out));
	out->body_len = len < sizeof(out->body) ? len : sizeof(out->body);
}

bool stek__ticket_in_scope(const struct stek_ticket *ticket,
			   const struct stek_ticket_aad *aad)
{
	return stek__equal(ticket->extra + STEK_TICKET_EXTRA_LEN -
				   CLEAR_TAG_LEN,
			   aad->digest, CLEAR_TAG_LEN);
}

int stek__ticket_open(const struct stek_ticket *ticket,
		      const struct stek_key *key,
		      const struct stek_ticket_aad *aad,
		      struct stek_ticket_own *own,
		      uint8_t state[STEK_TICKET_STATE_MAX])
{
	uint8_t plain[STEK_TICKET_STATE_MAX + STEK_TICKET_OWN_LEN];
	uint8_t sealed[sizeof(plain) + STEK_TICKET_TAG_LEN];
	uint8_t nonce[STEK_TICKET_NONCE_LEN];
	uint8_t bound[AAD_LEN];
	size_t len = ticket->body_len;
	int ret;

	stek__wipe(state, STEK_TICKET_STATE_MAX);
	if (len < STEK_TICKET_OWN_LEN || len > sizeof(ticket->body))
		return STEK_EINVAL;
	if (!is_usable(key))
		return STEK_ENOKEY;
	if (!stek__ticket_in_scope(ticket, aad))
		return STEK_EAUTH;
	memcpy(sealed, ticket->body, len);
	memcpy(sealed + len, ticket->tag, STEK_TICKET_TAG_LEN);
	join_nonce(nonce, ticket);
	join_aad(bound, aad, ticket->key_name);
	ret = wc_XChaCha20Poly1305_Decrypt(plain, len, sealed,
					   len + STEK_TICKET_TAG_LEN, bound,
					   sizeof(bound), nonce, sizeof(nonce),
					   key->secret, STEK_SECRET_LEN);
	if (ret) {
		ret = ret == MAC_CMP_FAILED_E ? STEK_EAUTH : STEK_ECRYPTO;
		goto out;
	}
	ret = own_read(own, plain + len - STEK_TICKET_OWN_LEN);
	if (!ret)
		memcpy(state, plain, len - STEK_TICKET_OWN_LEN);
out:
	stek__wipe(plain, sizeof(plain));
	return ret;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stek_wolfssl.h - joins a WOLFSSL_CTX to a farm: its session tickets (RFC
 * 5077, and NewSessionTicket of RFC 8446 s4.6.1) are sealed and opened under
 * the farm's ring. Any wolfSSL server needs only:
 *
 *	stek_farm_open(&farm, &options, why, sizeof(why));
 *	stek_farm_start(farm);
 *	stek_wolfssl_attach(&host, farm, ctx, &host_options);
 *
 * The ticket callback takes no lock, does no I/O and allocates nothing.
 */
#ifndef STEK_WOLFSSL_H
#define STEK_WOLFSSL_H

#include <stek.h>

#ifdef __cplusplus
extern "C" {
#endif

struct WOLFSSL_CTX;
struct WOLFSSL;

/* What became of the tickets that a client offered in one handshake. */
enum stek_outcome {
	STEK_NONE_OFFERED,
	STEK_RESUMED_ACTIVE,	/* opened under the active key */
	STEK_RESUMED_RETIRED,	/* opened under a retired key */
	STEK_RESUMED_PENDING,	/* opened early: another node's clock is ahead */
	STEK_REFUSED_FORMAT,	/* not our length or layout: another server's */
	STEK_REFUSED_UNKNOWN,	/* no such key, never seen or long gone */
	STEK_REFUSED_EXPIRED,	/* key or ticket past its time */
	STEK_REFUSED_REVOKED,
	STEK_REFUSED_POLICY,	/* another host, policy, version or library */
	STEK_REFUSED_FORGED,	/* AEAD tag wrong */
	STEK_REFUSED_CHAIN,	/* the chain's full handshake is too long ago */
	STEK_REFUSED_LIMIT,	/* more than STEK_OPENS_MAX tickets in a hello */
	STEK_REFUSED_IDENTITY,	/* certificate expired, or not admitted */
	STEK_REFUSED_PSK_KE,	/* offered without a key exchange alone: the
				   application's to find, libstek is not asked */
	STEK_OUTCOMES
};

#define STEK_OPENS_MAX 8	/* ticket openings per connection */

STEK_API const char *stek_outcome_name(enum stek_outcome outcome);

/*
 * The client's identity as a full handshake proved it. Sealed into the ticket,
 * given back on resumption. All zero: no client certificate.
 */
struct stek_identity {
	uint8_t status;		/* 0 none, 1 verified, 2 seen but not verified */
	uint8_t fingerprint[STEK_DIGEST_LEN];	/* SHA-256 of the leaf (DER) */
	uint8_t issuer_serial[8];	/* truncated SHA-256 of issuer and serial */
	int64_t not_after_s;
};

/*
 * One connection's view, owned by the caller, zeroed before use, alive as long
 * as the WOLFSSL. Written by the ticket callback on the connection's thread.
 */
struct stek_session {
	enum stek_outcome outcome;	/* of the best identity offered */
	uint8_t key_id[STEK_ID_LEN];	/* the ticket's, when resumed */
	uint32_t issuer;		/* node id that sealed the ticket */
	int64_t sealed_at_ms;		/* farm time */
	int64_t age_ms;			/* at opening */
	int64_t chain_start_ms;		/* of the chain's full handshake */
	/*
	 * In: to seal, set by the caller before tickets are sent (from its
	 * verify callback). Out: when resumed, see stek_wolfssl_settle().
	 */
	struct stek_identity identity;
	uint8_t opens;			/* AEAD openings so far */
	uint8_t issued;			/* tickets sealed under a real key */
	uint8_t blank;			/* tickets that nothing opens: no key may seal */
	uint8_t issued_key[STEK_ID_LEN];	/* of the last one issued */
	/* Private: the one ticket accepted, until the handshake settles it. */
	bool accepted;
	uint8_t accepted_tag[16];
	struct stek_identity offered;
};

struct stek_wolfssl_options {
	/*
	 * Everything on which a resumption must agree at both nodes: host
	 * group, client-authentication mode, trust anchors, ALPN policy. Bound
	 * as associated data: a ticket of another policy does not open.
	 */
	const void *policy;
	size_t policy_len;
	/*
	 * The list given to wolfSSL_CTX_set_cipher_list(), or NULL. wolfSSL
	 * resumes TLS 1.2 under the ticket's suite even when the server no
	 * longer offers it; with the list such a ticket is refused. Names that
	 * wolfSSL does not know are skipped, as wolfSSL does.
	 */
	const char *ciphers;
	/*
	 * Asked for every ticket that would resume, whose it is (status 0:
	 * nobody's) and the farm time; false makes it a full handshake, which
	 * then judges the client anew. For what changes while tickets live:
	 * denied and revoked certificates. That a certificate has expired
	 * libstek sees by itself. Called within the ticket callback, on the
	 * connection's thread: takes no lock, does no I/O. NULL: all.
	 */
	bool (*admit)(void *user, const struct stek_identity *identity,
		      int64_t now_ms);
	void *user;		/* outlives the attachment */
};

struct stek_host;

/*
 * Installs the ticket callback, sets the ticket lifetime and hint (policy
 * lifetime_s), turns the stateful session cache off, and proves by a handshake
 * in memory that the linked wolfSSL lays out its session state as libstek
 * expects; STEK_ELIBRARY otherwise. Call before the first wolfSSL_new(). The
 * caller owns *out and detaches it after the last connection of `ctx` ended
 * and before wolfSSL_CTX_free().
 */
STEK_API int stek_wolfssl_attach(struct stek_host **out, struct stek_farm *farm,
				 struct WOLFSSL_CTX *ctx,
				 const struct stek_wolfssl_options *options,
				 char *why, size_t why_len) STEK_CHECKED;
STEK_API void stek_wolfssl_detach(struct stek_host *host);

/*
 * Gives a connection its session record; right after wolfSSL_new(). Optional:
 * without it resumption works but nothing is reported and no identity travels
 * (a ticket that carries one is refused). libstek uses the last two slots of
 * wolfSSL_set_ex_data(), MAX_EX_DATA - 1 and - 2; leave them alone.
 */
STEK_API int stek_wolfssl_session(struct WOLFSSL *ssl,
				  struct stek_session *session) STEK_CHECKED;

/*
 * Call once the handshake has ended and before reading the record: wolfSSL may
 * refuse a ticket that the callback accepted (the age that the client tells is
 * more than 6 s off, no common suite). Then nothing was resumed: the outcome
 * becomes STEK_REFUSED_EXPIRED and no identity is given. After a resumption it
 * moves the ticket's identity to session->identity; until then that stays the
 * caller's. Sealing a ticket does the same. After a failed handshake there is no
 * identity. Without a record it does nothing.
 */
STEK_API void stek_wolfssl_settle(struct WOLFSSL *ssl);

/* The exact length of the tickets that this build seals. */
STEK_API size_t stek_wolfssl_ticket_len(void);

#ifdef __cplusplus
}
#endif

#endif

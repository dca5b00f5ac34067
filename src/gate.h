/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gate.h - the bounded ClientHello parser in front of wolfSSL. Pure: bytes in,
 * a description out; it chooses the host before wolfSSL exists for the
 * connection, refuses what is malformed with the alert of the standard, and
 * tells what the library could not take. RFC 8446 s4.1.2, RFC 5246 s7.4.1.2.
 */
#ifndef STEKD_GATE_H
#define STEKD_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "counters.h"

/*
 * Handshake bytes of a ClientHello. The library takes 18466 (its MAX_HANDSHAKE_SZ
 * and the header); what it would refuse must not pass here.
 */
#define GATE_HELLO_MAX (18 * 1024)
#define GATE_BUFFER_MAX (24 * 1024)	/* with record headers */

enum gate_verdict {
	GATE_MORE,	/* incomplete: read on */
	GATE_PASS,
	GATE_REFUSE,	/* send `alert` (0: none), count `failure` */
};

/* The groups that hosts may be given, as bits. */
enum gate_group {
	GATE_P256 = 1,
	GATE_P384 = 2,
	GATE_P521 = 4,
	GATE_X25519 = 8,
};

/* Kinds of signature_algorithms, as bits. */
enum gate_scheme {
	GATE_ECDSA = 1,
	GATE_RSA_PKCS1 = 2,
	GATE_RSA_PSS = 4,
};

struct gate_hello {
	size_t consumed;	/* bytes of the buffer that the hello's records take */
	bool split;		/* over more than one record: it stands in scratch */
	size_t hello_len;	/* handshake bytes, header included */
	uint16_t legacy_version;
	bool offers_tls13, offers_tls12;	/* by supported_versions, else legacy */
	char server_name[256];	/* lower case, "" if absent; RFC 6066 s3 */
	bool name_is_address;	/* an IP literal was sent: treated as absent */
	size_t n_alpn;		/* protocol names offered */
	uint8_t alpn[256];	/* the first of them, each behind its length */
	size_t alpn_len;
	bool has_alpn;
	bool has_ems;		/* extended_master_secret, RFC 7627 */
	bool has_early_data;
	bool has_cookie;
	bool has_post_handshake_auth;
	bool has_session_ticket;
	size_t session_ticket_len;
	uint8_t session_ticket_name[16];	/* first bytes, zero if shorter */
	size_t n_psk;
	size_t psk_longest;
	uint8_t psk_name[16];	/* of the first identity, zero if shorter */
	bool has_ticket_request;	/* RFC 9149, and how many it wants: */
	uint8_t tickets_at_full, tickets_at_resumption;
	bool psk_ke, psk_dhe_ke;	/* psk_key_exchange_modes */
	size_t n_key_shares;
	bool has_groups;	/* supported_groups, RFC 8422 s5.1.1 */
	unsigned groups;	/* of them, as enum gate_group */
	unsigned shares;	/* groups with a key share */
	bool has_schemes;	/* signature_algorithms */
	unsigned schemes;	/* of them, as enum gate_scheme */
	size_t n_suites;	/* without signalling values and GREASE */
	bool has_scsv;		/* TLS_EMPTY_RENEGOTIATION_INFO_SCSV */
	bool has_fallback_scsv;	/* TLS_FALLBACK_SCSV, RFC 7507 */
	size_t session_id_len;
	uint64_t digest;	/* over what a second hello repeats; see below */
	/* on GATE_REFUSE */
	uint8_t alert;		/* RFC 8446 s6 */
	enum failure failure;
	const char *why;	/* static text for the log */
};

/*
 * Looks at `len` bytes from the start of the stream. Never reads past them,
 * never allocates. A hello may be split over records in any way; `scratch` (of
 * GATE_HELLO_MAX bytes, the caller's) takes it then. A hello that is still
 * incomplete in GATE_BUFFER_MAX bytes is refused.
 *
 * Both hellos of a HelloRetryRequest pass here. RFC 8446 s4.1.2 and s4.2.10 let
 * the second one differ in key_share, pre_shared_key, cookie and early_data
 * (which must be gone) alone: the caller compares the two digests, which cover
 * all the rest that the gate knows, server_name included.
 */
enum gate_verdict gate_parse(struct gate_hello *out, const uint8_t *buf,
			     size_t len, uint8_t *scratch);

/* A key share of a group (its code point) that stekd takes: RFC 8446 s4.2.8.2. */
bool gate_share_is_sound(uint16_t group, const uint8_t *share, size_t len);

/*
 * Writes a hello that passed `split` again in as few records as hold it; the
 * length in `out`, of GATE_BUFFER_MAX bytes. wolfSSL refuses one whose first
 * record is shorter than a message header, and no transcript covers records.
 * `message` is the `scratch` of gate_parse().
 */
size_t gate_frame(const struct gate_hello *hello, const uint8_t *message,
		  uint8_t *out);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_auth.h - who may ask: pure decisions over header values. The bearer
 * token is known by its SHA-256 only.
 */
#ifndef STEKD_ADMIN_AUTH_H
#define STEKD_ADMIN_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AUTH_DIGEST_LEN 32
#define AUTH_TOKEN_MAX 512

/*
 * Reads the token file: one line of at least 64 hexadecimal or 43 base64
 * characters, mode 0600. 0, or -1 with one line in `why`, never with the text.
 */
int auth_token_read(const char *path, uint8_t digest[AUTH_DIGEST_LEN],
		    char *why, size_t why_len);

/* The SHA-256 by which a token is known. 0 or -1. */
int auth_token_digest(const char *token, uint8_t digest[AUTH_DIGEST_LEN]);

/* True if the Authorization header (may be NULL) carries that token. */
bool auth_token_good(const uint8_t digest[AUTH_DIGEST_LEN],
		     const char *header);

/* True if the Authorization header (may be NULL) is of that scheme. */
bool auth_is_bearer(const char *header);

/*
 * True if a Host header (may be NULL) names this listener: 127.0.0.1, [::1] or
 * localhost, with its port. Anything else is a name that was rebound to us.
 */
bool auth_host_good(const char *host, unsigned port);

/*
 * True unless the Origin header (may be NULL) is another one than the page of
 * that Host header has: one name of the loopback is not the other, since
 * another user may listen at ::1.
 */
bool auth_origin_same(const char *origin, const char *host);

/*
 * False if a browser says that the request comes from another site's page.
 * port 0: a Unix socket, which no page has as its origin.
 */
bool auth_origin_good(const char *origin, const char *fetch_site,
		      unsigned port);

#endif

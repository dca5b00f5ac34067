/* SPDX-License-Identifier: GPL-2.0-or-later */
/* alert.h - alerts by name, and a peer's bytes as text that may be shown. */
#ifndef PROBE_ALERT_H
#define PROBE_ALERT_H

#include <stddef.h>

enum {
	ALERT_CLOSE_NOTIFY = 0,
	ALERT_UNEXPECTED_MESSAGE = 10,
	ALERT_BAD_RECORD_MAC = 20,
	ALERT_RECORD_OVERFLOW = 22,
	ALERT_HANDSHAKE_FAILURE = 40,
	ALERT_BAD_CERTIFICATE = 42,
	ALERT_UNSUPPORTED_CERTIFICATE = 43,
	ALERT_CERTIFICATE_REVOKED = 44,
	ALERT_CERTIFICATE_EXPIRED = 45,
	ALERT_CERTIFICATE_UNKNOWN = 46,
	ALERT_ILLEGAL_PARAMETER = 47,
	ALERT_UNKNOWN_CA = 48,
	ALERT_ACCESS_DENIED = 49,
	ALERT_DECODE_ERROR = 50,
	ALERT_DECRYPT_ERROR = 51,
	ALERT_PROTOCOL_VERSION = 70,
	ALERT_INSUFFICIENT_SECURITY = 71,
	ALERT_INTERNAL_ERROR = 80,
	ALERT_INAPPROPRIATE_FALLBACK = 86,
	ALERT_USER_CANCELED = 90,
	ALERT_NO_RENEGOTIATION = 100,
	ALERT_UNRECOGNIZED_NAME = 112,
	ALERT_CERTIFICATE_REQUIRED = 116,
	ALERT_NO_APPLICATION_PROTOCOL = 120,
};

/* The standard's name for it (RFC 8446 s6), or "unassigned". */
const char *alert_name(int alert);

/*
 * Copies `len` bytes as text: printable ASCII stays, line ends and all else
 * become "\xNN". What a peer sends never reaches a terminal in another way.
 * What does not fit is left out. Always ends `out`, whose size is not 0.
 */
void clean_text(char *out, size_t size, const void *bytes, size_t len);

#endif

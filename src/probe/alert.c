/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The names of alerts, and what makes a peer's bytes fit to be shown. Both are
 * pure; the names are the standard's own and not OpenSSL's, which differ.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "alert.h"

static const struct {
	int alert;
	const char *name;
} names[] = {
	{ALERT_CLOSE_NOTIFY, "close_notify"},
	{ALERT_UNEXPECTED_MESSAGE, "unexpected_message"},
	{ALERT_BAD_RECORD_MAC, "bad_record_mac"},
	{21, "decryption_failed"},
	{ALERT_RECORD_OVERFLOW, "record_overflow"},
	{30, "decompression_failure"},
	{ALERT_HANDSHAKE_FAILURE, "handshake_failure"},
	{41, "no_certificate"},
	{ALERT_BAD_CERTIFICATE, "bad_certificate"},
	{ALERT_UNSUPPORTED_CERTIFICATE, "unsupported_certificate"},
	{ALERT_CERTIFICATE_REVOKED, "certificate_revoked"},
	{ALERT_CERTIFICATE_EXPIRED, "certificate_expired"},
	{ALERT_CERTIFICATE_UNKNOWN, "certificate_unknown"},
	{ALERT_ILLEGAL_PARAMETER, "illegal_parameter"},
	{ALERT_UNKNOWN_CA, "unknown_ca"},
	{ALERT_ACCESS_DENIED, "access_denied"},
	{ALERT_DECODE_ERROR, "decode_error"},
	{ALERT_DECRYPT_ERROR, "decrypt_error"},
	{60, "export_restriction"},
	{ALERT_PROTOCOL_VERSION, "protocol_version"},
	{ALERT_INSUFFICIENT_SECURITY, "insufficient_security"},
	{ALERT_INTERNAL_ERROR, "internal_error"},
	{ALERT_INAPPROPRIATE_FALLBACK, "inappropriate_fallback"},
	{ALERT_USER_CANCELED, "user_canceled"},
	{ALERT_NO_RENEGOTIATION, "no_renegotiation"},
	{109, "missing_extension"},
	{110, "unsupported_extension"},
	{111, "certificate_unobtainable"},
	{ALERT_UNRECOGNIZED_NAME, "unrecognized_name"},
	{113, "bad_certificate_status_response"},
	{114, "bad_certificate_hash_value"},
	{115, "unknown_psk_identity"},
	{ALERT_CERTIFICATE_REQUIRED, "certificate_required"},
	{ALERT_NO_APPLICATION_PROTOCOL, "no_application_protocol"},
};

const char *alert_name(int alert)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].alert == alert)
			return names[i].name;
	}
	return "unassigned";
}

void clean_text(char *out, size_t size, const void *bytes, size_t len)
{
	const unsigned char *from = bytes;
	size_t at = 0;

	for (size_t i = 0; i < len; i++) {
		bool plain = from[i] >= 0x20 && from[i] < 0x7f;

		if (at + (plain ? 1 : 4) >= size)
			break;
		if (plain)
			out[at++] = (char)from[i];
		else
			at += (size_t)sprintf(out + at, "\\x%02x", from[i]);
	}
	out[at] = '\0';
}

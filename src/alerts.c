/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * alerts.c - the names of the alerts, and the slots in which they are counted.
 * linger.c names them in the log, counters and metrics in their figures.
 */
#include "alerts.h"

/*
 * In the order of their slots. Other nodes know a slot by its place: new ones
 * come last, and none ever leaves.
 */
static const struct {
	int alert;
	const char *name;
} alerts[ALERTS] = {
	{ 0, "close_notify" },
	[ALERTS_OTHER] = { NO_ALERT, "other" },
	{ 10, "unexpected_message" },
	{ 20, "bad_record_mac" },
	{ 22, "record_overflow" },
	{ 40, "handshake_failure" },
	{ 42, "bad_certificate" },
	{ 43, "unsupported_certificate" },
	{ 44, "certificate_revoked" },
	{ 45, "certificate_expired" },
	{ 46, "certificate_unknown" },
	{ 47, "illegal_parameter" },
	{ 48, "unknown_ca" },
	{ 49, "access_denied" },
	{ 50, "decode_error" },
	{ 51, "decrypt_error" },
	{ 70, "protocol_version" },
	{ 71, "insufficient_security" },
	{ 80, "internal_error" },
	{ 86, "inappropriate_fallback" },
	{ 90, "user_canceled" },
	{ 100, "no_renegotiation" },
	{ 109, "missing_extension" },
	{ 110, "unsupported_extension" },
	{ 112, "unrecognized_name" },
	{ 113, "bad_certificate_status_response" },
	{ 115, "unknown_psk_identity" },
	{ 116, "certificate_required" },
	{ 120, "no_application_protocol" },
};

size_t alerts_slot(int alert)
{
	for (size_t i = 0; i < ALERTS; i++)
		if (alerts[i].alert == alert)
			return i;
	return ALERTS_OTHER;
}

const char *alerts_slot_name(size_t slot)
{
	return alerts[slot < ALERTS ? slot : ALERTS_OTHER].name;
}

const char *alerts_name(int alert)
{
	size_t slot = alerts_slot(alert);

	if (alert == NO_ALERT)
		return NULL;
	return slot == ALERTS_OTHER ? "unassigned" : alerts[slot].name;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * error.c - the names of libstek's numbers, for logs, metrics and the admin
 * endpoint. They are part of the contract: dashboards and scripts match them.
 */
#include "stek_wolfssl.h"

#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const char *const errors[] = {
	[-STEK_OK] = "success",
	[-STEK_ENOMEM] = "out of memory",
	[-STEK_EINVAL] = "an argument or option is out of its range",
	[-STEK_EABSENT] = "the store answered that there is nothing",
	[-STEK_EUNAVAILABLE] = "the store does not answer",
	[-STEK_EREFUSED] = "refused",
	[-STEK_ECONFLICT] = "another node was first",
	[-STEK_EFORMAT] = "the bytes do not parse",
	[-STEK_EAUTH] = "forged, or sealed under another farm key",
	[-STEK_ERANDOM] = "the system's random generator failed",
	[-STEK_ECRYPTO] = "a cryptographic operation failed",
	[-STEK_EIO] = "input or output failed",
	[-STEK_EMODE] = "a secret file is readable by group or others",
	[-STEK_ETIMEOUT] = "a live node has not acknowledged in time",
	[-STEK_ELIBRARY] = "the TLS library differs from the one built for",
	[-STEK_EFULL] = "the ring is full",
	[-STEK_ENOKEY] = "no such key in the ring",
	[-STEK_EREUSED] = "the name of a request was used for another one",
	[-STEK_EBUSY] = "that request is under way",
};

static const char *const states[] = {
	[STEK_PENDING] = "pending",
	[STEK_ACTIVE] = "active",
	[STEK_RETIRED] = "retired",
	[STEK_REVOKED] = "revoked",
	[STEK_GONE] = "gone",
};

static const char *const reasons[] = {
	[STEK_MADE_BY_SCHEDULE] = "schedule",
	[STEK_MADE_BY_ROTATE] = "rotate",
	[STEK_MADE_BY_REVOKE] = "revoke",
};

static const char *const events[] = {
	[STEK_EVENT_RING] = "ring",
	[STEK_EVENT_STORE_UP] = "store_up",
	[STEK_EVENT_STORE_DOWN] = "store_down",
	[STEK_EVENT_STORE_REFUSED] = "store_refused",
	[STEK_EVENT_RECORD_BAD] = "record_bad",
	[STEK_EVENT_MINTED] = "minted",
	[STEK_EVENT_RESTORED] = "restored",
	[STEK_EVENT_REVOKED] = "revoked",
	[STEK_EVENT_NO_ACTIVE_KEY] = "no_active_key",
	[STEK_EVENT_ACTIVE_KEY] = "active_key",
	[STEK_EVENT_CLOCK] = "clock",
	[STEK_EVENT_STATE_FILE] = "state_file",
	[STEK_EVENT_SAME_NAME] = "same_name",
	[STEK_EVENT_UNCONFIRMED] = "unconfirmed",
	[STEK_EVENT_FARM_KEY] = "farm_key",
	[STEK_EVENT_LAGGING] = "lagging",
};

static const char *const store_states[] = {
	[STEK_STORE_CONNECTING] = "connecting",
	[STEK_STORE_OK] = "ok",
	[STEK_STORE_UNAVAILABLE] = "unavailable",
	[STEK_STORE_REFUSED] = "refused",
};

static const char *const outcomes[STEK_OUTCOMES] = {
	[STEK_NONE_OFFERED] = "none_offered",
	[STEK_RESUMED_ACTIVE] = "resumed_active",
	[STEK_RESUMED_RETIRED] = "resumed_retired",
	[STEK_RESUMED_PENDING] = "resumed_pending",
	[STEK_REFUSED_FORMAT] = "refused_format",
	[STEK_REFUSED_UNKNOWN] = "refused_unknown",
	[STEK_REFUSED_EXPIRED] = "refused_expired",
	[STEK_REFUSED_REVOKED] = "refused_revoked",
	[STEK_REFUSED_POLICY] = "refused_policy",
	[STEK_REFUSED_FORGED] = "refused_forged",
	[STEK_REFUSED_CHAIN] = "refused_chain",
	[STEK_REFUSED_LIMIT] = "refused_limit",
	[STEK_REFUSED_IDENTITY] = "refused_identity",
	[STEK_REFUSED_PSK_KE] = "refused_psk_ke",
};

/* A number that a newer peer or a bug made up still gets a printable name. */
static const char *name_of(const char *const *table, size_t count, long number)
{
	if (number < 0 || (size_t)number >= count || !table[number])
		return "unknown";
	return table[number];
}

const char *stek_strerror(int error)
{
	return name_of(errors, COUNT(errors), -(long)error);
}

const char *stek_version_string(void)
{
	return "0.1.0";
}

const char *stek_state_name(enum stek_state state)
{
	return name_of(states, COUNT(states), (long)state);
}

const char *stek_reason_name(enum stek_reason reason)
{
	return name_of(reasons, COUNT(reasons), (long)reason);
}

const char *stek_event_name(enum stek_event_kind kind)
{
	return name_of(events, COUNT(events), (long)kind);
}

const char *stek_store_state_name(enum stek_store_state state)
{
	return name_of(store_states, COUNT(store_states), (long)state);
}

const char *stek_outcome_name(enum stek_outcome outcome)
{
	return name_of(outcomes, COUNT(outcomes), (long)outcome);
}

bool stek_version_equal(const struct stek_version *a,
			const struct stek_version *b)
{
	return a->epoch == b->epoch &&
	       memcmp(a->digest, b->digest, STEK_DIGEST_LEN) == 0;
}

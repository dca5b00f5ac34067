/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refused.c - counts the requests that the admin endpoint turns away, and keeps
 * a page that tries a thousand times from filling the log. Called by
 * admin_exchange.c; metrics.c shows the counts.
 */
#include "refused.h"

#define TELL_EVERY_MS 1000

static const char *const names[REFUSALS] = {
	[REFUSED_PEER] = "peer",
	[REFUSED_HOST] = "host",
	[REFUSED_ORIGIN] = "origin",
	[REFUSED_TOKEN] = "token",
	[REFUSED_CERTIFICATE] = "certificate",
	[REFUSED_ROLE] = "role",
};

const char *refusal_name(enum refused_kind kind)
{
	return names[kind];
}

bool refused_count(struct refusals *refusals, enum refused_kind kind,
		   int64_t now_ms)
{
	int64_t told = atomic_load(&refusals->told_ms);

	atomic_fetch_add(&refusals->counts[kind], 1);
	/* Of several threads at once one tells. */
	return (told == 0 || now_ms - told >= TELL_EVERY_MS) &&
	       atomic_compare_exchange_strong(&refusals->told_ms, &told,
					      now_ms);
}

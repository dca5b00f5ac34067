/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refused.h - the requests that the admin endpoint has turned away before it
 * looked at what they ask for: counted, and told at most once a second.
 */
#ifndef STEKD_REFUSED_H
#define STEKD_REFUSED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum refused_kind {
	REFUSED_PEER,		/* another user, at the Unix socket */
	REFUSED_HOST,
	REFUSED_ORIGIN,
	REFUSED_TOKEN,
	REFUSED_CERTIFICATE,
	REFUSED_ROLE,
	REFUSALS,
};

struct refusals {
	_Atomic uint64_t counts[REFUSALS];
	_Atomic int64_t told_ms;	/* CLOCK_MONOTONIC; 0: never */
};

const char *refusal_name(enum refused_kind kind);

/* Counts. True if it may be told now. Any thread. */
bool refused_count(struct refusals *refusals, enum refused_kind kind,
		   int64_t now_ms);

#endif

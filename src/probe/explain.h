/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * explain.h - why a connection failed, the likeliest cause first, and what to
 * check. Pure: it goes by what was seen and by what trials have shown.
 */
#ifndef PROBE_EXPLAIN_H
#define PROBE_EXPLAIN_H

#include "talk.h"

/* What a trial changes in the offer, one at a time. */
enum aspect {
	ASPECT_NONE,
	ASPECT_SUITE,
	ASPECT_GROUP,
	ASPECT_SCHEME,
	ASPECT_ALPN,
	ASPECT_VERSION,
	ASPECT_PROXY,
	ASPECT_NAME,
	ASPECT_LEGACY,
	ASPECTS,
};

/* What further connections have shown. */
struct trials {
	unsigned n;		/* how many there were */
	enum aspect helped;	/* changing this, the server answered */
	bool plain;		/* it speaks HTTP without TLS */
	int other_alert;	/* what it says in the other version; -1: none */
	bool clock_known;
	int64_t clock_off_s;	/* our clock minus the server's */
};

#define CAUSES_MAX 4
#define CHECKS_MAX 3

struct cause {
	const char *name;	/* for programs */
	const char *what;
	const char *check[CHECKS_MAX];
};

struct causes {
	size_t n;		/* 0: nothing failed */
	const struct cause *list[CAUSES_MAX];
};

void explain(struct causes *out, const struct talk *talk,
	     const struct cert_own *own, const struct trials *trials);

#endif

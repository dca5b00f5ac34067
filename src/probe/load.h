/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load.h - many connections at a given concurrency, a given share of which
 * offer a ticket. A closed loop: a connection that ends starts the next.
 */
#ifndef PROBE_LOAD_H
#define PROBE_LOAD_H

#include <stdio.h>

#include "farm.h"

struct load_plan {
	struct tls_options tls;
	struct address *addresses;
	size_t n;
	bool versions[TLS_VERSIONS];
	uint64_t connections;	/* 0: as many as the duration allows */
	uint32_t duration_s;	/* 0: until `connections` are done */
	unsigned concurrency;	/* >= threads >= 1 */
	unsigned rate;		/* connections begun per second; 0: any */
	unsigned threads;
	unsigned warmup;	/* full handshakes before, per version */
	unsigned share;		/* of connections that offer; basis points */
	bool single_use;	/* TLS 1.2 tickets too */
	bool progress;		/* a line a second on standard error */
};

/* connections = failed + resumed + full */
struct load_counts {
	uint64_t connections, failed;
	uint64_t wanted;	/* were to offer a ticket, by the share */
	uint64_t offered;	/* did; fewer when no ticket was left, or no TCP */
	uint64_t resumed, full;
	uint64_t elsewhere;	/* resumed at a node other than the issuer */
	uint64_t tickets;	/* received */
};

struct load_result {
	struct load_counts counts[TLS_VERSIONS];
	struct key_names keys[TLS_VERSIONS];	/* warm-up included */
	struct samples full;			/* warm-up included */
	struct samples resumed;
	struct reasons failures;		/* warm-up included */
	uint64_t warm_connections, warm_failed;
	bool reached;		/* TCP, at least once */
	bool stopped;		/* ended by a signal */
	double seconds;		/* without the warm-up */
};

int load_run(const struct load_plan *plan, struct load_result *out);
void load_clear(struct load_result *result);

/*
 * 0; 1: something failed, or in some version fewer than `expect` basis points
 * of the connections that were to resume did; 3: nothing was reachable.
 */
int load_verdict(const struct load_result *result, unsigned expect);

/* report.c */
void load_print(const struct load_plan *plan, const struct load_result *result,
		enum report_format format, FILE *out);

#endif

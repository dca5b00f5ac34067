/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load.h - many connections, a given share of which offer a ticket. A closed
 * loop: a connection that ends starts the next, at most `rate` a second. An
 * open loop: connection i begins i/rate seconds after the first, whatever has
 * become of those before it, as a farm's clients do. With a rate every latency
 * is counted from that moment too: a client that had to wait for the server
 * before it could ask is not left out ("coordinated omission").
 */
#ifndef PROBE_LOAD_H
#define PROBE_LOAD_H

#include <stdatomic.h>
#include <stdio.h>

#include "course.h"
#include "cpu.h"
#include "demand.h"
#include "farm.h"

#define LOAD_SERVERS_MAX 64

/* What another thread tells a running load, and is told by it. */
struct load_control {
	atomic_bool end;	/* start no more connections */
	_Atomic unsigned era;	/* under which new connections are counted */
	_Atomic int64_t begun_us;	/* of the measured phase; 0: not yet */
	_Atomic uint64_t good;	/* connections that did not fail */
};

struct load_plan {
	struct tls_options tls;
	struct demand demand;	/* of each connection but the warm-up's */
	struct address *addresses;
	size_t n;
	bool versions[TLS_VERSIONS];
	uint64_t connections;	/* 0: as many as the duration allows */
	uint32_t duration_s;	/* 0: until `connections` are done */
	unsigned concurrency;	/* >= threads >= 1 */
	unsigned rate;		/* connections begun per second; 0: any */
	bool open_loop;		/* the rate's moments, to the microsecond */
	unsigned threads;
	unsigned warmup;	/* full handshakes before, per version */
	unsigned share;		/* of connections that offer; basis points */
	bool single_use;	/* TLS 1.2 tickets too */
	bool reuse;		/* a ticket again and again while it resumes */
	pid_t servers[LOAD_SERVERS_MAX];	/* whose CPU is counted */
	size_t n_servers;
	struct load_control *control;	/* NULL: nobody steers */
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
	uint64_t lost;		/* offered, and got a full handshake */
};

struct load_result {
	struct load_counts counts[TLS_VERSIONS];
	/* Of all tickets received, warm-up included; lifetimes in seconds. */
	struct key_names keys[TLS_VERSIONS];
	struct samples lifetimes[TLS_VERSIONS];
	struct samples full, resumed;		/* handshakes alone */
	struct samples full_due, resumed_due;	/* since they were due */
	struct samples late;			/* begun after they were due */
	struct reasons groups;
	struct reasons failures;
	struct course course, eras;
	uint64_t unstarted;	/* were due and had not begun at the end */
	/* Figures of the warm-up alone. */
	uint64_t warm_connections, warm_failed;
	struct samples warm;			/* full handshakes */
	struct reasons warm_failures;
	struct cpu_server servers[LOAD_SERVERS_MAX];
	bool reached;		/* TCP, at least once */
	bool stopped;		/* ended by a signal */
	double seconds;		/* without the warm-up */
};

int load_run(const struct load_plan *plan, struct load_result *out);
void load_clear(struct load_result *result);

/* True if all servers were there from begin to end; their sum in seconds. */
bool load_cpu(const struct load_plan *plan, const struct load_result *result,
	      double *user_s, double *system_s);

/* How many connections of `rate` a second are due after `elapsed_us`. */
uint64_t load_due(unsigned rate, int64_t elapsed_us);

/* When connection `index` is due, in microseconds after the first. */
int64_t load_due_us(unsigned rate, uint64_t index);

/*
 * 0; 1: something failed, or in some version fewer than `expect` basis points
 * of the connections that were to resume did; 3: nothing was reachable.
 */
int load_verdict(const struct load_result *result, unsigned expect);

/* report.c */
void load_print(const struct load_plan *plan, const struct load_result *result,
		enum report_format format, FILE *out);

#endif

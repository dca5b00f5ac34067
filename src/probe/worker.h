/* SPDX-License-Identifier: GPL-2.0-or-later */
/* worker.h - one thread of the load and what the threads share. */
#ifndef PROBE_WORKER_H
#define PROBE_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "load.h"

struct load_shared {
	const struct load_plan *plan;
	struct cpu_server *servers;	/* as many as the plan names */
	pthread_mutex_t gate;		/* held until all threads exist */
	bool cancelled;			/* written under the gate */
	pthread_barrier_t warm;		/* everybody's warm-up is done */
	_Atomic uint64_t next;		/* number of the next connection */
	_Atomic int64_t begun_us, until_us;	/* of the measured phase */
	/* For the progress line only. */
	_Atomic uint64_t done, offered, resumed, failed;
};

struct load_worker {
	struct load_shared *shared;
	pthread_t thread;
	unsigned slots;			/* connections at a time */
	unsigned warmup;		/* per version */
	bool broken;			/* out of memory or no context */
	int64_t ended_us;
	struct load_result result;	/* this thread's part */
};

/* tally.c: what a finished connection adds to its thread's part. */
struct tally {
	bool warming;
	bool wanted;		/* was to offer a ticket */
	unsigned era;
	unsigned ticket_era;	/* in which the ticket offered was given */
	int64_t due_us, started_us;	/* due: the start, or the rate's moment */
	int64_t begun_us;	/* the measured phase's; of the same clock */
	int64_t now_us;
};

/* 0, or -1: out of memory. */
int tally_conn(struct load_result *result, const struct conn *conn,
	       const struct tally *how);
int tally_ticket(struct load_result *result, enum tls_version version,
		 const SSL_SESSION *ticket, bool warming);

/* Thread entry; `arg` is the struct load_worker. */
void *worker_main(void *arg);

#endif

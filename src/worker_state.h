/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker_state.h - struct worker as the data path sees it: worker.c runs the
 * loop, listener.c accepts, conn*.c serve. One thread; only what is marked
 * atomic, and the counters, is read by others.
 */
#ifndef STEKD_WORKER_STATE_H
#define STEKD_WORKER_STATE_H

#include <uv.h>

#include "gate.h"
#include "watches.h"
#include "worker.h"

#define WORKER_READ_MAX (32 * 1024)	/* ciphertext, one recv */
#define WORKER_PLAIN_MAX (16 * 1024)	/* plaintext, one TLS record */

struct conn;

struct listener {
	struct worker *worker;
	int fd;				/* -1: closed */
	bool shared;			/* systemd's, and all workers poll it */
	size_t index;			/* in settings->listen */
	struct settings_address bound;
	struct watch watch;
	uint64_t turn;			/* when it last accepted all it might */
	unsigned batch;			/* how many it may accept in a turn */
};

struct worker {
	struct node *node;
	unsigned index;
	struct counters counters;
	_Atomic uint64_t open;

	uv_loop_t loop;			/* timers, signals from other threads */
	struct watches watches;		/* sockets */
	uv_thread_t thread;
	bool loop_ready;
	uv_async_t drain_signal;
	uv_async_t turn_signal;
	uint64_t asked;			/* the main thread's */
	_Atomic uint64_t turned;
	uv_timer_t drain_timer;		/* the bound of draining */
	uv_timer_t accept_timer;	/* after EMFILE, ENOMEM, ENOSPC */
	bool started;			/* the thread runs, or is to be joined */
	bool draining;
	bool closing_listeners;		/* while on_drain() is at it */
	bool accept_paused;		/* some listener, until the timer */
	int reserve_fd;			/* given up to refuse politely */

	struct listener *listeners;
	size_t n_listeners;
	struct conn *conns;		/* a list */

	/* Lines about single connections: a bucket, refilled each second. */
	uint64_t log_second;
	unsigned log_lines, log_suppressed;

	/* Scratch, used within one event and never across two. */
	uint8_t read[WORKER_READ_MAX];
	uint8_t plain[WORKER_PLAIN_MAX];
	uint8_t hello[GATE_HELLO_MAX];
	uint8_t framed[GATE_BUFFER_MAX];
};

/* listener.c */
int listener_open(struct listener *listener, struct worker *worker,
		  const struct settings_listen *settings, size_t n, char *why,
		  size_t why_len);
int listener_start(struct listener *listener);	/* -1: errno, not started */
void listener_pause(struct listener *listener);
void listener_close(struct listener *listener);	/* takes the queued ones in */

/* worker.c: pauses accepting for `ms`, or until a connection of its own ends. */
void worker_pause(struct worker *worker, unsigned ms);
void worker_conn_closed(struct worker *worker);

/* True if a line about one connection may be logged now. */
bool worker_may_log(struct worker *worker);

#endif

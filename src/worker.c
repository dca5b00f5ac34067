/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker.c - one thread, one loop: starts and ends them, pauses and
 * resumes accepting, drains. stekd.c makes one worker per core; nothing of a
 * connection is ever seen by another thread but its counters.
 */
#include "worker_state.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "log.h"
#include "pin.h"

#define LOG_LINES_PER_S 20
#define RETRY_MS 100

static void close_handle(uv_handle_t *handle, void *user)
{
	(void)user;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

/* Only the worker's own handles are left; without them the loop ends. */
static void end_loop(struct worker *worker)
{
	uv_walk(&worker->loop, close_handle, NULL);
}

static void on_accept_timer(uv_timer_t *timer);

/* Which the kernel has no memory for now (epoll_ctl(2)) are tried again. */
static void start_listeners(struct worker *worker)
{
	size_t i;

	worker->accept_paused = false;
	for (i = 0; i < worker->n_listeners; i++)
		if (listener_start(&worker->listeners[i]) < 0)
			worker->accept_paused = true;
	if (worker->accept_paused)
		uv_timer_start(&worker->accept_timer, on_accept_timer,
			       RETRY_MS, 0);
}

static void on_accept_timer(uv_timer_t *timer)
{
	start_listeners(timer->data);
}

void worker_pause(struct worker *worker, unsigned ms)
{
	size_t i;

	if (worker->draining)
		return;
	worker->accept_paused = true;
	for (i = 0; i < worker->n_listeners; i++)
		listener_pause(&worker->listeners[i]);
	uv_timer_start(&worker->accept_timer, on_accept_timer, ms, 0);
}

void worker_conn_closed(struct worker *worker)
{
	worker->open--;
	if (worker->draining) {
		if (!worker->open && !worker->closing_listeners)
			end_loop(worker);
		return;
	}
	if (worker->accept_paused) {
		uv_timer_stop(&worker->accept_timer);
		start_listeners(worker);
	}
}

bool worker_may_log(struct worker *worker)
{
	uint64_t second = uv_now(&worker->loop) / 1000;
	unsigned suppressed = worker->log_suppressed;

	if (second != worker->log_second) {
		worker->log_second = second;
		worker->log_lines = worker->log_suppressed = 0;
		if (suppressed)
			log_event(LOG_INFO, "lines suppressed", "lines",
				  LOG_INT, (int64_t)suppressed, NULL);
	}
	if (worker->log_lines++ < LOG_LINES_PER_S)
		return true;
	worker->log_suppressed++;
	return false;
}

static void on_drain_bound(uv_timer_t *timer)
{
	struct worker *worker = timer->data;

	log_event(LOG_WARN, "connections cut, the drain took too long",
		  "worker", LOG_INT, (int64_t)worker->index,
		  "open", LOG_INT, (int64_t)worker->open, NULL);
	while (worker->conns)
		conn_close(worker->conns);
}

static void on_drain(uv_async_t *signal)
{
	struct worker *worker = signal->data;
	struct generation *generation;
	struct conn *conn, *next;
	size_t i;

	if (worker->draining)
		return;
	worker->draining = true;
	uv_timer_stop(&worker->accept_timer);
	worker->closing_listeners = true;
	for (i = 0; i < worker->n_listeners; i++)
		listener_close(&worker->listeners[i]);
	for (conn = worker->conns; conn; conn = next) {
		next = conn->next;
		conn_drain(conn);
	}
	worker->closing_listeners = false;
	if (!worker->open) {
		end_loop(worker);
		return;
	}
	generation = generation_take(worker->node);
	uv_timer_start(&worker->drain_timer, on_drain_bound,
		       generation->settings->drain_timeout_ms, 0);
	generation_release(generation);
}

static void on_turn(uv_async_t *signal)
{
	struct worker *worker = signal->data;

	worker->turned++;
}

/* Signals that come together are one turn, so it may be behind, not ahead. */
bool worker_turns(struct worker *worker)
{
	if (worker->turned < worker->asked)
		return false;
	worker->asked = worker->turned + 1;
	uv_async_send(&worker->turn_signal);
	return true;
}

static int start_loop(struct worker *worker)
{
	if (uv_loop_init(&worker->loop) < 0)
		return -1;
	worker->loop_ready = true;
	if (watches_open(&worker->watches, &worker->loop) < 0)
		return -1;
	worker->drain_signal.data = worker;
	worker->turn_signal.data = worker;
	worker->drain_timer.data = worker;
	worker->accept_timer.data = worker;
	uv_timer_init(&worker->loop, &worker->drain_timer);
	uv_timer_init(&worker->loop, &worker->accept_timer);
	if (uv_async_init(&worker->loop, &worker->turn_signal, on_turn) < 0)
		return -1;
	return uv_async_init(&worker->loop, &worker->drain_signal, on_drain);
}

int worker_new(struct worker **out, struct node *node, unsigned index,
	       char *why, size_t why_len)
{
	const struct settings *settings = node->fixed;
	struct worker *worker = calloc(1, sizeof(*worker));
	size_t i;

	snprintf(why, why_len, "no memory for a worker");
	if (!worker)
		return -1;
	worker->node = node;
	worker->index = index;
	worker->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	worker->listeners = calloc(settings->n_listen + 1,
				   sizeof(*worker->listeners));
	if (!worker->listeners || start_loop(worker) < 0)
		goto fail;
	for (i = 0; i < settings->n_listen; i++)
		worker->listeners[i].fd = -1;
	worker->n_listeners = settings->n_listen;
	for (i = 0; i < settings->n_listen; i++)
		if (listener_open(&worker->listeners[i], worker,
				  &settings->listen[i], i, why, why_len) < 0)
			goto fail;
	*out = worker;
	return 0;
fail:
	worker_free(worker);
	return -1;
}

static void run(void *user)
{
	struct worker *worker = user;

	start_listeners(worker);
	watches_run(&worker->watches);
}

void worker_drain(struct worker *worker)
{
	uv_async_send(&worker->drain_signal);
}

void worker_join(struct worker *worker)
{
	if (!worker->started)
		return;
	uv_thread_join(&worker->thread);
	worker->started = false;
}

int worker_start(struct worker *worker)
{
	sigset_t all, before;
	int ret;

	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = uv_thread_create(&worker->thread, run, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	worker->started = ret == 0;
	errno = -ret;
	if (ret != 0)
		return -1;
	if (!worker->node->fixed->pin_workers ||
	    pin_thread(worker->thread, worker->index) == 0)
		return 0;
	ret = errno;
	worker_drain(worker);
	worker_join(worker);
	errno = ret;
	return -1;
}

void worker_free(struct worker *worker)
{
	size_t i;

	if (!worker)
		return;
	for (i = 0; i < worker->n_listeners; i++)
		listener_close(&worker->listeners[i]);
	if (worker->loop_ready) {
		end_loop(worker);
		uv_run(&worker->loop, UV_RUN_DEFAULT);
		uv_loop_close(&worker->loop);
		watches_close(&worker->watches);
	}
	if (worker->reserve_fd >= 0)
		close(worker->reserve_fd);
	free(worker->listeners);
	free(worker);
}

const struct counters *worker_counters(const struct worker *worker)
{
	return &worker->counters;
}

uint64_t worker_connections(const struct worker *worker)
{
	return worker->open;
}

int worker_address(const struct worker *worker, size_t n,
		   struct settings_address *out)
{
	if (n >= worker->n_listeners || worker->listeners[n].fd < 0)
		return -1;
	*out = worker->listeners[n].bound;
	return 0;
}

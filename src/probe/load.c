/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stekprobe load: starts the threads of worker.c, shows the progress line while
 * they run, adds their parts up and judges the sum.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stop.h"
#include "worker.h"

static int merge(struct load_result *into, const struct load_result *from)
{
	int result = 0;

	for (int v = 0; v < TLS_VERSIONS; v++) {
		struct load_counts *a = &into->counts[v];
		const struct load_counts *b = &from->counts[v];

		a->connections += b->connections;
		a->failed += b->failed;
		a->wanted += b->wanted;
		a->offered += b->offered;
		a->resumed += b->resumed;
		a->full += b->full;
		a->elsewhere += b->elsewhere;
		a->tickets += b->tickets;
		result |= key_names_merge(&into->keys[v], &from->keys[v]);
	}
	result |= samples_merge(&into->full, &from->full);
	result |= samples_merge(&into->resumed, &from->resumed);
	reasons_merge(&into->failures, &from->failures);
	into->warm_connections += from->warm_connections;
	into->warm_failed += from->warm_failed;
	into->reached = into->reached || from->reached;
	return result;
}

static void print_progress(struct load_shared *shared)
{
	uint64_t done = atomic_load_explicit(&shared->done,
					     memory_order_relaxed);
	uint64_t offered = atomic_load_explicit(&shared->offered,
						memory_order_relaxed);
	uint64_t resumed = atomic_load_explicit(&shared->resumed,
						memory_order_relaxed);
	uint64_t failed = atomic_load_explicit(&shared->failed,
					       memory_order_relaxed);
	int64_t begun_us = atomic_load(&shared->begun_us);
	double seconds = (double)(conn_now_us() - begun_us) / 1e6;

	if (begun_us == 0) {
		fputs("stekprobe: warming up\n", stderr);
		return;
	}
	fprintf(stderr,
		"stekprobe: %.0f s, %llu connections, %.0f/s, "
		"resumed %llu of %llu offered, failed %llu\n",
		seconds, (unsigned long long)done, (double)done / seconds,
		(unsigned long long)resumed, (unsigned long long)offered,
		(unsigned long long)failed);
}

static void wait_for(struct load_shared *shared, struct load_worker *worker)
{
	while (shared->plan->progress) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec++;
		if (pthread_timedjoin_np(worker->thread, NULL, &until) == 0)
			return;
		print_progress(shared);
	}
	pthread_join(worker->thread, NULL);
}

/* How many of `whole` the thread `i` of `threads` gets. */
static unsigned part(unsigned whole, unsigned i, unsigned threads)
{
	return whole / threads + (i < whole % threads);
}

/* Starts all threads behind the gate; fewer than asked for cancels them. */
static unsigned start_threads(struct load_shared *shared,
			      struct load_worker *workers)
{
	const struct load_plan *plan = shared->plan;
	unsigned started = 0;

	pthread_mutex_lock(&shared->gate);
	for (; started < plan->threads; started++) {
		struct load_worker *worker = &workers[started];

		worker->shared = shared;
		worker->slots = part(plan->concurrency, started, plan->threads);
		worker->warmup = part(plan->warmup, started, plan->threads);
		if (pthread_create(&worker->thread, NULL, worker_main,
				   worker) != 0)
			break;
	}
	shared->cancelled = started < plan->threads;
	pthread_mutex_unlock(&shared->gate);
	return started;
}

int load_run(const struct load_plan *plan, struct load_result *out)
{
	struct load_shared shared = {.plan = plan};
	struct load_worker *workers;
	int64_t ended_us = 0;
	unsigned started;
	int result = 0;

	*out = (struct load_result){0};
	workers = calloc(plan->threads, sizeof(*workers));
	if (!workers)
		return -1;
	pthread_mutex_init(&shared.gate, NULL);
	pthread_barrier_init(&shared.warm, NULL, plan->threads);
	started = start_threads(&shared, workers);
	for (unsigned i = 0; i < started; i++) {
		struct load_worker *worker = &workers[i];

		wait_for(&shared, worker);
		if (worker->broken || merge(out, &worker->result) != 0)
			result = -1;
		if (worker->ended_us > ended_us)
			ended_us = worker->ended_us;
		load_clear(&worker->result);
	}
	if (started < plan->threads)
		result = -1;
	out->stopped = stop_asked();
	out->seconds = (double)(ended_us - atomic_load(&shared.begun_us)) / 1e6;
	samples_sort(&out->full);
	samples_sort(&out->resumed);
	pthread_barrier_destroy(&shared.warm);
	pthread_mutex_destroy(&shared.gate);
	free(workers);
	return result;
}

void load_clear(struct load_result *result)
{
	for (int v = 0; v < TLS_VERSIONS; v++)
		key_names_clear(&result->keys[v]);
	samples_clear(&result->full);
	samples_clear(&result->resumed);
}

int load_verdict(const struct load_result *result, unsigned expect)
{
	if (!result->reached)
		return 3;
	if (result->warm_failed > 0)
		return 1;
	for (int v = 0; v < TLS_VERSIONS; v++) {
		const struct load_counts *counts = &result->counts[v];

		if (counts->failed > 0 ||
		    counts->resumed * SHARE_WHOLE < counts->wanted * expect)
			return 1;
	}
	return 0;
}

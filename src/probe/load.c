/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stekprobe load: starts the threads of worker.c, shows the progress line while
 * they run, adds their parts up and judges the sum.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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
		a->lost += b->lost;
		result |= key_names_merge(&into->keys[v], &from->keys[v]);
		result |= samples_merge(&into->lifetimes[v],
					&from->lifetimes[v]);
	}
	result |= samples_merge(&into->full, &from->full);
	result |= samples_merge(&into->resumed, &from->resumed);
	result |= samples_merge(&into->full_due, &from->full_due);
	result |= samples_merge(&into->resumed_due, &from->resumed_due);
	result |= samples_merge(&into->late, &from->late);
	result |= samples_merge(&into->warm, &from->warm);
	result |= course_merge(&into->course, &from->course);
	result |= course_merge(&into->eras, &from->eras);
	reasons_merge(&into->groups, &from->groups);
	reasons_merge(&into->failures, &from->failures);
	reasons_merge(&into->warm_failures, &from->warm_failures);
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

uint64_t load_due(unsigned rate, int64_t elapsed_us)
{
	return elapsed_us < 0 ? 0 : (uint64_t)elapsed_us * rate / 1000000 + 1;
}

/* Rounded up: by then load_due() counts it. */
int64_t load_due_us(unsigned rate, uint64_t index)
{
	return (int64_t)((index * 1000000 + rate - 1) / rate);
}

static void sort_all(struct load_result *result)
{
	for (int v = 0; v < TLS_VERSIONS; v++)
		samples_sort(&result->lifetimes[v]);
	samples_sort(&result->full);
	samples_sort(&result->resumed);
	samples_sort(&result->full_due);
	samples_sort(&result->resumed_due);
	samples_sort(&result->late);
	samples_sort(&result->warm);
}

static void end_cpu(const struct load_plan *plan, struct load_result *out)
{
	for (size_t i = 0; i < plan->n_servers; i++) {
		struct cpu_sample now;
		bool there = cpu_read(&now, plan->servers[i]) == 0;

		cpu_end(&out->servers[i], there ? &now : NULL,
			(double)sysconf(_SC_CLK_TCK));
	}
}

/*
 * Those whose moment had come when a duration was over, and whose place had
 * not: left out of the latencies, so told.
 */
static uint64_t unstarted(struct load_shared *shared)
{
	const struct load_plan *plan = shared->plan;
	uint64_t next = atomic_load(&shared->next), due;

	if (!plan->rate || !plan->duration_s || stop_asked())
		return 0;
	due = load_due(plan->rate,
		       (int64_t)plan->duration_s * 1000000 - 1);
	return due > next ? due - next : 0;
}

int load_run(const struct load_plan *plan, struct load_result *out)
{
	struct load_shared shared = {.plan = plan, .servers = out->servers};
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
	end_cpu(plan, out);
	if (started < plan->threads)
		result = -1;
	out->stopped = stop_asked();
	out->seconds = (double)(ended_us - atomic_load(&shared.begun_us)) / 1e6;
	out->unstarted = unstarted(&shared);
	sort_all(out);
	pthread_barrier_destroy(&shared.warm);
	pthread_mutex_destroy(&shared.gate);
	free(workers);
	return result;
}

void load_clear(struct load_result *result)
{
	for (int v = 0; v < TLS_VERSIONS; v++) {
		key_names_clear(&result->keys[v]);
		samples_clear(&result->lifetimes[v]);
	}
	samples_clear(&result->full);
	samples_clear(&result->resumed);
	samples_clear(&result->full_due);
	samples_clear(&result->resumed_due);
	samples_clear(&result->late);
	samples_clear(&result->warm);
	course_clear(&result->course);
	course_clear(&result->eras);
}

bool load_cpu(const struct load_plan *plan, const struct load_result *result,
	      double *user_s, double *system_s)
{
	*user_s = *system_s = 0;
	for (size_t i = 0; i < plan->n_servers; i++) {
		if (!result->servers[i].known)
			return false;
		*user_s += result->servers[i].user_s;
		*system_s += result->servers[i].system_s;
	}
	return plan->n_servers > 0;
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

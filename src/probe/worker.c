/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One thread of stekprobe load: an epoll loop over its own connections, with
 * contexts, ticket pools and counters of its own. Only the number of the next
 * connection and the figures of the progress line are shared.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "pool.h"
#include "stop.h"
#include "worker.h"

#define SWEEP_US 100000
#define PACED_SWEEP_US 5000
#define POOL_LEAST 1024

struct slot {
	bool busy;
	struct tally tally;
	SSL_SESSION *spare;	/* a copy of what is offered, to reuse */
	uint32_t events;	/* registered with epoll; 0: not yet */
	struct conn conn;
};

struct loop {
	struct load_worker *worker;
	const struct load_plan *plan;
	SSL_CTX *ctx[TLS_VERSIONS];
	struct pool pool[TLS_VERSIONS];
	unsigned warm_left[TLS_VERSIONS];
	uint64_t warm_index;
	bool warming;
	bool exhausted;		/* this phase starts no more connections */
	bool early;		/* the rate allows none right now */
	int epoll, timer;
	unsigned busy;
	struct slot *slots;
};

struct job {
	enum tls_version version;
	const struct address *address;
	bool wanted;
	int64_t due_us;		/* 0: when it begins */
};

static bool next_warm(struct loop *loop, struct job *job)
{
	const struct load_plan *plan = loop->plan;

	for (int v = 0; v < TLS_VERSIONS; v++) {
		if (loop->warm_left[v] == 0)
			continue;
		loop->warm_left[v]--;
		*job = (struct job){
			.version = (enum tls_version)v,
			.address = &plan->addresses[loop->warm_index++ % plan->n],
		};
		return true;
	}
	return false;
}

/*
 * Takes the next connection's number, unless the rate allows none right now.
 * Two threads never get one number, nor one of
 * them a number before its time.
 */
static bool claim(const struct loop *loop, uint64_t *index, int64_t *due_us,
		  int64_t now_us)
{
	struct load_shared *shared = loop->worker->shared;
	int64_t begun_us = atomic_load_explicit(&shared->begun_us,
						memory_order_relaxed);
	unsigned rate = loop->plan->rate;

	*index = atomic_load_explicit(&shared->next, memory_order_relaxed);
	do {
		*due_us = rate ? begun_us + load_due_us(rate, *index) : 0;
		if (now_us < *due_us)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
		&shared->next, index, *index + 1, memory_order_relaxed,
		memory_order_relaxed));
	return true;
}

/*
 * Connection `index` of the whole run. Versions alternate, and within a version
 * its own index decides about the ticket, so that the share is exact in each;
 * the address advances by one more in each round, or an even number of them
 * would always meet the same half of the share.
 */
static bool next_measured(struct loop *loop, struct job *job, int64_t now_us)
{
	struct load_shared *shared = loop->worker->shared;
	const struct load_plan *plan = loop->plan;
	bool both = plan->versions[TLS_V12] && plan->versions[TLS_V13];
	uint64_t index, own;

	if (now_us >= atomic_load_explicit(&shared->until_us,
					   memory_order_relaxed))
		return false;
	loop->early = !claim(loop, &index, &job->due_us, now_us);
	if (loop->early)
		return false;
	if (plan->connections && index >= plan->connections)
		return false;
	own = both ? index / 2 : index;
	job->version = plan->versions[TLS_V13] ? TLS_V13 : TLS_V12;
	if (both && index % 2)
		job->version = TLS_V12;
	job->wanted = share_due(own, plan->share);
	job->address = &plan->addresses[(own + own / plan->n) % plan->n];
	return true;
}

static bool told_to_end(const struct load_plan *plan)
{
	return plan->control &&
	       atomic_load_explicit(&plan->control->end, memory_order_relaxed);
}

static bool next_job(struct loop *loop, struct job *job, int64_t now_us)
{
	bool more;

	loop->early = false;
	if (stop_asked() || loop->exhausted || told_to_end(loop->plan))
		more = false;
	else if (loop->warming)
		more = next_warm(loop, job);
	else
		more = next_measured(loop, job, now_us);
	loop->exhausted = !more && !loop->early;
	return more;
}

static unsigned era_now(const struct load_plan *plan)
{
	return plan->control ? atomic_load(&plan->control->era) : 0;
}

static void count_tickets(struct loop *loop, struct conn *conn)
{
	struct load_result *result = &loop->worker->result;
	enum tls_version v = conn->version;

	for (size_t i = 0; i < conn->n_tickets; i++) {
		if (tally_ticket(result, v, conn->tickets[i],
				 loop->warming) != 0)
			loop->worker->broken = true;
		tls_session_set_era(conn->tickets[i], era_now(loop->plan));
		pool_put(&loop->pool[v], conn->tickets[i]);
	}
	conn->n_tickets = 0;
}

/*
 * A ticket that was never sent is still good, and RFC 5077 lets a client keep
 * one that was resumed and not renewed. Only who asks for it offers a ticket
 * that has been renewed, or one of TLS 1.3, once more.
 */
static void return_ticket(struct loop *loop, struct slot *slot, bool renewed)
{
	struct conn *conn = &slot->conn;
	struct pool *pool = &loop->pool[conn->version];
	bool keeps = conn->version == TLS_V12 && !renewed &&
		     !loop->plan->single_use;

	if (conn->offered && (conn->hello_us == 0 || (conn->resumed && keeps &&
						      !slot->spare))) {
		pool_put(pool, conn->offered);
		conn->offered = NULL;
	} else if (slot->spare && conn->resumed) {
		pool_put(pool, slot->spare);
		slot->spare = NULL;
	}
	SSL_SESSION_free(slot->spare);
	slot->spare = NULL;
}

/*
 * OpenSSL declares a session of TLS 1.3 unusable once it was resumed, so who
 * reuses it keeps a copy.
 */
static SSL_SESSION *take_ticket(struct loop *loop, struct slot *slot,
				const struct job *job)
{
	SSL_SESSION *offer;

	if (!job->wanted)
		return NULL;
	offer = pool_take(&loop->pool[job->version], (long)time(NULL));
	if (offer && loop->plan->reuse)
		slot->spare = SSL_SESSION_dup(offer);
	return offer;
}

static void show_progress(struct load_shared *shared, const struct conn *conn)
{
	bool failed = conn->failure[0] != '\0';

	atomic_fetch_add_explicit(&shared->done, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&shared->offered,
				  conn->offered && conn->hello_us != 0,
				  memory_order_relaxed);
	atomic_fetch_add_explicit(&shared->resumed, !failed && conn->resumed,
				  memory_order_relaxed);
	atomic_fetch_add_explicit(&shared->failed, failed,
				  memory_order_relaxed);
	if (!failed && shared->plan->control)
		atomic_fetch_add_explicit(&shared->plan->control->good, 1,
					  memory_order_relaxed);
}

static void slot_finish(struct loop *loop, struct slot *slot)
{
	struct load_shared *shared = loop->worker->shared;
	struct conn *conn = &slot->conn;
	bool renewed = conn->n_tickets > 0;

	slot->tally.now_us = conn_now_us();
	if (!loop->warming)
		demand_check(&loop->plan->demand, conn);
	if (tally_conn(&loop->worker->result, conn, &slot->tally) != 0)
		loop->worker->broken = true;
	if (!loop->warming)
		show_progress(shared, conn);
	/* The newest is offered next: a ticket to be reused lies on top. */
	count_tickets(loop, conn);
	return_ticket(loop, slot, renewed);
	conn_end(conn);
	slot->busy = false;
	loop->busy--;
}

static void slot_watch(struct loop *loop, struct slot *slot,
		       enum conn_want want)
{
	uint32_t events = want == CONN_WRITE ? EPOLLOUT : EPOLLIN;
	struct epoll_event event = {.events = events, .data.ptr = slot};

	if (slot->events == events)
		return;
	if (epoll_ctl(loop->epoll, slot->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD,
		      slot->conn.fd, &event) != 0)
		loop->worker->broken = true;
	slot->events = events;
}

static struct tally begin_tally(const struct loop *loop, const struct job *job,
				const SSL_SESSION *offer)
{
	const struct load_plan *plan = loop->plan;
	int64_t now_us = conn_now_us();

	return (struct tally){
		.warming = loop->warming,
		.wanted = job->wanted,
		.era = era_now(plan),
		.ticket_era = offer ? tls_session_era(offer) : 0,
		.due_us = job->due_us ? job->due_us : now_us,
		.started_us = now_us,
		.begun_us = atomic_load_explicit(
			&loop->worker->shared->begun_us, memory_order_relaxed),
	};
}

/*
 * Starts connections on a free slot until one has to wait. After a failure the
 * slot rests until the next sweep: a dead server is not to be hammered.
 */
static void slot_fill(struct loop *loop, struct slot *slot)
{
	struct job job = {0};

	while (next_job(loop, &job, conn_now_us())) {
		SSL_SESSION *offer = take_ticket(loop, slot, &job);
		enum conn_want want;
		bool failed;

		slot->busy = true;
		slot->tally = begin_tally(loop, &job, offer);
		slot->events = 0;
		loop->busy++;
		conn_start(&slot->conn, loop->ctx[job.version], job.version,
			   &loop->plan->tls, job.address, offer, conn_now_us());
		want = conn_step(&slot->conn, conn_now_us());
		if (want != CONN_DONE) {
			slot_watch(loop, slot, want);
			return;
		}
		failed = slot->conn.failure[0] != '\0';
		slot_finish(loop, slot);
		if (failed)
			return;
	}
}

static void slot_step(struct loop *loop, struct slot *slot)
{
	enum conn_want want = conn_step(&slot->conn, conn_now_us());
	bool failed;

	if (want != CONN_DONE) {
		slot_watch(loop, slot, want);
		return;
	}
	failed = slot->conn.failure[0] != '\0';
	slot_finish(loop, slot);
	if (!failed)
		slot_fill(loop, slot);
}

/* Ends what is past its deadline and starts what has rested or is due. */
static void sweep(struct loop *loop)
{
	int64_t now_us = conn_now_us();

	loop->early = false;
	for (unsigned i = 0; i < loop->worker->slots; i++) {
		struct slot *slot = &loop->slots[i];

		if (!slot->busy && !loop->early)
			slot_fill(loop, slot);
		else if (slot->busy && now_us >= slot->conn.deadline_us)
			slot_step(loop, slot);
	}
}

/*
 * In an open loop the timer ends the wait at the moment of the next connection
 * (at once if that has passed), for a sweep every few milliseconds would add to
 * the latency that is measured.
 */
static void await_due(struct loop *loop)
{
	struct load_shared *shared = loop->worker->shared;
	struct itimerspec at = {0};
	int64_t due_us;

	if (!loop->plan->open_loop || loop->warming)
		return;
	if (!loop->exhausted && loop->busy < loop->worker->slots) {
		due_us = atomic_load(&shared->begun_us) +
			 load_due_us(loop->plan->rate,
				     atomic_load(&shared->next));
		at.it_value.tv_sec = due_us / 1000000;
		at.it_value.tv_nsec = due_us % 1000000 * 1000;
	}
	timerfd_settime(loop->timer, TFD_TIMER_ABSTIME, &at, NULL);
}

static void run_phase(struct loop *loop)
{
	struct epoll_event events[64];
	int64_t swept_us = conn_now_us();
	int sweep_us = loop->plan->rate ? PACED_SWEEP_US : SWEEP_US;

	loop->exhausted = false;
	sweep(loop);
	while (loop->busy > 0 || !loop->exhausted) {
		bool due = false;
		int n;

		await_due(loop);
		n = epoll_wait(loop->epoll, events, 64, sweep_us / 1000);
		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				slot_step(loop, events[i].data.ptr);
			else
				due = true;
		}
		if (!due && conn_now_us() - swept_us < sweep_us)
			continue;
		sweep(loop);
		swept_us = conn_now_us();
	}
}

static int loop_open(struct loop *loop, struct load_worker *worker)
{
	const struct load_plan *plan = worker->shared->plan;
	struct epoll_event event = {.events = EPOLLIN};	/* of no slot */
	size_t cap = worker->slots * 2;

	*loop = (struct loop){.worker = worker, .plan = plan, .epoll = -1};
	loop->slots = calloc(worker->slots, sizeof(*loop->slots));
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	loop->timer = timerfd_create(CLOCK_MONOTONIC,
				     TFD_CLOEXEC | TFD_NONBLOCK);
	if (!loop->slots || loop->epoll < 0 || loop->timer < 0 ||
	    epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->timer, &event) != 0)
		return -1;
	for (int v = 0; v < TLS_VERSIONS; v++) {
		if (!plan->versions[v])
			continue;
		loop->warm_left[v] = worker->warmup;
		loop->ctx[v] = tls_context((enum tls_version)v, &plan->tls,
					   conn_on_ticket);
		if (!loop->ctx[v] ||
		    pool_init(&loop->pool[v],
			      cap > POOL_LEAST ? cap : POOL_LEAST) != 0)
			return -1;
	}
	return 0;
}

static void loop_close(struct loop *loop)
{
	for (int v = 0; v < TLS_VERSIONS; v++) {
		pool_clear(&loop->pool[v]);
		SSL_CTX_free(loop->ctx[v]);
	}
	if (loop->epoll >= 0)
		close(loop->epoll);
	if (loop->timer >= 0)
		close(loop->timer);
	free(loop->slots);
}

/* The first thread past the barrier sets the clock of the measured phase. */
static void begin_measuring(struct load_shared *shared)
{
	uint32_t seconds = shared->plan->duration_s;
	int64_t now_us;

	/* NOLINTNEXTLINE(bugprone-posix-return): this one value is below 0 */
	if (pthread_barrier_wait(&shared->warm) ==
	    PTHREAD_BARRIER_SERIAL_THREAD) {
		for (size_t i = 0; i < shared->plan->n_servers; i++)
			cpu_begin(&shared->servers[i],
				  shared->plan->servers[i]);
		now_us = conn_now_us();
		atomic_store(&shared->begun_us, now_us);
		if (shared->plan->control)
			atomic_store(&shared->plan->control->begun_us, now_us);
		atomic_store(&shared->until_us,
			     seconds ? now_us + (int64_t)seconds * 1000000
				     : INT64_MAX);
	}
	pthread_barrier_wait(&shared->warm);
}

void *worker_main(void *arg)
{
	struct load_worker *worker = arg;
	struct load_shared *shared = worker->shared;
	struct loop loop;

	pthread_mutex_lock(&shared->gate);
	worker->broken = shared->cancelled;
	pthread_mutex_unlock(&shared->gate);
	if (worker->broken)
		return NULL;
	worker->broken = loop_open(&loop, worker) != 0;
	loop.warming = true;
	if (!worker->broken)
		run_phase(&loop);
	begin_measuring(shared);
	loop.warming = false;
	if (!worker->broken)
		run_phase(&loop);
	worker->ended_us = conn_now_us();
	loop_close(&loop);
	return NULL;
}

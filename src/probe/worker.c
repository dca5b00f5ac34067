/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One thread of stekprobe load: an epoll loop over its own connections, with
 * contexts, ticket pools and counters of its own. Only the number of the next
 * connection and the figures of the progress line are shared.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
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
	bool wanted;		/* was to offer a ticket */
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
	int epoll;
	unsigned busy;
	struct slot *slots;
};

struct job {
	enum tls_version version;
	const struct address *address;
	bool wanted;
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

/* True while the rate allows no further connection. */
static bool too_early(struct load_shared *shared, int64_t now_us)
{
	int64_t begun_us = atomic_load_explicit(&shared->begun_us,
						memory_order_relaxed);
	uint64_t next = atomic_load_explicit(&shared->next,
					     memory_order_relaxed);
	unsigned rate = shared->plan->rate;

	return rate && now_us >= begun_us &&
	       next > (uint64_t)(now_us - begun_us) * rate / 1000000;
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
	loop->early = too_early(shared, now_us);
	if (loop->early)
		return false;
	index = atomic_fetch_add_explicit(&shared->next, 1,
					  memory_order_relaxed);
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

static bool next_job(struct loop *loop, struct job *job, int64_t now_us)
{
	bool more;

	loop->early = false;
	if (stop_asked() || loop->exhausted)
		more = false;
	else if (loop->warming)
		more = next_warm(loop, job);
	else
		more = next_measured(loop, job, now_us);
	loop->exhausted = !more && !loop->early;
	return more;
}

static void count_tickets(struct loop *loop, struct conn *conn)
{
	struct load_result *result = &loop->worker->result;
	enum tls_version v = conn->version;
	uint8_t name[KEY_NAME_LEN];

	for (size_t i = 0; i < conn->n_tickets; i++) {
		if (tls_ticket_name(conn->tickets[i], name) &&
		    key_names_add(&result->keys[v], name) != 0)
			loop->worker->broken = true;
		pool_put(&loop->pool[v], conn->tickets[i]);
		if (!loop->warming)
			result->counts[v].tickets++;
	}
	conn->n_tickets = 0;
}

/*
 * A ticket that was never sent is still good, and RFC 5077 lets a client keep
 * one that was resumed and not renewed.
 */
static void return_ticket(struct loop *loop, struct conn *conn)
{
	bool keeps = conn->version == TLS_V12 && conn->resumed &&
		     conn->n_tickets == 0 && !loop->plan->single_use;

	if (!conn->offered || (conn->hello_us != 0 && !keeps))
		return;
	pool_put(&loop->pool[conn->version], conn->offered);
	conn->offered = NULL;
}

static void count_latency(struct loop *loop, const struct conn *conn)
{
	struct load_result *result = &loop->worker->result;

	if (samples_add(conn->resumed ? &result->resumed : &result->full,
			conn->handshake_us) != 0)
		loop->worker->broken = true;
}

static void count_measured(struct loop *loop, const struct slot *slot)
{
	struct load_shared *shared = loop->worker->shared;
	const struct conn *conn = &slot->conn;
	struct load_counts *counts =
		&loop->worker->result.counts[conn->version];
	bool failed = conn->failure[0] != '\0';
	bool resumed = !failed && conn->resumed;
	bool offered = conn->offered && conn->hello_us != 0;

	counts->connections++;
	counts->wanted += slot->wanted;
	counts->offered += offered;
	counts->failed += failed;
	counts->resumed += resumed;
	counts->full += !failed && !conn->resumed;
	counts->elsewhere += resumed && conn->page.elsewhere;
	atomic_fetch_add_explicit(&shared->done, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&shared->offered, offered,
				  memory_order_relaxed);
	atomic_fetch_add_explicit(&shared->resumed, resumed,
				  memory_order_relaxed);
	atomic_fetch_add_explicit(&shared->failed, failed,
				  memory_order_relaxed);
}

static void slot_finish(struct loop *loop, struct slot *slot)
{
	struct load_result *result = &loop->worker->result;
	struct conn *conn = &slot->conn;

	if (conn->reached)
		result->reached = true;
	if (conn->failure[0])
		reasons_add(&result->failures, conn->failure, 1);
	else
		count_latency(loop, conn);
	if (loop->warming) {
		result->warm_connections++;
		result->warm_failed += conn->failure[0] != '\0';
	} else {
		count_measured(loop, slot);
	}
	return_ticket(loop, conn);
	count_tickets(loop, conn);
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

/*
 * Starts connections on a free slot until one has to wait. After a failure the
 * slot rests until the next sweep: a dead server is not to be hammered.
 */
static void slot_fill(struct loop *loop, struct slot *slot)
{
	struct job job = {0};

	while (next_job(loop, &job, conn_now_us())) {
		SSL_SESSION *offer = NULL;
		enum conn_want want;
		bool failed;

		if (job.wanted)
			offer = pool_take(&loop->pool[job.version],
					  (long)time(NULL));
		slot->busy = true;
		slot->wanted = job.wanted;
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

/* Ends what is past its deadline and starts what has rested. */
static void sweep(struct loop *loop)
{
	int64_t now_us = conn_now_us();

	for (unsigned i = 0; i < loop->worker->slots; i++) {
		struct slot *slot = &loop->slots[i];

		if (!slot->busy)
			slot_fill(loop, slot);
		else if (now_us >= slot->conn.deadline_us)
			slot_step(loop, slot);
	}
}

static void run_phase(struct loop *loop)
{
	struct epoll_event events[64];
	int64_t swept_us = conn_now_us();
	int sweep_us = loop->plan->rate ? PACED_SWEEP_US : SWEEP_US;

	loop->exhausted = false;
	sweep(loop);
	while (loop->busy > 0 || !loop->exhausted) {
		int n = epoll_wait(loop->epoll, events, 64, sweep_us / 1000);

		for (int i = 0; i < n; i++)
			slot_step(loop, events[i].data.ptr);
		if (conn_now_us() - swept_us < sweep_us)
			continue;
		sweep(loop);
		swept_us = conn_now_us();
	}
}

static int loop_open(struct loop *loop, struct load_worker *worker)
{
	const struct load_plan *plan = worker->shared->plan;
	size_t cap = worker->slots * 2;

	*loop = (struct loop){.worker = worker, .plan = plan, .epoll = -1};
	loop->slots = calloc(worker->slots, sizeof(*loop->slots));
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!loop->slots || loop->epoll < 0)
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
	free(loop->slots);
}

/* The first thread past the barrier sets the clock of the measured phase. */
static void begin_measuring(struct load_shared *shared)
{
	uint32_t seconds = shared->plan->duration_s;
	int64_t now_us;

	if (pthread_barrier_wait(&shared->warm) ==
	    PTHREAD_BARRIER_SERIAL_THREAD) {
		now_us = conn_now_us();
		atomic_store(&shared->begun_us, now_us);
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

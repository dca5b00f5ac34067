/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * listener.c - one worker's listening sockets. Each worker has its own on the
 * same address (SO_REUSEPORT), so the kernel spreads connections and nobody
 * shares an accept queue, but for a socket that systemd made. "[::]" takes IPv6
 * only; IPv4 is 0.0.0.0.
 */
#include "worker_state.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "activation.h"
#include "conn.h"
#include "log.h"
#include "pin.h"
#include "text.h"

#define BACKLOG 4096
#define ACCEPTS_PER_EVENT 64
#define PAUSE_MS 100

static watch_fn on_event;

static int set(int fd, int level, int option)
{
	int one = 1;

	return setsockopt(fd, level, option, &one, sizeof(one));
}

static int make_socket(const struct settings_address *address, bool share)
{
	int family = address->addr.ss_family;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (set(fd, SOL_SOCKET, SO_REUSEADDR) < 0 ||
	    (share && set(fd, SOL_SOCKET, SO_REUSEPORT) < 0) ||
	    (family == AF_INET6 && set(fd, IPPROTO_IPV6, IPV6_V6ONLY) < 0) ||
	    bind(fd, (const struct sockaddr *)&address->addr,
		 address->len) < 0) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/*
 * SO_REUSEPORT would let a second stekd of the same user take half of our
 * connections in silence: the first worker looks whether the address is free.
 */
static int check_free(const struct settings_address *address)
{
	int fd = make_socket(address, false);

	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static int learn_bound(struct listener *listener)
{
	struct settings_address *bound = &listener->bound;

	bound->len = sizeof(bound->addr);
	if (getsockname(listener->fd, (struct sockaddr *)&bound->addr,
			&bound->len) < 0)
		return -1;
	text_address(bound->text, sizeof(bound->text), &bound->addr);
	return 0;
}

/*
 * A socket that systemd keeps is one for all workers, and a connection wakes
 * those that are idle; the first takes it. (EPOLLEXCLUSIVE would wake one, and
 * nearly always the same.)
 */
static int open_passed(struct listener *listener,
		       const struct settings_listen *settings)
{
	listener->fd = activation_find(listener->worker->node->activation,
				       settings->name, &settings->address);
	if (listener->fd < 0)
		return -1;
	listener->shared = true;
	return 0;
}

static int open_own(struct listener *listener,
		    const struct settings_listen *settings)
{
	struct worker *worker = listener->worker;
	struct settings_address address = settings->address;

	/* Port 0 is chosen once, by the first worker. */
	if (worker->index > 0)
		(void)worker_address(worker->node->workers[0], listener->index,
				     &address);
	if (worker->index == 0 && check_free(&address) < 0)
		return -1;
	listener->fd = make_socket(&address, true);
	return listener->fd < 0 ? -1 : listen(listener->fd, BACKLOG);
}

/*
 * The first worker does it for the group of sockets, which has only this one
 * now. A socket of systemd's is in none: who is idle takes the connection.
 */
static int pin(const struct listener *listener)
{
	const struct settings *fixed = listener->worker->node->fixed;

	if (!fixed->pin_workers || listener->worker->index > 0)
		return 0;
	if (!listener->shared)
		return pin_connections(listener->fd, fixed->workers);
	log_event(LOG_WARN, "pin_workers without its use, the socket is "
		  "systemd's", "address", LOG_STR, listener->bound.text, NULL);
	return 0;
}

static bool is_tcp(const struct settings_address *bound)
{
	return bound->addr.ss_family == AF_INET ||
	       bound->addr.ss_family == AF_INET6;
}

int listener_open(struct listener *listener, struct worker *worker,
		  const struct settings_listen *settings, size_t n, char *why,
		  size_t why_len)
{
	const char *text = settings->address.text, *what = "listening";

	listener->worker = worker;
	listener->index = n;
	if (open_passed(listener, settings) < 0 &&
	    open_own(listener, settings) < 0)
		goto fail;
	if (learn_bound(listener) < 0)
		goto fail;
	errno = EAFNOSUPPORT;
	if (!is_tcp(&listener->bound))
		goto fail;
	what = "pin_workers";
	if (pin(listener) < 0)
		goto fail;
	/* Linux hands it on to what is accepted; it goes without, too. */
	(void)set(listener->fd, IPPROTO_TCP, TCP_NODELAY);
	watch_init(&listener->watch, &worker->watches, listener->fd, on_event);
	listener->batch = 1;
	return 0;
fail:
	snprintf(why, why_len, "%s on %s: %s", what, text, strerror(errno));
	return -1;
}

static void refuse(struct listener *listener, enum failure failure,
		   const struct sockaddr_storage *from)
{
	struct worker *worker = listener->worker;
	char peer[TEXT_ADDRESS_MAX];

	count(&worker->counters.accepted);
	count(&worker->counters.closed);
	count(&worker->counters.failures[failure]);
	if (!worker_may_log(worker))
		return;
	text_address(peer, sizeof(peer), from);
	log_event(LOG_WARN, "connection refused", "reason", LOG_STR,
		  failure_name(failure), "peer", LOG_STR, peer, NULL);
}

static void keep_reserve(struct worker *worker)
{
	if (worker->reserve_fd < 0)
		worker->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/*
 * No descriptor is left. Left alone the queue would stay readable and the loop
 * would spin: the reserve is given up to take one connection and close it, so
 * that the client knows, and accepting rests a while. Should others take what
 * was given up, the next turn tries again.
 */
static void refuse_one(struct listener *listener, enum failure failure)
{
	struct worker *worker = listener->worker;
	struct sockaddr_storage from = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(from);
	int fd;

	keep_reserve(worker);
	if (worker->reserve_fd >= 0) {
		close(worker->reserve_fd);
		worker->reserve_fd = -1;
		fd = accept4(listener->fd, (struct sockaddr *)&from, &len,
			     SOCK_CLOEXEC);
		if (fd >= 0) {
			refuse(listener, failure, &from);
			close(fd);
		}
		keep_reserve(worker);
	}
	worker_pause(worker, PAUSE_MS);
}

/*
 * As HAProxy's "expect-proxy ... if { src ... }": who is configured must begin
 * with a header, and of anybody else one is no TLS.
 */
static bool expects_header(const struct settings_listen *listen,
			   const struct sockaddr_storage *from)
{
	size_t i;

	for (i = 0; i < listen->n_proxy_from; i++)
		if (subnet_holds(&listen->proxy_from[i], from))
			return true;
	return false;
}

/* Accepted; true if another one may be. */
static bool serve(struct listener *listener, struct generation *generation,
		  int fd, const struct sockaddr_storage *from)
{
	const struct settings *settings = generation->settings;
	struct worker *worker = listener->worker;

	if (quota_may_use(worker->node->quota, fd)) {
		conn_open(worker, generation, fd,
			  expects_header(&settings->listen[listener->index],
					 from),
			  from);
		return true;
	}
	quota_give(worker->node->quota);
	refuse(listener, FAIL_DESCRIPTORS, from);
	close(fd);
	worker_pause(worker, PAUSE_MS);
	return false;
}

/* False when nothing more is to be had now. One is taken from the quota. */
static bool accept_one(struct listener *listener,
		       struct generation *generation)
{
	struct worker *worker = listener->worker;
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	int fd, error;

	memset(&from, 0, sizeof(from));
	fd = accept4(listener->fd, (struct sockaddr *)&from, &len,
		     SOCK_NONBLOCK | SOCK_CLOEXEC);
	error = errno;
	if (fd >= 0)
		return serve(listener, generation, fd, &from);
	quota_give(worker->node->quota);
	switch (error) {
	case EAGAIN:
		return false;
	case EMFILE:
	case ENFILE:
		refuse_one(listener, FAIL_DESCRIPTORS);
		return false;
	case ENOBUFS:
	case ENOMEM:
		refuse_one(listener, FAIL_MEMORY);
		return false;
	default:
		/* The connection's own trouble (accept(2)), not ours. */
		return true;
	}
}

/*
 * To find the queue empty is a system call for nothing, so one is accepted in a
 * turn, and twice as many in the next if the queue still had some then. Where
 * more is there than one wait hands out, the turn lasts until all had theirs.
 * What all workers share grows in such a turn alone, and else is left to them.
 */
static unsigned choose_batch(struct listener *listener)
{
	uint64_t since = listener->worker->watches.turn - listener->turn;

	if (since > (listener->shared ? 0 : 1))
		listener->batch = 1;
	else if (listener->batch < ACCEPTS_PER_EVENT)
		listener->batch *= 2;
	return listener->batch;
}

static void accept_some(struct listener *listener,
			struct generation *generation)
{
	struct worker *worker = listener->worker;
	unsigned most = choose_batch(listener), i;

	for (i = 0; i < most; i++) {
		/* Another worker's may end first, so it looks again. */
		if (!quota_take(worker->node->quota,
				generation->settings->max_connections)) {
			worker_pause(worker, PAUSE_MS);
			return;
		}
		if (!accept_one(listener, generation))
			return;
	}
	listener->turn = worker->watches.turn;
}

static void on_event(struct watch *watch, unsigned events)
{
	struct listener *listener = (struct listener *)((char *)watch -
					offsetof(struct listener, watch));
	struct generation *generation;

	(void)events;
	generation = generation_take(listener->worker->node);
	accept_some(listener, generation);
	generation_release(generation);
}

int listener_start(struct listener *listener)
{
	return listener->fd < 0 ? 0 : watch_want(&listener->watch, EPOLLIN);
}

void listener_pause(struct listener *listener)
{
	if (listener->fd >= 0)
		(void)watch_want(&listener->watch, 0);
}

/* What the kernel has accepted for us would be reset. */
static void accept_rest(struct listener *listener)
{
	struct worker *worker = listener->worker;
	struct generation *generation = generation_take(worker->node);

	while (quota_take(worker->node->quota,
			  generation->settings->max_connections) &&
	       accept_one(listener, generation))
		;
	generation_release(generation);
}

void listener_close(struct listener *listener)
{
	if (listener->fd < 0)
		return;
	/* Of systemd's the queue is left to who comes after us. */
	if (listener->worker->draining && !listener->shared)
		accept_rest(listener);
	watch_remove(&listener->watch);
	close(listener->fd);
	listener->fd = -1;
}

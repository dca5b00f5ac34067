// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_listener.c - accepting: it keeps up where more descriptors are ready
 * than one wait hands out, and outlives what the kernel refuses. The worker's
 * loop is turned here, but for where it has its thread.
 */
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loopback.h"
#include "worker_state.h"

/* Ready all the time: two waits and a bit for each to have its turn. */
#define READY 600

#define QUEUED 100

static struct loopback *loopback;
static struct watches *set;
static struct watch ready[READY];
static unsigned delivered;
static int queued[QUEUED];

/* Of so many descriptors that epoll is told of next the kernel has no room. */
static _Atomic unsigned no_room;
static bool no_nodelay;

int __real_epoll_ctl(int epoll, int op, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll, int op, int fd, struct epoll_event *event);
int __real_setsockopt(int fd, int level, int option, const void *value,
		      socklen_t len);
int __wrap_setsockopt(int fd, int level, int option, const void *value,
		      socklen_t len);

int __wrap_epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
	if (no_room && op == EPOLL_CTL_ADD) {
		no_room--;
		errno = ENOSPC;
		return -1;
	}
	return __real_epoll_ctl(epoll, op, fd, event);
}

int __wrap_setsockopt(int fd, int level, int option, const void *value,
		      socklen_t len)
{
	if (no_nodelay && level == IPPROTO_TCP && option == TCP_NODELAY) {
		errno = ENOPROTOOPT;
		return -1;
	}
	return __real_setsockopt(fd, level, option, value, len);
}

static void set_up(void)
{
	loopback = loopback_new(memnode_ring_default());
	loopback->settings.max_connections = 2 * QUEUED;
}

/* It drains in a thread, even if its loop was turned here. */
static void tear_down(void)
{
	if (!loopback->worker->started)
		ck_assert(!worker_start(loopback->worker));
	loopback_free(loopback);
}

static void make(void)
{
	loopback_make(loopback);
	set = &loopback->worker->watches;
}

static void on_ready(struct watch *watch, unsigned events)
{
	(void)watch;
	(void)events;
	delivered++;
}

/* Copies of one descriptor are as many to epoll. */
static void make_ready(void)
{
	int first = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
	size_t i;

	delivered = 0;
	for (i = 0; i < READY; i++) {
		int fd = i ? dup(first) : first;

		ck_assert_int_ge(fd, 0);
		watch_init(&ready[i], set, fd, on_ready);
		ck_assert(!watch_want(&ready[i], EPOLLIN));
	}
}

static void unmake_ready(void)
{
	size_t i;

	for (i = 0; i < READY; i++) {
		int fd = ready[i].fd;

		watch_remove(&ready[i]);
		close(fd);
	}
}

/* How many connections wait to be accepted. */
static unsigned in_queue(const struct listener *listener)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	ck_assert(!getsockopt(listener->fd, IPPROTO_TCP, TCP_INFO, &info,
			      &len));
	return info.tcpi_unacked;
}

/* A client is connected a moment before it is in the queue. */
static void queue_some(void)
{
	size_t i;

	for (i = 0; i < QUEUED; i++)
		queued[i] = loopback_connect(loopback, 0);
	while (in_queue(&loopback->worker->listeners[0]) < QUEUED)
		(void)poll(NULL, 0, 1);
}

static void unqueue(void)
{
	size_t i;

	for (i = 0; i < QUEUED; i++)
		close(queued[i]);
}

static uint64_t accepted(void)
{
	struct counters counters = loopback_counters(loopback);

	return counters.accepted;
}

/* How often it waits until all are accepted, or `most` times. */
static unsigned waits_for_all(unsigned most)
{
	unsigned waits = 0;

	while (accepted() < QUEUED && waits < most) {
		watches_turn(set, false);
		waits++;
	}
	return waits;
}

/*
 * 1, 2, 4 ... 64 at an event make seven events, and each comes in every third
 * wait. One that all workers share is no slower.
 */
START_TEST(test_accepting_keeps_up_with_many_that_are_ready)
{
	struct listener *listener;
	unsigned waits;

	make();
	listener = &loopback->worker->listeners[0];
	listener->shared = _i;
	make_ready();
	queue_some();
	listener_start(listener);
	waits = waits_for_all(QUEUED);
	ck_assert_uint_eq(accepted(), QUEUED);
	ck_assert_uint_le(waits, 7 * 3 + 3);
	/* The others had all that is left of them. */
	ck_assert_uint_ge(delivered, (waits - 1) * 256 - 7);
	listener->shared = false;
	unmake_ready();
	unqueue();
}
END_TEST

/* Where it is alone, what is shared is left to the other workers. */
START_TEST(test_one_of_a_shared_queue_is_accepted_in_a_turn)
{
	struct listener *listener;

	make();
	listener = &loopback->worker->listeners[0];
	listener->shared = true;
	queue_some();
	listener_start(listener);
	ck_assert_uint_eq(waits_for_all(2 * QUEUED), QUEUED);
	ck_assert_uint_eq(accepted(), QUEUED);
	listener->shared = false;
	unqueue();
}
END_TEST

/* One of its own is emptied by and by: 1, 2, 4, ... */
START_TEST(test_more_are_accepted_while_there_are_more)
{
	make();
	queue_some();
	listener_start(&loopback->worker->listeners[0]);
	ck_assert_uint_le(waits_for_all(QUEUED), 8);
	ck_assert_uint_eq(accepted(), QUEUED);
	unqueue();
}
END_TEST

static struct client *connect_client(size_t listener, const char *name)
{
	struct client *client = client_new(loopback_connect(loopback, listener),
					   name, 0);
	int alert;

	ck_assert(client_handshake(client, false, &alert));
	return client;
}

/* Its two listeners, twice; they are started once there is room. */
START_TEST(test_a_listener_without_room_is_tried_again)
{
	struct client *client;

	make();
	no_room = 4;
	ck_assert(!worker_start(loopback->worker));
	client = connect_client(0, "www.example.com");
	ck_assert_ptr_nonnull(strstr(client_ask(client), "\"node-1\""));
	ck_assert_uint_eq(no_room, 0);
	client_free(client);
}
END_TEST

/* A relay without room ends, and counts as its backend's failure. */
START_TEST(test_a_backend_without_room_is_counted)
{
	struct counters counters;
	struct client *client;
	int alert;

	make();
	ck_assert(!worker_start(loopback->worker));
	client = client_new(loopback_connect(loopback, 0), "relay.example.com",
			    0);
	ck_assert(client_handshake(client, true, &alert));
	/* The next that is told of: the last flight brings the backend. */
	no_room = 1;
	client_send(client);
	while (client_recv(client))
		;
	ck_assert_uint_eq(no_room, 0);
	counters = loopback_counters(loopback);
	ck_assert_uint_eq(counters.backend_errors, 1);
	client_free(client);
}
END_TEST

/* Small records would be later; that is no reason not to serve. */
START_TEST(test_it_listens_without_tcp_nodelay)
{
	no_nodelay = true;
	make();
	no_nodelay = false;
	ck_assert_int_ge(loopback->worker->listeners[0].fd, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("listener");
	TCase *tcase = tcase_create("listener");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase,
			    test_accepting_keeps_up_with_many_that_are_ready,
			    0, 2);
	tcase_add_test(tcase,
		       test_one_of_a_shared_queue_is_accepted_in_a_turn);
	tcase_add_test(tcase, test_more_are_accepted_while_there_are_more);
	tcase_add_test(tcase, test_a_listener_without_room_is_tried_again);
	tcase_add_test(tcase, test_a_backend_without_room_is_counted);
	tcase_add_test(tcase, test_it_listens_without_tcp_nodelay);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_watches.c - a worker's epoll set: what is wanted comes and nothing else
 * does, what ends does not spin, one event may close another's descriptor, and
 * libuv's timers and signals have their turn.
 */
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "watches.h"

#define LONG_MS 60000

/* One end is watched, the other is the test's. */
struct end {
	struct watch watch;
	int peer;
	unsigned calls, last;	/* how often, and with what */
	struct end *closes;	/* whose descriptor its event closes */
	uv_timer_t *ends;	/* the handle that its event closes */
	unsigned freed;		/* of that, when it was last called */
	int takes_ms;		/* its event */
};

static uv_loop_t loop;
static struct watches set;
static uv_timer_t timer;
static struct end a, b;
static unsigned fired, freed;
static int waited_ms;	/* what the last wait was bound to */

int __real_epoll_wait(int epoll, struct epoll_event *events, int most, int ms);
int __wrap_epoll_wait(int epoll, struct epoll_event *events, int most, int ms);

int __wrap_epoll_wait(int epoll, struct epoll_event *events, int most, int ms)
{
	waited_ms = ms;
	return __real_epoll_wait(epoll, events, most, ms);
}

static void close_end(struct end *end)
{
	int fd = end->watch.fd;

	watch_forget(&end->watch);
	if (fd >= 0)
		close(fd);
}

static void on_event(struct watch *watch, unsigned events)
{
	struct end *end = (struct end *)watch;	/* its first member */

	end->calls++;
	end->last = events;
	end->freed = freed;
	if (end->takes_ms)
		(void)poll(NULL, 0, end->takes_ms);
	if (end->closes)
		close_end(end->closes);
	if (end->ends && !uv_is_closing((uv_handle_t *)end->ends))
		uv_close((uv_handle_t *)end->ends, NULL);
}

static void make(struct end *end)
{
	int pair[2];

	ck_assert(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK |
			      SOCK_CLOEXEC, 0, pair));
	*end = (struct end){ .peer = pair[1] };
	watch_init(&end->watch, &set, pair[0], on_event);
}

static void unmake(struct end *end)
{
	close_end(end);
	if (end->peer >= 0)
		close(end->peer);
}

static void set_up(void)
{
	ck_assert(!uv_loop_init(&loop));
	ck_assert(!watches_open(&set, &loop));
	ck_assert(!uv_timer_init(&loop, &timer));
	fired = freed = 0;
	make(&a);
	make(&b);
}

static void tear_down(void)
{
	unmake(&a);
	unmake(&b);
	if (!uv_is_closing((uv_handle_t *)&timer))
		uv_close((uv_handle_t *)&timer, NULL);
	watches_run(&set);	/* until the loop has closed it */
	ck_assert(!uv_loop_close(&loop));
	watches_close(&set);
}

static void on_timer(uv_timer_t *handle)
{
	(void)handle;
	fired++;
}

/* How many turns pass before the timer: one that spins has many. */
static uint64_t turns_until_timer(uint64_t ms)
{
	uint64_t before = set.turn;

	fired = 0;
	uv_timer_start(&timer, on_timer, ms, 0);
	while (!fired)
		watches_turn(&set, true);
	return set.turn - before;
}

static void say(struct end *end)
{
	ck_assert_int_eq(send(end->peer, "x", 1, MSG_NOSIGNAL), 1);
}

static void turn(void)
{
	watches_turn(&set, false);
}

START_TEST(test_what_is_wanted_comes_until_it_is_read)
{
	char byte;

	ck_assert(!watch_want(&a.watch, EPOLLIN));
	turn();
	ck_assert_uint_eq(a.calls, 0);
	say(&a);
	turn();
	turn();
	ck_assert_uint_eq(a.calls, 2);
	ck_assert_uint_eq(a.last, EPOLLIN);
	ck_assert_int_eq(recv(a.watch.fd, &byte, 1, 0), 1);
	turn();
	ck_assert_uint_eq(a.calls, 2);
	ck_assert(!watch_want(&a.watch, EPOLLIN | EPOLLOUT));
	turn();
	ck_assert_uint_eq(a.last, EPOLLOUT);
}
END_TEST

/* The kernel is told late, and the watch knows nothing of it. */
START_TEST(test_what_is_not_wanted_does_not_come)
{
	ck_assert(!watch_want(&a.watch, EPOLLIN));
	ck_assert(!watch_want(&a.watch, 0));
	say(&a);
	turn();
	turn();
	ck_assert_uint_eq(a.calls, 0);
	ck_assert(!watch_want(&a.watch, EPOLLIN));
	turn();
	ck_assert_uint_eq(a.calls, 1);
	ck_assert(!watch_want(&a.watch, EPOLLOUT));
	turn();
	ck_assert_uint_eq(a.last, EPOLLOUT);
	/* Of two that were wanted the one that stays. */
	ck_assert(!watch_want(&a.watch, EPOLLIN | EPOLLOUT));
	ck_assert(!watch_want(&a.watch, EPOLLIN));
	turn();
	ck_assert_uint_eq(a.last, EPOLLIN);
}
END_TEST

/* One event of it at most, while it wants nothing or something else. */
START_TEST(test_an_end_does_not_spin)
{
	ck_assert(!watch_want(&a.watch, EPOLLIN));
	ck_assert(!watch_want(&a.watch, 0));
	say(&a);
	close(a.peer);
	a.peer = -1;
	ck_assert_uint_le(turns_until_timer(30), 8);
	ck_assert_uint_eq(a.calls, 0);
	ck_assert(!watch_want(&a.watch, EPOLLIN));
	turn();
	ck_assert_uint_eq(a.calls, 1);
	ck_assert_uint_eq(a.last, EPOLLIN | EPOLLRDHUP);
}
END_TEST

START_TEST(test_an_end_that_was_told_is_asked_for_no_more)
{
	ck_assert(!watch_want(&a.watch, EPOLLIN));
	ck_assert(!shutdown(a.peer, SHUT_WR));
	turn();
	ck_assert_uint_eq(a.last, EPOLLIN | EPOLLRDHUP);
	ck_assert(!watch_want(&a.watch, 0));
	ck_assert_uint_eq(a.watch.armed, 0);
	ck_assert_uint_le(turns_until_timer(30), 8);
	ck_assert_uint_eq(a.calls, 1);
	ck_assert(!watch_want(&a.watch, EPOLLOUT));
	turn();
	ck_assert_uint_eq(a.calls, 2);
	ck_assert_uint_eq(a.last, EPOLLOUT);
}
END_TEST

/* A peer that goes with our bytes unread resets. */
START_TEST(test_a_reset_is_told)
{
	ck_assert(!watch_want(&a.watch, EPOLLIN));
	ck_assert_int_eq(send(a.watch.fd, "x", 1, MSG_NOSIGNAL), 1);
	close(a.peer);
	a.peer = -1;
	turn();
	ck_assert_uint_eq(a.last, EPOLLIN | EPOLLRDHUP | EPOLLERR);
}
END_TEST

/* A full pipe that nobody reads is not writable: it has failed, no more. */
START_TEST(test_a_failure_alone_is_what_is_wanted)
{
	struct end out = { .peer = -1 };
	static const char page[4096];
	int fd[2];

	ck_assert(!pipe2(fd, O_NONBLOCK | O_CLOEXEC));
	while (write(fd[1], page, sizeof(page)) > 0)
		;
	watch_init(&out.watch, &set, fd[1], on_event);
	ck_assert(!watch_want(&out.watch, EPOLLOUT));
	turn();
	ck_assert_uint_eq(out.calls, 0);
	close(fd[0]);
	turn();
	ck_assert_uint_eq(out.last, EPOLLOUT | EPOLLERR);
	unmake(&out);
}
END_TEST

/* Whichever is first closes the other, whose event is there already. */
START_TEST(test_an_event_closes_another)
{
	ck_assert(!watch_want(&a.watch, EPOLLIN));
	ck_assert(!watch_want(&b.watch, EPOLLIN));
	a.closes = &b;
	b.closes = &a;
	say(&a);
	say(&b);
	turn();
	ck_assert_uint_eq(a.calls + b.calls, 1);
	turn();
	ck_assert_uint_eq(a.calls + b.calls, 2);
}
END_TEST

/* A copy keeps the description, and with it the kernel's events, alive. */
START_TEST(test_one_with_a_copy_is_removed)
{
	int copy = dup(a.watch.fd), fd = a.watch.fd;

	ck_assert(!watch_want(&a.watch, EPOLLIN));
	say(&a);
	watch_remove(&a.watch);
	close(fd);
	ck_assert_uint_le(turns_until_timer(30), 8);
	ck_assert_uint_eq(a.calls, 0);
	close(copy);
}
END_TEST

static void on_freed(uv_handle_t *handle)
{
	(void)handle;
	freed++;
}

/* What closes within a turn may be named by another event of the same. */
START_TEST(test_nothing_is_freed_within_a_turn)
{
	uv_timer_t other;

	ck_assert(!uv_timer_init(&loop, &other));
	ck_assert(!watch_want(&a.watch, EPOLLIN));
	ck_assert(!watch_want(&b.watch, EPOLLIN));
	say(&a);
	say(&b);
	uv_close((uv_handle_t *)&other, on_freed);
	turn();
	ck_assert_uint_eq(a.calls, 1);
	ck_assert_uint_eq(b.calls, 1);
	ck_assert_uint_eq(a.freed + b.freed, 0);
	ck_assert_uint_eq(freed, 1);
}
END_TEST

/* The clock of the loop may be a few milliseconds behind (UV_CLOCK_FAST). */
#define COARSE_MS 10

/* How long the events of a turn take is no part of the next one's wait. */
START_TEST(test_a_timer_is_not_late_by_what_events_take)
{
	uv_timer_start(&timer, on_timer, LONG_MS, 0);
	/* The loop has its turn with the first, and then not until that. */
	turn();
	a.takes_ms = 10 * COARSE_MS;
	ck_assert(!watch_want(&a.watch, EPOLLIN));
	say(&a);
	watches_turn(&set, true);
	ck_assert_uint_eq(a.calls, 1);
	ck_assert_int_gt(waited_ms, 0);
	watches_turn(&set, true);
	ck_assert_uint_eq(a.calls, 2);
	ck_assert_int_gt(waited_ms, 0);
	ck_assert_int_le(waited_ms, LONG_MS - 9 * COARSE_MS);
}
END_TEST

static void on_signal(uv_async_t *signal)
{
	fired++;
	uv_close((uv_handle_t *)signal, NULL);
}

static void *send_signal(void *signal)
{
	uv_async_send(signal);
	return NULL;
}

/* It comes while nothing else does; the timer is far away. */
START_TEST(test_another_thread_wakes_it)
{
	pthread_t thread;
	uv_async_t signal;

	ck_assert(!uv_async_init(&loop, &signal, on_signal));
	uv_timer_start(&timer, on_timer, LONG_MS, 0);
	ck_assert(!pthread_create(&thread, NULL, send_signal, &signal));
	while (!fired)
		watches_turn(&set, true);
	ck_assert(!pthread_join(thread, NULL));
	ck_assert(uv_is_active((uv_handle_t *)&timer));
}
END_TEST

static void on_prepare(uv_prepare_t *handle)
{
	(void)handle;
	fired++;
}

/* What it does besides waiting would be paid by every event. */
START_TEST(test_the_loop_rests_when_it_has_nothing)
{
	uv_prepare_t prepare;

	ck_assert(!uv_prepare_init(&loop, &prepare));
	ck_assert(!uv_prepare_start(&prepare, on_prepare));
	ck_assert(!watch_want(&a.watch, EPOLLIN));
	turn();		/* the first one: it tells the kernel of its own */
	fired = 0;
	say(&a);
	turn();
	ck_assert_uint_eq(a.calls, 1);
	ck_assert_uint_eq(fired, 0);
	uv_close((uv_handle_t *)&prepare, NULL);
	turn();
	ck_assert_uint_eq(a.calls, 2);
}
END_TEST

START_TEST(test_it_runs_until_the_loop_has_nothing)
{
	a.ends = &timer;
	ck_assert(!watch_want(&a.watch, EPOLLIN));
	uv_timer_start(&timer, on_timer, LONG_MS, 0);
	say(&a);
	watches_run(&set);
	ck_assert_uint_ge(a.calls, 1);
	ck_assert_uint_eq(fired, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("watches");
	TCase *tcase = tcase_create("watches");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_what_is_wanted_comes_until_it_is_read);
	tcase_add_test(tcase, test_what_is_not_wanted_does_not_come);
	tcase_add_test(tcase, test_an_end_does_not_spin);
	tcase_add_test(tcase, test_an_end_that_was_told_is_asked_for_no_more);
	tcase_add_test(tcase, test_a_reset_is_told);
	tcase_add_test(tcase, test_a_failure_alone_is_what_is_wanted);
	tcase_add_test(tcase, test_an_event_closes_another);
	tcase_add_test(tcase, test_one_with_a_copy_is_removed);
	tcase_add_test(tcase, test_nothing_is_freed_within_a_turn);
	tcase_add_test(tcase, test_a_timer_is_not_late_by_what_events_take);
	tcase_add_test(tcase, test_another_thread_wakes_it);
	tcase_add_test(tcase, test_the_loop_rests_when_it_has_nothing);
	tcase_add_test(tcase, test_it_runs_until_the_loop_has_nothing);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

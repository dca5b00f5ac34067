/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watches.c - waits for a worker's descriptors, level-triggered. What is wanted
 * less is not told to the kernel before an event shows that it must be, or is
 * bound to: most connections are told of once, and go with their descriptor.
 */
#include "watches.h"

#include <errno.h>
#include <unistd.h>

#define EVENTS_PER_TURN 256

/* Those that the kernel is asked for; EPOLLERR and EPOLLHUP come unasked. */
static unsigned asked_for(unsigned wanted)
{
	return wanted & EPOLLIN ? wanted | EPOLLRDHUP : wanted;
}

static int tell(struct watch *watch, int op, unsigned wanted)
{
	struct epoll_event event = { .events = asked_for(wanted) };

	event.data.ptr = watch;
	if (epoll_ctl(watch->set->epoll, op, watch->fd, &event) < 0)
		return -1;
	watch->armed = op == EPOLL_CTL_DEL ? 0 : wanted;
	return 0;
}

int watches_open(struct watches *set, uv_loop_t *loop)
{
	struct epoll_event event = { .events = EPOLLIN };
	int saved;

	set->loop = loop;
	set->turn = 0;
	set->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (set->epoll < 0)
		return -1;
	/* Its data is NULL, which no watch is. */
	if (epoll_ctl(set->epoll, EPOLL_CTL_ADD, uv_backend_fd(loop),
		      &event) == 0)
		return 0;
	saved = errno;
	watches_close(set);
	errno = saved;
	return -1;
}

void watches_close(struct watches *set)
{
	if (set->epoll >= 0)
		close(set->epoll);
	set->epoll = -1;
}

void watch_init(struct watch *watch, struct watches *set, int fd, watch_fn *fn)
{
	watch->set = set;
	watch->fd = fd;
	watch->wanted = watch->armed = 0;
	watch->ended = false;
	watch->fn = fn;
}

/*
 * What hung up or failed is told until it is asked for no more, so one of which
 * nothing is wanted leaves the set.
 */
static void disarm(struct watch *watch)
{
	(void)tell(watch, watch->wanted ? EPOLL_CTL_MOD : EPOLL_CTL_DEL,
		   watch->wanted);
}

int watch_want(struct watch *watch, unsigned events)
{
	watch->wanted = events;
	if (!(events & ~watch->armed)) {
		if (watch->ended && events != watch->armed)
			disarm(watch);
		return 0;
	}
	if (tell(watch, watch->armed ? EPOLL_CTL_MOD : EPOLL_CTL_ADD,
		 events) == 0)
		return 0;
	watch->wanted = 0;
	return -1;
}

void watch_forget(struct watch *watch)
{
	watch->fd = -1;
	watch->wanted = watch->armed = 0;
}

void watch_remove(struct watch *watch)
{
	if (watch->armed)
		(void)tell(watch, EPOLL_CTL_DEL, 0);
	watch_forget(watch);
}

static void deliver(struct watch *watch, unsigned events)
{
	unsigned there = events & watch->wanted;

	/* Closed by an event before this one of the same turn. */
	if (watch->fd < 0)
		return;
	if (events & (EPOLLERR | EPOLLHUP))
		there = watch->wanted;
	if (!there) {
		disarm(watch);
		return;
	}
	if (events & (EPOLLRDHUP | EPOLLHUP)) {
		there |= EPOLLRDHUP;
		watch->ended = true;
	}
	watch->fn(watch, there | (events & EPOLLERR));
}

/* True if libuv's own descriptor was among them. */
static bool wait_for_some(struct watches *set, int timeout_ms)
{
	struct epoll_event events[EVENTS_PER_TURN];
	int n = epoll_wait(set->epoll, events, EVENTS_PER_TURN, timeout_ms);
	bool loop_has = false;
	int i;

	/* Else the rest is still to come, before any of these comes again. */
	if (n < EVENTS_PER_TURN)
		set->turn++;
	uv_update_time(set->loop);
	for (i = 0; i < n; i++) {
		if (events[i].data.ptr)
			deliver(events[i].data.ptr, events[i].events);
		else
			loop_has = true;
	}
	return loop_has;
}

/*
 * The loop has its turn when it has something: a signal, a timer that is due, a
 * handle that closes. Nothing is freed before.
 */
void watches_turn(struct watches *set, bool wait)
{
	int timeout_ms;

	/* The events of the last turn took their time. */
	uv_update_time(set->loop);
	timeout_ms = wait ? uv_backend_timeout(set->loop) : 0;
	if (wait_for_some(set, timeout_ms) ||
	    uv_backend_timeout(set->loop) == 0)
		uv_run(set->loop, UV_RUN_NOWAIT);
}

void watches_run(struct watches *set)
{
	while (uv_loop_alive(set->loop))
		watches_turn(set, true);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watches.h - a worker's descriptors in one epoll set of its own. libuv, whose
 * handles ask the kernel several times where once is enough, has the timers and
 * the signals of other threads alone: its descriptor is one of the set.
 */
#ifndef STEKD_WATCHES_H
#define STEKD_WATCHES_H

#include <stdbool.h>
#include <sys/epoll.h>
#include <uv.h>

struct watch;

/*
 * `events`: those wanted that are there, EPOLLIN and EPOLLOUT; with them
 * EPOLLRDHUP when the peer's end has come, and EPOLLERR when the socket failed.
 * Of one that hung up or failed all that is wanted is there: reading and
 * writing tell.
 */
typedef void watch_fn(struct watch *watch, unsigned events);

struct watches {
	uv_loop_t *loop;
	int epoll;		/* -1: not open */
	uint64_t turn;		/* how often it has waited and got all */
};

/* Embedded in what waits; its memory stays until the turn has ended. */
struct watch {
	struct watches *set;
	int fd;			/* -1: not watched any more */
	unsigned wanted, armed;	/* events; what the kernel was told */
	bool ended;		/* it will be readable for good */
	watch_fn *fn;
};

/* The loop is open already, and outlives the set. -1: errno. */
int watches_open(struct watches *set, uv_loop_t *loop);
void watches_close(struct watches *set);

/* What is there is delivered; `wait`: at least something, or a timer. */
void watches_turn(struct watches *set, bool wait);

/* Until nothing is left to the loop. */
void watches_run(struct watches *set);

/* Asks the kernel for nothing yet. */
void watch_init(struct watch *watch, struct watches *set, int fd, watch_fn *fn);

/* EPOLLIN, EPOLLOUT, both or none. -1: errno, and none is awaited. */
int watch_want(struct watch *watch, unsigned events);

/* Before its descriptor is closed, which must have no copy. */
void watch_forget(struct watch *watch);

/* The same for one that may have copies. */
void watch_remove(struct watch *watch);

#endif

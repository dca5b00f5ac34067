/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_deadline.c - ends HTTP connections whose request is not whole, or
 * whose answer is not taken, within the limit. One thread sleeps until the
 * earliest deadline. Called by admin.c and ctl_dashboard.c from
 * libmicrohttpd's threads.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "deadline.h"

#define NEVER INT64_MAX

struct deadline {
	struct deadlines *list;
	struct deadline *next, **link;
	int fd;
	int64_t at_ms;
};

struct deadlines {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	struct deadline *first;
	uint32_t limit_ms;
	bool stop;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Shuts down what is due; returns the next deadline. The lock is held. */
static int64_t sweep(struct deadlines *list, int64_t now)
{
	int64_t next = NEVER;
	struct deadline *d;

	for (d = list->first; d != NULL; d = d->next) {
		if (d->at_ms <= now) {
			shutdown(d->fd, SHUT_RDWR);
			d->at_ms = NEVER;
		}
		if (d->at_ms < next)
			next = d->at_ms;
	}
	return next;
}

static void *run(void *arg)
{
	struct deadlines *list = arg;
	struct timespec until;
	int64_t next;

	pthread_mutex_lock(&list->lock);
	while (!list->stop) {
		next = sweep(list, now_ms());
		if (next == NEVER) {
			pthread_cond_wait(&list->changed, &list->lock);
			continue;
		}
		until.tv_sec = next / 1000;
		until.tv_nsec = next % 1000 * 1000000;
		pthread_cond_timedwait(&list->changed, &list->lock, &until);
	}
	pthread_mutex_unlock(&list->lock);
	return NULL;
}

struct deadlines *deadlines_new(uint32_t limit_ms)
{
	struct deadlines *list = calloc(1, sizeof(*list));
	pthread_condattr_t monotonic;

	if (list == NULL)
		return NULL;
	list->limit_ms = limit_ms;
	pthread_mutex_init(&list->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&list->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (pthread_create(&list->thread, NULL, run, list) != 0) {
		free(list);
		return NULL;
	}
	return list;
}

void deadlines_free(struct deadlines *list)
{
	if (list == NULL)
		return;
	pthread_mutex_lock(&list->lock);
	list->stop = true;
	pthread_cond_signal(&list->changed);
	pthread_mutex_unlock(&list->lock);
	pthread_join(list->thread, NULL);
	pthread_cond_destroy(&list->changed);
	pthread_mutex_destroy(&list->lock);
	free(list);
}

struct deadline *deadline_add(struct deadlines *list, int fd)
{
	struct deadline *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->list = list;
	d->fd = fd;
	d->at_ms = now_ms() + list->limit_ms;
	pthread_mutex_lock(&list->lock);
	d->next = list->first;
	d->link = &list->first;
	if (d->next != NULL)
		d->next->link = &d->next;
	list->first = d;
	pthread_cond_signal(&list->changed);
	pthread_mutex_unlock(&list->lock);
	return d;
}

static void set(struct deadline *d, int64_t at_ms)
{
	if (d == NULL)
		return;
	pthread_mutex_lock(&d->list->lock);
	d->at_ms = at_ms;
	pthread_cond_signal(&d->list->changed);
	pthread_mutex_unlock(&d->list->lock);
}

void deadline_restart(struct deadline *d)
{
	if (d != NULL)
		set(d, now_ms() + d->list->limit_ms);
}

void deadline_pause(struct deadline *d)
{
	set(d, NEVER);
}

void deadline_remove(struct deadline *d)
{
	if (d == NULL)
		return;
	pthread_mutex_lock(&d->list->lock);
	*d->link = d->next;
	if (d->next != NULL)
		d->next->link = d->link;
	pthread_mutex_unlock(&d->list->lock);
	free(d);
}

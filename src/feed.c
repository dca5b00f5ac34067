// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * feed.c - the newest message, counted by those that hold it, and a condition
 * on which its readers wait. Written by admin_feed.c on the sampler's thread,
 * read by admin_stream.c on those of the connections.
 */
#include "feed.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct feed {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct feed_message *newest;
	uint64_t seq;		/* of the newest, also when it was not kept */
	bool closed;
	struct feed_counts counts;
};

struct feed *feed_new(void)
{
	struct feed *feed = calloc(1, sizeof(*feed));
	pthread_condattr_t monotonic;

	if (feed == NULL)
		return NULL;
	pthread_mutex_init(&feed->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&feed->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return feed;
}

void feed_free(struct feed *feed)
{
	if (feed == NULL)
		return;
	feed_release(feed->newest);
	pthread_cond_destroy(&feed->changed);
	pthread_mutex_destroy(&feed->lock);
	free(feed);
}

struct feed_message *feed_message(char *text, size_t len)
{
	struct feed_message *message = malloc(sizeof(*message));

	if (message == NULL) {
		free(text);
		return NULL;
	}
	*message = (struct feed_message){ .refs = 1, .len = len,
					  .text = text };
	return message;
}

void feed_release(struct feed_message *message)
{
	if (message == NULL || atomic_fetch_sub(&message->refs, 1) != 1)
		return;
	free(message->text);
	free(message);
}

enum feed_answer feed_join(struct feed *feed, unsigned most, uint64_t *seq)
{
	enum feed_answer answer = FEED_OK;

	pthread_mutex_lock(&feed->lock);
	if (feed->closed)
		answer = FEED_CLOSED;
	else if (feed->counts.readers >= most)
		answer = FEED_FULL;
	feed->counts.refused += answer == FEED_FULL;
	feed->counts.readers += answer == FEED_OK;
	*seq = feed->seq;
	pthread_mutex_unlock(&feed->lock);
	return answer;
}

void feed_leave(struct feed *feed, bool dropped)
{
	pthread_mutex_lock(&feed->lock);
	feed->counts.readers--;
	feed->counts.dropped += dropped;
	pthread_cond_broadcast(&feed->changed);
	pthread_mutex_unlock(&feed->lock);
}

uint64_t feed_next(struct feed *feed)
{
	uint64_t seq;

	pthread_mutex_lock(&feed->lock);
	seq = feed->seq + 1;
	pthread_mutex_unlock(&feed->lock);
	return seq;
}

void feed_publish(struct feed *feed, char *text, size_t len)
{
	struct feed_message *message = feed_message(text, len), *old;

	pthread_mutex_lock(&feed->lock);
	feed->seq++;
	if (message != NULL)
		message->seq = feed->seq;
	old = feed->newest;
	feed->newest = message;
	pthread_cond_broadcast(&feed->changed);
	pthread_mutex_unlock(&feed->lock);
	feed_release(old);
}

static struct timespec after(int64_t timeout_ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += timeout_ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	return until;
}

/* A closed feed has nothing more to say, also not its last message. */
static enum feed_answer look(struct feed *feed, uint64_t seq,
			     struct feed_message **out)
{
	if (feed->closed)
		return FEED_CLOSED;
	if (feed->newest == NULL || feed->newest->seq <= seq)
		return FEED_NOTHING;
	atomic_fetch_add(&feed->newest->refs, 1);
	*out = feed->newest;
	return FEED_OK;
}

enum feed_answer feed_wait(struct feed *feed, uint64_t seq, int64_t timeout_ms,
			   struct feed_message **out)
{
	struct timespec until = after(timeout_ms);
	enum feed_answer answer;
	bool late = false;

	pthread_mutex_lock(&feed->lock);
	while ((answer = look(feed, seq, out)) == FEED_NOTHING && !late)
		late = pthread_cond_timedwait(&feed->changed, &feed->lock,
					      &until) != 0;
	pthread_mutex_unlock(&feed->lock);
	return answer;
}

void feed_close(struct feed *feed, int64_t timeout_ms)
{
	struct timespec until = after(timeout_ms);
	bool late = false;

	pthread_mutex_lock(&feed->lock);
	feed->closed = true;
	pthread_cond_broadcast(&feed->changed);
	while (feed->counts.readers > 0 && !late)
		late = pthread_cond_timedwait(&feed->changed, &feed->lock,
					      &until) != 0;
	pthread_mutex_unlock(&feed->lock);
}

void feed_counts(struct feed *feed, struct feed_counts *out)
{
	pthread_mutex_lock(&feed->lock);
	*out = feed->counts;
	pthread_mutex_unlock(&feed->lock);
}

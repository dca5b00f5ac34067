/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * feed.h - hands messages of one writer to a capped number of readers. Each
 * reader is given the newest message that it has not had; one that is slow
 * misses those in between, so that nothing is kept for it. Any thread.
 */
#ifndef STEKD_FEED_H
#define STEKD_FEED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct feed;

struct feed_message {
	_Atomic unsigned refs;
	uint64_t seq;
	size_t len;
	char *text;
};

/* NULL without memory. Freed when all readers have left. */
struct feed *feed_new(void);
void feed_free(struct feed *feed);

enum feed_answer { FEED_OK, FEED_FULL, FEED_CLOSED, FEED_NOTHING };

/* One reader more, unless there are `most`; *seq: of the newest message. */
enum feed_answer feed_join(struct feed *feed, unsigned most, uint64_t *seq);

/* `dropped`: it was too slow. */
void feed_leave(struct feed *feed, bool dropped);

/* The number of the message that is written next; one writer. */
uint64_t feed_next(struct feed *feed);

/* Takes the text over, malloc'd. */
void feed_publish(struct feed *feed, char *text, size_t len);

/*
 * Waits for a message newer than `seq`: FEED_OK, and *out is the caller's to
 * release; FEED_NOTHING when none came in time, FEED_CLOSED.
 */
enum feed_answer feed_wait(struct feed *feed, uint64_t seq, int64_t timeout_ms,
			   struct feed_message **out);

/* One that is not published: takes the text over. NULL without memory. */
struct feed_message *feed_message(char *text, size_t len);
void feed_release(struct feed_message *message);

/*
 * Ends all waiting, lets nobody join any more, and waits until all readers have
 * left, but not for long: they were told, and end by themselves.
 */
void feed_close(struct feed *feed, int64_t timeout_ms);

struct feed_counts {
	unsigned readers;
	uint64_t refused, dropped;
};

void feed_counts(struct feed *feed, struct feed_counts *out);

#endif

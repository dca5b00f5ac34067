/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_stream.h - the event stream without its transport: what each line
 * says, and one reader's place in it.
 */
#ifndef STEKD_ADMIN_STREAM_H
#define STEKD_ADMIN_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "admin_route.h"

#define ADMIN_STREAMS_MAX 8

struct admin_stream;

/* admin_feed.c */

/*
 * One line, malloc'd, with its line feed: all that is known, the whole history
 * or its newest part. NULL without memory. Asks the store for the audit.
 */
char *admin_feed_line(struct node *node, bool whole, uint64_t seq,
		      size_t *len);

/* Publishes the next line; sampler_start() takes it. `user` is the node. */
void admin_feed_tick(void *user);

/* admin_stream.c */

/* GET /v1/stream: fills answer->stream, or a problem. */
void admin_stream_show(struct node *node, const struct admin_call *call,
		       struct admin_answer *answer);

/* What the transport tells a stream before it reads from it. */
struct admin_stream_peer {
	/* May the peer still ask? Called before each line. */
	bool (*may)(void *user);
	/* A line begins (true), or all were taken and it waits. */
	void (*busy)(void *user, bool busy);
	void *user;
	int64_t limit_ms;	/* for one line; beyond it the peer is dropped */
};

/*
 * The next bytes, at most `max`; blocks until there are some. 0: the stream
 * has ended.
 */
size_t admin_stream_read(struct admin_stream *stream,
			 const struct admin_stream_peer *peer, char *buf,
			 size_t max);

/* NULL is legal. */
void admin_stream_free(struct admin_stream *stream);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_stream.c - one reader of the event stream: its first line is all that
 * is known, then the newest line each time that it has taken one. Opened by
 * admin_route.c, read by the transport on a thread that may block.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "admin_stream.h"
#include "feed.h"
#include "quota.h"
#include "sampler.h"

#define LOOK_MS 500	/* how often it is seen that a stream must end */

struct admin_stream {
	struct node *node;
	struct feed_message *now;	/* being read, or NULL */
	size_t at;
	uint64_t seq;			/* of the last line that it was given */
	int64_t begun_ms;		/* when `now` was begun */
	int64_t limit_ms;		/* 0: nobody has read yet */
};

static int64_t mono_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Streams leave at least half of a listener's connections to others. */
static unsigned streams_most(void)
{
	unsigned half = quota_admin_share() / 2;

	return half < ADMIN_STREAMS_MAX ? half : ADMIN_STREAMS_MAX;
}

static bool join(struct node *node, uint64_t *seq, struct admin_answer *answer)
{
	enum feed_answer joined = FEED_CLOSED;
	unsigned most = streams_most();

	if (!node->draining)
		joined = feed_join(node->feed, most, seq);
	if (joined == FEED_OK)
		return true;
	if (joined == FEED_FULL)
		admin_problem_of(answer, PROBLEM_BUSY, NULL, "%u streams are "
				 "open, and this node serves no more", most);
	else
		admin_problem_of(answer, PROBLEM_BUSY, NULL,
				 "the node is stopping");
	return false;
}

void admin_stream_show(struct node *node, const struct admin_call *call,
		       struct admin_answer *answer)
{
	struct admin_stream *stream = calloc(1, sizeof(*stream));
	char *line;
	size_t len = 0;

	(void)call;
	if (stream == NULL) {
		admin_problem(answer, 500, NULL, "out of memory");
		return;
	}
	if (!join(node, &stream->seq, answer)) {
		free(stream);
		return;
	}
	stream->node = node;
	sampler_watch(node->sampler, true);
	sampler_refresh(node->sampler);
	line = admin_feed_line(node, true, stream->seq, &len);
	stream->now = line != NULL ? feed_message(line, len) : NULL;
	if (stream->now == NULL) {
		admin_stream_free(stream);
		admin_problem(answer, 500, NULL, "out of memory");
		return;
	}
	stream->begun_ms = mono_ms();
	answer->status = 200;
	answer->type = "application/x-ndjson";
	answer->stream = stream;
}

/* The next line; false: there will be none. */
static bool next(struct admin_stream *stream,
		 const struct admin_stream_peer *peer)
{
	enum feed_answer answer;

	feed_release(stream->now);
	stream->now = NULL;
	peer->busy(peer->user, false);
	do {
		answer = feed_wait(stream->node->feed, stream->seq, LOOK_MS,
				   &stream->now);
		if (answer == FEED_CLOSED || stream->node->draining ||
		    !peer->may(peer->user))
			return false;
	} while (answer != FEED_OK);
	stream->seq = stream->now->seq;
	stream->at = 0;
	stream->begun_ms = mono_ms();
	peer->busy(peer->user, true);
	return true;
}

size_t admin_stream_read(struct admin_stream *stream,
			 const struct admin_stream_peer *peer, char *buf,
			 size_t max)
{
	size_t len;

	stream->limit_ms = peer->limit_ms;
	if (stream->now == NULL || stream->at == stream->now->len)
		if (!next(stream, peer))
			return 0;
	len = stream->now->len - stream->at;
	if (len > max)
		len = max;
	memcpy(buf, stream->now->text + stream->at, len);
	stream->at += len;
	return len;
}

/* A line that was begun too long ago was not taken. */
void admin_stream_free(struct admin_stream *stream)
{
	bool dropped;

	if (stream == NULL)
		return;
	dropped = stream->now != NULL && stream->limit_ms != 0 &&
		mono_ms() - stream->begun_ms >= stream->limit_ms;
	sampler_watch(stream->node->sampler, false);
	feed_leave(stream->node->feed, dropped);
	feed_release(stream->now);
	free(stream);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sampler.h - what a node knows about its whole farm: each node's last
 * heartbeat, how fast its counters grow, and the farm's last hour. One thread
 * asks the store now and then, more often while somebody watches; the workers
 * are not touched. All calls may come from any thread.
 */
#ifndef STEKD_SAMPLER_H
#define STEKD_SAMPLER_H

#include "history.h"
#include "node.h"
#include "rates.h"

struct sampler;

/* One node, by its last heartbeat; this node, as it is now. */
struct sampled {
	struct stek_member member;
	bool listed;		/* the store told of it when last asked */
	bool counted;		/* the heartbeat's counters were understood */
	int64_t beat_ms;	/* CLOCK_MONOTONIC: when it was made */
	struct counters counters;
	struct rates rates;
};

enum sampled_state {
	SAMPLED_LIVE,
	SAMPLED_LATE,		/* its heartbeat is too old */
	SAMPLED_MISSING,	/* the store does not tell of it any more */
};

const char *sampled_state_name(enum sampled_state state);

struct farm_sample {
	int64_t now_ms;		/* CLOCK_MONOTONIC, of what this node is now */
	int64_t read_ms;	/* the same, of the store's last answer; 0: none */
	int64_t read_farm_ms;	/* farm time of that */
	int error;		/* of the last question to the store, or 0 */
	int64_t live_ms;	/* a heartbeat younger than this is of a live node */
	int64_t late_ms;	/* a sample older than this is of a silent node */
	size_t n, cap;
	struct sampled **nodes;	/* by name; those of the last hour */
	struct history history;
};

/* Before the farm starts; NULL without memory. Freed after the farm closed. */
struct sampler *sampler_new(struct node *node);
void sampler_free(struct sampler *sampler);

/*
 * Starts the thread; `on_sample` is called on it after each sample that is
 * taken while somebody watches. 0 or -1. Stopping takes any state.
 */
int sampler_start(struct sampler *sampler, void (*on_sample)(void *user),
		  void *user);
void sampler_stop(struct sampler *sampler);

/* One more (or one less) who wants to know at once what changes. */
void sampler_watch(struct sampler *sampler, bool more);

/* Something changed; those who watch are told. Never blocks for long. */
void sampler_wake(struct sampler *sampler);

/*
 * Asks the store, for at most a second, and takes the answer. Called for a
 * client: for an hour from then on the store is asked every ten seconds.
 */
void sampler_refresh(struct sampler *sampler);

/* Takes an answer (or an error) of the store, got at this monotonic time. */
void sampler_take(struct sampler *sampler, const struct stek_member *members,
		  size_t n, int error, int64_t now_ms);

/* What is known, until it is released; others wait meanwhile. */
const struct farm_sample *sampler_hold(struct sampler *sampler);
void sampler_release(struct sampler *sampler);

/* How old this node's heartbeat is by now. */
int64_t sampled_age_ms(const struct farm_sample *farm,
		       const struct sampled *one);
enum sampled_state sampled_state(const struct farm_sample *farm,
				 const struct sampled *one);

/*
 * Between two questions to the store, for a farm of so many nodes. Everybody
 * asks for everybody, so large farms ask less often.
 */
int64_t sampler_gap_ms(size_t n_nodes, bool watched, bool settled);

/* The same while nobody wants to know: 10 to 15 minutes, by the node's id. */
int64_t sampler_idle_gap_ms(uint32_t node_id);

#endif

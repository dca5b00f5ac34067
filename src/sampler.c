// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sampler.c - asks the store for all heartbeats, and keeps what they tell: every
 * second while somebody watches, every ten for an hour after somebody asked, and
 * every ten minutes or so when nobody wants to know, for an idle node sends its
 * store no more than its heartbeats. Started and stopped by admin.c, read by
 * admin_stats.c and admin_feed.c.
 */
#include "sampler.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define READ_TIMEOUT_MS 1000
#define FORGET_MS 3600000
#define ASKED_MS 3600000	/* so long an answer makes further ones likely */
#define GAP_MS 10000
#define GAP_IDLE_MS 600000
#define IDLE_SPREAD_MS 300000	/* so that nodes do not ask together */
#define GAP_WATCHED_MS 1000
#define GAP_UNSETTLED_MS 250	/* acknowledgements are coming in */
#define GAP_LEAST_MS 100
#define GAP_NODES 64		/* from so many on the gaps grow */
#define LATE_MS 5000		/* beyond the gap */
#define LIVE_BEATS 3
#define BEAT_MS 1000		/* stek.h: the default */

struct sampler {
	struct node *node;
	_Atomic int64_t asked_ms;	/* CLOCK_MONOTONIC: by a client; 0: never */
	pthread_mutex_t lock;	/* of `farm` */
	struct farm_sample farm;

	pthread_mutex_t turn;	/* of what follows */
	pthread_cond_t turned;
	unsigned watching;
	bool woken, stop, started;
	pthread_t thread;
	void (*on_sample)(void *user);
	void *user;
};

static int64_t mono_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

const char *sampled_state_name(enum sampled_state state)
{
	static const char *const names[] = {
		[SAMPLED_LIVE] = "live",
		[SAMPLED_LATE] = "late",
		[SAMPLED_MISSING] = "missing",
	};

	return names[state];
}

int64_t sampler_gap_ms(size_t n_nodes, bool watched, bool settled)
{
	int64_t times = n_nodes > GAP_NODES
		? (int64_t)(n_nodes + GAP_NODES - 1) / GAP_NODES : 1;

	if (!watched)
		return GAP_MS * times;
	return (settled ? GAP_WATCHED_MS : GAP_UNSETTLED_MS) * times;
}

int64_t sampler_idle_gap_ms(uint32_t node_id)
{
	return GAP_IDLE_MS + node_id % IDLE_SPREAD_MS;
}

static bool was_asked(const struct sampler *sampler, int64_t now_ms)
{
	int64_t asked_ms = atomic_load(&sampler->asked_ms);

	return asked_ms != 0 && now_ms - asked_ms < ASKED_MS;
}

struct sampler *sampler_new(struct node *node)
{
	struct sampler *sampler = calloc(1, sizeof(*sampler));
	pthread_condattr_t monotonic;

	if (sampler == NULL)
		return NULL;
	sampler->node = node;
	sampler->farm.error = STEK_EUNAVAILABLE;
	sampler->farm.late_ms = GAP_MS + LATE_MS;
	sampler->farm.live_ms = LIVE_BEATS * (int64_t)
		(node->fixed->policy.beat_ms ? node->fixed->policy.beat_ms
					     : BEAT_MS);
	pthread_mutex_init(&sampler->lock, NULL);
	pthread_mutex_init(&sampler->turn, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&sampler->turned, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return sampler;
}

void sampler_free(struct sampler *sampler)
{
	size_t i;

	if (sampler == NULL)
		return;
	for (i = 0; i < sampler->farm.n; i++)
		free(sampler->farm.nodes[i]);
	free(sampler->farm.nodes);
	pthread_cond_destroy(&sampler->turned);
	pthread_mutex_destroy(&sampler->turn);
	pthread_mutex_destroy(&sampler->lock);
	free(sampler);
}

/* Where this name is, or would be. */
static size_t place(const struct farm_sample *farm, const char *name)
{
	size_t low = 0, high = farm->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(farm->nodes[middle]->member.name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Frees those that the store forgot and that were silent for an hour. */
static void forget(struct farm_sample *farm, int64_t now_ms)
{
	size_t i, used = 0;

	for (i = 0; i < farm->n; i++) {
		struct sampled *one = farm->nodes[i];

		if (one->listed || now_ms - one->beat_ms <= FORGET_MS) {
			farm->nodes[used++] = one;
			continue;
		}
		free(one);
	}
	farm->n = used;
}

/* The entry of a name, perhaps a new one; NULL when there is no room for it. */
static struct sampled *find(struct farm_sample *farm, const char *name)
{
	size_t at = place(farm, name), cap = farm->cap + 16;
	struct sampled **more;
	struct sampled *one;

	if (at < farm->n && strcmp(farm->nodes[at]->member.name, name) == 0)
		return farm->nodes[at];
	if (farm->n == 2 * STEK_MEMBERS_MAX)
		return NULL;
	if (farm->n == farm->cap) {
		more = realloc(farm->nodes, cap * sizeof(farm->nodes[0]));
		if (more == NULL)
			return NULL;
		farm->nodes = more;
		farm->cap = cap;
	}
	one = calloc(1, sizeof(*one));
	if (one == NULL)
		return NULL;
	memmove(&farm->nodes[at + 1], &farm->nodes[at],
		(farm->n - at) * sizeof(farm->nodes[0]));
	farm->nodes[at] = one;
	farm->n++;
	snprintf(one->member.name, sizeof(one->member.name), "%s", name);
	return one;
}

static void rate(struct farm_sample *farm, struct sampled *one,
		 int64_t absent_until_ms)
{
	struct rates_sample sample = {
		.at_ms = one->beat_ms,
		.started_at_ms = one->member.started_at_ms,
		.absent_until_ms = absent_until_ms,
	};
	struct rates_gain gain;

	if (!one->counted)
		return;
	rates_point(&sample.raw, &one->counters);
	if (rates_take(&one->rates, &sample, &gain))
		history_gain(&farm->history, &gain);
}

/* A node that started after the store's last answer counts from there. */
static void take_member(struct farm_sample *farm,
			const struct stek_member *member, int64_t now_ms)
{
	struct sampled *one = find(farm, member->name);
	int64_t absent_ms = 0;

	if (one == NULL)
		return;
	one->member = *member;
	one->listed = true;
	one->counted = counters_unpack(&one->counters, member->payload,
				       member->payload_len) == 0;
	if (farm->read_ms != 0 && member->started_at_ms > farm->read_farm_ms)
		absent_ms = farm->read_ms;
	one->beat_ms = now_ms - member->age_ms;
	rate(farm, one, absent_ms);
}

/* This node needs no heartbeat to know itself. */
static void take_self(struct farm_sample *farm, struct node *node,
		      int64_t now_ms)
{
	struct sampled *one = find(farm, stek_farm_node(node->farm));
	int64_t up_ms = stek_farm_now_ms(node->farm) - node->started_at_ms;
	struct stek_status status;

	if (one == NULL)
		return;
	stek_farm_status(node->farm, &status);
	one->member.id = stek_farm_node_id(node->farm);
	one->member.live = one->member.self = true;
	one->member.age_ms = 0;
	one->member.started_at_ms = node->started_at_ms;
	one->member.clock_offset_ms = status.clock_offset_ms;
	one->member.version = status.version;
	one->listed = one->counted = true;
	node_counters(node, &one->counters);
	node_facts(node, &one->counters.facts);
	/* Farm time may be set; a process is at least a moment old. */
	one->beat_ms = now_ms;
	rate(farm, one, now_ms - (up_ms > 1 ? up_ms : 1));
}

void sampler_take(struct sampler *sampler, const struct stek_member *members,
		  size_t n, int error, int64_t now_ms)
{
	struct node *node = sampler->node;
	struct farm_sample *farm = &sampler->farm;
	struct stek_ring_info ring;
	size_t i;

	stek_farm_ring(node->farm, &ring);
	pthread_mutex_lock(&sampler->lock);
	if (now_ms < farm->now_ms)
		now_ms = farm->now_ms;
	farm->error = error;
	history_turn(&farm->history, now_ms);
	for (i = 0; i < farm->n && error == 0; i++)
		farm->nodes[i]->listed = false;
	for (i = 0; i < n; i++)
		if (!members[i].self)
			take_member(farm, &members[i], now_ms);
	take_self(farm, node, now_ms);
	if (error == 0) {
		farm->read_ms = now_ms;
		farm->read_farm_ms = stek_farm_now_ms(node->farm);
	}
	farm->now_ms = now_ms;
	forget(farm, now_ms);
	farm->late_ms = LATE_MS + (was_asked(sampler, now_ms)
		? sampler_gap_ms(farm->n, false, true)
		: sampler_idle_gap_ms(stek_farm_node_id(node->farm)));
	history_keys(&farm->history, &ring);
	pthread_mutex_unlock(&sampler->lock);
}

/* Without the store: only this node, whose figures are at hand. */
static void look_at_self(struct sampler *sampler)
{
	struct farm_sample *farm = &sampler->farm;
	int64_t now_ms = mono_ms();

	pthread_mutex_lock(&sampler->lock);
	if (now_ms > farm->now_ms)
		farm->now_ms = now_ms;
	history_turn(&farm->history, farm->now_ms);
	take_self(farm, sampler->node, farm->now_ms);
	pthread_mutex_unlock(&sampler->lock);
}

static void refresh(struct sampler *sampler)
{
	struct stek_member *members = NULL;
	size_t n = 0;
	int error = stek_farm_members(sampler->node->farm, READ_TIMEOUT_MS,
				      &members, &n);

	sampler_take(sampler, members, error == 0 ? n : 0, error, mono_ms());
	free(members);
}

void sampler_refresh(struct sampler *sampler)
{
	atomic_store(&sampler->asked_ms, mono_ms());
	refresh(sampler);
}

const struct farm_sample *sampler_hold(struct sampler *sampler)
{
	pthread_mutex_lock(&sampler->lock);
	return &sampler->farm;
}

void sampler_release(struct sampler *sampler)
{
	pthread_mutex_unlock(&sampler->lock);
}

int64_t sampled_age_ms(const struct farm_sample *farm,
		       const struct sampled *one)
{
	return farm->now_ms - one->beat_ms;
}

/* While no store answers a node is as live as its last heartbeat is young. */
enum sampled_state sampled_state(const struct farm_sample *farm,
				 const struct sampled *one)
{
	bool live = one->member.live;

	if (!one->listed)
		return SAMPLED_MISSING;
	if (farm->error != 0 && !one->member.self)
		live = sampled_age_ms(farm, one) < farm->live_ms;
	return live ? SAMPLED_LIVE : SAMPLED_LATE;
}

/* False while a live node does not hold the ring that this one does. */
static bool settled(struct sampler *sampler, size_t *n)
{
	const struct farm_sample *farm = sampler_hold(sampler);
	struct stek_status status;
	bool all = true;
	size_t i;

	stek_farm_status(sampler->node->farm, &status);
	for (i = 0; i < farm->n; i++)
		all &= sampled_state(farm, farm->nodes[i]) != SAMPLED_LIVE ||
		       stek_version_equal(&farm->nodes[i]->member.version,
					  &status.version);
	*n = farm->n;
	sampler_release(sampler);
	return all;
}

/* Waits for the next turn; false: there is none. */
static bool wait_turn(struct sampler *sampler, int64_t last_ms, size_t n,
		      bool calm, bool *watched)
{
	struct timespec until;
	int64_t gap_ms;
	bool going;

	pthread_mutex_lock(&sampler->turn);
	for (;;) {
		gap_ms = sampler_gap_ms(n, sampler->watching > 0, calm);
		if (sampler->woken && sampler->watching > 0)
			gap_ms = GAP_LEAST_MS;
		until.tv_sec = (last_ms + gap_ms) / 1000;
		until.tv_nsec = (last_ms + gap_ms) % 1000 * 1000000;
		if (sampler->stop || mono_ms() >= last_ms + gap_ms)
			break;
		pthread_cond_timedwait(&sampler->turned, &sampler->turn,
				       &until);
	}
	going = !sampler->stop;
	*watched = sampler->watching > 0;
	sampler->woken = false;
	pthread_mutex_unlock(&sampler->turn);
	return going;
}

static void *run(void *arg)
{
	struct sampler *sampler = arg;
	int64_t last_ms, read_ms = 0, gap_ms;
	bool watched = false, calm;
	size_t n;

	gap_ms = sampler_idle_gap_ms(stek_farm_node_id(sampler->node->farm));
	do {
		last_ms = mono_ms();
		if (watched || was_asked(sampler, last_ms) || read_ms == 0 ||
		    last_ms - read_ms >= gap_ms) {
			refresh(sampler);
			read_ms = last_ms;
		} else {
			look_at_self(sampler);
		}
		calm = settled(sampler, &n);
		if (watched)
			sampler->on_sample(sampler->user);
	} while (wait_turn(sampler, last_ms, n, calm, &watched));
	return NULL;
}

int sampler_start(struct sampler *sampler, void (*on_sample)(void *user),
		  void *user)
{
	sampler->on_sample = on_sample;
	sampler->user = user;
	sampler->stop = false;
	if (pthread_create(&sampler->thread, NULL, run, sampler) != 0)
		return -1;
	sampler->started = true;
	return 0;
}

void sampler_stop(struct sampler *sampler)
{
	if (!sampler->started)
		return;
	pthread_mutex_lock(&sampler->turn);
	sampler->stop = true;
	pthread_cond_signal(&sampler->turned);
	pthread_mutex_unlock(&sampler->turn);
	pthread_join(sampler->thread, NULL);
	sampler->started = false;
}

static void turn(struct sampler *sampler, bool wake, int more)
{
	pthread_mutex_lock(&sampler->turn);
	sampler->woken |= wake;
	sampler->watching += (unsigned)more;
	if (more != 0)
		atomic_store(&sampler->asked_ms, mono_ms());
	/* An event is news to who watches; for nobody it wakes no thread. */
	if (more != 0 || sampler->watching > 0)
		pthread_cond_signal(&sampler->turned);
	pthread_mutex_unlock(&sampler->turn);
}

void sampler_watch(struct sampler *sampler, bool more)
{
	turn(sampler, more, more ? 1 : -1);
}

void sampler_wake(struct sampler *sampler)
{
	turn(sampler, true, 0);
}

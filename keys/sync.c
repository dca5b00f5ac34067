// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sync.c - the sync thread: its loop, the commands that other threads hand to
 * it, and what it reports. One pass of the loop is stek__sync_step(), which
 * asks the clocks once and does what is due; between passes the thread sleeps
 * in poll(). It is the only writer of the ring snapshot. Called by farm.c.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "sync.h"

#define HINT_GAP_MS 5		/* beats that hints cause keep this distance */
#define CLOSING_DETAIL "the farm is being closed"

/* Whose sync thread this thread is. */
static _Thread_local const struct stek_sync *running;

int64_t stek__sync_mono(const struct stek_sync *sync)
{
	return sync->farm->io.mono_ms(sync->farm->io.user);
}

int64_t stek__sync_farm_ms(const struct stek_sync *sync)
{
	return stek_farm_now_ms(sync->farm);
}

uint32_t stek__sync_random(const struct stek_sync *sync, uint32_t bound)
{
	return sync->farm->io.random_below(sync->farm->io.user, bound);
}

/* This thread alone swaps it, so it may read it without the guard. */
struct stek_ring *stek__sync_ring(const struct stek_sync *sync)
{
	return atomic_load_explicit(&sync->farm->guard.current,
				    memory_order_relaxed);
}

void stek__sync_count(struct stek_sync *sync, uint64_t *counter)
{
	pthread_mutex_lock(&sync->lock);
	++*counter;
	pthread_mutex_unlock(&sync->lock);
}

void stek__sync_event(struct stek_sync *sync, enum stek_event_kind kind,
		      int error, const uint8_t *key_id, const char *detail)
{
	struct stek_event event = { .kind = kind, .error = error };

	if (!sync->on_event)
		return;
	event.version = stek__sync_ring(sync)->version;
	event.detail = detail ? detail : "";
	if (key_id)
		memcpy(event.key_id, key_id, STEK_ID_LEN);
	sync->on_event(sync->user, &event);
}

void stek__sync_install(struct stek_sync *sync, struct stek_ring *ring)
{
	struct stek_ring *wiped = NULL;

	/* Without memory secrets stay one event longer; states still rule. */
	if (!stek__ring_wiped(&wiped, ring, stek__sync_farm_ms(sync))) {
		stek__ring_unref(ring);
		ring = wiped;
	}
	if (ring != stek__sync_ring(sync))
		sync->keep_due = true;
	stek__late_mark(sync, &ring);
	stek__ring_unref(stek__guard_swap(&sync->farm->guard, ring));
	sync->next_event_ms = 0;
	stek__link_refresh(sync);
}

void stek__sync_finish(struct stek_sync *sync, struct stek_command *command,
		       int result)
{
	bool abandoned;

	command->phase = STEK_PHASE_DONE;
	command->result = result;
	pthread_mutex_lock(&sync->lock);
	command->done = true;
	abandoned = command->abandoned;
	pthread_cond_broadcast(&sync->cond);
	pthread_mutex_unlock(&sync->lock);
	if (abandoned)
		stek__command_free(command);
}

static void wake(struct stek_sync *sync)
{
	const uint64_t one = 1;
	ssize_t n;

	/* A full counter is readable too, so nothing is lost. */
	n = write(sync->wake_fd, &one, sizeof(one));
	(void)n;
}

void stek__sync_submit(struct stek_sync *sync, struct stek_command *command)
{
	struct stek_command **last;

	pthread_mutex_lock(&sync->lock);
	for (last = &sync->inbox; *last; last = &(*last)->next)
		;
	*last = command;
	pthread_mutex_unlock(&sync->lock);
	wake(sync);
}

int stek__sync_call(struct stek_sync *sync, struct stek_command *command,
		    int64_t timeout_ms, bool *mine)
{
	struct timespec until;
	int result = STEK_EUNAVAILABLE, waited = 0;

	/* The thread would wait for itself. */
	if (running == sync || !sync->started) {
		*mine = true;
		return STEK_EINVAL;
	}
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += timeout_ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	stek__sync_submit(sync, command);
	pthread_mutex_lock(&sync->lock);
	while (!command->done && waited == 0)
		waited = pthread_cond_timedwait(&sync->cond, &sync->lock,
						&until);
	*mine = command->done;
	command->abandoned = !command->done;
	if (command->done)
		result = command->result;
	pthread_mutex_unlock(&sync->lock);
	return result;
}

static void take_inbox(struct stek_sync *sync)
{
	struct stek_command **last;

	for (last = &sync->queue; *last; last = &(*last)->next)
		;
	pthread_mutex_lock(&sync->lock);
	*last = sync->inbox;
	sync->inbox = NULL;
	pthread_mutex_unlock(&sync->lock);
}

static bool given_up(struct stek_sync *sync, struct stek_command *command)
{
	bool abandoned;

	pthread_mutex_lock(&sync->lock);
	abandoned = command->abandoned;
	pthread_mutex_unlock(&sync->lock);
	return abandoned;
}

/* What needs no turn: it changes no ring. */
static bool serve_at_once(struct stek_sync *sync,
				struct stek_command *command,
				struct stek_command **last)
{
	int result = 0;

	if (command->kind != STEK_COMMAND_AUDIT &&
	    command->kind != STEK_COMMAND_RELOAD &&
	    command->kind != STEK_COMMAND_NOTE)
		return false;
	*last = command->next;
	if (command->kind == STEK_COMMAND_AUDIT)
		result = stek__audit_serve(sync, command);
	if (command->kind == STEK_COMMAND_RELOAD)
		result = stek__roll_reload(sync, command);
	if (command->kind == STEK_COMMAND_NOTE)
		stek__audit_told(sync, command);
	stek__sync_finish(sync, command, result);
	return true;
}

/*
 * Answers the members at once; a change waits until the one before is done. A
 * store that hangs is waited for once, however many ask: a revocation may stand
 * behind them.
 */
static void serve(struct stek_sync *sync)
{
	struct stek_command **last = &sync->queue, *command;
	int err = 0;

	take_inbox(sync);
	while ((command = *last)) {
		if (command->kind == STEK_COMMAND_MEMBERS) {
			*last = command->next;
			if (!err && !given_up(sync, command))
				err = stek__member_list(sync, &command->members,
							&command->n_members);
			stek__sync_finish(sync, command, err);
			continue;
		}
		if (serve_at_once(sync, command, last))
			continue;
		if (sync->current) {
			last = &command->next;
			continue;
		}
		*last = command->next;
		sync->current = command;
		stek__change_begin(sync, command);
	}
}

/* What time alone changes: who seals, who yields, whose secret must go. */
static void pass_time(struct stek_sync *sync)
{
	static const uint8_t none[STEK_ID_LEN];
	const struct stek_policy *policy = &sync->farm->policy;
	int64_t now_ms = stek__sync_farm_ms(sync);
	const struct stek_key *key;
	const uint8_t *id;

	if (now_ms < sync->next_event_ms &&
	    stek__sync_mono(sync) < stek__late_due_ms(sync))
		return;
	stek__sync_install(sync, stek__ring_ref(stek__sync_ring(sync)));
	sync->next_event_ms = stek__schedule_next_event(stek__sync_ring(sync),
							policy, now_ms);
	key = stek__schedule_sealing(stek__sync_ring(sync), policy, now_ms);
	id = key ? key->id : none;
	if (sync->sealing_told && !memcmp(id, sync->sealing_id, STEK_ID_LEN))
		return;
	memcpy(sync->sealing_id, id, STEK_ID_LEN);
	sync->sealing_told = true;
	stek__sync_event(sync, key ? STEK_EVENT_ACTIVE_KEY :
			 STEK_EVENT_NO_ACTIVE_KEY, 0, key ? id : NULL, "");
}

static void tell(struct stek_sync *sync)
{
	const struct stek_version *held = &stek__sync_ring(sync)->version;

	if (sync->state_fault) {
		stek__sync_event(sync, STEK_EVENT_STATE_FILE, STEK_EIO, NULL,
				 sync->state_fault);
		free(sync->state_fault);
		sync->state_fault = NULL;
	}
	/* Epoch 0 is the ring that holds nothing, before any was heard of. */
	if (held->epoch == 0 || stek_version_equal(held, &sync->told))
		return;
	sync->told = *held;
	stek__sync_event(sync, STEK_EVENT_RING, 0, NULL, "");
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* A clock may step back under us, so no sleep is longer than a beat or so. */
static int64_t idle_ms(const struct stek_sync *sync)
{
	int64_t mono_ms = stek__sync_mono(sync);
	int64_t due_ms = stek__link_due_ms(sync), left_ms;

	if (sync->mint_at_ms && sync->in_sync && !sync->current)
		due_ms = sooner(due_ms, sync->mint_at_ms);
	due_ms = sooner(due_ms, stek__roll_due_ms(sync));
	due_ms = sooner(due_ms, stek__lag_due_ms(sync));
	due_ms = sooner(due_ms, stek__late_due_ms(sync));
	due_ms = sooner(due_ms, stek__change_due_ms(sync));
	left_ms = due_ms - mono_ms;
	left_ms = sooner(left_ms,
			 sync->next_event_ms - stek__sync_farm_ms(sync));
	left_ms = sooner(left_ms, 5000);
	return left_ms > 0 ? left_ms : 0;
}

int64_t stek__sync_step(struct stek_sync *sync, bool hinted)
{
	if (hinted)
		sync->next_beat_ms = sooner(sync->next_beat_ms,
					    sync->last_beat_ms + HINT_GAP_MS);
	stek__pace_slew(sync);
	tell(sync);
	pass_time(sync);
	serve(sync);
	stek__link_beats(sync);
	stek__change_step(sync);
	stek__merge_mint(sync);
	stek__roll_step(sync);
	stek__lag_step(sync);
	pass_time(sync);
	stek__twin_pass(sync);
	stek__keep_write(sync);
	tell(sync);
	return idle_ms(sync);
}

static bool stopping(struct stek_sync *sync)
{
	bool stop;

	pthread_mutex_lock(&sync->lock);
	stop = sync->stop;
	pthread_mutex_unlock(&sync->lock);
	return stop;
}

/* Sleeps; true if the store hinted. */
static bool rest(struct stek_sync *sync, int64_t idle)
{
	struct pollfd pfds[1 + STEK_STORES_MAX] = {
		{ .fd = sync->wake_fd, .events = POLLIN },
	};
	bool hinted = false;
	uint64_t unused;
	ssize_t n;
	size_t i;

	/* A store that does not answer is not asked for a subscription. */
	for (i = 0; i < sync->n_links; i++) {
		struct stek_store *store = sync->links[i].store;

		pfds[i + 1].events = POLLIN;
		pfds[i + 1].fd = sync->links[i].state == STEK_STORE_OK ?
				 store->ops->hint_fd(store) : -1;
	}
	if (poll(pfds, 1 + sync->n_links, (int)idle) <= 0)
		return false;
	if (pfds[0].revents) {
		n = read(sync->wake_fd, &unused, sizeof(unused));
		(void)n;
	}
	for (i = 0; i < sync->n_links; i++) {
		struct stek_store *store = sync->links[i].store;

		if (pfds[i + 1].revents && store->ops->hint_take(store))
			hinted = true;
	}
	return hinted;
}

static void refuse_all(struct stek_sync *sync)
{
	struct stek_command *command;

	take_inbox(sync);
	if (sync->current) {
		memcpy(sync->current->change.detail, CLOSING_DETAIL,
		       sizeof(CLOSING_DETAIL));
		stek__sync_finish(sync, sync->current, STEK_EUNAVAILABLE);
		sync->current = NULL;
	}
	while ((command = sync->queue)) {
		sync->queue = command->next;
		memcpy(command->change.detail, CLOSING_DETAIL,
		       sizeof(CLOSING_DETAIL));
		stek__sync_finish(sync, command, STEK_EUNAVAILABLE);
	}
}

static void *run(void *arg)
{
	struct stek_sync *sync = arg;
	bool hinted = false;
	size_t i;

	running = sync;
	while (!stopping(sync))
		hinted = rest(sync, stek__sync_step(sync, hinted));
	refuse_all(sync);
	for (i = 0; i < sync->n_links; i++) {
		struct stek_store *store = sync->links[i].store;

		if (sync->links[i].state == STEK_STORE_OK)
			(void)store->ops->forget(store, sync->farm->node);
	}
	return NULL;
}

/* Signals are the application's; a broken connection must not kill it. */
int stek__sync_start(struct stek_sync *sync)
{
	sigset_t all, before;
	int err;

	if (sync->started)
		return STEK_EINVAL;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&sync->thread, NULL, run, sync);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		return STEK_ENOMEM;
	sync->started = true;
	return 0;
}

void stek__sync_stop(struct stek_sync *sync)
{
	if (!sync->started)
		return;
	pthread_mutex_lock(&sync->lock);
	sync->stop = true;
	pthread_mutex_unlock(&sync->lock);
	wake(sync);
	pthread_join(sync->thread, NULL);
	sync->started = false;
}

void stek__sync_free(struct stek_sync *sync)
{
	size_t i;

	if (!sync)
		return;
	for (i = 0; i < sync->n_links; i++)
		stek__store_close(sync->links[i].store);
	stek__audit_close(sync);
	stek__idem_close(sync);
	stek__roll_close(sync);
	free(sync->state_dir);
	free(sync->state_fault);
	if (sync->wake_fd >= 0)
		close(sync->wake_fd);
	pthread_cond_destroy(&sync->cond);
	pthread_mutex_destroy(&sync->lock);
	free(sync);
}

static int name_kept(struct stek_sync *sync,
		     const struct stek_farm_options *options)
{
	if (!options->state_dir)
		return 0;
	snprintf(sync->state_name, sizeof(sync->state_name), "ring.%s",
		 sync->farm->name);
	snprintf(sync->state_aside, sizeof(sync->state_aside), "%s.new",
		 sync->state_name);
	sync->state_dir = strdup(options->state_dir);
	return sync->state_dir ? 0 : STEK_ENOMEM;
}

int stek__sync_new(struct stek_sync **out, struct stek_farm *farm,
		   struct stek_store *const *stores, size_t n_stores,
		   const struct stek_farm_options *options)
{
	struct stek_sync *sync = calloc(1, sizeof(*sync));
	pthread_condattr_t attr;
	size_t i;

	if (!sync)
		return STEK_ENOMEM;
	sync->farm = farm;
	sync->on_event = options->on_event;
	sync->on_beat = options->on_beat;
	sync->user = options->user;
	pthread_mutex_init(&sync->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&sync->cond, &attr);
	pthread_condattr_destroy(&attr);
	sync->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (sync->wake_fd < 0 || name_kept(sync, options)) {
		stek__sync_free(sync);
		return STEK_ENOMEM;
	}
	sync->started_at_ms = stek__sync_farm_ms(sync);
	sync->next_beat_ms = INT64_MAX;
	if (stek__links_place(sync, n_stores, options)) {
		stek__sync_free(sync);
		return STEK_ECRYPTO;
	}
	for (i = 0; i < n_stores; i++)
		sync->links[i].store = stores[i];
	sync->n_links = sync->status.n_stores = n_stores;
	sync->store = stores[0];
	*out = sync;
	return 0;
}

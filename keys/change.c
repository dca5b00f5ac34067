// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * change.c - rotation and revocation: a small state machine that the sync
 * thread steps while it goes on beating. It publishes, then reads the members
 * until every live one has acknowledged. rotate.c and revoke.c say what each
 * does to the ring, ack.c who acknowledged. Called by sync.c and merge.c.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sync.h"

#define TRIES_MAX 50
#define POLL_FIRST_MS 3
#define POLL_MAX_MS 200

void stek__change_say(struct stek_command *command, const char *detail)
{
	snprintf(command->change.detail, sizeof(command->change.detail), "%s",
		 detail);
}

int stek__change_expected(struct stek_sync *sync)
{
	const struct stek_version *ours = &stek__sync_ring(sync)->version;
	struct stek_command *command = sync->current;
	const struct stek_version *wanted = &command->expect;

	if (!command->has_expect || stek_version_equal(wanted, ours) ||
	    (command->epoch_only && wanted->epoch == ours->epoch))
		return 0;
	command->change.version = *ours;
	snprintf(command->change.detail, sizeof(command->change.detail),
		 "the ring, of epoch %" PRIu64 ", is another than the expected"
		 " one, of epoch %" PRIu64, ours->epoch, wanted->epoch);
	return STEK_ECONFLICT;
}

static void move(struct stek_command *command, enum stek_phase to)
{
	static const unsigned allowed[] = {
		[STEK_PHASE_NEW] = 1 << STEK_PHASE_PUBLISH,
		[STEK_PHASE_PUBLISH] = 1 << STEK_PHASE_WAIT,
		[STEK_PHASE_WAIT] = 1 << STEK_PHASE_REVERT,
		[STEK_PHASE_REVERT] = 0,
		[STEK_PHASE_DONE] = 0,
	};

	assert(allowed[command->phase] & (1U << to));
	command->phase = to;
}

static void finish(struct stek_sync *sync, int result)
{
	struct stek_command *command = sync->current;

	if (result && !command->change.detail[0])
		stek__change_say(command, stek_strerror(result));
	command->result = result;
	if (!command->dry_run && !command->change.replayed &&
	    result != STEK_EREUSED && result != STEK_EBUSY) {
		stek__idem_keep(sync, command);
		stek__audit_add(sync, command);
	}
	sync->current = NULL;
	stek__sync_finish(sync, command, result);
}

/* Commands wake the thread too; only an exchange with the store is news. */
static bool no_news(struct stek_sync *sync)
{
	struct stek_command *command = sync->current;

	if (command->tried_beat == sync->beats)
		return true;
	command->tried_beat = sync->beats;
	return false;
}

/* Someone else changed the ring meanwhile: look again, then once more. */
static void try_again(struct stek_sync *sync)
{
	struct stek_command *command = sync->current;

	if (no_news(sync))
		return;
	if (++command->tries > TRIES_MAX) {
		stek__change_say(command, "other nodes changed the ring at"
				 " every attempt");
		finish(sync, STEK_EUNAVAILABLE);
		return;
	}
	sync->next_beat_ms = stek__sync_mono(sync) +
			     stek__sync_random(sync, 5 * command->tries);
}

static void accepted(struct stek_sync *sync)
{
	struct stek_command *command = sync->current;
	int64_t mono_ms = stek__sync_mono(sync);

	move(command, STEK_PHASE_WAIT);
	stek__ack_learn(sync);
	command->change.published = true;
	command->change.version = stek__sync_ring(sync)->version;
	command->accepted_ms = mono_ms;
	command->next_poll_ms = mono_ms;
	command->poll_gap_ms = POLL_FIRST_MS;
	command->wait_until_ms = mono_ms + STEK_REVOKE_WAIT_MS;
	if (command->kind == STEK_COMMAND_ROTATE)
		command->wait_until_ms = command->began_ms +
			sync->farm->policy.rotate_delay_ms / 2;
	sync->next_beat_ms = mono_ms;
}

void stek__change_published(struct stek_sync *sync)
{
	if (sync->current && sync->current->kind == STEK_COMMAND_REVOKE &&
	    sync->current->phase == STEK_PHASE_PUBLISH &&
	    sync->current->applied)
		accepted(sync);
}

static int publish_rotate(struct stek_sync *sync)
{
	int err = stek__rotate_check(sync);

	if (err) {
		finish(sync, err);
		return 0;
	}
	sync->current->began_ms = stek__sync_mono(sync);
	err = stek__rotate_publish(sync);
	if (!err)
		accepted(sync);
	return err;
}

/*
 * One that expects a ring is compared with ours, which each store that answers
 * holds; the write is compared with the same once more, by the store. So it is
 * in force once a store took it, and if none did, nothing has happened.
 */
static int publish_expected(struct stek_sync *sync)
{
	struct stek_key *extra[STEK_MISSING_MAX + 1];
	struct stek_command *command = sync->current;
	struct stek_ring *base = NULL;
	size_t i, n;
	int err;

	err = stek__revoke_base(sync, &base);
	if (err) {
		finish(sync, err);
		return 0;
	}
	command->applied = true;
	n = stek__revoke_extra(sync, base, extra);
	if (n || !stek_version_equal(&base->version,
				     &stek__sync_ring(sync)->version))
		err = stek__merge_propose(sync, base, extra, n, NULL);
	for (i = 0; i < n; i++)
		stek__key_unref(extra[i]);
	stek__ring_unref(base);
	if (err) {
		command->applied = false;
		memset(&command->change, 0, sizeof(command->change));
		return err;
	}
	stek__revoke_tell(sync);
	accepted(sync);
	return 0;
}

/* What the union did not bring along already. */
static int publish_revoke(struct stek_sync *sync)
{
	struct stek_key *extra[STEK_MISSING_MAX + 1];
	struct stek_ring *ring = stek__sync_ring(sync);
	size_t i, n;
	int err = 0;

	if (!sync->current->applied)
		return publish_expected(sync);
	n = stek__revoke_extra(sync, ring, extra);
	if (n) {
		stek__ring_ref(ring);
		err = stek__merge_propose(sync, ring, extra, n, NULL);
		stek__ring_unref(ring);
	}
	for (i = 0; i < n; i++)
		stek__key_unref(extra[i]);
	if (!err)
		accepted(sync);
	return err;
}

/* NOLINTNEXTLINE(misc-no-recursion): once, as it says below */
static void step_publish(struct stek_sync *sync)
{
	struct stek_command *command = sync->current;
	int err;

	if (sync->state != STEK_STORE_OK) {
		stek__change_say(command,
				 sync->store->ops->detail(sync->store));
		finish(sync, sync->state == STEK_STORE_REFUSED ?
		       STEK_EREFUSED : STEK_EUNAVAILABLE);
		return;
	}
	if (sync->has_bad) {
		stek__change_say(command, "the store holds a ring that this"
				 " node cannot open");
		finish(sync, STEK_EREFUSED);
		return;
	}
	if (!sync->in_sync) {
		try_again(sync);
		return;
	}
	err = command->kind == STEK_COMMAND_ROTATE ? publish_rotate(sync) :
						     publish_revoke(sync);
	if (err == STEK_ECONFLICT)
		try_again(sync);
	else if (err == STEK_EUNAVAILABLE || err == STEK_EREFUSED)
		step_publish(sync);	/* the state says the same by now */
	else if (err)
		finish(sync, err);
}

/* The new key was never used, so taking it back costs nothing. */
static void revert(struct stek_sync *sync)
{
	struct stek_command *command = sync->current;

	move(command, STEK_PHASE_REVERT);
	command->wait_until_ms = stek__sync_mono(sync) + STEK_REVERT_WAIT_MS;
	sync->next_beat_ms = stek__sync_mono(sync);
	stek__rotate_take_back(sync);
}

static void step_wait(struct stek_sync *sync)
{
	struct stek_command *command = sync->current;
	int64_t mono_ms = stek__sync_mono(sync);
	struct stek_member *members = NULL;
	bool all = false;
	size_t n = 0;

	stek__ack_learn(sync);
	if (mono_ms < command->next_poll_ms)
		return;
	if (!stek__member_list(sync, &members, &n) &&
	    stek__ack_note(sync, members, n, &all))
		all = false;
	free(members);
	mono_ms = stek__sync_mono(sync);
	command->next_poll_ms = mono_ms + command->poll_gap_ms;
	command->poll_gap_ms += command->poll_gap_ms / 2;
	if (command->poll_gap_ms > POLL_MAX_MS)
		command->poll_gap_ms = POLL_MAX_MS;
	/* Reading many heartbeats is not free: not too often then. */
	if (command->poll_gap_ms < (int64_t)n / 8)
		command->poll_gap_ms = (int64_t)n / 8;
	if (all) {
		finish(sync, 0);
		return;
	}
	if (mono_ms < command->wait_until_ms)
		return;
	if (command->kind == STEK_COMMAND_ROTATE && !command->force) {
		revert(sync);
		return;
	}
	stek__ack_name_late(command, "");
	finish(sync, command->force ? 0 : STEK_ETIMEOUT);
}

static void step_revert(struct stek_sync *sync)
{
	struct stek_command *command = sync->current;

	if (sync->in_sync) {
		stek__ack_name_late(command, "; the new key was revoked");
		finish(sync, STEK_ETIMEOUT);
		return;
	}
	if (sync->state != STEK_STORE_OK ||
	    stek__sync_mono(sync) >= command->wait_until_ms) {
		stek__ack_name_late(command, "; the new key is revoked here,"
				    " the store does not answer");
		finish(sync, STEK_ETIMEOUT);
		return;
	}
	if (!no_news(sync))
		sync->next_beat_ms = stek__sync_mono(sync) +
				     stek__sync_random(sync, 10);
}

void stek__change_step(struct stek_sync *sync)
{
	if (!sync->current)
		return;
	switch (sync->current->phase) {
	case STEK_PHASE_PUBLISH:
		step_publish(sync);
		break;
	case STEK_PHASE_WAIT:
		step_wait(sync);
		break;
	case STEK_PHASE_REVERT:
		step_revert(sync);
		break;
	case STEK_PHASE_NEW:
	case STEK_PHASE_DONE:
		break;
	}
}

int64_t stek__change_due_ms(const struct stek_sync *sync)
{
	if (!sync->current)
		return sync->queue ? 0 : INT64_MAX;
	if (sync->current->phase == STEK_PHASE_WAIT)
		return sync->current->next_poll_ms;
	return sync->next_beat_ms;
}

/* Who lives, and whether it holds the ring of now: the rest would be late. */
static int plan_nodes(struct stek_sync *sync)
{
	struct stek_change *change = &sync->current->change;
	struct stek_member *members = NULL;
	bool all = false;
	size_t i, n = 0;
	int err;

	change->version = stek__sync_ring(sync)->version;
	stek__ack_learn(sync);
	err = stek__member_list(sync, &members, &n);
	if (!err)
		err = stek__ack_note(sync, members, n, &all);
	free(members);
	for (i = 0; i < change->n_acks; i++)
		change->acks[i].after_ms = 0;
	return err;
}

/* What the command would do; nothing is changed and nothing is waited for. */
static int plan(struct stek_sync *sync)
{
	const struct stek_policy *policy = &sync->farm->policy;
	struct stek_command *command = sync->current;
	int64_t now_ms = stek__sync_farm_ms(sync);
	int err;

	command->change.dry_run = true;
	if (command->kind == STEK_COMMAND_REVOKE) {
		err = stek__revoke_plan(sync, command);
		if (err)
			return err;
		if (command->replace)
			command->change.activate_at_ms =
				now_ms + policy->revoke_delay_ms;
		/* Without the store it would be in force here all the same. */
		command->change.published = !plan_nodes(sync);
		return 0;
	}
	err = stek__rotate_check(sync);
	if (!err)
		err = plan_nodes(sync);
	if (err)
		return err;
	command->change.published = true;
	command->change.activate_at_ms = now_ms + policy->rotate_delay_ms;
	return 0;
}

void stek__change_begin(struct stek_sync *sync, struct stek_command *command)
{
	bool answered = false;
	int err;

	command->epoch_before = stek__sync_ring(sync)->version.epoch;
	if (command->dry_run) {
		finish(sync, plan(sync));
		return;
	}
	err = stek__idem_begin(sync, command, &answered);
	if (err || answered) {
		finish(sync, err);
		return;
	}
	move(command, STEK_PHASE_PUBLISH);
	sync->next_beat_ms = stek__sync_mono(sync);
	if (command->kind == STEK_COMMAND_REVOKE && !command->has_expect)
		err = stek__revoke_here(sync, command);
	if (err)
		finish(sync, err);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * simworld_proof.c - what nodes of a simulated world say and do is compared
 * with what they hold: real tickets, acknowledgements, confirmed changes.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "simworld.h"

static void seal_one(struct world *world, const struct world_node *node)
{
	struct world_ticket *t =
		&world->tickets[world_below(world, WORLD_TICKETS)];
	const struct stek_key *key = world_sealing(node);
	struct stek_ticket_own own = {
		.sealed_at_ms = world->now_ms, .chain_start_ms = world->now_ms,
	};
	uint8_t state[64] = "a session";

	if (!key)
		return;
	t->used = !stek__ticket_seal(&t->ticket, key, &world->aad, &own, state,
				     sizeof(state));
	t->sealed_at_ms = world->now_ms;
	t->key = world_key(world, key->id);
	world->sum.sealed++;
	if (!t->used)
		world_fail(world, "%s cannot seal a ticket", node->label);
}

static void open_one(struct world *world, const struct world_node *node)
{
	const struct world_ticket *t =
		&world->tickets[world_below(world, WORLD_TICKETS)];
	const struct stek_key *key;
	struct stek_ticket_own own;
	uint8_t state[STEK_TICKET_STATE_MAX];

	if (!t->used)
		return;
	key = world_opens(node, t->ticket.key_name);
	if (!key) {
		world->sum.refused++;
		return;
	}
	world->sum.opened++;
	if (stek__ticket_open(&t->ticket, key, &world->aad, &own, state) ||
	    own.sealed_at_ms != t->sealed_at_ms ||
	    strcmp((char *)state, "a session"))
		world_fail(world, "%s has another secret for key %s",
			   node->label, world_hex(t->ticket.key_name));
}

/* What the other rules conclude from key ids, done with real tickets at times. */
void world_check_tickets(struct world *world)
{
	struct world_node *node =
		&world->nodes[world_below(world, (uint32_t)world->n)];

	if (!world_awake(node))
		return;
	if (world->step % 8 == 0)
		seal_one(world, node);
	if (world->step % 8 == 4)
		open_one(world, node);
}

/* A heartbeat says what the workers hold, at the moment in which it is sent. */
void world_check_beat(struct world_node *node, const uint8_t *data, size_t len)
{
	struct world *world = node->world;
	const struct stek_ring *ring;
	struct stek_beat beat;
	unsigned slot;

	if (stek__beat_open(&beat, world->farm_keys, "farm", node->name, data,
			    len)) {
		world_fail(world, "%s sends a heartbeat that does not open",
			   node->label);
		return;
	}
	ring = stek__guard_enter(&node->farm->guard, &slot);
	if (memcmp(&beat.version, &ring->version, sizeof(beat.version)))
		world_fail(world, "%s acknowledges epoch %" PRIu64 ", its"
			   " workers hold %" PRIu64, node->label,
			   beat.version.epoch, ring->version.epoch);
	stek__guard_leave(&node->farm->guard, slot);
}

/* The one node of that name that has run since `from_ms`, or NULL. */
static struct world_node *acked(struct world *world, const char *name,
				int64_t from_ms)
{
	struct world_node *found = NULL;
	size_t i;

	for (i = 0; i < world->n; i++) {
		struct world_node *node = &world->nodes[i];

		if (strcmp(node->name, name))
			continue;
		if (found || !world_awake(node) || node->opened_ms > from_ms)
			return NULL;
		found = node;
	}
	return found;
}

/* What is confirmed is in force. */
void world_check_command(struct world_node *by)
{
	const struct stek_change *change = &by->command->change;
	const struct stek_key *key;
	struct world *world = by->world;
	size_t i;

	/* In force where it was asked for, whatever came of it elsewhere. */
	if (by->command->kind == STEK_COMMAND_REVOKE && by->command->all &&
	    atomic_load(&by->farm->guard.current)->revoked_before_ms <
		    by->command_ms - WORLD_ASTRAY_MS)
		world_fail(world, "%s revoked all keys, and a key made before"
			   " would live", by->label);
	if (by->command->result)
		return;
	for (i = 0; i < change->n_acks; i++) {
		struct world_node *node = acked(world, change->acks[i].name,
						world->now_ms - 15000);

		if (!change->acks[i].acknowledged || !node)
			continue;
		if (by->command_named && world_opens(node, by->command_id) &&
		    !world_ending(world, &world->keys[world_key(world,
							  by->command_id)]))
			world_fail(world, "%s confirmed a revocation and opens"
				   " under the key", node->label);
		if (by->command->kind != STEK_COMMAND_ROTATE)
			continue;
		key = stek__ring_find(atomic_load(&node->farm->guard.current), change->key_id);
		if (!key && !stek__ring_tombstone(atomic_load(&node->farm->guard.current),
						  change->key_id))
			world_fail(world, "%s confirmed a rotation and lacks"
				   " the key", node->label);
	}
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * simworld_seal.c - the rules of simworld_rules.c on what a node seals under:
 * the key whose turn it is, or for a while the one before when that key came
 * late; and never, where it could have gone on under another, one that a
 * neighbour does not have yet.
 */
#include <string.h>

#include "simworld.h"

#define YIELD_LATE_MS 1000	/* by which a thread may be late to look */

int64_t world_seal_until(const struct world *world, int64_t expire_at_ms)
{
	return expire_at_ms -
	       ((int64_t)world->policy.lifetime_s + STEK_SKEW_GRACE_S) * 1000;
}

int64_t world_revoked_at(const struct stek_ring *ring, const uint8_t *id,
			 int64_t made_at_ms)
{
	int64_t at = 0;
	size_t i;

	for (i = 0; i < ring->n_tombstones; i++) {
		if (!memcmp(ring->tombstones[i].id, id, STEK_ID_LEN))
			at = ring->tombstones[i].revoked_at_ms;
	}
	if (made_at_ms < ring->revoked_before_ms &&
	    (!at || ring->revoked_before_ms < at))
		at = ring->revoked_before_ms;
	return at;
}

static void weigh(struct world_choice *best, const uint8_t *id, int64_t now_ms,
		  int64_t activate_at_ms, int64_t expire_at_ms, int64_t revoked)
{
	if (activate_at_ms > now_ms || (revoked && revoked < activate_at_ms))
		return;
	if (best->id && (activate_at_ms < best->activate_at_ms ||
			 (activate_at_ms == best->activate_at_ms &&
			  memcmp(id, best->id, STEK_ID_LEN) < 0)))
		return;
	*best = (struct world_choice){ id, activate_at_ms, expire_at_ms,
				       revoked != 0 };
}

struct world_choice world_choose(const struct stek_ring *ring, int64_t now_ms)
{
	struct world_choice best = { NULL, 0, 0, false };
	size_t i;

	for (i = 0; i < ring->n_keys; i++) {
		const struct stek_key *key = ring->keys[i];

		weigh(&best, key->id, now_ms, key->activate_at_ms,
		      key->expire_at_ms,
		      world_revoked_at(ring, key->id, key->made_at_ms));
	}
	/* A tombstone of a key that is there was counted with it. */
	for (i = 0; i < ring->n_tombstones; i++) {
		const struct stek_tombstone *stone = &ring->tombstones[i];

		if (!stek__ring_find(ring, stone->id))
			weigh(&best, stone->id, now_ms, stone->activate_at_ms,
			      stone->expire_at_ms, stone->revoked_at_ms);
	}
	return best;
}

const uint8_t *world_may_seal(const struct world *world,
			      const struct stek_ring *ring, int64_t now_ms)
{
	struct world_choice best = world_choose(ring, now_ms);

	if (!best.id || best.revoked ||
	    now_ms >= world_seal_until(world, best.expire_at_ms))
		return NULL;
	return best.id;
}

const struct stek_key *world_sealing(const struct world_node *node)
{
	return stek__schedule_sealing(world_ring_of(node), &node->farm->policy,
				      stek_farm_now_ms(node->farm));
}

bool world_same_id(const uint8_t *a, const uint8_t *b)
{
	return a && b ? !memcmp(a, b, STEK_ID_LEN) : a == b;
}

/* Its time had come, or others may not have had it by then. */
static bool came_late(const struct world_node *node, const struct stek_key *key)
{
	int64_t since_ms = node->since_ms[world_key(node->world, key->id)];

	return since_ms && since_ms + WORLD_TOLERANCE_MS >=
	       key->activate_at_ms - node->world->policy.rotate_delay_ms / 2;
}

/* True if the node may go on under `key` though it is the turn of `due`. */
static bool may_wait(const struct world_node *node, const struct stek_key *key,
		     const uint8_t *due)
{
	const struct world *world = node->world;
	const struct stek_ring *ring = world_ring_of(node);
	const struct stek_key *next = due ? stek__ring_find(ring, due) : NULL;
	int64_t now_ms = world->now_ms, until_ms;

	/* None from before the last, but for a clock that was set back a bit. */
	if (!key || !next || !came_late(node, next) ||
	    (key->activate_at_ms < node->sealed_activate_ms &&
	     node->sealed_activate_ms < now_ms - WORLD_TOLERANCE_MS) ||
	    world_revoked_at(ring, key->id, key->made_at_ms))
		return false;
	until_ms = node->since_ms[world_key(node->world, due)] +
		   world->policy.rotate_delay_ms;
	if (until_ms < node->cut_ms)
		until_ms = node->cut_ms;
	return now_ms <= until_ms + YIELD_LATE_MS &&
	       key->activate_at_ms <= now_ms + WORLD_TOLERANCE_MS &&
	       now_ms < world_seal_until(world, key->expire_at_ms) +
			WORLD_TOLERANCE_MS;
}

static void check_turn(struct world_node *node)
{
	struct world *world = node->world;
	const struct stek_ring *ring = world_ring_of(node);
	const struct stek_key *key = world_sealing(node);
	const uint8_t *id = key ? key->id : NULL, *due;
	int64_t now_ms = world->now_ms, at_ms;

	for (at_ms = now_ms - WORLD_TOLERANCE_MS;
	     at_ms <= now_ms + WORLD_TOLERANCE_MS; at_ms += WORLD_TOLERANCE_MS) {
		due = world_may_seal(world, ring, at_ms);
		if (world_same_id(id, due) || may_wait(node, key, due))
			return;
	}
	/* One of two whose times come in the same moment. */
	if (key && key->activate_at_ms >= now_ms - WORLD_TOLERANCE_MS &&
	    key->activate_at_ms <= now_ms + WORLD_TOLERANCE_MS &&
	    world_same_id(id, world_may_seal(world, ring,
					     key->activate_at_ms)))
		return;
	due = world_may_seal(world, ring, now_ms);
	world_fail(world, "%s seals under %s, the rules say %s", node->label,
		   id ? world_hex(id) : "none", due ? world_hex(due) : "none");
}

/* Whether it took up the key while the one before might have gone on. */
static bool had_choice(const struct world_node *node,
		       const struct stek_key *key)
{
	const struct world *world = node->world;
	const struct stek_ring *ring = world_ring_of(node);
	const struct stek_key *before;

	before = node->has_sealed ? stek__ring_find(ring, node->sealed) : NULL;
	/* By a wrong clock it did not know that the key came late. */
	return before && world_settled(node) &&
	       node->settle_ms <= node->since_ms[world_key(node->world,
							   key->id)] &&
	       !world_revoked_at(ring, before->id, before->made_at_ms) &&
	       world->now_ms + WORLD_TOLERANCE_MS <
		       world_seal_until(world, before->expire_at_ms);
}

static void note_sealing(struct world_node *node, const struct stek_key *key)
{
	if (node->has_sealed && key &&
	    !memcmp(node->sealed, key->id, STEK_ID_LEN))
		return;
	node->by_choice = key && had_choice(node, key);
	node->has_sealed = key != NULL;
	node->sealed_activate_ms = key ? key->activate_at_ms : 0;
	if (key)
		memcpy(node->sealed, key->id, STEK_ID_LEN);
}

/* A ticket of this moment is opened by every neighbour. */
static void check_neighbours(struct world_node *node,
			     const struct stek_key *key)
{
	struct world *world = node->world;
	const struct world_key *known = &world->keys[world_key(world, key->id)];
	size_t i;

	if (!node->by_choice || !world_connected(node) || known->revoked ||
	    world_ending(world, known))
		return;
	for (i = 0; i < world->n; i++) {
		const struct world_node *other = &world->nodes[i];

		if (other->store == node->store && world_connected(other) &&
		    !world_opens(other, key->id))
			world_fail(world, "%s seals under key %s, which %s does"
				   " not have yet", node->label,
				   world_hex(key->id), other->label);
	}
}

void world_check_seal(struct world_node *node)
{
	struct world *world = node->world;
	const struct stek_key *key = world_sealing(node);
	int64_t now_ms = world->now_ms;

	if (key && world_knows_dead(node, world_key(world, key->id)))
		world_fail(world, "%s seals under the revoked key %s",
			   node->label, world_hex(key->id));
	if (world_settled(node))
		check_turn(node);
	else if (key && (key->activate_at_ms > now_ms + WORLD_ASTRAY_MS ||
			 world_seal_until(world, key->expire_at_ms) <=
				 now_ms - WORLD_ASTRAY_MS))
		world_fail(world, "%s seals under key %s, far from its time",
			   node->label, world_hex(key->id));
	note_sealing(node, key);
	if (key)
		check_neighbours(node, key);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * simworld_open.c - the rules of simworld_rules.c on what a node opens: tickets
 * under every key that lives and that its store has had for a while, and none
 * under one that has expired or that it can know is revoked.
 */
#include "simworld.h"

static size_t store_at(const struct world_node *node)
{
	return (size_t)(node->store - node->world->stores);
}

/* As the ticket callback looks a key up. */
const struct stek_key *world_opens(const struct world_node *node,
				   const uint8_t *id)
{
	const struct stek_ring *ring = world_ring_of(node);
	const struct stek_key *key = stek__ring_find(ring, id);

	if (!key || !key->secret)
		return NULL;
	switch (stek__schedule_state(ring, &node->farm->policy, key,
				     stek_farm_now_ms(node->farm))) {
	case STEK_PENDING:
	case STEK_ACTIVE:
	case STEK_RETIRED:
		return key;
	default:
		return NULL;
	}
}

/* True if every connected node must open tickets under the key. */
static bool owed(const struct world_node *node, size_t k)
{
	const struct world *world = node->world;
	const struct world_key *key = &world->keys[k];
	int64_t held_ms = key->held_ms[store_at(node)];

	return world_connected(node) && !key->revoked && held_ms &&
	       !world_ending(world, key) &&
	       world->now_ms - held_ms >= WORLD_GRACE_MS;
}

void world_check_open(struct world_node *node, size_t k)
{
	struct world *world = node->world;
	const struct world_key *key = &world->keys[k];
	int64_t late_ms = world_settled(node) ? WORLD_TOLERANCE_MS :
						WORLD_ASTRAY_MS;
	int64_t dead_ms = key->dead_ms[store_at(node)];
	bool open = world_opens(node, key->id) != NULL;

	/*
	 * A tombstone stays until the key expires. Where a store that was set
	 * back brings the key again later, a clock that is behind goes by that.
	 */
	if (open && world_knows_dead(node, k) &&
	    world->now_ms < key->expire_at_ms)
		world_fail(world, "%s opens under key %s, which it knows is"
			   " revoked", node->label, world_hex(key->id));
	if (open && world->now_ms > key->expire_at_ms + late_ms)
		world_fail(world, "%s opens under the expired key %s",
			   node->label, world_hex(key->id));
	if (!open && owed(node, k))
		world_fail(world, "%s is connected and does not open under"
			   " the live key %s", node->label, world_hex(key->id));
	if (open && world_connected(node) && dead_ms &&
	    !world_ending(world, key) &&
	    world->now_ms - dead_ms >= WORLD_GRACE_MS)
		world_fail(world, "%s is connected and has not heard that key"
			   " %s is revoked", node->label, world_hex(key->id));
}

/* Since when somebody who is connected to store `s` knows of the key. */
void world_spread(struct world *world, size_t k, size_t s)
{
	struct world_key *key = &world->keys[k];
	bool held = false, dead = false;
	size_t i;

	for (i = 0; i < world->n; i++) {
		const struct world_node *node = &world->nodes[i];

		if (store_at(node) != s || !world_connected(node))
			continue;
		held = held || node->holds[k];
		dead = dead || world_knows_dead(node, k);
	}
	if (!held || !key->held_ms[s])
		key->held_ms[s] = held ? world->now_ms : 0;
	if (!dead || !key->dead_ms[s])
		key->dead_ms[s] = dead ? world->now_ms : 0;
}

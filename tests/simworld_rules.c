// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * simworld_rules.c - what must hold in a simulated world after every step. The
 * rules are DESIGN.md's, written down a second time and without the code under
 * test: what seals, what may never be forgotten, and how soon all nodes agree;
 * what opens stands in simworld_open.c. A node is connected when it runs, its
 * link leads to a store that answers, and neither has been disturbed for
 * WORLD_GRACE_MS since its first good exchange; it is settled when its clock's
 * offset is measured.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simworld.h"

#define CALM_MS 6000		/* after which the pending keys are there, */
#define SILENT_MS 15000		/* and a key seals */

bool world_awake(const struct world_node *node)
{
	return node->farm && !node->frozen;
}

bool world_settled(const struct world_node *node)
{
	return !node->need_beats && node->world->now_ms >= node->settle_ms;
}

static int64_t since(const struct world_node *node)
{
	return node->cut_ms > node->store->cut_ms ? node->cut_ms :
						    node->store->cut_ms;
}

bool world_connected(const struct world_node *node)
{
	return world_awake(node) && !node->link_down && !node->store->answer &&
	       !node->cut &&
	       node->world->now_ms - since(node) >= WORLD_GRACE_MS;
}

struct stek_ring *world_ring_of(const struct world_node *node)
{
	return atomic_load(&node->farm->guard.current);
}

const char *world_hex(const uint8_t *id)
{
	static char text[4][9];
	static unsigned next;
	char *at = text[next++ % 4];

	snprintf(at, 9, "%02x%02x%02x%02x", id[0], id[1], id[2], id[3]);
	return at;
}

/* ---- what is known of keys --------------------------------------------------- */

static size_t note_key(struct world *world, const struct stek_key *from)
{
	size_t k = world_key(world, from->id);
	struct world_key *key = &world->keys[k];

	key->activate_at_ms = from->activate_at_ms;
	if (key->expire_at_ms && key->made_at_ms &&
	    key->expire_at_ms != from->expire_at_ms)
		world_fail(world, "key %s was lengthened", world_hex(key->id));
	key->expire_at_ms = from->expire_at_ms;
	key->made_at_ms = from->made_at_ms;
	return k;
}

void world_note_ring(struct world *world, const struct stek_ring *ring)
{
	size_t i;

	for (i = 0; i < ring->n_keys; i++)
		world->keys[note_key(world, ring->keys[i])].accepted = true;
}

bool world_knows_dead(const struct world_node *node, size_t k)
{
	const struct world_key *key = &node->world->keys[k];

	return node->dead[k] ||
	       (key->made_at_ms && key->made_at_ms < node->floor_ms);
}

bool world_ending(const struct world *world, const struct world_key *key)
{
	return world->now_ms >= key->expire_at_ms - WORLD_ASTRAY_MS;
}

static void remember(struct world_node *node, const struct stek_ring *ring)
{
	struct world *world = node->world;
	size_t i, k;

	for (i = 0; i < ring->n_keys; i++) {
		k = note_key(world, ring->keys[i]);
		/* Of what expired long ago the world itself knows no more. */
		if (!world->keys[k].accepted && !world_ending(world, &world->keys[k]))
			world_fail(world, "%s holds key %s, which no store"
				   " ever took", node->label,
				   world_hex(ring->keys[i]->id));
		if (node->ring && !node->holds_now[k])
			node->since_ms[k] = world->now_ms;
		node->holds[k] = node->holds_now[k] = true;
	}
	for (i = 0; i < ring->n_tombstones; i++) {
		const struct stek_tombstone *stone = &ring->tombstones[i];

		k = world_key(world, stone->id);
		if (!world->keys[k].expire_at_ms)
			world->keys[k].expire_at_ms = stone->expire_at_ms;
		if (!node->dead[k])
			node->learned_ms = world->now_ms;
		node->dead[k] = true;
	}
	if (node->floor_ms != ring->revoked_before_ms)
		node->learned_ms = world->now_ms;
	node->floor_ms = ring->revoked_before_ms;
	node->version = ring->version;
	for (k = 0; k < WORLD_KEYS; k++) {
		if (world->keys[k].used && world_knows_dead(node, k))
			world->keys[k].revoked = true;
	}
}

/* A node only ever learns. */
static void check_memory(struct world_node *node, const struct stek_ring *ring)
{
	struct world *world = node->world;
	const struct stek_key *key;
	size_t k;

	if (ring->version.epoch < node->version.epoch)
		world_fail(world, "%s: the epoch fell from %" PRIu64 " to %"
			   PRIu64, node->label, node->version.epoch,
			   ring->version.epoch);
	if (ring->revoked_before_ms < node->floor_ms)
		world_fail(world, "%s: the floor fell", node->label);
	for (k = 0; k < WORLD_KEYS; k++) {
		if (!world->keys[k].used || world_ending(world, &world->keys[k]))
			continue;
		if (node->dead[k] &&
		    !stek__ring_tombstone(ring, world->keys[k].id))
			world_fail(world, "%s forgot that key %s is revoked",
				   node->label, world_hex(world->keys[k].id));
		if (!node->holds[k] || world_knows_dead(node, k))
			continue;
		key = stek__ring_find(ring, world->keys[k].id);
		if (!key || (!key->secret &&
			     !stek__ring_revoked_at(ring, key)))
			world_fail(world, "%s forgot the live key %s",
				   node->label, world_hex(world->keys[k].id));
	}
}

static void look(struct world_node *node)
{
	const struct stek_ring *ring = world_ring_of(node);

	if (ring == node->ring &&
	    !memcmp(&ring->version, &node->version, sizeof(node->version)))
		return;
	check_memory(node, ring);
	if (memcmp(&ring->version, &node->version, sizeof(node->version)))
		node->store->changed_ms = node->world->now_ms;
	remember(node, ring);
	node->ring = ring;
}

/* ---- agreement ----------------------------------------------------------------- */

/* A key or tombstone of that slot that was revoked. */
static bool was_revoked(const struct stek_ring *ring, int64_t at_ms)
{
	size_t i;

	for (i = 0; i < ring->n_tombstones; i++) {
		if (ring->tombstones[i].activate_at_ms == at_ms)
			return true;
	}
	for (i = 0; i < ring->n_keys; i++) {
		const struct stek_key *key = ring->keys[i];

		if (key->activate_at_ms == at_ms &&
		    world_revoked_at(ring, key->id, key->made_at_ms))
			return true;
	}
	return false;
}

/*
 * Two keys ahead. A slot that has just begun leaves a moment to mint the next;
 * what was revoked in the last moment before its slot is not made again.
 */
static void check_pending(struct world_node *node, int64_t calm_ms)
{
	struct world *world = node->world;
	const struct stek_ring *ring = world_ring_of(node);
	int64_t period = (int64_t)world->policy.period_s * 1000;
	int64_t slot = (world->now_ms - CALM_MS) / period, at_ms;
	uint32_t ahead, found = 0;
	size_t i;

	for (ahead = 1; ahead <= 2; ahead++) {
		at_ms = (slot + ahead) * period;
		for (i = 0; i < ring->n_keys; i++) {
			const struct stek_key *key = ring->keys[i];

			if (key->activate_at_ms == at_ms &&
			    !world_revoked_at(ring, key->id, key->made_at_ms))
				break;
		}
		found += i < ring->n_keys ||
			 (at_ms <= world->now_ms - calm_ms + CALM_MS &&
			  was_revoked(ring, at_ms));
	}
	if (found < 2)
		world_fail(world, "%s has %u of 2 pending keys", node->label,
			   found);
}

/*
 * Nobody falls silent where a key ends: another has taken over by then, unless
 * it was revoked by a clock so far ahead that its turn had come there.
 */
static void check_successors(struct world_node *node)
{
	struct world *world = node->world;
	const struct stek_ring *ring = world_ring_of(node);
	int64_t period = (int64_t)world->policy.period_s * 1000;
	size_t i;

	for (i = 0; i < ring->n_keys; i++) {
		const struct stek_key *key = ring->keys[i];
		int64_t end_ms = world_seal_until(world, key->expire_at_ms);

		if (end_ms > world->now_ms &&
		    end_ms <= world->now_ms + period &&
		    world_same_id(world_may_seal(world, ring, end_ms - 1),
				  key->id) &&
		    world_same_id(world_choose(ring, end_ms).id, key->id))
			world_fail(world, "%s has no key to follow key %s",
				   node->label, world_hex(key->id));
	}
}

static void check_agreement(struct world_node *node)
{
	struct world *world = node->world;
	int64_t calm_ms = world->now_ms - since(node), quiet_ms;

	if (!world_connected(node))
		return;
	quiet_ms = world->now_ms - node->store->changed_ms;
	if (quiet_ms >= WORLD_GRACE_MS &&
	    (!node->store->ring.present ||
	     memcmp(&world_ring_of(node)->version, &node->store->ring.version,
		    sizeof(struct stek_version))))
		world_fail(world, "%s is connected and holds another ring than"
			   " the store", node->label);
	if (world->now_ms - node->learned_ms < calm_ms)
		calm_ms = world->now_ms - node->learned_ms;
	if (world->now_ms - world->command_ms < calm_ms)
		calm_ms = world->now_ms - world->command_ms;
	if (calm_ms >= CALM_MS && world_settled(node)) {
		check_pending(node, calm_ms);
		check_successors(node);
	}
	if (calm_ms >= SILENT_MS && world_settled(node) && !world_sealing(node))
		world_fail(world, "%s is connected and has no key to seal"
			   " with", node->label);
}

/* ---- all of them --------------------------------------------------------------- */

void world_check(struct world *world)
{
	size_t i, k, s;

	for (i = 0; i < world->n; i++) {
		if (world->nodes[i].farm)
			look(&world->nodes[i]);
	}
	for (k = 0; k < WORLD_KEYS; k++) {
		if (!world->keys[k].used)
			continue;
		for (s = 0; s < (world->split ? 2 : 1); s++)
			world_spread(world, k, s);
		for (i = 0; i < world->n; i++) {
			if (world_awake(&world->nodes[i]))
				world_check_open(&world->nodes[i], k);
		}
	}
	for (i = 0; i < world->n; i++) {
		if (!world_awake(&world->nodes[i]))
			continue;
		world_check_seal(&world->nodes[i]);
		check_agreement(&world->nodes[i]);
	}
	world_check_tickets(world);
}

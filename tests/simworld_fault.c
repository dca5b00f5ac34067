// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * simworld_fault.c - what happens to a simulated farm. Storms and calm take
 * turns: in a storm anything goes wrong at any time, in the calm everything is
 * repaired and operators still rotate and revoke, so that the rules which need
 * quiet are put to the test as well.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "simworld.h"

#define JOIN_MS 4000		/* in which all nodes have come over */

static int64_t period_ms(const struct world *world)
{
	return (int64_t)world->policy.period_s * 1000;
}

static struct world_node *any_node(struct world *world)
{
	return &world->nodes[world_below(world, (uint32_t)world->n)];
}

/* Running, and not stopped in its tracks. */
static struct world_node *any_awake(struct world *world)
{
	struct world_node *node = any_node(world);

	return node->farm && !node->frozen ? node : NULL;
}

static struct world_store *any_store(struct world *world)
{
	return &world->stores[world->split ? world_below(world, 2) : 0];
}

static struct stek_command *command_of(struct world_node *node,
				       enum stek_command_kind kind)
{
	struct stek_command *command = calloc(1, sizeof(*command));

	if (!command)
		abort();
	command->kind = kind;
	strcpy(command->who, "world");
	command->ids = calloc(1, STEK_ID_LEN);
	if (!command->ids)
		abort();
	node->command = command;
	node->command_named = false;
	node->command_ms = node->world->now_ms;
	node->due_ms = node->world->now_ms;
	return command;
}

static void rotate(struct world *world)
{
	struct world_node *node = any_awake(world);
	struct stek_command *command;

	if (!node || node->command)
		return;
	command = command_of(node, STEK_COMMAND_ROTATE);
	command->force = world_chance(world, 200);
	world_tell(world, "%s rotates", node->label);
	world->sum.rotated++;
	stek__sync_submit(node->farm->sync, command);
}

/* Mostly one key, the one that seals or any other; now and then all. */
static void take_back(struct world *world)
{
	struct world_node *node = any_awake(world);
	const struct stek_ring *ring;
	struct stek_command *command;
	size_t i;

	if (!node || node->command)
		return;
	ring = atomic_load(&node->farm->guard.current);
	if (ring->n_keys == 0 || ring->n_tombstones > 100)
		return;
	command = command_of(node, STEK_COMMAND_REVOKE);
	command->all = world_chance(world, 250);
	i = world_below(world, (uint32_t)ring->n_keys);
	if (!command->all) {
		memcpy(command->ids[0], ring->keys[i]->id, STEK_ID_LEN);
		memcpy(node->command_id, ring->keys[i]->id, STEK_ID_LEN);
		command->n_ids = 1;
		node->command_named = true;
	}
	world_tell(world, "%s revokes %s", node->label,
		   command->all ? "all" : "a key");
	world->sum.revoked++;
	stek__sync_submit(node->farm->sync, command);
}

static void jump_clock(struct world *world)
{
	struct world_node *node = any_node(world);
	int64_t skew_ms = (int64_t)world_below(world, 16001) - 8000;

	if (!node->farm)
		return;
	world_tell(world, "%s: clock jumps to %+" PRId64 " ms", node->label,
		   skew_ms);
	node->astray_ms += skew_ms > node->skew_ms ? skew_ms - node->skew_ms :
						     node->skew_ms - skew_ms;
	node->skew_ms = skew_ms;
	node->need_beats = STEK_OFFSETS + 1;
	/* The thread's sleep does not know of it. */
	node->due_ms = world->now_ms;
}

static void freeze(struct world *world)
{
	struct world_node *node = any_awake(world);

	if (!node)
		return;
	world_tell(world, "%s freezes", node->label);
	node->frozen = true;
	node->frozen_ms = world->now_ms;
	node->back_ms = world->now_ms + 1 +
			world_below(world, (uint32_t)period_ms(world));
}

static void stop(struct world *world)
{
	struct world_node *node = any_node(world);

	if (!node->farm)
		return;
	world_tell(world, "%s stops", node->label);
	world_close(node);
	node->frozen = false;
	node->back_ms = world->now_ms + 1 +
			world_below(world, (uint32_t)period_ms(world));
}

static void copy_file(const char *from, const char *to)
{
	uint8_t buf[STEK_RECORD_MAX];
	int in = open(from, O_RDONLY), out;
	ssize_t n;

	if (in < 0)
		return;
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	n = read(in, buf, sizeof(buf));
	if (out < 0 || n < 0 || write(out, buf, (size_t)n) != n)
		abort();
	close(in);
	close(out);
}

/* What a machine's copy brings along: its state directory, as it is now. */
static void copy_state(const struct world_node *from, struct world_node *to)
{
	DIR *dir = opendir(from->state_dir);
	char source[384], target[384];
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(source, sizeof(source), "%s/%s", from->state_dir,
			 entry->d_name);
		snprintf(target, sizeof(target), "%s/%s", to->state_dir,
			 entry->d_name);
		copy_file(source, target);
	}
	if (dir)
		closedir(dir);
	memcpy(to->holds, from->holds, sizeof(to->holds));
	memcpy(to->dead, from->dead, sizeof(to->dead));
	to->version = from->version;
	to->floor_ms = from->floor_ms;
}

/* A second machine with the first one's disk, name and all. */
static void make_clone(struct world *world)
{
	struct world_node *from = any_awake(world), *to = any_node(world);
	char name[sizeof(to->name)];

	if (!from || from == to || !from->has_dir || !to->has_dir)
		return;
	world_tell(world, "%s becomes a clone of %s", to->label, from->label);
	if (to->farm)
		world_close(to);
	memcpy(name, from->name, sizeof(name));
	memcpy(to->name, name, sizeof(to->name));
	snprintf(to->label, sizeof(to->label), "machine %zu, a clone of %s",
		 to->at, name);
	copy_state(from, to);
	to->store = from->store;
	world_open(to);
}

static void cut_link(struct world *world)
{
	struct world_node *node = any_node(world);

	node->link_down = !node->link_down;
	world_tell(world, "%s: link %s", node->label,
		   node->link_down ? "down" : "up");
	world_cut(node);
}

static void stop_store(struct world *world)
{
	struct world_store *store = any_store(world);

	store->answer = store->answer ? 0 : world_chance(world, 200) ?
			STEK_EREFUSED : STEK_EUNAVAILABLE;
	store->cut_ms = world->now_ms;
	world_tell(world, "store %d answers %d",
		   (int)(store - world->stores), store->answer);
}

static void disturbed(struct world_store *store, int64_t now_ms)
{
	store->cut_ms = now_ms;
	store->changed_ms = now_ms;
}

static void wipe(struct world *world)
{
	struct world_store *store = any_store(world);

	world_tell(world, "store %d is wiped", (int)(store - world->stores));
	world_store_keep(store);
	world_ring_free(&store->ring);
	store->n_members = 0;
	disturbed(store, world->now_ms);
}

static void roll_back(struct world *world)
{
	struct world_store *store = any_store(world);
	struct world_ring *old =
		&store->copies[world_below(world, WORLD_COPIES)];

	world_tell(world, "store %d is set back to epoch %" PRIu64,
		   (int)(store - world->stores), old->version.epoch);
	world_ring_copy(&store->ring, old);
	disturbed(store, world->now_ms);
}

static void lead(struct world_node *node, struct world_store *store)
{
	node->join_ms = 0;
	if (node->store == store)
		return;
	world_tell(node->world, "%s: link leads to store %d", node->label,
		   (int)(store - node->world->stores));
	node->store = store;
	world_cut(node);
}

/* What is still on its way to the other store is lost. */
static void forget_split(struct world *world)
{
	size_t i;

	world->split = false;
	for (i = 0; i < WORLD_WRITES; i++) {
		if (world->writes[i].store == &world->stores[1])
			world->writes[i].store = NULL;
	}
}

/* Two primaries; the new one may have missed the last writes. */
static void split(struct world *world)
{
	struct world_store *a = &world->stores[0], *b = &world->stores[1];
	const struct world_ring *from = &a->ring;
	size_t i;

	if (world->split)
		return;
	if (world_chance(world, 300))
		from = &a->copies[world_below(world, WORLD_COPIES)];
	world_tell(world, "two primaries");
	world_ring_copy(&b->ring, from);
	b->n_members = 0;
	b->answer = 0;
	disturbed(b, world->now_ms);
	world->split = true;
	for (i = 0; i < world->n; i++) {
		if (world_chance(world, 500))
			lead(&world->nodes[i], b);
	}
}

/* One of the two wins, what the other one held is lost. */
static void heal(struct world *world)
{
	struct world_store *a = &world->stores[0];
	size_t i;

	if (!world->split)
		return;
	world_tell(world, "one primary again");
	if (world_chance(world, 500)) {
		world_ring_copy(&a->ring, &world->stores[1].ring);
		a->n_members = 0;
	}
	disturbed(a, world->now_ms);
	for (i = 0; i < world->n; i++)
		lead(&world->nodes[i], a);
	forget_split(world);
}

/*
 * The first primary goes on undisturbed, and those of the other come to it one
 * after the other, with the keys that they have made apart.
 */
static void join(struct world *world)
{
	size_t i;

	if (!world->split)
		return;
	world_tell(world, "the other primary's nodes come over");
	for (i = 0; i < world->n; i++)
		world->nodes[i].join_ms = world->now_ms + 1 +
					  world_below(world, JOIN_MS);
}

static void come_over(struct world *world)
{
	size_t i, left = 0;

	if (!world->split)
		return;
	for (i = 0; i < world->n; i++) {
		struct world_node *node = &world->nodes[i];

		if (node->join_ms && node->join_ms <= world->now_ms)
			lead(node, &world->stores[0]);
		left += node->store != &world->stores[0];
	}
	if (left == 0)
		forget_split(world);
}

static void repair(struct world *world)
{
	size_t i;

	if (world_chance(world, 500))
		join(world);
	else
		heal(world);
	if (world->stores[0].answer)
		disturbed(&world->stores[0], world->now_ms);
	world->stores[0].answer = 0;
	world->sloppy = 0;
	for (i = 0; i < world->n; i++) {
		if (world->nodes[i].link_down)
			world_cut(&world->nodes[i]);
		world->nodes[i].link_down = false;
	}
}

/* Long enough, now and then, for the last pending key to pass seal_until. */
static void long_outage(struct world *world)
{
	repair(world);
	world_tell(world, "a long outage");
	world->stores[0].answer = STEK_EUNAVAILABLE;
	world->weather_ms = world->now_ms + period_ms(world) *
			    (3 + world_below(world, 4));
	world->next_fault_ms = world->weather_ms;
}

void world_weather(struct world *world)
{
	int64_t period = period_ms(world);

	come_over(world);
	if (world->now_ms < world->weather_ms)
		return;
	world->storm = !world->storm;
	world_tell(world, world->storm ? "storm" : "calm");
	world->weather_ms = world->now_ms + period +
			    world_below(world, (uint32_t)period * 2);
	if (!world->storm) {
		repair(world);
		return;
	}
	world->sloppy = world_below(world, 400);
	if (world_chance(world, 100))
		long_outage(world);
}

static void in_calm(struct world *world)
{
	unsigned what = world_below(world, 10);

	if (what < 3)
		rotate(world);
	else if (what < 5)
		take_back(world);
	else if (what == 5)
		jump_clock(world);
	world->next_fault_ms = world->now_ms + 3000 +
			       world_below(world, 20000);
}

void world_fault(struct world *world)
{
	static void (*const faults[])(struct world *) = {
		rotate, rotate, rotate, take_back, jump_clock, freeze, stop, stop,
		make_clone, cut_link, cut_link, cut_link, stop_store, stop_store,
		wipe, roll_back, roll_back, split, split, heal, join,
	};

	if (!world->storm) {
		in_calm(world);
		return;
	}
	world->sum.faults++;
	world->next_fault_ms = world->now_ms + 200 + world_below(world, 6000);
	faults[world_below(world, sizeof(faults) / sizeof(faults[0]))](world);
}

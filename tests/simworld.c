// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * simworld.c - time, chance and the nodes of a simulated world. A step is one
 * pass of a node's sync code, or one thing that happens to the farm; all rules
 * are looked at after each. Called by check_world.c and helper_world.c.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "secret.h"
#include "simworld.h"

#define START_MS 1700000000000
#define LAG_MS 20		/* how late a thread usually runs */

/* Key ids, secrets and nonces: of the world that runs. */
static struct world *dice;

int __wrap_stek__random(void *p, size_t len);

static uint64_t roll(struct world *world)
{
	uint64_t z = world->rng += UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return z ^ z >> 31;
}

int __wrap_stek__random(void *p, size_t len)
{
	uint8_t *at = p;
	uint64_t bits = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		if (i % 8 == 0)
			bits = roll(dice);
		at[i] = (uint8_t)(bits >> i % 8 * 8);
	}
	return 0;
}

uint32_t world_below(struct world *world, uint32_t bound)
{
	return bound < 2 ? 0 : (uint32_t)(roll(world) >> 32) % bound;
}

bool world_chance(struct world *world, unsigned of_1000)
{
	return world_below(world, 1000) < of_1000;
}

/* The first broken rule is the one to tell. */
void world_fail(struct world *world, const char *format, ...)
{
	va_list args;
	int len;

	if (world->failure[0])
		return;
	len = snprintf(world->failure, sizeof(world->failure),
		       "seed %" PRIu64 ", step %" PRIu64 ", %.3f s: ",
		       world->seed, world->step,
		       (double)(world->now_ms - START_MS) / 1000);
	va_start(args, format);
	vsnprintf(world->failure + len, sizeof(world->failure) - (size_t)len,
		  format, args);
	va_end(args);
}

void world_tell(struct world *world, const char *format, ...)
{
	va_list args;

	if (!world->loud)
		return;
	fprintf(stderr, "%8" PRIu64 " %10.3f  ", world->step,
		(double)(world->now_ms - START_MS) / 1000);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

size_t world_key(struct world *world, const uint8_t id[STEK_ID_LEN])
{
	size_t i, old = WORLD_KEYS;

	for (i = 0; i < WORLD_KEYS; i++) {
		struct world_key *key = &world->keys[i];

		if (key->used && !memcmp(key->id, id, STEK_ID_LEN))
			return i;
		/* What expired long ago makes room. */
		if (old == WORLD_KEYS &&
		    (!key->used || (key->expire_at_ms &&
				    key->expire_at_ms + 120000 <
					    world->now_ms)))
			old = i;
	}
	if (old == WORLD_KEYS) {
		world_fail(world, "more keys than this world has room for");
		return 0;
	}
	for (i = 0; i < WORLD_NODES; i++) {
		world->nodes[i].holds[old] = false;
		world->nodes[i].dead[old] = false;
		world->nodes[i].holds_now[old] = false;
		world->nodes[i].since_ms[old] = 0;
	}
	memset(&world->keys[old], 0, sizeof(world->keys[old]));
	world->keys[old].used = true;
	memcpy(world->keys[old].id, id, STEK_ID_LEN);
	return old;
}

static int64_t wall_ms(void *user)
{
	struct world_node *node = user;

	return node->world->now_ms + node->skew_ms;
}

static int64_t mono_ms(void *user)
{
	struct world_node *node = user;

	return node->world->now_ms - START_MS + 1000 * (int64_t)(node->at + 1);
}

static uint32_t random_below(void *user, uint32_t bound)
{
	return world_below(((struct world_node *)user)->world, bound);
}

static void on_event(void *user, const struct stek_event *event)
{
	struct world_node *node = user;
	struct world_sum *sum = &node->world->sum;

	sum->minted += event->kind == STEK_EVENT_MINTED;
	sum->restored += event->kind == STEK_EVENT_RESTORED;
	if (event->kind == STEK_EVENT_RECORD_BAD)
		world_fail(node->world, "%s refused the farm's own ring: %s",
			   node->label, event->detail);
}

void world_cut(struct world_node *node)
{
	node->cut = true;
	node->cut_ms = node->world->now_ms;
}

void world_open(struct world_node *node)
{
	struct world *world = node->world;
	const struct stek_io io = { wall_ms, mono_ms, random_below, node };
	struct stek_farm_options options = {
		.farm = "farm", .node = node->name,
		.store_url = "sim",
		.state_dir = node->has_dir ? node->state_dir : NULL,
		.policy = world->policy, .on_event = on_event, .user = node,
	};
	char why[256] = "", key_file[96];

	snprintf(key_file, sizeof(key_file), "%s/key", world->dir);
	options.farm_key_file = key_file;
	if (stek__farm_open(&node->farm, &options, &io, world_link(node), why,
			    sizeof(why))) {
		world_fail(world, "%s does not open: %s", node->label, why);
		return;
	}
	if (!node->has_dir) {
		memset(node->holds, 0, sizeof(node->holds));
		memset(node->dead, 0, sizeof(node->dead));
		memset(&node->version, 0, sizeof(node->version));
		node->floor_ms = 0;
	}
	memset(node->holds_now, 0, sizeof(node->holds_now));
	memset(node->since_ms, 0, sizeof(node->since_ms));
	node->has_sealed = node->by_choice = false;
	node->sealed_activate_ms = 0;
	node->ring = NULL;
	node->frozen = false;
	node->back_ms = 0;
	node->opened_ms = world->now_ms;
	node->due_ms = world->now_ms;
	node->astray_ms = 0;
	node->settle_ms = 0;
	node->need_beats = 1;
	world_cut(node);
}

void world_close(struct world_node *node)
{
	stek_farm_close(node->farm);
	stek__command_free(node->command);
	node->farm = NULL;
	node->command = NULL;
	node->ring = NULL;
}

static void step_node(struct world_node *node)
{
	struct world *world = node->world;
	int64_t began_ms = world->now_ms;
	uint32_t lag_ms = world_below(world, LAG_MS);
	int64_t idle_ms;
	bool hinted;

	if (world->storm && world_chance(world, 20))
		lag_ms += world_below(world, 400);
	hinted = node->hint;
	node->hint = false;
	idle_ms = stek__sync_step(node->farm->sync, hinted);
	node->due_ms = world->now_ms + idle_ms + 1 + lag_ms;
	if (world->now_ms - began_ms > WORLD_GRACE_MS)
		world_cut(node);
	if (!node->command)
		return;
	world->command_ms = world->now_ms;
	if (!node->command->done)
		return;
	world_check_command(node);
	stek__command_free(node->command);
	node->command = NULL;
}

static void come_back(struct world_node *node)
{
	node->back_ms = 0;
	if (node->frozen) {
		world_tell(node->world, "%s thaws", node->label);
		node->frozen = false;
		node->due_ms = node->world->now_ms;
		/* Its clock was on its way: the next step makes up for it. */
		if (node->settle_ms > node->frozen_ms &&
		    node->settle_ms < node->world->now_ms + 1000)
			node->settle_ms = node->world->now_ms + 1000;
		world_cut(node);
		return;
	}
	world_tell(node->world, "%s starts, %s state", node->label,
		   node->has_dir ? "with" : "without");
	node->world->sum.restarts++;
	world_open(node);
}

/* The next thing in time: a node that is due, or a fault. */
static void pass(struct world *world)
{
	struct world_node *first = NULL;
	int64_t at_ms = world->next_fault_ms;
	size_t i;

	for (i = 0; i < world->n; i++) {
		struct world_node *node = &world->nodes[i];
		int64_t due_ms = node->back_ms;

		if (node->farm && !node->frozen)
			due_ms = node->hint && node->due_ms > world->now_ms ?
				 world->now_ms : node->due_ms;
		if (due_ms && due_ms < at_ms) {
			at_ms = due_ms;
			first = node;
		}
	}
	if (at_ms > world->now_ms)
		world->now_ms = at_ms;
	world_deliver(world);
	if (!first) {
		world_fault(world);
		return;
	}
	if (first->farm && !first->frozen)
		step_node(first);
	else
		come_back(first);
}

static void remove_tree(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char name[512];

	while (dir && (entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		if (unlink(name))
			remove_tree(name);
	}
	if (dir)
		closedir(dir);
	rmdir(path);
}

/* Where a disk costs nothing: what is written is not what is tested here. */
static void make_dir(struct world *world)
{
	uint8_t id[8];
	char path[96];

	strcpy(world->dir, access("/dev/shm", W_OK) ? "/tmp/world-XXXXXX" :
		       "/dev/shm/world-XXXXXX");
	if (!mkdtemp(world->dir)) {
		world_fail(world, "no directory to work in");
		return;
	}
	snprintf(path, sizeof(path), "%s/key", world->dir);
	if (stek_farm_key_generate(path, id) ||
	    stek__farm_keys_read(&world->farm_keys, path, world->failure,
				 sizeof(world->failure)))
		world_fail(world, "no farm key");
}

static void make_policy(struct world *world)
{
	static const uint32_t periods[] = { 20, 30, 45, 60 };
	struct stek_policy *policy = &world->policy;
	char why[128];

	policy->period_s = periods[world_below(world, 4)];
	policy->lifetime_s = policy->period_s / (1 + world_below(world, 2));
	policy->rotate_interval_s = 5;
	policy->beat_ms = WORLD_BEAT_MS;
	if (stek__policy_check(policy, why, sizeof(why)))
		world_fail(world, "%s", why);
}

static void begin(struct world *world, uint64_t seed)
{
	const struct stek_ticket_scope scope = {
		.farm = "farm", .tls_version = 0x0304,
		.policy = "policy", .policy_len = 6,
		.layout = "layout", .layout_len = 6,
	};
	size_t i;

	memset(world, 0, sizeof(*world));
	world->seed = seed;
	world->rng = seed * UINT64_C(0xD1342543DE82EF95) + 1;
	world->now_ms = START_MS + world_below(world, 100000);
	world->next_fault_ms = world->weather_ms = world->now_ms + 20000;
	dice = world;
	make_dir(world);
	make_policy(world);
	if (stek__ticket_aad(&world->aad, &scope))
		world_fail(world, "no associated data");
	world->stores[1].skew_ms = (int64_t)world_below(world, 80) - 40;
	world->n = 3 + world_below(world, WORLD_NODES - 2);
	for (i = 0; i < world->n && !world->failure[0]; i++) {
		struct world_node *node = &world->nodes[i];

		node->world = world;
		node->at = i;
		node->store = &world->stores[0];
		node->skew_ms = (int64_t)world_below(world, 16001) - 8000;
		snprintf(node->name, sizeof(node->name), "node-%zu", i);
		snprintf(node->label, sizeof(node->label), "%s", node->name);
		snprintf(node->state_dir, sizeof(node->state_dir), "%s/%zu",
			 world->dir, i);
		node->has_dir = mkdir(node->state_dir, 0700) == 0 &&
				world_below(world, 3) > 0;
		world_open(node);
	}
}

static void end(struct world *world)
{
	size_t i, j;

	for (i = 0; i < world->n; i++)
		world_close(&world->nodes[i]);
	for (i = 0; i < WORLD_WRITES; i++)
		world_ring_free(&world->writes[i].ring);
	for (i = 0; i < WORLD_STORES; i++) {
		world_ring_free(&world->stores[i].ring);
		for (j = 0; j < WORLD_COPIES; j++)
			world_ring_free(&world->stores[i].copies[j]);
	}
	stek__farm_keys_free(world->farm_keys);
	if (world->dir[0])
		remove_tree(world->dir);
}

int world_run(struct world *world, uint64_t seed, uint64_t steps, bool loud)
{
	begin(world, seed);
	world->loud = loud;
	while (!world->failure[0] && world->step < steps) {
		world->step++;
		world_weather(world);
		pass(world);
		world_check(world);
	}
	end(world);
	return world->failure[0] ? -1 : 0;
}

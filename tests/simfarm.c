// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * simfarm.c - time and nodes of a simulated farm, for the tests of the sync
 * thread's files. Its stores: simfarm_store.c.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "simfarm.h"

#define START_MS 1700000000000

static int64_t wall_ms(void *user)
{
	struct sim_node *node = user;

	return node->sim->now_ms + node->skew_ms;
}

static int64_t mono_ms(void *user)
{
	return ((struct sim_node *)user)->sim->now_ms - START_MS + 1000;
}

static uint32_t random_below(void *user, uint32_t bound)
{
	struct sim *sim = ((struct sim_node *)user)->sim;

	sim->seed = sim->seed * 1103515245 + 12345;
	return bound < 2 ? 0 : (sim->seed >> 8) % bound;
}

static void on_event(void *user, const struct stek_event *event)
{
	struct sim_node *node = user;

	ck_assert_ptr_nonnull(event->detail);
	node->events[event->kind]++;
	node->last[event->kind] = *event;
	node->last[event->kind].detail = "";
}

static size_t on_beat(void *user, uint8_t *buf, size_t cap)
{
	(void)user;
	ck_assert_uint_ge(cap, 4);
	memcpy(buf, "beat", 4);
	return 4;
}

/* A store has one URL, whichever place a node gives it in its list. */
static void name_store(struct sim *sim, const struct sim_store *store,
		       char url[16])
{
	snprintf(url, 16, "sim:%d", store ? (int)(store - sim->stores) : -1);
}

void sim_open(struct sim *sim, size_t i)
{
	struct sim_node *node = &sim->nodes[i];
	char urls[2][16];
	const struct stek_store_config configs[2] = { { .url = urls[0] },
						      { .url = urls[1] } };
	struct stek_store *links[2] = { sim_make_link(node, false), NULL };
	const struct stek_io io = { wall_ms, mono_ms, random_below, node };
	struct stek_farm_options options = {
		.farm = "farm", .node = node->name,
		.farm_key_file = sim->key_file, .stores = configs,
		.n_stores = node->second ? 2 : 1,
		.state_dir = node->state_dir[0] ? node->state_dir : NULL,
		.policy = sim->policy, .on_event = on_event,
		.on_beat = on_beat, .user = node,
	};
	char why[256] = "";

	name_store(sim, node->store, urls[0]);
	name_store(sim, node->second, urls[1]);
	if (node->second)
		links[1] = sim_make_link(node, true);
	ck_assert_msg(!stek__farm_open_at(&node->farm, &options, &io, links,
					  node->second ? 2 : 1, why,
					  sizeof(why)), "%s", why);
	node->due_ms = 0;
}

void sim_close(struct sim *sim, size_t i)
{
	stek_farm_close(sim->nodes[i].farm);
	sim->nodes[i].farm = NULL;
}

void sim_begin(struct sim *sim, size_t n)
{
	uint8_t id[8];
	size_t i;

	sim->now_ms = START_MS;
	sim->n = n;
	sim->seed = 1;
	strcpy(sim->key_file, "/tmp/stek-sim-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(sim->key_file));
	strcat(sim->key_file, "/key");
	ck_assert_int_eq(stek_farm_key_generate(sim->key_file, id), 0);
	for (i = 0; i < n; i++) {
		sim->nodes[i].sim = sim;
		sim->nodes[i].store = &sim->stores[0];
		snprintf(sim->nodes[i].name, sizeof(sim->nodes[i].name),
			 "node-%zu", i);
		sim_open(sim, i);
	}
}

void sim_end(struct sim *sim)
{
	char command[128];
	size_t i, j;

	for (i = 0; i < sim->n; i++)
		stek_farm_close(sim->nodes[i].farm);
	for (i = 0; i < SIM_STORES; i++) {
		stek__blob_free(&sim->stores[i].doc);
		for (j = 0; j < sim->stores[i].n_audit; j++)
			free(sim->stores[i].audit[j]);
	}
	*strrchr(sim->key_file, '/') = '\0';
	snprintf(command, sizeof(command), "rm -rf %s", sim->key_file);
	ck_assert_int_eq(system(command), 0);
}

static void step(struct sim_node *node)
{
	bool hinted = node->hint;
	int64_t idle_ms;

	node->hint = false;
	node->steps++;
	idle_ms = stek__sync_step(node->farm->sync, hinted);
	node->due_ms = node->sim->now_ms + idle_ms;
}

/* A commanded node is due at once, as its eventfd would make it. */
static bool commanded(struct sim_node *node)
{
	return node->farm->sync->inbox != NULL;
}

/* Steps who is due; returns when the next one is. */
static int64_t step_all(struct sim *sim, int64_t until_ms)
{
	int64_t next_ms = until_ms;
	size_t i;

	for (i = 0; i < sim->n; i++) {
		struct sim_node *node = &sim->nodes[i];

		if (!node->farm || node->frozen)
			continue;
		if (node->due_ms <= sim->now_ms || node->hint ||
		    commanded(node)) {
			step(node);
			if (sim->check)
				sim_assert_open(sim);
		}
		if (node->due_ms < next_ms)
			next_ms = node->due_ms;
	}
	/* A step may have woken a node that had its turn already. */
	for (i = 0; i < sim->n; i++) {
		if (sim->nodes[i].farm && !sim->nodes[i].frozen &&
		    sim->nodes[i].hint)
			next_ms = sim->now_ms;
	}
	return next_ms;
}

/* One millisecond passes at least, so that nothing spins for ever. */
static void advance(struct sim *sim, int64_t next_ms)
{
	sim->now_ms = next_ms > sim->now_ms ? next_ms : sim->now_ms + 1;
}

void sim_run(struct sim *sim, int64_t ms)
{
	int64_t until_ms = sim->now_ms + ms, next_ms;

	for (;;) {
		next_ms = step_all(sim, until_ms);
		if (sim->now_ms >= until_ms)
			return;
		advance(sim, next_ms);
	}
}

void sim_await(struct sim *sim, struct stek_command *command, int64_t ms)
{
	int64_t until_ms = sim->now_ms + ms, next_ms;

	for (;;) {
		next_ms = step_all(sim, until_ms);
		if (command->done || sim->now_ms >= until_ms)
			break;
		advance(sim, next_ms);
	}
	ck_assert_msg(command->done, "the command did not end in time");
}

struct stek_command *sim_rotate(struct sim *sim, size_t i, bool force,
				const struct stek_version *expect)
{
	struct stek_command *command = calloc(1, sizeof(*command));

	ck_assert_ptr_nonnull(command);
	command->kind = STEK_COMMAND_ROTATE;
	command->force = force;
	command->has_expect = expect != NULL;
	if (expect)
		command->expect = *expect;
	strcpy(command->who, "test \"quoted\"");
	stek__sync_submit(sim->nodes[i].farm->sync, command);
	return command;
}

struct stek_command *sim_revoke(struct sim *sim, size_t i, bool all,
				const uint8_t *id)
{
	struct stek_command *command = calloc(1, sizeof(*command));

	ck_assert_ptr_nonnull(command);
	command->kind = STEK_COMMAND_REVOKE;
	command->all = all;
	command->ids = calloc(1, STEK_ID_LEN);
	ck_assert_ptr_nonnull(command->ids);
	if (id) {
		memcpy(command->ids[0], id, STEK_ID_LEN);
		command->n_ids = 1;
	}
	strcpy(command->who, "test");
	stek__sync_submit(sim->nodes[i].farm->sync, command);
	return command;
}

struct stek_ring *sim_ring(struct sim *sim, size_t i)
{
	return atomic_load(&sim->nodes[i].farm->guard.current);
}

const struct stek_key *sim_sealing(struct sim *sim, size_t i)
{
	struct stek_farm *farm = sim->nodes[i].farm;

	return stek__schedule_sealing(sim_ring(sim, i), &farm->policy,
				      stek_farm_now_ms(farm));
}

void sim_status(struct sim *sim, size_t i, struct stek_status *out)
{
	stek_farm_status(sim->nodes[i].farm, out);
}

void sim_assert_same(struct sim *sim)
{
	size_t i;

	for (i = 0; i < sim->n; i++) {
		ck_assert(stek_version_equal(&sim_ring(sim, i)->version,
					     &sim_ring(sim, 0)->version));
		ck_assert(sim->nodes[i].store->has_ring);
		ck_assert(stek_version_equal(&sim->nodes[i].store->version,
					     &sim_ring(sim, 0)->version));
		if (!sim->nodes[i].second)
			continue;
		ck_assert(sim->nodes[i].second->has_ring);
		ck_assert(stek_version_equal(&sim->nodes[i].second->version,
					     &sim_ring(sim, 0)->version));
	}
}

void sim_assert_open(struct sim *sim)
{
	const struct stek_key *sealing, *held;
	size_t i, j;

	for (i = 0; i < sim->n; i++) {
		sealing = sim->nodes[i].farm ? sim_sealing(sim, i) : NULL;
		for (j = 0; sealing && j < sim->n; j++) {
			if (!sim->nodes[j].farm || sim->nodes[j].frozen)
				continue;
			held = stek__ring_find(sim_ring(sim, j), sealing->id);
			ck_assert_msg(held && held->secret,
				      "%s seals what %s cannot open",
				      sim->nodes[i].name, sim->nodes[j].name);
		}
	}
}

struct stek_ring *sim_stored(struct sim *sim, struct sim_store *store)
{
	struct stek_ring *ring = NULL;

	ck_assert(store->has_ring);
	ck_assert_int_eq(stek__record_open(&ring, sim->nodes[0].farm->farm_keys,
					   "farm", store->doc.data,
					   store->doc.len), 0);
	return ring;
}

void sim_plant(struct sim *sim, struct sim_store *store,
	       const struct stek_ring *ring)
{
	struct stek_blob doc;

	ck_assert_int_eq(stek__record_seal(&doc, sim->nodes[0].farm->farm_keys,
					   "farm", ring), 0);
	sim_hold(store, &ring->version, doc.data, doc.len);
	stek__blob_free(&doc);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * simfarm.c - the simulated farm of check_sync.c and check_change.c.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "simfarm.h"

#define START_MS 1700000000000

static struct sim_node *node_of(struct stek_store *store)
{
	return ((struct sim_link *)store)->node;
}

static struct sim_store *store_of(struct stek_store *store)
{
	struct sim_link *link = (struct sim_link *)store;

	return link->second ? link->node->second : link->node->store;
}

/* What the link answers before the store is even asked. */
static int fault(struct stek_store *store)
{
	struct sim_node *node = node_of(store);
	struct sim_store *s = store_of(store);

	s->calls++;
	node->sim->now_ms += s->delay_ms;
	if (node->fail_call && --node->fail_call == 0)
		return STEK_EUNAVAILABLE;
	return s->answer;
}

static int sim_load(struct stek_store *store, struct stek_blob *doc)
{
	struct sim_store *s = store_of(store);
	int err = fault(store);

	if (err)
		return err;
	if (!s->has_ring)
		return STEK_EABSENT;
	doc->data = malloc(s->doc.len + 1);
	ck_assert_ptr_nonnull(doc->data);
	memcpy(doc->data, s->doc.data, s->doc.len);
	doc->len = s->doc.len;
	return 0;
}

static void hold(struct sim_store *s, const struct stek_version *version,
		 const uint8_t *doc, size_t len)
{
	stek__blob_free(&s->doc);
	s->doc.data = malloc(len + 1);
	ck_assert_ptr_nonnull(s->doc.data);
	memcpy(s->doc.data, doc, len);
	s->doc.len = len;
	s->version = *version;
	s->has_ring = true;
}

static int sim_publish(struct stek_store *store,
		       const struct stek_version *expect,
		       const struct stek_version *next, const uint8_t *doc,
		       size_t len)
{
	void (*before)(struct sim_node *);
	struct sim_node *node = node_of(store);
	struct sim_store *s = store_of(store);
	int err = fault(store);
	size_t i;

	if (err)
		return err;
	before = node->before_publish;
	node->before_publish = NULL;
	if (before)
		before(node);
	if (expect ? !s->has_ring || !stek_version_equal(expect, &s->version) :
		     s->has_ring)
		return STEK_ECONFLICT;
	hold(s, next, doc, len);
	s->publishes++;
	for (i = 0; i < node->sim->n; i++) {
		if (node->sim->nodes[i].store == s ||
		    node->sim->nodes[i].second == s)
			node->sim->nodes[i].hint = true;
	}
	if (node->lose_answer) {
		node->lose_answer = false;
		return STEK_EUNAVAILABLE;
	}
	return 0;
}

static int64_t store_now_ms(struct stek_store *store)
{
	return node_of(store)->sim->now_ms + store_of(store)->skew_ms;
}

static int sim_pulse(struct stek_store *store, struct stek_pulse *out)
{
	const struct sim_store *s = store_of(store);
	int err = fault(store);

	if (err)
		return err;
	out->store_now_ms = store_now_ms(store);
	out->store_now_us_part = 0;
	out->has_ring = s->has_ring;
	out->version = s->version;
	return 0;
}

static struct stek_raw_member *member_of(struct sim_store *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->n_members; i++) {
		if (!strcmp(s->members[i].name, name))
			return &s->members[i];
	}
	return NULL;
}

static int sim_beat(struct stek_store *store, const char *name,
		    const uint8_t *data, size_t len, struct stek_pulse *out)
{
	struct sim_store *s = store_of(store);
	struct stek_raw_member *member = member_of(s, name);
	int err = sim_pulse(store, out);

	if (err)
		return err;
	if (!member) {
		ck_assert_uint_lt(s->n_members, SIM_NODES);
		member = &s->members[s->n_members++];
	}
	snprintf(member->name, sizeof(member->name), "%s", name);
	member->seen_at_ms = store_now_ms(store);
	member->len = len;
	memcpy(member->data, data, len);
	return 0;
}

static int sim_members(struct stek_store *store, struct stek_raw_member **out,
		       size_t *n, int64_t *now_ms)
{
	struct sim_store *s = store_of(store);
	int err = fault(store);

	if (err)
		return err;
	*out = malloc(sizeof(s->members));
	ck_assert_ptr_nonnull(*out);
	memcpy(*out, s->members, sizeof(s->members));
	*n = s->n_members;
	*now_ms = store_now_ms(store);
	return 0;
}

static int sim_forget(struct stek_store *store, const char *name)
{
	struct sim_store *s = store_of(store);
	struct stek_raw_member *member = member_of(s, name);

	if (member)
		*member = s->members[--s->n_members];
	return 0;
}

static const char *last_audit(const struct sim_store *s)
{
	return s->n_audit ? s->audit[s->n_audit - 1] : "";
}

static int sim_audit(struct stek_store *store, const char *after,
		     const char *line)
{
	struct sim_node *node = node_of(store);
	struct sim_store *s = store_of(store);
	int err = fault(store);

	if (err)
		return err;
	if (strcmp(after, last_audit(s)) ||
	    (node->race_audit && --node->race_audit == 0))
		return STEK_ECONFLICT;
	if (s->audit_answer)
		return s->audit_answer;
	ck_assert_uint_lt(s->n_audit, SIM_AUDIT);
	s->audit[s->n_audit++] = strdup(line);
	if (node->lose_audit) {
		node->lose_audit = false;
		return STEK_EUNAVAILABLE;
	}
	return 0;
}

static int sim_audit_read(struct stek_store *store, size_t limit,
			  struct stek_blob *out)
{
	struct sim_store *s = store_of(store);
	int err = fault(store);
	size_t i = s->n_audit > limit ? s->n_audit - limit : 0;
	char *text = NULL;
	FILE *f;

	if (err)
		return err;
	if (s->n_audit == 0)
		return STEK_EABSENT;
	f = open_memstream(&text, &out->len);
	ck_assert_ptr_nonnull(f);
	for (; i < s->n_audit; i++)
		fprintf(f, "%s\n", s->audit[i]);
	fclose(f);
	out->data = (uint8_t *)text;
	return 0;
}

static int sim_hint_fd(struct stek_store *store)
{
	(void)store;
	return -1;
}

static bool sim_hint_take(struct stek_store *store)
{
	(void)store;
	return false;
}

static const char *sim_detail(struct stek_store *store)
{
	return store_of(store)->answer == STEK_EREFUSED ? "NOPERM" :
								"no answer";
}

static void sim_link_close(struct stek_store *store)
{
	free(store);
}

static const struct stek_store_ops sim_ops = {
	.load = sim_load, .publish = sim_publish, .beat = sim_beat,
	.pulse = sim_pulse, .members = sim_members, .forget = sim_forget,
	.audit = sim_audit, .audit_read = sim_audit_read, .hint_fd = sim_hint_fd,
	.hint_take = sim_hint_take, .detail = sim_detail,
	.close = sim_link_close,
};

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

static struct stek_store *make_link(struct sim_node *node, bool second)
{
	struct sim_link *link = calloc(1, sizeof(*link));

	ck_assert_ptr_nonnull(link);
	link->base.ops = &sim_ops;
	link->node = node;
	link->second = second;
	return &link->base;
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
	struct stek_store *links[2] = { make_link(node, false), NULL };
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
		links[1] = make_link(node, true);
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
	hold(store, &ring->version, doc.data, doc.len);
	stek__blob_free(&doc);
}

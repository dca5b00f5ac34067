// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * simworld_store.c - the store of a simulated world, as treacherous as a Redis
 * that fails over: a write may be lost after it was acknowledged, be done
 * though its answer was lost, arrive late, or twice. Its compare-and-set is its
 * own and looks at the whole version.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simworld.h"

struct link {
	struct stek_store base;
	struct world_node *node;
};

static struct world_node *node_of(struct stek_store *store)
{
	return ((struct link *)store)->node;
}

void world_ring_free(struct world_ring *ring)
{
	free(ring->data);
	memset(ring, 0, sizeof(*ring));
}

void world_ring_copy(struct world_ring *to, const struct world_ring *from)
{
	struct world_ring copy = *from;

	copy.data = NULL;
	if (from->present) {
		copy.data = malloc(from->len);
		if (!copy.data)
			abort();
		memcpy(copy.data, from->data, from->len);
	}
	world_ring_free(to);
	*to = copy;
}

static int fault(struct world_node *node)
{
	struct world *world = node->world;
	int err = node->link_down ? STEK_EUNAVAILABLE : node->store->answer;

	world->now_ms += world_below(world, 3);
	if (!err && world->storm && world_chance(world, 2))
		err = STEK_EUNAVAILABLE;
	if (err)
		world_cut(node);
	return err;
}

static int world_load(struct stek_store *store, struct stek_blob *doc)
{
	struct world_node *node = node_of(store);
	const struct world_ring *ring = &node->store->ring;
	int err = fault(node);

	if (err)
		return err;
	if (!ring->present)
		return STEK_EABSENT;
	doc->data = malloc(ring->len);
	if (!doc->data)
		abort();
	memcpy(doc->data, ring->data, ring->len);
	doc->len = ring->len;
	return 0;
}

static bool same(const struct stek_version *a, const struct stek_version *b)
{
	return a->epoch == b->epoch &&
	       !memcmp(a->digest, b->digest, STEK_DIGEST_LEN);
}

/* What any store ever took is the farm's, even if it is lost afterwards. */
static void note_accepted(struct world *world, const struct world_ring *ring)
{
	struct stek_ring *opened = NULL;

	if (stek__record_open(&opened, world->farm_keys, "farm", ring->data,
			      ring->len)) {
		world_fail(world, "a ring was published that nobody can open");
		return;
	}
	if (!same(&opened->version, &ring->version))
		world_fail(world, "a ring was published under another's name");
	world_note_ring(world, opened);
	stek__ring_unref(opened);
}

void world_store_keep(struct world_store *store)
{
	world_ring_copy(&store->copies[store->next_copy], &store->ring);
	store->next_copy = (store->next_copy + 1) % WORLD_COPIES;
}

/* Compare-and-set. `lost`: acknowledged, then forgotten by a failover. */
static int set(struct world *world, struct world_store *store,
	       const struct stek_version *expect, const struct world_ring *next,
	       bool lost)
{
	size_t i;

	if (expect ? !store->ring.present ||
		     !same(expect, &store->ring.version) :
		     store->ring.present)
		return STEK_ECONFLICT;
	note_accepted(world, next);
	store->changed_ms = world->now_ms;
	world_tell(world, "store %d takes epoch %" PRIu64 "%s",
		   (int)(store - world->stores), next->version.epoch,
		   lost ? ", and loses it" : "");
	if (lost) {
		store->cut_ms = world->now_ms;
		return 0;
	}
	if (world_chance(world, 300))
		world_store_keep(store);
	world_ring_copy(&store->ring, next);
	/* Hints, some of which get lost. */
	for (i = 0; i < world->n; i++) {
		if (world->nodes[i].store == store && !world_chance(world, 200))
			world->nodes[i].hint = true;
	}
	return 0;
}

static void send_later(struct world *world, struct world_store *store,
		       const struct stek_version *expect,
		       const struct world_ring *next)
{
	size_t i;

	for (i = 0; i < WORLD_WRITES; i++) {
		struct world_write *write = &world->writes[i];

		if (write->store)
			continue;
		write->store = store;
		write->at_ms = world->now_ms + world_below(world, 5000);
		write->has_expect = expect != NULL;
		if (expect)
			write->expect = *expect;
		world_ring_copy(&write->ring, next);
		return;
	}
}

void world_deliver(struct world *world)
{
	size_t i;

	for (i = 0; i < WORLD_WRITES; i++) {
		struct world_write *write = &world->writes[i];

		if (!write->store || write->at_ms > world->now_ms)
			continue;
		if (!write->store->answer)
			(void)set(world, write->store, write->has_expect ?
				  &write->expect : NULL, &write->ring, false);
		write->store = NULL;
		world_ring_free(&write->ring);
	}
}

static int world_publish(struct stek_store *store,
			 const struct stek_version *expect,
			 const struct stek_version *next, const uint8_t *doc,
			 size_t len)
{
	struct world_node *node = node_of(store);
	struct world *world = node->world;
	struct world_ring ring = { true, *next, len, NULL };
	bool sloppy = world_chance(world, world->sloppy);
	unsigned how = world_below(world, 4);
	int err = fault(node);

	if (err)
		return err;
	ring.data = malloc(len);
	if (!ring.data)
		abort();
	memcpy(ring.data, doc, len);
	if (!sloppy) {
		err = set(world, node->store, expect, &ring, false);
	} else if (how == 0) {		/* never arrives, or late */
		send_later(world, node->store, expect, &ring);
		err = STEK_EUNAVAILABLE;
	} else if (how == 1) {		/* done, but nobody says so */
		(void)set(world, node->store, expect, &ring, false);
		err = STEK_EUNAVAILABLE;
	} else if (how == 2) {
		err = set(world, node->store, expect, &ring, true);
	} else {
		err = set(world, node->store, expect, &ring, false);
		send_later(world, node->store, expect, &ring);
	}
	if (err == STEK_EUNAVAILABLE)
		world_cut(node);
	world->sum.conflicts += err == STEK_ECONFLICT;
	world_ring_free(&ring);
	return err;
}

static int64_t store_now_ms(const struct world_node *node)
{
	return node->world->now_ms + node->store->skew_ms;
}

static int world_pulse(struct stek_store *store, struct stek_pulse *out)
{
	struct world_node *node = node_of(store);
	int err = fault(node);

	if (err)
		return err;
	out->store_now_ms = store_now_ms(node);
	out->store_now_us_part = 0;
	out->has_ring = node->store->ring.present;
	out->version = node->store->ring.version;
	return 0;
}

static struct stek_raw_member *member_of(struct world_store *store,
					 const char *name)
{
	size_t i;

	for (i = 0; i < store->n_members; i++) {
		if (!strcmp(store->members[i].name, name))
			return &store->members[i];
	}
	return NULL;
}

/* The measured offset counts once enough samples agree. */
static void note_exchange(struct world_node *node)
{
	struct world *world = node->world;

	if (node->cut) {
		node->cut = false;
		node->cut_ms = world->now_ms;
	}
	if (!node->need_beats || --node->need_beats)
		return;
	if (node->settle_ms < world->now_ms)
		node->settle_ms = world->now_ms + 1000;
	node->settle_ms += 20 * node->astray_ms;
	node->astray_ms = 0;
}

static int world_beat(struct stek_store *store, const char *name,
		      const uint8_t *data, size_t len, struct stek_pulse *out)
{
	struct world_node *node = node_of(store);
	struct world_store *s = node->store;
	struct stek_raw_member *member;
	int err;

	world_check_beat(node, data, len);
	err = world_pulse(store, out);
	if (err)
		return err;
	note_exchange(node);
	member = member_of(s, name);
	if (!member && s->n_members < WORLD_NODES)
		member = &s->members[s->n_members++];
	if (!member)
		return 0;
	snprintf(member->name, sizeof(member->name), "%s", name);
	member->seen_at_ms = store_now_ms(node);
	member->len = len;
	memcpy(member->data, data, len);
	return 0;
}

static int world_members(struct stek_store *store,
			 struct stek_raw_member **out, size_t *n,
			 int64_t *now_ms)
{
	struct world_node *node = node_of(store);
	struct world_store *s = node->store;
	size_t size = s->n_members * sizeof(s->members[0]);
	int err = fault(node);

	if (err)
		return err;
	*out = malloc(size ? size : 1);
	if (!*out)
		abort();
	memcpy(*out, s->members, size);
	*n = s->n_members;
	*now_ms = store_now_ms(node);
	return 0;
}

static int world_forget(struct stek_store *store, const char *name)
{
	struct world_store *s = node_of(store)->store;
	struct stek_raw_member *member = member_of(s, name);

	if (member)
		*member = s->members[--s->n_members];
	return 0;
}

static int world_audit(struct stek_store *store, const char *after,
		       const char *line)
{
	(void)after;
	(void)line;
	return fault(node_of(store));
}

static int world_audit_read(struct stek_store *store, size_t limit,
			    struct stek_blob *out)
{
	int err = fault(node_of(store));

	(void)limit;
	(void)out;
	return err ? err : STEK_EABSENT;
}

static int world_hint_fd(struct stek_store *store)
{
	(void)store;
	return -1;
}

static bool world_hint_take(struct stek_store *store)
{
	(void)store;
	return false;
}

static const char *world_detail(struct stek_store *store)
{
	(void)store;
	return "no answer";
}

static void world_link_close(struct stek_store *store)
{
	free(store);
}

const struct stek_store_ops world_store_ops = {
	.load = world_load, .publish = world_publish, .beat = world_beat,
	.pulse = world_pulse, .members = world_members,
	.forget = world_forget, .audit = world_audit,
	.audit_read = world_audit_read,
	.hint_fd = world_hint_fd, .hint_take = world_hint_take,
	.detail = world_detail, .close = world_link_close,
};

struct stek_store *world_link(struct world_node *node)
{
	struct link *link = calloc(1, sizeof(*link));

	if (!link)
		abort();
	link->base.ops = &world_store_ops;
	link->node = node;
	return &link->base;
}

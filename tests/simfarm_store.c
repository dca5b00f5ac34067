// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * simfarm_store.c - the stores of a simulated farm: in memory, and able to fail
 * in every way. Called by simfarm.c.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simfarm.h"

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

void sim_hold(struct sim_store *s, const struct stek_version *version,
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
	sim_hold(s, next, doc, len);
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
	struct sim_link *link = (struct sim_link *)store;
	struct sim_store *s = store_of(store);
	struct stek_raw_member *member = member_of(s, name);
	struct stek_raw_member wrote = link->last;
	int err = sim_pulse(store, out);

	/* Whether it gets there is not known before the answer. */
	link->last.len = len;
	memcpy(link->last.data, data, len);
	if (err)
		return err;
	if (member && (member->len != wrote.len ||
		       memcmp(member->data, wrote.data, member->len))) {
		out->has_before = true;
		out->before = *member;
	}
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

struct stek_store *sim_make_link(struct sim_node *node, bool second)
{
	struct sim_link *link = calloc(1, sizeof(*link));

	ck_assert_ptr_nonnull(link);
	link->base.ops = &sim_ops;
	link->node = node;
	link->second = second;
	return &link->base;
}

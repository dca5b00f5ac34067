/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * settings_fixed.c - what a reload does not change: who the node is, where it
 * keeps and shares its keys, and the sockets that it was started with. A file
 * that differs there is refused, by key and line. Called by settings.c.
 */
#include <stddef.h>
#include <string.h>

#include "settings_file.h"

struct comparison {
	const struct settings *fixed, *next;
	struct doc *doc;
	struct faults *faults;
};

static void differs(const struct comparison *c, const char *key,
		    const char *before)
{
	fault(c->faults, doc_line(c->doc, "%s", key), "found another value "
	      "for %s, expected %s as when stekd was started: only a restart "
	      "changes it", key, before);
}

static void compare_text(const struct comparison *c, const char *key,
			 const char *before, const char *now)
{
	if (before == NULL ? now != NULL
			   : now == NULL || strcmp(before, now) != 0)
		differs(c, key, before != NULL ? before : "none");
}

static void compare_number(const struct comparison *c, const char *key,
			   uint32_t before, uint32_t now)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", before);
	if (before != now)
		differs(c, key, text);
}

static void compare_address(const struct comparison *c, const char *key,
			    const struct settings_address *before,
			    const struct settings_address *now)
{
	if (before->len != now->len ||
	    memcmp(&before->addr, &now->addr, before->len) != 0)
		differs(c, key, before->len != 0 ? before->text : "none");
}

static void compare_keys(const struct comparison *c)
{
	static const struct {
		const char *key;
		size_t offset;
	} all[] = {
		{ "keys.period_s", offsetof(struct stek_policy, period_s) },
		{ "keys.lifetime_s",
		  offsetof(struct stek_policy, lifetime_s) },
		{ "keys.chain_s", offsetof(struct stek_policy, chain_s) },
		{ "keys.pending", offsetof(struct stek_policy, pending) },
		{ "keys.rotate_delay_ms",
		  offsetof(struct stek_policy, rotate_delay_ms) },
		{ "keys.revoke_delay_ms",
		  offsetof(struct stek_policy, revoke_delay_ms) },
		{ "keys.rotate_interval_s",
		  offsetof(struct stek_policy, rotate_interval_s) },
		{ "keys.beat_ms", offsetof(struct stek_policy, beat_ms) },
	};
	const char *before = (const char *)&c->fixed->policy;
	const char *now = (const char *)&c->next->policy;
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		compare_number(c, all[i].key,
			       *(const uint32_t *)(const void *)
					(before + all[i].offset),
			       *(const uint32_t *)(const void *)
					(now + all[i].offset));
}

static void compare_store(const struct comparison *c, const char *name,
			  const struct settings_store *before,
			  const struct settings_store *now)
{
	static const struct {
		const char *key;
		size_t offset;
	} all[] = {
		{ "url", offsetof(struct settings_store, url) },
		{ "user", offsetof(struct settings_store, user) },
		{ "password_file",
		  offsetof(struct settings_store, password_file) },
		{ "ca", offsetof(struct settings_store, ca) },
		{ "certificate",
		  offsetof(struct settings_store, certificate) },
		{ "key", offsetof(struct settings_store, key) },
		{ "server_name",
		  offsetof(struct settings_store, server_name) },
		{ "sentinel_user",
		  offsetof(struct settings_store, sentinel_user) },
		{ "sentinel_password_file",
		  offsetof(struct settings_store, sentinel_password_file) },
	};
	char key[64];
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		snprintf(key, sizeof(key), "%s.%s", name, all[i].key);
		compare_text(c, key, *(char *const *)(const void *)
					((const char *)before + all[i].offset),
			     *(char *const *)(const void *)
				     ((const char *)now + all[i].offset));
	}
	snprintf(key, sizeof(key), "%s.wait_replicas", name);
	compare_number(c, key, before->wait_replicas, now->wait_replicas);
	snprintf(key, sizeof(key), "%s.wait_ms", name);
	compare_number(c, key, before->wait_ms, now->wait_ms);
}

static void compare_stores(const struct comparison *c)
{
	const char *list = doc_line(c->doc, "stores") != 0 ? "stores" : "store";
	char name[32];
	size_t i;

	if (c->fixed->n_stores != c->next->n_stores) {
		compare_number(c, list, (uint32_t)c->fixed->n_stores,
			       (uint32_t)c->next->n_stores);
		return;
	}
	for (i = 0; i < c->fixed->n_stores; i++) {
		snprintf(name, sizeof(name), "stores[%zu]", i);
		compare_store(c, strcmp(list, "store") == 0 ? list : name,
			      &c->fixed->stores[i], &c->next->stores[i]);
	}
}

/* Addresses, in their order: listeners are known by their place. */
static void compare_listeners(const struct comparison *c)
{
	char key[48];
	size_t i;

	if (c->fixed->n_listen != c->next->n_listen) {
		fault(c->faults, doc_line(c->doc, "listen"), "found %zu "
		      "addresses for listen, expected %zu as when stekd was "
		      "started: only a restart changes them",
		      c->next->n_listen, c->fixed->n_listen);
		return;
	}
	for (i = 0; i < c->fixed->n_listen; i++) {
		snprintf(key, sizeof(key), "listen[%zu].address", i);
		compare_address(c, key, &c->fixed->listen[i].address,
				&c->next->listen[i].address);
		snprintf(key, sizeof(key), "listen[%zu].name", i);
		compare_text(c, key, c->fixed->listen[i].name,
			     c->next->listen[i].name);
	}
}

void settings_fixed_check(const struct settings *fixed,
			  const struct settings *next, struct doc *doc,
			  struct faults *faults)
{
	const struct comparison c = { fixed, next, doc, faults };

	compare_text(&c, "farm", fixed->farm, next->farm);
	compare_text(&c, "node", fixed->node, next->node);
	compare_text(&c, "user", fixed->user, next->user);
	if (fixed->uid != next->uid || fixed->gid != next->gid)
		differs(&c, fixed->gid != next->gid ? "group" : "user",
			"the same id");
	compare_text(&c, "farm_key", fixed->farm_key, next->farm_key);
	compare_text(&c, "state_dir", fixed->state_dir, next->state_dir);
	compare_stores(&c);
	compare_keys(&c);
	compare_number(&c, "workers", fixed->workers_asked,
		       next->workers_asked);
	if (fixed->pin_workers != next->pin_workers)
		differs(&c, "pin_workers",
			fixed->pin_workers ? "true" : "false");
	compare_listeners(&c);
	compare_text(&c, "admin.socket", fixed->admin_socket,
		     next->admin_socket);
	compare_address(&c, "admin.listen", &fixed->admin_listen,
			&next->admin_listen);
	compare_address(&c, "metrics.listen", &fixed->metrics_listen,
			&next->metrics_listen);
}

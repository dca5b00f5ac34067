/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memnode.c - the farms of memnode.h: struct stek_farm filled by hand, since
 * the ticket path needs no more of it than a ring, a policy and a clock.
 */
#include <wolfssl/options.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <wolfssl/ssl.h>

#include "memnode.h"
#include "secret.h"

static void must(bool ok)
{
	if (!ok)
		abort();
}

#define FIRST_MS INT64_C(1800000000000)
#define WEEK_MS (7 * 24 * MEMNODE_HOUR_MS)
#define YEAR_MS (1461 * 6 * MEMNODE_HOUR_MS)	/* the hour of day stays */

/* The same in all runs, but for one leap a year. */
int64_t memnode_now_ms(void)
{
	static int64_t now_ms;

	if (now_ms)
		return now_ms;
	now_ms = FIRST_MS;
	while (now_ms < (int64_t)time(NULL) * 1000 + WEEK_MS)
		now_ms += YEAR_MS;
	return now_ms;
}

static int64_t wall_ms(void *user)
{
	return *(int64_t *)user;
}

struct memnode *memnode_new(const char *name, struct stek_ring *ring,
			    const struct stek_wolfssl_options *options)
{
	struct memnode *node = aligned_alloc(64, (sizeof(*node) + 63) & ~63UL);
	char why[200] = "";
	int ret;

	must(node != NULL);
	memset(node, 0, sizeof(*node));
	snprintf(node->farm.name, sizeof(node->farm.name), "farm");
	snprintf(node->farm.node, sizeof(node->farm.node), "%s", name);
	node->farm.node_id = (uint32_t)(unsigned char)name[0];
	node->farm.policy = (struct stek_policy){
		.period_s = 21600, .lifetime_s = 21600, .chain_s = 86400,
		.pending = 2, .rotate_delay_ms = 5000, .revoke_delay_ms = 2000,
		.rotate_interval_s = 60, .beat_ms = 1000,
	};
	node->now_ms = MEMNODE_NOW_MS;
	node->farm.io.wall_ms = wall_ms;
	node->farm.io.user = &node->now_ms;
	stek__guard_init(&node->farm.guard, stek__ring_ref(ring));
	node->ctx = memhs_server_ctx();
	wolfSSL_CTX_set_num_tickets(node->ctx, 2);
	ret = stek_wolfssl_attach(&node->host, &node->farm, node->ctx, options,
				  why, sizeof(why));
	if (ret)
		fprintf(stderr, "attach: %s\n", why);
	must(!ret);
	return node;
}

void memnode_free(struct memnode *node)
{
	stek_wolfssl_detach(node->host);
	wolfSSL_CTX_free(node->ctx);
	stek__ring_unref(stek__guard_swap(&node->farm.guard, NULL));
	free(node);
}

void memnode_install(struct memnode *node, struct stek_ring *ring)
{
	stek__ring_unref(stek__guard_swap(&node->farm.guard, ring));
}

struct stek_key *memnode_key(uint8_t id, int64_t from_ms)
{
	uint8_t secret[STEK_SECRET_LEN], name[STEK_ID_LEN];
	int64_t activate_at_ms = MEMNODE_NOW_MS + from_ms;
	struct stek_key *key = NULL;

	for (size_t i = 0; i < sizeof(secret); i++)
		secret[i] = (uint8_t)(id * 31 + i * 7);
	memset(name, id, sizeof(name));
	must(!stek__key_new(&key, name, secret, "A", STEK_MADE_BY_SCHEDULE,
			    activate_at_ms - MEMNODE_HOUR_MS, activate_at_ms,
			    activate_at_ms + 12 * MEMNODE_HOUR_MS + 60000));
	return key;
}

struct stek_ring *memnode_ring(struct stek_key **keys, size_t n)
{
	struct stek_ring *ring = NULL;

	must(!stek__ring_new(&ring, 1, keys, n, NULL, 0, 0));
	for (size_t i = 0; i < n; i++)
		stek__key_unref(keys[i]);
	return ring;
}

struct stek_ring *memnode_ring_default(void)
{
	struct stek_key *keys[] = {
		memnode_key(1, -7 * MEMNODE_HOUR_MS),
		memnode_key(2, -1 * MEMNODE_HOUR_MS),
		memnode_key(3, 5 * MEMNODE_HOUR_MS),
	};

	return memnode_ring(keys, 3);
}

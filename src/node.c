/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * node.c - what the parts of one node ask about it: sums over its workers, and
 * the names behind the ids in tickets. Any thread calls; names are learnt by
 * the main thread alone.
 */
#include "node.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker.h"

#define LEARN_TIMEOUT_MS 1000
/* Turns between two questions to the store, doubling while ids stay unknown. */
#define LEARN_GAP_FIRST 4
#define LEARN_GAP_MOST 256

struct node_name {
	uint32_t id;
	char name[STEK_NAME_MAX + 1];
};

struct node_names {
	size_t n;
	struct node_name by_id[];	/* sorted */
};

/* Taken for the few instructions of a look-up, never in a ticket callback. */
static pthread_rwlock_t names_lock = PTHREAD_RWLOCK_INITIALIZER;

/* Someone asked for a name that was not there. */
static atomic_bool names_wanted;

void node_counters(const struct node *node, struct counters *sum)
{
	size_t i;

	memset(sum, 0, sizeof(*sum));
	for (i = 0; i < node->n_workers; i++)
		counters_sum(sum, worker_counters(node->workers[i]));
}

/* "1.2.3" is 001002003; what follows, say "-rc1", is left out. */
static uint32_t version_number(const char *text)
{
	unsigned major = 0, minor = 0, patch = 0;

	/* NOLINTNEXTLINE(cert-err34-c): three digits overflow nothing */
	if (sscanf(text, "%3u.%3u.%3u", &major, &minor, &patch) < 2)
		return 0;
	return (major * 1000 + minor) * 1000 + patch;
}

void node_facts(const struct node *node, struct counters_facts *out)
{
	size_t i;

	*out = (struct counters_facts){
		.known = true,
		.trouble = node->trouble |
			   (unsigned)node->draining << TROUBLE_DRAINING,
		.version = version_number(stek_version_string()),
	};
	for (i = 0; i < node->n_workers; i++)
		out->open += worker_connections(node->workers[i]);
}

uint64_t node_handshakes(const struct node *node)
{
	uint64_t sum = 0;
	size_t i;
	unsigned kind, outcome;

	for (i = 0; i < node->n_workers; i++) {
		const struct counters *counters =
			worker_counters(node->workers[i]);

		for (kind = 0; kind < TLS_KINDS; kind++)
			for (outcome = 0; outcome < STEK_OUTCOMES; outcome++)
				sum += atomic_load_explicit(
					&counters->handshakes[kind][outcome],
					memory_order_relaxed);
	}
	return sum;
}

static int compare_ids(const void *a, const void *b)
{
	uint32_t left = ((const struct node_name *)a)->id;
	uint32_t right = ((const struct node_name *)b)->id;

	return (left > right) - (left < right);
}

void node_issuer_name(const struct node *node, uint32_t id, char *buf,
		      size_t len)
{
	struct node_name key = { .id = id };
	const struct node_name *found = NULL;

	if (id == stek_farm_node_id(node->farm)) {
		snprintf(buf, len, "%s", stek_farm_node(node->farm));
		return;
	}
	pthread_rwlock_rdlock(&names_lock);
	if (node->names)
		found = bsearch(&key, node->names->by_id, node->names->n,
				sizeof(key), compare_ids);
	snprintf(buf, len, "%s", found ? found->name : "");
	pthread_rwlock_unlock(&names_lock);
	if (!found)
		atomic_store_explicit(&names_wanted, true,
				      memory_order_relaxed);
}

static struct node_names *take_names(const struct stek_member *members,
				     size_t n)
{
	struct node_names *names;
	size_t i;

	names = calloc(1, sizeof(*names) + n * sizeof(names->by_id[0]));
	if (!names)
		return NULL;
	names->n = n;
	for (i = 0; i < n; i++) {
		names->by_id[i].id = members[i].id;
		memcpy(names->by_id[i].name, members[i].name,
		       sizeof(names->by_id[i].name));
	}
	qsort(names->by_id, n, sizeof(names->by_id[0]), compare_ids);
	return names;
}

static void replace_names(struct node *node, struct node_names *names)
{
	struct node_names *old;

	pthread_rwlock_wrlock(&names_lock);
	old = node->names;
	node->names = names;
	pthread_rwlock_unlock(&names_lock);
	free(old);
}

/*
 * True when the store is to be asked. All heartbeats of a farm come with the
 * answer, so nodes that ask without need cost it the square of their number.
 */
static bool must_learn(struct node *node)
{
	if (node->learn_wait > 0) {
		node->learn_wait--;
		return false;
	}
	if (!atomic_exchange_explicit(&names_wanted, false,
				      memory_order_relaxed)) {
		node->learn_gap = 0;
		return false;
	}
	node->learn_gap = node->learn_gap ? 2 * node->learn_gap :
					    LEARN_GAP_FIRST;
	if (node->learn_gap > LEARN_GAP_MOST)
		node->learn_gap = LEARN_GAP_MOST;
	node->learn_wait = node->learn_gap;
	return true;
}

int node_learn_names(struct node *node)
{
	struct stek_member *members = NULL;
	struct node_names *names;
	size_t n = 0;
	int ret;

	if (!must_learn(node))
		return 0;
	ret = stek_farm_members(node->farm, LEARN_TIMEOUT_MS, &members, &n);
	if (ret < 0)
		return ret;
	names = take_names(members, n);
	free(members);
	if (!names)
		return STEK_ENOMEM;
	replace_names(node, names);
	return 0;
}

void node_forget_names(struct node *node)
{
	replace_names(node, NULL);
}

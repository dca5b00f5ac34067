/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * generation.c - counts who holds which reading of the configuration. Taking
 * the present one needs a lock, for it could go between the look and the hold;
 * ending a hold needs none. stekd.c and reload.c install, connections take.
 */
#include "generation.h"

#include "deny.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls.h"

/* Held for a few instructions, twice a connection at most. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

int generation_new(struct generation **out, struct node *node,
		   const struct settings *settings, struct settings *own,
		   char *why, size_t why_len)
{
	struct generation *generation = calloc(1, sizeof(*generation));

	if (!generation) {
		snprintf(why, why_len, "out of memory");
		return -1;
	}
	if (settings->admin_listen.len != 0 &&
	    auth_token_read(settings->admin_token_file, generation->token, why,
			    why_len) != 0) {
		free(generation);
		return -1;
	}
	if (tls_hosts_new(&generation->hosts, settings, node->farm, why,
			  why_len) != 0) {
		free(generation);
		return -1;
	}
	tls_hosts_deny(generation->hosts, node->deny);
	generation->settings = settings;
	generation->own = own;
	generation->node = node;
	atomic_init(&generation->refs, 1);
	*out = generation;
	return 0;
}

void generation_free(struct generation *generation)
{
	if (!generation)
		return;
	tls_hosts_free(generation->hosts);
	settings_free(generation->own);
	explicit_bzero(generation->token, sizeof(generation->token));
	free(generation);
}

int generation_install(struct node *node, struct generation *generation,
		       char *why, size_t why_len)
{
	struct generation *before;

	/* First: nobody whom the new file denies is let in by the new hosts. */
	if (node->deny != NULL &&
	    deny_load(node->deny, generation->settings->client_deny, why,
		      why_len) != 0)
		return -1;
	pthread_mutex_lock(&lock);
	before = atomic_load(&node->present);
	generation->number = before ? before->number + 1 : 1;
	atomic_store(&node->present, generation);
	atomic_fetch_add(&node->generations, 1);
	pthread_mutex_unlock(&lock);
	if (before)
		generation_release(before);
	return 0;
}

struct generation *generation_take(struct node *node)
{
	struct generation *generation;

	pthread_mutex_lock(&lock);
	generation = generation_hold(atomic_load(&node->present));
	pthread_mutex_unlock(&lock);
	return generation;
}

struct generation *generation_hold(struct generation *generation)
{
	atomic_fetch_add_explicit(&generation->refs, 1, memory_order_relaxed);
	return generation;
}

void generation_release(struct generation *generation)
{
	struct node *node = generation->node;

	if (atomic_fetch_sub_explicit(&generation->refs, 1,
				      memory_order_acq_rel) != 1)
		return;
	pthread_mutex_lock(&lock);
	generation->next = node->unheld;
	node->unheld = generation;
	pthread_mutex_unlock(&lock);
}

bool generation_is_present(const struct generation *generation)
{
	return atomic_load(&generation->node->present) == generation;
}

size_t generation_reap(struct node *node)
{
	struct generation *generation, *next;
	size_t n = 0;

	pthread_mutex_lock(&lock);
	generation = node->unheld;
	node->unheld = NULL;
	pthread_mutex_unlock(&lock);
	for (; generation; generation = next) {
		next = generation->next;
		generation_free(generation);
		atomic_fetch_sub(&node->generations, 1);
		n++;
	}
	return n;
}

uint64_t generation_number(struct node *node)
{
	struct generation *present = generation_take(node);
	uint64_t number = present->number;

	generation_release(present);
	return number;
}

unsigned generation_count(const struct node *node)
{
	return atomic_load(&node->generations);
}

void generation_end(struct node *node)
{
	struct generation *last = atomic_exchange(&node->present, NULL);

	if (last)
		generation_release(last);
	(void)generation_reap(node);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * deny.c - the set of refused fingerprints. Two slots: readers count
 * themselves into the one that is current, a change fills the other one once
 * its last reader has left, and makes that current. So a reader never waits,
 * and never reads what is being freed. deny_file.c reads and writes the file.
 */
#include "deny_file.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct deny {
	_Atomic unsigned current;
	_Atomic unsigned readers[2];
	struct deny_set sets[2];
	pthread_mutex_t lock;		/* of changes */
	char *path;
};

struct deny *deny_new(void)
{
	struct deny *deny = calloc(1, sizeof(*deny));

	if (deny)
		pthread_mutex_init(&deny->lock, NULL);
	return deny;
}

void deny_free(struct deny *deny)
{
	if (!deny)
		return;
	deny_set_clear(&deny->sets[0]);
	deny_set_clear(&deny->sets[1]);
	pthread_mutex_destroy(&deny->lock);
	free(deny->path);
	free(deny);
}

bool deny_has(struct deny *deny, const uint8_t fingerprint[DENY_LEN])
{
	unsigned slot;
	bool found;

	if (!deny)
		return false;
	for (;;) {
		slot = atomic_load(&deny->current);
		atomic_fetch_add(&deny->readers[slot], 1);
		if (atomic_load(&deny->current) == slot)
			break;
		/* It was left meanwhile, and may be filled anew. */
		atomic_fetch_sub(&deny->readers[slot], 1);
	}
	found = deny_set_has(&deny->sets[slot], fingerprint);
	atomic_fetch_sub(&deny->readers[slot], 1);
	return found;
}

/* Under the lock. Takes over what `set` holds. */
static void install(struct deny *deny, struct deny_set *set)
{
	unsigned next = 1 - atomic_load(&deny->current);

	while (atomic_load(&deny->readers[next]) > 0)
		sched_yield();
	deny_set_clear(&deny->sets[next]);
	deny->sets[next] = *set;
	memset(set, 0, sizeof(*set));
	atomic_store(&deny->current, next);
}

static const struct deny_set *present(const struct deny *deny)
{
	return &deny->sets[atomic_load(&deny->current)];
}

int deny_check(const char *path, char *why, size_t why_len)
{
	struct deny_set set = { 0 };
	int ret = deny_file_read(&set, path, why, why_len);

	deny_set_clear(&set);
	return ret;
}

int deny_load(struct deny *deny, const char *path, char *why, size_t why_len)
{
	struct deny_set set = { 0 };
	char *copy = path ? strdup(path) : NULL;
	char *before;

	if (path && !copy) {
		snprintf(why, why_len, "out of memory");
		return -1;
	}
	pthread_mutex_lock(&deny->lock);
	if (path && deny_file_read(&set, path, why, why_len) != 0) {
		pthread_mutex_unlock(&deny->lock);
		free(copy);
		return -1;
	}
	if (path)
		install(deny, &set);
	before = deny->path;
	deny->path = copy;
	pthread_mutex_unlock(&deny->lock);
	free(before);
	return 0;
}

/* In memory alone. */
static int change_here(struct deny *deny, const uint8_t *fingerprint, bool add,
		       char *why, size_t why_len)
{
	struct deny_set set = { 0 };

	if (deny_set_copy(&set, present(deny), fingerprint, add) != 0) {
		snprintf(why, why_len, "out of memory, or over %d "
			 "fingerprints", DENY_MAX);
		return -1;
	}
	install(deny, &set);
	return 0;
}

/* In the file first; what the file then holds is what counts. */
static int change_file(struct deny *deny, const uint8_t *fingerprint, bool add,
		       char *why, size_t why_len)
{
	struct deny_set set = { 0 };

	if (deny_file_change(&set, deny->path, fingerprint, add, why,
			     why_len) != 0)
		return -1;
	install(deny, &set);
	return 0;
}

static enum deny_result change(struct deny *deny, const uint8_t *fingerprint,
			       bool add, char *why, size_t why_len)
{
	bool was = deny_set_has(present(deny), fingerprint);
	char unsaid[64];

	if (!deny->path && was == add)
		return DENY_ALREADY;
	if (!deny->path)
		return change_here(deny, fingerprint, add, why, why_len) ?
			DENY_FAILED : DENY_DONE;
	if (change_file(deny, fingerprint, add, why, why_len) == 0)
		return was == add ? DENY_ALREADY : DENY_DONE;
	/* A full disk must not let a stolen certificate in. */
	if (add && (was || !change_here(deny, fingerprint, add, unsaid,
					sizeof(unsaid))))
		return DENY_NOT_WRITTEN;
	return DENY_FAILED;
}

enum deny_result deny_change(struct deny *deny,
			     const uint8_t fingerprint[DENY_LEN], bool add,
			     char *why, size_t why_len)
{
	enum deny_result result;

	why[0] = '\0';
	pthread_mutex_lock(&deny->lock);
	result = change(deny, fingerprint, add, why, why_len);
	pthread_mutex_unlock(&deny->lock);
	return result;
}

int deny_list(struct deny *deny, uint8_t (**out)[DENY_LEN], size_t *n,
	      char **path)
{
	const struct deny_set *set;
	int ret = -1;

	*path = NULL;
	pthread_mutex_lock(&deny->lock);
	set = present(deny);
	*n = set->n;
	*out = malloc(set->n ? set->n * DENY_LEN : 1);
	if (*out && set->n)
		memcpy(*out, set->all, set->n * DENY_LEN);
	if (deny->path)
		*path = strdup(deny->path);
	if (*out && (*path || !deny->path))
		ret = 0;
	pthread_mutex_unlock(&deny->lock);
	if (ret != 0) {
		free(*out);
		free(*path);
	}
	return ret;
}

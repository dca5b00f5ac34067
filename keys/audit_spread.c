// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * audit_spread.c - what one store's audit has and another's lacks is handed on,
 * so that a store that was away, was wiped or is new has in the end what the
 * others have. Any node that reaches both does it, whoever made the entry; the
 * compare-and-set of the chain keeps two of them from doing it twice. Called
 * after a heartbeat.
 */
#include <stdlib.h>
#include <string.h>

#include "sync.h"

#define LOOK_BACK 128		/* entries; enough unless a store was away */
#define SPREAD_MAX 1000		/* of the newest of a store are handed on */
#define ONCE_MAX 64		/* handed on after one heartbeat */

/* What a true entry says: request, outcome and JSON as they stand in it. */
struct said {
	const char *text;
	size_t len;
};

struct chain {
	struct stek_link *link;	/* NULL: not read */
	struct stek_blob text;
	char *last;
	struct said *said;	/* in order, oldest first */
	struct said *sorted;
	size_t n;
};

static int by_text(const void *a, const void *b)
{
	const struct said *x = a, *y = b;

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return memcmp(x->text, y->text, x->len);
}

static void chain_free(struct chain *chain)
{
	free(chain->text.data);
	free(chain->last);
	free(chain->said);
	free(chain->sorted);
	chain->text.data = NULL;
	chain->text.len = 0;
	chain->last = NULL;
	chain->said = chain->sorted = NULL;
	chain->link = NULL;
	chain->n = 0;
}

static size_t lines_of(const char *text)
{
	size_t n = 0;

	while ((text = strchr(text, '\n'))) {
		text++;
		n++;
	}
	return n;
}

/* Keeps of the lines those that are true. */
static int index_chain(const struct stek_farm *farm, struct chain *chain)
{
	const char *at = chain->text.data ? (char *)chain->text.data : "";
	size_t lines = lines_of(at);
	struct stek_entry entry;

	chain->last = stek__audit_last(&chain->text);
	chain->said = calloc(lines + 1, sizeof(*chain->said));
	chain->sorted = calloc(lines + 1, sizeof(*chain->sorted));
	if (!chain->last || !chain->said || !chain->sorted)
		return STEK_ENOMEM;
	while (*at) {
		size_t len = strcspn(at, "\n");

		if (!stek__chain_parse(&entry, at, len) &&
		    !stek__chain_check(&entry, farm->farm_keys, farm->name, at))
			chain->said[chain->n++] = (struct said){
				entry.request, (size_t)(at + len -
							entry.request) };
		at += len + (at[len] == '\n');
	}
	if (chain->n)
		memcpy(chain->sorted, chain->said,
		       chain->n * sizeof(*chain->said));
	qsort(chain->sorted, chain->n, sizeof(*chain->sorted), by_text);
	return 0;
}

/* A store that refuses to be read is left out, as one is that is away. */
static int read_chains(struct stek_sync *sync,
		       struct chain chains[STEK_STORES_MAX], size_t limit)
{
	size_t i;
	int err;

	for (i = 0; i < sync->n_links; i++) {
		struct stek_link *link = &sync->links[i];

		chain_free(&chains[i]);
		if (link->state != STEK_STORE_OK || link->audit_shut)
			continue;
		err = stek__audit_tail(sync, link, limit, &chains[i].text);
		link->audit_shut = err == STEK_EREFUSED;
		if (link->audit_shut)
			continue;
		if (!err)
			err = index_chain(sync->farm, &chains[i]);
		if (err)
			return err;
		chains[i].link = link;
	}
	return 0;
}

static bool has(const struct chain *chain, const struct said *said)
{
	return chain->n && bsearch(said, chain->sorted, chain->n,
				   sizeof(*said), by_text);
}

/* Whether any of the newest of one store is not in another. */
static bool differ(const struct chain *from, const struct chain *to)
{
	size_t i = from->n > SPREAD_MAX ? from->n - SPREAD_MAX : 0;

	for (; i < from->n; i++) {
		if (!has(to, &from->said[i]))
			return true;
	}
	return false;
}

/* The words of an entry as strings; false without memory. */
static bool words(struct stek_entry_text *out, char **copy,
		  const struct said *said)
{
	char *outcome, *json;

	*copy = strndup(said->text, said->len);
	if (!*copy)
		return false;
	outcome = strchr(*copy, ' ');
	*outcome++ = '\0';
	json = strchr(outcome, ' ');
	*json++ = '\0';
	*out = (struct stek_entry_text){ *copy, outcome, json };
	return true;
}

static int append(struct stek_sync *sync, struct chain *to,
		  const struct said *said)
{
	struct stek_entry_text text;
	char *copy = NULL;
	int err;

	if (!words(&text, &copy, said))
		return STEK_ENOMEM;
	err = stek__audit_append(sync, to->link, &to->last, &text);
	to->link->audit_shut = err == STEK_EREFUSED;
	free(copy);
	/* A line that would be too long there stays where it is. */
	return err == STEK_EINVAL ? 0 : err;
}

/*
 * Oldest first. Of a third store's entries those that this one brought are
 * left to the next time, when they are seen to be there.
 */
static int hand_on(struct stek_sync *sync, const struct chain *from,
		   struct chain *to, size_t *left)
{
	size_t i = from->n > SPREAD_MAX ? from->n - SPREAD_MAX : 0;
	int err = 0;

	for (; i < from->n && !err && !to->link->audit_shut; i++) {
		if (has(to, &from->said[i]))
			continue;
		if (*left == 0)
			return STEK_EBUSY;
		--*left;
		err = append(sync, to, &from->said[i]);
	}
	return to->link->audit_shut ? 0 : err;
}

static bool any_differ(struct chain chains[STEK_STORES_MAX])
{
	size_t i, j;

	for (i = 0; i < STEK_STORES_MAX; i++) {
		for (j = 0; j < STEK_STORES_MAX; j++) {
			if (i != j && chains[i].link && chains[j].link &&
			    differ(&chains[i], &chains[j]))
				return true;
		}
	}
	return false;
}

static int hand_on_all(struct stek_sync *sync,
		       struct chain chains[STEK_STORES_MAX])
{
	size_t i, j, left = ONCE_MAX;
	bool more = false;
	int err = 0;

	for (i = 0; i < STEK_STORES_MAX && !err; i++) {
		bool given = false;

		for (j = 0; j < STEK_STORES_MAX && !err; j++) {
			if (i == j || !chains[i].link || !chains[j].link ||
			    !differ(&chains[j], &chains[i]))
				continue;
			/* What came from the first may be in the second. */
			if (given) {
				more = true;
				continue;
			}
			given = true;
			err = hand_on(sync, &chains[j], &chains[i], &left);
		}
	}
	return !err && more ? STEK_EBUSY : err;
}

void stek__audit_spread(struct stek_sync *sync)
{
	struct chain chains[STEK_STORES_MAX];
	size_t i, open = 0;
	bool needed = false;
	int err;

	for (i = 0; i < sync->n_links; i++)
		open += sync->links[i].state == STEK_STORE_OK;
	if (!sync->audit.spread || open < 2)
		return;
	memset(chains, 0, sizeof(chains));
	err = read_chains(sync, chains, LOOK_BACK);
	needed = !err && any_differ(chains);
	/* An entry that is the newest here may stand far back there. */
	if (needed)
		err = read_chains(sync, chains, 2 * STEK_AUDIT_KEPT + 1);
	if (!err && needed)
		err = hand_on_all(sync, chains);
	/* Otherwise the next heartbeat goes on with it. */
	if (!err)
		sync->audit.spread = false;
	for (i = 0; i < STEK_STORES_MAX; i++)
		chain_free(&chains[i]);
}

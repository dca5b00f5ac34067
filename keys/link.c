// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link.c - one store among those that a node talks to: what it answered last,
 * what it holds, and what all of them together make of the node's state. A
 * store that answers counts, one that does not is waited for by nobody. Called
 * by the other files of the sync thread.
 */
#include <stdio.h>
#include <string.h>

#include "sync.h"

static enum stek_store_state state_of(int err)
{
	switch (err) {
	case STEK_EUNAVAILABLE:
	case STEK_ENOMEM:
		return STEK_STORE_UNAVAILABLE;
	case STEK_EREFUSED:
		return STEK_STORE_REFUSED;
	default:	/* absent, conflict, format: it answered */
		return STEK_STORE_OK;
	}
}

int stek__links_place(struct stek_sync *sync, size_t n,
		      const struct stek_farm_options *options)
{
	const char *url = options->store_url;
	size_t i, before;
	int err = 0;

	for (i = 0; i < n && !err; i++) {
		struct stek_link *link = &sync->links[i];

		if (options->stores)
			url = options->stores[i].url;
		err = stek__audit_place(link->place, url);
		/* The same once more is counted: a place is of one link. */
		for (before = 0; before < i; before++) {
			if (!memcmp(link->place, sync->links[before].place,
				    STEK_PLACE_LEN))
				link->place[STEK_PLACE_LEN - 1]++;
		}
	}
	return err;
}

static bool holds_nothing(const struct stek_ring *ring)
{
	return ring->version.epoch == 0 && ring->n_keys == 0 &&
	       ring->n_tombstones == 0 && ring->revoked_before_ms == 0;
}

bool stek__link_in_sync(const struct stek_sync *sync,
			const struct stek_link *link)
{
	const struct stek_ring *ours = stek__sync_ring(sync);

	if (link->state != STEK_STORE_OK || !link->known)
		return false;
	return link->empty ? holds_nothing(ours) :
			     stek_version_equal(&link->held, &ours->version);
}

void stek__link_holds(struct stek_sync *sync, struct stek_link *link,
		      const struct stek_version *version)
{
	if (!version && !(link->known && link->empty)) {
		link->empty_at_ms = stek__sync_mono(sync);
		sync->audit.spread = sync->n_links > 1;
	}
	link->known = true;
	link->empty = !version;
	if (version)
		link->held = *version;
	stek__link_refresh(sync);
}

static bool is_before(const struct stek_link *a, const struct stek_link *b)
{
	int places = memcmp(a->place, b->place, STEK_PLACE_LEN);

	return places ? places < 0 : a < b;
}

struct stek_link *stek__link_next(struct stek_sync *sync,
				  const struct stek_link *before)
{
	struct stek_link *next = NULL;
	size_t i;

	for (i = 0; i < sync->n_links; i++) {
		struct stek_link *link = &sync->links[i];

		if ((!before || is_before(before, link)) &&
		    (!next || is_before(link, next)))
			next = link;
	}
	return next;
}

void stek__link_unknown(struct stek_sync *sync, struct stek_link *link)
{
	link->known = false;
	stek__link_refresh(sync);
}

/* The best of what the stores are: one that answers is enough. */
static enum stek_store_state state_of_all(const struct stek_sync *sync)
{
	bool refused = false, tried = false;
	size_t i;

	for (i = 0; i < sync->n_links; i++) {
		if (sync->links[i].state == STEK_STORE_OK)
			return STEK_STORE_OK;
		refused = refused ||
			  sync->links[i].state == STEK_STORE_REFUSED;
		tried = tried ||
			sync->links[i].state == STEK_STORE_UNAVAILABLE;
	}
	if (refused)
		return STEK_STORE_REFUSED;
	return tried ? STEK_STORE_UNAVAILABLE : STEK_STORE_CONNECTING;
}

/*
 * In sync means that every store that answers holds our ring. A document that
 * nobody here can open is left alone; but no first key is made beside it, for
 * it may be the farm's ring under a farm key that this node lacks.
 */
void stek__link_refresh(struct stek_sync *sync)
{
	size_t i, same = 0, other = 0, bad = 0, empty = 0;
	bool found = false;

	for (i = 0; i < sync->n_links; i++) {
		struct stek_link *link = &sync->links[i];

		if (link->state != STEK_STORE_OK)
			continue;
		if (!found)
			sync->store = link->store;
		found = true;
		if (stek__link_in_sync(sync, link))
			same++;
		else if (link->has_bad)
			bad++;
		else
			other++;
		empty += link->known && link->empty;
	}
	if (!found)
		sync->store = sync->links[0].store;
	sync->state = state_of_all(sync);
	sync->absent = empty > 0 && holds_nothing(stek__sync_ring(sync));
	sync->has_bad = bad > 0 && same == 0;
	sync->in_sync = same > 0 && other == 0 && !(bad && sync->absent);
}

static void publish_status(struct stek_sync *sync, size_t i,
			   const char *detail, bool changed)
{
	struct stek_link *link = &sync->links[i];
	struct stek_status *status = &sync->status;
	struct stek_store_status *mine = &status->stores[i];
	int64_t now_ms = stek__sync_farm_ms(sync);
	size_t len = strlen(detail);

	if (len >= sizeof(mine->detail))
		len = sizeof(mine->detail) - 1;
	pthread_mutex_lock(&sync->lock);
	mine->state = link->state;
	if (changed)
		mine->since_ms = now_ms;
	if (link->state == STEK_STORE_OK)
		mine->ok_at_ms = status->store_ok_at_ms = now_ms;
	memcpy(mine->detail, detail, len);
	mine->detail[len] = '\0';
	if (status->store != sync->state)
		status->store_since_ms = now_ms;
	status->store = sync->state;
	if (sync->state == STEK_STORE_OK)
		status->store_detail[0] = '\0';
	else
		memcpy(status->store_detail, mine->detail,
		       sizeof(status->store_detail));
	pthread_mutex_unlock(&sync->lock);
}

static void tell_state(struct stek_sync *sync, size_t i, int err,
		       const char *detail)
{
	static const enum stek_event_kind kinds[] = {
		[STEK_STORE_OK] = STEK_EVENT_STORE_UP,
		[STEK_STORE_UNAVAILABLE] = STEK_EVENT_STORE_DOWN,
		[STEK_STORE_REFUSED] = STEK_EVENT_STORE_REFUSED,
	};
	enum stek_store_state state = sync->links[i].state;
	char text[sizeof(sync->status.store_detail) + 32];

	if (state == STEK_STORE_OK)
		err = 0;
	/* With one store there is nothing to tell apart. */
	if (sync->n_links > 1) {
		snprintf(text, sizeof(text), "store %zu%s%.*s", i + 1,
			 detail[0] ? ": " : "",
			 (int)sizeof(sync->status.store_detail), detail);
		detail = text;
	}
	stek__sync_event(sync, kinds[state], err, NULL, detail);
}

void stek__link_answered(struct stek_sync *sync, struct stek_link *link,
			 int err)
{
	enum stek_store_state state = state_of(err);
	bool changed = state != link->state;
	const char *detail = state == STEK_STORE_OK ? "" :
			     link->store->ops->detail(link->store);
	size_t i = (size_t)(link - sync->links);

	link->state = state;
	if (state == STEK_STORE_OK)
		stek__pace_answered(sync, link);
	else
		link->known = false;
	stek__link_refresh(sync);
	publish_status(sync, i, detail, changed);
	if (changed && state == STEK_STORE_OK && sync->n_links > 1)
		sync->audit.spread = true;
	if (changed)
		tell_state(sync, i, err, detail);
}

void stek__sync_answered(struct stek_sync *sync, int err)
{
	size_t i;

	for (i = 0; i < sync->n_links; i++) {
		if (sync->links[i].store == sync->store) {
			stek__link_answered(sync, &sync->links[i], err);
			return;
		}
	}
}

int64_t stek__link_due_ms(const struct stek_sync *sync)
{
	int64_t due_ms = sync->next_beat_ms;
	size_t i;

	for (i = 0; i < sync->n_links; i++) {
		if (sync->links[i].next_beat_ms < due_ms)
			due_ms = sync->links[i].next_beat_ms;
	}
	return due_ms;
}

/*
 * Whose turn it is. What we want told at once goes to those that answer; only
 * when none does are all of them tried.
 */
static bool is_due(const struct stek_sync *sync, const struct stek_link *link,
		   int64_t mono_ms, bool asked)
{
	if (mono_ms >= link->next_beat_ms)
		return true;
	return asked && (link->state == STEK_STORE_OK ||
			 sync->state != STEK_STORE_OK);
}

/* What a beat on one store changed must be told to the others. */
static bool all_told(const struct stek_sync *sync)
{
	const struct stek_version *ours = &stek__sync_ring(sync)->version;
	size_t i;

	for (i = 0; i < sync->n_links; i++) {
		if (sync->links[i].state == STEK_STORE_OK &&
		    !stek_version_equal(&sync->links[i].told, ours))
			return false;
	}
	return true;
}

/* Those that answered last come first: a dead one may take its time-out. */
void stek__link_beats(struct stek_sync *sync)
{
	int64_t mono_ms = stek__sync_mono(sync);
	bool asked = mono_ms >= sync->next_beat_ms;
	bool due[STEK_STORES_MAX] = { 0 }, first[STEK_STORES_MAX] = { 0 };
	size_t i, n = 0;

	for (i = 0; i < sync->n_links; i++) {
		due[i] = is_due(sync, &sync->links[i], mono_ms, asked);
		first[i] = sync->links[i].state == STEK_STORE_OK;
		n += due[i];
	}
	if (n == 0)
		return;
	if (asked)
		sync->next_beat_ms = INT64_MAX;
	for (i = 0; i < sync->n_links; i++) {
		if (due[i] && first[i])
			stek__member_beat(sync, &sync->links[i]);
	}
	for (i = 0; i < sync->n_links; i++) {
		if (due[i] && !first[i])
			stek__member_beat(sync, &sync->links[i]);
	}
	sync->paced = sync->slewed_at_ms != 0;
	mono_ms = stek__sync_mono(sync);
	if (!all_told(sync))
		sync->next_beat_ms = mono_ms;
	else if (sync->next_beat_ms <= mono_ms)
		sync->next_beat_ms = INT64_MAX;
}

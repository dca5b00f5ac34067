// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lag.c - watches that every live node acknowledges the ring. A scheduled key
 * is published two periods before it seals, so a node that beats but does not
 * take it (another farm key, a store that shows it an old copy) is told of hours
 * before its clients' tickets fail there. Called by sync.c.
 */
#include <stdio.h>
#include <stdlib.h>

#include "sync.h"

#define LOOKS_A_PERIOD 36	/* every 10 minutes of 6 hours */
#define LOOK_BEATS_MIN 10	/* well above the three that make a node live */
#define LOOK_MAX_MS (600 * 1000)

static int64_t gap_ms(const struct stek_sync *sync)
{
	const struct stek_policy *policy = &sync->farm->policy;
	int64_t least_ms = (int64_t)policy->beat_ms * LOOK_BEATS_MIN;
	int64_t gap = (int64_t)policy->period_s * 1000 / LOOKS_A_PERIOD;

	if (gap > LOOK_MAX_MS)
		gap = LOOK_MAX_MS;
	return gap > least_ms ? gap : least_ms;
}

/*
 * What we held at the last look was in the store then: a node that has beaten
 * since, and every live one has, heard of it.
 */
static bool lags(const struct stek_lag *lag, const struct stek_member *member)
{
	const struct stek_version *due = &lag->looked;

	if (!member->live || member->self)
		return false;
	if (member->version.epoch == due->epoch)
		return !stek_version_equal(&member->version, due);
	return member->version.epoch < due->epoch;
}

static void tell(struct stek_sync *sync, const char *first, uint32_t n)
{
	char detail[STEK_NAME_MAX + 96], more[32] = "";
	bool alarm = n > sync->lag.n;

	sync->lag.n = n;
	pthread_mutex_lock(&sync->lock);
	sync->status.lagging = n;
	pthread_mutex_unlock(&sync->lock);
	if (!alarm)
		return;
	if (n > 1)
		snprintf(more, sizeof(more), " and %u more", n - 1);
	snprintf(detail, sizeof(detail), "epoch %llu is not acknowledged by "
		 "%s%s", (unsigned long long)sync->lag.looked.epoch, first,
		 more);
	stek__sync_event(sync, STEK_EVENT_LAGGING, 0, NULL, detail);
}

static void look(struct stek_sync *sync)
{
	struct stek_member *members = NULL;
	const char *first = "";
	size_t i, n = 0;
	uint32_t lagging = 0;

	if (stek__member_list(sync, &members, &n))
		return;
	for (i = 0; i < n; i++) {
		if (!lags(&sync->lag, &members[i]))
			continue;
		if (lagging++ == 0)
			first = members[i].name;
	}
	tell(sync, first, lagging);
	free(members);
}

void stek__lag_step(struct stek_sync *sync)
{
	int64_t mono_ms = stek__sync_mono(sync);
	int64_t gap = gap_ms(sync);

	if (sync->lag.next_ms && mono_ms < sync->lag.next_ms)
		return;
	/* Nodes that began together look apart: 256 ask for 256 members. */
	if (!sync->lag.next_ms)
		gap += sync->farm->node_id % gap;
	sync->lag.next_ms = mono_ms + gap;
	if (!sync->in_sync || sync->absent || sync->state != STEK_STORE_OK)
		return;
	if (sync->lag.looked.epoch > 0)
		look(sync);
	sync->lag.looked = stek__sync_ring(sync)->version;
}

int64_t stek__lag_due_ms(const struct stek_sync *sync)
{
	return sync->lag.next_ms;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * astray.c - whether this machine's clock is farther off than farm time makes
 * up for. Such a node would make keys for slots that nobody else comes to for
 * hours, and delete those that the others still need, so it does neither.
 * When the others see the stores as far off as it does, the stores' clocks are
 * wrong and not this one: then the farm goes on by its own time. Called by
 * member.c after each exchange, asked by all that makes keys.
 */
#include <stdio.h>
#include <stdlib.h>

#include "sync.h"

#define LOOK_BEATS 10	/* between two looks at the others */

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* How far we are from the middle of all; nothing without the others. */
static int compare(const struct stek_member *members, size_t n, double ours_ms,
		   double *apart_ms)
{
	double *offsets_ms = calloc(n + 1, sizeof(*offsets_ms)), middle_ms;
	size_t i, used = 0;

	if (!offsets_ms)
		return STEK_ENOMEM;
	/* Our own heartbeat may say what was measured before. */
	offsets_ms[used++] = ours_ms;
	for (i = 0; i < n; i++) {
		if (members[i].live && !members[i].self)
			offsets_ms[used++] = members[i].clock_offset_ms;
	}
	qsort(offsets_ms, used, sizeof(*offsets_ms), ascending);
	middle_ms = (offsets_ms[(used - 1) / 2] + offsets_ms[used / 2]) / 2;
	free(offsets_ms);
	*apart_ms = ours_ms - middle_ms;
	return 0;
}

/*
 * Told when the second look says the same: when it is the stores' clock that
 * was set, the others' heartbeats say so a little later. While the others
 * cannot be read no keys are made, and the next exchange looks again.
 */
static void look(struct stek_sync *sync, double ours_ms)
{
	struct stek_member *members = NULL;
	char detail[96];
	bool before = sync->astray_seen;
	double apart_ms = 0;
	size_t n = 0;
	int err = stek__member_list(sync, &members, &n);

	if (!err)
		err = compare(members, n, ours_ms, &apart_ms);
	free(members);
	if (err) {
		sync->astray = true;
		sync->astray_look_ms = 0;
		return;
	}
	sync->astray_seen = apart_ms > STEK_CLOCK_CAP_MS ||
			    apart_ms < -STEK_CLOCK_CAP_MS;
	sync->astray = sync->astray_seen;
	if (!before || !sync->astray || sync->astray_told)
		return;
	sync->astray_told = true;
	snprintf(detail, sizeof(detail), "this machine's clock is off by %+.3f"
		 " s, so it makes no keys", -ours_ms / 1000);
	stek__sync_event(sync, STEK_EVENT_CLOCK, 0, NULL, detail);
}

static int64_t wall_ahead_ms(const struct stek_sync *sync)
{
	const struct stek_io *io = &sync->farm->io;

	return io->wall_ms(io->user) - io->mono_ms(io->user);
}

/*
 * The median follows a clock that was set only after some beats: what the
 * newest exchange adds is how far we have moved against its store since. How
 * far that store is from the others says nothing about us.
 */
static int64_t worst_us(const struct stek_sync *sync,
			const struct stek_link *link)
{
	size_t newest = (link->next_offset + STEK_OFFSETS - 1) % STEK_OFFSETS;
	int64_t middle_us = stek__pace_offset_us(sync);
	int64_t moved_us = middle_us + link->offsets_us[newest] -
			   stek__pace_link_us(link);

	/* In the others' terms, to be compared with theirs. */
	return stek__member_offset_us(llabs(moved_us) > llabs(middle_us) ?
				      moved_us : middle_us);
}

void stek__astray_look(struct stek_sync *sync, const struct stek_link *link)
{
	int64_t mono_ms = stek__sync_mono(sync);
	int64_t offset_us = worst_us(sync, link);

	sync->wall_ahead_ms = wall_ahead_ms(sync);
	if (llabs(offset_us) <= STEK_CLOCK_CAP_MS * 1000) {
		sync->astray = sync->astray_seen = sync->astray_told = false;
		sync->astray_look_ms = 0;
		return;
	}
	if (sync->astray_look_ms && mono_ms < sync->astray_look_ms)
		return;
	sync->astray_look_ms = mono_ms + (int64_t)sync->farm->policy.beat_ms *
			       LOOK_BEATS;
	look(sync, (double)offset_us / 1000);
}

bool stek__astray(const struct stek_sync *sync)
{
	int64_t set_ms = wall_ahead_ms(sync) - sync->wall_ahead_ms;

	return sync->astray || llabs(set_ms) > STEK_CLOCK_CAP_MS;
}

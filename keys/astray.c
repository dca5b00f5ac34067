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

/* How far we are from the middle of all; 0 without the others. */
static double apart_ms(const struct stek_member *members, size_t n,
		       double ours_ms)
{
	double *offsets_ms = calloc(n + 1, sizeof(*offsets_ms)), middle_ms;
	size_t i, used = 0;

	if (!offsets_ms)
		return 0;
	/* Our own heartbeat may say what was measured before. */
	offsets_ms[used++] = ours_ms;
	for (i = 0; i < n; i++) {
		if (members[i].live && !members[i].self)
			offsets_ms[used++] = members[i].clock_offset_ms;
	}
	qsort(offsets_ms, used, sizeof(*offsets_ms), ascending);
	middle_ms = (offsets_ms[(used - 1) / 2] + offsets_ms[used / 2]) / 2;
	free(offsets_ms);
	return ours_ms - middle_ms;
}

/*
 * Told when the second look says the same: when it is the stores' clock that
 * was set, the others' heartbeats say so a little later.
 */
static void look(struct stek_sync *sync, double ours_ms)
{
	struct stek_member *members = NULL;
	char detail[96];
	bool before = sync->astray;
	double apart;
	size_t n = 0;

	if (stek__member_list(sync, &members, &n))
		return;
	apart = apart_ms(members, n, ours_ms);
	free(members);
	sync->astray = apart > STEK_CLOCK_CAP_MS || apart < -STEK_CLOCK_CAP_MS;
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

/* The median follows a clock that was set only after some beats. */
static int64_t worst_us(const struct stek_sync *sync,
			const struct stek_link *link)
{
	size_t newest = (link->next_offset + STEK_OFFSETS - 1) % STEK_OFFSETS;
	int64_t newest_us = link->offsets_us[newest];
	int64_t middle_us = stek__pace_offset_us(sync);

	/* In the others' terms, to be compared with theirs. */
	return stek__member_offset_us(llabs(newest_us) > llabs(middle_us) ?
				      newest_us : middle_us);
}

void stek__astray_look(struct stek_sync *sync, const struct stek_link *link)
{
	int64_t mono_ms = stek__sync_mono(sync);
	int64_t offset_us = worst_us(sync, link);

	sync->wall_ahead_ms = wall_ahead_ms(sync);
	if (llabs(offset_us) <= STEK_CLOCK_CAP_MS * 1000) {
		sync->astray = sync->astray_told = false;
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

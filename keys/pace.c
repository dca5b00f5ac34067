// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pace.c - the clocks of the sync thread: the offset to the store's clock and
 * with it farm time, and when a store that did not answer is asked again.
 * Called by member.c and sync.c.
 */
#include <stdio.h>
#include <stdlib.h>

#include "sync.h"

#define OFFSET_CAP_MS 10000
#define ALARM_US 500000
#define CALM_US 400000
#define SLEW_PART 20	/* farm time runs at most a twentieth fast or slow */

static int ascending(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

int64_t stek__pace_offset_us(const struct stek_sync *sync)
{
	int64_t sorted[STEK_OFFSETS];
	size_t i, n = sync->n_offsets;

	if (n == 0)
		return 0;
	for (i = 0; i < n; i++)
		sorted[i] = sync->offsets_us[i];
	qsort(sorted, n, sizeof(sorted[0]), ascending);
	return n % 2 ? sorted[n / 2] :
		       (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

static void alarm_if_far(struct stek_sync *sync, int64_t offset_us)
{
	int64_t far_us = offset_us < 0 ? -offset_us : offset_us;
	char detail[96];

	if (sync->clock_alarm) {
		sync->clock_alarm = far_us > CALM_US;
		return;
	}
	if (far_us <= ALARM_US)
		return;
	sync->clock_alarm = true;
	snprintf(detail, sizeof(detail), "the store's clock is %+.3f s from"
		 " this machine's", (double)offset_us / 1e6);
	stek__sync_event(sync, STEK_EVENT_CLOCK, 0, NULL, detail);
}

void stek__pace_sample(struct stek_sync *sync, int64_t before_ms,
		       int64_t after_ms, const struct stek_pulse *pulse)
{
	int64_t store_us = pulse->store_now_ms * 1000 +
			   pulse->store_now_us_part;
	int64_t offset_us;

	sync->offsets_us[sync->next_offset] =
		store_us - (before_ms + after_ms) * 500;
	sync->next_offset = (sync->next_offset + 1) % STEK_OFFSETS;
	if (sync->n_offsets < STEK_OFFSETS)
		sync->n_offsets++;
	offset_us = stek__pace_offset_us(sync);
	pthread_mutex_lock(&sync->lock);
	sync->status.clock_known = true;
	sync->status.clock_offset_ms = (double)offset_us / 1000;
	pthread_mutex_unlock(&sync->lock);
	stek__pace_slew(sync);
	alarm_if_far(sync, offset_us);
}

/*
 * Farm time moves towards the store's in small steps, so that ages and times
 * stay in order from one beat to the next. The first measurement counts at
 * once: what it replaces was no measurement.
 */
void stek__pace_slew(struct stek_sync *sync)
{
	int64_t now_ms = stek__sync_mono(sync);
	int64_t target = stek__pace_offset_us(sync) / 1000;
	int64_t held = atomic_load_explicit(&sync->farm->offset_ms,
					    memory_order_relaxed);
	int64_t most = (now_ms - sync->slewed_at_ms) / SLEW_PART;

	if (sync->n_offsets == 0)
		return;
	if (target > OFFSET_CAP_MS)
		target = OFFSET_CAP_MS;
	if (target < -OFFSET_CAP_MS)
		target = -OFFSET_CAP_MS;
	if (sync->slewed_at_ms == 0)
		most = 2 * OFFSET_CAP_MS;
	if (most == 0)
		return;
	sync->slewed_at_ms = now_ms;
	if (target > held + most)
		target = held + most;
	if (target < held - most)
		target = held - most;
	atomic_store_explicit(&sync->farm->offset_ms, target,
			      memory_order_relaxed);
}

/* At first within half a beat, later within four; chance spreads the nodes. */
void stek__pace_retry(struct stek_sync *sync)
{
	uint32_t beat_ms = sync->farm->policy.beat_ms;
	uint32_t shift = sync->failures < 3 ? sync->failures : 3;
	uint32_t half_ms = (beat_ms << shift) / 4;

	sync->failures++;
	sync->next_beat_ms = stek__sync_mono(sync) + half_ms +
			     stek__sync_random(sync, half_ms + 1);
}

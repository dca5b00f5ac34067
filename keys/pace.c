// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pace.c - the clocks of the sync thread: the offset to the stores' clocks and
 * with it farm time, and when a store that did not answer is asked again.
 * Called by member.c, link.c and sync.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sync.h"

#define ALARM_US (STEK_CLOCK_ALARM_MS * 1000)
#define CALM_US (ALARM_US / 5 * 4)
#define SLEW_PART 20	/* farm time runs at most a twentieth fast or slow */

static int ascending(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int64_t median(int64_t *values, size_t n)
{
	if (n == 0)
		return 0;
	qsort(values, n, sizeof(values[0]), ascending);
	return n % 2 ? values[n / 2] :
		       (values[n / 2 - 1] + values[n / 2]) / 2;
}

int64_t stek__pace_link_us(const struct stek_link *link)
{
	int64_t values[STEK_OFFSETS];

	memcpy(values, link->offsets_us, sizeof(values));
	return median(values, link->n_offsets);
}

/*
 * The offsets of the stores that answer; of all that ever did when none does.
 * Returns their number.
 */
static size_t offsets_of(const struct stek_sync *sync,
			 int64_t out[STEK_STORES_MAX])
{
	bool reached = sync->state == STEK_STORE_OK;
	size_t i, n = 0;

	for (i = 0; i < sync->n_links; i++) {
		const struct stek_link *link = &sync->links[i];

		if (link->n_offsets == 0 ||
		    (reached && link->state != STEK_STORE_OK))
			continue;
		out[n++] = stek__pace_link_us(link);
	}
	return n;
}

/*
 * The same for every node that reaches the same stores, in whatever order it
 * names them: between two that disagree, the middle.
 */
int64_t stek__pace_offset_us(const struct stek_sync *sync)
{
	int64_t values[STEK_STORES_MAX];
	size_t n = offsets_of(sync, values);

	return median(values, n);
}

static int64_t spread_us(const struct stek_sync *sync)
{
	int64_t values[STEK_STORES_MAX];
	size_t n = offsets_of(sync, values);

	(void)median(values, n);
	return n ? values[n - 1] - values[0] : 0;
}

/* Told once, when it passes the alarm; over when it is well below. */
static void alarm_if_far(struct stek_sync *sync, bool *alarm, int64_t far_us,
			 const char *what)
{
	char detail[96];

	if (*alarm) {
		*alarm = llabs(far_us) > CALM_US;
		return;
	}
	if (llabs(far_us) <= ALARM_US)
		return;
	*alarm = true;
	snprintf(detail, sizeof(detail), "%s %+.3f s", what,
		 (double)far_us / 1e6);
	stek__sync_event(sync, STEK_EVENT_CLOCK, 0, NULL, detail);
}

static void publish_clock(struct stek_sync *sync)
{
	int64_t held_ms = atomic_load_explicit(&sync->farm->offset_ms,
					       memory_order_relaxed);
	double offset_ms = (double)stek__pace_offset_us(sync) / 1000;
	double spread_ms = (double)spread_us(sync) / 1000;
	struct stek_status *status = &sync->status;
	size_t i;

	pthread_mutex_lock(&sync->lock);
	status->clock_known = true;
	status->clock_offset_ms = offset_ms;
	status->clock_error_ms = offset_ms - (double)held_ms;
	status->clock_spread_ms = spread_ms;
	for (i = 0; i < sync->n_links; i++) {
		status->stores[i].clock_known = sync->links[i].n_offsets > 0;
		status->stores[i].clock_offset_ms =
			(double)stek__pace_link_us(&sync->links[i]) / 1000;
	}
	pthread_mutex_unlock(&sync->lock);
}

void stek__pace_sample(struct stek_link *link, int64_t before_ms,
		       int64_t after_ms, const struct stek_pulse *pulse)
{
	int64_t store_us = pulse->store_now_ms * 1000 +
			   pulse->store_now_us_part;

	link->offsets_us[link->next_offset] =
		store_us - (before_ms + after_ms) * 500;
	link->next_offset = (link->next_offset + 1) % STEK_OFFSETS;
	if (link->n_offsets < STEK_OFFSETS)
		link->n_offsets++;
}

/* This machine's clock may have been set since: then they mean nothing. */
void stek__pace_answered(struct stek_sync *sync, struct stek_link *link)
{
	int64_t mono_ms = stek__sync_mono(sync);
	int64_t old_ms = (int64_t)sync->farm->policy.beat_ms * STEK_OFFSETS;

	if (mono_ms - link->ok_ms > old_ms)
		link->n_offsets = link->next_offset = 0;
	link->ok_ms = mono_ms;
}

/*
 * Farm time moves towards the stores' in small steps, so that ages and times
 * stay in order from one beat to the next. The first measurements count at
 * once: what they replace was no measurement.
 */
void stek__pace_slew(struct stek_sync *sync)
{
	int64_t now_ms = stek__sync_mono(sync);
	int64_t offset_us = stek__pace_offset_us(sync);
	int64_t target = offset_us / 1000;
	int64_t held = atomic_load_explicit(&sync->farm->offset_ms,
					    memory_order_relaxed);
	int64_t most = (now_ms - sync->slewed_at_ms) / SLEW_PART;
	size_t i, samples = 0;

	for (i = 0; i < sync->n_links; i++)
		samples += sync->links[i].n_offsets;
	if (samples == 0)
		return;
	if (target > STEK_CLOCK_CAP_MS)
		target = STEK_CLOCK_CAP_MS;
	if (target < -STEK_CLOCK_CAP_MS)
		target = -STEK_CLOCK_CAP_MS;
	if (!sync->paced)
		most = 2 * STEK_CLOCK_CAP_MS;
	if (most > 0) {
		sync->slewed_at_ms = now_ms;
		if (target > held + most)
			target = held + most;
		if (target < held - most)
			target = held - most;
		atomic_store_explicit(&sync->farm->offset_ms, target,
				      memory_order_relaxed);
	}
	publish_clock(sync);
	alarm_if_far(sync, &sync->clock_alarm, offset_us,
		     "the stores' clock minus this machine's:");
	alarm_if_far(sync, &sync->spread_alarm, spread_us(sync),
		     "the stores' clocks differ by");
}

/*
 * At first within half a beat, later within four, or eight while another store
 * answers; chance spreads the nodes.
 */
void stek__pace_retry(struct stek_sync *sync, struct stek_link *link)
{
	uint32_t beat_ms = sync->farm->policy.beat_ms;
	uint32_t most = sync->state == STEK_STORE_OK ? 4 : 3;
	uint32_t shift = link->failures < most ? link->failures : most;
	uint32_t half_ms = (beat_ms << shift) / 4;

	link->failures++;
	link->next_beat_ms = stek__sync_mono(sync) + half_ms +
			     stek__sync_random(sync, half_ms + 1);
}

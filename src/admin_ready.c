/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_ready.c - whether a node should get new connections, and what goes
 * less well than it should. Judges facts that are passed in; admin_route.c and
 * admin_show.c tell the result.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "admin_route.h"

__attribute__((format(printf, 2, 3)))
static void add(struct admin_reasons *reasons, const char *format, ...)
{
	va_list args;

	if (reasons->n == ADMIN_REASONS_MAX)
		return;
	va_start(args, format);
	vsnprintf(reasons->text[reasons->n], sizeof(reasons->text[0]), format,
		  args);
	va_end(args);
	reasons->n++;
}

/*
 * Farm time takes care of a wrong clock up to the cap. Past it keys would be
 * paced wrongly here; and while farm time itself differs by more than tickets
 * tolerate between two nodes, none of the others' resumes here.
 */
static void judge_clock(const struct stek_status *status,
			struct admin_reasons *not_ready,
			struct admin_reasons *degraded)
{
	bool past_cap = fabs(status->clock_offset_ms) > STEK_CLOCK_CAP_MS;
	bool astray = fabs(status->clock_error_ms) > STEK_CLOCK_ERROR_MAX_MS;

	if (!status->clock_known)
		return;
	if (past_cap)
		add(not_ready, "clock: off by %+.3f s",
		    -status->clock_offset_ms / 1e3);
	else if (astray)
		add(not_ready, "clock: farm time is off by %+.3f s",
		    -status->clock_error_ms / 1e3);
	else if (fabs(status->clock_offset_ms) > STEK_CLOCK_ALARM_MS)
		add(degraded, "clock: off by %+.3f s",
		    -status->clock_offset_ms / 1e3);
	if (status->clock_spread_ms > STEK_CLOCK_ALARM_MS)
		add(degraded, "clocks of the stores differ by %.3f s",
		    status->clock_spread_ms / 1e3);
}

static void judge_stores(const struct stek_status *status,
			 struct admin_reasons *degraded)
{
	size_t i;

	if (status->store != STEK_STORE_OK) {
		add(degraded, "store not reached");
		return;
	}
	for (i = 0; i < status->n_stores; i++) {
		if (status->stores[i].state != STEK_STORE_OK)
			add(degraded, "store %zu not reached", i + 1);
	}
}

void admin_judge(const struct admin_facts *facts,
		 struct admin_reasons *not_ready,
		 struct admin_reasons *degraded)
{
	not_ready->n = degraded->n = 0;
	if (facts->draining)
		add(not_ready, "draining");
	if (facts->n_keys == 0)
		add(degraded, "no ring");
	if (!facts->can_seal)
		add(degraded, "no key may seal");
	judge_stores(&facts->status, degraded);
	if (facts->status.lagging > 0)
		add(degraded, "%u live node(s) do not take the ring",
		    facts->status.lagging);
	if (facts->status.same_name)
		add(degraded, "another process has this node's name");
	judge_clock(&facts->status, not_ready, degraded);
}

static struct admin_facts collect(struct node *node)
{
	struct admin_facts facts = { .draining = node->draining };
	struct stek_ring_info ring;

	stek_farm_ring(node->farm, &ring);
	facts.n_keys = ring.n_keys;
	facts.can_seal = stek_farm_can_seal(node->farm);
	stek_farm_status(node->farm, &facts.status);
	return facts;
}

void admin_ready(struct node *node, struct admin_reasons *not_ready,
		 struct admin_reasons *degraded)
{
	struct admin_facts facts = collect(node);

	admin_judge(&facts, not_ready, degraded);
}

unsigned admin_trouble(const struct admin_facts *facts)
{
	const struct stek_status *status = &facts->status;
	bool clock = status->clock_known &&
		(fabs(status->clock_offset_ms) > STEK_CLOCK_CAP_MS ||
		 fabs(status->clock_error_ms) > STEK_CLOCK_ERROR_MAX_MS);
	bool store = status->store != STEK_STORE_OK;
	size_t i;

	for (i = 0; i < status->n_stores; i++)
		store |= status->stores[i].state != STEK_STORE_OK;
	return (unsigned)facts->draining << TROUBLE_DRAINING |
	       (unsigned)clock << TROUBLE_CLOCK |
	       (unsigned)(facts->n_keys == 0) << TROUBLE_NO_RING |
	       (unsigned)!facts->can_seal << TROUBLE_NO_KEY |
	       (unsigned)store << TROUBLE_STORE |
	       (unsigned)(status->lagging > 0) << TROUBLE_LAGGING |
	       (unsigned)status->same_name << TROUBLE_NAME;
}

void admin_note(struct node *node)
{
	struct admin_facts facts = collect(node);

	node->trouble = admin_trouble(&facts);
}

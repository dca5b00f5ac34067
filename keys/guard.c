// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * guard.c - hazard pointers for the ring snapshot. Ticket callbacks enter and
 * leave on any thread; the sync thread alone swaps.
 */
#include "guard.h"

#include <sched.h>
#include <time.h>

/* A reader that lost its core in the middle keeps the writer for a moment. */
#define YIELDS 64
#define NAP_NS 50000

/*
 * Where this thread looks for a slot first. Each thread starts elsewhere and
 * comes back to the slot it had, so that slots do not travel between cores.
 */
static _Thread_local unsigned hint;
static _Thread_local bool hinted;
static atomic_uint next_hint;

void stek__guard_init(struct stek_guard *guard, struct stek_ring *ring)
{
	atomic_init(&guard->current, ring);
	for (size_t i = 0; i < STEK_GUARD_SLOTS; i++) {
		atomic_init(&guard->slots[i].ring, NULL);
		atomic_init(&guard->slots[i].taken, false);
	}
}

static unsigned claim(struct stek_guard *guard)
{
	if (!hinted) {
		hint = atomic_fetch_add_explicit(&next_hint, 1,
						 memory_order_relaxed);
		hint %= STEK_GUARD_SLOTS;
		hinted = true;
	}
	for (unsigned n = 0; ; n++) {
		unsigned i = (hint + n) % STEK_GUARD_SLOTS;

		if (!atomic_exchange_explicit(&guard->slots[i].taken, true,
					      memory_order_acquire)) {
			hint = i;
			return i;
		}
		/* More readers at once than slots: one of them is done soon. */
		if (n % STEK_GUARD_SLOTS == STEK_GUARD_SLOTS - 1)
			sched_yield();
	}
}

const struct stek_ring *stek__guard_enter(struct stek_guard *guard,
					  unsigned *slot)
{
	unsigned i = claim(guard);
	struct stek_ring *ring = atomic_load(&guard->current);

	/*
	 * The store to the slot and the second load of `current` are ordered
	 * against the writer's exchange and its loads of the slots (all
	 * sequentially consistent): either the writer sees our claim and waits,
	 * or we see its new ring and try again.
	 */
	for (;;) {
		struct stek_ring *again;

		atomic_store(&guard->slots[i].ring, ring);
		again = atomic_load(&guard->current);
		if (again == ring)
			break;
		ring = again;
	}
	*slot = i;
	return ring;
}

void stek__guard_leave(struct stek_guard *guard, unsigned slot)
{
	atomic_store_explicit(&guard->slots[slot].ring, NULL,
			      memory_order_release);
	atomic_store_explicit(&guard->slots[slot].taken, false,
			      memory_order_release);
}

static void wait_for(const struct stek_guard_slot *slot,
		     const struct stek_ring *old)
{
	const struct timespec nap = { .tv_nsec = NAP_NS };

	for (unsigned n = 0; atomic_load(&slot->ring) == old; n++) {
		if (n < YIELDS)
			sched_yield();
		else
			nanosleep(&nap, NULL);
	}
}

struct stek_ring *stek__guard_swap(struct stek_guard *guard,
				   struct stek_ring *ring)
{
	struct stek_ring *old = atomic_exchange(&guard->current, ring);

	/* Nothing was replaced; readers may hold it as long as they like. */
	if (old == ring || !old)
		return old;
	for (size_t i = 0; i < STEK_GUARD_SLOTS; i++)
		wait_for(&guard->slots[i], old);
	return old;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guard.h - one snapshot pointer that many threads read without a lock and one
 * thread replaces. A reader claims a slot, publishes the pointer that it uses
 * there (a hazard pointer) and clears it when done; the writer swaps, then
 * waits until no slot names the old one. After stek__guard_swap() every later
 * read, on any thread, sees the new ring, and nobody uses the old: that moment
 * is what a node acknowledges.
 */
#ifndef STEK_GUARD_H
#define STEK_GUARD_H

#include <stdatomic.h>

#include "ring.h"

#define STEK_GUARD_SLOTS 128

struct stek_guard_slot {
	_Alignas(64) _Atomic(struct stek_ring *) ring;
	atomic_bool taken;
};

struct stek_guard {
	_Atomic(struct stek_ring *) current;
	struct stek_guard_slot slots[STEK_GUARD_SLOTS];
};

void stek__guard_init(struct stek_guard *guard, struct stek_ring *ring);

/* The current ring, held until stek__guard_leave(). No lock, no allocation. */
const struct stek_ring *stek__guard_enter(struct stek_guard *guard,
					  unsigned *slot);
void stek__guard_leave(struct stek_guard *guard, unsigned slot);

/*
 * Installs `ring` (takes over the caller's reference) and returns the former
 * one, unused by then; the caller unrefs it. One thread only.
 */
struct stek_ring *stek__guard_swap(struct stek_guard *guard,
				   struct stek_ring *ring);

#endif

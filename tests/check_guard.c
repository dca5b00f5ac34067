// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_guard.c - the snapshot pointer under threads: no reader ever sees a
 * ring that the writer has taken back, and after a swap everybody sees the new.
 * Worth most under ThreadSanitizer.
 */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "guard.h"

#define READERS 4
#define SWAPS 500	/* at least, and until the readers have read */
#define READS 2000
#define DEAD UINT64_MAX

static struct stek_guard guard;
static atomic_ullong published;	/* epoch that a swap has completed for */
static atomic_uint reads;
static atomic_bool stop;

static struct stek_ring *ring_new(uint64_t epoch)
{
	struct stek_ring *ring = NULL;

	ck_assert_int_eq(stek__ring_new(&ring, epoch, NULL, 0, NULL, 0, 0), 0);
	return ring;
}

/* Entering gives the installed ring, and a swap gives the former one back. */
START_TEST(test_swap_returns_former)
{
	struct stek_ring *a = ring_new(1);
	struct stek_ring *b = ring_new(2);
	unsigned slot;

	stek__guard_init(&guard, a);
	ck_assert_ptr_eq(stek__guard_enter(&guard, &slot), a);
	stek__guard_leave(&guard, slot);
	ck_assert_ptr_eq(stek__guard_swap(&guard, b), a);
	ck_assert_ptr_eq(stek__guard_enter(&guard, &slot), b);
	stek__guard_leave(&guard, slot);
	ck_assert_ptr_eq(stek__guard_swap(&guard, NULL), b);
	ck_assert_ptr_null(stek__guard_enter(&guard, &slot));
	stek__guard_leave(&guard, slot);
	stek__ring_unref(a);
	stek__ring_unref(b);
}
END_TEST

/* Installing the same ring again does not wait for its readers. */
START_TEST(test_swap_with_itself_does_not_wait)
{
	struct stek_ring *ring = ring_new(1);
	unsigned slot;

	stek__guard_init(&guard, ring);
	(void)stek__guard_enter(&guard, &slot);
	ck_assert_ptr_eq(stek__guard_swap(&guard, stek__ring_ref(ring)), ring);
	stek__guard_leave(&guard, slot);
	stek__ring_unref(ring);
	stek__ring_unref(ring);
}
END_TEST

/* One thread may hold every slot at once, each its own. */
START_TEST(test_slots_are_distinct)
{
	struct stek_ring *ring = ring_new(1);
	bool seen[STEK_GUARD_SLOTS] = { false };
	unsigned slots[STEK_GUARD_SLOTS];

	stek__guard_init(&guard, ring);
	for (int i = 0; i < STEK_GUARD_SLOTS; i++) {
		ck_assert_ptr_eq(stek__guard_enter(&guard, &slots[i]), ring);
		ck_assert_uint_lt(slots[i], STEK_GUARD_SLOTS);
		ck_assert(!seen[slots[i]]);
		seen[slots[i]] = true;
	}
	for (int i = 0; i < STEK_GUARD_SLOTS; i++)
		stek__guard_leave(&guard, slots[i]);
	stek__ring_unref(ring);
}
END_TEST

static void *hold_one(void *arg)
{
	unsigned *slot = arg;

	return (void *)(uintptr_t)stek__guard_enter(&guard, slot);
}

/* A reader that finds all slots taken gets one as soon as one is left. */
START_TEST(test_full_slots_are_waited_for)
{
	struct stek_ring *ring = ring_new(1);
	unsigned slots[STEK_GUARD_SLOTS];
	pthread_t thread;
	unsigned late;
	void *seen;

	stek__guard_init(&guard, ring);
	for (int i = 0; i < STEK_GUARD_SLOTS; i++)
		(void)stek__guard_enter(&guard, &slots[i]);
	ck_assert_int_eq(pthread_create(&thread, NULL, hold_one, &late), 0);
	sched_yield();
	stek__guard_leave(&guard, slots[77]);
	ck_assert_int_eq(pthread_join(thread, &seen), 0);
	ck_assert_ptr_eq(seen, ring);
	ck_assert_uint_eq(late, slots[77]);
	stek__ring_unref(ring);
}
END_TEST

static void *read_rings(void *arg)
{
	uintptr_t bad = 0;

	(void)arg;
	for (unsigned n = 1; !atomic_load(&stop); n++) {
		unsigned long long least = atomic_load(&published);
		unsigned outer, inner;
		const struct stek_ring *a = stek__guard_enter(&guard, &outer);
		const struct stek_ring *b = stek__guard_enter(&guard, &inner);

		/* Neither taken back, nor older than what was acknowledged. */
		bad += a->version.epoch == DEAD || b->version.epoch == DEAD;
		bad += a->version.epoch < least || b->version.epoch < least;
		bad += b->version.epoch < a->version.epoch;
		stek__guard_leave(&guard, inner);
		bad += a->version.epoch == DEAD;
		stek__guard_leave(&guard, outer);
		atomic_fetch_add(&reads, 1);
		/* Rather here than while holding a ring. */
		if (n % 16 == 0)
			sched_yield();
	}
	return (void *)bad;
}

/* While the ring changes, no reader uses an old one after its swap returned. */
START_TEST(test_readers_never_see_a_retired_ring)
{
	pthread_t readers[READERS];

	stek__guard_init(&guard, ring_new(1));
	for (int i = 0; i < READERS; i++)
		ck_assert_int_eq(pthread_create(&readers[i], NULL, read_rings,
						NULL), 0);
	for (uint64_t epoch = 2; epoch < SWAPS || atomic_load(&reads) < READS;
	     epoch++) {
		struct stek_ring *old;

		old = stek__guard_swap(&guard, ring_new(epoch));
		atomic_store(&published, epoch);
		/* ThreadSanitizer calls this a race if a reader is still there. */
		old->version.epoch = DEAD;
		stek__ring_unref(old);
		if (epoch % 8 == 0)
			sched_yield();
	}
	atomic_store(&stop, true);
	for (int i = 0; i < READERS; i++) {
		void *bad;

		ck_assert_int_eq(pthread_join(readers[i], &bad), 0);
		ck_assert_ptr_null(bad);
	}
	stek__ring_unref(stek__guard_swap(&guard, NULL));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("guard");
	TCase *one = tcase_create("one thread");
	TCase *many = tcase_create("threads");
	SRunner *runner;
	int failed;

	tcase_add_test(one, test_swap_returns_former);
	tcase_add_test(one, test_swap_with_itself_does_not_wait);
	tcase_add_test(one, test_slots_are_distinct);
	suite_add_tcase(suite, one);
	tcase_set_timeout(many, 120);
	tcase_add_test(many, test_full_slots_are_waited_for);
	tcase_add_test(many, test_readers_never_see_a_retired_ring);
	suite_add_tcase(suite, many);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

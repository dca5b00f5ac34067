/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * life.c - the number of this life of the process, in a page that the kernel
 * wipes in every child (MADV_WIPEONFORK), those of a bare clone(2) included,
 * which pthread_atfork(3) never hears of. Whoever finds the page wiped writes
 * the next number, counted in memory that a child inherits: so no child has a
 * number that its parent had when they parted. Called by nonce.c.
 */
#include "life.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Atomic uint64_t *now;		/* in that page */
static _Atomic uint64_t lives;

static void map_page(void)
{
	size_t len = (size_t)sysconf(_SC_PAGESIZE);
	void *page = mmap(NULL, len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return;
	if (madvise(page, len, MADV_WIPEONFORK) != 0) {
		munmap(page, len);
		return;
	}
	now = page;
}

uint64_t stek__life(void)
{
	uint64_t life, next;

	pthread_once(&once, map_page);
	if (!now)
		return 0;
	life = atomic_load_explicit(now, memory_order_relaxed);
	if (life)
		return life;
	next = atomic_fetch_add(&lives, 1) + 1;
	/* Another thread of this child may have been quicker: its number. */
	return atomic_compare_exchange_strong(now, &life, next) ? next : life;
}

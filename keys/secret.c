// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * secret.c - the arena for key bytes. Pages come from memfd_secret(2), which
 * no other process, not even root by ptrace or /proc/PID/mem, can read; where
 * the kernel lacks it, from locked anonymous pages. Small blocks share a page
 * run; a block above a run's size gets one of its own, and the last of these
 * stay for the next. Keys, farm keys and the buffers that documents are opened
 * in live here.
 */
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <stek.h>

#define GRANULE 32
#define RUN_LEN (16 * 1024)
#define RUN_GRANULES (RUN_LEN / GRANULE)

/*
 * Whole runs that stay mapped when they are free. The first touch of a page of
 * memfd_secret(2) takes it out of the kernel's own map, for which every core
 * is interrupted: each ring that comes would stop all workers a dozen times.
 * Opening a document takes two buffers at once.
 */
#define SPARES 2

struct run {
	struct run *next;
	uint8_t *base;
	size_t len;
	size_t used;			/* granules in use; 1: the whole */
	uint64_t map[RUN_GRANULES / 64];	/* only of a shared run */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
static struct run *runs;
static atomic_bool unlocked;

bool stek__secret_locked(void)
{
	return !atomic_load_explicit(&unlocked, memory_order_relaxed);
}

void stek__wipe(void *p, size_t len)
{
	if (len > 0)
		explicit_bzero(p, len);
}

bool stek__equal(const void *a, const void *b, size_t len)
{
	const volatile uint8_t *x = a;
	const volatile uint8_t *y = b;
	unsigned differ = 0;

	for (size_t i = 0; i < len; i++)
		differ |= (unsigned)(x[i] ^ y[i]);
	return differ == 0;
}

bool stek__is_zero(const void *p, size_t len)
{
	const volatile uint8_t *x = p;
	unsigned any = 0;

	for (size_t i = 0; i < len; i++)
		any |= x[i];
	return any == 0;
}

int stek__random(void *p, size_t len)
{
	uint8_t *at = p;
	size_t left = len;

	while (left > 0) {
		ssize_t n = getrandom(at, left, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			stek__wipe(p, len);
			return STEK_ERANDOM;
		}
		at += n;
		left -= (size_t)n;
	}
	return 0;
}

/*
 * After fork secretmem pages are missing in the child (MADV_DONTFORK): a shared
 * mapping cannot be wiped by the kernel as a private one can. Zero pages are
 * put in their place, so that a child which closes its farm does not crash,
 * and one which seals finds a zero secret and refuses.
 */
static void fork_prepare(void)
{
	pthread_mutex_lock(&lock);
}

static void fork_parent(void)
{
	pthread_mutex_unlock(&lock);
}

static void fork_child(void)
{
	for (struct run *run = runs; run; run = run->next) {
		void *base = mmap(run->base, run->len, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				  0);

		/* The child's own secrets will lie here. */
		if (base == MAP_FAILED ||
		    madvise(base, run->len, MADV_DONTDUMP) != 0 ||
		    madvise(base, run->len, MADV_WIPEONFORK) != 0 ||
		    mlock(base, run->len) != 0)
			atomic_store_explicit(&unlocked, true,
					      memory_order_relaxed);
	}
	pthread_mutex_unlock(&lock);
}

static void watch_fork(void)
{
	pthread_atfork(fork_prepare, fork_parent, fork_child);
}

static void *map_secretmem(size_t len)
{
#ifdef SYS_memfd_secret
	int fd = (int)syscall(SYS_memfd_secret, (unsigned long)O_CLOEXEC);
	void *base = MAP_FAILED;

	if (fd < 0)
		return MAP_FAILED;
	if (ftruncate(fd, (off_t)len) == 0)
		base = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			    0);
	close(fd);
	return base;
#else
	(void)len;
	return MAP_FAILED;
#endif
}

static void *map_locked(size_t len)
{
	void *base = mmap(NULL, len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (base == MAP_FAILED)
		return base;
	if (mlock(base, len) != 0)
		atomic_store_explicit(&unlocked, true, memory_order_relaxed);
	return base;
}

static void *map_pages(size_t len)
{
	void *base = map_secretmem(len);
	int in_child = MADV_DONTFORK;

	/* The kernel wipes private pages in every child, clone()d ones too. */
	if (base == MAP_FAILED) {
		base = map_locked(len);
		in_child = MADV_WIPEONFORK;
	}
	if (base == MAP_FAILED)
		return NULL;
	/*
	 * Without these two the secret could reach a core file or a child:
	 * then rather no memory.
	 */
	if (madvise(base, len, MADV_DONTDUMP) != 0 ||
	    madvise(base, len, in_child) != 0) {
		munmap(base, len);
		return NULL;
	}
	return base;
}

static struct run *run_new(size_t len)
{
	struct run *run = calloc(1, sizeof(*run));

	if (!run)
		return NULL;
	run->base = map_pages(len);
	if (!run->base) {
		free(run);
		return NULL;
	}
	run->len = len;
	run->next = runs;
	runs = run;
	return run;
}

static bool is_taken(const struct run *run, size_t granule)
{
	return run->map[granule / 64] >> granule % 64 & 1;
}

static void mark(struct run *run, size_t first, size_t count)
{
	for (size_t i = first; i < first + count; i++)
		run->map[i / 64] ^= UINT64_C(1) << i % 64;
}

static void *run_take(struct run *run, size_t count)
{
	size_t free_in_a_row = 0;

	if (run->len != RUN_LEN || RUN_GRANULES - run->used < count)
		return NULL;
	for (size_t i = 0; i < RUN_GRANULES; i++) {
		free_in_a_row = is_taken(run, i) ? 0 : free_in_a_row + 1;
		if (free_in_a_row < count)
			continue;
		mark(run, i + 1 - count, count);
		run->used += count;
		return run->base + (i + 1 - count) * GRANULE;
	}
	return NULL;
}

static void *take_shared(size_t len)
{
	size_t count = (len + GRANULE - 1) / GRANULE;
	struct run *run;
	void *p;

	for (run = runs; run; run = run->next) {
		p = run_take(run, count);
		if (p)
			return p;
	}
	run = run_new(RUN_LEN);
	return run ? run_take(run, count) : NULL;
}

static bool is_spare(const struct run *run)
{
	return run->len != RUN_LEN && !run->used;
}

static void *take_whole(size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	/* One page more than needed keeps its length unlike a shared run's. */
	size_t rounded = (len + page - 1) / page * page;
	struct run *run;

	if (rounded == RUN_LEN)
		rounded += page;
	for (run = runs; run; run = run->next) {
		if (is_spare(run) && run->len >= rounded)
			break;
	}
	if (!run)
		run = run_new(rounded);
	if (!run)
		return NULL;
	run->used = 1;
	return run->base;
}

void *stek__secret_alloc(size_t len)
{
	void *p;

	if (len == 0 || len > STEK_SECRET_MAX)
		return NULL;
	pthread_once(&fork_once, watch_fork);
	pthread_mutex_lock(&lock);
	p = len <= RUN_LEN / 4 ? take_shared(len) : take_whole(len);
	pthread_mutex_unlock(&lock);
	return p;
}

static void run_end(struct run **link)
{
	struct run *run = *link;

	*link = run->next;
	munmap(run->base, run->len);
	free(run);
}

/* Of too many the smallest goes: the others serve in its place. */
static void keep_spares(void)
{
	struct run **least = NULL;
	size_t n = 0;

	for (struct run **link = &runs; *link; link = &(*link)->next) {
		if (!is_spare(*link))
			continue;
		n++;
		if (!least || (*link)->len < (*least)->len)
			least = link;
	}
	if (n > SPARES)
		run_end(least);
}

static size_t count_shared(void)
{
	size_t n = 0;

	for (const struct run *run = runs; run; run = run->next)
		n += run->len == RUN_LEN;
	return n;
}

static void run_give(struct run **link, void *p, size_t len)
{
	struct run *run = *link;
	size_t count = (len + GRANULE - 1) / GRANULE;

	stek__wipe(p, len);
	if (run->len != RUN_LEN) {
		run->used = 0;
		keep_spares();
		return;
	}
	mark(run, (size_t)((uint8_t *)p - run->base) / GRANULE, count);
	run->used -= count;
	/* The last shared run stays: keys come and go every period. */
	if (!run->used && count_shared() > 1)
		run_end(link);
}

void stek__secret_free(void *p, size_t len)
{
	uint8_t *at = p;

	if (!p)
		return;
	pthread_mutex_lock(&lock);
	for (struct run **link = &runs; *link; link = &(*link)->next) {
		if (at >= (*link)->base && at < (*link)->base + (*link)->len) {
			run_give(link, p, len);
			break;
		}
	}
	pthread_mutex_unlock(&lock);
}

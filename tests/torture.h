/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * torture.h - the n-th allocation of one thread fails, for every n until the
 * run under test needs no n-th. With fault.h's, realloc() and strdup() are
 * ours; wolfSSL and hiredis are linked from their archives, so theirs come here
 * too. A test that includes it is linked with $(TORTURE_WRAP).
 */
#ifndef STEK_TESTS_TORTURE_H
#define STEK_TESTS_TORTURE_H

#include <check.h>
#include <stdio.h>

#include "fault.h"

/* No run needs as many: the loop would never end. */
#define TORTURE_MOST 20000

void *__real_realloc(void *p, size_t len);
char *__real_strdup(const char *text);
void *__wrap_realloc(void *p, size_t len);
char *__wrap_strdup(const char *text);

void *__wrap_realloc(void *p, size_t len)
{
	return fault_now() ? NULL : __real_realloc(p, len);
}

char *__wrap_strdup(const char *text)
{
	return fault_now() ? NULL : __real_strdup(text);
}

/*
 * Check allocates too, and must not fail: a test that asserts in between lets
 * faults happen in the code under test alone.
 */
static _Thread_local unsigned torture_left;

static inline void torture_begin(unsigned n)
{
	fault_arm(0);
	torture_left = n;
}

static inline void torture_on(void)
{
	fault_left = torture_left;
}

static inline void torture_off(void)
{
	torture_left = fault_left;
	fault_left = 0;
}

/* True if the fault was met. */
static inline bool torture_end(void)
{
	torture_left = 0;
	return fault_disarm();
}

/*
 * run() arms `n` for what it tests, disarms, and checks what must hold; true if
 * the fault was met. Each n at least once, `least` in all.
 */
static inline void torture(bool (*run)(unsigned n), unsigned least,
			   const char *what)
{
	unsigned n = 1;

	while (run(n)) {
		n++;
		ck_assert_uint_lt(n, TORTURE_MOST);
	}
	printf("%s: %u faults, each alone\n", what, n - 1);
	ck_assert_uint_ge(n - 1, least);
}

#endif

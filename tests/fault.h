/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fault.h - makes the n-th allocation fail. A test that includes it is linked
 * with -Wl,--wrap=malloc,--wrap=calloc,--wrap=stek__secret_alloc, so the calls
 * of the code under test come here first. Only the thread that arms it meets it.
 */
#ifndef STEK_TESTS_FAULT_H
#define STEK_TESTS_FAULT_H

#include <stdbool.h>
#include <stddef.h>

static _Thread_local unsigned fault_left;	/* 0: unarmed */
static _Thread_local bool fault_hit;

/* The n-th allocation from now fails, and that one alone. */
static inline void fault_arm(unsigned n)
{
	fault_left = n;
	fault_hit = false;
}

/* True if it came to that. */
static inline bool fault_disarm(void)
{
	fault_left = 0;
	return fault_hit;
}

static inline bool fault_now(void)
{
	if (fault_left == 0 || --fault_left > 0)
		return false;
	fault_hit = true;
	return true;
}

void *__real_malloc(size_t len);
void *__real_calloc(size_t n, size_t len);
void *__real_stek__secret_alloc(size_t len);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t n, size_t len);
void *__wrap_stek__secret_alloc(size_t len);

void *__wrap_malloc(size_t len)
{
	return fault_now() ? NULL : __real_malloc(len);
}

void *__wrap_calloc(size_t n, size_t len)
{
	return fault_now() ? NULL : __real_calloc(n, len);
}

void *__wrap_stek__secret_alloc(size_t len)
{
	return fault_now() ? NULL : __real_stek__secret_alloc(len);
}

#endif

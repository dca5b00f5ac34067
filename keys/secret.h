/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * secret.h - the one allocator for secret bytes: pages locked in memory, left
 * out of core dumps, wiped in a child after fork, and wiped when freed.
 */
#ifndef STEK_SECRET_H
#define STEK_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STEK_SECRET_MAX (64 * 1024)

/* Zeroed bytes (1 to STEK_SECRET_MAX), or NULL. Thread-safe. */
void *stek__secret_alloc(size_t len);

/* Wipes and frees; NULL is legal. `len` is the one that was allocated. */
void stek__secret_free(void *p, size_t len);

/*
 * True while every page so far could be locked in memory. False once
 * RLIMIT_MEMLOCK was too small: such pages may reach the swap.
 */
bool stek__secret_locked(void);

/* Overwrites `len` bytes in a way that the compiler keeps. */
void stek__wipe(void *p, size_t len);

/* Random bytes from the kernel; 0 or STEK_ERANDOM. Thread-safe. */
int stek__random(void *p, size_t len) __attribute__((warn_unused_result));

/* Constant-time comparison. */
bool stek__equal(const void *a, const void *b, size_t len);

/*
 * True if all bytes are zero, in constant time. A secret is never zero but in
 * a forked child, where it was wiped: refuse to seal with it.
 */
bool stek__is_zero(const void *p, size_t len);

#endif

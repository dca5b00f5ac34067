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

/* Zeroed bytes (at most 4096), or NULL. Thread-safe. */
void *stek__secret_alloc(size_t len);

/* Wipes and frees; NULL is legal. */
void stek__secret_free(void *p, size_t len);

/* Overwrites `len` bytes in a way that the compiler keeps. */
void stek__wipe(void *p, size_t len);

/* Random bytes from the kernel; 0 or STEK_ERANDOM. Thread-safe. */
int stek__random(void *p, size_t len) __attribute__((warn_unused_result));

/* Constant-time comparison. */
bool stek__equal(const void *a, const void *b, size_t len);

#endif

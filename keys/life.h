/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * life.h - tells a process from the one that it was forked from, for whatever
 * must not be used by both.
 */
#ifndef STEK_LIFE_H
#define STEK_LIFE_H

#include <stdint.h>

/*
 * A number that stays the same as long as the process lives and is another in
 * every child of fork(2) and clone(2), without a system call but for the first.
 * 0: this kernel cannot tell. Thread-safe, without a lock but in the first.
 */
uint64_t stek__life(void);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * deadline.h - ends HTTP connections that take too long, for admin.c and for
 * stekctl dashboard. Implemented by admin_deadline.c.
 */
#ifndef STEKD_DEADLINE_H
#define STEKD_DEADLINE_H

#include <stdint.h>

/*
 * Deadlines of connections. libmicrohttpd's time-out counts silence only: one
 * byte a second outlives it. This list knows when each connection must be done
 * and shuts its socket down otherwise.
 */
struct deadlines;
struct deadline;

struct deadlines *deadlines_new(uint32_t limit_ms);
void deadlines_free(struct deadlines *deadlines);	/* none may be left */

/* NULL without memory, which the others take. The clock runs from now. */
struct deadline *deadline_add(struct deadlines *deadlines, int fd);
void deadline_restart(struct deadline *deadline);
void deadline_pause(struct deadline *deadline);	/* we work, it waits */
void deadline_remove(struct deadline *deadline);	/* before close(fd) */

#endif

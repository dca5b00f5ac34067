/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * course.h - what became of the connections, period by period: the seconds of a
 * measurement, or its eras (what began between two events). One thread's own,
 * merged at the end.
 */
#ifndef PROBE_COURSE_H
#define PROBE_COURSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* connections = failed + resumed + full; lost is a part of full. */
struct moment {
	uint64_t connections, failed, resumed, full;
	uint64_t lost;		/* offered a ticket and got a full handshake */
};

struct course {
	struct moment *list;
	size_t n, cap;
};

/* The moment `index`, made if it is not there; NULL: out of memory. */
struct moment *course_at(struct course *course, size_t index);
void moment_count(struct moment *moment, bool failed, bool resumed, bool offered);
int course_merge(struct course *into, const struct course *from);

/* The sum of the moments from `first` to before `end`. */
struct moment course_sum(const struct course *course, size_t first, size_t end);
void course_clear(struct course *course);

#endif

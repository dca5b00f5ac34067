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
	uint64_t bare;		/* were to offer one and had none */
	uint64_t old;		/* resumed by a ticket from before the event */
	uint64_t fresh;		/* resumed by one given since it was settled */
	uint64_t fresh_lost;	/* such a one, lost */
	int64_t bad_us;		/* when the last failed, lost or bare one ended */
};

/* One connection that ended at `at_us`. */
struct outcome {
	bool failed, resumed, offered, wanted, old, fresh;
	int64_t at_us;
};

struct course {
	struct moment *list;
	size_t n, cap;
};

/* The moment `index`, made if it is not there; NULL: out of memory. */
struct moment *course_at(struct course *course, size_t index);
void moment_count(struct moment *moment, const struct outcome *outcome);
int course_merge(struct course *into, const struct course *from);

/* The sum of the moments from `first` to before `end`. */
struct moment course_sum(const struct course *course, size_t first, size_t end);
void course_clear(struct course *course);

#endif

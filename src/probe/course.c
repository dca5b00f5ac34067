/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The time course of a measurement: an array of counts that grows with it.
 * worker.c counts into it, load.c merges, report.c and rotate.c read.
 */
#include <stdlib.h>
#include <string.h>

#include "course.h"

struct moment *course_at(struct course *course, size_t index)
{
	if (index >= course->cap) {
		size_t cap = course->cap ? course->cap : 64;
		struct moment *grown;

		while (cap <= index)
			cap *= 2;
		grown = realloc(course->list, cap * sizeof(*grown));
		if (!grown)
			return NULL;
		memset(grown + course->cap, 0,
		       (cap - course->cap) * sizeof(*grown));
		course->list = grown;
		course->cap = cap;
	}
	if (index >= course->n)
		course->n = index + 1;
	return &course->list[index];
}

void moment_count(struct moment *moment, const struct outcome *outcome)
{
	bool full = !outcome->failed && !outcome->resumed;
	bool lost = full && outcome->offered;
	bool bare = full && outcome->wanted && !outcome->offered;

	moment->connections++;
	moment->failed += outcome->failed;
	moment->resumed += !outcome->failed && outcome->resumed;
	moment->full += full;
	moment->lost += lost;
	moment->bare += bare;
	moment->old += !outcome->failed && outcome->resumed && outcome->old;
	moment->fresh += !outcome->failed && outcome->resumed && outcome->fresh;
	moment->fresh_lost += lost && outcome->fresh;
	if ((outcome->failed || lost || bare) &&
	    outcome->at_us > moment->bad_us)
		moment->bad_us = outcome->at_us;
}

static void moment_add(struct moment *into, const struct moment *from)
{
	into->connections += from->connections;
	into->failed += from->failed;
	into->resumed += from->resumed;
	into->full += from->full;
	into->lost += from->lost;
	into->bare += from->bare;
	into->old += from->old;
	into->fresh += from->fresh;
	into->fresh_lost += from->fresh_lost;
	if (from->bad_us > into->bad_us)
		into->bad_us = from->bad_us;
}

int course_merge(struct course *into, const struct course *from)
{
	for (size_t i = 0; i < from->n; i++) {
		struct moment *moment = course_at(into, i);

		if (!moment)
			return -1;
		moment_add(moment, &from->list[i]);
	}
	return 0;
}

struct moment course_sum(const struct course *course, size_t first, size_t end)
{
	struct moment sum = {0};

	for (size_t i = first; i < end && i < course->n; i++)
		moment_add(&sum, &course->list[i]);
	return sum;
}

void course_clear(struct course *course)
{
	free(course->list);
	*course = (struct course){0};
}

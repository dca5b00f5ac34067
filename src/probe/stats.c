/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The probe's figures: growing arrays and small sets without locks. load.c and
 * farm.c fill them, report.c and matrix.c print them.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stats.h"

int samples_add(struct samples *samples, uint32_t us)
{
	if (samples->n == samples->cap) {
		size_t cap = samples->cap ? samples->cap * 2 : 1024;
		uint32_t *grown = realloc(samples->us, cap * sizeof(*grown));

		if (!grown)
			return -1;
		samples->us = grown;
		samples->cap = cap;
	}
	samples->us[samples->n++] = us;
	return 0;
}

int samples_merge(struct samples *into, const struct samples *from)
{
	for (size_t i = 0; i < from->n; i++) {
		if (samples_add(into, from->us[i]) != 0)
			return -1;
	}
	return 0;
}

static int compare_us(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

void samples_sort(struct samples *samples)
{
	if (samples->n > 1)
		qsort(samples->us, samples->n, sizeof(*samples->us),
		      compare_us);
}

uint32_t samples_percentile(const struct samples *samples, unsigned percent)
{
	size_t rank;

	if (samples->n == 0)
		return 0;
	rank = (samples->n * percent + 99) / 100;
	if (rank == 0)
		rank = 1;
	if (rank > samples->n)
		rank = samples->n;
	return samples->us[rank - 1];
}

void samples_clear(struct samples *samples)
{
	free(samples->us);
	*samples = (struct samples){0};
}

size_t samples_between(const struct samples *samples, uint32_t low,
		       uint32_t high)
{
	size_t n = 0;

	for (size_t i = 0; i < samples->n; i++)
		n += samples->us[i] > low && samples->us[i] <= high;
	return n;
}

uint32_t sample_of(int64_t us)
{
	if (us < 0)
		return 0;
	return us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

void reasons_add(struct reasons *reasons, const char *name, uint64_t count)
{
	size_t i;

	for (i = 0; i < reasons->n; i++) {
		if (strcmp(reasons->list[i].name, name) == 0)
			break;
	}
	if (i >= REASONS_MAX - 1) {
		i = REASONS_MAX - 1;
		name = "other";
	}
	if (i >= reasons->n) {
		size_t len = strnlen(name, REASON_LEN - 1);

		memcpy(reasons->list[i].name, name, len);
		reasons->list[i].name[len] = '\0';
		reasons->list[i].count = 0;
		reasons->n = i + 1;
	}
	reasons->list[i].count += count;
}

void reasons_merge(struct reasons *into, const struct reasons *from)
{
	for (size_t i = 0; i < from->n; i++)
		reasons_add(into, from->list[i].name, from->list[i].count);
}

uint64_t reasons_count(const struct reasons *reasons, const char *name)
{
	for (size_t i = 0; i < reasons->n; i++) {
		if (strcmp(reasons->list[i].name, name) == 0)
			return reasons->list[i].count;
	}
	return 0;
}

/* The slot that holds `name`, or the free one where it belongs. */
static size_t key_slot(const struct key_names *set,
		       const uint8_t name[KEY_NAME_LEN])
{
	uint64_t hash = 14695981039346656037u;
	size_t i;

	for (i = 0; i < KEY_NAME_LEN; i++)
		hash = (hash ^ name[i]) * 1099511628211u;
	for (i = hash & (set->cap - 1); set->used[i]; i = (i + 1) & (set->cap - 1)) {
		if (memcmp(set->slots[i], name, KEY_NAME_LEN) == 0)
			break;
	}
	return i;
}

static int key_names_grow(struct key_names *set)
{
	struct key_names grown = {.cap = set->cap ? set->cap * 2 : 64};

	grown.slots = calloc(grown.cap, sizeof(*grown.slots));
	grown.used = calloc(grown.cap, sizeof(*grown.used));
	if (!grown.slots || !grown.used) {
		key_names_clear(&grown);
		return -1;
	}
	for (size_t i = 0; i < set->cap; i++) {
		size_t slot;

		if (!set->used[i])
			continue;
		slot = key_slot(&grown, set->slots[i]);
		memcpy(grown.slots[slot], set->slots[i], KEY_NAME_LEN);
		grown.used[slot] = true;
	}
	grown.n = set->n;
	key_names_clear(set);
	*set = grown;
	return 0;
}

int key_names_add(struct key_names *set, const uint8_t name[KEY_NAME_LEN])
{
	size_t slot;

	if (set->n * 2 >= set->cap && key_names_grow(set) != 0)
		return -1;
	slot = key_slot(set, name);
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): these are the new ones */
	if (set->used[slot])
		return 0;
	memcpy(set->slots[slot], name, KEY_NAME_LEN);
	set->used[slot] = true;
	set->n++;
	return 0;
}

int key_names_merge(struct key_names *into, const struct key_names *from)
{
	for (size_t i = 0; i < from->cap; i++) {
		if (from->used[i] && key_names_add(into, from->slots[i]) != 0)
			return -1;
	}
	return 0;
}

void key_names_clear(struct key_names *set)
{
	free(set->slots);
	free(set->used);
	*set = (struct key_names){0};
}

bool share_due(uint64_t index, unsigned share)
{
	return (index + 1) * share / SHARE_WHOLE > index * share / SHARE_WHOLE;
}

void share_interval(uint64_t part, uint64_t whole, double *low, double *high)
{
	const double z = 1.959963984540054;	/* 0.975 of the normal */
	double n = (double)whole, p, middle, half;

	*low = 0;
	*high = 1;
	if (whole == 0)
		return;
	p = (double)part / n;
	middle = (p + z * z / (2 * n)) / (1 + z * z / n);
	half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) /
	       (1 + z * z / n);
	/* The ends are exact; rounding shall not leave the interval. */
	if (part > 0)
		*low = middle - half;
	if (part < whole)
		*high = middle + half;
}

int share_parse(const char *text, unsigned *share)
{
	unsigned whole = 0, part = 0, digits = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9' && whole <= 100; p++, digits++)
		whole = whole * 10 + (unsigned)(*p - '0');
	if (digits == 0)
		return -1;
	if (*p == '.') {
		unsigned scale = 10;

		for (p++; *p >= '0' && *p <= '9' && scale; p++, scale /= 10)
			part += (unsigned)(*p - '0') * scale;
	}
	if (*p == '%')
		p++;
	if (*p != '\0' || whole * 100 + part > SHARE_WHOLE)
		return -1;
	*share = whole * 100 + part;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* made_farm.h - a matrix as stekprobe farm would have measured it. */
#ifndef TESTS_MADE_FARM_H
#define TESTS_MADE_FARM_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "probe/farm.h"

#define TRIES 5

static struct farm_result farm;

/* A farm of `n` nodes in which everything resumes, in both versions. */
static inline void make_farm(size_t n, unsigned tries)
{
	farm = (struct farm_result){.n = n};
	farm.nodes = calloc(n, sizeof(*farm.nodes));
	ck_assert_ptr_nonnull(farm.nodes);
	for (int v = 0; v < TLS_VERSIONS; v++) {
		farm.cells[v] = calloc(n * n, sizeof(*farm.cells[v]));
		ck_assert_ptr_nonnull(farm.cells[v]);
		for (size_t i = 0; i < n * n; i++)
			farm.cells[v][i] = (struct farm_cell){
				.tried = tries, .resumed = tries};
		for (size_t i = 0; i < n; i++) {
			farm.nodes[i].full[v] = 1;
			farm.nodes[i].tickets[v] = 1;
		}
	}
	for (size_t i = 0; i < n; i++) {
		farm.nodes[i].reached = true;
		farm.nodes[i].address = "192.0.2.1:443";
		snprintf(farm.nodes[i].name, sizeof(farm.nodes[i].name), "n%zu",
			 i + 1);
	}
}

static inline struct farm_cell *cell(int version, size_t row, size_t column)
{
	return &farm.cells[version][row * farm.n + column];
}

/* Tickets of `row` are refused at `column`, in one version or in both (-1). */
static inline void shut(int version, size_t row, size_t column)
{
	for (int v = 0; v < TLS_VERSIONS; v++) {
		if (version < 0 || v == version)
			cell(v, row, column)->resumed = 0;
	}
}

static inline void shut_both_ways(int version, size_t a, size_t b)
{
	shut(version, a, b);
	shut(version, b, a);
}

static inline void judge(void)
{
	ck_assert_int_eq(farm_judge(&farm), 0);
}

static inline void tear_down(void)
{
	farm_clear(&farm);
}

static inline void near_to(double got, double due)
{
	ck_assert_msg(fabs(got - due) < 0.00005, "%f, expected %f", got, due);
}

#endif

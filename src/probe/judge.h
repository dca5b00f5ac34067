/* SPDX-License-Identifier: GPL-2.0-or-later */
/* judge.h - what judge.c and findings.c share. */
#ifndef PROBE_JUDGE_H
#define PROBE_JUDGE_H

#include "farm.h"

enum opens { OPENS, SHUT, UNSURE, UNTRIED };

/* What a cell, or a sum of cells, says by its 95 % interval. */
enum opens opens(const struct farm_cell *cell);
void cell_add(struct farm_cell *sum, const struct farm_cell *cell);

/* Lists what is to be told, the worst first. 0, or -1 without memory. */
int findings_make(struct farm_result *result);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tally.h - what a client has counted by itself, under the names that a node
 * gives its own figures: so that the two can be laid side by side.
 */
#ifndef TESTS_TALLY_H
#define TESTS_TALLY_H

#include <stdint.h>
#include <stdio.h>

/* Of node `node`, from 1. `format` makes the series, labels and all. */
void tally(unsigned node, uint64_t n, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* An alert by its number; `direction` as the node sees it. */
void tally_alert(unsigned node, const char *direction, int alert);

/* "NODE SERIES VALUE" a line. */
void tally_write(FILE *out);

void tally_forget(void);

/* With a line that says why. */
_Noreturn void tally_die(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

#endif

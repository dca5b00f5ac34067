/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * metrics.h - the node's figures in the Prometheus text format, version 0.0.4.
 * stekd-http(7) lists them.
 */
#ifndef STEKD_METRICS_H
#define STEKD_METRICS_H

#include <stdio.h>

#include "node.h"

/* Any thread; reads counters and snapshots only, asks no store. */
void metrics_write(FILE *out, struct node *node);

/* The part that comes from the workers: their sum, and open connections. */
void metrics_write_counters(FILE *out, const struct node *node,
			    const struct counters *c, uint64_t open);

#endif

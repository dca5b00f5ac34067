/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reload.h - the configuration read again while the node serves. All of it
 * becomes the present generation, or nothing changes.
 */
#ifndef STEKD_RELOAD_H
#define STEKD_RELOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "node.h"

struct reload {
	bool good;
	uint64_t generation;	/* the present one, whatever the outcome */
	int64_t at_ms;		/* farm time */
	int64_t took_ms;
	char *faults;		/* lines; malloc'd, NULL when good */
};

/*
 * Any thread; one at a time, the others wait. Logs, counts and writes the
 * audit. `who` asks, `from` is their address or NULL.
 */
void reload_run(struct node *node, const char *who, const char *from,
		struct reload *out);
void reload_clear(struct reload *reload);

#endif

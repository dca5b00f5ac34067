/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * demand.h - what stekprobe load demands of every connection that it measures:
 * only of equal connections can the cost be compared.
 */
#ifndef PROBE_DEMAND_H
#define PROBE_DEMAND_H

#include "conn.h"

struct demand {
	const char *group;	/* as tls_group_name() has it; NULL: any */
	const char *suite;	/* OpenSSL's name; NULL: any */
	bool count_tickets;
	unsigned tickets;	/* exactly so many, if counted */
	uint64_t bytes;		/* of the answer, its head too, at least */
};

/* Of a connection that has ended: one that differs has failed by it. */
void demand_check(const struct demand *demand, struct conn *conn);

#endif

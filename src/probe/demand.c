/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Judges finished connections by the --demand options. What differs from the
 * demand is named in the report as the reason of a failure, with what there was
 * in its place.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "demand.h"

static bool differs(const char *wanted, const char *is)
{
	return wanted && strcasecmp(wanted, is) != 0;
}

void demand_check(const struct demand *demand, struct conn *conn)
{
	const char *group, *suite;

	if (conn->failure[0])
		return;
	group = tls_group_name(conn->ssl);
	suite = SSL_get_cipher_name(conn->ssl);
	if (differs(demand->group, group))
		snprintf(conn->failure, REASON_LEN, "group_%s", group);
	else if (differs(demand->suite, suite))
		snprintf(conn->failure, REASON_LEN, "suite_%s", suite);
	else if (demand->count_tickets && conn->n_tickets != demand->tickets)
		snprintf(conn->failure, REASON_LEN, "tickets_%zu",
			 conn->n_tickets);
	else if (conn->reply_total < demand->bytes)
		snprintf(conn->failure, REASON_LEN, "bytes_%zu",
			 conn->reply_total);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_flow.h - an event stream as an answer of libmicrohttpd: the part of
 * admin_exchange.c that goes on after a request was judged.
 */
#ifndef STEKD_ADMIN_FLOW_H
#define STEKD_ADMIN_FLOW_H

#include <microhttpd.h>

#include "admin_http.h"
#include "admin_route.h"

struct admin_flow {
	struct MHD_Connection *connection;
	struct deadline *deadline;
	int64_t limit_ms;	/* that deadline's */
	/* May this connection still ask? Called before each line. */
	bool (*may)(const void *endpoint, struct MHD_Connection *connection);
	const void *endpoint;
	struct admin_stream *stream;
};

/* Takes the stream out of the answer; the flow is copied. */
enum MHD_Result admin_flow_begin(const struct admin_flow *flow,
				 struct admin_answer *answer);

/* Of any answer. */
void admin_flow_headers(struct MHD_Response *response,
			const struct admin_answer *answer);

#endif

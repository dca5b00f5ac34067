/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_flow.c - carries an event stream to one HTTP connection, on the thread
 * of that connection, which waits with it. Called by admin_exchange.c.
 */
#include <stdlib.h>
#include <sys/socket.h>

#include "admin_flow.h"
#include "admin_stream.h"

#define BLOCK (16 * 1024)
/* The kernel keeps no more than about this of what a reader does not take. */
#define SOCKET_BUFFER (64 * 1024)

void admin_flow_headers(struct MHD_Response *response,
			const struct admin_answer *answer)
{
	struct admin_headers headers;
	size_t i;

	admin_headers(answer, &headers);
	for (i = 0; i < headers.n; i++)
		MHD_add_response_header(response, headers.list[i].name,
					headers.list[i].value);
}

static bool may(void *user)
{
	const struct admin_flow *flow = user;

	return flow->may(flow->endpoint, flow->connection);
}

/* Only while it waits for us has a reader time without end (REQ-39). */
static void busy(void *user, bool begins)
{
	const struct admin_flow *flow = user;

	if (begins)
		deadline_restart(flow->deadline);
	else
		deadline_pause(flow->deadline);
}

static ssize_t take(void *cls, uint64_t at, char *buf, size_t max)
{
	const struct admin_flow *flow = cls;
	const struct admin_stream_peer peer = {
		.may = may,
		.busy = busy,
		.user = cls,
		.limit_ms = flow->limit_ms,
	};
	size_t len = admin_stream_read(flow->stream, &peer, buf, max);

	(void)at;
	return len == 0 ? MHD_CONTENT_READER_END_OF_STREAM : (ssize_t)len;
}

static void end(void *cls)
{
	struct admin_flow *flow = cls;

	admin_stream_free(flow->stream);
	free(flow);
}

static void bound(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	int most = SOCKET_BUFFER;

	if (info != NULL)
		setsockopt(info->connect_fd, SOL_SOCKET, SO_SNDBUF, &most,
			   sizeof(most));
}

enum MHD_Result admin_flow_begin(const struct admin_flow *flow,
				 struct admin_answer *answer)
{
	struct admin_flow *own = malloc(sizeof(*own));
	struct MHD_Response *response;
	enum MHD_Result result;

	if (own == NULL) {
		admin_answer_clear(answer);
		return MHD_NO;
	}
	*own = *flow;
	own->stream = answer->stream;
	answer->stream = NULL;
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK,
						     take, own, end);
	if (response == NULL) {
		end(own);
		return MHD_NO;
	}
	admin_flow_headers(response, answer);
	bound(flow->connection);
	deadline_restart(flow->deadline);
	result = MHD_queue_response(flow->connection, answer->status,
				    response);
	MHD_destroy_response(response);
	return result;
}

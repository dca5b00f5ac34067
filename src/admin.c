/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin.c - the HTTP endpoints by libmicrohttpd: up to three listeners and what
 * hosts hand over, a thread for each connection, so that a rotation that waits
 * for the farm does not hold up a scrape. Called by stekd.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin_endpoint.h"
#include "admin_stream.h"
#include "feed.h"
#include "log.h"
#include "quota.h"
#include "sampler.h"

#define CONNECTIONS_MAX 128	/* of one listener */
#define CONNECTION_MEMORY (32 * 1024)
#define STREAMS_END_MS 2000	/* to tell their readers */

static unsigned connections_most(void)
{
	unsigned share = quota_admin_share();

	return share < CONNECTIONS_MAX ? share : CONNECTIONS_MAX;
}

static int serve(struct endpoint *endpoint, char *why, size_t why_len)
{
	static const char *const roles[ENDPOINTS] = {
		[ENDPOINT_UNIX] = "admin",
		[ENDPOINT_TCP] = "admin",
		[ENDPOINT_OPEN] = "metrics",
	};
	bool tls = endpoint->kind == ENDPOINT_TLS;
	struct MHD_OptionItem listening[] = {
		{ tls ? MHD_OPTION_END : MHD_OPTION_LISTEN_SOCKET,
		  endpoint->fd, NULL },
		{ MHD_OPTION_END, 0, NULL },
	};

	endpoint->daemon = MHD_start_daemon(
		MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_THREAD_PER_CONNECTION |
			MHD_USE_ITC | (tls ? MHD_USE_NO_LISTEN_SOCKET : 0),
		0, NULL, NULL, admin_on_request, endpoint,
		MHD_OPTION_ARRAY, listening,
		/* Those of hosts are clients, and use their descriptors. */
		MHD_OPTION_CONNECTION_LIMIT,
			tls ? CONNECTIONS_MAX : connections_most(),
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
		MHD_OPTION_NOTIFY_CONNECTION, admin_on_connection, endpoint,
		MHD_OPTION_NOTIFY_COMPLETED, admin_on_completed, NULL,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
	if (endpoint->daemon == NULL) {
		snprintf(why, why_len, "cannot start the HTTP server on %s: "
			 "%s", endpoint->bound.text, strerror(errno));
		return -1;
	}
	if (!tls)
		log_event(LOG_INFO, "listening", "address", LOG_STR,
			  endpoint->bound.text, "role", LOG_STR,
			  roles[endpoint->kind], NULL);
	return 0;
}

static int open_all(struct admin *admin, char *why, size_t why_len)
{
	const struct settings *settings = admin->node->fixed;
	struct endpoint *local = &admin->endpoints[ENDPOINT_UNIX];
	struct endpoint *tcp = &admin->endpoints[ENDPOINT_TCP];
	struct endpoint *open = &admin->endpoints[ENDPOINT_OPEN];

	if (settings->admin_socket != NULL) {
		local->fd = admin_socket_local(admin->node, &local->bound,
					       &local->kept, why, why_len);
		if (local->fd < 0)
			return -1;
	}
	if (settings->admin_listen.len != 0) {
		tcp->fd = admin_socket_net(admin->node, "admin-tcp",
					   &settings->admin_listen,
					   &tcp->bound, why, why_len);
		if (tcp->fd < 0)
			return -1;
	}
	if (settings->metrics_listen.len != 0) {
		open->fd = admin_socket_net(admin->node, "metrics",
					    &settings->metrics_listen,
					    &open->bound, why, why_len);
		if (open->fd < 0)
			return -1;
	}
	return 0;
}

static int open_with(struct admin **out, struct node *node,
		     uint32_t deadline_ms, char *why, size_t why_len)
{
	struct admin *admin = calloc(1, sizeof(*admin));
	int kind;

	if (admin == NULL) {
		snprintf(why, why_len, "out of memory");
		return -1;
	}
	admin->node = node;
	admin->deadline_ms = deadline_ms;
	for (kind = 0; kind < ENDPOINTS; kind++) {
		admin->endpoints[kind].admin = admin;
		admin->endpoints[kind].kind = (enum endpoint_kind)kind;
		admin->endpoints[kind].fd = -1;
	}
	if (open_all(admin, why, why_len) != 0) {
		admin_stop(admin);
		return -1;
	}
	*out = admin;
	return 0;
}

int admin_open(struct admin **out, struct node *node, char *why,
	       size_t why_len)
{
	return open_with(out, node, ADMIN_DEADLINE_MS, why, why_len);
}

int admin_serve(struct admin *admin, char *why, size_t why_len)
{
	int kind;

	admin->deadlines = deadlines_new(admin->deadline_ms);
	if (admin->deadlines == NULL ||
	    sampler_start(admin->node->sampler, admin_feed_tick,
			  admin->node) != 0) {
		snprintf(why, why_len, "cannot start the admin endpoint's "
			 "thread");
		return -1;
	}
	for (kind = 0; kind < ENDPOINTS; kind++)
		if ((admin->endpoints[kind].fd >= 0 ||
		     (kind == ENDPOINT_TLS &&
		      admin->node->fixed->n_listen > 0)) &&
		    serve(&admin->endpoints[kind], why, why_len) != 0)
			return -1;
	return 0;
}

int admin_take(struct admin *admin, int fd)
{
	const struct sockaddr none = { .sa_family = AF_UNIX };
	struct MHD_Daemon *daemon = admin != NULL
		? admin->endpoints[ENDPOINT_TLS].daemon : NULL;

	if (daemon == NULL) {
		close(fd);
		return -1;
	}
	/* It closes the descriptor when it cannot serve it. */
	return MHD_add_connection(daemon, fd, &none, sizeof(none)) == MHD_YES
		? 0 : -1;
}

int admin_start_with(struct admin **out, struct node *node,
		     uint32_t deadline_ms, char *why, size_t why_len)
{
	if (open_with(out, node, deadline_ms, why, why_len) != 0)
		return -1;
	if (admin_serve(*out, why, why_len) == 0)
		return 0;
	admin_stop(*out);
	*out = NULL;
	return -1;
}

unsigned admin_port(const struct admin *admin, bool open)
{
	const struct endpoint *endpoint =
		&admin->endpoints[open ? ENDPOINT_OPEN : ENDPOINT_TCP];

	return endpoint->daemon ? admin_socket_port(&endpoint->bound) : 0;
}

void admin_stop(struct admin *admin)
{
	int kind;

	if (admin == NULL)
		return;
	if (admin->endpoints[ENDPOINT_UNIX].fd >= 0 &&
	    !admin->endpoints[ENDPOINT_UNIX].kept)
		unlink(admin->node->fixed->admin_socket);
	feed_close(admin->node->feed, STREAMS_END_MS);
	for (kind = 0; kind < ENDPOINTS; kind++)
		if (admin->endpoints[kind].daemon != NULL)
			MHD_stop_daemon(admin->endpoints[kind].daemon);
		else if (admin->endpoints[kind].fd >= 0)
			close(admin->endpoints[kind].fd);
	if (admin->deadlines != NULL)
		sampler_stop(admin->node->sampler);
	deadlines_free(admin->deadlines);
	free(admin);
}

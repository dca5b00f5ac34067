/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conn_admin.c - the way from a host with `backend: admin` to the admin
 * endpoint of this process: a socket pair, whose other end the endpoint takes
 * as a connection. conn_relay.c then relays as to any backend.
 */
#include "conn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin.h"
#include "admin_peer.h"

static void describe(const struct conn *conn, struct admin_peer *peer)
{
	memset(peer, 0, sizeof(*peer));
	peer->identity = conn->session.identity;
	peer->mark = tls_hosts_mark(conn->generation->hosts, conn->host);
	peer->from = conn->from;
	snprintf(peer->server_name, sizeof(peer->server_name), "%s",
		 conn->server_name ? conn->server_name : "");
	tls_client_names(conn->tls, peer->names);
}

enum backend_result conn_admin_connect(struct conn *conn, int *fd)
{
	struct node *node = conn->worker->node;
	struct admin_peer peer;
	int pair[2];

	/* No handshake of such a host ends without one: settings_role.c. */
	if (conn->session.identity.status != 1) {
		errno = EACCES;
		return BACKEND_ERROR;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		       pair) < 0)
		return BACKEND_ERROR;
	describe(conn, &peer);
	/* Both ends are the client's, and count as its descriptors. */
	if (!quota_may_use(node->quota, pair[1]) ||
	    admin_peer_send(&peer, pair[0]) < 0) {
		close(pair[0]);
		close(pair[1]);
		errno = EMFILE;
		return BACKEND_ERROR;
	}
	if (admin_take(node->admin, pair[1]) < 0) {
		close(pair[0]);
		errno = ECONNREFUSED;
		return BACKEND_ERROR;
	}
	*fd = pair[0];
	return BACKEND_READY;
}

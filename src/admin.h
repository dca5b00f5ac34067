/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin.h - the HTTP endpoints: the admin one (Unix socket with SO_PEERCRED,
 * or loopback TCP with a bearer token) and the tokenless one that serves only
 * /metrics, /healthz and /readyz. libmicrohttpd is seen by admin*.c alone.
 */
#ifndef STEKD_ADMIN_H
#define STEKD_ADMIN_H

#include "node.h"

struct admin;

/* Binds its sockets, or takes them from systemd; then answers on them. */
int admin_open(struct admin **out, struct node *node, char *why,
	       size_t why_len);
int admin_serve(struct admin *admin, char *why, size_t why_len);

/*
 * A client of a host with `backend: admin`; `fd` begins with a struct
 * admin_peer and is taken over in every case. 0, or -1: it is not served. Any
 * thread, between admin_serve() and admin_stop().
 */
int admin_take(struct admin *admin, int fd);

/* In any state; NULL is legal. */
void admin_stop(struct admin *admin);

#endif

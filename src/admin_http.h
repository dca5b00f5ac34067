/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_http.h - the parts of admin.c that see libmicrohttpd or sockets:
 * admin_socket.c makes listening sockets, admin.c answers.
 */
#ifndef STEKD_ADMIN_HTTP_H
#define STEKD_ADMIN_HTTP_H

#include "admin.h"
#include "deadline.h"

#define ADMIN_DEADLINE_MS 10000

/* As admin_open(), with another deadline for one request; and serves. */
int admin_start_with(struct admin **out, struct node *node,
		     uint32_t deadline_ms, char *why, size_t why_len);

/* The port that the admin (or the tokenless) TCP listener got; 0: none. */
unsigned admin_port(const struct admin *admin, bool open);

/* A listening Unix socket of mode 0600, or -1. A dead one is replaced. */
int admin_socket_unix(const char *path, char *why, size_t why_len);

/* A listening TCP socket; `bound` gets its address (port 0 solved). -1. */
int admin_socket_tcp(const struct settings_address *address,
		     struct settings_address *bound, char *why,
		     size_t why_len);

/*
 * The sockets of a node: systemd's of that name or address, else our own. The
 * first is at admin.socket; *kept: its path is systemd's to remove. -1 and why.
 */
int admin_socket_local(struct node *node, struct settings_address *bound,
		       bool *kept, char *why, size_t why_len);
int admin_socket_net(struct node *node, const char *name,
		     const struct settings_address *address,
		     struct settings_address *bound, char *why,
		     size_t why_len);

unsigned admin_socket_port(const struct settings_address *address);

#endif

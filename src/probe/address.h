/* SPDX-License-Identifier: GPL-2.0-or-later */
/* address.h - where to connect: HOST:PORT or [V6]:PORT, looked up once. */
#ifndef PROBE_ADDRESS_H
#define PROBE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct address {
	char text[300];		/* as written */
	char host[256];		/* without brackets */
	char port[8];
	bool literal;		/* host is an IP address: no server name, RFC 6066 s3 */
	struct sockaddr_storage addr;
	socklen_t len;		/* 0: the name is unknown */
};

/* Splits and checks `text`; -1 if it has not that form. Looks nothing up. */
int address_parse(struct address *out, const char *text);

/* Adds the addresses of a comma-separated list; -1 if one is wrong. */
int address_list(struct address **list, size_t *n, const char *text);

/* Looks the host up; on failure the address stays without one (len 0). */
void address_resolve(struct address *address);

#endif

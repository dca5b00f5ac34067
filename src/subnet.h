/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * subnet.h - networks of addresses: whose PROXY headers are believed, and which
 * addresses count as one client. IPv4 stands as ::ffff:a.b.c.d, so that a
 * client of a dual-stack listener is the same as one of an IPv4 listener.
 */
#ifndef STEKD_SUBNET_H
#define STEKD_SUBNET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct subnet {
	uint8_t bytes[16];	/* zero behind `bits` */
	uint8_t bits;		/* 0 to 128; IPv4's are 96 more */
};

/* "192.0.2.0/24", "2001:db8::/32", or one address. 0, or -1. */
int subnet_parse(struct subnet *out, const char *text);

/* False for all but IPv4 and IPv6. */
bool subnet_holds(const struct subnet *subnet,
		  const struct sockaddr_storage *addr);

/*
 * The network that stands for a client: the whole IPv4 address, of an IPv6 one
 * the first `v6_bits`. False for other families: such a client is nobody's.
 */
bool subnet_of(struct subnet *out, const struct sockaddr_storage *addr,
	       unsigned v6_bits);

#endif

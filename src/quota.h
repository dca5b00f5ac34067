/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quota.h - how much of a node its clients may take: connections in all, those
 * of one address, and descriptors. Shared by the workers without a lock.
 */
#ifndef STEKD_QUOTA_H
#define STEKD_QUOTA_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct quota;

/*
 * For up to about `connections` at a time; a later reload may allow more. The
 * memory is fixed: 32 bytes for each of them, at least 512 KiB, of which only
 * what is touched is resident. NULL without memory or random bytes.
 */
struct quota *quota_new(uint32_t connections);
void quota_free(struct quota *quota);

/* One connection more, unless `most` are open. Whoever took gives back. */
bool quota_take(struct quota *quota, uint32_t most);
void quota_give(struct quota *quota);

/* Where an address is counted; zero: nowhere. */
struct quota_place {
	bool held;
	uint32_t slot[2];
};

/*
 * Counts one connection for its address, unless `most` (0: any number) are
 * counted; IPv6 addresses that share their first `v6_bits` are one. Workers that
 * count one address at the same instant may let in one more each; an address
 * below its number is refused hardly ever (quota.c).
 */
bool quota_enter(struct quota *quota, struct quota_place *place,
		  const struct sockaddr_storage *addr, uint32_t most,
		  uint32_t v6_bits);
void quota_leave(struct quota *quota, struct quota_place *place);

/*
 * False for a descriptor so high that only those are left which the admin
 * endpoint, the store and files need. (The kernel gives the lowest free one.)
 */
bool quota_may_use(const struct quota *quota, int fd);

/* How many descriptors are kept free of clients and backends. */
unsigned quota_reserve(unsigned long most);

/*
 * How many of them the connections of one admin listener may take. There are
 * three, so that a quarter is left for the store and files; and so the HTTP
 * library never meets the end of descriptors, at which it spins.
 */
unsigned quota_admin_share(void);

#endif

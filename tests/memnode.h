/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memnode.h - nodes of a farm that share a ring made by hand, each with its
 * own clock, joined to a wolfSSL context of memhs.h. No thread, no store.
 */
#ifndef MEMNODE_H
#define MEMNODE_H

#include "farm.h"
#include "memhs.h"

#define MEMNODE_NOW_MS memnode_now_ms()
#define MEMNODE_HOUR_MS INT64_C(3600000)

/*
 * Where the nodes' clocks begin: one moment for all of a process, and a week to
 * a year and a week after the clock on the wall, whenever the test is run.
 */
int64_t memnode_now_ms(void);

struct memnode {
	struct stek_farm farm;
	int64_t now_ms;
	struct WOLFSSL_CTX *ctx;
	struct stek_host *host;
};

/* Defaults of stek.h: rotation and lifetime 6 h, chain 24 h. */
struct memnode *memnode_new(const char *node, struct stek_ring *ring,
			    const struct stek_wolfssl_options *options);
void memnode_free(struct memnode *node);

/* Gives the node another ring; takes over the caller's reference. */
void memnode_install(struct memnode *node, struct stek_ring *ring);

/* A key made an hour before it is active, `from_ms` after MEMNODE_NOW_MS. */
struct stek_key *memnode_key(uint8_t id, int64_t from_ms);

/* A ring of these keys; takes over the keys' references. */
struct stek_ring *memnode_ring(struct stek_key **keys, size_t n);

/* Key 1 retired, 2 active since an hour, 3 pending for 5 hours more. */
struct stek_ring *memnode_ring_default(void);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quota.c - counts what clients take of a node, for listener.c, conn.c and
 * conn_relay.c. An address has one counter in each of two rows, found by a
 * keyed hash, and its count is the lesser of the two: no lock, no allocation,
 * nothing to expire, and the memory never grows, whoever connects. Two
 * addresses that share a counter raise each other's count in that row alone.
 * An innocent one is refused only if both of its counters are full of others:
 * with n addresses at their limit and r counters a row, in (n/r)^2 of the
 * cases. The key is the process's own, so nobody can seek such a pair.
 */
#include "quota.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>

#include "subnet.h"

#define ROWS 2
#define ROW_LEAST 65536
#define COUNTERS_EACH 4		/* for each connection, in a row */

#define RESERVE_LEAST 4
#define RESERVE_MOST 512
#define RESERVE_SHARE 8

struct quota {
	_Atomic uint32_t open;
	uint32_t mask;		/* of a row */
	int ceiling;		/* descriptors from here on are not for clients */
	uint64_t key[2];
	_Atomic uint32_t *counters;	/* ROWS * (mask + 1) */
};

static uint64_t rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

/* SipHash-2-4 (Aumasson, Bernstein) over 24 bytes. */
static uint64_t hash(const uint64_t key[2], const uint64_t words[3])
{
	uint64_t v[4] = {
		key[0] ^ UINT64_C(0x736f6d6570736575),
		key[1] ^ UINT64_C(0x646f72616e646f6d),
		key[0] ^ UINT64_C(0x6c7967656e657261),
		key[1] ^ UINT64_C(0x7465646279746573),
	};
	const uint64_t end = UINT64_C(24) << 56;
	unsigned i;

	for (i = 0; i <= 3; i++) {
		uint64_t word = i < 3 ? words[i] : end;

		v[3] ^= word;
		sip_round(v);
		sip_round(v);
		v[0] ^= word;
	}
	v[2] ^= 0xff;
	for (i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

unsigned quota_reserve(unsigned long most)
{
	unsigned long reserve = most / RESERVE_SHARE;

	if (reserve < RESERVE_LEAST)
		return RESERVE_LEAST;
	return reserve < RESERVE_MOST ? (unsigned)reserve : RESERVE_MOST;
}

static unsigned long descriptors(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0 ||
	    files.rlim_cur > INT32_MAX)
		return INT32_MAX;
	return files.rlim_cur;
}

static int ceiling(void)
{
	unsigned long most = descriptors();

	return (int)(most - quota_reserve(most));
}

unsigned quota_admin_share(void)
{
	return quota_reserve(descriptors()) / 4;
}

struct quota *quota_new(uint32_t connections)
{
	struct quota *quota = calloc(1, sizeof(*quota));
	uint32_t row = ROW_LEAST;

	if (!quota)
		return NULL;
	while (row / COUNTERS_EACH < connections && row < UINT32_MAX / 4)
		row *= 2;
	quota->mask = row - 1;
	quota->ceiling = ceiling();
	quota->counters = calloc((size_t)row * ROWS,
				  sizeof(*quota->counters));
	if (!quota->counters ||
	    getrandom(quota->key, sizeof(quota->key), 0) !=
	    (ssize_t)sizeof(quota->key)) {
		quota_free(quota);
		return NULL;
	}
	return quota;
}

void quota_free(struct quota *quota)
{
	if (!quota)
		return;
	free(quota->counters);
	free(quota);
}

/* Adds one unless that makes more than `most`. */
static bool add(_Atomic uint32_t *counter, uint32_t most)
{
	if (atomic_fetch_add_explicit(counter, 1, memory_order_relaxed) < most)
		return true;
	atomic_fetch_sub_explicit(counter, 1, memory_order_relaxed);
	return false;
}

bool quota_take(struct quota *quota, uint32_t most)
{
	return add(&quota->open, most);
}

void quota_give(struct quota *quota)
{
	atomic_fetch_sub_explicit(&quota->open, 1, memory_order_relaxed);
}

/* The two counters of an address; false: it is nobody's. */
static bool find(const struct quota *quota, uint32_t slot[ROWS],
		 const struct sockaddr_storage *addr, uint32_t v6_bits)
{
	struct subnet subnet;
	uint64_t words[3] = { 0 };
	uint64_t sum;

	if (!subnet_of(&subnet, addr, v6_bits))
		return false;
	memcpy(words, subnet.bytes, sizeof(subnet.bytes));
	sum = hash(quota->key, words);
	slot[0] = (uint32_t)sum & quota->mask;
	slot[1] = quota->mask + 1 + ((uint32_t)(sum >> 32) & quota->mask);
	return true;
}

bool quota_enter(struct quota *quota, struct quota_place *place,
		  const struct sockaddr_storage *addr, uint32_t most,
		  uint32_t v6_bits)
{
	_Atomic uint32_t *row[ROWS];
	uint32_t lesser, seen;

	memset(place, 0, sizeof(*place));
	if (most == 0 || !find(quota, place->slot, addr, v6_bits))
		return true;
	row[0] = &quota->counters[place->slot[0]];
	row[1] = &quota->counters[place->slot[1]];
	lesser = atomic_fetch_add_explicit(row[0], 1, memory_order_relaxed);
	seen = atomic_fetch_add_explicit(row[1], 1, memory_order_relaxed);
	if (seen < lesser)
		lesser = seen;
	place->held = true;
	if (lesser < most)
		return true;
	quota_leave(quota, place);
	return false;
}

void quota_leave(struct quota *quota, struct quota_place *place)
{
	unsigned i;

	if (!place->held)
		return;
	place->held = false;
	for (i = 0; i < ROWS; i++)
		atomic_fetch_sub_explicit(&quota->counters[place->slot[i]], 1,
					  memory_order_relaxed);
}

bool quota_may_use(const struct quota *quota, int fd)
{
	return fd < quota->ceiling;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * subnet.c - networks of addresses, for the listeners and the settings. Pure.
 */
#include "subnet.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define V4_BITS 96	/* of ::ffff:0:0/96 */

static const uint8_t v4_prefix[12] = {
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff,
};

static bool is_v4(const uint8_t bytes[16])
{
	return !memcmp(bytes, v4_prefix, sizeof(v4_prefix));
}

/* As IPv6; false for other families. */
static bool bytes_of(uint8_t bytes[16], const struct sockaddr_storage *addr)
{
	if (addr->ss_family == AF_INET6) {
		memcpy(bytes,
		       &((const struct sockaddr_in6 *)addr)->sin6_addr, 16);
		return true;
	}
	if (addr->ss_family != AF_INET)
		return false;
	memcpy(bytes, v4_prefix, sizeof(v4_prefix));
	memcpy(bytes + sizeof(v4_prefix),
	       &((const struct sockaddr_in *)addr)->sin_addr, 4);
	return true;
}

static void clear_behind(uint8_t bytes[16], unsigned bits)
{
	unsigned at = bits / 8;

	if (at >= 16)
		return;
	bytes[at] &= (uint8_t)(0xff00 >> bits % 8);
	memset(bytes + at + 1, 0, 15 - at);
}

/* The digits behind '/'; -1: no number up to `most`. */
static int parse_bits(const char *text, unsigned most)
{
	unsigned long bits;
	size_t len = strlen(text);

	if (len < 1 || len > 3 || strspn(text, "0123456789") != len ||
	    (len > 1 && text[0] == '0'))
		return -1;
	bits = strtoul(text, NULL, 10);
	return bits <= most ? (int)bits : -1;
}

int subnet_parse(struct subnet *out, const char *text)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	struct subnet subnet = { .bits = 128 };
	char address[INET6_ADDRSTRLEN];
	unsigned most = 128;
	int bits;

	if (len >= sizeof(address))
		return -1;
	memcpy(address, text, len);
	address[len] = '\0';
	memcpy(subnet.bytes, v4_prefix, sizeof(v4_prefix));
	if (inet_pton(AF_INET, address, subnet.bytes + 12) == 1)
		most = 32;
	else if (inet_pton(AF_INET6, address, subnet.bytes) != 1)
		return -1;
	if (slash) {
		bits = parse_bits(slash + 1, most);
		if (bits < 0)
			return -1;
		subnet.bits = (uint8_t)(most == 32 ? V4_BITS + bits : bits);
	}
	clear_behind(subnet.bytes, subnet.bits);
	*out = subnet;
	return 0;
}

bool subnet_holds(const struct subnet *subnet,
		  const struct sockaddr_storage *addr)
{
	uint8_t bytes[16];

	if (!bytes_of(bytes, addr))
		return false;
	/* ::/0 is all of IPv6: IPv4 is not meant by it. */
	if (subnet->bits < V4_BITS && is_v4(bytes))
		return false;
	clear_behind(bytes, subnet->bits);
	return !memcmp(bytes, subnet->bytes, sizeof(bytes));
}

bool subnet_of(struct subnet *out, const struct sockaddr_storage *addr,
	       unsigned v6_bits)
{
	memset(out, 0, sizeof(*out));
	if (!bytes_of(out->bytes, addr))
		return false;
	out->bits = (uint8_t)(is_v4(out->bytes) ? 128 : v6_bits);
	clear_behind(out->bytes, out->bits);
	return true;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tls_groups.c - the groups of the settings beside those of a hello. The
 * library gives a TLS 1.2 client that shares none P-256 all the same, so
 * conn_tls.c asks here first; tls.c asks how early data may be refused.
 */
#include "tls_private.h"

#include <string.h>

/* wolfSSL's names for each, in the order of preference for a retry. */
static const struct group {
	const char *name;
	unsigned bit;
	int id;
} groups[] = {
	{ "P-256", GATE_P256, WOLFSSL_ECC_SECP256R1 },
	{ "prime256v1", GATE_P256, WOLFSSL_ECC_SECP256R1 },
	{ "secp256r1", GATE_P256, WOLFSSL_ECC_SECP256R1 },
	{ "X25519", GATE_X25519, WOLFSSL_ECC_X25519 },
	{ "P-384", GATE_P384, WOLFSSL_ECC_SECP384R1 },
	{ "secp384r1", GATE_P384, WOLFSSL_ECC_SECP384R1 },
	{ "P-521", GATE_P521, WOLFSSL_ECC_SECP521R1 },
	{ "secp521r1", GATE_P521, WOLFSSL_ECC_SECP521R1 },
};

#define N_GROUPS (sizeof(groups) / sizeof(groups[0]))

static unsigned bit_of(const char *name, size_t len)
{
	for (size_t i = 0; i < N_GROUPS; i++)
		if (strlen(groups[i].name) == len &&
		    !strncmp(groups[i].name, name, len))
			return groups[i].bit;
	return 0;
}

unsigned tls__groups(const char *list)
{
	unsigned bits = 0;

	while (*list) {
		size_t len = strcspn(list, ":");
		unsigned bit = bit_of(list, len);

		if (!bit)
			return 0;
		bits |= bit;
		list += len + (list[len] == ':');
	}
	return bits;
}

bool tls_shares_group(const struct tls_hosts *hosts,
		      const struct gate_hello *hello)
{
	/* RFC 8422 s4: who lists none takes any. */
	return !hosts->groups || !hello->has_groups ||
		(hosts->groups & hello->groups) != 0;
}

int tls__group_without_share(const struct tls_hosts *hosts,
			     const struct gate_hello *hello)
{
	unsigned bits = hosts->groups & hello->groups & ~hello->shares;

	for (size_t i = 0; i < N_GROUPS; i++)
		if (groups[i].bit & bits)
			return groups[i].id;
	return 0;
}

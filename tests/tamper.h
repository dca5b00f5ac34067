/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tamper.h - the client's half of a TLS connection's record protection, opened
 * and closed with its key log, for helper_tamper.c. AES-128-GCM with SHA-256.
 */
#ifndef TESTS_TAMPER_H
#define TESTS_TAMPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAMPER_HEADER 5		/* of a record */
#define TAMPER_TAG 16
#define TAMPER_RANDOM 32

struct tamper {
	const char *keys_path;	/* in the format of NSS's key log */
	bool tls13;
	uint8_t client_random[TAMPER_RANDOM], server_random[TAMPER_RANDOM];
	uint8_t key[16], iv[12];
	uint64_t sequence;
};

void tamper_die(const char *why) __attribute__((noreturn));

/* Before the first record: the keys of these randoms. */
void tamper_keys(struct tamper *tamper);

/*
 * `len` bytes at `text` in `record`, in place; the tag stands behind them.
 * False when it is wrong. The caller counts `sequence`.
 */
bool tamper_crypt(const struct tamper *tamper, bool seal, const uint8_t *record,
		  uint8_t *text, size_t len);

static inline size_t tamper_number(const uint8_t *at, size_t width)
{
	size_t value = 0;

	while (width-- > 0)
		value = value << 8 | *at++;
	return value;
}

static inline void tamper_put(uint8_t *at, size_t value, size_t width)
{
	while (width-- > 0) {
		at[width] = (uint8_t)value;
		value >>= 8;
	}
}

#endif

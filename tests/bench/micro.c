/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * micro.c - single operations, to be counted by callgrind: each op_NAME() is
 * one operation, called TIMES times over input that was made before.
 * tests/bench/count.sh divides what was counted inside of it by that number.
 *
 *	micro NAME TIMES
 */
#include <wolfssl/options.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wolfssl/wolfcrypt/chacha20_poly1305.h>
#include <wolfssl/wolfcrypt/curve25519.h>
#include <wolfssl/wolfcrypt/random.h>

#include "farmkey.h"
#include "gate.h"
#include "guard.h"
#include "hello.h"
#include "record.h"
#include "secret.h"
#include "ticket.h"

#define STATE_LEN 109	/* what the library of WOLFSSL.md seals */
#define PLAIN_LEN (STATE_LEN + STEK_TICKET_OWN_LEN)
#define AAD_LEN (STEK_DIGEST_LEN + STEK_ID_LEN)
#define DAY_MS INT64_C(86400000)

/* Not inlined, whatever the optimiser thinks: callgrind counts by its name. */
#ifdef __clang__
#define OP __attribute__((noinline))
#else
#define OP __attribute__((noinline, noclone))
#endif

static struct stek_ring *rings[2];	/* of one content */
static struct stek_guard guard;
static struct stek_key *key;
static struct stek_ticket ticket;
static struct stek_ticket_aad aad = { { 1, 2, 3 } };
static struct stek_ticket_own own = { .sealed_at_ms = 1800 * DAY_MS,
				      .chain_start_ms = 1800 * DAY_MS };
static uint8_t state[STEK_TICKET_STATE_MAX], nonce[STEK_TICKET_NONCE_LEN];
static uint8_t plain[PLAIN_LEN + STEK_TICKET_TAG_LEN], bound[AAD_LEN];
static uint8_t sealed[PLAIN_LEN + STEK_TICKET_TAG_LEN];
static struct hello hello;
static uint8_t wire[GATE_BUFFER_MAX], scratch[GATE_HELLO_MAX];
static size_t wire_len;
static struct stek_farm_keys *farm_keys;
static struct stek_blob blob;
static uint8_t scalar[CURVE25519_KEYSIZE], point[CURVE25519_KEYSIZE];

static void must(bool held, const char *what)
{
	if (held)
		return;
	fprintf(stderr, "micro: %s\n", what);
	exit(1);
}

static void fill(void *p, size_t len, unsigned from)
{
	uint8_t *at = p;

	for (size_t i = 0; i < len; i++)
		at[i] = (uint8_t)((from + i) * 167 + (from + i) / 256 + 13);
}

static struct stek_key *make_key(unsigned number)
{
	uint8_t id[STEK_ID_LEN], secret[STEK_SECRET_LEN];
	struct stek_key *made = NULL;

	fill(id, sizeof(id), number * 1000);
	fill(secret, sizeof(secret), number * 1000 + 500);
	must(!stek__key_new(&made, id, secret, "A", STEK_MADE_BY_SCHEDULE,
			    1799 * DAY_MS, 1799 * DAY_MS + number,
			    1801 * DAY_MS), "no key");
	return made;
}

static void make_rings(size_t n)
{
	struct stek_key *keys[STEK_RING_KEYS_MAX];

	for (size_t i = 0; i < n; i++)
		keys[i] = make_key((unsigned)i);
	for (size_t i = 0; i < 2; i++)
		must(!stek__ring_new(&rings[i], 7, keys, n, NULL, 0, 0),
		     "no ring");
	for (size_t i = 0; i < n; i++)
		stek__key_unref(keys[i]);
	stek__guard_init(&guard, rings[0]);
}

static void make_four(void)
{
	make_rings(4);
}

static void make_most(void)
{
	make_rings(STEK_RING_KEYS_MAX);
}

static void make_ticket(void)
{
	key = make_key(1);
	fill(state, STATE_LEN, 3);
	fill(plain, sizeof(plain), 4);
	fill(bound, sizeof(bound), 5);
	fill(nonce, sizeof(nonce), 6);
	must(!stek__ticket_seal(&ticket, key, &aad, &own, state, STATE_LEN),
	     "no ticket");
	must(!wc_XChaCha20Poly1305_Encrypt(sealed, sizeof(sealed), plain,
					   PLAIN_LEN, bound, sizeof(bound),
					   nonce, sizeof(nonce), key->secret,
					   STEK_SECRET_LEN), "no AEAD");
}

static void make_hello(void)
{
	hello_model(&hello, hello_tls13, 0xffff);
	wire_len = hello_frame(hello.bytes, hello.len, 16384, wire);
}

/* As long as the gate takes one, by a ticket that was somebody else's. */
static void make_long_hello(void)
{
	static uint8_t bytes[GATE_HELLO_MAX];
	size_t room;

	hello_model(&hello, hello_tls13, 0xffff);
	room = GATE_HELLO_MAX - hello.len - 4;
	fill(bytes, room, 7);
	hello_extension(&hello, 35, bytes, room);
	hello_end(&hello);
	wire_len = hello_frame(hello.bytes, hello.len, 16384, wire);
}

static void make_record(void)
{
	make_rings(4);
	farm_keys = stek__secret_alloc(sizeof(*farm_keys));
	must(farm_keys != NULL, "no memory");
	farm_keys->n = 1;
	fill(farm_keys->keys[0].secret, STEK_FARM_SECRET_LEN, 8);
	must(!stek__record_seal(&blob, farm_keys, "farm", rings[0]),
	     "no record");
}

/* Each of the keys in turn. */
OP static bool op_find(void)
{
	static size_t at;
	const struct stek_key *wanted = rings[0]->keys[at];

	at = at + 1 < rings[0]->n_keys ? at + 1 : 0;
	return stek__ring_find(rings[0], wanted->id) == wanted;
}

OP static bool op_find_none(void)
{
	return !stek__ring_find(rings[0], sealed);
}

OP static bool op_aead_seal(void)
{
	return !wc_XChaCha20Poly1305_Encrypt(sealed, sizeof(sealed), plain,
					     PLAIN_LEN, bound, sizeof(bound),
					     nonce, sizeof(nonce), key->secret,
					     STEK_SECRET_LEN);
}

OP static bool op_aead_open(void)
{
	return !wc_XChaCha20Poly1305_Decrypt(plain, PLAIN_LEN, sealed,
					     sizeof(sealed), bound,
					     sizeof(bound), nonce,
					     sizeof(nonce), key->secret,
					     STEK_SECRET_LEN);
}

OP static bool op_seal(void)
{
	return !stek__ticket_seal(&ticket, key, &aad, &own, state, STATE_LEN);
}

OP static bool op_open(void)
{
	struct stek_ticket_own got;

	return !stek__ticket_open(&ticket, key, &aad, &got, state);
}

OP static bool op_hello(void)
{
	struct gate_hello out;

	return gate_parse(&out, wire, wire_len, scratch) == GATE_PASS;
}

OP static bool op_record(void)
{
	struct stek_ring *ring;

	if (stek__record_open(&ring, farm_keys, "farm", blob.data, blob.len))
		return false;
	stek__ring_unref(ring);
	return true;
}

OP static bool op_record_seal(void)
{
	struct stek_blob made;

	if (stek__record_seal(&made, farm_keys, "farm", rings[0]))
		return false;
	stek__blob_free(&made);
	return true;
}

OP static bool op_snapshot(void)
{
	struct stek_ring *next = rings[guard.current == rings[0]];

	return stek__guard_swap(&guard, next) != next;
}

OP static bool op_read(void)
{
	unsigned slot;
	bool held = stek__guard_enter(&guard, &slot) == rings[0];

	stek__guard_leave(&guard, slot);
	return held;
}

/* As each WOLFSSL makes one. */
OP static bool op_generator(void)
{
	WC_RNG rng;

	return !wc_InitRng(&rng) && !wc_FreeRng(&rng);
}

static void make_scalar(void)
{
	fill(scalar, sizeof(scalar), 0);
	scalar[0] &= 248;
	scalar[sizeof(scalar) - 1] = 64;
}

/* The public key of a handshake's new private one. */
OP static bool op_x25519_key(void)
{
	return !wc_curve25519_make_pub(sizeof(point), point, sizeof(scalar),
				       scalar);
}

static void make_generator(void)
{
	must(op_generator(), "no generator");
}

static const struct bench {
	const char *name;	/* op_NAME is counted, NAME up to a "-" */
	void (*make)(void);
	bool (*op)(void);
} benches[] = {
	{ "find-4", make_four, op_find },
	{ "find-64", make_most, op_find },
	{ "find_none-4", make_four, op_find_none },
	{ "find_none-64", make_most, op_find_none },
	{ "aead_seal", make_ticket, op_aead_seal },
	{ "aead_open", make_ticket, op_aead_open },
	{ "seal", make_ticket, op_seal },
	{ "open", make_ticket, op_open },
	{ "hello-short", make_hello, op_hello },
	{ "hello-long", make_long_hello, op_hello },
	{ "record", make_record, op_record },
	{ "record_seal", make_record, op_record_seal },
	{ "snapshot", make_four, op_snapshot },
	{ "read", make_four, op_read },
	{ "generator", make_generator, op_generator },
	{ "x25519_key", make_scalar, op_x25519_key },
};

int main(int argc, char **argv)
{
	const size_t n = sizeof(benches) / sizeof(benches[0]);
	unsigned long times = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;

	for (size_t i = 0; argc == 1 && i < n; i++)
		puts(benches[i].name);
	for (size_t i = 0; i < n && times; i++) {
		if (strcmp(benches[i].name, argv[1]))
			continue;
		benches[i].make();
		while (times--)
			must(benches[i].op(), "the operation failed");
		return 0;
	}
	return argc == 1 ? 0 : 1;
}

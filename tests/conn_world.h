/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conn_world.h - the world of tests/fuzz_conn.c: one node with five hosts, one
 * connection, and its client and backend. The worker's loop is turned here, time
 * passes when it is told to, and all random numbers repeat: the same calls are
 * the same connection each time. Whatever happens: what arrives is what was
 * sent, in order; every connection is counted once; it ends when time passes,
 * and gives all back.
 */
#ifndef TESTS_CONN_WORLD_H
#define TESTS_CONN_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loopback.h"
#include "raw13.h"

#define WORLD_HOSTS 5
#define WORLD_SENT_MAX (512 * 1024)

struct world {
	struct client *client;
	struct raw13 *raw;
	bool by_hand;		/* the client's records are the input's */
	bool shaken;		/* the client's handshake is done */
	bool stalled;		/* it does not read */
	int host, backend;
	bool listens;		/* for the backend; once */
	uint8_t request[4096];	/* CertificateRequest, by hand */
	size_t request_len;
	struct {
		uint8_t bytes[WORLD_SENT_MAX];
		size_t len, arrived;
	} up, down;
};

extern struct world world;

/* Ends the process, as a fuzz target tells what it found. */
void world_must(int fact);

/* Once, before all else. */
void world_make(void);

/*
 * A connection from its beginning to its end, which checks what must hold; and
 * then nothing is left of it. The three bytes say who the client is.
 */
void world_open(uint8_t first, uint8_t second, uint8_t third);
void world_close(void);
void world_forget(void);

/* Between the last two: clients of this host and version may resume it. */
void world_keep(int host, bool tls13);

/* All that the server, its backend and its client have to say by themselves. */
void world_turn(void);
void world_pass_ms(int64_t ms);

/* The worker is told to end. */
void world_drain(void);

/* The next step of the client's handshake, if there is one. */
void world_shake(void);

/* In pieces; as much as the socket takes, the rest is lost as on a cut line. */
void world_put(const uint8_t *bytes, size_t len, size_t piece);

/* What OpenSSL has for the server, in pieces, bits of one byte changed. */
void world_flush(size_t piece, size_t spoil_at, uint8_t spoil_with);

#endif

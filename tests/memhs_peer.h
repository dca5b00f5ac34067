/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memhs_peer.h - what memhs.c asks of the OpenSSL client in memhs_peer.c.
 */
#ifndef MEMHS_PEER_H
#define MEMHS_PEER_H

#include "memhs.h"

struct memhs_peer;

/* A self-signed P-256 certificate and its key, DER. */
struct memhs_pair {
	long cert_len;
	long key_len;
	unsigned char cert[1024];
	unsigned char key[256];
};

void memhs_peer_certificate(struct memhs_pair *out);

/* Tickets that come go to result->sessions. */
struct memhs_peer *memhs_peer_new(const struct memhs_client *client,
				  struct memhs_result *result);
void memhs_peer_free(struct memhs_peer *peer);

/* 1 connected, 0 wants bytes, -1 failed. */
int memhs_peer_connect(struct memhs_peer *peer);

/* Moves ciphertext: how much, or not above 0 for none. */
int memhs_peer_take(struct memhs_peer *peer, void *buf, int len);
int memhs_peer_give(struct memhs_peer *peer, const void *buf, int len);

bool memhs_peer_read(struct memhs_peer *peer, char *byte);
bool memhs_peer_write(struct memhs_peer *peer, char byte);
bool memhs_peer_reused(struct memhs_peer *peer);
void memhs_peer_collect(struct memhs_peer *peer);
int memhs_peer_version(struct memhs_peer *peer);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wolfssl_host.h - one attached WOLFSSL_CTX, as wolfssl.c makes it and
 * wolfssl_callback.c uses it. Immutable once attached, so any thread reads it.
 */
#ifndef STEK_WOLFSSL_HOST_H
#define STEK_WOLFSSL_HOST_H

#include "farm.h"
#include "wolfssl_layout.h"

#define STEK_SUITES_MAX 64

struct stek_host {
	struct stek_farm *farm;
	WOLFSSL_CTX *ctx;
	struct stek_ticket_aad aad12;
	struct stek_ticket_aad aad13;
	size_t n_suites;	/* 0: not checked */
	uint16_t suites[STEK_SUITES_MAX];
	bool (*admit)(void *user, const struct stek_identity *identity,
		      int64_t now_ms);
	void *user;
};

/* wolfSSL's SessionTicketEncCb; `user` is the struct stek_host. */
int stek__ticket_callback(WOLFSSL *ssl, unsigned char *key_name,
			  unsigned char *iv, unsigned char *mac, int enc,
			  unsigned char *ticket, int in_len, int *out_len,
			  void *user);

/*
 * Ends the time between "the ticket was accepted" and "the library resumed":
 * only then does what the ticket says hold for this connection. `recorded`:
 * the record is the application's and not the callback's own; `resumed`: what
 * the library did.
 */
void stek__session_settle(struct stek_session *session, bool recorded,
			  bool resumed);

#endif

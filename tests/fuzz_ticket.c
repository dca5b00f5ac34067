/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_ticket.c - foreign bytes into the ticket callback, laid out as the
 * library lays out a ticket that it received (key_name, iv, enc_len, body,
 * MAC). The first byte chooses: even, the rest is the ticket; odd, the rest is
 * laid by XOR over a ticket of ours, so that nearly right ones are tried too.
 * Only our own ticket, unchanged, may open.
 */
#include <wolfssl/options.h>

#include <stdlib.h>
#include <string.h>

#include "memnode.h"
#include "wolfssl_host.h"

#define NAME_AT 0
#define IV_AT 16
#define INNER_AT 32
#define BODY_AT 34

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct memnode *node;
static uint8_t ours[STEK_TICKET_LEN];

static void must(bool ok)
{
	if (!ok)
		abort();
}

static WOLFSSL *connection(struct stek_session *record)
{
	WOLFSSL *ssl = wolfSSL_new(node->ctx);

	must(ssl != NULL);
	memset(record, 0, sizeof(*record));
	must(!stek_wolfssl_session(ssl, record));
	return ssl;
}

static void set_up(void)
{
	struct stek_ring *ring = memnode_ring_default();
	struct stek_session record;
	uint8_t *body = ours + BODY_AT;
	int out_len = STEK_STATE_ROOM;
	WOLFSSL *ssl;

	node = memnode_new("A", ring, NULL);
	stek__ring_unref(ring);
	ssl = connection(&record);
	body[STEK_STATE_VERSION] = 3;
	body[STEK_STATE_VERSION + 1] = 4;
	body[STEK_STATE_SUITE] = 0x13;
	body[STEK_STATE_SUITE + 1] = 0x01;
	must(!stek__ticket_callback(ssl, ours + NAME_AT, ours + IV_AT,
				    body + STEK_STATE_ROOM, 1, body,
				    STEK_STATE_LEN, &out_len, node->host));
	ours[INNER_AT + 1] = STEK_STATE_ROOM;
	wolfSSL_free(ssl);
}

/* As DoDecryptTicket() does: the lengths agree, or nothing is called. */
static int deliver(WOLFSSL *ssl, uint8_t *ticket, size_t len)
{
	int inner, out_len;

	if (len < BODY_AT + WOLFSSL_TICKET_MAC_SZ || len > STEK_TICKET_LEN)
		return WOLFSSL_TICKET_RET_REJECT;
	inner = ticket[INNER_AT] << 8 | ticket[INNER_AT + 1];
	if ((size_t)inner + BODY_AT + WOLFSSL_TICKET_MAC_SZ != len)
		return WOLFSSL_TICKET_RET_REJECT;
	out_len = inner;
	return stek__ticket_callback(ssl, ticket + NAME_AT, ticket + IV_AT,
				     ticket + BODY_AT + inner, 0,
				     ticket + BODY_AT, inner, &out_len,
				     node->host);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct stek_session record;
	uint8_t *ticket;
	WOLFSSL *ssl;
	bool same;
	int ret;

	if (!node)
		set_up();
	if (len < 1 || len > 4096)
		return 0;
	ssl = connection(&record);
	/* A block of the exact size shows the first byte read past it. */
	ticket = malloc(len);
	must(ticket != NULL);
	memcpy(ticket, data + 1, len - 1);
	len--;
	for (size_t i = 0; data[0] & 1 && i < len && i < sizeof(ours); i++)
		ticket[i] ^= ours[i];
	same = len == sizeof(ours) && !memcmp(ticket, ours, len);
	ret = deliver(ssl, ticket, len);
	must(ret == (same ? WOLFSSL_TICKET_RET_OK : WOLFSSL_TICKET_RET_REJECT));
	must(same == (record.outcome == STEK_RESUMED_ACTIVE));
	free(ticket);
	wolfSSL_free(ssl);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conn_ask.h - what the tests of hosts that ask for certificates after the
 * handshake share: such hosts, and clients of them by OpenSSL and by hand.
 */
#ifndef TESTS_CONN_ASK_H
#define TESTS_CONN_ASK_H

#include <stdlib.h>
#include <unistd.h>

#include "conn_client.h"
#include "raw13.h"

#define NAME "www.example.com"
#define RELAY "relay.example.com"

static char ca_path[128];
static struct raw13 *raw;
static uint8_t request[1024], answer[RAW13_ANSWER_MAX];
static size_t request_len;

static inline void set_up_asking(void)
{
	size_t i;

	set_up();
	snprintf(ca_path, sizeof(ca_path), "%s/ca", loopback->dir);
	raw13_write_ca(ca_path);
	for (i = 0; i < LOOPBACK_HOSTS; i++) {
		loopback->hosts[i].client_auth = CLIENT_AFTER_HANDSHAKE;
		loopback->hosts[i].client_ca = ca_path;
		loopback->hosts[i].client_depth = 4;
	}
}

static inline void tear_down_asking(void)
{
	raw13_free(raw);
	raw = NULL;
	unlink(ca_path);
	tear_down();
}

static inline struct client *open_as(const char *name, enum raw13_who who)
{
	struct client *client = open_client(name, TLS1_3_VERSION);

	SSL_set_post_handshake_auth(client->ssl, 1);
	raw13_be(client->ssl, who);
	return client;
}

/* The client by hand, behind its handshake; its flight is on the wire. */
static inline struct client *open_raw(const char *name)
{
	struct client *client = open_client(name, TLS1_3_VERSION);
	int alert;

	raw = raw13_new(client->ssl);
	ck_assert(client_handshake(client, true, &alert));
	raw13_take_over(raw);
	client_send(client);
	return client;
}

/* The next record that is no ticket; 0 at the end. */
static inline uint8_t next_record(struct client *client, uint8_t *buf, size_t *len)
{
	uint8_t type;

	for (;;) {
		while (raw13_next(raw, &type, buf, len))
			if (type != RAW13_HANDSHAKE || buf[0] != RAW13_TICKET)
				return type;
		if (!client_recv(client))
			return 0;
	}
}

static inline void await_request(struct client *client)
{
	static uint8_t buf[RAW13_RECORD_MAX];

	ck_assert_int_eq(next_record(client, buf, &request_len),
			 RAW13_HANDSHAKE);
	ck_assert_int_eq(buf[0], RAW13_REQUEST);
	ck_assert_uint_le(request_len, sizeof(request));
	memcpy(request, buf, request_len);
}

/* The fatal alert that ends the connection; 0: none came. */
static inline int await_alert(struct client *client)
{
	static uint8_t buf[RAW13_RECORD_MAX];
	size_t len;
	uint8_t type = next_record(client, buf, &len);

	return type == RAW13_ALERT && buf[0] == 2 ? buf[1] : 0;
}

static inline void reply(struct client *client, const struct raw13_answer *how)
{
	raw13_put(raw, RAW13_HANDSHAKE, answer,
		  raw13_answer(raw, request, request_len, how, answer));
	client_send(client);
}

static inline uint64_t failures(enum failure failure)
{
	struct counters counters = loopback_counters(loopback);

	return counters.failures[failure];
}

#endif

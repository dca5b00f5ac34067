/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conn_client.h - what the tests of a worker's connections share: one worker on
 * the loopback, and clients of its page.
 */
#ifndef TESTS_CONN_CLIENT_H
#define TESTS_CONN_CLIENT_H

#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "loopback.h"

static struct loopback *loopback;
static const int version_of[] = { TLS1_2_VERSION, TLS1_3_VERSION };

static void set_up(void)
{
	loopback = loopback_new(memnode_ring_default());
}

static void tear_down(void)
{
	loopback_free(loopback);
}

static inline struct client *open_client(const char *name, int version)
{
	return client_new(loopback_connect(loopback, 0), name, version);
}

static inline void shake(struct client *client)
{
	int alert;

	ck_assert_msg(client_handshake(client, false, &alert), "alert %d",
		      alert);
}

static inline bool says(const char *body, const char *fact)
{
	return strstr(body, fact) != NULL;
}

static inline SSL_SESSION *full_handshake(int version)
{
	struct client *client = open_client("www.example.com", version);
	SSL_SESSION *session;

	shake(client);
	ck_assert(says(client_ask(client), "\"resumed\":false"));
	ck_assert_uint_eq(client->tickets, version == TLS1_3_VERSION ? 2 : 1);
	session = client->session;
	client->session = NULL;
	client_free(client);
	return session;
}

static inline ssize_t until_end(int fd)
{
	char buf[256];
	ssize_t n, sum = 0;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0 ||
	       (n < 0 && errno == EINTR))
		sum += n > 0 ? n : 0;
	return n < 0 ? -1 : sum;
}

static inline uint64_t alerts_in(const counter *alerts)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < ALERTS; i++)
		sum += alerts[i];
	return sum;
}

#endif

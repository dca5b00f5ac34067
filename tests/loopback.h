/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loopback.h - one worker of stekd on the loopback, in a thread, under a farm
 * made by hand, and OpenSSL clients that hold back and release their bytes as
 * a test wants. Waiting is bounded by socket time-outs, never by sleeping.
 */
#ifndef LOOPBACK_H
#define LOOPBACK_H

#include <openssl/ssl.h>

#include "memnode.h"
#include "node.h"
#include "worker.h"

#define LOOPBACK_HOSTS 3

/* hosts[0] is the page for www.example.com, [1] and [2] relay to `backend`,
 * relay.example.com plainly, proxy.example.com with a PROXY header. */
struct loopback {
	struct memnode *farm;
	struct settings settings;
	struct settings_listen listen[2];	/* the second wants PROXY */
	struct settings_host hosts[LOOPBACK_HOSTS];
	struct node node;
	struct worker *worker;
	struct worker *workers[1];
	struct subnet from;	/* whose PROXY headers are believed */
	char dir[64], cert[96], key[96];
	int backend;		/* a listening socket */
};

/* Settings with defaults; change them before loopback_start(). */
struct loopback *loopback_new(struct stek_ring *ring);
void loopback_start(struct loopback *loopback);

/* The same without its thread: the caller turns the worker's loop by itself. */
void loopback_make(struct loopback *loopback);

/* Drains, if it was started, and frees all. */
void loopback_free(struct loopback *loopback);

/* A blocking socket to a listener, with time-outs of 50 s. */
int loopback_connect(const struct loopback *loopback, size_t listener);

/* The backend's end of the next relayed connection. */
int loopback_accept(const struct loopback *loopback);

struct counters loopback_counters(const struct loopback *loopback);

struct client {
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
	SSL_SESSION *session;	/* the last ticket that came */
	unsigned tickets;
	bool eof;		/* the server's FIN */
};

/* `version` 0: both. Not connected yet: settings may follow. */
struct client *client_new(int fd, const char *server_name, int version);

/* To resume it: as young as it was, for the farm's clock stands still. */
void client_offer(struct client *client, SSL_SESSION *session);
void client_free(struct client *client);

/* Sends what OpenSSL has ready; reads once. False at the server's end. */
void client_send(struct client *client);
bool client_recv(struct client *client);

/*
 * 1 when done, or 0 and the alert that came in *alert (0: none). With `hold`
 * the last flight stays here until client_send().
 */
bool client_handshake(struct client *client, bool hold, int *alert);

/* Until `len` bytes or the end; how many came. *clean: by close_notify. */
size_t client_read(struct client *client, void *buf, size_t len, bool *clean);

/* One request of the page; its JSON body, in a static buffer. */
const char *client_ask(struct client *client);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_peer.h - whom a host with `backend: admin` has verified. The worker
 * tells the endpoint in the first bytes of the socket pair between them, before
 * any byte of the client's: nothing that a client sends can stand there.
 */
#ifndef STEKD_ADMIN_PEER_H
#define STEKD_ADMIN_PEER_H

#include <sys/socket.h>

#include <stek_wolfssl.h>

#include "node.h"
#include "text.h"
#include "tls.h"

#define ADMIN_WHO_MAX 128

struct admin_peer {
	struct stek_identity identity;
	uint64_t mark;		/* of what the host demanded: tls.h */
	struct sockaddr_storage from;
	char server_name[256];	/* as the client named the host; "": not */
	char names[TLS_NAMES_MAX];	/* of the certificate; "": resumed */
};

/* What it may do, by the configuration, lists and clock of this moment. */
struct admin_grant {
	enum admin_role role;
	bool gone;		/* the host would not let it in any more */
	bool named;		/* the Host header is a name of that host */
	char who[ADMIN_WHO_MAX];	/* "cert:FINGERPRINT NAME" */
	char from[TEXT_ADDRESS_MAX];
};

/* 0, or -1: the other end will not know who it is. */
int admin_peer_send(const struct admin_peer *peer, int fd);
int admin_peer_receive(struct admin_peer *peer, int fd);

/* For one request with this Host header, which may be NULL. Any thread. */
void admin_peer_judge(struct node *node, const struct admin_peer *peer,
		      const char *host, struct admin_grant *out);

#endif

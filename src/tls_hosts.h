/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tls_hosts.h - the contexts of the hosts, as tls.c and tls_hosts.c share
 * them. Read-only while connections live.
 */
#ifndef STEKD_TLS_HOSTS_H
#define STEKD_TLS_HOSTS_H

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/error-ssl.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#include "tls.h"

struct stek_host;
struct tls_client;

struct tls_host {
	WOLFSSL_CTX *ticketed;		/* joined to the farm */
	WOLFSSL_CTX *plain;		/* no ticket is taken or given */
	struct stek_host *join;
	struct tls_client *client;	/* NULL: no client authentication */
	char *alpn;			/* "h2,http/1.1", NULL: none */
	const char *signature;		/* of the certificate, NULL: unknown */
	char key[16];			/* its key, "EC256"; "": unknown */
};

struct tls_hosts {
	const struct settings *settings;
	struct stek_farm *farm;
	struct tls_host *host;		/* by index, as settings->hosts */
	unsigned groups;		/* as enum gate_group; 0: one of them
					   has no bit, the library judges */
};

/* Starts the library, once. 0, or -1 with `why`. */
int tls__need_library(char *why, size_t why_len);

/* tls_cert.c: what the certificate in `file` is made of, for tls_facts(). */
void tls__describe_certificate(struct tls_host *own, const char *file);

/* The I/O callbacks of tls.c. */
void tls__wire_callbacks(WOLFSSL_CTX *ctx);

#endif

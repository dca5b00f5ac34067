/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proxy.h - the PROXY protocol, version 2: the load balancer's header in, ours
 * with TLS TLVs out. Pure functions over bytes. Layout: "The PROXY protocol",
 * section 2.2 ("Binary header format (version 2)").
 */
#ifndef STEKD_PROXY_H
#define STEKD_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define PROXY_HEADER_MAX 536	/* accepted and produced */

enum proxy_verdict { PROXY_MORE, PROXY_PASS, PROXY_REFUSE };

struct proxy_in {
	size_t consumed;
	bool local;		/* LOCAL command: the balancer's own health check */
	struct sockaddr_storage from, to;	/* AF_UNSPEC when local */
	const char *why;	/* on PROXY_REFUSE, static */
};

enum proxy_verdict proxy_parse(struct proxy_in *out, const uint8_t *buf,
			       size_t len);

struct proxy_out {
	const struct sockaddr *from, *to;	/* whole ones, e.g. sockaddr_un */
	const char *alpn;		/* NULL or the negotiated protocol */
	const char *authority;		/* server name, NULL if none */
	bool tls;
	const char *tls_version;	/* "TLSv1.3" */
	const char *cipher;
	bool resumed;			/* own TLV 0xE0: one byte, 0 or 1 */
};

/* Returns the header's length in `buf`, or 0 if it would not fit. */
size_t proxy_write(const struct proxy_out *in, uint8_t buf[PROXY_HEADER_MAX]);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proxy.h - the PROXY protocol, versions 1 and 2: the load balancer's header
 * in, ours with TLS TLVs out. Pure functions over bytes. Layout: "The PROXY
 * protocol" of HAProxy, sections 2.1 ("Human-readable header format") and 2.2
 * ("Binary header format"); stekd-proxy(7) shows what we write.
 */
#ifndef STEKD_PROXY_H
#define STEKD_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define PROXY_LINE_MAX 107	/* of version 1, with CRLF */
#define PROXY_HEADER_MAX 536	/* accepted */
#define PROXY_OUT_MAX 1024	/* produced */

#define PROXY_FINGERPRINT_LEN 32	/* SHA-256 */

enum proxy_verdict { PROXY_MORE, PROXY_PASS, PROXY_REFUSE };

struct proxy_in {
	size_t consumed;
	bool local;		/* LOCAL command: the balancer's own health check */
	struct sockaddr_storage from, to;	/* AF_UNSPEC when not told */
	const char *why;	/* on PROXY_REFUSE, static */
};

/* Either version, by its first byte. */
enum proxy_verdict proxy_parse(struct proxy_in *out, const uint8_t *buf,
			       size_t len);

/* What a backend is sent. */
enum proxy_form {
	PROXY_FORM_NONE,
	PROXY_FORM_V1,
	PROXY_FORM_V2,		/* addresses alone: receivers with small buffers */
	PROXY_FORM_TLS,		/* and the TLVs below */
	PROXY_FORM_TLS_CRC,	/* and a checksum of it all */
};

/* The client field of PP2_TYPE_SSL. */
#define PROXY_CLIENT_SSL 0x01
#define PROXY_CLIENT_CERT_CONN 0x02	/* shown on this connection */
#define PROXY_CLIENT_CERT_SESS 0x04	/* or in the session's full handshake */

struct proxy_out {
	enum proxy_form form;
	const struct sockaddr *from, *to;	/* whole ones, e.g. sockaddr_un */
	/* The rest is for the two TLS forms. NULL: not told. */
	const char *alpn;		/* the negotiated protocol */
	const char *authority;		/* server name */
	const char *tls_version;	/* "TLSv1.3" */
	const char *cipher;
	const char *signature;		/* of our certificate */
	const char *key;		/* our certificate's */
	const char *group;		/* of the key exchange */
	uint8_t client;			/* PROXY_CLIENT_... */
	bool verified;			/* the client's certificate */
	bool resumed;
	uint32_t chain_age_s;		/* since the full handshake */
	const uint8_t *fingerprint;	/* of the client's certificate */
};

/* Returns the header's length in `buf`, or 0 if it would not fit. */
size_t proxy_write(const struct proxy_out *in, uint8_t buf[PROXY_OUT_MAX]);

/* proxy_line.c: version 1 */
enum proxy_verdict proxy__parse_line(struct proxy_in *out, const uint8_t *buf,
				     size_t len);
size_t proxy__write_line(const struct sockaddr *from,
			 const struct sockaddr *to,
			 uint8_t buf[PROXY_OUT_MAX]);

/* RFC 3720 B.4; `crc` is 0 for the first piece. */
uint32_t proxy__crc32c(uint32_t crc, const uint8_t *bytes, size_t len);

extern const uint8_t proxy__signature[12];

#endif

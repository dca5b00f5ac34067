// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * proxy.c - the PROXY protocol, version 2: reads the load balancer's header and
 * writes ours towards a backend. The connection calls it before the gate and
 * after the handshake.
 */
#include "proxy.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "cursor.h"

#define HEADER_FIXED 16
#define COMMAND_LOCAL 0x20	/* version 2 in the high half */
#define COMMAND_PROXY 0x21

enum { FAMILY_UNSPEC = 0x00, FAMILY_TCP4 = 0x11, FAMILY_TCP6 = 0x21,
       FAMILY_UNIX = 0x31 };

enum {
	TLV_ALPN = 0x01,
	TLV_AUTHORITY = 0x02,
	TLV_SSL = 0x20,
	TLV_SSL_VERSION = 0x21,
	TLV_SSL_CIPHER = 0x23,
	TLV_RESUMED = 0xe0,	/* ours, the first of the custom range */
};

#define CLIENT_SSL 0x01
#define UNIX_PATH 108

static const uint8_t signature[12] = {
	'\r', '\n', '\r', '\n', '\0', '\r', '\n', 'Q', 'U', 'I', 'T', '\n',
};

static enum proxy_verdict refuse(struct proxy_in *out, const char *why)
{
	out->why = why;
	return PROXY_REFUSE;
}

static void take(struct cursor *data, void *out, size_t len)
{
	const uint8_t *at = cursor_take(data, len);

	if (at)
		memcpy(out, at, len);
}

static void parse_tcp4(struct proxy_in *out, struct cursor *data)
{
	struct sockaddr_in *from = (struct sockaddr_in *)&out->from;
	struct sockaddr_in *to = (struct sockaddr_in *)&out->to;

	from->sin_family = to->sin_family = AF_INET;
	take(data, &from->sin_addr, 4);
	take(data, &to->sin_addr, 4);
	take(data, &from->sin_port, 2);
	take(data, &to->sin_port, 2);
}

static void parse_tcp6(struct proxy_in *out, struct cursor *data)
{
	struct sockaddr_in6 *from = (struct sockaddr_in6 *)&out->from;
	struct sockaddr_in6 *to = (struct sockaddr_in6 *)&out->to;

	from->sin6_family = to->sin6_family = AF_INET6;
	take(data, &from->sin6_addr, 16);
	take(data, &to->sin6_addr, 16);
	take(data, &from->sin6_port, 2);
	take(data, &to->sin6_port, 2);
}

static void parse_unix(struct proxy_in *out, struct cursor *data)
{
	struct sockaddr_un *from = (struct sockaddr_un *)&out->from;
	struct sockaddr_un *to = (struct sockaddr_un *)&out->to;

	_Static_assert(sizeof(from->sun_path) == UNIX_PATH,
		       "the header's paths have the length of Linux's");
	from->sun_family = to->sun_family = AF_UNIX;
	take(data, from->sun_path, UNIX_PATH);
	take(data, to->sun_path, UNIX_PATH);
}

static enum proxy_verdict parse_body(struct proxy_in *out, uint8_t family,
				     struct cursor data)
{
	if (family == FAMILY_TCP4)
		parse_tcp4(out, &data);
	else if (family == FAMILY_TCP6)
		parse_tcp6(out, &data);
	else if (family == FAMILY_UNIX)
		parse_unix(out, &data);
	else
		return refuse(out, "PROXY: neither TCP nor a Unix stream");
	if (data.failed)
		return refuse(out, "PROXY: too short for its addresses");
	while (data.left > 0) {
		cursor_u8(&data);
		cursor_vector(&data, 2, 0);
	}
	if (data.failed)
		return refuse(out, "PROXY: a TLV is cut off");
	return PROXY_PASS;
}

enum proxy_verdict proxy_parse(struct proxy_in *out, const uint8_t *buf,
			       size_t len)
{
	size_t known = len < sizeof(signature) ? len : sizeof(signature);
	enum proxy_verdict verdict;
	size_t body;

	memset(out, 0, sizeof(*out));
	if (known > 0 && memcmp(buf, signature, known))
		return refuse(out, "PROXY: no version 2 signature");
	if (len > 12 && buf[12] != COMMAND_LOCAL && buf[12] != COMMAND_PROXY)
		return refuse(out, "PROXY: unknown version or command");
	if (len < HEADER_FIXED)
		return PROXY_MORE;
	body = (size_t)buf[14] << 8 | buf[15];
	if (body > PROXY_HEADER_MAX - HEADER_FIXED)
		return refuse(out, "PROXY: a header over 536 bytes");
	if (len < HEADER_FIXED + body)
		return PROXY_MORE;
	out->consumed = HEADER_FIXED + body;
	/* Whatever follows a LOCAL or an unspecified family is to be skipped. */
	out->local = buf[12] == COMMAND_LOCAL;
	if (out->local || buf[13] == FAMILY_UNSPEC)
		return PROXY_PASS;
	verdict = parse_body(out, buf[13],
			     cursor_over(buf + HEADER_FIXED, body));
	if (verdict != PROXY_PASS)
		out->consumed = 0;
	return verdict;
}

struct writer {
	uint8_t *buf;
	size_t len;
	bool failed;
};

static void put(struct writer *w, const void *bytes, size_t len)
{
	if (len > PROXY_HEADER_MAX - w->len) {
		w->failed = true;
		return;
	}
	memcpy(w->buf + w->len, bytes, len);
	w->len += len;
}

static void put_u8(struct writer *w, uint8_t value)
{
	put(w, &value, 1);
}

static void set_u16(struct writer *w, size_t at, size_t value)
{
	w->buf[at] = (uint8_t)(value >> 8);
	w->buf[at + 1] = (uint8_t)value;
}

/* Returns where the TLV's length stands, for tlv_end(). */
static size_t tlv_begin(struct writer *w, uint8_t type)
{
	put_u8(w, type);
	put(w, "\0", 2);
	return w->len - 2;
}

static void tlv_end(struct writer *w, size_t at)
{
	if (!w->failed)
		set_u16(w, at, w->len - at - 2);
}

static void put_tlv(struct writer *w, uint8_t type, const char *text)
{
	size_t at;

	if (!text)
		return;
	at = tlv_begin(w, type);
	put(w, text, strlen(text));
	tlv_end(w, at);
}

/* A dual-stack listener shows an IPv4 client as ::ffff:a.b.c.d. */
static const struct sockaddr *unmapped(const struct sockaddr *addr,
				       struct sockaddr_in *v4)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)addr;

	if (!addr || addr->sa_family != AF_INET6 ||
	    !IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		return addr;
	memset(v4, 0, sizeof(*v4));
	v4->sin_family = AF_INET;
	v4->sin_port = v6->sin6_port;
	memcpy(&v4->sin_addr, v6->sin6_addr.s6_addr + 12, 4);
	return (const struct sockaddr *)v4;
}

static void put_tcp4(struct writer *w, const struct sockaddr *from,
		     const struct sockaddr *to)
{
	const struct sockaddr_in *a = (const struct sockaddr_in *)from;
	const struct sockaddr_in *b = (const struct sockaddr_in *)to;

	put(w, &a->sin_addr, 4);
	put(w, &b->sin_addr, 4);
	put(w, &a->sin_port, 2);
	put(w, &b->sin_port, 2);
}

static void put_tcp6(struct writer *w, const struct sockaddr *from,
		     const struct sockaddr *to)
{
	const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)from;
	const struct sockaddr_in6 *b = (const struct sockaddr_in6 *)to;

	put(w, &a->sin6_addr, 16);
	put(w, &b->sin6_addr, 16);
	put(w, &a->sin6_port, 2);
	put(w, &b->sin6_port, 2);
}

static void put_unix(struct writer *w, const struct sockaddr *from,
		     const struct sockaddr *to)
{
	put(w, ((const struct sockaddr_un *)from)->sun_path, UNIX_PATH);
	put(w, ((const struct sockaddr_un *)to)->sun_path, UNIX_PATH);
}

/* The family byte and the addresses; UNSPEC when the two do not match. */
static void put_addresses(struct writer *w, const struct proxy_out *in)
{
	struct sockaddr_in from4, to4;
	const struct sockaddr *from = unmapped(in->from, &from4);
	const struct sockaddr *to = unmapped(in->to, &to4);
	int family = AF_UNSPEC;

	if (from && to && from->sa_family == to->sa_family)
		family = from->sa_family;
	put_u8(w, family == AF_INET ? FAMILY_TCP4 :
		  family == AF_INET6 ? FAMILY_TCP6 :
		  family == AF_UNIX ? FAMILY_UNIX : FAMILY_UNSPEC);
	put(w, "\0", 2);
	if (family == AF_INET)
		put_tcp4(w, from, to);
	if (family == AF_INET6)
		put_tcp6(w, from, to);
	if (family == AF_UNIX)
		put_unix(w, from, to);
}

static void put_ssl(struct writer *w, const struct proxy_out *in)
{
	/* Not zero: no client certificate was verified. */
	static const uint8_t verify[4] = { 0, 0, 0, 1 };
	uint8_t resumed = in->resumed;
	size_t at = tlv_begin(w, TLV_SSL);

	put_u8(w, CLIENT_SSL);
	put(w, verify, sizeof(verify));
	put_tlv(w, TLV_SSL_VERSION, in->tls_version);
	put_tlv(w, TLV_SSL_CIPHER, in->cipher);
	tlv_end(w, at);
	at = tlv_begin(w, TLV_RESUMED);
	put(w, &resumed, 1);
	tlv_end(w, at);
}

size_t proxy_write(const struct proxy_out *in, uint8_t buf[PROXY_HEADER_MAX])
{
	struct writer w = { .buf = buf };

	put(&w, signature, sizeof(signature));
	put_u8(&w, COMMAND_PROXY);
	put_addresses(&w, in);
	put_tlv(&w, TLV_ALPN, in->alpn);
	put_tlv(&w, TLV_AUTHORITY, in->authority);
	if (in->tls)
		put_ssl(&w, in);
	if (w.failed)
		return 0;
	set_u16(&w, HEADER_FIXED - 2, w.len - HEADER_FIXED);
	return w.len;
}

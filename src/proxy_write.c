// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * proxy_write.c - the PROXY header that a backend gets. conn_relay.c calls it
 * after the handshake; stekd-proxy(7) shows every byte of it.
 */
#include "proxy.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#define HEADER_FIXED 16
#define COMMAND_PROXY 0x21
#define UNIX_PATH 108

enum { FAMILY_UNSPEC = 0x00, FAMILY_TCP4 = 0x11, FAMILY_TCP6 = 0x21,
       FAMILY_UNIX = 0x31 };

enum {
	TLV_ALPN = 0x01,
	TLV_AUTHORITY = 0x02,
	TLV_CRC32C = 0x03,
	TLV_SSL = 0x20,
	TLV_SSL_VERSION = 0x21,
	TLV_SSL_CIPHER = 0x23,
	TLV_SSL_SIGNATURE = 0x24,
	TLV_SSL_KEY = 0x25,
	TLV_SSL_GROUP = 0x26,
	/* Ours, of the range that is nobody's (0xe0 to 0xef). */
	TLV_RESUMED = 0xe0,
	TLV_CHAIN_AGE = 0xe1,
	TLV_FINGERPRINT = 0xe2,
};

struct writer {
	uint8_t *buf;
	size_t len;
	bool failed;
};

static void put(struct writer *w, const void *bytes, size_t len)
{
	if (len > PROXY_OUT_MAX - w->len) {
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
static void put_addresses(struct writer *w, const struct sockaddr *from,
			  const struct sockaddr *to)
{
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

static void put_u32(struct writer *w, uint32_t value)
{
	const uint8_t bytes[4] = {
		(uint8_t)(value >> 24), (uint8_t)(value >> 16),
		(uint8_t)(value >> 8), (uint8_t)value,
	};

	put(w, bytes, sizeof(bytes));
}

static void put_ssl(struct writer *w, const struct proxy_out *in)
{
	size_t at = tlv_begin(w, TLV_SSL);

	put_u8(w, in->client | PROXY_CLIENT_SSL);
	/* Zero says that a certificate was shown and is good. */
	put_u32(w, in->verified ? 0 : 1);
	put_tlv(w, TLV_SSL_VERSION, in->tls_version);
	put_tlv(w, TLV_SSL_CIPHER, in->cipher);
	put_tlv(w, TLV_SSL_SIGNATURE, in->signature);
	put_tlv(w, TLV_SSL_KEY, in->key);
	put_tlv(w, TLV_SSL_GROUP, in->group);
	tlv_end(w, at);
}

static void put_own(struct writer *w, const struct proxy_out *in)
{
	size_t at = tlv_begin(w, TLV_RESUMED);

	put_u8(w, in->resumed);
	tlv_end(w, at);
	at = tlv_begin(w, TLV_CHAIN_AGE);
	put_u32(w, in->chain_age_s);
	tlv_end(w, at);
	if (!in->fingerprint)
		return;
	at = tlv_begin(w, TLV_FINGERPRINT);
	put(w, in->fingerprint, PROXY_FINGERPRINT_LEN);
	tlv_end(w, at);
}

static void put_tlvs(struct writer *w, const struct proxy_out *in)
{
	put_tlv(w, TLV_ALPN, in->alpn);
	put_tlv(w, TLV_AUTHORITY, in->authority);
	put_ssl(w, in);
	put_own(w, in);
}

/* Last, over all that stands before it and the final length. */
static void put_checksum(struct writer *w)
{
	size_t at = tlv_begin(w, TLV_CRC32C);

	put_u32(w, 0);
	tlv_end(w, at);
	if (w->failed)
		return;
	set_u16(w, HEADER_FIXED - 2, w->len - HEADER_FIXED);
	w->len -= 4;
	put_u32(w, proxy__crc32c(0, w->buf, w->len + 4));
}

size_t proxy_write(const struct proxy_out *in, uint8_t buf[PROXY_OUT_MAX])
{
	struct writer w = { .buf = buf };
	struct sockaddr_in from4, to4;
	const struct sockaddr *from = unmapped(in->from, &from4);
	const struct sockaddr *to = unmapped(in->to, &to4);

	if (in->form == PROXY_FORM_V1)
		return proxy__write_line(from, to, buf);
	put(&w, proxy__signature, sizeof(proxy__signature));
	put_u8(&w, COMMAND_PROXY);
	put_addresses(&w, from, to);
	if (in->form >= PROXY_FORM_TLS)
		put_tlvs(&w, in);
	if (in->form == PROXY_FORM_TLS_CRC)
		put_checksum(&w);
	if (w.failed)
		return 0;
	set_u16(&w, HEADER_FIXED - 2, w.len - HEADER_FIXED);
	return w.len;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * proxy.c - the PROXY protocol: reads the load balancer's header, version 2
 * here and version 1 in proxy_line.c. The connection calls it before the gate.
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

#define UNIX_PATH 108
#define TLV_CRC32C 0x03

const uint8_t proxy__signature[12] = {
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

/* A bit at a time: a header is short, and there is one for a connection. */
uint32_t proxy__crc32c(uint32_t crc, const uint8_t *bytes, size_t len)
{
	crc = ~crc;
	for (size_t i = 0; i < len; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

/* Section 2.2.3: over the whole header, the checksum itself as zeros. */
static bool checksum_fits(const uint8_t *header, size_t len,
			  const uint8_t *sum)
{
	static const uint8_t zeros[4];
	size_t before = (size_t)(sum - header);
	struct cursor stated = cursor_over(sum, 4);
	uint32_t crc = proxy__crc32c(0, header, before);

	crc = proxy__crc32c(crc, zeros, sizeof(zeros));
	crc = proxy__crc32c(crc, sum + 4, len - before - 4);
	return cursor_u32(&stated) == crc;
}

/* TLVs must end where the header does; the checksum alone is acted on. */
static enum proxy_verdict parse_tlvs(struct proxy_in *out,
				     const uint8_t *header, size_t len,
				     struct cursor data)
{
	while (data.left > 0) {
		uint8_t type = cursor_u8(&data);
		struct cursor value = cursor_vector(&data, 2, 0);

		if (data.failed)
			return refuse(out, "PROXY: a TLV is cut off");
		if (type == TLV_CRC32C &&
		    (value.left != 4 || !checksum_fits(header, len, value.at)))
			return refuse(out, "PROXY: the checksum is wrong");
	}
	return PROXY_PASS;
}

static enum proxy_verdict parse_body(struct proxy_in *out, uint8_t family,
				     const uint8_t *header, size_t len)
{
	struct cursor data = cursor_over(header + HEADER_FIXED,
					 len - HEADER_FIXED);

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
	return parse_tlvs(out, header, len, data);
}

static enum proxy_verdict parse_binary(struct proxy_in *out,
				       const uint8_t *buf, size_t len)
{
	size_t known = len < sizeof(proxy__signature) ?
		len : sizeof(proxy__signature);
	enum proxy_verdict verdict;
	size_t body;

	if (memcmp(buf, proxy__signature, known))
		return refuse(out, "PROXY: no signature of either version");
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
	verdict = parse_body(out, buf[13], buf, out->consumed);
	if (verdict != PROXY_PASS)
		out->consumed = 0;
	return verdict;
}

enum proxy_verdict proxy_parse(struct proxy_in *out, const uint8_t *buf,
			       size_t len)
{
	memset(out, 0, sizeof(*out));
	if (len == 0)
		return PROXY_MORE;
	if (buf[0] == proxy__signature[0])
		return parse_binary(out, buf, len);
	return proxy__parse_line(out, buf, len);
}

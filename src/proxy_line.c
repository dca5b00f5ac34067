/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proxy_line.c - version 1 of the PROXY protocol: one line of text of at most
 * 107 bytes. proxy.c calls the reading, proxy_write.c the writing.
 */
#include "proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS 6	/* PROXY TCP4 from to port port */

static enum proxy_verdict refuse(struct proxy_in *out, const char *why)
{
	out->why = why;
	return PROXY_REFUSE;
}

/* "Heading zeroes are not permitted." */
static bool parse_port(const char *text, in_port_t *port)
{
	size_t len = strlen(text);
	unsigned long value;

	if (len < 1 || len > 5 || strspn(text, "0123456789") != len ||
	    (len > 1 && text[0] == '0'))
		return false;
	value = strtoul(text, NULL, 10);
	*port = htons((uint16_t)value);
	return value <= 65535;
}

static bool parse_address(struct sockaddr_storage *out, int family,
			  const char *address, const char *port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	out->ss_family = (sa_family_t)family;
	if (family == AF_INET)
		return inet_pton(AF_INET, address, &v4->sin_addr) == 1 &&
			parse_port(port, &v4->sin_port);
	return inet_pton(AF_INET6, address, &v6->sin6_addr) == 1 &&
		parse_port(port, &v6->sin6_port);
}

/* Splits at single spaces; false unless there are just so many fields. */
static bool split(char *line, char *field[FIELDS])
{
	size_t n = 0;
	char *at = line;

	while (at && n < FIELDS) {
		field[n++] = at;
		at = strchr(at, ' ');
		if (at)
			*at++ = '\0';
	}
	return n == FIELDS && !at;
}

static enum proxy_verdict parse_fields(struct proxy_in *out, char *line)
{
	char *field[FIELDS];
	int family;

	/* Whatever follows UNKNOWN is to be skipped. */
	if (!strcmp(line, "PROXY UNKNOWN") ||
	    !strncmp(line, "PROXY UNKNOWN ", 14))
		return PROXY_PASS;
	if (!split(line, field))
		return refuse(out, "PROXY: not the fields of version 1");
	if (!strcmp(field[1], "TCP4"))
		family = AF_INET;
	else if (!strcmp(field[1], "TCP6"))
		family = AF_INET6;
	else
		return refuse(out, "PROXY: neither TCP4, TCP6 nor UNKNOWN");
	if (!parse_address(&out->from, family, field[2], field[4]) ||
	    !parse_address(&out->to, family, field[3], field[5]))
		return refuse(out, "PROXY: an address or port is malformed");
	return PROXY_PASS;
}

enum proxy_verdict proxy__parse_line(struct proxy_in *out, const uint8_t *buf,
				     size_t len)
{
	static const char start[] = "PROXY ";
	size_t known = len < 6 ? len : 6;
	size_t at = known;
	enum proxy_verdict verdict;
	char line[PROXY_LINE_MAX];

	if (memcmp(buf, start, known))
		return refuse(out, "PROXY: no signature of either version");
	while (at < len && at < PROXY_LINE_MAX - 1 && buf[at] >= ' ' &&
	       buf[at] <= '~')
		at++;
	if (at == PROXY_LINE_MAX - 1)
		return refuse(out, "PROXY: a line over 107 bytes");
	if (at == len)
		return PROXY_MORE;
	if (buf[at] != '\r')
		return refuse(out, "PROXY: a line with a byte that is no text");
	if (at + 1 == len)
		return PROXY_MORE;
	if (buf[at + 1] != '\n')
		return refuse(out, "PROXY: a line that does not end in CRLF");
	memcpy(line, buf, at);
	line[at] = '\0';
	verdict = parse_fields(out, line);
	if (verdict == PROXY_PASS)
		out->consumed = at + 2;
	return verdict;
}

static void text_of(const struct sockaddr *addr, char *text, unsigned *port)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)addr;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)addr;

	if (addr->sa_family == AF_INET) {
		inet_ntop(AF_INET, &v4->sin_addr, text, INET6_ADDRSTRLEN);
		*port = ntohs(v4->sin_port);
		return;
	}
	inet_ntop(AF_INET6, &v6->sin6_addr, text, INET6_ADDRSTRLEN);
	*port = ntohs(v6->sin6_port);
}

size_t proxy__write_line(const struct sockaddr *from,
			 const struct sockaddr *to,
			 uint8_t buf[PROXY_OUT_MAX])
{
	char a[INET6_ADDRSTRLEN], b[INET6_ADDRSTRLEN];
	unsigned p = 0, q = 0;
	int n;

	if (!from || !to || from->sa_family != to->sa_family ||
	    (from->sa_family != AF_INET && from->sa_family != AF_INET6)) {
		n = snprintf((char *)buf, PROXY_OUT_MAX, "PROXY UNKNOWN\r\n");
		return (size_t)n;
	}
	text_of(from, a, &p);
	text_of(to, b, &q);
	n = snprintf((char *)buf, PROXY_OUT_MAX, "PROXY TCP%c %s %s %u %u\r\n",
		     from->sa_family == AF_INET ? '4' : '6', a, b, p, q);
	return (size_t)n;
}

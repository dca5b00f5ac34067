/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses from the command line. main.c parses them before anything runs, so
 * that a typing error is a usage error and not a failed connection.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"

static bool port_valid(const char *port)
{
	unsigned value = 0;
	size_t len = strlen(port);

	if (len == 0 || len > 5)
		return false;
	for (; *port; port++) {
		if (*port < '0' || *port > '9')
			return false;
		value = value * 10 + (unsigned)(*port - '0');
	}
	return value > 0 && value <= 65535;
}

static bool host_literal(const char *host)
{
	uint8_t raw[16];

	return inet_pton(AF_INET, host, raw) == 1 ||
	       inet_pton(AF_INET6, host, raw) == 1;
}

int address_parse(struct address *out, const char *text)
{
	struct address address = {.len = 0};
	const char *host = text, *end, *colon = strrchr(text, ':');
	size_t len;

	if (!colon || strlen(text) >= sizeof(address.text))
		return -1;
	end = colon;
	if (text[0] == '[') {
		host = text + 1;
		end = colon - 1;
		if (end <= host || *end != ']')
			return -1;
	}
	len = (size_t)(end - host);
	if (len == 0 || len >= sizeof(address.host) || !port_valid(colon + 1))
		return -1;
	memcpy(address.host, host, len);
	if (strpbrk(address.host, text[0] == '[' ? "[] /" : "[]: /"))
		return -1;
	strcpy(address.port, colon + 1);
	strcpy(address.text, text);
	address.literal = host_literal(address.host);
	if (text[0] == '[' && !address.literal)
		return -1;
	*out = address;
	return 0;
}

int address_list(struct address **list, size_t *n, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, ",");
		struct address *grown;
		char one[300];

		if (len == 0 || len >= sizeof(one))
			return -1;
		memcpy(one, text, len);
		one[len] = '\0';
		grown = realloc(*list, (*n + 1) * sizeof(**list));
		if (!grown)
			return -1;
		*list = grown;
		if (address_parse(&grown[*n], one) != 0)
			return -1;
		(*n)++;
		text += len;
		if (*text == ',' && *++text == '\0')
			return -1;
	}
	return 0;
}

void address_resolve(struct address *address)
{
	struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV,
	};
	struct addrinfo *found = NULL;

	if (getaddrinfo(address->host, address->port, &hints, &found) != 0)
		return;
	memcpy(&address->addr, found->ai_addr, found->ai_addrlen);
	address->len = found->ai_addrlen;
	freeaddrinfo(found);
}

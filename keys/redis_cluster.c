// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * redis_cluster.c - reads where a Cluster says that a slot is. All keys of a
 * farm share one hash tag and so one slot, so there is no map of slots: the
 * store goes where it is told and stays there. Called by redis_call.c.
 */
#include <stdlib.h>
#include <string.h>

#include "redis_conn.h"

/* "HOST:PORT", the last colon divides: an IPv6 address has no brackets. */
static bool endpoint(const char *text, const struct stek_redis_addr *from,
		     struct stek_redis_addr *out)
{
	const char *colon = strrchr(text, ':');
	size_t len, digits;
	long port;

	if (!colon)
		return false;
	digits = strlen(colon + 1);
	if (digits < 1 || digits > 5 ||
	    strspn(colon + 1, "0123456789") != digits)
		return false;
	port = strtol(colon + 1, NULL, 10);
	len = (size_t)(colon - text);
	if (port < 1 || port > 65535 || len >= sizeof(out->host))
		return false;
	/* "?": the server does not know its own name. */
	if (memchr(text, '?', len) || memchr(text, ' ', len) ||
	    (len == 0 && !from->host[0]))
		return false;
	*out = *from;
	if (len) {
		memcpy(out->host, text, len);
		out->host[len] = '\0';
	}
	out->port = (int)port;
	return true;
}

bool stek__redis_redirected(const char *error,
			    const struct stek_redis_addr *from,
			    struct stek_redis_redirect *out)
{
	struct stek_redis_redirect redirect = { 0 };
	const char *slot;
	size_t digits;

	if (!strncmp(error, "MOVED ", 6))
		slot = error + 6;
	else if (!strncmp(error, "ASK ", 4))
		slot = error + 4;
	else
		return false;
	digits = strspn(slot, "0123456789");
	if (digits < 1 || digits > 5 || slot[digits] != ' ')
		return false;
	redirect.ask = error[0] == 'A';
	if (!endpoint(slot + digits + 1, from, &redirect.addr))
		return false;
	*out = redirect;
	return true;
}

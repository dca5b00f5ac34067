// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * redis_url.c - reads a store's URL into the place of a Redis server, and tells
 * at once when the password file beside it is wrong. Called when a Redis store
 * is opened.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_conn.h"
#include "secret.h"

#define REDIS_PORT 6379

/* A decimal number that fills all of `text` and is at most `max`. */
static int number(const char *text, unsigned long max, unsigned long *out)
{
	size_t len = strlen(text);

	if (len == 0 || len > 9 || strspn(text, "0123456789") != len)
		return STEK_EINVAL;
	*out = strtoul(text, NULL, 10);
	return *out <= max ? 0 : STEK_EINVAL;
}

static int place_unix(struct stek_redis_place *out, const char *rest)
{
	const char *query = strchr(rest, '?');
	size_t len = query ? (size_t)(query - rest) : strlen(rest);
	unsigned long db = 0;

	if (rest[0] != '/' || len >= sizeof(out->path))
		return STEK_EINVAL;
	if (query && (strncmp(query, "?db=", 4) ||
		      number(query + 4, 65535, &db)))
		return STEK_EINVAL;
	memcpy(out->path, rest, len);
	out->db = (unsigned)db;
	return 0;
}

/* HOST or [V6 address], then optionally :PORT and /DB. */
static int place_tcp(struct stek_redis_place *out, const char *rest)
{
	char text[300], *host = text, *after, *slash;
	unsigned long port = REDIS_PORT, db = 0;

	if (strlen(rest) >= sizeof(text) || strchr(rest, '@'))
		return STEK_EINVAL;
	memcpy(text, rest, strlen(rest) + 1);
	slash = strchr(text, '/');
	if (slash) {
		*slash = '\0';
		if (slash[1] && number(slash + 1, 65535, &db))
			return STEK_EINVAL;
	}
	if (text[0] == '[') {
		host = text + 1;
		after = strchr(host, ']');
		if (!after)
			return STEK_EINVAL;
		*after++ = '\0';
		if (*after && *after != ':')
			return STEK_EINVAL;
	} else {
		after = strchr(text, ':');
		if (!after)
			after = text + strlen(text);
	}
	if (*after == ':') {
		*after = '\0';
		if (number(after + 1, 65535, &port) || !port)
			return STEK_EINVAL;
	}
	if (!host[0] || strlen(host) >= sizeof(out->host))
		return STEK_EINVAL;
	memcpy(out->host, host, strlen(host) + 1);
	out->port = (int)port;
	out->db = (unsigned)db;
	return 0;
}

int stek__redis_place(struct stek_redis_place *out,
		      const struct stek_store_options *options, char *why,
		      size_t why_len)
{
	const char *file = options->password_file, *user = options->user;
	char password[STEK_REDIS_PASSWORD_MAX];
	int err;

	memset(out, 0, sizeof(*out));
	out->timeout_ms = options->timeout_ms;
	if (!strncmp(options->url, "unix:", 5))
		err = place_unix(out, options->url + 5);
	else
		err = place_tcp(out, options->url + 8);
	if (err) {
		/* A URL with a password in it must not reach a log. */
		snprintf(why, why_len, "store url '%s': expected"
			 " redis://HOST[:PORT][/DB] or unix:/PATH[?db=N], user"
			 " and password not in it",
			 strchr(options->url, '@') ? "(hidden)" : options->url);
		return STEK_EINVAL;
	}
	if (user && strlen(user) >= sizeof(out->user)) {
		snprintf(why, why_len, "store user: longer than %zu characters",
			 sizeof(out->user) - 1);
		return STEK_EINVAL;
	}
	if (user && user[0] && !file) {
		snprintf(why, why_len, "store user '%s' without a password"
			 " file", user);
		return STEK_EINVAL;
	}
	if (user)
		memcpy(out->user, user, strlen(user) + 1);
	if (!file)
		return 0;
	if (strlen(file) >= sizeof(out->password_file)) {
		snprintf(why, why_len, "password file: path too long");
		return STEK_EINVAL;
	}
	memcpy(out->password_file, file, strlen(file) + 1);
	/* Tell a wrong file now and not at the first connection. */
	err = stek__store_password_read(file, password, sizeof(password), why,
					why_len);
	stek__wipe(password, sizeof(password));
	return err;
}

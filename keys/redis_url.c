// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * redis_url.c - reads a store's URL and what stands beside it into the place of
 * a Redis, and tells at once when a file is wrong or an option would silently
 * do nothing. Called when a Redis store is opened.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_conn.h"
#include "secret.h"

#define REDIS_PORT 6379
#define SENTINEL_PORT 26379
#define WAIT_MS_USUAL 200

static const struct scheme {
	const char *prefix;
	bool tls, sentinel;
} schemes[] = {
	{ "redis://", false, false },
	{ "rediss://", true, false },
	{ "sentinel://", false, true },
	{ "sentinels://", true, true },
};

/* A decimal number that fills all of `text` and is at most `max`. */
static int number(const char *text, unsigned long max, unsigned long *out)
{
	size_t len = strlen(text);

	if (len == 0 || len > 9 || strspn(text, "0123456789") != len)
		return STEK_EINVAL;
	*out = strtoul(text, NULL, 10);
	return *out <= max ? 0 : STEK_EINVAL;
}

static int database(struct stek_redis_place *out, const char *text)
{
	unsigned long db = 0;

	if (number(text, 65535, &db))
		return STEK_EINVAL;
	out->db = (unsigned)db;
	return 0;
}

static int place_unix(struct stek_redis_place *out, const char *rest)
{
	const char *query = strchr(rest, '?');
	size_t len = query ? (size_t)(query - rest) : strlen(rest);

	if (rest[0] != '/' || len >= sizeof(out->path))
		return STEK_EINVAL;
	if (query && (strncmp(query, "?db=", 4) || database(out, query + 4)))
		return STEK_EINVAL;
	memcpy(out->path, rest, len);
	return 0;
}

/* HOST or [V6 address], then optionally :PORT. Writes into `text`. */
static int address(struct stek_redis_addr *out, char *text, int usual_port)
{
	char *host = text, *after;
	unsigned long port = (unsigned long)usual_port;
	size_t len;

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
	len = strlen(host);
	if (!len || len >= sizeof(out->host) ||
	    strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		   "0123456789.-_:%") != len)
		return STEK_EINVAL;
	memcpy(out->host, host, len + 1);
	out->port = (int)port;
	return 0;
}

static int addresses(struct stek_redis_place *out, char *list, int usual_port)
{
	char *next;

	do {
		next = strchr(list, ',');
		if (next)
			*next++ = '\0';
		if (out->n_addrs == STEK_REDIS_ADDRS_MAX ||
		    address(&out->addr[out->n_addrs], list, usual_port))
			return STEK_EINVAL;
		out->n_addrs++;
		list = next;
	} while (list);
	return 0;
}

/* MASTER[/DB]; Sentinel itself takes no other characters in a name. */
static int master(struct stek_redis_place *out, char *path)
{
	char *slash = path ? strchr(path, '/') : NULL;
	size_t len;

	if (slash)
		*slash++ = '\0';
	len = path ? strlen(path) : 0;
	if (!len || len >= sizeof(out->master) ||
	    strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		   "0123456789.-_") != len)
		return STEK_EINVAL;
	memcpy(out->master, path, len + 1);
	return slash && *slash ? database(out, slash) : 0;
}

static int place_tcp(struct stek_redis_place *out, const struct scheme *scheme,
		     const char *rest)
{
	char text[2048], *path;

	if (strlen(rest) >= sizeof(text))
		return STEK_EINVAL;
	memcpy(text, rest, strlen(rest) + 1);
	path = strchr(text, '/');
	if (path)
		*path++ = '\0';
	out->tls.on = scheme->tls;
	if (addresses(out, text, scheme->sentinel ? SENTINEL_PORT :
						    REDIS_PORT))
		return STEK_EINVAL;
	if (scheme->sentinel)
		return master(out, path);
	return path && *path ? database(out, path) : 0;
}

static int place_url(struct stek_redis_place *out, const char *url)
{
	size_t i, len;

	if (!strncmp(url, "unix:", 5))
		return place_unix(out, url + 5);
	for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		len = strlen(schemes[i].prefix);
		if (!strncmp(url, schemes[i].prefix, len))
			return place_tcp(out, &schemes[i], url + len);
	}
	return STEK_EINVAL;
}

/* One option into its field; an absent one leaves it empty. */
static int text_option(char *out, size_t cap, const char *value,
		       const char *name, char *why, size_t why_len)
{
	if (!value)
		return 0;
	if (strlen(value) >= cap) {
		snprintf(why, why_len, "store %s: longer than %zu characters",
			 name, cap - 1);
		return STEK_EINVAL;
	}
	memcpy(out, value, strlen(value) + 1);
	return 0;
}

/* `whose`: "" or "sentinel_". A wrong password file is told now. */
static int login_options(struct stek_redis_login *out, const char *user,
			 const char *file, const char *whose, char *why,
			 size_t why_len)
{
	char password[STEK_REDIS_PASSWORD_MAX], name[40];
	int err;

	snprintf(name, sizeof(name), "%suser", whose);
	err = text_option(out->user, sizeof(out->user), user, name, why,
			  why_len);
	if (!err && out->user[0] && !file) {
		snprintf(why, why_len, "store %s '%s' without a password file",
			 name, user);
		err = STEK_EINVAL;
	}
	snprintf(name, sizeof(name), "%spassword_file", whose);
	if (!err)
		err = text_option(out->password_file,
				  sizeof(out->password_file), file, name, why,
				  why_len);
	if (err || !file)
		return err;
	err = stek__store_password_read(file, password, sizeof(password), why,
					why_len);
	stek__wipe(password, sizeof(password));
	return err;
}

static int refuse(char *why, size_t why_len, const char *text)
{
	snprintf(why, why_len, "%s", text);
	return STEK_EINVAL;
}

static int tls_options(struct stek_redis_tls *out,
		       const struct stek_store_reach *reach, char *why,
		       size_t why_len)
{
	int err;

	if (!out->on && (reach->ca || reach->certificate || reach->key ||
			 reach->server_name))
		return refuse(why, why_len, "store ca, certificate, key and"
			      " server_name: the url has no TLS, expected"
			      " rediss:// or sentinels://");
	if (!out->on)
		return 0;
	if (!reach->ca)
		return refuse(why, why_len, "store ca: required with TLS");
	if (!reach->certificate != !reach->key)
		return refuse(why, why_len, "store certificate and key: one"
			      " without the other");
	err = text_option(out->ca, sizeof(out->ca), reach->ca, "ca", why,
			  why_len);
	if (!err)
		err = text_option(out->certificate, sizeof(out->certificate),
				  reach->certificate, "certificate", why,
				  why_len);
	if (!err)
		err = text_option(out->key, sizeof(out->key), reach->key,
				  "key", why, why_len);
	if (!err)
		err = text_option(out->server_name, sizeof(out->server_name),
				  reach->server_name, "server_name", why,
				  why_len);
	return err ? err : stek__redis_tls_check(out, why, why_len);
}

static int reach_options(struct stek_redis_place *out,
			 const struct stek_store_reach *reach, char *why,
			 size_t why_len)
{
	if (!out->master[0] &&
	    (reach->sentinel_user || reach->sentinel_password_file))
		return refuse(why, why_len, "store sentinel_user and"
			      " sentinel_password_file: the url is not of"
			      " Sentinels");
	if (reach->wait_replicas > STEK_REDIS_WAIT_REPLICAS_MAX)
		return refuse(why, why_len, "store wait_replicas: expected at"
			      " most 16");
	if (reach->wait_ms > STEK_REDIS_WAIT_MS_MAX ||
	    (reach->wait_ms && !reach->wait_replicas))
		return refuse(why, why_len, "store wait_ms: expected at most"
			      " 800, and wait_replicas beside it");
	out->wait_replicas = reach->wait_replicas;
	out->wait_ms = reach->wait_ms ? reach->wait_ms : WAIT_MS_USUAL;
	return login_options(&out->sentinel_login, reach->sentinel_user,
			     reach->sentinel_password_file, "sentinel_", why,
			     why_len);
}

int stek__redis_place(struct stek_redis_place *out,
		      const struct stek_store_options *options, char *why,
		      size_t why_len)
{
	const char *url = options->url;
	int err;

	memset(out, 0, sizeof(*out));
	out->timeout_ms = options->timeout_ms;
	if (strchr(url, '@') || place_url(out, url)) {
		/* A URL with a password in it must not reach a log. */
		snprintf(why, why_len, "store url '%s': expected"
			 " redis://HOST[:PORT][,HOST...][/DB], rediss://,"
			 " sentinel://HOST[:PORT][,HOST...]/MASTER[/DB],"
			 " sentinels://, unix:/PATH[?db=N] or file:/DIRECTORY,"
			 " user and password not in it",
			 strchr(url, '@') ? "(hidden)" : url);
		return STEK_EINVAL;
	}
	err = login_options(&out->login, options->user, options->password_file,
			    "", why, why_len);
	if (!err)
		err = tls_options(&out->tls, &options->reach, why, why_len);
	if (!err)
		err = reach_options(out, &options->reach, why, why_len);
	return err;
}

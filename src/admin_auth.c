/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_auth.c - who may ask the admin endpoint: the bearer token, the Host
 * and Origin headers. Called by admin.c, and by settings.c to check the token
 * file at start-up.
 */
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/settings.h>
#include <wolfssl/wolfcrypt/hash.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin_auth.h"
#include "secret_file.h"

#define HEX "0123456789abcdefABCDEF"
#define BASE64 "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" \
	"0123456789+/-_"

static int digest_of(const char *token, size_t len,
		     uint8_t digest[AUTH_DIGEST_LEN])
{
	return wc_Sha256Hash((const byte *)token, (word32)len, digest) == 0
		? 0 : -1;
}

/* 256 bits need 64 characters of hexadecimal or 43 of base64. */
static bool long_enough(const char *token, size_t len)
{
	size_t body;

	if (strspn(token, HEX) == len)
		return len >= 64;
	body = strspn(token, BASE64);
	return body >= 43 && body + strspn(token + body, "=") == len &&
	       len - body <= 2;
}

/* The file's bytes in `buf`, trailing white space cut; -1: see `why`. */
static int slurp(const char *path, char *buf, size_t cap, size_t *len,
		 char *why, size_t why_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t n = -1;

	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		snprintf(why, why_len, "found no readable file at %s, expected "
			 "a token", path);
		goto out;
	}
	if (!stek__secret_file_good(&st, path)) {
		snprintf(why, why_len, "found mode %04o on %s, expected 0600",
			 (unsigned)st.st_mode & 07777, path);
		goto out;
	}
	n = read(fd, buf, cap - 1);
	if (n < 0)
		snprintf(why, why_len, "found %s: %s, expected a token", path,
			 strerror(errno));
out:
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return -1;
	while (n > 0 && strchr(" \t\r\n", buf[n - 1]) != NULL)
		n--;
	buf[n] = '\0';
	*len = (size_t)n;
	return 0;
}

int auth_token_read(const char *path, uint8_t digest[AUTH_DIGEST_LEN],
		    char *why, size_t why_len)
{
	char token[AUTH_TOKEN_MAX + 2];
	size_t len = 0;
	int result = -1;

	if (slurp(path, token, sizeof(token), &len, why, why_len) != 0)
		goto out;
	if (len > AUTH_TOKEN_MAX || strlen(token) != len ||
	    !long_enough(token, len)) {
		snprintf(why, why_len, "found another text in %s, expected one "
			 "line of at least 64 hexadecimal or 43 base64 "
			 "characters", path);
		goto out;
	}
	if (digest_of(token, len, digest) != 0) {
		snprintf(why, why_len, "SHA-256 of the token failed");
		goto out;
	}
	result = 0;
out:
	explicit_bzero(token, sizeof(token));
	return result;
}

int auth_token_digest(const char *token, uint8_t digest[AUTH_DIGEST_LEN])
{
	return digest_of(token, strlen(token), digest);
}

bool auth_is_bearer(const char *header)
{
	return header != NULL && strncasecmp(header, "Bearer", 6) == 0 &&
	       (header[6] == ' ' || header[6] == '\0');
}

bool auth_token_good(const uint8_t digest[AUTH_DIGEST_LEN],
		     const char *header)
{
	uint8_t given[AUTH_DIGEST_LEN];
	volatile uint8_t differs = 0;
	size_t i, len;

	if (header == NULL || strncasecmp(header, "Bearer ", 7) != 0)
		return false;
	header += 7;
	header += strspn(header, " ");
	len = strlen(header);
	if (len > AUTH_TOKEN_MAX || digest_of(header, len, given) != 0)
		return false;
	for (i = 0; i < AUTH_DIGEST_LEN; i++)
		differs |= given[i] ^ digest[i];
	return differs == 0;
}

bool auth_host_good(const char *host, unsigned port)
{
	static const char *const names[] = { "127.0.0.1", "[::1]",
					     "localhost" };
	char wanted[32];
	size_t i;

	if (host == NULL)
		return false;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(wanted, sizeof(wanted), "%s:%u", names[i], port);
		if (strcasecmp(host, wanted) == 0 ||
		    (port == 80 && strcasecmp(host, names[i]) == 0))
			return true;
	}
	return false;
}

bool auth_origin_good(const char *origin, const char *fetch_site,
		      unsigned port)
{
	if (fetch_site != NULL && strcmp(fetch_site, "same-origin") != 0 &&
	    strcmp(fetch_site, "none") != 0)
		return false;
	if (origin == NULL)
		return true;
	return port != 0 && strncmp(origin, "http://", 7) == 0 &&
	       auth_host_good(origin + 7, port);
}

bool auth_origin_same(const char *origin, const char *host)
{
	return origin == NULL ||
	       (host != NULL && strncmp(origin, "http://", 7) == 0 &&
		strcasecmp(origin + 7, host) == 0);
}

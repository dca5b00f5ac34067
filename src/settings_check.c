/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * settings_check.c - checks of single values: addresses, names, files. Called
 * by settings.c, which knows where in the file each value stands.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "secret_file.h"
#include "settings_check.h"

#define ADDRESS_WANTED "IPV4:PORT or [IPV6]:PORT"

static bool bad(const struct place *at, const char *found, const char *wanted)
{
	fault(at->faults, at->line, "found '%.100s' for %s, expected %s", found,
	      at->name, wanted);
	return false;
}

/* "[::1]:80" or "127.0.0.1:80" into its two halves. */
static bool split_address(const char *text, char *host, size_t host_len,
			  const char **port)
{
	const char *begin = text, *end;

	if (text[0] == '[') {
		begin = text + 1;
		end = strchr(begin, ']');
		if (end == NULL || end[1] != ':' ||
		    memchr(begin, ':', (size_t)(end - begin)) == NULL)
			return false;
		*port = end + 2;
	} else {
		end = strchr(text, ':');
		if (end == NULL || strchr(end + 1, ':') != NULL)
			return false;
		*port = end + 1;
	}
	if (end == begin || (size_t)(end - begin) >= host_len ||
	    **port == '\0' || strlen(*port) > 5 ||
	    strspn(*port, "0123456789") != strlen(*port) ||
	    strtoul(*port, NULL, 10) > 65535)
		return false;
	memcpy(host, begin, (size_t)(end - begin));
	host[end - begin] = '\0';
	return true;
}

static bool parse_address(const char *text, struct settings_address *out)
{
	struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *found = NULL;
	char host[80];
	const char *port;

	/* "127.1" and "2130706433" are forms that nobody writes on purpose. */
	if (!split_address(text, host, sizeof(host), &port) ||
	    (text[0] != '[' &&
	     inet_pton(AF_INET, host, &(struct in_addr){ 0 }) != 1) ||
	    getaddrinfo(host, port, &hints, &found) != 0)
		return false;
	memset(out, 0, sizeof(*out));
	memcpy(&out->addr, found->ai_addr, found->ai_addrlen);
	out->len = found->ai_addrlen;
	snprintf(out->text, sizeof(out->text), "%s", text);
	freeaddrinfo(found);
	return true;
}

bool check_address(const struct place *at, const char *text,
		   struct settings_address *out)
{
	return parse_address(text, out) || bad(at, text, ADDRESS_WANTED);
}

bool check_loopback(const struct place *at,
		    const struct settings_address *address)
{
	const struct sockaddr_in *v4 = (const void *)&address->addr;
	const struct sockaddr_in6 *v6 = (const void *)&address->addr;

	if (address->addr.ss_family == AF_INET
	    ? ntohl(v4->sin_addr.s_addr) == INADDR_LOOPBACK
	    : IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr))
		return true;
	return bad(at, address->text, "127.0.0.1 or [::1], with a port");
}

static bool unix_address(const char *path, struct settings_address *out)
{
	struct sockaddr_un *un = (void *)&out->addr;

	if (path[0] != '/' || strlen(path) >= sizeof(un->sun_path))
		return false;
	un->sun_family = AF_UNIX;
	strcpy(un->sun_path, path);
	out->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			       strlen(path) + 1);
	return true;
}

bool check_backend(const struct place *at, const char *text,
		   enum backend_kind *kind, struct settings_address *out)
{
	memset(out, 0, sizeof(*out));
	*kind = BACKEND_SOCKET;
	if (strcmp(text, "builtin") == 0) {
		*kind = BACKEND_BUILTIN;
		return true;
	}
	if (strcmp(text, "admin") == 0) {
		*kind = BACKEND_ADMIN;
		return true;
	}
	if ((strncmp(text, "tcp:", 4) == 0 && parse_address(text + 4, out)) ||
	    (strncmp(text, "unix:", 5) == 0 && unix_address(text + 5, out))) {
		snprintf(out->text, sizeof(out->text), "%s", text);
		return true;
	}
	return bad(at, text,
		   "builtin, admin, tcp:IPV4:PORT, tcp:[IPV6]:PORT or "
		   "unix:/PATH");
}

bool check_name(const struct place *at, const char *text)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789._-";
	size_t len = strlen(text);

	if (len >= 1 && len <= STEK_NAME_MAX && strspn(text, allowed) == len)
		return true;
	return bad(at, text, "1 to 63 of A-Z a-z 0-9 . _ -");
}

/* Labels of letters, digits, '-' and '_'; RFC 1123 s2.1, RFC 6066 s3. */
static bool host_name_good(const char *text)
{
	size_t label = 0, len = strlen(text);
	const char *c;

	if (len == 0 || len > 253)
		return false;
	for (c = text; *c != '\0'; c++) {
		if (*c == '.' && label == 0)
			return false;
		label = *c == '.' ? 0 : label + 1;
		if (label > 63 ||
		    (*c != '.' && *c != '-' && *c != '_' &&
		     !(isascii((unsigned char)*c) &&
		       isalnum((unsigned char)*c))))
			return false;
	}
	return label > 0;
}

bool check_host_name(const struct place *at, const char *text, char *lower)
{
	const char *name = strncmp(text, "*.", 2) == 0 ? text + 2 : text;
	size_t i;

	if (!host_name_good(name))
		return bad(at, text,
			   "a DNS name, or *. before one (no trailing dot, "
			   "xn-- for letters beyond ASCII)");
	if (inet_pton(AF_INET, name, &(struct in_addr){ 0 }) == 1)
		return bad(at, text, "a DNS name: clients do not send "
			   "addresses as server name");
	for (i = 0; text[i] != '\0'; i++)
		lower[i] = (char)tolower((unsigned char)text[i]);
	lower[i] = '\0';
	return true;
}

bool check_file(const struct place *at, const char *path, bool secret)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool good = false;

	if (fd < 0 || fstat(fd, &st) != 0) {
		fault(at->faults, at->line, "found '%s' for %s (%s), expected a "
		      "file that stekd can read", path, at->name,
		      strerror(errno));
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		bad(at, path, "a regular file");
		goto out;
	}
	if (secret && !stek__secret_file_good(&st, path)) {
		fault(at->faults, at->line, "found mode %04o on '%s' for %s, "
		      "expected 0600: others may read a secret",
		      (unsigned)st.st_mode & 07777, path, at->name);
		goto out;
	}
	good = true;
out:
	if (fd >= 0)
		close(fd);
	return good;
}

bool check_directory(const struct place *at, const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0) {
		fault(at->faults, at->line, "found '%s' for %s (%s), expected a "
		      "directory", path, at->name, strerror(errno));
		return false;
	}
	if (!S_ISDIR(st.st_mode))
		return bad(at, path, "a directory");
	if (faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) == 0)
		return true;
	fault(at->faults, at->line, "found '%s' for %s (%s), expected a "
	      "directory that stekd can write to", path, at->name,
	      strerror(errno));
	return false;
}

bool check_store_url(const struct place *at, const char *url)
{
	static const char *const prefixes[] = {
		"redis://", "rediss://", "sentinel://", "sentinels://",
		"unix:/", "file:/",
	};
	size_t i, len;

	/* A URL with a password in it is not repeated in the message. */
	if (strstr(url, "://") != NULL && strchr(url, '@') != NULL) {
		fault(at->faults, at->line, "found a user or password in %s, "
		      "expected them as store.user and store.password_file",
		      at->name);
		return false;
	}
	for (i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		len = strlen(prefixes[i]);
		if (strncmp(url, prefixes[i], len) == 0 &&
		    (url[len] != '\0' || prefixes[i][0] == 'f'))
			return true;
	}
	fault(at->faults, at->line, "found another form for %s, expected "
	      "redis://HOST[:PORT][/DB], rediss://, "
	      "sentinel://HOST[:PORT]/MASTER[/DB], sentinels://, "
	      "unix:/PATH[?db=N] or file:/DIRECTORY", at->name);
	return false;
}

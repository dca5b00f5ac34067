/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_socket.c - listening sockets of the HTTP endpoints, made by hand:
 * libmicrohttpd would listen on every address, and knows no Unix sockets.
 * Called by admin.c.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin_http.h"
#include "text.h"

#define BACKLOG 64

static int fail(int fd, const char *what, const char *where, char *why,
		size_t why_len)
{
	snprintf(why, why_len, "%s %s: %s", what, where, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* True if a process answers there; a socket file may outlive its maker. */
static bool somebody_listens(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool answers;

	if (fd < 0)
		return true;
	answers = connect(fd, (const void *)address, sizeof(*address)) == 0 ||
		  (errno != ECONNREFUSED && errno != ENOENT);
	close(fd);
	return answers;
}

/* Makes way for our socket: a dead socket goes, any other file stays. */
static int clear_path(const struct sockaddr_un *address, char *why,
		      size_t why_len)
{
	const char *path = address->sun_path;
	struct stat st;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? 0
			: fail(-1, "cannot look at", path, why, why_len);
	if (!S_ISSOCK(st.st_mode)) {
		snprintf(why, why_len, "%s is in the way and is no socket",
			 path);
		return -1;
	}
	if (somebody_listens(address)) {
		snprintf(why, why_len, "another process listens on %s", path);
		return -1;
	}
	if (unlink(path) != 0)
		return fail(-1, "cannot replace", path, why, why_len);
	return 0;
}

int admin_socket_unix(const char *path, char *why, size_t why_len)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	mode_t mask;
	int fd, bound;

	if (strlen(path) >= sizeof(address.sun_path)) {
		snprintf(why, why_len, "%s is too long for a socket", path);
		return -1;
	}
	strcpy(address.sun_path, path);
	if (clear_path(&address, why, why_len) != 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(fd, "cannot make a socket for", path, why, why_len);
	mask = umask(0177);	/* no moment at which others could connect */
	bound = bind(fd, (const void *)&address, sizeof(address));
	umask(mask);
	if (bound != 0 || listen(fd, BACKLOG) != 0)
		return fail(fd, "cannot listen on", path, why, why_len);
	return fd;
}

int admin_socket_tcp(const struct settings_address *address,
		     struct settings_address *bound, char *why,
		     size_t why_len)
{
	int fd, on = 1;

	fd = socket(address->addr.ss_family,
		    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(fd, "cannot make a socket for", address->text, why,
			    why_len);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	memset(bound, 0, sizeof(*bound));
	bound->len = sizeof(bound->addr);
	if (bind(fd, (const void *)&address->addr, address->len) != 0 ||
	    listen(fd, BACKLOG) != 0 ||
	    getsockname(fd, (void *)&bound->addr, &bound->len) != 0)
		return fail(fd, "cannot listen on", address->text, why,
			    why_len);
	text_address(bound->text, sizeof(bound->text), &bound->addr);
	return fd;
}

unsigned admin_socket_port(const struct settings_address *address)
{
	const struct sockaddr_in *v4 = (const void *)&address->addr;
	const struct sockaddr_in6 *v6 = (const void *)&address->addr;

	return ntohs(address->addr.ss_family == AF_INET6 ? v6->sin6_port
							 : v4->sin_port);
}

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

#include "activation.h"
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

static int passed(struct node *node, const char *name,
		  const struct settings_address *address,
		  struct settings_address *bound)
{
	int fd = activation_find(node->activation, name, address);

	if (fd < 0)
		return -1;
	memset(bound, 0, sizeof(*bound));
	bound->len = sizeof(bound->addr);
	if (getsockname(fd, (void *)&bound->addr, &bound->len) != 0) {
		close(fd);
		return -1;
	}
	text_address(bound->text, sizeof(bound->text), &bound->addr);
	return fd;
}

static bool is_loopback(const struct settings_address *address)
{
	const struct sockaddr_in *v4 = (const void *)&address->addr;
	const struct sockaddr_in6 *v6 = (const void *)&address->addr;

	if (address->addr.ss_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) == INADDR_LOOPBACK;
	return address->addr.ss_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

/* What systemd passed is not what it is named for. */
static int misfit(int fd, const char *name,
		  const struct settings_address *bound, const char *wanted,
		  char *why, size_t why_len)
{
	snprintf(why, why_len, "systemd's socket '%s' is on %.100s, expected "
		 "%s", name, bound->text, wanted);
	close(fd);
	return -1;
}

int admin_socket_net(struct node *node, const char *name,
		     const struct settings_address *address,
		     struct settings_address *bound, char *why,
		     size_t why_len)
{
	int fd = passed(node, name, address, bound);

	if (fd < 0)
		return admin_socket_tcp(address, bound, why, why_len);
	if (bound->addr.ss_family == AF_UNIX)
		return misfit(fd, name, bound, "a TCP one", why, why_len);
	/* The token of the other one travels in the clear. */
	if (strcmp(name, "metrics") != 0 && !is_loopback(bound))
		return misfit(fd, name, bound, "the loopback", why, why_len);
	return fd;
}

/* Its file is to be that user's, who also takes it away at the end. */
static int make_local(const struct settings *settings, char *why,
		      size_t why_len)
{
	bool as_user = settings->user != NULL && geteuid() == 0;
	int fd = -1;

	if (as_user && (setegid(settings->gid) != 0 ||
			seteuid(settings->uid) != 0))
		snprintf(why, why_len, "cannot act as user %s: %s",
			 settings->user, strerror(errno));
	else
		fd = admin_socket_unix(settings->admin_socket, why, why_len);
	if (as_user && (seteuid(0) != 0 || setegid(0) != 0) && fd >= 0) {
		snprintf(why, why_len, "cannot act as root again: %s",
			 strerror(errno));
		close(fd);
		fd = -1;
	}
	return fd;
}

int admin_socket_local(struct node *node, struct settings_address *bound,
		       bool *kept, char *why, size_t why_len)
{
	struct settings_address wanted = { .len = 0 };
	int fd;

	snprintf(wanted.text, sizeof(wanted.text), "unix:%s",
		 node->fixed->admin_socket);
	fd = passed(node, "admin", &wanted, bound);
	*kept = fd >= 0;
	if (*kept && bound->addr.ss_family != AF_UNIX)
		return misfit(fd, "admin", bound, "a Unix one (that of "
			      "admin.listen is named admin-tcp)", why,
			      why_len);
	if (!*kept) {
		fd = make_local(node->fixed, why, why_len);
		*bound = wanted;
	}
	return fd;
}

unsigned admin_socket_port(const struct settings_address *address)
{
	const struct sockaddr_in *v4 = (const void *)&address->addr;
	const struct sockaddr_in6 *v6 = (const void *)&address->addr;

	return ntohs(address->addr.ss_family == AF_INET6 ? v6->sin6_port
							 : v4->sin_port);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * activation.c - reads LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES and finds the
 * socket for each listener by name or address. The protocol is a stable one of
 * three variables; see notify.c for why libsystemd is not linked. Used before
 * the first thread starts.
 */
#include "activation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "text.h"

#define FIRST_FD 3		/* SD_LISTEN_FDS_START */
#define SOCKETS_MAX 128

struct passed {
	int fd;
	char name[64];
	struct settings_address bound;
	bool used;
};

struct activation {
	size_t n;
	struct passed socket[];
};

/* Decimal, of at most 9 digits; -1: another text, or none. */
static long number(const char *text)
{
	size_t len = text != NULL ? strlen(text) : 0;

	if (len == 0 || len > 9 || strspn(text, "0123456789") != len)
		return -1;
	return strtol(text, NULL, 10);
}

static int option(int fd, int which)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, which, &value, &len) == 0 ? value
								    : -1;
}

static int learn(struct passed *passed, char *why, size_t why_len)
{
	struct settings_address *bound = &passed->bound;
	int family;

	bound->len = sizeof(bound->addr);
	if (option(passed->fd, SO_TYPE) != SOCK_STREAM ||
	    option(passed->fd, SO_ACCEPTCONN) != 1 ||
	    getsockname(passed->fd, (struct sockaddr *)&bound->addr,
			&bound->len) != 0) {
		snprintf(why, why_len, "systemd passed descriptor %d ('%s'), "
			 "which is no listening stream socket (Accept=no and "
			 "ListenStream= are needed)", passed->fd, passed->name);
		return -1;
	}
	family = bound->addr.ss_family;
	if (family != AF_INET && family != AF_INET6 && family != AF_UNIX) {
		snprintf(why, why_len, "systemd passed descriptor %d ('%s') of "
			 "address family %d, expected IPv4, IPv6 or Unix",
			 passed->fd, passed->name, family);
		return -1;
	}
	text_address(bound->text, sizeof(bound->text), &bound->addr);
	fcntl(passed->fd, F_SETFD, FD_CLOEXEC);
	fcntl(passed->fd, F_SETFL, fcntl(passed->fd, F_GETFL) | O_NONBLOCK);
	return 0;
}

/* The next of the names between ':'; "" when there are no more. */
static void next_name(const char **names, char *out, size_t cap)
{
	size_t len = strcspn(*names, ":");

	snprintf(out, cap, "%.*s", (int)len, *names);
	*names += len + ((*names)[len] == ':');
}

static void forget_environment(void)
{
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

int activation_take(struct activation **out, char *why, size_t why_len)
{
	const char *names = getenv("LISTEN_FDNAMES");
	long pid = number(getenv("LISTEN_PID"));
	long i, n = number(getenv("LISTEN_FDS"));
	struct activation *activation;
	int result = 0;

	*out = NULL;
	/* Of another process: inherited, and not for us. */
	if (pid != (long)getpid() || n <= 0) {
		forget_environment();
		return 0;
	}
	if (n > SOCKETS_MAX) {
		snprintf(why, why_len, "systemd passed %ld sockets, expected "
			 "at most %d", n, SOCKETS_MAX);
		return -1;
	}
	activation = calloc(1, sizeof(*activation) +
			    (size_t)n * sizeof(activation->socket[0]));
	if (activation == NULL) {
		snprintf(why, why_len, "out of memory");
		return -1;
	}
	names = names != NULL ? names : "";
	for (i = 0; i < n && result == 0; i++) {
		struct passed *passed = &activation->socket[i];

		passed->fd = FIRST_FD + (int)i;
		next_name(&names, passed->name, sizeof(passed->name));
		activation->n++;
		result = learn(passed, why, why_len);
	}
	forget_environment();
	if (result != 0) {
		activation_free(activation);
		return -1;
	}
	*out = activation;
	return 0;
}

static bool is_at(const struct passed *passed,
		  const struct settings_address *address)
{
	return strcmp(passed->bound.text, address->text) == 0 ||
	       (passed->bound.len == address->len &&
		memcmp(&passed->bound.addr, &address->addr, address->len) == 0);
}

int activation_find(struct activation *activation, const char *name,
		    const struct settings_address *address)
{
	struct passed *found = NULL;
	size_t i;

	if (activation == NULL)
		return -1;
	for (i = 0; name != NULL && i < activation->n && found == NULL; i++)
		if (strcmp(activation->socket[i].name, name) == 0)
			found = &activation->socket[i];
	for (i = 0; i < activation->n && found == NULL; i++)
		if (is_at(&activation->socket[i], address))
			found = &activation->socket[i];
	if (found == NULL)
		return -1;
	found->used = true;
	return fcntl(found->fd, F_DUPFD_CLOEXEC, FIRST_FD);
}

int activation_check(const struct activation *activation, char *why,
		     size_t why_len)
{
	size_t i;

	for (i = 0; activation != NULL && i < activation->n; i++) {
		const struct passed *passed = &activation->socket[i];

		if (passed->used)
			continue;
		snprintf(why, why_len, "systemd passed the socket '%s' on %s, "
			 "which no listener of the configuration has as socket "
			 "or address: its clients would wait for ever",
			 passed->name, passed->bound.text);
		return -1;
	}
	return 0;
}

void activation_free(struct activation *activation)
{
	size_t i;

	if (activation == NULL)
		return;
	for (i = 0; i < activation->n; i++)
		close(activation->socket[i].fd);
	free(activation);
}

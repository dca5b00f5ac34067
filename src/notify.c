/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * notify.c - tells systemd how the service fares: one datagram to the socket
 * that it names. The protocol is a stable one and its manual shows how to speak
 * it without libsystemd, which would bring five more libraries (three of them
 * decompressors) into a process that holds keys. Called by stekd.c, reload.c.
 */
#include "notify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

static void send_text(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = path != NULL ? strlen(path) : 0;
	int fd;

	if (len < 2 || len >= sizeof(to.sun_path) ||
	    (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(to.sun_path, path, len);
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	len += offsetof(struct sockaddr_un, sun_path);
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const void *)&to,
		   (socklen_t)len) < 0)
		log_event(LOG_WARN, "systemd was not told", "state", LOG_STR,
			  text, NULL);
	close(fd);
}

void notify(const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	send_text(text);
}

void notify_reloading(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	notify("RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=reading the "
	       "configuration again", (uint64_t)now.tv_sec * 1000000 +
	       (uint64_t)now.tv_nsec / 1000);
}

/* Decimal digits alone; 0 for anything else. */
static uint64_t number(const char *text)
{
	if (text == NULL || strspn(text, "0123456789") != strlen(text))
		return 0;
	return strtoull(text, NULL, 10);
}

uint32_t notify_watchdog_ms(void)
{
	uint64_t us = number(getenv("WATCHDOG_USEC"));
	const char *pid = getenv("WATCHDOG_PID");

	if (pid != NULL && number(pid) != (uint64_t)getpid())
		return 0;
	if (us / 1000 > UINT32_MAX)
		return UINT32_MAX;
	return us != 0 && us < 1000 ? 1 : (uint32_t)(us / 1000);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * redis_odd.c - the server of redis_odd.h, in a thread of its own.
 */
#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "redis_odd.h"

/* A number after `mark`, and where its line ends; NULL: not all there yet. */
static const char *number(const char *at, const char *end, char mark, long *out)
{
	const char *stop = memchr(at, '\n', (size_t)(end - at));

	if (!stop || *at != mark)
		return NULL;
	*out = strtol(at + 1, NULL, 10);
	return stop + 1;
}

/* One command, an array of strings: its first word, and where it ends. */
static const char *command(const char *at, const char *end, char word[32])
{
	long n = 0, len = 0;

	at = number(at, end, '*', &n);
	for (long i = 0; at && i < n; i++) {
		at = number(at, end, '$', &len);
		if (!at || end - at < len + 2)
			return NULL;
		if (i == 0)
			snprintf(word, 32, "%.*s", (int)len, at);
		at += len + 2;
	}
	return at;
}

/* False: the connection ends. */
static bool answer(struct redis_odd *odd, int fd, const char *word)
{
	const struct odd_rule *rule = odd->rules;
	char text[512] = "+OK\r\n";
	bool stays = true;
	const char *at;

	pthread_mutex_lock(&odd->lock);
	while (rule->command && strcmp(rule->command, word) != 0)
		rule++;
	if (rule->command) {
		odd->answered++;
		stays = rule->answer != NULL;
		at = stays ? strstr(rule->answer, "%d") : NULL;
		if (at)
			snprintf(text, sizeof(text), "%.*s%d%s",
				 (int)(at - rule->answer), rule->answer,
				 odd->port, at + 2);
		else if (stays)
			snprintf(text, sizeof(text), "%s", rule->answer);
	}
	pthread_mutex_unlock(&odd->lock);
	return stays && send(fd, text, strlen(text), MSG_NOSIGNAL) > 0;
}

static bool serve(struct redis_odd *odd, struct odd_client *client)
{
	ssize_t n = recv(client->fd, client->input + client->len,
			 sizeof(client->input) - client->len, 0);
	const char *at = client->input, *end, *next;
	char word[32] = "";

	if (n <= 0)
		return false;
	client->len += (size_t)n;
	end = client->input + client->len;
	while (at < end && (next = command(at, end, word))) {
		if (!answer(odd, client->fd, word))
			return false;
		at = next;
	}
	client->len = (size_t)(end - at);
	memmove(client->input, at, client->len);
	return true;
}

static void take(struct redis_odd *odd)
{
	int fd = accept4(odd->listener, NULL, NULL, SOCK_CLOEXEC);

	for (int i = 0; i < ODD_CLIENTS; i++) {
		if (odd->clients[i].fd < 0) {
			odd->clients[i].fd = fd;
			odd->clients[i].len = 0;
			return;
		}
	}
	close(fd);
}

static void *run(void *user)
{
	struct redis_odd *odd = user;
	struct pollfd pfds[ODD_CLIENTS + 2];

	for (;;) {
		pfds[ODD_CLIENTS].fd = odd->listener;
		pfds[ODD_CLIENTS + 1].fd = odd->stop[0];
		for (int i = 0; i < ODD_CLIENTS; i++)
			pfds[i].fd = odd->clients[i].fd;
		for (int i = 0; i < ODD_CLIENTS + 2; i++)
			pfds[i].events = POLLIN;
		if (poll(pfds, ODD_CLIENTS + 2, -1) < 0)
			continue;
		if (pfds[ODD_CLIENTS + 1].revents)
			return NULL;
		for (int i = 0; i < ODD_CLIENTS; i++) {
			if (pfds[i].fd < 0 || !pfds[i].revents ||
			    serve(odd, &odd->clients[i]))
				continue;
			close(pfds[i].fd);
			odd->clients[i].fd = -1;
		}
		if (pfds[ODD_CLIENTS].revents)
			take(odd);
	}
}

void redis_odd_start(struct redis_odd *odd)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);

	memset(odd, 0, sizeof(*odd));
	for (int i = 0; i < ODD_CLIENTS; i++)
		odd->clients[i].fd = -1;
	odd->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(odd->listener, (struct sockaddr *)&addr, len), 0);
	ck_assert_int_eq(listen(odd->listener, 16), 0);
	ck_assert_int_eq(getsockname(odd->listener, (struct sockaddr *)&addr,
				     &len), 0);
	odd->port = ntohs(addr.sin_port);
	ck_assert_int_eq(pipe2(odd->stop, O_CLOEXEC), 0);
	pthread_mutex_init(&odd->lock, NULL);
	ck_assert_int_eq(pthread_create(&odd->thread, NULL, run, odd), 0);
}

void redis_odd_stop(struct redis_odd *odd)
{
	ck_assert_int_eq(write(odd->stop[1], "x", 1), 1);
	pthread_join(odd->thread, NULL);
	pthread_mutex_destroy(&odd->lock);
	for (int i = 0; i < ODD_CLIENTS; i++) {
		if (odd->clients[i].fd >= 0)
			close(odd->clients[i].fd);
	}
	close(odd->listener);
	close(odd->stop[0]);
	close(odd->stop[1]);
}

void redis_odd_tell(struct redis_odd *odd, const struct odd_rule *rules)
{
	int n = 0;

	pthread_mutex_lock(&odd->lock);
	memset(odd->rules, 0, sizeof(odd->rules));
	while (rules[n].command && n < ODD_RULES - 1) {
		odd->rules[n] = rules[n];
		n++;
	}
	odd->answered = 0;
	pthread_mutex_unlock(&odd->lock);
}

unsigned redis_odd_answered(struct redis_odd *odd)
{
	unsigned answered;

	pthread_mutex_lock(&odd->lock);
	answered = odd->answered;
	pthread_mutex_unlock(&odd->lock);
	return answered;
}

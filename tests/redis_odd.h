/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * redis_odd.h - a server that answers each command as it is told to, whether a
 * Redis would or not.
 */
#ifndef STEK_TESTS_REDIS_ODD_H
#define STEK_TESTS_REDIS_ODD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#define ODD_RULES 6
#define ODD_CLIENTS 8
#define ODD_INPUT 16384

/* In place of an answer: the connection ends. */
#define ODD_HANGS_UP NULL

struct odd_rule {
	const char *command;	/* its first word; NULL ends the list */
	const char *answer;	/* as sent; %d is the server's port */
};

struct odd_client {
	int fd;			/* -1: a free place */
	size_t len;
	char input[ODD_INPUT];
};

struct redis_odd {
	pthread_t thread;
	pthread_mutex_t lock;	/* the rules and the count */
	int listener, stop[2];
	int port;
	struct odd_rule rules[ODD_RULES];
	unsigned answered;
	struct odd_client clients[ODD_CLIENTS];
};

void redis_odd_start(struct redis_odd *odd);
void redis_odd_stop(struct redis_odd *odd);
/* From now on; what no rule is for is answered +OK. */
void redis_odd_tell(struct redis_odd *odd, const struct odd_rule *rules);

/* How many commands a rule was for since then. */
unsigned redis_odd_answered(struct redis_odd *odd);

#endif

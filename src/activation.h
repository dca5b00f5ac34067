/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * activation.h - listening sockets that systemd made and keeps; they are open
 * while stekd restarts, so no client meets a closed port. sd_listen_fds(3).
 */
#ifndef STEKD_ACTIVATION_H
#define STEKD_ACTIVATION_H

#include <stdbool.h>

#include "settings.h"

struct activation;

/*
 * Takes over what was passed to this process, and its environment. *out is NULL
 * when nothing was. 0, or -1 and why: what was passed is no listening socket.
 */
int activation_take(struct activation **out, char *why, size_t why_len);

/*
 * A descriptor of one's own of the socket for `address` (its text "unix:/PATH"
 * for a Unix socket): the one named `name`, if `name` is given and was passed,
 * else the one that is bound there. -1: none. Any number of times.
 */
int activation_find(struct activation *activation, const char *name,
		    const struct settings_address *address);

/* 0, or -1 and why: a socket on which nobody would accept was passed. */
int activation_check(const struct activation *activation, char *why,
		     size_t why_len);

void activation_free(struct activation *activation);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * backend.h - the socket towards a host's backend, TCP or Unix. Plain calls on
 * descriptors; conn_relay.c drives them.
 */
#ifndef STEKD_BACKEND_H
#define STEKD_BACKEND_H

#include "settings.h"

enum backend_result { BACKEND_READY, BACKEND_PENDING, BACKEND_ERROR };

/* Starts a connection; *fd is the caller's unless BACKEND_ERROR (errno). */
enum backend_result backend_connect(const struct settings_address *address,
				    int *fd);

/* The outcome of a pending one: 0, or the errno. */
int backend_error(int fd);

/* Closes by RST: the backend must not take a cut-off request for a whole one. */
void backend_reset(int fd);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * alerts.h - the alerts of TLS by number, by name, and by the slot in which a
 * worker counts them. RFC 8446 s6, RFC 5246 s7.2, RFC 7507.
 */
#ifndef STEKD_ALERTS_H
#define STEKD_ALERTS_H

#include <stddef.h>

#define NO_ALERT (-1)

/* Slots; one of them takes all that the standards do not name. */
#define ALERTS 29
#define ALERTS_OTHER 1

size_t alerts_slot(int alert);

/* The name of a slot, static: the standard's, or "other". */
const char *alerts_slot_name(size_t slot);

/* The standard's name, static; NULL for NO_ALERT. */
const char *alerts_name(int alert);

#endif

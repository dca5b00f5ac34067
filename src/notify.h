/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * notify.h - what systemd wants to hear from a service; sd_notify(3). Without
 * NOTIFY_SOCKET all of it does nothing.
 */
#ifndef STEKD_NOTIFY_H
#define STEKD_NOTIFY_H

#include <stdint.h>

/* One or more "NAME=value" lines. Any thread. */
void notify(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* RELOADING=1, with the time by which systemd tells it from an older one. */
void notify_reloading(void);

/* How often systemd waits to hear WATCHDOG=1, in ms; 0: it does not. */
uint32_t notify_watchdog_ms(void);

#endif

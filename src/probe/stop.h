/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stop.h - an early end that still reports: asked for by the first SIGINT. */
#ifndef PROBE_STOP_H
#define PROBE_STOP_H

#include <stdbool.h>

/* The first SIGINT or SIGTERM asks; a second one kills as usual. */
void stop_on_signals(void);
void stop_ask(bool asked);
bool stop_asked(void);

#endif

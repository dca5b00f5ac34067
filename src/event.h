/* SPDX-License-Identifier: GPL-2.0-or-later */
/* event.h - what happens in the farm, as lines of the log. */
#ifndef STEKD_EVENT_H
#define STEKD_EVENT_H

#include <stek.h>

/* A sentence for people, event=NAME for programs, and what is known of it. */
void event_log(const struct stek_event *event);

#endif

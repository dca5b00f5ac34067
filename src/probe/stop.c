/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one flag that ends a measurement early. Set by a signal handler, read by
 * every thread of load.c and by the loop of farm.c.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

#include "stop.h"

static atomic_bool asked_flag;

static void on_signal(int number)
{
	(void)number;
	atomic_store_explicit(&asked_flag, true, memory_order_relaxed);
}

void stop_on_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	action.sa_flags = (int)SA_RESETHAND;
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	/* A peer that is gone is a failure to count, not a reason to die. */
	action = (struct sigaction){.sa_handler = SIG_IGN};
	sigaction(SIGPIPE, &action, NULL);
}

void stop_ask(bool asked)
{
	atomic_store_explicit(&asked_flag, asked, memory_order_relaxed);
}

bool stop_asked(void)
{
	return atomic_load_explicit(&asked_flag, memory_order_relaxed);
}

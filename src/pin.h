/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pin.h - a processor for each worker, and to each worker the connections that
 * its processor receives: with a worker for each processor, no packet of a client
 * and no wake-up for it crosses processors. Worker n has the n-th of those that
 * the calling thread may use, in their order; those beyond the last worker's
 * count from worker 0 again. What comes in on others the kernel spreads as ever.
 */
#ifndef STEKD_PIN_H
#define STEKD_PIN_H

#include <pthread.h>

/* How many the calling thread may use; at least 1. */
unsigned pin_processors(void);

/* 0, or -1 and errno (EINVAL: there are not so many processors). */
int pin_thread(pthread_t thread, unsigned worker);

/*
 * Of the sockets that share the address of the listening socket `fd`
 * (SO_REUSEPORT) the n-th that listened gets what worker n's processor receives
 * (SO_ATTACH_REUSEPORT_CBPF, socket(7)); while there is no n-th, the kernel
 * chooses as ever. 0, or -1 and errno.
 */
int pin_connections(int fd, unsigned workers);

#endif

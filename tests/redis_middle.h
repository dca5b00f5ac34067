/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * redis_middle.h - stands between a client and a server and does to what the
 * server says, from a byte on, what a bad network or a dying server does.
 */
#ifndef STEK_TESTS_REDIS_MIDDLE_H
#define STEK_TESTS_REDIS_MIDDLE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum middle_fault {
	MIDDLE_NONE,
	MIDDLE_END,	/* the connection ends in front of the byte */
	MIDDLE_RESET,	/* the same, without a goodbye */
	MIDDLE_STALL,	/* nothing more comes */
	MIDDLE_FLIP,	/* one bit of the byte is another; of TLS, and not in
			   the version of a record's header: after that */
	MIDDLE_DRIP,	/* each byte in a segment of its own */
};

struct redis_middle {
	pthread_t thread;
	int listener, stop[2], to_port;
	int port;			/* connect here */
	_Atomic enum middle_fault fault;
	atomic_size_t at;		/* of the server's bytes, per connection */
	atomic_size_t passed;		/* of them, on the last connection */
	atomic_bool struck;		/* the fault was met, on it too */
	size_t head, left;		/* the thread's: bytes of the record's
					   header so far, and of its body to come */
};

void redis_middle_start(struct redis_middle *middle, int to_port);
void redis_middle_stop(struct redis_middle *middle);

#endif

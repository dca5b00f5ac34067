/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * redis_slots.h - real servers as a Cluster, and a farm's slot on its way from
 * one of them to the other.
 */
#ifndef STEK_TESTS_REDIS_SLOTS_H
#define STEK_TESTS_REDIS_SLOTS_H

#include "redis_server.h"

/* All slots are the first one's; both were started for a Cluster. */
void redis_slots_join(struct redis_server *owner, struct redis_server *other);
/* `replica` joins too, and has what `of` has. */
void redis_slots_replicate(struct redis_server *replica,
			   struct redis_server *of);
/* The slot of the farm named "farm". */
int redis_slots_of_farm(struct redis_server *server);
/* It is on its way from here on; keys go one by one: "ring", "nodes". */
void redis_slots_begin(struct redis_server *from, struct redis_server *to);
void redis_slots_move(struct redis_server *from, struct redis_server *to,
		      const char *key);
void redis_slots_end(struct redis_server *from, struct redis_server *to);
/* How often the server answered with this error. */
long redis_slots_errors(struct redis_server *server, const char *word);

#endif

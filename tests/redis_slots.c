// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * redis_slots.c - makes a Cluster of real servers and moves a slot.
 */
#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_slots.h"

#define TRIES 6000	/* of 5 ms */

static redisReply *ask(struct redis_server *server, const char *a,
		       const char *b, const char *c)
{
	const char *argv[] = { a, b, c };

	return redis_server_do(server, c ? 3 : 2, argv, NULL);
}

/* True when the answer has all of the words (NULL: none). */
static bool says(struct redis_server *server, const char *a, const char *b,
		 const char *first, const char *second)
{
	redisReply *reply = ask(server, a, b, NULL);
	bool found = reply->str && strstr(reply->str, first) &&
		     (!second || strstr(reply->str, second));

	freeReplyObject(reply);
	return found;
}

static void await(struct redis_server *server, const char *a, const char *b,
		  const char *first, const char *second)
{
	int i;

	for (i = 0; i < TRIES && !says(server, a, b, first, second); i++)
		poll(NULL, 0, 5);
	ck_assert_msg(i < TRIES, "%s %s never said %s", a, b, first);
}

static void id_of(struct redis_server *server, char id[41])
{
	redisReply *reply = ask(server, "CLUSTER", "MYID", NULL);

	ck_assert_uint_eq(reply->len, 40);
	memcpy(id, reply->str, 41);
	freeReplyObject(reply);
}

static void meet(struct redis_server *server, struct redis_server *other)
{
	char text[96];

	snprintf(text, sizeof(text), "CLUSTER MEET 127.0.0.1 %d", other->port);
	redis_server_tell(server, text);
}

void redis_slots_join(struct redis_server *owner, struct redis_server *other)
{
	redis_server_tell(owner, "CLUSTER ADDSLOTSRANGE 0 16383");
	meet(owner, other);
	await(owner, "CLUSTER", "INFO", "cluster_state:ok",
	      "cluster_known_nodes:2");
	await(other, "CLUSTER", "INFO", "cluster_state:ok",
	      "cluster_known_nodes:2");
}

void redis_slots_replicate(struct redis_server *replica,
			   struct redis_server *of)
{
	char id[41], text[96];

	meet(of, replica);
	id_of(of, id);
	await(replica, "CLUSTER", "NODES", id, NULL);
	await(replica, "CLUSTER", "INFO", "cluster_state:ok",
	      "cluster_known_nodes:3");
	snprintf(text, sizeof(text), "CLUSTER REPLICATE %s", id);
	redis_server_tell(replica, text);
	await(of, "INFO", "replication", "state=online", NULL);
}

int redis_slots_of_farm(struct redis_server *server)
{
	redisReply *reply = ask(server, "CLUSTER", "KEYSLOT",
				"stek:{farm}:ring");
	int slot = (int)reply->integer;

	freeReplyObject(reply);
	return slot;
}

void redis_slots_begin(struct redis_server *from, struct redis_server *to)
{
	int slot = redis_slots_of_farm(from);
	char text[128], id[41];

	id_of(from, id);
	snprintf(text, sizeof(text), "CLUSTER SETSLOT %d IMPORTING %s", slot,
		 id);
	redis_server_tell(to, text);
	id_of(to, id);
	snprintf(text, sizeof(text), "CLUSTER SETSLOT %d MIGRATING %s", slot,
		 id);
	redis_server_tell(from, text);
}

void redis_slots_move(struct redis_server *from, struct redis_server *to,
		      const char *key)
{
	char text[128];

	snprintf(text, sizeof(text),
		 "MIGRATE 127.0.0.1 %d stek:{farm}:%s 0 30000", to->port, key);
	redis_server_tell(from, text);
}

void redis_slots_end(struct redis_server *from, struct redis_server *to)
{
	int slot = redis_slots_of_farm(from);
	char text[128], id[41];

	id_of(to, id);
	snprintf(text, sizeof(text), "CLUSTER SETSLOT %d NODE %s", slot, id);
	redis_server_tell(to, text);
	redis_server_tell(from, text);
}

long redis_slots_errors(struct redis_server *server, const char *word)
{
	redisReply *reply = ask(server, "INFO", "errorstats", NULL);
	char name[64];
	const char *at;
	long n = 0;

	snprintf(name, sizeof(name), "errorstat_%s:count=", word);
	at = strstr(reply->str, name);
	if (at)
		n = strtol(at + strlen(name), NULL, 10);
	freeReplyObject(reply);
	return n;
}

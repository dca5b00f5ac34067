/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * admin_farm.h - a node to administer: a real farm over the file store in a
 * directory of its own, without listeners.
 */
#ifndef ADMIN_FARM_H
#define ADMIN_FARM_H

#include <sys/types.h>

#include "admin_http.h"
#include "node.h"

#define ADMIN_FARM_TOKEN \
	"5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"

struct admin_farm {
	char dir[64];
	char socket[96], token_file[96], store_url[96], farm_key[96];
	struct settings_store store;
	struct settings settings;
	struct node node;
};

/* Of its policy: so long that no node is ever late. Set it before opening. */
extern uint32_t admin_farm_rotate_delay_ms;

/* With a file for the token; the farm is not started. */
void admin_farm_open(struct admin_farm *farm);

/* Starts it and waits until a key may seal. */
void admin_farm_start(struct admin_farm *farm);

/* Both, and the endpoint: the Unix socket and two TCP listeners. */
struct admin *admin_farm_serve(struct admin_farm *farm, uint32_t deadline_ms);

/*
 * Another process that joins the farm under this name; returns once it is live
 * and holds the ring. The caller kills and reaps it.
 */
pid_t admin_farm_join(struct admin_farm *farm, const char *name);

/* main() of that process: called when argv is "member" and two more. */
int admin_farm_member(char **argv);

/* Takes the store away for good. */
void admin_farm_lose_store(struct admin_farm *farm);

void admin_farm_close(struct admin_farm *farm);

#endif

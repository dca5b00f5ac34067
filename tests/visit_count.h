/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * visit_count.h - what a client's visit is counted by, whatever its library;
 * visit.c has it.
 */
#ifndef TESTS_VISIT_COUNT_H
#define TESTS_VISIT_COUNT_H

#include <stdbool.h>
#include <stdint.h>

#define VISIT_NODES 8

extern int visit_ports[VISIT_NODES + 1];	/* by node, from 1 */

/* A connection, counted as such. Reading ends after a long while. */
int visit_dial(unsigned node);

/* A ticket, by its bytes, and a handshake that came to its end. */
void visit_count_ticket(unsigned node, bool tls13, const uint8_t *ticket);
void visit_count_handshake(unsigned node, bool tls13, const char *outcome,
			   unsigned issuer);

#endif

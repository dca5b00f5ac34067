/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The matrix of nodes that have an address each, for farm.c: gets tickets at
 * every node and spends each of them once at one node, in a fixed order.
 */
#include <string.h>

#include "farm_run.h"
#include "stop.h"

static bool converse(struct run *run, size_t node, SSL_SESSION *offer)
{
	struct farm_node *about = &run->out->nodes[node];
	bool good = run_converse(run, &run->plan->nodes[node], offer);
	struct who who;

	about->reached = about->reached || run->conn->reached;
	if (good)
		run_note(run, node, true);
	who_read(&who, run->conn, run->plan->node_header);
	if (who.name[0] && about->name[0] && strcmp(who.name, about->name) != 0)
		about->several = true;
	if (who.name[0] && !about->name[0])
		strcpy(about->name, who.name);
	if (!good)
		strcpy(about->failure, run->conn->failure);
	return good;
}

/* A full handshake at `node`; its tickets go into the purse. */
static void issue(struct run *run, size_t node, struct purse *purse)
{
	struct farm_node *about = &run->out->nodes[node];

	if (!converse(run, node, NULL))
		about->down[run->version] = true;
	else
		about->full[run->version]++;
	about->tickets[run->version] += (unsigned)run->conn->n_tickets;
	purse_fill(purse, run->conn);
	conn_end(run->conn);
}

static void measure_cell(struct run *run, size_t row, size_t column,
			 struct purse *purse)
{
	struct farm_node *nodes = run->out->nodes;
	struct farm_cell *cell =
		&run->out->cells[run->version][row * run->out->n + column];

	for (unsigned i = 0; i < run->plan->tries && !stop_asked(); i++) {
		bool *down = &nodes[column].down[run->version];

		if (purse->n == 0)
			issue(run, row, purse);
		if (nodes[row].down[run->version] || *down)
			return;
		if (purse->n == 0) {
			cell->tried++;
			cell->none++;
			reasons_add(&run->out->failures, "no_ticket", 1);
			continue;
		}
		if (converse(run, column, purse->tickets[--purse->n])) {
			cell->tried++;
			cell->resumed += run->conn->resumed;
		} else if (!run->conn->reached) {
			/* Waiting for the deadline once is enough. */
			*down = true;
		} else {
			cell->tried++;
			cell->failed++;
		}
		conn_end(run->conn);
	}
}

int direct_measure(struct run *run)
{
	size_t n = run->out->n;
	struct purse purse = {0};

	/* First who is there, so that the failures come before the waiting. */
	for (size_t node = 0; node < n && !stop_asked(); node++) {
		issue(run, node, &purse);
		if (purse.n > 0)
			rounds_keep(run, node, purse.tickets[purse.n - 1]);
		purse_empty(&purse);
	}
	for (size_t row = 0; row < n; row++) {
		for (size_t column = 0; column < n; column++)
			measure_cell(run, row, column, &purse);
		purse_empty(&purse);
	}
	return 0;
}

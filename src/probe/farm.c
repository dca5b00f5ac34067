/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stekprobe farm: for each node and version gets tickets there and spends each
 * of them once at one other node. One connection at a time, in a fixed order,
 * so that what is measured is the farm and not the load.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "farm.h"
#include "stop.h"

#define PURSE_MAX 16

/* Unspent tickets of the row's node. */
struct purse {
	size_t n;
	SSL_SESSION *tickets[PURSE_MAX];
};

struct run {
	const struct farm_plan *plan;
	struct farm_result *out;
	enum tls_version version;
	SSL_CTX *ctx;
	struct conn *conn;
};

/* What the page says about the node that answered. */
static void note_page(struct farm_node *about, const struct page *page)
{
	if (!page->known)
		return;
	if (about->name[0] == '\0')
		strcpy(about->name, page->node);
	else if (strcmp(about->name, page->node) != 0)
		about->several = true;
	strcpy(about->farm, page->farm);
	if (strncmp(page->outcome, "refused_", 8) == 0)
		strcpy(about->refusal, page->outcome);
}

/* One whole connection, waiting for it. True if it ended without a failure. */
static bool converse(struct run *run, size_t node, SSL_SESSION *offer)
{
	struct conn *conn = run->conn;
	struct farm_node *about = &run->out->nodes[node];
	enum conn_want want;

	conn_start(conn, run->ctx, run->version, &run->plan->tls,
		   &run->plan->nodes[node], offer, conn_now_us());
	for (;;) {
		struct pollfd wait = {.fd = conn->fd};

		want = conn_step(conn, conn_now_us());
		if (want == CONN_DONE)
			break;
		wait.events = want == CONN_WRITE ? POLLOUT : POLLIN;
		poll(&wait, 1, 100);
	}
	if (conn->reached)
		about->reached = true;
	note_page(about, &conn->page);
	if (conn->failure[0] == '\0')
		return true;
	reasons_add(&run->out->failures, conn->failure, 1);
	strcpy(about->failure, conn->failure);
	return false;
}

/* A full handshake at `node`; its tickets go into the purse. */
static void issue(struct run *run, size_t node, struct purse *purse)
{
	struct conn *conn = run->conn;
	struct farm_node *about = &run->out->nodes[node];

	if (!converse(run, node, NULL))
		about->down[run->version] = true;
	else
		about->full[run->version]++;
	about->tickets[run->version] += (unsigned)conn->n_tickets;
	for (size_t i = 0; i < conn->n_tickets && purse->n < PURSE_MAX; i++) {
		purse->tickets[purse->n++] = conn->tickets[i];
		conn->tickets[i] = NULL;
	}
	conn_end(conn);
}

static void measure_cell(struct run *run, size_t row, size_t column,
			 struct purse *purse)
{
	struct farm_node *nodes = run->out->nodes;
	struct farm_cell *cell =
		&run->out->cells[run->version][row * run->out->n + column];

	for (unsigned i = 0; i < run->plan->tries && !stop_asked(); i++) {
		bool *down = &nodes[column].down[run->version];
		SSL_SESSION *offer;

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
		offer = purse->tickets[--purse->n];
		if (converse(run, column, offer)) {
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

static void purse_empty(struct purse *purse)
{
	while (purse->n > 0)
		SSL_SESSION_free(purse->tickets[--purse->n]);
}

static int measure_version(struct run *run)
{
	size_t n = run->plan->n;
	struct purse purse = {0};

	run->ctx = tls_context(run->version, &run->plan->tls, conn_on_ticket);
	if (!run->ctx)
		return -1;
	/* First who is there, so that the failures come before the waiting. */
	for (size_t node = 0; node < n && !stop_asked(); node++) {
		issue(run, node, &purse);
		purse_empty(&purse);
	}
	for (size_t row = 0; row < n; row++) {
		for (size_t column = 0; column < n; column++)
			measure_cell(run, row, column, &purse);
		purse_empty(&purse);
	}
	SSL_CTX_free(run->ctx);
	return 0;
}

int farm_run(const struct farm_plan *plan, struct farm_result *out)
{
	struct run run = {.plan = plan, .out = out};
	int64_t begun_us = conn_now_us();
	int result = -1;

	*out = (struct farm_result){.n = plan->n};
	run.conn = calloc(1, sizeof(*run.conn));
	out->nodes = calloc(plan->n, sizeof(*out->nodes));
	if (!run.conn || !out->nodes)
		goto out;
	for (int v = 0; v < TLS_VERSIONS; v++) {
		if (!plan->versions[v])
			continue;
		run.version = (enum tls_version)v;
		out->cells[v] = calloc(plan->n * plan->n,
				       sizeof(*out->cells[v]));
		if (!out->cells[v] || measure_version(&run) != 0)
			goto out;
	}
	out->seconds = (double)(conn_now_us() - begun_us) / 1e6;
	result = farm_judge(out);
out:
	free(run.conn);
	return result;
}

void farm_clear(struct farm_result *result)
{
	for (int v = 0; v < TLS_VERSIONS; v++)
		free(result->cells[v]);
	free(result->nodes);
	free(result->findings);
	*result = (struct farm_result){0};
}

static bool cell_good(const struct farm_cell *cell, unsigned expect)
{
	return cell->tried > 0 && cell->failed == 0 &&
	       (uint64_t)cell->resumed * SHARE_WHOLE >=
		       (uint64_t)cell->tried * expect;
}

int farm_verdict(const struct farm_result *result, unsigned expect)
{
	bool reached = false;

	for (size_t i = 0; i < result->n; i++)
		reached = reached || result->nodes[i].reached;
	if (!reached)
		return 3;
	for (int v = 0; v < TLS_VERSIONS; v++) {
		if (!result->cells[v])
			continue;
		for (size_t i = 0; i < result->n * result->n; i++) {
			if (!cell_good(&result->cells[v][i], expect))
				return 1;
		}
	}
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stekprobe farm: runs the rounds of direct.c or balanced.c, has each judged by
 * judge.c, and keeps the nodes known from one to the next. One connection at a
 * time, so that what is measured is the farm and not the load.
 */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "farm_run.h"
#include "stop.h"

bool run_converse(struct run *run, const struct address *address,
		  SSL_SESSION *offer)
{
	struct conn *conn = run->conn;
	enum conn_want want;

	conn_start(conn, run->ctx[run->version], run->version,
		   &run->plan->tls, address, offer, conn_now_us());
	for (;;) {
		struct pollfd wait = {.fd = conn->fd};

		want = conn_step(conn, conn_now_us());
		if (want == CONN_DONE)
			break;
		wait.events = want == CONN_WRITE ? POLLOUT : POLLIN;
		poll(&wait, 1, 100);
	}
	run->out->reached = run->out->reached || conn->reached;
	if (conn->failure[0] == '\0')
		return true;
	reasons_add(&run->out->failures, conn->failure, 1);
	return false;
}

void run_note(struct run *run, size_t node, bool told)
{
	struct farm_node *about = &run->out->nodes[node];
	const struct conn *conn = run->conn;
	const struct page *page = &conn->page;
	enum tls_version v = run->version;

	about->answered += told;
	about->answers[v]++;
	if (conn->n_tickets > 0)
		about->has_key[v] = tls_ticket_name(
			conn->tickets[conn->n_tickets - 1], about->key[v]);
	if (!page->known)
		return;
	strcpy(about->farm, page->farm);
	if (strncmp(page->outcome, "refused_", 8) == 0)
		strcpy(about->refusal, page->outcome);
}

/* The cells of `n` nodes, with those of `old` where they were. */
static struct farm_cell *grown_cells(const struct farm_cell *old, size_t old_n,
				     size_t n)
{
	struct farm_cell *cells = calloc(n * n, sizeof(*cells));

	for (size_t i = 0; cells && i < old_n; i++)
		memcpy(&cells[i * n], &old[i * old_n], old_n * sizeof(*cells));
	return cells;
}

size_t run_add_node(struct run *run)
{
	struct farm_result *out = run->out;
	size_t n = out->n + 1;

	if (n > FARM_NODES_MAX)
		return FARM_NO_CLASS;
	for (int v = 0; v < TLS_VERSIONS; v++) {
		struct farm_cell *cells;

		if (!run->plan->versions[v])
			continue;
		cells = grown_cells(out->cells[v], out->n, n);
		if (!cells)
			return FARM_NO_CLASS;
		free(out->cells[v]);
		out->cells[v] = cells;
	}
	out->nodes[out->n] = (struct farm_node){
		.address = run->plan->nodes[0].text,
		.state = {FARM_ABSENT, FARM_ABSENT},
		.class = {FARM_NO_CLASS, FARM_NO_CLASS},
	};
	out->n = n;
	return n - 1;
}

void purse_fill(struct purse *purse, struct conn *conn)
{
	for (size_t i = 0; i < conn->n_tickets; i++) {
		if (purse->n == PURSE_MAX) {
			SSL_SESSION_free(purse->tickets[0]);
			memmove(purse->tickets, purse->tickets + 1,
				(PURSE_MAX - 1) * sizeof(*purse->tickets));
			purse->n--;
		}
		purse->tickets[purse->n++] = conn->tickets[i];
	}
	conn->n_tickets = 0;
}

void purse_empty(struct purse *purse)
{
	while (purse->n > 0)
		SSL_SESSION_free(purse->tickets[--purse->n]);
}

/* What is of one round only. */
static void begin_round(struct run *run)
{
	struct farm_result *out = run->out;

	for (int v = 0; v < TLS_VERSIONS; v++) {
		for (size_t i = 0; out->cells[v] && i < out->n * out->n; i++)
			out->cells[v][i] = (struct farm_cell){0};
		for (size_t i = 0; i < out->n; i++) {
			out->nodes[i].down[v] = false;
			out->nodes[i].answers[v] = 0;
			out->nodes[i].full[v] = 0;
			out->nodes[i].tickets[v] = 0;
		}
	}
	for (size_t i = 0; i < out->n; i++) {
		out->nodes[i].reached = run->plan->balanced &&
					out->nodes[i].reached;
		out->nodes[i].refusal[0] = '\0';
	}
}

/* Forgets all nodes: they were told apart by what tells nothing. */
static void start_over(struct run *run)
{
	struct farm_result *out = run->out;

	rounds_clear(run);
	for (size_t i = 0; i < out->n_rounds; i++)
		out->rounds[i].n_changes = 0;
	for (size_t i = 0; i < out->n; i++)
		purse_empty(&run->purses[i]);
	for (int v = 0; v < TLS_VERSIONS; v++) {
		free(out->cells[v]);
		out->cells[v] = NULL;
	}
	out->n = 0;
}

static int measure_all(struct run *run)
{
	for (int v = 0; v < TLS_VERSIONS; v++) {
		bool keys_off = run->keys_off;

		if (!run->plan->versions[v])
			continue;
		run->version = (enum tls_version)v;
		if (!run->plan->balanced) {
			if (direct_measure(run) != 0)
				return -1;
			continue;
		}
		if (balanced_measure(run) != 0)
			return -1;
		if (run->keys_off && !keys_off) {
			start_over(run);
			v = -1;
		}
	}
	return 0;
}

static int run_round(struct run *run)
{
	struct farm_result *out = run->out;

	begin_round(run);
	if (measure_all(run) != 0 || farm_judge(out) != 0 ||
	    rounds_end(run) != 0)
		return -1;
	out->seconds = (double)(conn_now_us() - run->begun_us) / 1e6;
	if (run->plan->progress)
		farm_print_round(out, run->plan->format, run->plan->progress);
	return 0;
}

/* Waits for the next round; false if there is none. */
static bool another_round(struct run *run)
{
	const struct farm_plan *plan = run->plan;
	int64_t due_us = run->begun_us +
			 (int64_t)run->round * plan->every_s * 1000000;

	if (plan->every_s == 0 || (plan->rounds && run->round >= plan->rounds))
		return false;
	if (!plan->rounds &&
	    due_us > run->begun_us + (int64_t)plan->for_s * 1000000)
		return false;
	while (!stop_asked() && conn_now_us() < due_us) {
		int64_t left_ms = (due_us - conn_now_us()) / 1000 + 1;

		poll(NULL, 0, left_ms < 100 ? (int)left_ms : 100);
	}
	return !stop_asked();
}

static int by_name(const void *a, const void *b, void *arg)
{
	const struct farm_node *nodes = arg;
	const struct farm_node *x = &nodes[*(const size_t *)a];
	const struct farm_node *y = &nodes[*(const size_t *)b];
	bool x_last = x->who.evidence == WHO_UNKNOWN;
	bool y_last = y->who.evidence == WHO_UNKNOWN;

	return x_last != y_last ? x_last - y_last
				: strverscmp(x->name, y->name);
}

/*
 * Nodes behind a balancer come in the order in which they answered first; who
 * reads of them wants them by name. Then what was found is found anew.
 */
static int sort_nodes(struct farm_result *out)
{
	size_t order[FARM_NODES_MAX], place[FARM_NODES_MAX], n = out->n;
	struct farm_node *nodes = calloc(FARM_NODES_MAX, sizeof(*nodes));

	if (!nodes)
		return -1;
	for (size_t i = 0; i < n; i++)
		order[i] = i;
	qsort_r(order, n, sizeof(*order), by_name, out->nodes);
	for (size_t i = 0; i < n; i++) {
		nodes[i] = out->nodes[order[i]];
		place[order[i]] = i;
	}
	free(out->nodes);
	out->nodes = nodes;
	for (int v = 0; v < TLS_VERSIONS; v++) {
		struct farm_cell *cells = out->cells[v];

		if (!cells)
			continue;
		out->cells[v] = grown_cells(NULL, 0, n);
		for (size_t i = 0; out->cells[v] && i < n * n; i++)
			out->cells[v][i] =
				cells[order[i / n] * n + order[i % n]];
		free(cells);
		if (!out->cells[v])
			return -1;
	}
	for (size_t i = 0; i < out->n_rounds; i++) {
		for (size_t c = 0; c < out->rounds[i].n_changes; c++)
			out->rounds[i].changes[c].node =
				place[out->rounds[i].changes[c].node];
	}
	return farm_judge(out);
}

static int prepare(struct run *run)
{
	const struct farm_plan *plan = run->plan;

	run->conn = calloc(1, sizeof(*run->conn));
	run->purses = calloc(FARM_NODES_MAX, sizeof(*run->purses));
	run->out->nodes = calloc(FARM_NODES_MAX, sizeof(*run->out->nodes));
	if (!run->conn || !run->purses || !run->out->nodes)
		return -1;
	for (int v = 0; v < TLS_VERSIONS; v++) {
		if (!plan->versions[v])
			continue;
		run->ctx[v] = tls_context((enum tls_version)v, &plan->tls,
					  conn_on_ticket);
		if (!run->ctx[v])
			return -1;
	}
	for (size_t i = 0; i < plan->n && !plan->balanced; i++) {
		if (run_add_node(run) == FARM_NO_CLASS)
			return -1;
		run->out->nodes[i].address = plan->nodes[i].text;
	}
	return 0;
}

int farm_run(const struct farm_plan *plan, struct farm_result *out)
{
	struct run run = {
		.plan = plan, .out = out, .stride = 1,
		.random = 88172645463325252, .begun_us = conn_now_us(),
	};
	int result = -1;

	*out = (struct farm_result){.balanced = plan->balanced};
	if (prepare(&run) != 0)
		goto out;
	do {
		if (run_round(&run) != 0)
			goto out;
		run.round++;
	} while (another_round(&run));
	out->stopped = stop_asked();
	result = plan->balanced && out->n > 0 ? sort_nodes(out) : 0;
out:
	rounds_clear(&run);
	for (size_t i = 0; run.purses && i < FARM_NODES_MAX; i++)
		purse_empty(&run.purses[i]);
	for (int v = 0; v < TLS_VERSIONS; v++)
		SSL_CTX_free(run.ctx[v]);
	free(run.purses);
	free(run.conn);
	return result;
}

void farm_clear(struct farm_result *result)
{
	for (int v = 0; v < TLS_VERSIONS; v++)
		free(result->cells[v]);
	for (size_t i = 0; i < result->n_rounds; i++)
		free(result->rounds[i].changes);
	free(result->rounds);
	free(result->nodes);
	free(result->findings);
	*result = (struct farm_result){0};
}

bool farm_cell_good(const struct farm_cell *cell, unsigned expect)
{
	return cell->failed == 0 &&
	       (uint64_t)cell->resumed * SHARE_WHOLE >=
		       (uint64_t)cell->tried * expect;
}

/* Behind a balancer a cell may be untried, so the state of the node counts. */
static bool node_good(const struct farm_result *result, int version,
		      size_t node)
{
	enum farm_state state = result->nodes[node].state[version];

	return state == FARM_SHARES || state == FARM_UNKNOWN ||
	       state == FARM_ABSENT;
}

bool farm_good(const struct farm_result *result, unsigned expect)
{
	for (int v = 0; v < TLS_VERSIONS; v++) {
		if (!result->cells[v])
			continue;
		for (size_t i = 0; i < result->n * result->n; i++) {
			const struct farm_cell *cell = &result->cells[v][i];

			if (!farm_cell_good(cell, expect) ||
			    (!result->balanced && cell->tried == 0))
				return false;
		}
		for (size_t i = 0; i < result->n; i++) {
			if (result->balanced && expect > 0 &&
			    !node_good(result, v, i))
				return false;
		}
	}
	return true;
}

int farm_verdict(const struct farm_result *result, unsigned expect)
{
	bool reached = result->reached;

	for (size_t i = 0; i < result->n; i++)
		reached = reached || result->nodes[i].reached;
	if (!reached)
		return 3;
	for (size_t i = 0; i < result->n_rounds; i++) {
		if (!result->rounds[i].good)
			return 1;
	}
	return farm_good(result, expect) ? 0 : 1;
}

void farm_coverage(const struct farm_result *result, struct farm_coverage *out)
{
	*out = (struct farm_coverage){.missed = 1, .unseen = 1};
	for (size_t i = 0; i < result->n; i++) {
		if (result->nodes[i].who.evidence == WHO_UNKNOWN)
			continue;
		out->connections += result->nodes[i].answered;
		out->nodes++;
	}
	if (out->connections == 0)
		return;
	/* Independent draws: a balancer that takes turns misses less. */
	out->missed = pow(1 - 1 / ((double)out->nodes + 1),
			  (double)out->connections);
	out->unseen = 1 - pow(0.05, 1 / (double)out->connections);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The matrix of nodes behind one address, for farm.c. Where a connection lands
 * is the load balancer's choice, so the ticket's issuer is drawn at random (a
 * fixed order would keep step with a balancer that takes turns, and see one
 * diagonal only), and each answer is filed by who has given it.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "farm_run.h"
#include "stop.h"

#define GROUPS_MAX 32		/* by key names; more, and they are no names */
#define FAILURES_MAX 10		/* in a row: nobody is there */
#define IDLE 4			/* one in so many offers nothing */
#define BARREN 3		/* full handshakes without a ticket */
#define MISSED_MOST 0.01	/* see farm_coverage() */

/* xorshift64: the same choices in each run. */
static size_t draw(struct run *run, size_t n)
{
	uint64_t x = run->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	run->random = x;
	return (size_t)((x >> 16) % n);
}

static size_t find_named(const struct farm_result *out, const char *name)
{
	for (size_t i = 0; i < out->n; i++) {
		if (out->nodes[i].who.evidence != WHO_UNKNOWN &&
		    strcmp(out->nodes[i].name, name) == 0)
			return i;
	}
	return FARM_NO_CLASS;
}

static size_t find_unknown(const struct farm_result *out)
{
	for (size_t i = 0; i < out->n; i++) {
		if (out->nodes[i].who.evidence == WHO_UNKNOWN)
			return i;
	}
	return FARM_NO_CLASS;
}

static size_t add(struct run *run, const struct who *who, const char *name)
{
	size_t node = run_add_node(run);

	if (node == FARM_NO_CLASS)
		return node;
	run->out->nodes[node].who = *who;
	run->out->nodes[node].reached = run->conn->reached;
	strcpy(run->out->nodes[node].name, name);
	return node;
}

static size_t unknown(struct run *run)
{
	const struct who nobody = {.evidence = WHO_UNKNOWN};
	size_t node = find_unknown(run->out);

	return node != FARM_NO_CLASS ? node : add(run, &nobody, "unknown");
}

/* A group that fits, and whether there are many. */
static size_t find_group(struct run *run, const struct who *who, bool *many)
{
	size_t found = FARM_NO_CLASS;

	*many = false;
	for (size_t i = 0; i < run->out->n; i++) {
		if (!who_same_group(&run->out->nodes[i].who, who))
			continue;
		*many = *many || found != FARM_NO_CLASS;
		found = i;
	}
	return found;
}

static bool key_known(const struct farm_result *out, const struct who *who)
{
	for (size_t i = 0; i < out->n; i++) {
		const struct who *other = &out->nodes[i].who;

		if (other->evidence == WHO_KEY && other->has_key &&
		    who->has_key &&
		    memcmp(other->key, who->key, KEY_NAME_LEN) == 0)
			return true;
	}
	return false;
}

/* A resumed handshake brings no certificate: the row's group, if its key. */
static size_t of_many(struct run *run, const struct who *who, size_t row)
{
	if (run->conn->resumed && row != FARM_NO_CLASS &&
	    who_same_group(&run->out->nodes[row].who, who)) {
		run->told = false;
		return row;
	}
	return unknown(run);
}

static size_t group_of(struct run *run, struct who *who, size_t row)
{
	struct farm_result *out = run->out;
	char name[PAGE_NAME_LEN];
	size_t group, groups = 0;
	bool many;

	if (run->keys_off)
		who->has_key = false;
	if (!who->has_key && !who->has_cert)
		return unknown(run);
	group = find_group(run, who, &many);
	if (many)
		return of_many(run, who, row);
	if (group != FARM_NO_CLASS) {
		if (who->has_cert)
			out->nodes[group].who = *who;
		return group;
	}
	for (size_t i = 0; i < out->n; i++)
		groups += out->nodes[i].who.evidence == WHO_KEY;
	run->keys_off = run->keys_off || groups >= GROUPS_MAX;
	who_group_name(name, who, key_known(out, who));
	return add(run, who, name);
}

size_t balanced_node(struct run *run, size_t row)
{
	struct farm_result *out = run->out;
	const struct conn *conn = run->conn;
	struct who who;
	size_t node;

	run->told = true;
	who_read(&who, conn, run->plan->node_header);
	if (who.name[0]) {
		run->named = true;
		node = find_named(out, who.name);
		if (node == FARM_NO_CLASS)
			node = add(run, &who, who.name);
	} else if (run->named) {
		/* Others tell their names, so a group would be no news. */
		node = unknown(run);
	} else if (conn->resumed && row != FARM_NO_CLASS &&
		   (!who.has_key || run->keys_off)) {
		/* It has opened that group's key. */
		node = row;
		run->told = false;
	} else {
		node = group_of(run, &who, row);
	}
	return node != FARM_NO_CLASS ? node : find_unknown(out);
}

static struct farm_cell *cell_at(struct run *run, size_t row, size_t column)
{
	return &run->out->cells[run->version][row * run->out->n + column];
}

/* True for a node, known as one, that has answered in this round. */
static bool is_here(const struct run *run, size_t node)
{
	const struct farm_node *about = &run->out->nodes[node];

	return about->who.evidence != WHO_UNKNOWN &&
	       about->answers[run->version] > 0;
}

/* A row that needs no more tickets spent. */
static bool row_done(struct run *run, size_t row)
{
	const struct farm_node *about = &run->out->nodes[row];
	enum tls_version v = run->version;
	unsigned known = 0, tried = 0;
	bool all = true;

	if (!is_here(run, row) ||
	    (about->full[v] >= BARREN && about->tickets[v] == 0))
		return true;
	for (size_t i = 0; i < run->out->n; i++) {
		if (!is_here(run, i))
			continue;
		known++;
		tried += cell_at(run, row, i)->tried;
		all = all && cell_at(run, row, i)->tried >= run->plan->tries;
	}
	/* Who opens a group's key is of that group: cells may stay empty. */
	return all || (about->who.evidence == WHO_KEY &&
		       tried >= 3 * known * run->plan->tries);
}

/*
 * The row whose ticket is offered next: half of the time the first one that is
 * not done, so that in a large farm too some cells are decided. FARM_NO_CLASS:
 * none, a full handshake shall tell of more nodes.
 */
static size_t choose_row(struct run *run, bool *done)
{
	size_t open[FARM_NODES_MAX], n = 0;

	for (size_t i = 0; i < run->out->n; i++) {
		if (!row_done(run, i))
			open[n++] = i;
	}
	*done = n == 0;
	if (n == 0)
		return FARM_NO_CLASS;
	return draw(run, 2) ? open[0] : open[draw(run, n)];
}

/* True if a node more, of an equal share, would probably have been seen. */
static bool seen_all(struct run *run, unsigned told)
{
	size_t known = 0;

	for (size_t i = 0; i < run->out->n; i++)
		known += is_here(run, i);
	return known > 0 && pow(1 - 1 / ((double)known + 1), told) <=
				    MISSED_MOST;
}

static void file_failure(struct run *run, size_t row)
{
	size_t nobody = unknown(run);
	struct farm_cell *cell;

	if (nobody == FARM_NO_CLASS)
		return;
	strcpy(run->out->nodes[nobody].failure, run->conn->failure);
	cell = cell_at(run, row == FARM_NO_CLASS ? nobody : row, nobody);
	cell->tried++;
	cell->failed++;
}

static int file_answer(struct run *run, size_t row)
{
	size_t node = balanced_node(run, row);
	enum tls_version v = run->version;
	struct farm_node *about;
	bool renewed;

	if (node == FARM_NO_CLASS)
		return -1;
	about = &run->out->nodes[node];
	run_note(run, node, run->told);
	if (!run->conn->resumed) {
		about->full[v]++;
		about->tickets[v] += (unsigned)run->conn->n_tickets;
	}
	if (row != FARM_NO_CLASS) {
		struct farm_cell *cell = cell_at(run, row, node);

		cell->tried++;
		cell->resumed += run->conn->resumed;
	}
	if (run->conn->n_tickets > 0)
		rounds_keep(run, node, run->conn->tickets[0]);
	renewed = run->conn->resumed && run->conn->n_tickets > 0;
	purse_fill(&run->purses[node], run->conn);
	/* RFC 5077 lets a client keep a ticket that was not renewed. */
	if (v == TLS_V12 && row != FARM_NO_CLASS && !renewed) {
		run->conn->tickets[run->conn->n_tickets++] = run->conn->offered;
		run->conn->offered = NULL;
		purse_fill(&run->purses[row], run->conn);
	}
	return 0;
}

int balanced_measure(struct run *run)
{
	bool keys_off = run->keys_off;
	unsigned failures = 0, told = 0;
	int status = 0;

	for (unsigned i = 0; i < run->plan->most && status == 0 &&
			     failures < FAILURES_MAX && !stop_asked() &&
			     run->keys_off == keys_off; i++) {
		SSL_SESSION *offer = NULL;
		bool done;
		size_t row = choose_row(run, &done);

		if (done && seen_all(run, told))
			break;
		/*
		 * A balancer that takes turns, and tickets that come with each
		 * turn: now and then nothing is offered, to fall out of step.
		 */
		if (row != FARM_NO_CLASS && run->purses[row].n > 0 &&
		    draw(run, IDLE) != 0)
			offer = run->purses[row].tickets[--run->purses[row].n];
		else
			row = FARM_NO_CLASS;
		if (run_converse(run, &run->plan->nodes[0], offer)) {
			failures = 0;
			status = file_answer(run, row);
			told += run->told;
		} else {
			failures++;
			file_failure(run, row);
		}
		conn_end(run->conn);
	}
	for (size_t i = 0; i < run->out->n; i++)
		purse_empty(&run->purses[i]);
	return status;
}

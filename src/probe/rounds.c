/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stekprobe farm carries from one round to the next, for farm.c: a ticket
 * of each node and version, offered again in every later round (copies of it:
 * OpenSSL spends a TLS 1.3 ticket once), and what has changed since. So the
 * effect of a rotation on tickets of any age is seen.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "farm_run.h"
#include "stop.h"

#define KEPT_ROUNDS 32

static bool keeps_already(const struct run *run, size_t node)
{
	for (size_t i = run->n_kept; i > 0; i--) {
		const struct kept *kept = &run->kept[i - 1];

		if (kept->round != run->round)
			return false;
		if (kept->node == node && kept->version == run->version)
			return true;
	}
	return false;
}

/* Keeps the old ones, and fewer in between. */
static void thin_out(struct run *run)
{
	size_t left = 0;

	run->stride *= 2;
	for (size_t i = 0; i < run->n_kept; i++) {
		if (run->kept[i].round % run->stride == 0)
			run->kept[left++] = run->kept[i];
		else
			SSL_SESSION_free(run->kept[i].ticket);
	}
	run->n_kept = left;
}

void rounds_keep(struct run *run, size_t node, SSL_SESSION *ticket)
{
	struct kept *grown;

	if (run->plan->every_s == 0 || run->round % run->stride != 0 ||
	    keeps_already(run, node))
		return;
	grown = realloc(run->kept, (run->n_kept + 1) * sizeof(*grown));
	if (!grown)
		return;
	run->kept = grown;
	grown[run->n_kept] = (struct kept){
		.ticket = SSL_SESSION_dup(ticket), .node = node,
		.version = run->version, .round = run->round,
		.at_us = conn_now_us(),
	};
	run->n_kept += grown[run->n_kept].ticket != NULL;
}

/* The member of the issuer's class whose turn it is; FARM_NO_CLASS: none. */
static size_t turn_of(const struct run *run, const struct kept *kept)
{
	const struct farm_node *nodes = run->out->nodes;
	enum tls_version v = kept->version;
	size_t class = nodes[kept->node].class[v], members = 0, turn;

	for (size_t i = 0; i < run->out->n; i++)
		members += nodes[i].class[v] == class;
	if (class == FARM_NO_CLASS || members == 0)
		return FARM_NO_CLASS;
	turn = (kept->node + run->round) % members;
	for (size_t i = 0; i < run->out->n; i++) {
		if (nodes[i].class[v] == class && turn-- == 0)
			return i;
	}
	return FARM_NO_CLASS;
}

/* True if who has answered is one of the issuer's class, or nobody knows. */
static bool counts(struct run *run, const struct kept *kept)
{
	const struct farm_node *nodes = run->out->nodes;
	size_t node;

	if (!run->plan->balanced)
		return true;
	node = balanced_node(run, kept->node);
	return node != FARM_NO_CLASS &&
	       (nodes[node].who.evidence == WHO_UNKNOWN ||
		nodes[node].class[kept->version] ==
			nodes[kept->node].class[kept->version]);
}

/* Offers one ticket of before. False: it is to be offered no more. */
static bool offer_kept(struct run *run, const struct kept *kept,
		       struct farm_round *round)
{
	size_t node = run->plan->balanced ? 0 : turn_of(run, kept);
	struct farm_cell *old = &round->old[kept->version];
	int64_t age_s = (conn_now_us() - kept->at_us) / 1000000;
	bool lost = false;
	SSL_SESSION *copy;

	if (!tls_session_fresh(kept->ticket, (long)time(NULL)))
		return false;
	copy = node == FARM_NO_CLASS ? NULL : SSL_SESSION_dup(kept->ticket);
	if (!copy)
		return true;
	run->version = kept->version;
	if (!run_converse(run, &run->plan->nodes[node], copy)) {
		old->tried++;
		old->failed++;
	} else if (counts(run, kept)) {
		old->tried++;
		old->resumed += run->conn->resumed;
		lost = !run->conn->resumed;
		if (lost && (round->lost_s < 0 || age_s < round->lost_s))
			round->lost_s = age_s;
		if (!lost && age_s > round->oldest_s)
			round->oldest_s = age_s;
	}
	conn_end(run->conn);
	return !lost;
}

static void offer_all(struct run *run, struct farm_round *round)
{
	size_t left = 0;

	for (size_t i = 0; i < run->n_kept; i++) {
		struct kept *kept = &run->kept[i];

		if (kept->round == run->round || stop_asked() ||
		    offer_kept(run, kept, round))
			run->kept[left++] = *kept;
		else
			SSL_SESSION_free(kept->ticket);
	}
	run->n_kept = left;
	if ((run->round + 1) % (KEPT_ROUNDS * run->stride) == 0)
		thin_out(run);
}

static int add_change(struct farm_round *round, struct farm_change change)
{
	struct farm_change *grown = realloc(
		round->changes, (round->n_changes + 1) * sizeof(*grown));

	if (!grown)
		return -1;
	round->changes = grown;
	grown[round->n_changes++] = change;
	return 0;
}

static int note_node(struct run *run, struct farm_round *round, size_t node,
		     enum tls_version v)
{
	static const uint8_t none[KEY_NAME_LEN];
	const struct farm_node *about = &run->out->nodes[node];
	bool known = node < run->n_before;
	struct farm_change change = {
		.node = node, .version = v, .now = about->state[v],
		.before = known ? run->before[node][v] : FARM_ABSENT,
	};

	if (change.before != change.now && add_change(round, change) != 0)
		return -1;
	if (!known || !about->has_key[v] ||
	    memcmp(run->before_key[node][v], none, KEY_NAME_LEN) == 0 ||
	    memcmp(run->before_key[node][v], about->key[v], KEY_NAME_LEN) == 0)
		return 0;
	change.key = true;
	return add_change(round, change);
}

/* What is otherwise than before; then what is now is before. */
static int note_changes(struct run *run, struct farm_round *round)
{
	struct farm_result *out = run->out;

	for (size_t i = 0; i < out->n && run->round > 0; i++) {
		for (int v = 0; v < TLS_VERSIONS; v++) {
			if (out->cells[v] &&
			    note_node(run, round, i, (enum tls_version)v) != 0)
				return -1;
		}
	}
	if (!run->before)
		run->before = calloc(FARM_NODES_MAX, sizeof(*run->before));
	if (!run->before_key)
		run->before_key = calloc(FARM_NODES_MAX,
					 sizeof(*run->before_key));
	if (!run->before || !run->before_key)
		return -1;
	for (size_t i = 0; i < out->n; i++) {
		memcpy(run->before[i], out->nodes[i].state,
		       sizeof(run->before[i]));
		memcpy(run->before_key[i], out->nodes[i].key,
		       sizeof(run->before_key[i]));
	}
	run->n_before = out->n;
	return 0;
}

int rounds_end(struct run *run)
{
	struct farm_result *out = run->out;
	struct farm_round *grown, *round;

	grown = realloc(out->rounds, (out->n_rounds + 1) * sizeof(*grown));
	if (!grown)
		return -1;
	out->rounds = grown;
	round = &grown[out->n_rounds++];
	*round = (struct farm_round){
		.at_s = (double)(conn_now_us() - run->begun_us) / 1e6,
		.time_s = (int64_t)time(NULL), .oldest_s = -1, .lost_s = -1,
	};
	offer_all(run, round);
	round->good = farm_good(out, run->plan->expect);
	for (int v = 0; v < TLS_VERSIONS; v++) {
		if (!out->cells[v])
			continue;
		round->sums[v] = farm_whole(out, v);
		round->good = round->good && farm_cell_good(&round->old[v],
							    run->plan->expect);
	}
	for (size_t i = 0; i < out->n; i++) {
		round->nodes += out->nodes[i].who.evidence != WHO_UNKNOWN;
		round->strays += farm_is_stray(out, i);
	}
	return note_changes(run, round);
}

void rounds_clear(struct run *run)
{
	for (size_t i = 0; i < run->n_kept; i++)
		SSL_SESSION_free(run->kept[i].ticket);
	free(run->kept);
	free(run->before);
	free(run->before_key);
	run->kept = NULL;
	run->before = NULL;
	run->before_key = NULL;
	run->n_kept = 0;
	run->n_before = 0;
}

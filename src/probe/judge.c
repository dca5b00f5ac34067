/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a matrix means, for farm.c: which nodes share keys with each other, who
 * is outside the largest class, and in which direction. A cell, or a sum of
 * cells, opens tickets when its 95 % interval lies above one half, and is shut
 * when it lies below; what lies across is not decided, and nobody is accused.
 */
#include <stdlib.h>
#include <string.h>

#include "judge.h"

/* The judgement of one version. */
struct bench {
	struct farm_result *result;
	int version;
	size_t n;
	size_t *class;			/* by node; FARM_NO_CLASS: not judged */
	struct farm_cell *sums;		/* n*n, between classes */
};

/* At least half of what was offered, if anything was. */
static bool not_below_half(const struct farm_cell *cell)
{
	return 2 * cell->resumed >= farm_offered(cell);
}

/*
 * True if two classes share keys. Both directions count on their own; where
 * one is not decided, both together may decide, unless it speaks against.
 */
static bool shares(const struct farm_cell *there, const struct farm_cell *back)
{
	enum opens a = opens(there), b = opens(back);
	struct farm_cell both = *there;

	if (a == OPENS && b == OPENS)
		return true;
	cell_add(&both, back);
	return not_below_half(there) && not_below_half(back) &&
	       opens(&both) == OPENS;
}

/* Class `b` becomes part of `a`. */
static void merge(struct bench *bench, size_t a, size_t b)
{
	size_t n = bench->n;

	for (size_t i = 0; i < n; i++) {
		cell_add(&bench->sums[a * n + i], &bench->sums[b * n + i]);
		bench->sums[b * n + i] = (struct farm_cell){0};
	}
	for (size_t i = 0; i < n; i++) {
		cell_add(&bench->sums[i * n + a], &bench->sums[i * n + b]);
		bench->sums[i * n + b] = (struct farm_cell){0};
		if (bench->class[i] == b)
			bench->class[i] = a;
	}
}

/* Groups that were told apart by their certificates seal under one key. */
static bool same_key(const struct bench *bench, size_t a, size_t b)
{
	const struct who *x = &bench->result->nodes[a].who;
	const struct who *y = &bench->result->nodes[b].who;

	return x->evidence == WHO_KEY && y->evidence == WHO_KEY &&
	       x->has_key && y->has_key &&
	       memcmp(x->key, y->key, KEY_NAME_LEN) == 0;
}

/* True if two classes are one. */
static bool belong(const struct bench *bench, size_t a, size_t b)
{
	const struct farm_cell *there = &bench->sums[a * bench->n + b];
	const struct farm_cell *back = &bench->sums[b * bench->n + a];

	if (shares(there, back))
		return true;
	return same_key(bench, a, b) && opens(there) != SHUT &&
	       opens(back) != SHUT;
}

static bool merge_any(struct bench *bench)
{
	bool merged = false;

	for (size_t a = 0; a < bench->n; a++) {
		for (size_t b = a + 1; b < bench->n; b++) {
			if (bench->class[a] != a || bench->class[b] != b ||
			    !belong(bench, a, b))
				continue;
			merge(bench, a, b);
			merged = true;
		}
	}
	return merged;
}

/* The sums between classes, anew from the cells. */
static void sum_up(struct bench *bench)
{
	const struct farm_cell *cells = bench->result->cells[bench->version];
	size_t n = bench->n;

	memset(bench->sums, 0, n * n * sizeof(*bench->sums));
	for (size_t i = 0; i < n * n; i++) {
		size_t a = bench->class[i / n], b = bench->class[i % n];

		if (a != FARM_NO_CLASS && b != FARM_NO_CLASS)
			cell_add(&bench->sums[a * n + b], &cells[i]);
	}
}

/*
 * Where cells were few, one direction may have made a node a member. If the
 * members together refuse its tickets, or it theirs, it is none.
 */
static bool expel_any(struct bench *bench)
{
	const struct farm_cell *cells = bench->result->cells[bench->version];
	size_t n = bench->n;

	for (size_t node = 0; node < n; node++) {
		struct farm_cell given = {0}, taken = {0};
		size_t next = FARM_NO_CLASS;

		for (size_t i = 0; i < n; i++) {
			if (i == node || bench->class[i] == FARM_NO_CLASS ||
			    bench->class[i] != bench->class[node])
				continue;
			cell_add(&given, &cells[node * n + i]);
			cell_add(&taken, &cells[i * n + node]);
			next = next == FARM_NO_CLASS ? i : next;
		}
		if (opens(&given) != SHUT && opens(&taken) != SHUT)
			continue;
		/* A class is known by one of its members. */
		for (size_t i = 0; bench->class[node] == node && i < n; i++) {
			if (i != node && bench->class[i] == node)
				bench->class[i] = next;
		}
		bench->class[node] = node;
		return true;
	}
	return false;
}

/* What a node is found to be without comparing it to others. */
static enum farm_state alone(const struct bench *bench, size_t node)
{
	const struct farm_node *about = &bench->result->nodes[node];
	struct farm_cell row = farm_row(bench->result, bench->version, node,
					false);
	struct farm_cell column = farm_column(bench->result, bench->version,
					      node, false);
	struct farm_cell own = bench->result->cells[bench->version]
			       [node * bench->n + node];

	if (about->who.evidence == WHO_UNKNOWN)
		return FARM_UNKNOWN;
	if (!about->reached)
		return FARM_UNREACHABLE;
	if (bench->result->balanced && !about->answers[bench->version])
		return FARM_ABSENT;
	if (about->down[bench->version])
		return FARM_FAILING;
	if (about->full[bench->version] && !about->tickets[bench->version])
		return FARM_NO_TICKETS;
	if (opens(&own) == SHUT && row.resumed + column.resumed == 0)
		return FARM_NOTHING;
	return FARM_SHARES;
}

struct rank {
	size_t root, nodes, tried;
};

static int by_size(const void *a, const void *b)
{
	const struct rank *x = a, *y = b;

	if (x->nodes != y->nodes)
		return x->nodes > y->nodes ? -1 : 1;
	if (x->tried != y->tried)
		return x->tried > y->tried ? -1 : 1;
	return x->root < y->root ? -1 : 1;
}

/* Numbers the classes by their size. */
static int rank_classes(struct bench *bench)
{
	struct rank *ranks = calloc(bench->n, sizeof(*ranks));
	struct farm_result *result = bench->result;
	int v = bench->version;
	size_t used = 0;

	if (!ranks)
		return -1;
	for (size_t i = 0; i < bench->n; i++) {
		size_t root = bench->class[i];

		ranks[i].root = i;
		if (root == FARM_NO_CLASS)
			continue;
		used += ranks[root].nodes++ == 0;
		ranks[root].tried += farm_row(result, v, i, false).tried;
	}
	qsort(ranks, bench->n, sizeof(*ranks), by_size);
	result->classes[v] = used;
	result->tied[v] = used > 1 && ranks[0].nodes == ranks[1].nodes;
	for (size_t i = 0; i < bench->n; i++) {
		result->nodes[i].class[v] = FARM_NO_CLASS;
		for (size_t r = 0; r < used; r++) {
			if (bench->class[i] == ranks[r].root)
				result->nodes[i].class[v] = r;
		}
	}
	free(ranks);
	return 0;
}

/* A class that is not the largest, by its tickets there and theirs here. */
static enum farm_state against(const struct farm_cell *given,
			       const struct farm_cell *taken)
{
	enum opens there = opens(given), here = opens(taken);
	struct farm_cell both = *given;

	if (there == SHUT && here == OPENS)
		return FARM_AHEAD;
	if (there == OPENS && here == SHUT)
		return FARM_BEHIND;
	cell_add(&both, taken);
	if ((there == SHUT || here == SHUT || opens(&both) == SHUT) &&
	    both.resumed == 0)
		return FARM_STRAY;
	return there == SHUT && here == SHUT ? FARM_STRAY : FARM_UNDECIDED;
}

static void compare(struct bench *bench)
{
	struct farm_node *nodes = bench->result->nodes;
	int v = bench->version;
	bool stray = false, undecided = false;
	size_t largest = FARM_NO_CLASS, members = 0;

	for (size_t i = 0; i < bench->n; i++) {
		if (nodes[i].class[v] != 0)
			continue;
		largest = bench->class[i];
		members++;
	}
	for (size_t i = 0; i < bench->n; i++) {
		size_t root = bench->class[i];

		if (root == FARM_NO_CLASS || root == largest)
			continue;
		nodes[i].state[v] = against(
			&bench->sums[root * bench->n + largest],
			&bench->sums[largest * bench->n + root]);
		stray = stray || nodes[i].state[v] == FARM_STRAY;
		undecided = undecided || nodes[i].state[v] == FARM_UNDECIDED;
	}
	/* Of classes of one size none is the farm, and the others astray. */
	for (size_t i = 0; i < bench->n; i++) {
		if (nodes[i].class[v] != 0)
			continue;
		if (bench->result->tied[v] && stray)
			nodes[i].state[v] = FARM_STRAY;
		else if (members == 1 && undecided)
			nodes[i].state[v] = FARM_UNDECIDED;
	}
}

static int judge_version(struct farm_result *result, int version)
{
	struct bench bench = {
		.result = result, .version = version, .n = result->n,
	};
	size_t cells = result->n * result->n;
	int status = -1;

	bench.class = calloc(result->n, sizeof(*bench.class));
	bench.sums = calloc(cells, sizeof(*bench.sums));
	if (!bench.class || !bench.sums)
		goto out;
	memcpy(bench.sums, result->cells[version], cells * sizeof(*bench.sums));
	for (size_t i = 0; i < result->n; i++) {
		result->nodes[i].state[version] = alone(&bench, i);
		bench.class[i] =
			result->nodes[i].state[version] == FARM_SHARES
				? i : FARM_NO_CLASS;
	}
	while (merge_any(&bench))
		;
	while (expel_any(&bench))
		;
	sum_up(&bench);
	if (rank_classes(&bench) != 0)
		goto out;
	compare(&bench);
	status = 0;
out:
	free(bench.class);
	free(bench.sums);
	return status;
}

int farm_judge(struct farm_result *result)
{
	free(result->findings);
	result->findings = NULL;
	result->n_findings = 0;
	for (int v = 0; v < TLS_VERSIONS; v++) {
		if (result->cells[v] && judge_version(result, v) != 0)
			return -1;
	}
	return findings_make(result);
}

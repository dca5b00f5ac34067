/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sums of a matrix's cells, what they say, and the list of what is to be told
 * of nodes and of pairs once judge.c has judged them.
 */
#include <stdlib.h>

#include "judge.h"

unsigned farm_offered(const struct farm_cell *cell)
{
	return cell->tried - cell->failed - cell->none;
}

void cell_add(struct farm_cell *sum, const struct farm_cell *cell)
{
	sum->tried += cell->tried;
	sum->resumed += cell->resumed;
	sum->failed += cell->failed;
	sum->none += cell->none;
}

struct farm_cell farm_row(const struct farm_result *result, int version,
			  size_t row, bool apart)
{
	struct farm_cell sum = {0};

	for (size_t column = 0; column < result->n; column++) {
		if (!apart || column != row)
			cell_add(&sum, &result->cells[version]
					[row * result->n + column]);
	}
	return sum;
}

struct farm_cell farm_column(const struct farm_result *result, int version,
			     size_t column, bool apart)
{
	struct farm_cell sum = {0};

	for (size_t row = 0; row < result->n; row++) {
		if (!apart || column != row)
			cell_add(&sum, &result->cells[version]
					[row * result->n + column]);
	}
	return sum;
}

struct farm_cell farm_whole(const struct farm_result *result, int version)
{
	struct farm_cell sum = {0};

	for (size_t i = 0; i < result->n * result->n; i++)
		cell_add(&sum, &result->cells[version][i]);
	return sum;
}

enum opens opens(const struct farm_cell *cell)
{
	unsigned offered = farm_offered(cell);
	double low, high;

	if (offered == 0)
		return UNTRIED;
	share_interval(cell->resumed, offered, &low, &high);
	if (low > 0.5)
		return OPENS;
	return high < 0.5 ? SHUT : UNSURE;
}

static struct farm_finding *add_finding(struct farm_result *result)
{
	struct farm_finding *grown = realloc(
		result->findings, (result->n_findings + 1) * sizeof(*grown));

	if (!grown)
		return NULL;
	result->findings = grown;
	grown += result->n_findings++;
	*grown = (struct farm_finding){0};
	return grown;
}

/* One finding for all versions in which the node is in that state. */
static int find_node(struct farm_result *result, size_t node,
		     enum farm_state state)
{
	struct farm_finding *finding = NULL;

	for (int v = 0; v < TLS_VERSIONS; v++) {
		struct farm_cell given, taken;

		if (!result->cells[v] || result->nodes[node].state[v] != state)
			continue;
		if (!finding)
			finding = add_finding(result);
		if (!finding)
			return -1;
		finding->what = state;
		finding->row = finding->column = node;
		finding->versions[v] = true;
		given = farm_row(result, v, node, true);
		taken = farm_column(result, v, node, true);
		cell_add(&finding->given, &given);
		cell_add(&finding->taken, &taken);
		cell_add(&finding->own,
			 &result->cells[v][node * result->n + node]);
	}
	return 0;
}

static enum farm_state pair_state(const struct farm_result *result, int version,
				  size_t row, size_t column)
{
	const struct farm_cell *cell =
		&result->cells[version][row * result->n + column];
	size_t class = result->nodes[row].class[version];

	if (class == FARM_NO_CLASS ||
	    class != result->nodes[column].class[version])
		return FARM_SHARES;
	if (opens(cell) == SHUT)
		return FARM_ONE_WAY;
	return cell->resumed < farm_offered(cell) ? FARM_LOSES : FARM_SHARES;
}

static int find_pair(struct farm_result *result, size_t row, size_t column)
{
	for (enum farm_state what = FARM_LOSES; what <= FARM_ONE_WAY; what++) {
		struct farm_finding *finding = NULL;

		for (int v = 0; v < TLS_VERSIONS; v++) {
			if (!result->cells[v] ||
			    pair_state(result, v, row, column) != what)
				continue;
			if (!finding)
				finding = add_finding(result);
			if (!finding)
				return -1;
			finding->what = what;
			finding->pair = true;
			finding->row = row;
			finding->column = column;
			finding->versions[v] = true;
			cell_add(&finding->own,
				 &result->cells[v][row * result->n + column]);
		}
	}
	return 0;
}

static int find_several(struct farm_result *result, size_t node)
{
	struct farm_finding *finding;

	if (!result->nodes[node].several)
		return 0;
	finding = add_finding(result);
	if (!finding)
		return -1;
	finding->what = FARM_SEVERAL;
	finding->row = finding->column = node;
	for (int v = 0; v < TLS_VERSIONS; v++)
		finding->versions[v] = result->cells[v] != NULL;
	return 0;
}

int findings_make(struct farm_result *result)
{
	for (int state = FARM_STATES - 1; state > FARM_SHARES; state--) {
		for (size_t i = 0; i < result->n; i++) {
			if (find_node(result, i, (enum farm_state)state) != 0)
				return -1;
		}
	}
	for (size_t i = 0; i < result->n; i++) {
		if (find_several(result, i) != 0)
			return -1;
	}
	for (size_t i = 0; i < result->n * result->n; i++) {
		if (find_pair(result, i / result->n, i % result->n) != 0)
			return -1;
	}
	return 0;
}

bool farm_is_stray(const struct farm_result *result, size_t node)
{
	for (int v = 0; v < TLS_VERSIONS; v++) {
		enum farm_state state = result->nodes[node].state[v];

		if (!result->cells[v])
			continue;
		if (state == FARM_STRAY || state == FARM_AHEAD ||
		    state == FARM_BEHIND)
			return true;
		/* Where no node shares with any, none has left the others. */
		if ((state == FARM_NOTHING || state == FARM_NO_TICKETS) &&
		    result->classes[v] > 0)
			return true;
	}
	return false;
}

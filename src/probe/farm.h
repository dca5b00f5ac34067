/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * farm.h - every node issues, every node resumes: the matrix, and what follows
 * from it. The reports of matrix.c and matrix_json.c read this result alone.
 */
#ifndef PROBE_FARM_H
#define PROBE_FARM_H

#include <stdio.h>

#include "who.h"

#define FARM_NODES_MAX 256
#define FARM_NO_CLASS SIZE_MAX

enum report_format { REPORT_TEXT, REPORT_JSON, REPORT_CSV };

struct farm_plan {
	struct tls_options tls;
	struct address *nodes;
	size_t n;
	unsigned tries;			/* per cell */
	bool versions[TLS_VERSIONS];
	unsigned expect;		/* basis points, of each cell */
	const char *node_header;	/* names the node; or NULL */
	bool balanced;			/* one address, many nodes */
	unsigned most;			/* balanced: connections of a version */
	unsigned every_s;		/* from one begin to the next */
	unsigned rounds;		/* 0: until for_s is over */
	unsigned for_s;
	enum report_format format;	/* of what each round prints */
	FILE *progress;			/* or NULL: nothing is */
};

struct farm_cell {
	unsigned tried;			/* 0: one of the two is not there */
	unsigned resumed;
	unsigned failed;		/* of those tried, no answer at all */
	unsigned none;			/* of those tried, no ticket was there */
};

/* How a node, or a pair of them, is found; the worst come last. */
enum farm_state {
	FARM_SHARES,		/* with the largest class */
	FARM_UNKNOWN,		/* no node: whose node could not be told */
	FARM_ABSENT,		/* has answered before, and not now */
	FARM_UNDECIDED,		/* too few tries */
	FARM_SEVERAL,		/* several nodes answer at one address */
	FARM_LOSES,		/* a pair that shares, but not always */
	FARM_ONE_WAY,		/* a pair of one class, of which one refuses */
	FARM_BEHIND,		/* the others open its tickets, it not theirs */
	FARM_AHEAD,		/* it opens the others' tickets, they not its */
	FARM_STRAY,		/* opens its own, and no other class's */
	FARM_NOTHING,		/* opens not even its own */
	FARM_NO_TICKETS,	/* gives none */
	FARM_FAILING,		/* handshakes fail */
	FARM_UNREACHABLE,
	FARM_STATES,
};

struct farm_node {
	char name[PAGE_NAME_LEN];	/* "": its address is used */
	const char *address;
	struct who who;			/* by what it is known */
	char farm[PAGE_NAME_LEN];	/* its name, from the page; or "" */
	char refusal[PAGE_NAME_LEN];	/* why it refused last, from the page */
	bool reached;			/* TCP, at least once */
	bool several;			/* another name answers there, too */
	bool down[TLS_VERSIONS];	/* given up for this version */
	char failure[REASON_LEN];	/* why */
	uint64_t answered;		/* known to be its, of all rounds */
	unsigned answers[TLS_VERSIONS];	/* of this round */
	unsigned full[TLS_VERSIONS];	/* handshakes that did not resume */
	unsigned tickets[TLS_VERSIONS];	/* that it gave in these */
	bool has_key[TLS_VERSIONS];
	uint8_t key[TLS_VERSIONS][KEY_NAME_LEN];	/* of its last ticket */
	/* judge.c: */
	enum farm_state state[TLS_VERSIONS];
	size_t class[TLS_VERSIONS];	/* 0 is the largest; or FARM_NO_CLASS */
};

/* What is to be told of a node (row == column), or of a pair. */
struct farm_finding {
	enum farm_state what;
	bool pair;
	bool versions[TLS_VERSIONS];
	size_t row, column;
	struct farm_cell own;		/* its tickets at itself; the pair's */
	struct farm_cell given;		/* its tickets at the other nodes */
	struct farm_cell taken;		/* the other nodes' tickets at it */
};

/* What has become otherwise since the round before. */
struct farm_change {
	size_t node;
	enum tls_version version;
	bool key;			/* it gives tickets under another key */
	enum farm_state before, now;	/* if not */
};

struct farm_round {
	double at_s;			/* since the begin */
	int64_t time_s;			/* wall clock */
	bool good;			/* judged like the whole */
	struct farm_cell sums[TLS_VERSIONS];
	struct farm_cell old[TLS_VERSIONS];	/* tickets of earlier rounds */
	int64_t oldest_s;		/* that resumed; -1: none did */
	int64_t lost_s;			/* the youngest that did not; or -1 */
	size_t nodes, strays;
	size_t n_changes;
	struct farm_change *changes;
};

struct farm_result {
	size_t n;
	struct farm_node *nodes;
	/* Of the last round; n*n, row by row; NULL: not asked */
	struct farm_cell *cells[TLS_VERSIONS];
	bool balanced;
	bool reached;			/* TCP, at least once */
	bool stopped;			/* before its end, by a signal */
	size_t n_rounds;
	struct farm_round *rounds;
	struct reasons failures;
	double seconds;
	/* judge.c: */
	size_t classes[TLS_VERSIONS];	/* nodes that share with each other */
	bool tied[TLS_VERSIONS];	/* no class is larger than all others */
	size_t n_findings;
	struct farm_finding *findings;
};

/* 0, or -1 when it could not run at all (said on standard error). */
int farm_run(const struct farm_plan *plan, struct farm_result *out);
void farm_clear(struct farm_result *result);

/*
 * 0, 1 (a cell failed or below `expect` basis points, or behind a balancer a
 * node does not share, in any round), 3 (no node reached).
 */
int farm_verdict(const struct farm_result *result, unsigned expect);

/* The same of the matrix alone: of the last round. */
bool farm_good(const struct farm_result *result, unsigned expect);

/* True if as many resumed of those tried, and none failed. */
bool farm_cell_good(const struct farm_cell *cell, unsigned expect);

/* How surely all nodes behind a balancer were seen. */
struct farm_coverage {
	uint64_t connections;		/* whose node is known */
	size_t nodes;
	double missed;	/* probability to miss one more of an equal share */
	double unseen;	/* with 95 %, a node not seen has a smaller share */
};

void farm_coverage(const struct farm_result *result,
		   struct farm_coverage *out);

/* Pure: fills in what is marked "judge.c". 0, or -1 without memory. */
int farm_judge(struct farm_result *result);

/* Tickets that were offered, and an answer came. */
unsigned farm_offered(const struct farm_cell *cell);

/* A row, a column, the whole; the cell where they meet left out if `apart`. */
struct farm_cell farm_row(const struct farm_result *result, int version,
			  size_t row, bool apart);
struct farm_cell farm_column(const struct farm_result *result, int version,
			     size_t column, bool apart);
struct farm_cell farm_whole(const struct farm_result *result, int version);

/*
 * True if a node is outside the largest class, or all classes are of its size;
 * also if it gives no tickets, or resumes none, where others do.
 */
bool farm_is_stray(const struct farm_result *result, size_t node);

#define FARM_CHECKS_MAX 6

/* farm_causes.c: what a state is, and what to check. */
struct farm_cause {
	const char *name;	/* for programs */
	const char *what;
	const char *check[FARM_CHECKS_MAX];
};

const struct farm_cause *farm_cause(enum farm_state state);

/* matrix.c */
/* All but what farm_print_round() has printed: of CSV nothing is left. */
void farm_print(const struct farm_result *result, enum report_format format,
		FILE *out);
const char *farm_node_name(const struct farm_result *result, size_t node);

/* matrix_json.c */
void farm_print_json(const struct farm_result *result, FILE *out);

/* matrix_round.c: the last round, a line in text, its matrix in CSV. */
void farm_print_round(const struct farm_result *result,
		      enum report_format format, FILE *out);

/* How many rounds were good, and what became otherwise. */
void farm_print_course(const struct farm_result *result, FILE *out);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* farm.h - every node issues, every node resumes: the matrix. */
#ifndef PROBE_FARM_H
#define PROBE_FARM_H

#include <stdio.h>

#include "conn.h"

#define FARM_NODES_MAX 256

struct farm_plan {
	struct tls_options tls;
	struct address *nodes;
	size_t n;
	unsigned tries;			/* per cell */
	bool versions[TLS_VERSIONS];
};

struct farm_cell {
	unsigned tried;			/* 0: one of the two was not reachable */
	unsigned resumed;
	unsigned failed;		/* of those tried, no answer at all */
};

struct farm_node {
	char name[PAGE_NAME_LEN];	/* from the page; "": its address is used */
	bool reached;			/* TCP, at least once */
	bool down[TLS_VERSIONS];	/* given up for this version */
	char failure[REASON_LEN];	/* why */
};

struct farm_result {
	size_t n;
	struct farm_node *nodes;
	struct farm_cell *cells[TLS_VERSIONS];	/* n*n, row by row; NULL: not asked */
	struct reasons failures;
	double seconds;
};

/* 0, or -1 when it could not run at all (said on standard error). */
int farm_run(const struct farm_plan *plan, struct farm_result *out);
void farm_clear(struct farm_result *result);

/* 0, 1 (a cell failed or below `expect` basis points), 3 (no node reached). */
int farm_verdict(const struct farm_result *result, unsigned expect);

enum report_format { REPORT_TEXT, REPORT_JSON, REPORT_CSV };

/* matrix.c */
void farm_print(const struct farm_plan *plan, const struct farm_result *result,
		enum report_format format, FILE *out);

#endif

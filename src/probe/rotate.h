/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rotate.h - what a change of the farm costs its clients: load, and in its
 * midst rotations, revocations or the loss of a node.
 */
#ifndef PROBE_ROTATE_H
#define PROBE_ROTATE_H

#include "../ctl.h"
#include "load.h"

#define ROTATE_EVENTS_MAX 100
#define ROTATE_DETAIL_LEN 256

enum rotate_kind { ROTATE_ROTATE, ROTATE_REVOKE, ROTATE_LOSE };

struct rotate_plan {
	struct load_plan load;	/* without an end of its own */
	enum rotate_kind kind;
	unsigned times;		/* 1 to ROTATE_EVENTS_MAX */
	unsigned lead_s;	/* load before the first */
	unsigned settle_s;	/* load after each has taken effect */
	bool force;
	uint64_t most_failed;	/* connections; more are a failure */
	unsigned expect;	/* of those that were to resume; basis points */
	struct ctl_target target;	/* rotate and revoke */
	pid_t victim;		/* lose: this process, or by */
	const char *command;	/* this command */
};

/* Moments are microseconds since the measured phase began; 0: never. */
struct rotate_event {
	bool done;
	int64_t asked_us, answered_us, active_us;
	long status;		/* HTTP, or the command's exit status */
	unsigned nodes, late;	/* acknowledged, did not */
	int64_t slowest_ms;	/* of those that did */
	char detail[ROTATE_DETAIL_LEN];	/* why not done */
};

struct rotate_result {
	struct load_result load;
	size_t n;
	struct rotate_event events[ROTATE_EVENTS_MAX];
	int64_t ended_us;	/* when the load was told to end */
};

/* 0, or -1 when it could not run at all (said on standard error). */
int rotate_run(const struct rotate_plan *plan, struct rotate_result *out);
void rotate_clear(struct rotate_result *result);

/* What began before event 0; since event `i` was asked for, until the next. */
struct moment rotate_before(const struct rotate_result *result);
struct moment rotate_since(const struct rotate_result *result, size_t i);

/*
 * 0; 3: nothing was reachable; 1: an event was refused, too many connections
 * failed, or: tickets were lost (rotate, lose), a ticket resumed after its
 * revocation, or one that was given after half of `settle_s` did not (revoke).
 */
int rotate_verdict(const struct rotate_plan *plan,
		   const struct rotate_result *result);

/*
 * Reads an answer to a rotation or revocation. `now_ms` is the farm's time at
 * `now_us`, and both moments may be any; 0, or -1 with event->detail.
 */
int rotate_read(struct rotate_event *event, const struct ctl_reply *reply,
		int64_t now_ms, int64_t now_us);

/* "rotation", "revocation", "loss" */
const char *rotate_word(enum rotate_kind kind);

/* rotate_report.c */
void rotate_print(const struct rotate_plan *plan,
		  const struct rotate_result *result, enum report_format format,
		  FILE *out);

#endif

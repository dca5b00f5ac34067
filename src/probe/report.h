/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report.h - what the reports of load and of rotate-test share. */
#ifndef PROBE_REPORT_H
#define PROBE_REPORT_H

#include <jansson.h>

#include "load.h"

/* Of all versions. A key that sealed tickets of both counts once. */
struct load_counts load_sum(const struct load_result *result);
size_t load_keys(const struct load_result *result);

/* Handshakes that ended well. */
double load_per_second(const struct load_result *result,
		       const struct load_counts *sum);

/* CPU of all servers for each connection, in microseconds; < 0: not known. */
double load_cpu_us(const struct load_plan *plan,
		   const struct load_result *result);

/* "12.34%", cut, so that 100 means all of them; "-" of nothing. */
const char *load_percent(char out[32], uint64_t part, uint64_t whole);

/* How the lifetimes that a server hints are told apart, in seconds. */
struct lifetime_class {
	uint32_t above, most;
	const char *name;
};

#define LIFETIME_CLASSES 7
extern const struct lifetime_class lifetime_classes[LIFETIME_CLASSES];

json_t *load_json(const struct load_plan *plan,
		  const struct load_result *result);

/* The members of a moment, into `object`. */
void moment_json(json_t *object, const struct moment *moment);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cpu.h - what a server's process has used of the CPU, from the kernel. */
#ifndef PROBE_CPU_H
#define PROBE_CPU_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct cpu_sample {
	uint64_t user, system;	/* ticks, all threads, without children */
	uint64_t ns;		/* both, exactly; 0: not known */
	uint64_t born;		/* with the pid it names the process for good */
};

struct cpu_server {
	pid_t pid;
	bool known;		/* there at the begin and at the end */
	struct cpu_sample begin;
	double user_s, system_s;	/* between the two, if known */
};

/* Reads one line of /proc/PID/stat, whatever the name in it. 0 or -1. */
int cpu_parse(struct cpu_sample *out, const char *stat);
int cpu_read(struct cpu_sample *out, pid_t pid);

void cpu_begin(struct cpu_server *server, pid_t pid);

/* `now` (NULL: the process is gone), of a clock of `per_s` ticks a second. */
void cpu_end(struct cpu_server *server, const struct cpu_sample *now,
	     double per_s);

#endif

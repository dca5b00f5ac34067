/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPU time of a server on this machine, for stekprobe load --server-pid. Its
 * processor clock tells it to the nanosecond, /proc/PID/stat in ticks of
 * 1/100 s how much of it was the system's.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cpu.h"

int cpu_parse(struct cpu_sample *out, const char *stat)
{
	/* The name may hold blanks and brackets; the last one ends it. */
	const char *rest = strrchr(stat, ')');
	struct cpu_sample sample = { 0 };

	if (!rest ||
	    /* NOLINTNEXTLINE(cert-err34-c): the kernel writes its integers */
	    sscanf(rest + 1,
		   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64
		   " %" SCNu64 " %*d %*d %*d %*d %*d %*d %" SCNu64,
		   &sample.user, &sample.system, &sample.born) != 3)
		return -1;
	*out = sample;
	return 0;
}

/* All threads', also of those that have ended; 0 where it is not told. */
static uint64_t clock_ns(pid_t pid)
{
	struct timespec at;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 ||
	    clock_gettime(clock, &at) != 0)
		return 0;
	return (uint64_t)at.tv_sec * 1000000000 + (uint64_t)at.tv_nsec;
}

int cpu_read(struct cpu_sample *out, pid_t pid)
{
	char path[64], line[1024];
	size_t len;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	file = fopen(path, "re");
	if (!file)
		return -1;
	len = fread(line, 1, sizeof(line) - 1, file);
	fclose(file);
	line[len] = '\0';
	if (cpu_parse(out, line) != 0)
		return -1;
	out->ns = clock_ns(pid);
	return 0;
}

void cpu_begin(struct cpu_server *server, pid_t pid)
{
	*server = (struct cpu_server){.pid = pid};
	server->known = cpu_read(&server->begin, pid) == 0;
}

void cpu_end(struct cpu_server *server, const struct cpu_sample *now,
	     double per_s)
{
	const struct cpu_sample *begin = &server->begin;
	double user, system;

	/* Another process may have got the pid meanwhile. */
	server->known = server->known && now &&
			now->born == server->begin.born;
	if (!server->known)
		return;
	user = (double)(now->user - begin->user) / per_s;
	system = (double)(now->system - begin->system) / per_s;
	if (now->ns && begin->ns) {
		double both = (double)(now->ns - begin->ns) / 1e9;

		system = user + system > 0 ? both * system / (user + system)
					   : 0;
		user = both - system;
	}
	server->user_s = user;
	server->system_s = system;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPU time of a server on this machine, for stekprobe load --server-pid. The
 * kernel tells it in ticks (1/100 s), so short measurements are coarse.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cpu.h"

int cpu_parse(struct cpu_sample *out, const char *stat)
{
	/* The name may hold blanks and brackets; the last one ends it. */
	const char *rest = strrchr(stat, ')');
	struct cpu_sample sample;

	if (!rest ||
	    sscanf(rest + 1,
		   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64
		   " %" SCNu64 " %*d %*d %*d %*d %*d %*d %" SCNu64,
		   &sample.user, &sample.system, &sample.born) != 3)
		return -1;
	*out = sample;
	return 0;
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
	return cpu_parse(out, line);
}

void cpu_begin(struct cpu_server *server, pid_t pid)
{
	*server = (struct cpu_server){.pid = pid};
	server->known = cpu_read(&server->begin, pid) == 0;
}

void cpu_end(struct cpu_server *server, const struct cpu_sample *now,
	     double per_s)
{
	/* Another process may have got the pid meanwhile. */
	server->known = server->known && now &&
			now->born == server->begin.born;
	if (!server->known)
		return;
	server->user_s = (double)(now->user - server->begin.user) / per_s;
	server->system_s = (double)(now->system - server->begin.system) / per_s;
}

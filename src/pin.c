/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pin.c - binds workers to processors, and tells the kernel in a filter program
 * of its own (BPF) whose connection is whose.
 */
#include "pin.h"

#include <errno.h>
#include <linux/filter.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

/* The processor that runs the program; for each one a comparison and an answer. */
#define INSTRUCTIONS_MAX (2 * CPU_SETSIZE + 2)

/* No socket's number: the kernel chooses. */
#define NOBODY UINT32_MAX

static int usable(cpu_set_t *set)
{
	return sched_getaffinity(0, sizeof(*set), set);
}

unsigned pin_processors(void)
{
	cpu_set_t set;

	return usable(&set) < 0 ? 1 : (unsigned)CPU_COUNT(&set);
}

int pin_thread(pthread_t thread, unsigned worker)
{
	cpu_set_t set, one;
	unsigned i, before = 0;

	if (usable(&set) < 0)
		return -1;
	for (i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &set) && before++ == worker)
			break;
	errno = EINVAL;
	if (i == CPU_SETSIZE)
		return -1;
	CPU_ZERO(&one);
	CPU_SET(i, &one);
	errno = pthread_setaffinity_np(thread, sizeof(one), &one);
	return errno ? -1 : 0;
}

int pin_connections(int fd, unsigned workers)
{
	struct sock_filter code[INSTRUCTIONS_MAX] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_CPU),
	};
	struct sock_fprog program;
	cpu_set_t set;
	unsigned i, before = 0;

	if (usable(&set) < 0)
		return -1;
	/* The kernel is given its padding, too. */
	memset(&program, 0, sizeof(program));
	program.filter = code;
	program.len = 1;
	for (i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET(i, &set))
			continue;
		code[program.len++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, i, 0, 1);
		code[program.len++] = (struct sock_filter)BPF_STMT(
			BPF_RET | BPF_K, before++ % workers);
	}
	code[program.len++] =
		(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, NOBODY);
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program,
			  sizeof(program));
}
